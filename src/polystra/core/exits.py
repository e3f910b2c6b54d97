"""Says which sells the holding needs now. From scratch after each event; the planner finds the difference.

A stop takes precedence over the target: while it holds, the target order is simply not wanted any more, so it is
cancelled, and the stop is placed once its cancel is known. The other rules that sell into the bids (`sales`) come
between the two. Nothing here ever asks for more than the settled shares.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.orders import Order
from polystra.core.positions import Holding
from polystra.core.reversal import UNSPARED, ReversalRules, Spared, covered, spared
from polystra.core.rewards import UNMOVED, Move, Moves, target_price
from polystra.core.sales import (
    UNARMED,
    Armed,
    Sale,
    break_even,
    look_again,
    next_rung,
    profit,
    rung_at,
    sale_by_value,
    until_bid_at,
)
from polystra.core.strategy import ExitPolicy, RungAction, StopPolicy
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side, TimeInForce
from polystra.core.units import MICRO, SIZE_STEP, Instant, Price, Shares, whole_steps
from polystra.core.view import ANYTHING, MarketView, Wait

TOO_YOUNG = "too young"
SETTLING = "settling"

NO_CHANCES: Mapping[Outcome, int | None] = MappingProxyType({})


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


def wanted_exits(  # noqa: PLR0913 - what is held, how it is sold, and what is remembered of it
    view: MarketView,
    policy: ExitPolicy,
    orders: Iterable[Order] = (),
    allowed: Sells = Sells.ANY,
    *,
    armed: Armed = UNARMED,
    chances: Mapping[Outcome, int | None] = NO_CHANCES,
    hedging: ReversalRules | None = None,
    hedges: Iterable[OrderTerms] = (),
    moves: Moves = UNMOVED,
) -> ExitPlan:
    """The exit plan of both outcomes of a market. Of the market's `orders` it minds what they sold, or still sell;
    `armed` are the holdings whose break-even protection is armed, `chances` what the strategy estimates, in millionths;
    `moves` the targets that were moved for rewards. Where stops are hedged, `hedging` says how, and `hedges` leave now.

    While the venue takes no sells what rests stays wanted, whatever the policy says by now.
    """
    if view.position.flat:
        return NOTHING_HELD
    plan = ExitPlan(blind=view.trouble is not None and view.left >= 0)
    orders = tuple(orders)
    sells = [order for order in orders if order.terms.side is Side.SELL]
    for outcome in Outcome:
        holding = view.position.of(outcome)
        if holding.shares > 0:
            case = _Case(
                view=view,
                policy=policy,
                holding=holding,
                sells=tuple(order for order in sells if order.terms.outcome is outcome),
                allowed=allowed,
                armed=outcome in armed,
                chance=chances.get(outcome),
                spared=_spared(view, hedging, orders, hedges, outcome),
                move=moves.get(outcome),
            )
            plan = _joined(plan, _exit_of(case))
    return plan


def _spared(
    view: MarketView,
    hedging: ReversalRules | None,
    orders: Iterable[Order],
    hedges: Iterable[OrderTerms],
    outcome: Outcome,
) -> Spared:
    if hedging is None or not hedging.hedged:
        return UNSPARED
    for terms in hedges:
        if terms.outcome is outcome.other:
            return Spared(covered(view.position.of(outcome), terms, terms.shares))
    return spared(view, hedging, orders, outcome)


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


class _Case(Struct, frozen=True, gc=False, kw_only=True):
    """One holding, and all that its exit depends on. What an ended order sold by the venue's word is gone, although its
    trades are not here yet."""

    view: MarketView
    policy: ExitPolicy
    holding: Holding
    sells: tuple[Order, ...]
    allowed: Sells
    armed: bool
    chance: int | None
    spared: Spared
    move: Move | None

    @property
    def outcome(self) -> Outcome:
        return self.holding.outcome

    @property
    def sold(self) -> int:
        return sum(order.awaited for order in self.sells if not order.live)

    @property
    def left(self) -> Shares:
        return Shares(self.holding.shares - self.sold)

    @property
    def sellable(self) -> Shares:
        return whole_steps(self.holding.settled - self.sold)

    @property
    def at_risk(self) -> Shares:
        """What a stop may sell: no more than what exceeds a young hedge or, where pairs need none, the other side."""
        paired = self.view.position.of(self.outcome.other).shares if self.policy.pairs_need_no_stop else 0
        return whole_steps(min(self.sellable, self.left - max(paired, self.spared.shares)))

    @property
    def offered(self) -> Shares:
        """What a target may offer: where pairs are kept, no more than what exceeds them."""
        pairs = min(self.left, self.view.position.of(self.outcome.other).shares)
        if self.policy.keep_pairs is None or pairs < self.policy.keep_pairs:
            return self.sellable
        return whole_steps(min(self.sellable, self.left - pairs))

    def uncovered(self, why: str, shares: Shares | None = None, wait: Wait = ANYTHING) -> ExitPlan:
        return ExitPlan(uncovered=((self.outcome, self.left if shares is None else shares, why),), wait=wait)


def _exit_of(case: _Case) -> ExitPlan:
    """What is kept, or else what the first rule that holds sells, or else the target."""
    policy, view = case.policy, case.view
    if case.left < SIZE_STEP:
        return NOTHING_HELD
    if not case.sellable:
        return case.uncovered(SETTLING)
    if case.allowed is Sells.NONE:
        return _kept(case)
    ends = Wait(until=Instant(view.market.end - policy.hold_last + 1)) if policy.hold_last else ANYTHING
    rungs, rung = next_rung(policy.ladder, view), rung_at(policy.ladder, view.left)
    if (policy.hold_last and view.left < policy.hold_last) or rung is RungAction.HOLD:
        return case.uncovered("held to settlement", wait=rungs)
    doubted = any(order.cancel_doubted for order in case.sells)
    rungs = rungs.both(ends)
    plan = _joined(case.uncovered("cancel unresolved") if doubted else NOTHING_HELD, ExitPlan(wait=rungs))
    plan = _joined(plan, _sold_now(case))
    if plan.orders and case.allowed is Sells.ANY:
        return _joined(plan, _settling(case))
    if plan.orders:
        purpose = plan.orders[0].terms.purpose
        plan = case.uncovered(f"{purpose} waits: the venue takes resting orders alone", wait=rungs)
    target = _target(case)
    if target.orders:
        target = _joined(target, _settling(case))
    return _joined(plan, target if case.allowed is Sells.ANY else _post_only(target))


def _settling(case: _Case) -> ExitPlan:
    """What was added to a holding and cannot be sold yet, beside an exit of the rest."""
    rest = Shares(case.left - case.sellable)
    return case.uncovered("settling", rest) if rest >= SIZE_STEP else NOTHING_HELD


def _kept(case: _Case) -> ExitPlan:
    """What rests and is no more than what is there; cancelled, it could not be placed again."""
    kept = [order for order in case.sells if order.live and order.remaining <= case.sellable]
    if not kept:
        return case.uncovered("the venue takes no orders")
    rest = Shares(case.left - sum(order.remaining for order in kept))
    bare = case.uncovered("the venue takes no orders", rest) if rest >= SIZE_STEP else NOTHING_HELD
    orders = tuple(ExitOrder(replace(order.terms, shares=order.remaining), kept=True) for order in kept)
    return replace(bare, orders=orders)


def _sold_now(case: _Case) -> ExitPlan:
    """What the first rule sells whose moment has come, and what the others wait for."""
    plan = NOTHING_HELD
    if case.view.left < 0:
        return plan
    for rule in (_stop, _break_even, _sale):
        plan = _joined(plan, rule(case))
        if plan.orders:
            break
    return plan


def _post_only(plan: ExitPlan) -> ExitPlan:
    return replace(plan, orders=tuple(ExitOrder(replace(one.terms, post_only=True)) for one in plan.orders))


def _stop(case: _Case) -> ExitPlan:
    """The stop order when it holds; otherwise only what would make it hold."""
    view, policy, holding = case.view, case.policy.stop, case.holding
    level = stop_level(policy, holding) if policy is not None else None
    if policy is None or level is None or level <= 0 or not case.at_risk:
        return ExitPlan(wait=case.spared.wait)
    again = look_again(view)
    if view.trouble is not None and view.referee is None:
        return ExitPlan(wait=again)
    old_enough = Instant((holding.opened_at or view.at) + policy.min_age)
    if view.at < old_enough:
        return ExitPlan(wait=Wait(until=old_enough))
    bid = view.sure_bid_of(holding.outcome)
    if bid is None:
        return case.uncovered("no stop: nobody bids", case.sellable, again)
    if bid > level:
        return ExitPlan(wait=until_bid_at(level, holding.outcome) if view.trouble is None else again)
    if not losing(view, holding.outcome):
        return ExitPlan(wait=again)
    worst = view.market.tick.up(bid - policy.slippage)
    wait = again.both(case.spared.wait)
    return _protected(case, Sale(limit=worst, bid=bid, level=level, wait=wait), policy.time_in_force)


def _break_even(case: _Case) -> ExitPlan:
    """Break-even protection, where it is on and armed."""
    policy = case.policy.break_even
    if policy is None or not case.armed or not case.at_risk:
        return NOTHING_HELD
    since = _old_enough(case)
    if case.view.at < since:
        return ExitPlan(wait=Wait(until=since))
    return _protected(case, break_even(case.view, policy, case.holding), TimeInForce.FAK)


def _protected(case: _Case, sale: Sale, time_in_force: TimeInForce) -> ExitPlan:
    """A stop of what is at risk, said with its bid and level; what is not at risk has no exit meanwhile."""
    if sale.limit is None:
        return ExitPlan(wait=sale.wait)
    terms = _sell(case, Purpose.STOP, sale.limit, case.at_risk, time_in_force)
    rest = Shares(case.sellable - case.at_risk)
    uncovered = ((case.outcome, rest, "a pair, while the rest is stopped"),) if rest else ()
    stops = ((case.outcome, sale.bid, sale.level),)
    return ExitPlan(orders=(ExitOrder(terms),), uncovered=uncovered, stops=stops, wait=sale.wait)


def _sale(case: _Case) -> ExitPlan:
    """Profit, or value by the ladder, taken from the bids."""
    policy, view, holding = case.policy, case.view, case.holding
    sells_by_value = rung_at(policy.ladder, view.left) is RungAction.SELL_INTO_BIDS
    if policy.profit is None and not sells_by_value:
        return NOTHING_HELD
    since = _old_enough(case)
    if view.at < since:
        return ExitPlan(wait=Wait(until=since))
    sales = [] if policy.profit is None else [profit(view, policy.profit, holding)]
    if sells_by_value:
        sales.append(sale_by_value(view, holding, case.chance))
    wait = ANYTHING
    for sale in sales:
        wait = wait.both(sale.wait)
        if sale.limit is not None:
            terms = _sell(case, Purpose.SALE, sale.limit, case.sellable, TimeInForce.FAK)
            return ExitPlan(orders=(ExitOrder(terms),), wait=wait)
    return ExitPlan(wait=wait)


def _target(case: _Case) -> ExitPlan:
    """A target that rests stays, however little of it is left; a new one needs the venue's least size."""
    market, policy = case.view.market, case.policy
    if policy.target is None:
        return case.uncovered("held to settlement", case.holding.shares)
    since = _old_enough(case)
    if case.view.at < since:
        return case.uncovered(TOO_YOUNG, case.holding.shares, Wait(until=since))
    resting = any(order.live and order.terms.purpose is Purpose.TARGET for order in case.sells)
    offered = case.offered
    kept = case.uncovered("a pair, kept to be merged", Shares(case.sellable - offered))
    plan = kept if offered < case.sellable else NOTHING_HELD
    if not offered:
        return plan
    if offered < market.min_shares and not resting:
        return _joined(plan, case.uncovered("below the venue's least size", offered))
    at = market.tick.up(policy.target)
    if case.move is not None:
        at = target_price(case.view, at, case.holding, case.move)
    terms = _sell(case, Purpose.TARGET, at, offered, TimeInForce.GTC)
    return _joined(plan, ExitPlan(orders=(ExitOrder(terms),)))


def _old_enough(case: _Case) -> Instant:
    """A holding whose purchase nobody knows never is."""
    return Instant((case.holding.opened_at or case.view.at) + case.view.market.in_proportion(case.policy.min_age))


def _sell(case: _Case, purpose: Purpose, price: Price, shares: Shares, time_in_force: TimeInForce) -> OrderTerms:
    return OrderTerms(
        market=case.view.market.id,
        outcome=case.outcome,
        side=Side.SELL,
        purpose=purpose,
        price=price,
        shares=shares,
        time_in_force=time_in_force,
    )


def _joined(one: ExitPlan, other: ExitPlan) -> ExitPlan:
    return ExitPlan(
        orders=one.orders + other.orders,
        uncovered=one.uncovered + other.uncovered,
        stops=one.stops + other.stops,
        blind=one.blind or other.blind,
        wait=one.wait.both(other.wait),
    )
