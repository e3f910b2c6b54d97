"""Turns a strategy's wishes into entries that risk has approved, or the reasons why not."""

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.account import Account, stake_of
from polystra.core.desk import Desk
from polystra.core.events import TradingState
from polystra.core.risk import Approved, Denied, Situation, cost_of_worst, review
from polystra.core.rules import Rules
from polystra.core.sizing import size_for, stake_for
from polystra.core.strategy import Wish
from polystra.core.terms import OrderTerms, Purpose, Side, Slot
from polystra.core.unfilled import GivenUp, Patience, UnfilledRules, patience_for
from polystra.core.units import MICRO, Instant, Price, Shares, Usd, seconds
from polystra.core.view import ANYTHING, MarketView, Wait


class EntryPlan(Struct, frozen=True, gc=False, kw_only=True):
    """The entries that may be placed, the denials with the wish they answer, the slots whose resting entry is given up
    now, and the wait of all verdicts."""

    approved: tuple[Approved, ...] = ()
    denied: tuple[tuple[Wish, Denied], ...] = ()
    given_up: tuple[tuple[Slot, GivenUp], ...] = ()
    wait: Wait = ANYTHING


NO_ENTRIES = EntryPlan()

ADOPTED = "shares bought outside are never added to, nor reversed"

KEPT_WITHIN = 4
"""A resting entry stays while its size is within this part of what it would be now."""


def wanted_entries(
    desk: Desk, view: MarketView, account: Account, state: TradingState, rules: Rules, *, halted: str | None
) -> EntryPlan:
    """Size and review each wish of the desk's present decision; each counts those approved before it."""
    wishes = desk.decision.wishes if desk.decision is not None else ()
    if not wishes:
        return NO_ENTRIES
    approved: list[Approved] = []
    denied: list[tuple[Wish, Denied]] = []
    given_up: list[tuple[Slot, GivenUp]] = []
    wait = ANYTHING
    promised = 0
    for wished in wishes:
        slot = Slot(desk.market.id, wished.outcome, Side.BUY, Purpose.ENTRY)
        patience = _patience(desk, view, wished, slot, rules.unfilled)
        wait = wait.both(patience.wait)
        given_up += [] if patience.given_up is None else [(slot, patience.given_up)]
        denied += [] if patience.denied is None else [(wished, patience.denied)]
        wish = patience.wish
        if wish is None:
            continue
        own = desk.reserved_by_entry(slot)
        others = _others(desk, account, own, promised)
        price = desk.market.tick.down(wish.price)
        offered = desk.offered(wish.outcome, price)
        terms = _terms_of(desk, wish, price, offered, stake_for(rules.stakes, wish.conviction, others.free), view.at)
        situation = Situation(
            view=view,
            account=others,
            market_stake=Usd(stake_of(desk.position) + desk.reserved - own + promised),
            state=state,
            halted=halted or desk.halted or (ADOPTED if desk.adopts else None),
            unknown_need=unknown_need(desk, view),
            offered=offered,
        )
        verdict = review(_steady(wish, terms), terms, rules.limits, situation)
        wait = wait.both(verdict.wait)
        if isinstance(verdict, Approved):
            approved.append(verdict)
            promised += max(cost_of_worst(terms, desk.market.fees) - own, 0)
        else:
            denied.append((wish, verdict))
    return EntryPlan(approved=tuple(approved), denied=tuple(denied), given_up=tuple(given_up), wait=wait)


def _patience(desk: Desk, view: MarketView, wish: Wish, slot: Slot, rules: UnfilledRules | None) -> Patience:
    """What is left of a wish beside the entry that rests in its slot, or was given up there."""
    given = desk.given_up.get(slot)
    order = desk.resting_in(slot) if given is None else desk.orders[given.order]
    return Patience(wish=wish) if rules is None or order is None else patience_for(wish, order, given, view, rules)


def unknown_need(desk: Desk, view: MarketView) -> str | None:
    """The first thing the strategy cannot do without and that nobody knows."""
    needs = desk.needs
    if needs.strike and view.strike is None:
        return "strike"
    if needs.spot and not view.references:
        return "underlying price"
    if needs.candles and not view.candles:
        return "candles"
    return None


def _terms_of(desk: Desk, wish: Wish, price: Price, offered: Shares, stake: Usd, at: Instant) -> OrderTerms:
    """The wish as an order: the stake's worth of shares, cut to what is on offer when it must fill at once.

    Nothing when the lowest price of the grid is above the limit: an order never pays more than was wished for.
    """
    kind = wish.time_in_force
    spend = min(stake, Usd(offered * price // MICRO)) if kind.immediate else stake
    shares = size_for(spend, price, kind) if price <= wish.price else Shares(0)
    return OrderTerms(
        market=desk.market.id,
        outcome=wish.outcome,
        side=Side.BUY,
        purpose=Purpose.ENTRY,
        price=price,
        shares=shares,
        time_in_force=kind,
        post_only=not kind.immediate,
        expires_at=_end_of(wish, at),
    )


def _steady(wish: Wish, terms: OrderTerms) -> Wish:
    """A resting entry keeps its size while that is within a quarter of what it would be now. The stake is a part of the
    free cash, which every other order changes: orders that followed it would cancel and replace one another for ever.
    """
    if terms.time_in_force.immediate:
        return wish
    room = max(wish.tolerance.shares, Shares(terms.shares // KEPT_WITHIN))
    return replace(wish, tolerance=replace(wish.tolerance, shares=room))


def _end_of(wish: Wish, at: Instant) -> Instant | None:
    """A whole second: the venue knows no finer."""
    second = seconds(1)
    return None if wish.good_for is None else Instant(-(-(at + wish.good_for) // second) * second)


def _others(desk: Desk, account: Account, own: Usd, promised: int) -> Account:
    """The account without the order under review: neither its reservation nor, if it has no other, its market counts
    against it. What was just promised to another wish does."""
    if not own and not promised:
        return account
    alone = own > 0 and desk.position.flat and desk.reserved == own
    return replace(
        account,
        reserved=Usd(account.reserved - own + promised),
        open_positions=account.open_positions - alone,
    )
