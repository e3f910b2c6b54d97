"""Folds fills and settlement into holdings and profit.

There is no stored position: a `Holding` is what the fills of a market, and the adjustments a person can read in the
ledger, add up to. Cost is averaged; every micro-unit that leaves the cost goes into the realised profit, so holdings
and cash always add up exactly.
"""

from collections.abc import Callable, Iterable
from functools import partial
from operator import itemgetter

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.markets import Payout
from polystra.core.orders import Fill, Order
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import MICRO, Instant, Price, Shares, Usd


class Adjustment(Struct, frozen=True, gc=False, kw_only=True):
    """Shares that the venue does not have although our fills say so, booked in the open."""

    outcome: Outcome
    shares: Shares
    at: Instant


class Merged(Struct, frozen=True, gc=False, kw_only=True):
    """Pairs that were merged: as many shares of each outcome became 1 USD a pair."""

    pairs: Shares
    at: Instant


class Holding(Struct, frozen=True, gc=False, kw_only=True):
    """What we hold of one outcome.

    `shares` counts every trade that did not fail; `settled` only what has reached the chain and is not sold: the most
    that may be offered. `cost` is what the shares held cost, fees included, and `paid` without them; `realised` is
    what sales and merges brought beyond the cost. `opened_at` is the first purchase since it was last flat. `adopted`
    of the shares were bought outside; `left_alone` are in the wallet beside them, bought outside and no part of
    anything here.
    """

    outcome: Outcome
    shares: Shares = Shares(0)
    settled: Shares = Shares(0)
    cost: Usd = Usd(0)
    paid: Usd = Usd(0)
    realised: Usd = Usd(0)
    fees: Usd = Usd(0)
    bought: Shares = Shares(0)
    adopted: Shares = Shares(0)
    left_alone: Shares = Shares(0)
    opened_at: Instant | None = None

    @property
    def entry_price(self) -> Price | None:
        """The average price of the shares held, without fees; None when nothing is held."""
        return Price(self.paid * MICRO // self.shares) if self.shares > 0 else None


class MarketPosition(Struct, frozen=True, gc=False):
    """Both outcomes of one market. An equal number of Up and Down is worth 1 USD a pair whatever happens."""

    up: Holding
    down: Holding

    def of(self, outcome: Outcome) -> Holding:
        return self.up if outcome is Outcome.UP else self.down

    @property
    def locked(self) -> Shares:
        return min(self.up.shares, self.down.shares)

    @property
    def flat(self) -> bool:
        return not self.up.shares and not self.down.shares

    @property
    def realised(self) -> Usd:
        """What sales and merges of both outcomes brought beyond their cost."""
        return Usd(self.up.realised + self.down.realised)

    def redeemable(self, payout: Payout) -> Usd:
        """What the shares held can be claimed for."""
        return Usd(sum(one.shares * payout.of(one.outcome) // MICRO for one in (self.up, self.down)))

    def pnl(self, payout: Payout) -> Usd:
        """Everything the market brought: sales, fees, and the claim on what is still held."""
        paid = self.up.cost + self.down.cost
        return Usd(self.realised + self.redeemable(payout) - paid)


_AFTER_ORDERS = 2**63

FLAT = MarketPosition(Holding(outcome=Outcome.UP), Holding(outcome=Outcome.DOWN))


def position_of(
    orders: Iterable[Order], adjustments: Iterable[Adjustment] = (), merges: Iterable[Merged] = ()
) -> MarketPosition:
    """Fold all trades of a market's orders, its adjustments and its merges, in the order they happened, into its
    position.

    What happened at the same time goes by the orders' numbers, adjustments and then merges last.
    """
    tallies = {outcome: _Tally(outcome) for outcome in Outcome}
    moves: list[tuple[Instant, int, Callable[[], None]]] = []
    for order in orders:
        tally = tallies[order.terms.outcome]
        move = tally.buy if order.terms.side is Side.BUY else tally.sell
        purpose = order.terms.purpose
        moves.extend((fill.at, order.id, partial(move, fill, purpose)) for fill in order.fills if fill.counts)
    moves.extend((one.at, _AFTER_ORDERS, partial(tallies[one.outcome].adjust, one.shares)) for one in adjustments)
    for merged in merges:
        half = merged.pairs // 2
        moves.append((merged.at, _AFTER_ORDERS, partial(tallies[Outcome.UP].merge, merged.pairs, half)))
        rest = merged.pairs - half
        moves.append((merged.at, _AFTER_ORDERS, partial(tallies[Outcome.DOWN].merge, merged.pairs, rest)))
    for _, _, book in sorted(moves, key=itemgetter(0, 1)):
        book()
    return MarketPosition(tallies[Outcome.UP].holding(), tallies[Outcome.DOWN].holding())


class _Tally:
    """One outcome while it is being added up."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.shares = self.settled = self.cost = self.paid = self.realised = self.fees = self.bought = 0
        self.adopted = self.left_alone = 0
        self.opened_at: Instant | None = None

    def buy(self, fill: Fill, purpose: Purpose) -> None:
        received = fill.shares - fill.fee_shares
        if purpose is Purpose.LEFT_ALONE:
            self.left_alone += received
            return
        if self.shares <= 0:
            self.opened_at = fill.at
        self.shares += received
        self.bought += received
        self.adopted += 0 if purpose.ours else received
        self.settled += received if fill.stage.settled else 0
        self.paid += fill.value
        self.cost += fill.value + fill.fee_usd
        self.fees += fill.fee_usd

    def sell(self, fill: Fill, purpose: Purpose) -> None:
        """A sale outside takes what was left alone first, then what was adopted; one of ours takes our own first."""
        if not purpose.ours:
            beyond = self._beyond_left_alone(fill.shares)
            fill = replace(fill, shares=beyond, fee_usd=Usd(fill.fee_usd * beyond // fill.shares))
            self.adopted = max(self.adopted - beyond, 0)
        if fill.shares:
            self._leave(fill.shares, fill.cash(Side.SELL))
            self.fees += fill.fee_usd

    def merge(self, pairs: Shares, brings: int) -> None:
        """One outcome's part in a merge: of the dollar that a pair brings each outcome is credited one half."""
        self._leave(pairs, brings)

    def _beyond_left_alone(self, leaving: int) -> Shares:
        """Take what leaves from the shares left alone, as far as they go; the rest of it."""
        taken = min(self.left_alone, leaving)
        self.left_alone -= taken
        return Shares(leaving - taken)

    def _leave(self, shares: Shares, brings: int) -> None:
        """Shares leave with their average cost; the last ones take whatever cost is left."""
        cost, paid = self.cost, self.paid
        if shares < self.shares:
            cost, paid = cost * shares // self.shares, paid * shares // self.shares
        self.shares -= shares
        self.settled -= shares
        self.cost -= cost
        self.paid -= paid
        self.realised += brings - cost
        self.adopted = max(min(self.adopted, self.shares), 0)

    def adjust(self, shares: Shares) -> None:
        """Shares that vanished leave without their cost: what they cost is lost, and shows as such (SPEC S28.A3)."""
        if shares < 0:
            shares = Shares(-self._beyond_left_alone(-shares))
        self.shares += shares
        self.settled += shares
        self.adopted = max(min(self.adopted, self.shares), 0)

    def holding(self) -> Holding:
        return Holding(
            outcome=self.outcome,
            shares=Shares(self.shares),
            settled=Shares(self.settled),
            cost=Usd(self.cost),
            paid=Usd(self.paid),
            realised=Usd(self.realised),
            fees=Usd(self.fees),
            bought=Shares(self.bought),
            adopted=Shares(self.adopted),
            left_alone=Shares(self.left_alone),
            opened_at=self.opened_at,
        )
