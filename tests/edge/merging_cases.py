"""A ledger whose trades bought pairs, and a deposit wallet at the exchange that holds them."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from polystra.app.merges import knowing
from polystra.app.merging import MergeFate, Merging
from polystra.app.redemption import Redemption
from polystra.core.claims import ClaimStage
from polystra.core.commands import PlaceOrder
from polystra.core.engine import Engine
from polystra.core.events import MergeReported
from polystra.core.ids import OrderId, TradeId, VenueOrderId
from polystra.core.markets import Payout
from polystra.core.notes import FillBooked, MarketFollowed, MarketSettled, OrderMoved, OutsideOrderSeen
from polystra.core.terms import Liquidity, OrderTerms, Outcome, Purpose, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, Nanos, Shares, Usd, price, shares, usd
from polystra.edge.polymarket.relayer import Relayer
from polystra.edge.polymarket.rest import open_rest
from polystra.edge.ready import Ready
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge import redemption_cases as redeemed
from tests.edge.exchange_cases import CONDITION, START, Running
from tests.edge.redemption_cases import A_WHILE, HELD, Lying, Passing, Purse
from tests.edge.relayer_cases import V2_CONDITION, WALLET, with_wallet
from tests.edge.store_cases import HEAD

OLD, NEW = replace(redeemed.OLD, fees=None), replace(redeemed.NEW, fees=None)


class Died(BaseException):
    """The process ends here, and nothing of it is left but its ledger."""


class PairPurse(Purse):
    """10 pairs of a market of each generation, bought for 1 USD each. Each `round` is another life of the process.

    `dies_at` is the stage after which the process ends, once it is written down.
    """

    def __init__(self, running: Running, path: Path) -> None:
        self.running = running
        self.path = path
        self.clock = Passing(running)
        self.lie: str | None = None
        self.deaf = False
        self.dies_at: ClaimStage | None = None
        self.engine: Engine | None = None
        self._orders = 0
        with self.ledger() as ledger:
            ledger.begin_run(START, HEAD, "journal-0001.plj")
            ledger.deposit(START, usd(100), "what the wallet had")
            for market in (OLD, NEW):
                ledger.record(1, START, [], [MarketFollowed(market=market)])
                for outcome in Outcome:
                    self._trade(ledger, market.id, outcome)

    def _trade(self, ledger: Any, market: Any, outcome: Outcome) -> None:
        terms = OrderTerms(
            market=market,
            outcome=outcome,
            side=Side.BUY,
            purpose=Purpose.ENTRY,
            price=price("0.50"),
            shares=shares(10),
            time_in_force=TimeInForce.FAK,
        )
        order = self._placed(ledger, terms, "CANCELLED")
        ledger.record(order + 1, Instant(START + order), [], [_bought(order, market, outcome, shares(10))])

    def _placed(self, ledger: Any, terms: OrderTerms, state: str) -> OrderId:
        self._orders += 1
        order = OrderId(self._orders)
        ready = Ready(command=PlaceOrder(order=order, terms=terms), venue_order=VenueOrderId(f"0x{order}"))
        moved = OrderMoved(order=order, market=terms.market, before="SUBMITTING", after=state, cause="told")
        ledger.record(order + 1, Instant(START + order), [ready], [moved])
        return order

    def bought_by_hand(self, market: Any, count: str) -> None:
        """The person whose wallet it is has as many pairs beside ours, and they are left alone."""
        self.running.feed(sim.Split(account=Account(WALLET), market=market.id, shares=shares(count)))
        with self.ledger() as ledger:
            ledger.begin_run(START, HEAD, "journal-0004.plj")
            for outcome in Outcome:
                self._left_alone(ledger, market.id, outcome, shares(count))

    def _left_alone(self, ledger: Any, market: Any, outcome: Outcome, count: Shares) -> None:
        self._orders += 1
        order, at = OrderId(self._orders), Instant(START + self._orders)
        terms = OrderTerms(
            market=market,
            outcome=outcome,
            side=Side.BUY,
            purpose=Purpose.LEFT_ALONE,
            price=price("0.50"),
            shares=count,
            time_in_force=TimeInForce.GTC,
        )
        seen = OutsideOrderSeen(
            order=order, venue_order=VenueOrderId(f"0xhand{order}"), market=market, terms=terms, traded_at=at
        )
        moved = OrderMoved(order=order, market=market, before="", after="FILLED", cause="not ours")
        ledger.record(order, at, [], [seen, moved, _bought(order, market, outcome, count)])

    def on_sale(self, market: Any, outcome: Outcome, count: str) -> None:
        """A sell of ours rests by the ledger."""
        terms = OrderTerms(
            market=market.id,
            outcome=outcome,
            side=Side.SELL,
            purpose=Purpose.TARGET,
            price=price("0.99"),
            shares=shares(count),
            time_in_force=TimeInForce.GTC,
        )
        with self.ledger() as ledger:
            ledger.begin_run(START, HEAD, "journal-0002.plj")
            self._placed(ledger, terms, "WORKING")

    def settle(self, market: Any) -> None:
        """By the ledger, as a trader books it that holds what it still has."""
        with self.ledger() as ledger:
            (held,) = (one for one in knowing(ledger.load(START)).pairs() if one.market.id == market.id)
            ledger.begin_run(START, HEAD, "journal-0003.plj")
            settled = MarketSettled(
                market=market.id,
                payout=Payout(usd(1)),
                up_shares=held.up,
                down_shares=held.down,
                redeemable=Usd(held.up),
                pnl=Usd(0),
            )
            ledger.record(99, Instant(START + 99), [], [settled])

    def merge(
        self, *, most: int = 9, patience: Nanos = A_WHILE, least: str = "1", only: str | None = None
    ) -> list[tuple[str | None, str]]:
        """How the pairs of each market stand, and why."""
        with self.ledger() as ledger:
            fates = asyncio.run(self._merge(ledger, most, patience, shares(least), only))
        return [(None if fate.stage is None else str(fate.stage), fate.why) for fate in fates]

    async def _merge(
        self, ledger: Any, most: int, patience: Nanos, least: Shares, only: str | None
    ) -> tuple[MergeFate, ...]:
        engine = self.engine = knowing(ledger.load(self.clock.now()))

        def tell(told: MergeReported) -> None:
            if told.stage is self.dies_at:
                raise Died
            engine.handle(told)

        async with open_rest() as honest:
            merging = Merging(ledger, self._relayer(honest), self.clock, engine.pairs, tell)
            return await merging.round(most=most, patience=patience, least=least, only=only)

    def redeem(self) -> list[tuple[str | None, str]]:
        async def all_of_it() -> list[tuple[str | None, str]]:
            async with open_rest() as honest:
                redemption = Redemption(ledger, self._relayer(honest), self.clock, lambda told: None)
                fates = await redemption.round(most=9, patience=A_WHILE)
            return [(None if fate.stage is None else str(fate.stage), fate.why) for fate in fates]

        with self.ledger() as ledger:
            return asyncio.run(all_of_it())

    def _relayer(self, honest: Any) -> Relayer:
        urls = self.running.urls
        rest = honest if self.lie is None else Lying(honest, self.lie, deaf=self.deaf)
        return Relayer(rest, HELD, relayer=urls.relayer, rpc=urls.rpc, api_key="any")

    # --- what became of it

    @property
    def steps(self) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(self.path)) as db:
            names = {OLD.id: "old", NEW.id: "new"}
            return [(names[market], stage) for market, stage in db.execute("SELECT market, stage FROM merge_steps")]

    @property
    def left(self) -> list[int]:
        """Shares by the ledger: Down and Up of each market."""
        with closing(sqlite3.connect(self.path)) as db:
            return [one for (one,) in db.execute("SELECT shares_micro FROM positions ORDER BY market, outcome")]


def _bought(order: OrderId, market: Any, outcome: Outcome, count: Shares) -> FillBooked:
    return FillBooked(
        order=order,
        trade=TradeId(f"t{order}"),
        market=market,
        outcome=outcome,
        side=Side.BUY,
        price=price("0.50"),
        shares=count,
        liquidity=Liquidity.TAKER,
        stage=TradeStage.CONFIRMED,
        fee_usd=Usd(0),
        fee_shares=Shares(0),
        cash=Usd(-count // 2),
        late=False,
    )


def pair_purse(running: Running, path: Path) -> PairPurse:
    with_wallet(running)
    for market in (CONDITION, V2_CONDITION):
        running.feed(sim.Split(account=Account(WALLET), market=market, shares=shares(10)))
    return PairPurse(running, path)
