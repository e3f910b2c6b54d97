"""Says when to buy the other side of what a stop ends (SPEC 6), and how long such a hedge spares the loser.

A reversal, after the stop: for at most the cash that came back. A hedged one, before it: at the stop's level the other
side is bought first, as many shares as there are to lose; if that is let through, the two sides are a pair, and the
loser is sold when its bid is at `sell_at`, or after a while. Where it is not, the stop goes at once.

Both are let through by value and risk like any entry, and happen once in a market at most: what a reversal bought is
not reversed again, nor is what somebody bought outside. Nothing is bought of a side that is held already.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from polystra.core.asks import NOTHING_ASKED, Ask, Asked, best_holds, without_chance
from polystra.core.orders import Order, OrderState
from polystra.core.positions import Holding
from polystra.core.sales import until_bid_at
from polystra.core.strategy import Wish
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side, TimeInForce, whole_cent_lot
from polystra.core.units import SIZE_STEP, Instant, Nanos, Price, Shares, Usd, seconds, whole_steps
from polystra.core.view import ANYTHING, NEVER, MarketView, Wait

ANSWER_WITHIN = seconds(3)
"""No stop waits longer than this to hear what became of its hedge."""


class ReversalRules(Struct, frozen=True, gc=False, kw_only=True):
    """`after_stop` is tried for `within` after the last share was sold at a loss. `hedged` buys before; its loser is
    sold once its bid is at `sell_at` or below, or `sell_after` the hedge."""

    after_stop: bool = False
    hedged: bool = False
    within: Nanos = seconds(30)
    sell_at: Price = Price(150_000)
    sell_after: Nanos = seconds(120)


class Spared(Struct, frozen=True, gc=False):
    """How many shares of a holding its stop leaves alone, and what would end that."""

    shares: Shares = Shares(0)
    wait: Wait = ANYTHING


ALL = Shares(2**62)
UNSPARED = Spared()


def wanted_reversals(
    view: MarketView,
    rules: ReversalRules,
    orders: Sequence[Order],
    stopping: Mapping[Outcome, Price],
    chances: Mapping[Outcome, int | None],
) -> Asked:
    """What to buy of the other side now. `orders` are all of the market's, `stopping` the levels of the outcomes whose
    stop sells now, `chances` what the strategy estimates, in millionths."""
    tried = [order for order in orders if order.terms.purpose is Purpose.REVERSAL]
    adopted = any(order.terms.purpose is Purpose.OUTSIDE and order.terms.side is Side.BUY for order in orders)
    if adopted or any(order.live or order.traded for order in tried):
        return NOTHING_ASKED
    for outcome in Outcome:
        if view.position.of(outcome.other).shares >= SIZE_STEP:
            continue
        may_hedge = rules.hedged and not tried and not _is_stopped(orders, view.position.of(outcome))
        if may_hedge and _is_loss(view, outcome, stopping.get(outcome)):
            return _asked(view, outcome.other, chances, shares=whole_steps(view.position.of(outcome).shares))
        if rules.after_stop and outcome not in stopping:
            sold_at, recovered = _stopped(view, outcome, orders)
            ends = Instant(sold_at + rules.within)
            if recovered > 0 and view.at < ends:
                return _asked(view, outcome.other, chances, most=recovered, until=ends)
    return NOTHING_ASKED


def spared(view: MarketView, rules: ReversalRules, orders: Iterable[Order], outcome: Outcome) -> Spared:
    """What the hedge of a holding covers while it is young: what it asks for until it is answered, but no longer than
    `ANSWER_WITHIN`; then what it bought and is still held."""
    holding = view.position.of(outcome)
    for order in orders:
        if not _hedges(order, holding):
            continue
        if order.state is OrderState.SUBMITTING:
            ends = Instant(order.decided_at + ANSWER_WITHIN)
            asked = covered(holding, order.terms, order.terms.shares)
            return Spared(asked, Wait(until=ends)) if view.at < ends else UNSPARED
        held = view.position.of(outcome.other).shares + order.awaited
        bought = Shares(min(order.matched + order.awaited, held))
        ends = Instant(_bought_at(order) + rules.sell_after)
        bid = view.sure_bid_of(outcome)
        if bought <= 0 or view.at >= ends or (bid is not None and bid <= rules.sell_at):
            return UNSPARED
        wait = Wait(until=ends).both(until_bid_at(rules.sell_at, outcome))
        return Spared(covered(holding, order.terms, bought), wait)
    return UNSPARED


def covered(holding: Holding, hedge: OrderTerms, shares: Shares) -> Shares:
    """How much of a holding a hedge of so many shares stands for: all, where it lacks less than one lot, for an order
    in cash is rounded down to one."""
    return ALL if holding.shares - shares < whole_cent_lot(hedge.price) else shares


def _hedges(order: Order, holding: Holding) -> bool:
    """Whether an order is the hedge of this holding, and not what was bought after an earlier one was stopped."""
    is_other = order.terms.purpose is Purpose.REVERSAL and order.terms.outcome is not holding.outcome
    return is_other and holding.opened_at is not None and order.decided_at >= holding.opened_at


def _bought_at(order: Order) -> Instant:
    """When it first bought something; until its trades are here, when the venue said so."""
    return min((fill.at for fill in order.fills if fill.counts), default=order.state_at)


def _is_stopped(orders: Iterable[Order], holding: Holding) -> bool:
    """Whether a stop of it left already: a hedge beside it would be bought for shares that are being sold."""
    since = holding.opened_at or 0
    stops = (order for order in orders if order.terms.purpose is Purpose.STOP)
    return any(order.terms.outcome is holding.outcome and order.decided_at >= since for order in stops)


def _is_loss(view: MarketView, outcome: Outcome, level: Price | None) -> bool:
    """Whether a stop holds at a level below the entry: one that protects a gain has its level above it, wherever the
    bid has leapt to."""
    entry = view.position.of(outcome).entry_price
    return level is not None and entry is not None and level < entry


def _stopped(view: MarketView, outcome: Outcome, orders: Iterable[Order]) -> tuple[Instant, Usd]:
    """When the last share of a position was stopped at a loss, and the cash that came back; nothing while some is
    held, or where it was no loss."""
    holding = view.position.of(outcome)
    own = [order for order in orders if order.terms.purpose is Purpose.STOP and order.terms.outcome is outcome]
    sold = [fill for order in own for fill in order.fills if fill.counts]
    if not sold or any(order.live for order in own) or holding.shares >= SIZE_STEP or holding.realised >= 0:
        return Instant(0), Usd(0)
    return max(fill.at for fill in sold), Usd(sum(fill.cash(Side.SELL) for fill in sold))


def _asked(
    view: MarketView,
    outcome: Outcome,
    chances: Mapping[Outcome, int | None],
    *,
    shares: Shares | None = None,
    most: Usd | None = None,
    until: Instant = NEVER,
) -> Asked:
    """At the best ask, at once or not at all. Risk refuses it while the book is not to be trusted."""
    wait, ask, chance = best_holds(view).ending(until), view.ask_of(outcome), chances.get(outcome)
    if ask is None:
        return Asked(wait=wait)
    wish = Wish(outcome=outcome, price=ask, conviction=0, probability=chance or 0, time_in_force=TimeInForce.FAK)
    if chance is None:
        return Asked(denied=(without_chance(wish, Purpose.REVERSAL),), wait=wait)
    return Asked(asks=(Ask(wish=wish, purpose=Purpose.REVERSAL, shares=shares, most=most),), wait=wait)
