"""Feeds a journal to a new engine and compares every step with the recorded one, byte for byte.

Only the first difference means anything: from there on the recorded answers belong to commands that were never given.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from polystra import __version__
from polystra.app.session import build_engine
from polystra.app.settings import Settings, stored_settings, strategy_digest
from polystra.core.commands import AnyCommand
from polystra.core.engine import Engine, Step
from polystra.core.events import AnyEvent, MarketListed
from polystra.core.markets import Series
from polystra.core.notes import AnyNote
from polystra.core.strategy import Strategy
from polystra.core.units import Instant
from polystra.edge.clock import stopwatch
from polystra.edge.store.journal import Decided, JournalHead, Reading, Seen, read_journal

_bytes_of = msgspec.msgpack.Encoder().encode


class Other(Struct, frozen=True):
    """Something in the journal's head that is not so here."""

    name: str
    recorded: str
    now: str


class FirstDifference(Struct, frozen=True, kw_only=True):
    """The first event that leads to something else than it did."""

    seq: int
    event: AnyEvent
    recorded: Step
    now: Step

    @property
    def at(self) -> Instant:
        return self.event.at


class ReplayResult(Struct, frozen=True, kw_only=True):
    """`events` were handled and `steps` of them led to something. `engine_seconds` were spent in the engine alone.

    `torn` is what a crash cut off the journal, in words. `unfinished` is the last event when it leads to something
    here and the run ended before that was written: nobody knows what it led to then.
    """

    head: JournalHead
    others: tuple[Other, ...]
    events: int
    steps: int
    engine_seconds: float
    difference: FirstDifference | None = None
    torn: str | None = None
    unfinished: int | None = None

    @property
    def identical(self) -> bool:
        return self.difference is None


class _Survey(Struct, frozen=True):
    series: frozenset[Series]
    last: int
    torn: str | None


def replay(path: Path, settings: Settings | None = None, strategy: Strategy | None = None) -> ReplayResult:
    """Replays with the journal's own settings, or with these.

    Raises `NotAJournal`, `JournalTooNew` and `JournalDamaged`, and `BadSettings` when the recorded settings are not
    known to this version.
    """
    survey = _survey(path)
    with read_journal(path) as reading:
        head = reading.head
        used = settings or stored_settings(head.settings)
        strategy = strategy or used.chosen_strategy
        tally = _Tally(build_engine(used, survey.series, strategy), survey.last)
        tally.compare(reading)
    return ReplayResult(
        head=head,
        others=tuple(_others(head, used, strategy)),
        events=tally.events,
        steps=tally.steps,
        engine_seconds=tally.seconds,
        difference=tally.difference,
        torn=survey.torn,
        unfinished=tally.unfinished,
    )


class _Tally:
    """Counts while it compares. Mutable."""

    def __init__(self, engine: Engine, last: int) -> None:
        self._engine = engine
        self._last = last
        self.events = self.steps = 0
        self.seconds = 0.0
        self.difference: FirstDifference | None = None
        self.unfinished: int | None = None

    def compare(self, reading: Reading) -> None:
        """Until the end, or the first difference."""
        for seen, decided in _pairs(reading):
            begun = stopwatch()
            now = self._engine.handle(seen.event)
            self.seconds += stopwatch() - begun
            self.events += 1
            self.steps += bool(now.commands or now.notes)
            recorded = Step() if decided is None else Step(decided.commands, decided.notes)
            if _same(recorded, now):
                continue
            if decided is None and seen.seq == self._last:
                self.unfinished = seen.seq
            else:
                self.difference = FirstDifference(seq=seen.seq, event=seen.event, recorded=recorded, now=now)
                return


def _survey(path: Path) -> _Survey:
    """One pass ahead: the series that were traded, the last event, and whether the journal is whole.

    A market that can be traded is listed in the journal itself, also after a restart; one that only the ledger
    remembered may belong to a series that nobody trades any more.
    """
    series: set[Series] = set()
    last = 0
    with read_journal(path) as reading:
        for record in reading:
            last = record.seq
            if isinstance(record, Seen) and isinstance(record.event, MarketListed):
                series.add(record.event.market.series)
    return _Survey(frozenset(series), last, reading.torn)


def _pairs(reading: Reading) -> Iterator[tuple[Seen, Decided | None]]:
    """Each event with what it led to."""
    seen: Seen | None = None
    for record in reading:
        if isinstance(record, Decided):
            assert seen is not None
            yield seen, record
            seen = None
        else:
            if seen is not None:
                yield seen, None
            seen = record
    if seen is not None:
        yield seen, None


def _same(recorded: Step, now: Step) -> bool:
    """Equal as they would be written: a number that changed its type counts as changed."""
    return recorded is now or _bytes_of(recorded) == _bytes_of(now)


def _others(head: JournalHead, settings: Settings, strategy: Strategy) -> Iterator[Other]:
    here = {
        "version": (head.version, __version__),
        "settings": (head.settings_digest, settings.digest),
        "strategy": (f"{head.strategy} {head.strategy_digest}", f"{strategy.name} {strategy_digest(strategy)}"),
    }
    for name, (recorded, now) in here.items():
        if recorded != now:
            yield Other(name, recorded, now)


def words_of(one: AnyCommand | AnyNote) -> str:
    """A command or a note as it is stored, on one line."""
    return msgspec.json.encode(one).decode()
