"""What a whole recorded window costs in the demo, and which part of it is whose.

The parts are found by replacing the others. A window is traded once and its journal kept; then the same events go
through the engine alone, the same records through ledger and journal alone, and the venue is driven by the recorded
steps with nobody thinking and nothing stored. All chance is seeded, so each does exactly the work it did before.
"""

import asyncio
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from msgspec import Struct

from benchmarks.harness import Benchmark, Effort, Ratio, Side, Work
from benchmarks.streams import recorded_file
from polystra.app.exchange_log import ExchangeLog
from polystra.app.inbox import Inbox
from polystra.app.outbox import OrderNames, Outbox
from polystra.app.runtime import run
from polystra.app.session import EXCHANGE_LOG, Trader, build_engine
from polystra.app.settings import demo_settings
from polystra.app.venue_signer import VenueSigner
from polystra.app.world import World
from polystra.app.world_rules import world_rules
from polystra.core.commands import PlaceOrder
from polystra.core.engine import NOTHING, Engine, Step
from polystra.core.events import AnyEvent, LedgerLoaded
from polystra.core.ids import VenueOrderId
from polystra.core.notes import AnyNote
from polystra.core.units import Instant
from polystra.edge.ready import Ready
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
from polystra.edge.store.journal import Decided, Journal, JournalHead, Seen, read_journal
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.migrations import migrate
from polystra.edge.tapes.format import TapeFile
from polystra.edge.tapes.library import bundled

SEED = 1
SETTINGS = demo_settings({})
HEAD = JournalHead(version="benchmark", mode="simulation", strategy="tilted_prior", seed=SEED)


class Window(Struct, frozen=True):
    """A window that was traded: what the engine saw, what it made of each event, and when it wanted to wake next."""

    file: TapeFile
    journal: Path
    events: tuple[AnyEvent, ...]
    steps: tuple[Step, ...]
    wakes: tuple[Instant | None, ...]


class Script:
    """In the engine's place: says again what was said."""

    def __init__(self, window: Window) -> None:
        self._steps = iter(window.steps)
        self._wakes = iter(window.wakes)

    def handle(self, event: AnyEvent) -> Step:
        return next(self._steps)

    def positions(self, at: Instant) -> tuple[()]:
        """Nobody looks on."""
        return ()

    @property
    def next_wake(self) -> Instant | None:
        return next(self._wakes)

    def check_ended(self) -> None:
        """Raises `RuntimeError` when the venue did less than before; when it does more, `handle` runs out."""
        left = sum(1 for _ in self._steps)
        if left:
            raise RuntimeError(f"the venue left {left} recorded events out: its work is not what it was")


class NothingKept:
    """In the place of ledger and journal."""

    def append(self, event: AnyEvent) -> int:
        return 0

    def append_step(self, seq: int, commands: object, notes: object) -> None:
        pass

    def flush(self) -> None:
        pass

    def record(self, seq: int, at: Instant, ready: Sequence[Ready], notes: Sequence[AnyNote]) -> None:
        pass


def traded_window(folder: Path) -> Window:
    """Trades the first bundled window once; its ledger and journal stay in the folder."""
    file = recorded_file()
    with _trader(folder) as trader, _world(file, folder) as world:
        asyncio.run(trader.trade(world, {file.market.series}))
        journal = trader.journal_path
    events, steps = _records(journal)
    engine = _engine(file)
    wakes = []
    for event in events:
        engine.handle(event)
        wakes.append(engine.next_wake)
    return Window(file, journal, tuple(events), tuple(steps), tuple(wakes))


def sides(folder: Path, effort: Effort) -> Mapping[str, Side]:
    (folder / "first").mkdir()
    window = traded_window(folder / "first")
    count = len(window.events)
    rounds = (folder / f"round-{number}" for number in itertools.count())

    @contextmanager
    def whole() -> Iterator[Work]:
        place = next(rounds)
        place.mkdir()
        with _trader(place) as trader, _world(window.file, place) as world:
            yield lambda: asyncio.run(trader.trade(world, {window.file.market.series}))

    @contextmanager
    def engine() -> Iterator[Work]:
        yield lambda: _think(_engine(window.file), window.events)

    @contextmanager
    def venue() -> Iterator[Work]:
        place = next(rounds)
        place.mkdir()
        with _world(window.file, place) as world:
            yield lambda: asyncio.run(_play(world, window))

    @contextmanager
    def store() -> Iterator[Work]:
        place = next(rounds)
        place.mkdir()
        with new_ledger(place / "ledger.sqlite", Durability.NORMAL) as ledger, Journal(place / "journal", HEAD) as kept:
            readies = [_named(step) for step in window.steps]
            yield lambda: _store(ledger, kept, window, readies)

    @contextmanager
    def load() -> Iterator[Work]:
        file = next(iter(bundled()))
        yield file.load

    return {
        "whole": Side("the window through world, loop, engine, ledger and journal", count, whole),
        "engine": Side("its events through the engine alone", count, engine),
        "venue": Side(
            "world, exchange, signer, inbox and loop, driven by the recorded steps, nothing stored", count, venue
        ),
        "store": Side("its events and steps into ledger and journal alone", count, store),
        "load": Side("reading the window from its Parquet file", count, load),
    }


@contextmanager
def new_ledger(path: Path, durable: Durability) -> Iterator[Ledger]:
    """A migrated ledger in which a run has begun."""
    with open_database(path, durable=durable) as database:
        migrate(database, Instant(0))
        ledger = Ledger(database)
        ledger.begin_run(Instant(0), HEAD, "journal")
        yield ledger


def _trader(folder: Path) -> Trader:
    return Trader(folder, SETTINGS, seed=SEED)


@contextmanager
def _world(file: TapeFile, folder: Path) -> Iterator[World]:
    with ExchangeLog(folder / EXCHANGE_LOG) as log:
        yield World(world_rules(SETTINGS, SEED), [file], log)


def _engine(file: TapeFile) -> Engine:
    return build_engine(SETTINGS, {file.market.series})


def _records(journal: Path) -> tuple[list[AnyEvent], list[Step]]:
    events: list[AnyEvent] = []
    steps: list[Step] = []
    with read_journal(journal) as reading:
        for record in reading:
            match record:
                case Seen(event=event):
                    events.append(event)
                    steps.append(NOTHING)
                case Decided(commands=commands, notes=notes):
                    steps[-1] = Step(commands, notes)
    return events, steps


def _think(engine: Engine, events: Sequence[AnyEvent]) -> None:
    for event in events:
        engine.handle(event)
        engine.next_wake  # noqa: B018 - the loop asks after every event


async def _play(world: World, window: Window) -> None:
    names = OrderNames()
    inbox = Inbox(world.clock, world.waiting, speed=world.speed)
    signer = VenueSigner(world.wallet, markets=world.markets, clock=world.clock, owner=world.owner, salt=world.salt)
    outbox = Outbox(inbox, signer, names, world)
    loaded = window.events[0]
    assert isinstance(loaded, LedgerLoaded)
    inbox.put(loaded)
    world.attach(inbox, names, loaded, {window.file.market.series})
    world.start_trader()
    nothing = NothingKept()
    script = Script(window)
    await run(cast("Engine", script), inbox, cast("Journal", nothing), cast("Ledger", nothing), outbox)
    script.check_ended()


def _named(step: Step) -> list[Ready]:
    """With ids as long as real ones; signing is no part of keeping."""
    return [
        Ready(command=one, venue_order=VenueOrderId(f"0x{one.order:064x}"))
        if isinstance(one, PlaceOrder)
        else Ready(command=one)
        for one in step.commands
    ]


def _store(ledger: Ledger, journal: Journal, window: Window, readies: list[list[Ready]]) -> None:
    for event, step, ready in zip(window.events, window.steps, readies, strict=True):
        seq = journal.append(event)
        if step is not NOTHING:
            journal.append_step(seq, step.commands, step.notes)
            journal.flush()
            ledger.record(seq, event.at, ready, step.notes)


BENCHMARK = Benchmark(
    name="demo",
    unit="event",
    about="""One recorded 15-minute window as `polystra demo` trades it, from the first row to the settlement: orders,
fills, ledger, journal and the exchange's own log included, start-up and reading the recording not. The parts are run
alone on exactly the same work; what they leave of the whole is opening and closing the journal and the loop itself.""",
    ratios=(
        Ratio("demo.whole_vs_engine", "whole", "engine", "the whole window against the thinking alone"),
        Ratio("demo.engine_vs_whole", "engine", "whole", "the engine's part of the window"),
        Ratio("demo.venue_vs_whole", "venue", "whole", "the part of the simulated venue, with signer, inbox and loop"),
        Ratio("demo.store_vs_whole", "store", "whole", "the part of ledger and journal"),
        Ratio("demo.load_vs_whole", "load", "whole", "reading the recording, which the demo pays once a window"),
    ),
    sides=sides,
)
