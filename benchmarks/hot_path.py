"""What it costs from the bytes of a tick to the bytes of an order, everything between them included.

Inbox, loop, journal, engine, outbox, signer and ledger are those that trade. In the place of the network stands a venue
that notes the moment at which it has all it would post. Each tick meets a trader that has just been started: so there
are a thousand alike, and only the tick itself is timed.
"""

import asyncio
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Protocol, TypeAlias, cast

from msgspec.structs import replace

from benchmarks import signing
from benchmarks.demo_window import HEAD, NothingKept, new_ledger
from benchmarks.engine_events import AtEveryLevel, forget_levels
from benchmarks.harness import Benchmark, Effort, NotMeasured, Ratio, Side, Work
from benchmarks.streams import delta_stream, frame_of
from polystra.app.inbox import Inbox
from polystra.app.outbox import OrderNames, Outbox
from polystra.app.runtime import run
from polystra.app.settings import Settings
from polystra.app.venue_signer import VenueSigner
from polystra.core.commands import PlaceOrder
from polystra.core.engine import NOTHING, Engine, Step
from polystra.core.events import (
    AnyEvent,
    BookChanged,
    HistoryLoaded,
    LedgerLoaded,
    LevelChange,
    MarketListed,
    OwnPrice,
    SnapshotTaken,
    Started,
)
from polystra.core.ids import OrderId
from polystra.core.notes import EquityWatched, MarketFollowed, PositionWatched
from polystra.core.terms import Side as OrderSide
from polystra.core.units import MICRO, Instant, Price, Shares, price, seconds, usd
from polystra.edge.clock import draw_salt
from polystra.edge.market_channel import FrameReader
from polystra.edge.polymarket.auth import RequestSigner
from polystra.edge.polymarket.keys import CURVE
from polystra.edge.ready import Ready
from polystra.edge.store.durability import Durability
from polystra.edge.store.journal import Journal
from polystra.edge.store.ledger import Ledger

TICKS = {"ours": 100, "coincurve": 50, "plain": 10}
"""How many in a round; a client is timed as it installs (`plain` Python arithmetic) and with coincurve beside it."""

_BOOK = delta_stream(1)
MARKET = _BOOK.market
_EARLIEST = seconds(70)
_BEFORE = Instant(MARKET.start + seconds(65))
_AT_TICK = Instant(MARKET.start + _EARLIEST)
_CASH = usd("1000")
_SETTINGS = Settings()
_STRATEGY = AtEveryLevel(replace(_SETTINGS.tilted_prior, min_edge=-MICRO, earliest=_EARLIEST))
_RULES = replace(_SETTINGS.rules, limits=replace(_SETTINGS.rules.limits, min_edge=-MICRO))
_WALLET = signing.WALLETS["eoa"]

AtTick: TypeAlias = Callable[[bytes], object]


class Thinks(Protocol):
    """What the loop asks of an engine."""

    def handle(self, event: AnyEvent) -> Step: ...

    def positions(self, at: Instant) -> tuple[PositionWatched | EquityWatched, ...]: ...

    @property
    def next_wake(self) -> Instant | None: ...


# --- what happens -----------------------------------------------------------------------------------------------------


def before_tick(number: int) -> tuple[AnyEvent, ...]:
    """All that a trader has heard: it follows the market, next is order `number`, its time to enter has not come."""
    minutes = [Instant(MARKET.start - seconds(60) * ago) for ago in range(5, 0, -1)]
    prices = tuple(OwnPrice(minute, Price(480_000 + 4_000 * n)) for n, minute in enumerate(minutes))
    return (
        LedgerLoaded(at=_BEFORE, next_order=OrderId(number), cash=_CASH),
        MarketListed(at=_BEFORE, market=MARKET),
        SnapshotTaken(at=_BEFORE, cash=_CASH, settled=(), live=()),
        Started(at=_BEFORE),
        HistoryLoaded(at=_BEFORE, market=MARKET.id, own_prices=prices),
        _BOOK.events[0],
    )


def tick(number: int) -> BookChanged:
    """A lower offer arrives in the second in which the strategy may enter; no two are alike."""
    size = Shares((100 + number) * MICRO + 170_000)
    change = LevelChange(OrderSide.SELL, price("0.50"), size)
    return BookChanged(at=_AT_TICK, market=MARKET.id, changes=(change,), best_bid=price("0.49"), best_ask=price("0.50"))


def trader() -> Engine:
    return Engine(_RULES, {MARKET.series: _STRATEGY}, _STRATEGY)


def decided(number: int) -> Step:
    """What the engine makes of the tick."""
    engine = trader()
    for event in before_tick(number):
        engine.handle(event)
    return engine.handle(tick(number))


class Given:
    """In the engine's place: says at the tick what was decided before, and nothing at all else."""

    next_wake: Instant | None = None

    def __init__(self, number: int) -> None:
        self._step = decided(number)

    def handle(self, event: AnyEvent) -> Step:
        return self._step if type(event) is BookChanged else NOTHING

    def positions(self, at: Instant) -> tuple[PositionWatched | EquityWatched, ...]:
        return ()


# --- ours -------------------------------------------------------------------------------------------------------------


class Run:
    """Trades ticks one by one and notes what each took, in `laps`. Clock, feed and network in one. Mutable."""

    def __init__(self, journal: Journal, ledger: Ledger, laps: list[float]) -> None:
        self._journal = journal
        self._ledger = ledger
        self._laps = laps
        self._requests = RequestSigner(signing.CREDENTIALS, signing.KEY.address)
        self._signer = VenueSigner(
            _WALLET,
            markets={MARKET.id: MARKET},
            clock=self,
            owner=signing.CREDENTIALS.api_key,
            salt=lambda order: draw_salt(),
        )
        self._reader = FrameReader([MARKET])
        self._now = _BEFORE
        self._frame = b""
        self._begun = 0.0

    async def trade(self, engine: Thinks, number: int, frame: bytes) -> None:
        """From a start to an order."""
        self._now, self._frame = _BEFORE, frame
        self._inbox = Inbox(self, self._feed)
        for event in before_tick(number):
            self._inbox.put(event)
        outbox = Outbox(self._inbox, self._signer, OrderNames(), self)
        await run(cast("Engine", engine), self._inbox, self._journal, self._ledger, outbox)

    def now(self) -> Instant:
        return self._now

    async def _feed(self, _: Instant | None) -> bool:
        """The trader has done all it had to: the tick arrives. The second time there is no more."""
        frame, self._frame, self._now = self._frame, b"", _AT_TICK
        if not frame:
            return False
        self._begun = perf_counter()
        for event in self._reader.read(frame, self._now):
            self._inbox.put(event)
        return True

    def send(self, ready: Sequence[Ready]) -> None:
        for one in ready:
            if isinstance(one.command, PlaceOrder):
                self._requests.headers(at=self._now, method="POST", path="/order", body=one.body)
                self._laps.append(perf_counter() - self._begun)


def _ours(folder: Path, effort: Effort) -> dict[str, Side]:
    count = effort.of(TICKS["ours"])
    frames = [frame_of(MARKET, tick(number)) for number in range(1, count + 1)]
    files = itertools.count()

    def side(what: str, engine: Callable[[int], Thinks], *, kept: bool = True) -> Side:
        laps: list[float] = []

        @contextmanager
        def ready() -> Iterator[Work]:
            engines = [engine(number) for number in range(1, count + 1)]
            with store(folder / str(next(files))) if kept else _no_store() as (journal, ledger):
                one_run = Run(journal, ledger, laps)
                forget_levels()
                yield lambda: asyncio.run(_trade_all(one_run, engines, frames))

        return Side(what, count, ready, laps)

    return {
        "ours": side("ours, which decides", lambda _: trader()),
        "given": side("ours, the decision given", Given),
        "unkept": side("ours, which decides and keeps nothing", lambda _: trader(), kept=False),
    }


async def _trade_all(one_run: Run, engines: list[Thinks], frames: list[bytes]) -> None:
    for number, (engine, frame) in enumerate(zip(engines, frames, strict=True), start=1):
        await one_run.trade(engine, number, frame)


@contextmanager
def store(folder: Path) -> Iterator[tuple[Journal, Ledger]]:
    folder.mkdir()
    with (
        new_ledger(folder / "ledger.sqlite", Durability.NORMAL) as ledger,
        Journal(folder / "journal", HEAD) as journal,
    ):
        ledger.record(0, _BEFORE, (), (MarketFollowed(market=MARKET),))
        yield journal, ledger


@contextmanager
def _no_store() -> Iterator[tuple[Journal, Ledger]]:
    nothing = NothingKept()
    yield cast("Journal", nothing), cast("Ledger", nothing)


# --- theirs -----------------------------------------------------------------------------------------------------------


def _theirs(folder: Path, effort: Effort) -> dict[str, Side]:
    makers = dict(zip(signing.CLIENTS, (signing.polymarket_client, signing.py_clob_client_v2), strict=True))
    files = itertools.count()
    found = {}
    for (client, maker), curve in itertools.product(makers.items(), signing.CURVES):
        what = f"{client}, {'as it installs' if curve == 'plain' else 'with coincurve beside it'}"
        path = folder / f"{client}-{curve}-{next(files)}.sqlite"
        found[f"{client} {curve}"] = _client_side(what, path, effort.of(TICKS[curve]), maker, curve)
    return found


def _client_side(what: str, path: Path, count: int, maker: Callable[..., signing.OneOrder], curve: str) -> Side:
    frames = [frame_of(MARKET, tick(number)) for number in range(1, count + 1)]
    laps: list[float] = []

    @contextmanager
    def ready() -> Iterator[Work]:
        with signing.client_curve(signing.CURVES[curve]), closing(intents(path)) as kept:
            at_tick = user_of(maker(_WALLET), kept)
            at_tick(frames[0])

            def work() -> None:
                for frame in frames:
                    begun = perf_counter()
                    if at_tick(frame):
                        laps.append(perf_counter() - begun)

            yield work

    return Side(what, count, ready, laps)


def user_of(make_order: signing.OneOrder, kept: sqlite3.Connection) -> AtTick:
    """The least that a bot on a client does: compares a price, and keeps what it is about to post."""
    token, limit = MARKET.up_token, 0.505

    def at_tick(frame: bytes) -> bool:
        for change in json.loads(frame)["price_changes"]:
            if change["asset_id"] == token and float(change["best_ask"]) < limit:
                body, _ = make_order()
                kept.execute("INSERT INTO intents (body) VALUES (?)", (body,))
                return True
        return False

    return at_tick


def intents(path: Path) -> sqlite3.Connection:
    """Each statement is a transaction of its own, as durable as ours."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", f"PRAGMA synchronous = {Durability.NORMAL.name}"):
        connection.execute(statement)
    connection.execute("CREATE TABLE IF NOT EXISTS intents (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
    return connection


def sides(folder: Path, effort: Effort) -> Mapping[str, Side]:
    if CURVE != "coincurve":
        raise NotMeasured("our side signs with coincurve: install it (Python 3.11 to 3.13 have wheels)")
    return _ours(folder, effort) | _theirs(folder, effort)


BENCHMARK = Benchmark(
    name="hot_path",
    unit="tick",
    about="""From the bytes of a `price_change` to all the bytes of a POST. Ours: frame reader, inbox, journal, book,
view, `tilted_prior`, sizing, risk, plan, signature and body, journal flushed, intent and notes committed (NORMAL), L2
headers; once with the engine, once with its decision given, once with nothing kept. The official clients: the frame
through `json`, one comparison of prices in place of a decision, the order signed and serialised, its body committed to
SQLite by one bare statement (WAL, NORMAL), L2 headers.""",
    ratios=(
        *(
            Ratio(f"hot_path.ours_vs_{client}", "ours", f"{client} plain", "against that client as it installs")
            for client in signing.CLIENTS
        ),
        *(
            Ratio(
                f"hot_path.ours_vs_{client}_with_coincurve",
                "ours",
                f"{client} coincurve",
                "against that client with coincurve beside it",
            )
            for client in signing.CLIENTS
        ),
        Ratio("hot_path.given_vs_ours", "given", "ours", "what is left when the decision is given"),
        Ratio("hot_path.unkept_vs_ours", "unkept", "ours", "what is left when nothing is kept"),
    ),
    sides=sides,
)
