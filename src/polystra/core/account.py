"""Adds up cash, what is reserved of it, and what is at stake, over all markets."""

from collections.abc import Iterable

from msgspec import Struct

from polystra.core.fees import FeeSchedule, worst_fee
from polystra.core.orders import Order
from polystra.core.positions import MarketPosition
from polystra.core.terms import Side
from polystra.core.units import Instant, Usd, cost_of


class Account(Struct, frozen=True, gc=False, kw_only=True):
    """The whole account as risk sees it. Redeemable value is shown, never spendable. `allowance` is what the exchange's
    contract may take of the cash, None where nobody says."""

    cash: Usd
    reserved: Usd
    at_stake: Usd
    open_positions: int
    redeemable: Usd
    realised_today: Usd
    allowance: Usd | None = None

    @property
    def free(self) -> Usd:
        """Cash that no live order may still spend."""
        return Usd(self.cash - self.reserved)


class Equity(Struct, frozen=True, gc=False, kw_only=True):
    """What everything is worth. What is held is valued at the bid that is known last (`at_bid`), the oldest of them of
    `priced_at`; where nobody knows one, at what it cost, fees included (`at_cost`): that is no price."""

    cash: Usd
    at_bid: Usd = Usd(0)
    at_cost: Usd = Usd(0)
    redeemable: Usd = Usd(0)
    priced_at: Instant | None = None

    @property
    def total(self) -> Usd:
        return Usd(self.cash + self.at_bid + self.at_cost + self.redeemable)


def reserved_by(orders: Iterable[Order], fees: FeeSchedule | None) -> Usd:
    """The most that live BUY orders can still cost, fees included; an unknown order counts as live."""
    return Usd(sum(reserve_of(order, fees) for order in orders))


def reserve_of(order: Order, fees: FeeSchedule | None) -> Usd:
    """One order's part of `reserved_by`.

    What an answer said was matched but no trade has shown yet is still unpaid in our cash, so it stays reserved too.
    """
    terms, live = order.terms, order.live
    if terms.side is Side.SELL or not (live or order.awaited):
        return Usd(0)
    left = max(terms.spend - order.spent, 0) if live else cost_of(terms.price, order.awaited)
    return Usd(left + (worst_fee(fees, terms) if fees is not None else 0))


def stake_of(position: MarketPosition) -> Usd:
    """What a market can still lose: the cost of what is held there."""
    return Usd(position.up.cost + position.down.cost)
