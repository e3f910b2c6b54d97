"""Says when to add to what is held (SPEC S6).

Once a position: late in its window, while its own price says that it wins and is not certain of it, some more of the
same outcome is asked for. That is sized by what is held, and passes value and risk like any entry. What it buys is part
of the one holding, so the exit follows by itself.

Nothing is added to what a stop or a sale is ending, or has begun to; an order that rests for it is then not wanted any
more. Nor is anything added in a market where a reversal bought the other side.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from polystra.core.asks import AS_IT_RESTS, NOTHING_ASKED, Ask, Asked, best_holds, without_chance
from polystra.core.orders import Order
from polystra.core.positions import Holding
from polystra.core.risk import Denied
from polystra.core.strategy import Wish
from polystra.core.terms import Outcome, Purpose, TimeInForce
from polystra.core.units import MICRO, SIZE_STEP, Instant, Nanos, Price, Shares, seconds, whole_steps
from polystra.core.view import ANYTHING, MarketView, Wait


class ScaleInRules(Struct, frozen=True, gc=False, kw_only=True):
    """Asked for in the window's last `time_left`, which is meant for 15 minutes and in proportion in others, while the
    middle of the token's book is between the two prices: `multiplier` (millionths) times what is held. It `rests` at
    the best bid, or else takes what is offered at the best ask."""

    time_left: Nanos = seconds(450)
    min_price: Price = Price(600_000)
    max_price: Price = Price(900_000)
    multiplier: int = 1_500_000
    rests: bool = False

    def begins(self, view: MarketView) -> Instant:
        return Instant(view.market.end - view.market.in_proportion(self.time_left))


def wanted_scale_ins(
    view: MarketView,
    rules: ScaleInRules,
    orders: Sequence[Order],
    ending: frozenset[Outcome],
    chances: Mapping[Outcome, int | None],
) -> Asked:
    """What to add to each holding now. `orders` are all of the market's, `ending` the outcomes that a stop or a sale
    sells now, `chances` what the strategy estimates, in millionths."""
    if any(order.terms.purpose is Purpose.REVERSAL and (order.live or order.traded) for order in orders):
        return NOTHING_ASKED
    asks: list[Ask] = []
    denied: list[tuple[Wish, Denied]] = []
    wait = ANYTHING
    for outcome in Outcome:
        holding = view.position.of(outcome)
        own = [order for order in orders if order.terms.outcome is outcome]
        if outcome in ending or not _may_grow(holding, own):
            continue
        resting = _resting(own)
        chance = chances.get(outcome)
        wish, until = _wish(view, rules, outcome, chance) if resting is None else _kept(resting, view, chance)
        wait = wait.both(until)
        if wish is not None and chance is None:
            denied.append(without_chance(wish, Purpose.SCALE_IN))
        elif wish is not None:
            size = _size_of(holding, rules) if resting is None else _rest_of(resting, view)
            asks.append(Ask(wish=wish, purpose=Purpose.SCALE_IN, shares=size))
    return Asked(asks=tuple(asks), denied=tuple(denied), wait=wait)


def _may_grow(holding: Holding, own: Iterable[Order]) -> bool:
    """Whether it is a position of an entry, nothing of which was sold for good, and which has not grown before."""
    since = holding.opened_at
    if since is None or holding.shares < SIZE_STEP:
        return False
    for order in own:
        purpose = order.terms.purpose
        if purpose.ends_it and (order.live or (order.traded and _last_of(order) >= since)):
            return False
        if purpose is Purpose.SCALE_IN and _is_done(order, since):
            return False
    return True


def _is_done(order: Order, since: Instant) -> bool:
    """An order that rests goes on; one for a holding that has gone is no part of this one, and is to go too. What such
    a one bought all the same is not added to."""
    if order.live:
        return order.terms.time_in_force.immediate or order.decided_at < since
    return order.awaited > 0 or (order.traded and max(order.decided_at, _last_of(order)) >= since)


def _last_of(order: Order) -> Instant:
    """When it last traded; until its trades are here, when it was decided."""
    return max((fill.at for fill in order.fills), default=order.decided_at)


def _resting(own: Iterable[Order]) -> Order | None:
    return next((order for order in own if order.terms.purpose is Purpose.SCALE_IN and order.live), None)


def _kept(order: Order, view: MarketView, chance: int | None) -> tuple[Wish, Wait]:
    """What rests is wanted as it is."""
    terms = order.terms
    wish = Wish(
        outcome=terms.outcome,
        price=terms.price,
        conviction=0,
        probability=chance or 0,
        time_in_force=TimeInForce.GTC,
        tolerance=AS_IT_RESTS,
    )
    return wish, best_holds(view)


def _wish(view: MarketView, rules: ScaleInRules, outcome: Outcome, chance: int | None) -> tuple[Wish | None, Wait]:
    begins = rules.begins(view)
    if view.at < begins:
        return None, Wait(until=begins)
    wait, mid = best_holds(view), view.mid_of(outcome)
    price = view.bid_of(outcome) if rules.rests else view.ask_of(outcome)
    if view.trouble is not None or price is None or mid is None or not rules.min_price <= mid <= rules.max_price:
        return None, wait
    kind = TimeInForce.GTC if rules.rests else TimeInForce.FAK
    return Wish(outcome=outcome, price=price, conviction=0, probability=chance or 0, time_in_force=kind), wait


def _size_of(holding: Holding, rules: ScaleInRules) -> Shares:
    return whole_steps(holding.shares * rules.multiplier // MICRO)


def _rest_of(order: Order, view: MarketView) -> Shares:
    """What is left of an order that rests may be less than the least size of a new one."""
    return max(order.remaining, view.market.min_shares)
