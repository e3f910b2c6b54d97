"""What an order finds other than it looked: less in the book than there was, or a speck more or less in its fill."""

from msgspec.structs import replace

from polystra.core.terms import Side
from polystra.core.units import SIZE_STEP, Shares
from polystra.sim import life, mishaps
from polystra.sim.fills import DUST
from polystra.sim.floor import Floor
from polystra.sim.markets import Market
from polystra.sim.matching import Plan, plan
from polystra.sim.messages import Mishap
from polystra.sim.orders import Order


def thin_out(floor: Floor, market: Market, order: Order) -> None:
    """Somebody was faster: half or all of the background in the way of an order is gone."""
    if not market.crosses(order):
        return
    if mishaps.strikes(floor, Mishap.BOOK_EMPTIED, mishaps.of_order(order)):
        _leave(market, order, Shares(0))
    elif mishaps.strikes(floor, Mishap.BOOK_THINNED, mishaps.of_order(order)):
        half = plan(market, order).shares // 2
        _leave(market, order, Shares(half - half % SIZE_STEP))


def _leave(market: Market, order: Order, left: Shares) -> None:
    ladder = market.ladder(order.up_side.other)
    for price in ladder.better_or_at(order.up_price):
        there = ladder.street(price)
        kept = min(there, left)
        left = Shares(left - kept)
        if there > kept:
            ladder.take(price, Shares(there - kept))


def dusted(floor: Floor, market: Market, order: Order, met: Plan) -> Plan:
    """A whole fill that misses its size by a hundredth of a share, where book and balance have it."""
    if not (floor.mishaps and met.whole and met.meetings):
        return met
    last = met.meetings[-1]
    if last.shares > DUST and mishaps.strikes(floor, Mishap.FILL_SHORT, mishaps.of_order(order)):
        return _ended(met, Shares(last.shares - DUST))
    over = _ended(met, Shares(last.shares + DUST))
    if last.maker is None and market.ladder(order.up_side.other).street(last.price) >= last.shares + DUST:
        needed = over.shares if order.side is Side.SELL else over.cash(order) + over.fees(order, market)
        enough = life.given(floor, order).free >= needed
        if enough and mishaps.strikes(floor, Mishap.FILL_OVER, mishaps.of_order(order)):
            return over
    return met


def _ended(met: Plan, shares: Shares) -> Plan:
    return replace(met, meetings=[*met.meetings[:-1], replace(met.meetings[-1], shares=shares)])
