"""Builds the exchange that a process of its own puts up: anew, or as its log says it was."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from msgspec import Struct

from polystra import __version__
from polystra.app.exchange_accounts import ThrowawayAccount, open_accounts, throwaway_accounts
from polystra.app.exchange_clock import ClockFacts, TimeMode, clock_facts, continued_clock
from polystra.app.exchange_log import ExchangeLog, Header
from polystra.app.playback import Playback
from polystra.app.rebuild import check_header, rebuild
from polystra.app.settings import Settings
from polystra.app.world_rules import WorldRules, world_rules
from polystra.core.units import Instant, Nanos
from polystra.edge.clock import ScaledClock, Time, WallClock, monotonic
from polystra.edge.polymarket.wallet import SignatureType
from polystra.edge.tapes.format import TapeFile
from polystra.exchange.members import Members
from polystra.exchange.memory import Memory
from polystra.exchange.pace import SteppedClock
from polystra.exchange.price_feeds import PriceBoard
from polystra.exchange.spot import SpotMarket
from polystra.exchange.venue import Venue


class Blueprint(Struct, frozen=True, kw_only=True):
    """What an exchange is made of. `recordings` is the digest of the files, `ahead` as for `Playback`."""

    settings: Settings
    files: Sequence[TapeFile]
    recordings: str
    seed: int
    mode: TimeMode
    speed: float
    accounts: int
    signature_types: Sequence[SignatureType]
    log: Path | None
    ahead: Nanos = Nanos(0)


class Standing(Struct, frozen=True, kw_only=True):
    """An exchange that is ready to be served. `clock` is its own; a stepped one is moved by whoever serves it.
    `notes` are what a person should hear about its beginning."""

    venue: Venue
    playback: Playback
    prices: PriceBoard
    spot: SpotMarket
    memory: Memory
    rules: WorldRules
    log: ExchangeLog
    clock: Time | SteppedClock
    accounts: tuple[ThrowawayAccount, ...]
    notes: tuple[str, ...]

    @property
    def clock_facts(self) -> ClockFacts | None:
        return clock_facts(self.clock) if isinstance(self.clock, ScaledClock) else None

    def end(self) -> None:
        """Lets fall due what is due, and closes the log with the truth."""
        self.log.ended(self.venue.current().truth(), self.venue.now())


def stand(blue: Blueprint) -> Standing:
    """Raises `RecordingError`, and `LogUnusable` and `LogDiffers` for a log that is there."""
    log = ExchangeLog(None) if blue.log is None else ExchangeLog.resumed(blue.log)
    try:
        return _stand(blue, log)
    except BaseException:
        log.close()
        raise


def _stand(blue: Blueprint, log: ExchangeLog) -> Standing:
    rules = world_rules(blue.settings, blue.seed)
    clock, kept = SteppedClock(Instant(0)), log.header()
    venue = Venue(
        rules=rules.exchange, rng=Random(f"{blue.seed} exchange"), clock=clock, members=Members(str(blue.seed))
    )
    memory, prices = Memory(venue), PriceBoard()
    spot = SpotMarket(prices, seed=str(blue.seed))
    begins = _begins(blue, kept)
    playback = Playback(venue, blue.files, rules, begins=begins, speed=blue.speed, prices=prices, ahead=blue.ahead)
    clock.move_to(playback.begins)
    header = _header(blue, playback.begins)
    if kept is None:
        log.begin(header)
        venue.keep(log)
    else:
        assert blue.log is not None
        check_header(blue.log, kept, header)
        rebuild(log, venue, playback, clock)
    accounts = throwaway_accounts(blue.accounts, rules.starting_cash, blue.signature_types)
    open_accounts(venue, accounts)
    running = _running(kept or header, clock)
    venue.go_by(running)
    return Standing(
        venue=venue,
        playback=playback,
        prices=prices,
        spot=spot,
        memory=memory,
        rules=rules,
        log=log,
        clock=running,
        accounts=accounts,
        notes=_notes(log, kept),
    )


def _begins(blue: Blueprint, kept: Header | None) -> Instant | None:
    """Where the recordings are moved to; None where they are not."""
    if blue.mode is not TimeMode.WALL:
        return None
    return WallClock().now() if kept is None else kept.begin


def _header(blue: Blueprint, begin: Instant) -> Header:
    simulation: Mapping[str, object] = blue.settings.simulation.model_dump(mode="json")
    return Header(
        version=__version__,
        seed=blue.seed,
        mode=blue.mode,
        speed=blue.speed,
        begin=begin,
        origin=monotonic(),
        recordings=blue.recordings,
        accounts=blue.accounts,
        signature_types=tuple(int(kind) for kind in blue.signature_types),
        simulation=simulation,
        ahead=blue.ahead,
    )


def _running(header: Header, clock: SteppedClock) -> Time | SteppedClock:
    """The clock that goes on where the stepped one stands."""
    match header.mode:
        case TimeMode.LOCK_STEP:
            return clock
        case TimeMode.WALL:
            return WallClock()
        case TimeMode.RECORDED:
            facts = ClockFacts(start=header.begin, speed=header.speed, origin=header.origin)
            return continued_clock(facts, clock.now())


def _notes(log: ExchangeLog, kept: Header | None) -> tuple[str, ...]:
    torn = f"{log.path}: the last line was torn and is cut off ({log.torn} bytes), it was never acted on"
    again = f"{log.path}: the exchange goes on as it was there"
    return (*([torn] if log.torn else []), *([again] if kept is not None else []))
