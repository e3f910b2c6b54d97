"""Says how each position stands and what everything is worth, for a person who looks on. Nothing is decided by it."""

from collections.abc import Iterable

from polystra.core.account import Account
from polystra.core.desk import Desk
from polystra.core.exits import Sells, wanted_exits
from polystra.core.markets import Score
from polystra.core.notes import EquityWatched, PositionWatched
from polystra.core.positions import Holding
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import MICRO, Usd, show
from polystra.core.view import MarketView


def positions_of(desk: Desk, view: MarketView, allowed: Sells) -> tuple[PositionWatched, ...]:
    """What is held in one market, valued at the bid that a stop may go by."""
    policy = ExitPolicy() if desk.decision is None else desk.decision.exits
    held = (desk.position.of(outcome) for outcome in Outcome)
    return tuple(_position(desk, view, holding, policy, allowed) for holding in held if holding.shares > 0)


def equity_of(account: Account, looks: Iterable[tuple[Desk, MarketView]]) -> EquityWatched:
    """What everything is worth, what is held at the same bids."""
    at_bid = at_cost = 0
    for desk, view in looks:
        for holding in (desk.position.up, desk.position.down):
            bid = view.sure_bid_of(holding.outcome)
            if bid is None:
                at_cost += holding.cost
            else:
                at_bid += holding.shares * bid // MICRO
    return EquityWatched(
        cash=account.cash, at_bid=Usd(at_bid), at_cost=Usd(at_cost), redeemable=account.redeemable, free=account.free
    )


def _position(desk: Desk, view: MarketView, holding: Holding, policy: ExitPolicy, allowed: Sells) -> PositionWatched:
    bid = view.sure_bid_of(holding.outcome)
    return PositionWatched(
        market=desk.market.id,
        outcome=holding.outcome,
        shares=holding.shares,
        entry=holding.entry_price,
        bid=bid,
        pnl=None if bid is None else Usd(holding.shares * bid // MICRO - holding.cost),
        exit=_exit_of(desk, view, holding, policy, allowed),
        score=None if policy.rewards is None else _score_of(desk, view, holding),
    )


def _score_of(desk: Desk, view: MarketView, holding: Holding) -> Score | None:
    """What the venue said last of the target that rests."""
    mine = (one for one in desk.live if one.terms.outcome is holding.outcome and one.terms.purpose is Purpose.TARGET)
    target = next(mine, None)
    return None if target is None else desk.rewards.score(target.id, view.at)


def _exit_of(desk: Desk, view: MarketView, holding: Holding, policy: ExitPolicy, allowed: Sells) -> str:
    """The sells that are live, or why none is."""
    sells = [one.terms for one in desk.live if one.terms.side is Side.SELL and one.terms.outcome is holding.outcome]
    if sells:
        return ", ".join(f"{terms.purpose} at {show(terms.price)}" for terms in sells)
    plan = wanted_exits(view, policy, desk.orders.values(), allowed)
    whys = [why for outcome, _, why in plan.uncovered if outcome is holding.outcome]
    if "too young" in whys and holding.opened_at is not None:
        needed = view.market.in_proportion(policy.min_age)
        return f"pending, {(view.at - holding.opened_at) // 10**9} s of {needed // 10**9} s"
    return f"none, {whys[0]}" if whys else "being placed"
