"""Builds a trader and lets it trade. A start is a recovery: ledger facts, the venue's reading, then `Started`."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from polystra import __version__
from polystra.app.inbox import Inbox
from polystra.app.outbox import OrderNames, Outbox
from polystra.app.paper_signer import PaperSigner
from polystra.app.runtime import Listener, run, silent
from polystra.app.settings import Settings, strategy_digest
from polystra.app.world import TRADER, World
from polystra.core.engine import Engine
from polystra.core.markets import Series
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.strategy import Strategy
from polystra.edge.clock import WallClock
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
from polystra.edge.store.journal import Journal, JournalHead, digest
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.migrations import migrate

LEDGER = "ledger.sqlite"
EXCHANGE_LOG = "exchange.jsonl"


def build_engine(settings: Settings, series: Iterable[Series], strategy: Strategy | None = None) -> Engine:
    """The engine that these settings ask for, its strategy, or the one given instead, on each of these series."""
    strategy = strategy or settings.chosen_strategy
    return Engine(settings.rules, dict.fromkeys(series, strategy), StandAside(settings.exit_policy))


class Trader:
    """One life of the trading process on a folder that holds its ledger and journals. A context manager."""

    def __init__(
        self, folder: Path, settings: Settings, *, seed: int, tape_digest: str = "", strategy: Strategy | None = None
    ) -> None:
        """Opens and migrates the ledger; raises the named errors of `edge.store`."""
        self._settings = settings
        self._seed = seed
        self._strategy = strategy or settings.chosen_strategy
        database = open_database(folder / LEDGER, durable=Durability.NORMAL)
        try:
            migrate(database, WallClock().now())
            self.ledger = Ledger(database)
        except BaseException:
            database.close()
            raise
        self._head = JournalHead(
            version=__version__,
            mode="simulation",
            strategy=self._strategy.name,
            seed=seed,
            settings_digest=settings.digest,
            strategy_digest=strategy_digest(self._strategy),
            tape_digest=tape_digest,
            settings=settings.model_dump_json(),
        )
        lives = len(list(folder.glob("journal-*.plj")))
        self.journal_path = folder / f"journal-{lives + 1:04}.plj"

    async def trade(self, world: World, series: Iterable[Series], tell: Listener = silent) -> None:
        """Recover, start, and trade until the world ends."""
        ledger, at = self.ledger, world.clock.now()
        with ledger.unit():
            if ledger.begin_run(at, self._head, self.journal_path.name) == 1:
                ledger.deposit(at, world.opening_cash, "opening balance, read from the venue")
        names = OrderNames(ledger.venue_orders())
        inbox = Inbox(world.clock, world.wait)
        engine = build_engine(self._settings, series, self._strategy)
        with Journal(self.journal_path, self._head) as journal:
            outbox = Outbox(inbox, PaperSigner(TRADER, self._seed), names, world)
            inbox.put(ledger.load(at))
            world.attach(inbox, names)
            world.start_trader()
            await run(engine, inbox, journal, ledger, outbox, tell)
        ledger.end_run(world.clock.now(), digest(self.journal_path))

    def close(self) -> None:
        self.ledger.close()

    def __enter__(self) -> "Trader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
