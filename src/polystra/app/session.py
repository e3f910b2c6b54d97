"""Builds a trader and lets it trade. A start is a recovery: ledger facts, the venue's reading, then `Started`."""

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from polystra import __version__
from polystra.app.inbox import Inbox, Waiting
from polystra.app.kill_switch import KillSwitch, Watch
from polystra.app.merging import Books, Merging
from polystra.app.merging import Tell as TellMerge
from polystra.app.outbox import OrderNames, Outbox, Venue
from polystra.app.redemption import Redemption, Tell
from polystra.app.runtime import Listener, run, silent
from polystra.app.settings import Settings, strategy_digest
from polystra.app.venue_signer import VenueSigner
from polystra.core.engine import NOTHING, Engine
from polystra.core.events import LedgerLoaded
from polystra.core.ids import MarketId, OrderId
from polystra.core.markets import Market, Series
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.strategy import Strategy
from polystra.core.units import Usd, seconds, shares
from polystra.edge.clock import Clock, WallClock
from polystra.edge.polymarket.relayer import CannotRedeem
from polystra.edge.polymarket.wallet import Wallet
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


class FarEnd(Venue, Protocol):
    """What stands at the far end of inbox and outbox: the venue over its wire, or a pretend one in this process.

    `markets` are those that were told, `owner` the API key that posts, `opening_cash` what the account shows before it
    trades for the first time.
    """

    @property
    def clock(self) -> Clock: ...

    @property
    def markets(self) -> Mapping[MarketId, Market]: ...

    @property
    def wallet(self) -> Wallet: ...

    @property
    def owner(self) -> str: ...

    @property
    def opening_cash(self) -> Usd: ...

    def salt(self, order: OrderId) -> int:
        """What makes an order another one than every other, of at most 53 bits."""

    @property
    def speed(self) -> float:
        """How fast the clock runs beside the machine's, where time passes by the machine's."""

    @property
    def waiting(self) -> Waiting | None:
        """How time passes while the trader has nothing to do; None for the wall clock's way."""

    async def cancel_everything(self) -> str | None:
        """Take back every live order of the account; None when the venue says that it did, else why not."""

    async def linger(self) -> None:
        """Long enough for the streams to tell of what was just done."""

    def redemption(self, ledger: Ledger, tell: Tell) -> Redemption | None:
        """What redeems this ledger's claims for the wallet; None where nobody does."""

    def merging(self, ledger: Ledger, books: Books, tell: TellMerge) -> Merging | None:
        """What merges pairs for the wallet; None where nobody does."""

    def attach(self, inbox: Inbox, names: OrderNames, loaded: LedgerLoaded, series: Collection[Series]) -> None:
        """Put a trader in front that knows what `loaded` says."""

    def start_trader(self) -> None:
        """Read the account once, and say `Started` when the reading has arrived."""


class Trader:
    """One life of the trading process on a folder that holds its ledger and journals. A context manager."""

    def __init__(
        self, folder: Path, settings: Settings, *, seed: int, tape_digest: str = "", strategy: Strategy | None = None
    ) -> None:
        """Opens and migrates the ledger; raises the named errors of `edge.store`."""
        self._settings = settings
        self._seed = seed
        self._switch = KillSwitch(folder)
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

    async def trade(
        self,
        far: FarEnd,
        series: Collection[Series],
        tell: Listener = silent,
        *,
        stopped: asyncio.Event | None = None,
    ) -> None:
        """Recover, start, and trade until `stopped`, or until the far end has no more to tell.

        Raises `CannotRedeem` when redemption or merging is enabled and nobody redeems for this wallet.
        """
        ledger, at = self.ledger, far.clock.now()
        with ledger.unit():
            if ledger.begin_run(at, self._head, self.journal_path.name) == 1:
                ledger.deposit(at, far.opening_cash, "opening balance, read from the venue")
        names = OrderNames(ledger.venue_orders())
        inbox = Inbox(far.clock, far.waiting, speed=far.speed)
        engine = build_engine(self._settings, series, self._strategy)
        redeeming = self._redeeming(far, inbox, engine)
        signer = VenueSigner(far.wallet, markets=far.markets, clock=far.clock, owner=far.owner, salt=far.salt)
        outbox = Outbox(inbox, signer, names, far, self._switch)
        with Journal(self.journal_path, self._head) as journal:
            loaded = ledger.load(at)
            inbox.put(loaded)
            tell(loaded, NOTHING)
            watch = Watch(self._switch, inbox.put, loaded.state)
            watch.look()
            far.attach(inbox, names, loaded, series)
            far.start_trader()
            beside = [asyncio.create_task(one) for one in (watch.keep_looking(), *redeeming)]
            if stopped is not None:
                beside.append(asyncio.create_task(self._stop(stopped, far, inbox, outbox)))
            try:
                await run(engine, inbox, journal, ledger, outbox, tell)
            finally:
                for task in beside:
                    task.cancel()
        ledger.end_run(far.clock.now(), digest(self.journal_path))

    def _redeeming(self, far: FarEnd, inbox: Inbox, engine: Engine) -> Sequence[Coroutine[Any, Any, None]]:
        """The jobs that redeem and merge, where they are wanted; they take turns and share one budget. A merge whose
        end nobody knows is asked after in any case. Raises `CannotRedeem`."""
        redeeming, merging = self._settings.redemption, self._settings.merging
        jobs: list[Coroutine[Any, Any, None]] = []
        turn, budget = asyncio.Lock(), redeeming.max_batches_per_day
        redeems = far.redemption(self.ledger, inbox.put) if redeeming.enabled else None
        open_merges = bool(self.ledger.merges_on_their_way())
        books: Books = lambda: engine.pairs() if engine.awake else None  # noqa: E731
        merges = far.merging(self.ledger, books, inbox.put) if merging.enabled or open_merges else None
        for name, wanted, found in (("redemption", redeeming, redeems), ("merging", merging, merges)):
            if wanted.enabled and found is None:
                raise CannotRedeem(
                    f"{name}.enabled = true: nobody redeems for this wallet here; it takes a deposit wallet (signature "
                    "type 3) and a relayer, or enabled = false"
                )
        if redeems is not None:
            jobs.append(redeems.go_on(every=seconds(redeeming.every_seconds), most_a_day=budget, turn=turn))
        if merges is not None:
            most, least = budget if merging.enabled else 0, shares(merging.min_pairs)
            jobs.append(merges.go_on(every=seconds(merging.every_seconds), most_a_day=most, least=least, turn=turn))
        return jobs

    async def _stop(self, stopped: asyncio.Event, far: FarEnd, inbox: Inbox, outbox: Outbox) -> None:
        """Places nothing more, takes back what rests unless it is to be kept, and ends the loop. What the venue did not
        confirm by then is found out at the next start."""
        await stopped.wait()
        outbox.stop("the trader is being stopped")
        if self._settings.venue.orders_at_stop == "cancel":
            await far.cancel_everything()
            await far.linger()
        inbox.close()

    def close(self) -> None:
        self.ledger.close()

    def __enter__(self) -> "Trader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
