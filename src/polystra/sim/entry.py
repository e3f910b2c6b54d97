"""How an order gets in: checked, perhaps held, matched, and what is left rested or killed."""

from functools import partial

from polystra.core.ids import VenueOrderId
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import MICRO, Instant, Nanos, Shares, Usd
from polystra.sim import fills, heartbeat, life, mishaps, payouts, rules, scarcity
from polystra.sim.floor import Floor
from polystra.sim.markets import Market, MarketState
from polystra.sim.matching import Plan, plan
from polystra.sim.messages import Mishap, OrderAccepted, OrderAnswer, OrderChange, OrderRejected, Restriction, Submit
from polystra.sim.orders import Order
from polystra.sim.records import Account
from polystra.sim.rules import Refusal


def submit(floor: Floor, request: Submit, now: Instant) -> None:
    order = _admit(floor, request, now)
    if isinstance(order, Refusal):
        _reject(floor, request.account, request.order, order)
        return
    market = floor.markets[order.market]
    crosses = market.crosses(order)
    delayed = mishaps.strikes(floor, Mishap.ORDER_DELAYED, mishaps.of_order(order)) if crosses else None
    if delayed:
        _hold(floor, market, order, delayed.delay)
        _accept_delayed(floor, order)
    elif market.facts.taker_hold and crosses:
        _hold(floor, market, order, market.facts.taker_hold)
        if market.facts.answers_delayed:
            _accept_delayed(floor, order)
    else:
        _match(floor, market, order)
    floor.publish_changes(market, now)


def _reject(floor: Floor, account: Account, order: VenueOrderId, why: Refusal) -> None:
    floor.out.append(
        OrderRejected(
            at=floor.now,
            account=account,
            order=order,
            http=why.http,
            text=why.text,
            code=why.code,
            retry_after=why.retry_after,
        )
    )


# --- the checks on arrival


def _admit(floor: Floor, request: Submit, now: Instant) -> Order | Refusal:
    known = floor.tokens.get(request.token)
    refusal = _barred(floor, known[0] if known else None, request, now) or rules.payload_refusal(request)
    if known is None or refusal:
        return refusal or rules.NO_BOOK
    market, outcome = known
    price = rules.limit_price(request, market.tick)
    if isinstance(price, Refusal):
        return price
    refusal = (
        rules.decimals_refusal(request, market.tick)
        or rules.size_refusal(request, market.facts.min_shares)
        or rules.expiration_refusal(request, floor.rules, now)
    )
    if refusal:
        return refusal
    order = Order(
        id=request.order,
        account=request.account,
        market=market.facts.id,
        token=request.token,
        outcome=outcome,
        side=request.side,
        price=price,
        size=Shares(rules.shares_of(request)),
        remaining=Shares(rules.shares_of(request)),
        budget=Usd(request.maker_amount if request.side is Side.BUY else 0),
        time_in_force=request.time_in_force,
        post_only=request.post_only,
        expiration=request.expiration,
        created_at=now,
    )
    return _book_refusal(floor, market, order, request) or order


def _book_refusal(floor: Floor, market: Market, order: Order, request: Submit) -> Refusal | None:
    if order.id in floor.resting or order.id in floor.held or order.id in floor.ended:
        return rules.duplicated(request)
    crosses = market.crosses(order)
    if order.post_only and crosses:
        return rules.CROSSES
    return rules.cash_order_refusal(request, crosses, floor.rules.least_marketable_buy) or _poor(
        floor, order, _stated(order)
    )


def _barred(floor: Floor, market: Market | None, order: Submit | Order, now: Instant) -> Refusal | None:
    """What is asked on arrival and again after the hold: is trading on, for this account, in this market."""
    restriction = floor.restrictions.get(order.account, Restriction.NONE)
    refusal = rules.mode_refusal(floor.mode, floor.mode_until, order.post_only, now) or rules.account_refusal(
        order.account, restriction, order.side
    )
    if refusal or market is None:
        return refusal
    if market.state is MarketState.RESOLVED:
        return rules.NO_BOOK
    if market.state is MarketState.CLOSED or now < market.facts.accepts_from:
        return rules.NOT_READY
    return None


def _stated(order: Order) -> int:
    """What the order itself says it gives at most."""
    return order.budget if order.side is Side.BUY else order.size


def _poor(floor: Floor, order: Order, amount: int) -> Refusal | None:
    balance = life.given(floor, order)
    if balance.free >= amount:
        return None
    return rules.poor(balance.shown, balance.reserved, balance.unseen_out, amount)


# --- the taker hold


def _hold(floor: Floor, market: Market, order: Order, length: Nanos) -> None:
    floor.held[order.id] = order
    floor.set_alarm(Instant(floor.now + length), partial(_release, floor, market, order))


def _accept_delayed(floor: Floor, order: Order) -> None:
    order.answered = True
    _accept(floor, order, OrderAnswer.DELAYED)


def _release(floor: Floor, market: Market, order: Order, now: Instant) -> None:
    del floor.held[order.id]
    refusal = _barred(floor, market, order, now) or _poor(floor, order, _stated(order))
    if refusal:
        _turn_away(floor, order, refusal)
    else:
        _match(floor, market, order)
        floor.publish_changes(market, now)


def _turn_away(floor: Floor, order: Order, why: Refusal) -> None:
    """Refused in the engine: on the open request, or on the user stream when the request was answered `delayed`."""
    if order.answered:
        life.finish(floor, order, f"{life.CANCELED}_{why.text}")
    else:
        _reject(floor, order.account, order.id, why)


# --- the match


def _match(floor: Floor, market: Market, order: Order) -> None:
    if floor.mishaps:
        scarcity.thin_out(floor, market, order)
    met = scarcity.dusted(floor, market, order, plan(market, order))
    if _killed(order, met):
        _kill(floor, order)
        return
    refusal = _short(floor, market, order, met)
    if refusal:
        _turn_away(floor, order, refusal)
        return
    answer_at = len(floor.out)
    life.tell(floor, order, OrderChange.PLACEMENT, "LIVE")
    for own in met.own:
        life.end(floor, own, life.CANCELED)
    for meeting in met.meetings:
        fills.meet(floor, market, order, meeting)
    order.remaining = Shares(0 if met.whole else order.remaining - met.shares)
    _settle_down(floor, order, met)
    if not order.answered:
        _accept(floor, order, _status(floor, order, met), met)
        floor.out.insert(answer_at, floor.out.pop())


def _killed(order: Order, met: Plan) -> bool:
    tif = order.time_in_force
    return (tif is TimeInForce.FOK and not met.whole) or (tif is TimeInForce.FAK and not met.meetings)


def _kill(floor: Floor, order: Order) -> None:
    """The request is refused and the stream shows a cancellation (recorded for FOK, `PROTOCOL.md` C.2). The same bytes
    may be sent again: nothing of the order stays.
    """
    why = rules.FOK_KILLED if order.time_in_force is TimeInForce.FOK else rules.FAK_KILLED
    if not order.answered:
        _reject(floor, order.account, order.id, why)
    order.remaining = Shares(0)
    life.tell(floor, order, OrderChange.CANCELLATION, f"{life.CANCELED}_{why.text}")


def _short(floor: Floor, market: Market, order: Order, met: Plan) -> Refusal | None:
    """A BUY must afford its matches, their fees, and what rests of it."""
    if order.side is Side.SELL:
        return None
    cash = met.cash(order)
    rest = 0 if met.whole or order.in_cash else order.price * (order.remaining - met.shares) // MICRO
    return _poor(floor, order, max(order.budget, cash + met.fees(order, market) + rest))


def _settle_down(floor: Floor, order: Order, met: Plan) -> None:
    if met.meetings:
        life.tell(floor, order, OrderChange.UPDATE, "MATCHED" if met.whole else "LIVE")
    if met.whole:
        floor.ended[order.id] = (order.account, life.FILLED)
    elif order.time_in_force.immediate:
        life.finish(floor, order, life.CANCELED)
    else:
        life.rest(floor, order)
        heartbeat.guard(floor, order.account)
        payouts.expect(floor)


def _status(floor: Floor, order: Order, met: Plan) -> OrderAnswer:
    if met.whole or order.time_in_force.immediate:
        return OrderAnswer.MATCHED
    return floor.rules.partial_answer if met.meetings else OrderAnswer.LIVE


def _accept(floor: Floor, order: Order, status: OrderAnswer, met: Plan | None = None) -> None:
    cash, shares = (met.cash(order), met.shares) if met else (0, 0)
    making, taking = (cash, shares) if order.side is Side.BUY else (shares, cash)
    floor.out.append(
        OrderAccepted(
            at=floor.now,
            account=order.account,
            order=order.id,
            status=status,
            making=making,
            taking=taking,
            trades=order.trades,
        )
    )
