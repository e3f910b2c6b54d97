"""A ledger with settled markets, and a deposit wallet at the exchange that holds what they pay for."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from polystra.app.redemption import Fate, Redemption
from polystra.core.events import ClaimReported
from polystra.core.ids import MarketId
from polystra.core.markets import Generation, Payout
from polystra.core.notes import MarketFollowed, MarketSettled
from polystra.core.units import Instant, Nanos, Usd, seconds, shares, usd
from polystra.edge.polymarket.relayer import Relayer
from polystra.edge.polymarket.rest import Answer, Asking, Reply, open_rest
from polystra.edge.polymarket.wallet import SignatureType, Wallet
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.migrations import migrate
from polystra.exchange.faults import Fault, Switch
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.exchange_cases import CONDITION, DOWN, START, UP, Running
from tests.edge.relayer_cases import KEY, V2_CONDITION, V2_DOWN, V2_UP, WALLET, with_wallet
from tests.edge.store_cases import HEAD, window
from tests.edge.test_exchange_relayer import held

OLD = replace(window(1, start=START), id=CONDITION, up_token=UP, down_token=DOWN)
NEW = replace(
    window(2, start=START), id=V2_CONDITION, up_token=V2_UP, down_token=V2_DOWN, generation=Generation.PROTOCOL_V2
)
HELD = Wallet(key=KEY, kind=SignatureType.POLY_1271, funder=WALLET)
SUBMIT = "POST /relayer/submit"
AT_ONCE = Nanos(0)
A_WHILE = seconds(30)


class Passing:
    """The exchange's clock; whoever waits for a moment makes it come."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def now(self) -> Instant:
        return self._running.on_loop(self._running.venue.now)

    async def until(self, instant: Instant) -> None:
        left = instant - self.now()
        if left > 0:
            await asyncio.to_thread(self._running.control, "POST", "/time", {"by": left})


class Lying:
    """The wire, but for a relayer that takes transactions without running them where it is `deaf`, and says of each
    what `says` is."""

    def __init__(self, honest: Asking, says: str, *, deaf: bool) -> None:
        self._honest = honest
        self._says = says
        self._deaf = deaf

    async def ask(self, method: str, url: str, **more: Any) -> Answer:
        if self._deaf and url.endswith("/submit"):
            return Reply(200, b'{"transactionID":"5a5a-5a","state":"STATE_NEW"}')
        if method == "GET" and not url.endswith("/params"):
            return Reply(200, b'{"state":"%s","error_msg":"given up"}' % self._says.encode())
        return await self._honest.ask(method, url, **more)


class Purse:
    """A ledger at `path` and the wallet of its claims. Each `round` is another life of the process."""

    def __init__(self, running: Running, path: Path) -> None:
        self.running = running
        self.path = path
        self.clock = Passing(running)
        self.told: list[ClaimReported] = []
        self.lie: str | None = None
        self.deaf = False
        with self.ledger() as ledger:
            ledger.begin_run(START, HEAD, "journal-0001.plj")
            ledger.deposit(START, usd(80), "what the wallet has after it split 10 pairs of each market")
            for seq, market in enumerate((OLD, NEW), start=1):
                settled = MarketSettled(
                    market=market.id,
                    payout=Payout(usd(1)),
                    up_shares=shares(10),
                    down_shares=shares(10),
                    redeemable=usd(10),
                    pnl=Usd(0),
                )
                ledger.record(seq, Instant(START + seq), [], [MarketFollowed(market=market), settled])

    def ledger(self) -> Ledger:
        database = open_database(self.path, durable=Durability.NORMAL)
        migrate(database, START)
        return Ledger(database)

    def round(self, *, most: int = 9, patience: Nanos = A_WHILE) -> list[tuple[str | None, str]]:
        """How each claim stands, oldest first by what was done, and why."""
        with self.ledger() as ledger:
            fates = asyncio.run(self._round(ledger, most, patience))
        return [(None if fate.stage is None else str(fate.stage), fate.why) for fate in fates]

    async def _round(self, ledger: Ledger, most: int, patience: Nanos) -> tuple[Fate, ...]:
        urls = self.running.urls
        async with open_rest() as honest:
            rest = honest if self.lie is None else Lying(honest, self.lie, deaf=self.deaf)
            relayer = Relayer(rest, HELD, relayer=urls.relayer, rpc=urls.rpc, api_key="any")
            redemption = Redemption(ledger, relayer, self.clock, self.told.append)
            return await redemption.round(most=most, patience=patience)

    # --- what became of it

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Every step of every claim, in the order written down."""
        with closing(sqlite3.connect(self.path)) as db:
            names = {OLD.id: "old", NEW.id: "new"}
            return [(names[market], stage) for market, stage in db.execute("SELECT market, stage FROM claim_steps")]

    @property
    def cash(self) -> Usd:
        """By the ledger."""
        with self.ledger() as ledger:
            return ledger.load(START).cash

    @property
    def really(self) -> int:
        """Cash of the wallet, by the exchange's truth."""
        return held(self.running, WALLET)[0]

    @property
    def batches(self) -> int:
        """How many the wallet ever ran."""
        return self.running.venue.members.nonce(KEY.address)

    # --- what happens

    def resolve(self, *markets: MarketId) -> None:
        for market in markets or (CONDITION, V2_CONDITION):
            self.running.feed(sim.CloseMarket(market=market), sim.Resolve(market=market, up_payout=usd(1)))

    def fail(self, fault: Fault, where: str = SUBMIT, *, times: int | None = 1, http: int = 500) -> None:
        self.running.faults.switch_on(Switch(fault=fault, where=where, times=times, http=http))

    def hits(self, fault: Fault) -> int:
        return self.running.faults.hits[fault]

    def pass_by(self, count: float) -> None:
        self.running.control("POST", "/time", {"by": seconds(count)})


def purse(running: Running, path: Path) -> Purse:
    """80 USD, and 10 pairs of a market of each generation; nothing is resolved yet."""
    with_wallet(running)
    for market in (CONDITION, V2_CONDITION):
        running.feed(sim.Split(account=Account(WALLET), market=market, shares=shares(10)))
    return Purse(running, path)
