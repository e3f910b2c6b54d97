"""Says which sells the holding needs now. From scratch after each event; the planner finds the difference.

A stop takes precedence over the target: while it holds, the target order is simply not wanted any more, so it is
cancelled, and the stop is placed once its cancel is known. Nothing here ever asks for more than the settled shares.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.orders import Order
from polystra.core.positions import Holding
from polystra.core.strategy import ExitPolicy, StopPolicy
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side, TimeInForce
from polystra.core.units import MICRO, SIZE_STEP, Instant, Price, Shares, mirror, seconds, whole_steps
from polystra.core.view import ANYTHING, MarketView, Wait

LOOK_AGAIN = seconds(1)


class Sells(StrEnum):
    """Which sells the venue lets us place now: any, such as only rest, or none."""

    ANY = "any"
    RESTING = "resting"
    NONE = "none"


class ExitOrder(Struct, frozen=True, gc=False):
    """A sell of what is really there. Made here alone, reduce-only by construction. `kept`: it rests already, or may
    rest, and is not to be sent."""

    terms: OrderTerms
    kept: bool = False


class ExitPlan(Struct, frozen=True, gc=False, kw_only=True):
    """The sells wanted now, the shares that none of them covers with the reason, the stops that hold, and the wait.

    `blind`: something is held and the stream's book cannot say what it is worth.
    """

    orders: tuple[ExitOrder, ...] = ()
    uncovered: tuple[tuple[Outcome, Shares, str], ...] = ()
    stops: tuple[tuple[Outcome, Price, Price], ...] = ()
    blind: bool = False
    wait: Wait = ANYTHING


NOTHING_HELD = ExitPlan()


def wanted_exits(
    view: MarketView, policy: ExitPolicy, orders: Iterable[Order] = (), allowed: Sells = Sells.ANY
) -> ExitPlan:
    """The exit plan of both outcomes of a market. Of the market's `orders` it minds what they sold, or still sell.

    While the venue takes no sells what rests stays wanted, whatever the policy says by now.
    """
    if view.position.flat:
        return NOTHING_HELD
    plan = ExitPlan(blind=view.trouble is not None and view.left >= 0)
    sells = [order for order in orders if order.terms.side is Side.SELL]
    for outcome in Outcome:
        holding = view.position.of(outcome)
        if holding.shares > 0:
            own = [order for order in sells if order.terms.outcome is outcome]
            plan = _joined(plan, _exit_of(view, policy, holding, own, allowed))
    return plan


def stop_level(policy: StopPolicy, holding: Holding) -> Price | None:
    """The bid at or below which the stop holds: `price` but at least `distance` under the entry, or the loss of
    `fraction`, whichever comes first; None when the stop is off."""
    entry = holding.entry_price
    if entry is None:
        return None
    levels = [] if policy.price is None else [min(policy.price, entry - policy.distance)]
    if policy.fraction is not None:
        levels.append(entry * (MICRO - policy.fraction) // MICRO)
    return Price(max(levels)) if levels else None


def losing(view: MarketView, outcome: Outcome) -> bool:
    """Whether the underlying is on the losing side of the strike; what is unknown counts as losing. A tie is Up."""
    if view.strike is None or not view.references:
        return True
    up_wins = view.references[0].value >= view.strike
    return up_wins is (outcome is Outcome.DOWN)


def _exit_of(view: MarketView, policy: ExitPolicy, holding: Holding, sells: list[Order], allowed: Sells) -> ExitPlan:
    """What an ended order sold by the venue's word is gone, although its trades are not here yet."""
    sold = sum(order.awaited for order in sells if not order.live)
    left = Shares(holding.shares - sold)
    if left < SIZE_STEP:
        return NOTHING_HELD
    sellable = whole_steps(holding.settled - sold)
    if not sellable:
        return ExitPlan(uncovered=((holding.outcome, left, "settling"),))
    if allowed is Sells.NONE:
        return _kept(holding.outcome, left, sellable, sells)
    if policy.hold_last and view.left < policy.hold_last:
        return ExitPlan(uncovered=((holding.outcome, left, "held to settlement"),))
    doubted = any(order.cancel_doubted for order in sells)
    doubt = ExitPlan(uncovered=((holding.outcome, left, "cancel unresolved"),)) if doubted else NOTHING_HELD
    stop = _joined(doubt, _stop(view, policy.stop, holding, sellable))
    if stop.orders and allowed is Sells.ANY:
        return stop
    if stop.orders:
        stop = ExitPlan(uncovered=((holding.outcome, left, "stop waits: the venue takes resting orders alone"),))
    resting = any(order.live and order.terms.purpose is Purpose.TARGET for order in sells)
    if policy.hold_last:
        stop = _joined(stop, ExitPlan(wait=Wait(until=Instant(view.market.end - policy.hold_last + 1))))
    target = _target(view, policy, holding, sellable, resting=resting)
    return _joined(stop, target if allowed is Sells.ANY else _post_only(target))


def _kept(outcome: Outcome, left: Shares, sellable: Shares, sells: list[Order]) -> ExitPlan:
    """What rests and is no more than what is there; cancelled, it could not be placed again."""
    kept = [order for order in sells if order.live and order.remaining <= sellable]
    if not kept:
        return ExitPlan(uncovered=((outcome, left, "the venue takes no orders"),))
    return ExitPlan(orders=tuple(ExitOrder(replace(order.terms, shares=order.remaining), kept=True) for order in kept))


def _post_only(plan: ExitPlan) -> ExitPlan:
    return replace(plan, orders=tuple(ExitOrder(replace(one.terms, post_only=True)) for one in plan.orders))


def _stop(view: MarketView, policy: StopPolicy | None, holding: Holding, sellable: Shares) -> ExitPlan:
    """The stop order when it holds; otherwise only what would make it hold."""
    level = stop_level(policy, holding) if policy is not None else None
    if policy is None or level is None or level <= 0:
        return NOTHING_HELD
    again = view.pinned(until=_look_again(view))
    if view.left < 0:
        return NOTHING_HELD
    if view.trouble is not None and view.referee is None:
        return ExitPlan(wait=again)
    old_enough = Instant((holding.opened_at or view.at) + policy.min_age)
    if view.at < old_enough:
        return ExitPlan(wait=Wait(until=old_enough))
    bid = view.sure_bid_of(holding.outcome)
    if bid is None:
        return ExitPlan(uncovered=((holding.outcome, sellable, "no stop: nobody bids"),), wait=again)
    if bid > level:
        return ExitPlan(wait=_until_bid_at(level, holding.outcome) if view.trouble is None else again)
    if not losing(view, holding.outcome):
        return ExitPlan(wait=again)
    worst = view.market.tick.up(bid - policy.slippage)
    terms = _sell(view, holding.outcome, Purpose.STOP, worst, sellable, policy.time_in_force)
    return ExitPlan(orders=(ExitOrder(terms),), stops=((holding.outcome, bid, level),), wait=again)


def _look_again(view: MarketView) -> Instant:
    """After a second, or as soon as the referee's word is too old."""
    again = Instant(view.at + LOOK_AGAIN)
    return again if view.referee is None else min(again, view.referee.until)


def _target(view: MarketView, policy: ExitPolicy, holding: Holding, sellable: Shares, *, resting: bool) -> ExitPlan:
    """A target that rests stays, however little of it is left; a new one needs the venue's least size."""
    if policy.target is None:
        return ExitPlan(uncovered=((holding.outcome, holding.shares, "held to settlement"),))
    since = Instant((holding.opened_at or view.at) + policy.min_age)
    if view.at < since:
        return ExitPlan(uncovered=((holding.outcome, holding.shares, "too young"),), wait=Wait(until=since))
    if sellable < view.market.min_shares and not resting:
        return ExitPlan(uncovered=((holding.outcome, sellable, "below the venue's least size"),))
    price = view.market.tick.up(policy.target)
    terms = _sell(view, holding.outcome, Purpose.TARGET, price, sellable, TimeInForce.GTC)
    return ExitPlan(orders=(ExitOrder(terms),))


def _sell(
    view: MarketView, outcome: Outcome, purpose: Purpose, price: Price, shares: Shares, time_in_force: TimeInForce
) -> OrderTerms:
    return OrderTerms(
        market=view.market.id,
        outcome=outcome,
        side=Side.SELL,
        purpose=purpose,
        price=price,
        shares=shares,
        time_in_force=time_in_force,
    )


def _until_bid_at(level: Price, outcome: Outcome) -> Wait:
    """Holds while the bid for an outcome is above `level`; a bid for Down is an ask for Up."""
    if outcome is Outcome.UP:
        return Wait(bid_lo=Price(level + 1))
    return Wait(ask_hi=Price(mirror(level) - 1))


def _joined(one: ExitPlan, other: ExitPlan) -> ExitPlan:
    return ExitPlan(
        orders=one.orders + other.orders,
        uncovered=one.uncovered + other.uncovered,
        stops=one.stops + other.stops,
        blind=one.blind or other.blind,
        wait=one.wait.both(other.wait),
    )
