"""A resting order from its place in the book to its end: what it holds back, and what its owner is told."""

from functools import partial

from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Instant, Shares
from polystra.sim.accounts import Balance
from polystra.sim.floor import Floor
from polystra.sim.messages import OrderChange, OrderUpdated
from polystra.sim.orders import Order
from polystra.sim.records import Account
from polystra.sim.rules import SECOND

CANCELED = "CANCELED"
EXPIRED = "CANCELED_EXPIRED_ORDER"
RESOLVED = "CANCELED_MARKET_RESOLVED"

FILLED = "Order already matched"
"""What a cancel hears of an order that was filled whole."""


def tell(floor: Floor, order: Order, change: OrderChange, status: str) -> None:
    """An update of the order on its owner's stream."""
    floor.out.append(
        OrderUpdated(at=floor.now, account=order.account, change=change, status=status, order=order.shown())
    )


def given(floor: Floor, order: Order) -> Balance:
    """The balance an order draws on: cash for a BUY, its token for a SELL."""
    purse = floor.accounts.purse(order.account)
    return purse.cash if order.side is Side.BUY else purse.token(order.token)


def rest(floor: Floor, order: Order) -> None:
    floor.resting[order.id] = order
    given(floor, order).reserved += order.reserve
    floor.markets[order.market].ladder(order.up_side).join(order)
    if order.time_in_force is TimeInForce.GTD:
        at = Instant(order.expiration * SECOND - floor.rules.gtd_margin)
        floor.set_alarm(at, partial(_expire, floor, order))


def shrink(floor: Floor, order: Order, shares: Shares) -> None:
    """A resting order was served; an empty one leaves."""
    before = order.reserve
    order.remaining = Shares(order.remaining - shares)
    given(floor, order).reserved += order.reserve - before
    ladder = floor.markets[order.market].ladder(order.up_side)
    ladder.touched[order.up_price] = None
    if order.remaining == 0:
        ladder.leave(order)
        del floor.resting[order.id]
        floor.ended[order.id] = (order.account, FILLED)
    tell(floor, order, OrderChange.UPDATE, "LIVE" if order.remaining else "MATCHED")


def end(floor: Floor, order: Order, status: str) -> None:
    """Takes a resting order out of the book and tells its owner why."""
    floor.markets[order.market].ladder(order.up_side).leave(order)
    given(floor, order).reserved -= order.reserve
    del floor.resting[order.id]
    finish(floor, order, status)


def finish(floor: Floor, order: Order, status: str) -> None:
    """What was not matched is gone."""
    order.remaining = Shares(0)
    text = "already canceled or matched" if order.trades else "Order already canceled"
    floor.ended[order.id] = (order.account, text)
    tell(floor, order, OrderChange.CANCELLATION, status)


def orders_of(
    floor: Floor, account: Account, market: MarketId | None = None, token: TokenId | None = None
) -> list[Order]:
    """An account's resting orders, oldest first, of a market and a token where they are given."""
    return [
        order
        for order in floor.resting.values()
        if order.account == account and market in (None, order.market) and token in (None, order.token)
    ]


def _expire(floor: Floor, order: Order, now: Instant) -> None:
    if floor.resting.get(order.id) is order:
        end(floor, order, EXPIRED)
        floor.publish_changes(floor.markets[order.market], now)
