"""The unkind venue of `core_venue` that also remembers what it showed and told the trader, and what will fail."""

from __future__ import annotations

from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core.fees import fee_of_fill
from polystra.core.ids import OrderId, TradeId
from polystra.core.terms import Liquidity, OrderTerms, Outcome, Purpose, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, Shares, Usd, cost_of, seconds
from tests.core_ledger import Ledger
from tests.core_lives import Held, Setting
from tests.core_venue import TinyVenue, Truth
from tests.unit.core.samples import CRYPTO, WINDOW

MS = seconds(0.001)


class TellingVenue(TinyVenue):
    """The venue, with what its answers have shown. `shown` is, of each outcome, the most that was ever received as far
    as a reading told; `sold` what really left; `doomed` the trades that will fail."""

    def __init__(self, seed: int, drawn: Setting) -> None:
        super().__init__(seed)
        self.cash = drawn.cash
        self.lag = drawn.lag
        self.sales_fail = drawn.sales_fail
        self.slow = drawn.slow
        self.shown: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self.sold: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self.doomed: dict[TradeId, int] = {}
        self.heard_of: dict[OrderId, Instant] = {}
        self._sold_by: dict[Instant, dict[Outcome, int]] = {}

    def own(self, ledger: Ledger, held: Held, policy_target: OrderTerms | None) -> None:
        """Shares that are there from the start, and perhaps a target of theirs; both as the ledger knows them."""
        order = OrderId(len(self.orders) + 1)
        terms = OrderTerms(
            market=WINDOW.id,
            outcome=held.outcome,
            side=Side.BUY,
            purpose=Purpose.ENTRY,
            price=held.price,
            shares=held.shares,
            time_in_force=TimeInForce.FAK,
        )
        truth = self.orders[order] = Truth(terms)
        truth.landed, truth.matched, truth.spent = True, held.shares, terms.spend
        trade = ev.OrderFilled(
            at=held.bought_at,
            order=order,
            trade=TradeId(f"before {order}"),
            price=held.price,
            shares=held.shares,
            liquidity=Liquidity.TAKER,
            stage=held.stage,
            traded_at=held.bought_at,
        )
        settled = replace(trade, stage=max(held.stage, TradeStage.MINED, key=list(TradeStage).index))
        truth.trades.append(settled)
        self.held[held.outcome] += held.shares
        self.settled[held.outcome] += held.shares
        ledger.remember(order, terms, held.bought_at, ended=True)
        ledger.book(order, 0, trade)
        if policy_target is not None and held.stage.settled:
            resting = OrderId(order + 1)
            again = self.orders[resting] = Truth(policy_target)
            again.landed = again.live = True
            ledger.remember(resting, policy_target, held.bought_at, ended=False)

    # --- what it shows -----------------------------------------------------------------------------------------

    def reading(self, at: Instant) -> ev.SnapshotTaken:
        """The account now; new shares are hidden for a while."""
        hidden = dict.fromkeys(Outcome, 0)
        for truth in self.orders.values():
            if truth.terms.side is Side.BUY:
                late = [one for one in truth.trades if one.traded_at is not None and one.traded_at > at - self.lag]
                hidden[truth.terms.outcome] += sum(one.shares for one in late if one.trade not in self.doomed)
        return ev.SnapshotTaken(
            at=at,
            cash=Usd(self.cash),
            settled=tuple(
                ev.HeldShares(WINDOW.id, outcome, Shares(max(self.settled[outcome] - hidden[outcome], 0)))
                for outcome in Outcome
            ),
            live=tuple(order for order, truth in self.orders.items() if truth.live),
        )

    def _read(self, at: Instant) -> None:
        told_at = Instant(at + 20 * MS)
        self._sold_by[told_at] = dict(self.sold)
        self._later(told_at, self.reading(at))

    def tell(self, event: ev.AnyEvent) -> None:
        """What the trader hears now."""
        if isinstance(event, ev.SnapshotTaken):
            sold = self._sold_by[event.at]
            for held in event.settled:
                self.shown[held.outcome] = max(self.shown[held.outcome], held.shares + sold[held.outcome])
        if isinstance(event, ev.OrderFilled) or (
            isinstance(event, ev.OrderAccepted | ev.OrderCancelled) and event.matched
        ):
            self.heard_of.setdefault(event.order, event.at)

    def restart(self, at: Instant) -> tuple[ev.AnyEvent, ...]:
        """Answers die with the connection; what is read at a start, all trades first."""
        self._due = [one for one in self._due if isinstance(one[2], ev.OrderFilled | ev.OrderCancelled)]
        self._due.sort(key=lambda one: one[:2])
        self.shown = dict.fromkeys(Outcome, 0)
        self._sold_by[at] = dict(self.sold)
        trades = [replace(trade, at=at) for truth in self.orders.values() for trade in truth.trades]
        return (*trades, self.reading(at))

    # --- what happens ------------------------------------------------------------------------------------------

    def _delay(self, at: Instant, most: int = 30) -> Instant:
        soon = super()._delay(at, most)
        return Instant(soon + 4_000 * MS) if self.slow and self._happens(0.1) else soon

    def _sale_fails(self) -> bool:
        return self.sales_fail and self._happens(0.15)

    def _trade(self, at: Instant, order: OrderId, amount: int) -> None:
        before = dict(self.held)
        known = len(self.orders[order].trades)
        super()._trade(at, order, amount)
        for trade in self.orders[order].trades[known:]:
            outcome = self.orders[order].terms.outcome
            if trade.stage is TradeStage.FAILED:
                self.doomed[trade.trade] = cost_of(trade.price, trade.shares)
            elif self.orders[order].terms.side is Side.SELL:
                self.sold[outcome] += before[outcome] - self.held[outcome]

    @property
    def promised(self) -> int:
        """The most that the BUYs which rest, are held or still travel can cost."""
        travelling = {order for _, order in self._travelling}
        open_buys = [
            one
            for order, one in self.orders.items()
            if one.terms.side is Side.BUY and (one.live or (order in travelling and not one.landed))
        ]
        return sum(cost_with_fee(one.terms, one.left) for one in open_buys)

    @property
    def free(self) -> int:
        """Cash less promises. What a sale brought that will fail was counted on in good faith."""
        return self.cash + sum(self.doomed.values()) - self.promised


def cost_with_fee(terms: OrderTerms, left: int) -> int:
    """The most that this many shares of a BUY can cost."""
    taker = terms.time_in_force.immediate
    fee = fee_of_fill(CRYPTO, Side.BUY, Liquidity.TAKER, terms.price, Shares(left)).usd if taker else 0
    return cost_of(terms.price, Shares(left)) + fee
