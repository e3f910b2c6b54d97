"""What the world does to a market (books, trades, grid, close, resolution), and what that means for our orders."""

from functools import partial

from polystra.core.terms import Outcome, Side
from polystra.core.units import MICRO, Instant, Price, Shares
from polystra.sim import fills, life, mishaps, queue, rules
from polystra.sim.floor import Floor
from polystra.sim.markets import Market, MarketState
from polystra.sim.messages import (
    ChangeLevels,
    CloseMarket,
    ListMarket,
    Mishap,
    PrintTrade,
    PublicBook,
    PublicClose,
    PublicResolution,
    PublicTick,
    Publish,
    Resolve,
    SetBook,
    SetTick,
)
from polystra.sim.orders import Order


def list_market(floor: Floor, request: ListMarket, now: Instant) -> None:
    """Raises ValueError for a market or token listed before, and for facts that no market can have."""
    facts = request.market
    rules.check_market(facts)
    if facts.id in floor.markets or facts.up_token in floor.tokens or facts.down_token in floor.tokens:
        raise ValueError(f"market {facts.id}: it or one of its tokens is listed already, list each once")
    market = floor.markets[facts.id] = Market(facts)
    floor.tokens[facts.up_token] = (market, Outcome.UP)
    floor.tokens[facts.down_token] = (market, Outcome.DOWN)


def set_book(floor: Floor, request: SetBook, now: Instant) -> None:
    market = floor.market(request.market)
    market.bids.replace(request.bids)
    market.asks.replace(request.asks)
    _look_across(floor, market, now)


def change_levels(floor: Floor, request: ChangeLevels, now: Instant) -> None:
    market = floor.market(request.market)
    bids, asks = market.bids, market.asks
    for change in request.changes:
        (bids if change.side is Side.BUY else asks).change(change.price, change.size)
    _look_across(floor, market, now)


def print_trade(floor: Floor, request: PrintTrade, now: Instant) -> None:
    """Where the recording does not say who took, our bids at or above the price and our asks at or below it were met:
    with a bid of ours there, nobody could have bought at that price.
    """
    market = floor.market(request.market)
    fills.print_trade(floor, market, request.price, request.size, request.taker)
    if market.state is MarketState.LISTED and market.has_orders:
        for side in Side:
            if request.taker is not side:
                _serve_line(floor, market, side, request.price, request.size)
    floor.publish_changes(market, now)


def set_tick(floor: Floor, request: SetTick, now: Instant) -> None:
    """Raises ValueError for a grid that does not contain the old one."""
    market = floor.market(request.market)
    rules.check_tick(market.facts.id, request.tick)
    if request.tick >= market.tick or market.tick % request.tick:
        raise ValueError(f"{market.facts.id}: tick {request.tick} after {market.tick}, ticks only get finer")
    floor.out.append(PublicTick(at=now, market=market.facts.id, old=market.tick, new=request.tick))
    market.tick = request.tick


def close_market(floor: Floor, request: CloseMarket, now: Instant) -> None:
    """Raises ValueError when it is closed already."""
    market = floor.market(request.market)
    if market.state is not MarketState.LISTED:
        raise ValueError(f"market {request.market} is {market.state.value} already, close it once")
    market.state = MarketState.CLOSED
    floor.out.append(PublicClose(at=now, market=request.market))
    for order in [order for order in floor.resting.values() if order.market == request.market]:
        if late := mishaps.strikes(floor, Mishap.FILL_AFTER_CLOSE, mishaps.of_order(order)):
            floor.set_alarm(Instant(now + late.delay), partial(_serve_late, floor, market, order))


def _serve_late(floor: Floor, market: Market, order: Order, now: Instant) -> None:
    if floor.resting.get(order.id) is order:
        fills.serve(floor, market, order, order.remaining)
        floor.publish_changes(market, now)


def resolve(floor: Floor, request: Resolve, now: Instant) -> None:
    """The book is gone with it. Raises ValueError for a second resolution and for a payout outside 0 to 1."""
    market = floor.market(request.market)
    if market.state is MarketState.RESOLVED or not 0 <= request.up_payout <= MICRO:
        raise ValueError(
            f"market {request.market} is {market.state.value}, up payout {request.up_payout}: "
            "resolve once, with 0 to 1000000 millionths"
        )
    market.state = MarketState.RESOLVED
    market.payout = request.up_payout
    for order in [order for order in floor.resting.values() if order.market == request.market]:
        life.end(floor, order, life.RESOLVED)
    floor.publish_changes(market, now)
    market.forget_books()
    floor.out.append(PublicResolution(at=now, market=request.market, up_payout=request.up_payout))


def publish(floor: Floor, request: Publish, now: Instant) -> None:
    market = floor.market(request.market)
    market.publish(request.on)
    if request.on:
        book = market.book()
        floor.out.append(
            PublicBook(
                at=now,
                market=book.market,
                bids=book.bids,
                asks=book.asks,
                tick=book.tick,
                last_trade=book.last_trade,
            )
        )


# --- our resting orders


def _look_across(floor: Floor, market: Market, now: Instant) -> None:
    if market.has_orders and market.state is MarketState.LISTED:
        for side in Side:
            _sweep(floor, market, side)
    floor.publish_changes(market, now)


def _sweep(floor: Floor, market: Market, side: Side) -> None:
    """Our orders that a newly stated opposite level reaches are served, best first, at their own price."""
    ours, theirs = market.ladder(side), market.ladder(side.other)
    while ours.own:
        price, far = ours.own_best(), theirs.street_best()
        if far > price if side is Side.BUY else far < price:
            return
        order = ours.own[price][0]
        shares = min(order.remaining, theirs.street(far))
        theirs.take(far, shares)
        fills.serve(floor, market, order, shares)
        fills.print_trade(floor, market, price, shares, side.other)


def _serve_line(floor: Floor, market: Market, side: Side, price: Price, size: Shares) -> None:
    """A trade goes to better-priced orders of ours first, then down the line at its own price, up to its size."""
    ladder, left = market.ladder(side), size
    for level in [known for known in ladder.better_or_at(price) if known in ladder.own]:
        orders = tuple(ladder.own[level])
        through = level != price
        served = Shares(0)
        for order, there in list(queue.line(orders, Shares(0) if through else left)):
            part = min(left, there)
            left = Shares(left - part)
            if order is None:
                served = Shares(served + part)
            elif part:
                fills.serve(floor, market, order, part)
        queue.step_forward(orders, served)
        if through:
            queue.cap(orders, Shares(0))
