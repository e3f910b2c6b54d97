"""Makes trades out of meetings: two legs, the orders that shrink, and everybody told."""

from polystra.core.ids import VenueOrderId
from polystra.core.terms import Side
from polystra.core.units import Nanos, Price, Shares, Usd, cost_of, mirror
from polystra.sim import life, mishaps, settlement
from polystra.sim.fees import charged
from polystra.sim.floor import Floor
from polystra.sim.markets import Market
from polystra.sim.matching import Meeting
from polystra.sim.messages import Mishap, PublicTrade
from polystra.sim.orders import Order
from polystra.sim.records import STREET, Leg, Trade

DUST = Shares(10_000)
"""By how much a fill may miss what an order asked for and still be told as whole: a hundredth of a share."""

_NO_FEE = (Usd(0), Shares(0))


def meet(floor: Floor, market: Market, taker: Order, meeting: Meeting) -> None:
    """An order of ours takes from a resting one, or from the background."""
    maker, shares = meeting.maker, meeting.shares
    fee = charged(market.facts, taker.side, taker.own_price(meeting.price), shares)
    taking = _leg(taker, meeting.price, shares, fee)
    making = _street_leg(floor, market, taking) if maker is None else _leg(maker, meeting.price, shares)
    trade = settlement.record(floor, market, taking, making)
    _credit(floor, taker, trade, shares)
    if maker is None:
        market.ladder(taker.up_side.other).take(meeting.price, shares)
    else:
        _credit(floor, maker, trade, shares)
        life.shrink(floor, maker, shares)
    print_trade(floor, market, meeting.price, shares, taker.up_side)


def serve(floor: Floor, market: Market, maker: Order, shares: Shares) -> None:
    """Somebody of the street takes a resting order of ours, at its price."""
    whole, asked = shares == maker.remaining, mishaps.of_order(maker)
    short = whole and shares > DUST and mishaps.strikes(floor, Mishap.FILL_SHORT, asked) is not None
    left_out = DUST if short else Shares(0)
    shares = Shares(shares - left_out)
    making = _leg(maker, maker.up_price, shares)
    trade = settlement.record(floor, market, _street_leg(floor, market, making), making)
    _credit(floor, maker, trade, shares)
    life.shrink(floor, maker, Shares(shares + left_out))


def serve_unheard(floor: Floor, market: Market, maker: Order, delay: Nanos) -> None:
    """Somebody took all of a resting order; its owner hears that it was cancelled, and of the trade so much later."""
    making = _leg(maker, maker.up_price, maker.remaining)
    life.end(floor, maker, life.CANCELED)
    trade = settlement.record(floor, market, _street_leg(floor, market, making), making, delay)
    if not delay:
        settlement.announce(floor, trade, maker.account)


def print_trade(floor: Floor, market: Market, price: Price, shares: Shares, taker: Side | None) -> None:
    market.last_trade = price
    if market.published:
        floor.out.append(PublicTrade(at=floor.now, market=market.facts.id, price=price, size=shares, taker=taker))


def _credit(floor: Floor, order: Order, trade: Trade, shares: Shares) -> None:
    order.matched = Shares(order.matched + shares)
    order.trades += (trade.id,)
    settlement.announce(floor, trade, order.account)


def _leg(order: Order, up_price: Price, shares: Shares, fee: tuple[Usd, Shares] = _NO_FEE) -> Leg:
    price = order.own_price(up_price)
    return Leg(
        account=order.account,
        order=order.id,
        token=order.token,
        outcome=order.outcome,
        side=order.side,
        price=price,
        shares=shares,
        cash=cost_of(price, shares),
        fee=fee[0],
        fee_shares=fee[1],
    )


def _street_leg(floor: Floor, market: Market, ours: Leg) -> Leg:
    """The street across from us: on the same outcome, or (mint or merge) on the other one at the mirrored price."""
    crossed = floor.rng.random() < floor.rules.cross_rate
    if not crossed and floor.mishaps:
        concerned = (ours.account, market.facts.id, ours.token, ours.order, ours.side)
        crossed = mishaps.strikes(floor, Mishap.TRADE_CROSSED, concerned) is not None
    outcome = ours.outcome.other if crossed else ours.outcome
    price = mirror(ours.price) if crossed else ours.price
    return Leg(
        account=STREET,
        order=VenueOrderId(f"0x{floor.new_digits()}"),
        token=market.facts.token(outcome),
        outcome=outcome,
        side=ours.side if crossed else ours.side.other,
        price=price,
        shares=ours.shares,
        cash=cost_of(price, ours.shares),
    )
