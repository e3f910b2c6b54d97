"""Turns a strategy's wishes into entries that risk has approved, or the reasons why not."""

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.account import Account, stake_of
from polystra.core.asks import NOTHING_ASKED, Ask, Asked
from polystra.core.desk import Desk
from polystra.core.events import TradingState
from polystra.core.fees import spend_within
from polystra.core.risk import Approved, Denied, Situation, Verdict, cost_of_worst, review
from polystra.core.rules import Rules
from polystra.core.sizing import size_for, stake_for
from polystra.core.strategy import Wish
from polystra.core.terms import OrderTerms, Purpose, Side, Slot
from polystra.core.unfilled import GivenUp, Patience, UnfilledRules, patience_for
from polystra.core.units import MICRO, Instant, Shares, Usd, cost_of, seconds
from polystra.core.view import ANYTHING, MarketView, Wait


class EntryPlan(Struct, frozen=True, gc=False, kw_only=True):
    """The entries that may be placed, the denials with the wish they answer, the slots whose resting entry is given up
    now, and the wait of all verdicts. `starved` when a wish was denied that would not be if what can be redeemed were
    cash."""

    approved: tuple[Approved, ...] = ()
    denied: tuple[tuple[Wish, Denied], ...] = ()
    given_up: tuple[tuple[Slot, GivenUp], ...] = ()
    wait: Wait = ANYTHING
    starved: bool = False


NO_ENTRIES = EntryPlan()

ADOPTED = "shares bought outside are never added to, nor reversed"

KEPT_WITHIN = 4
"""A resting entry stays while its size is within this part of what it would be now."""


def wanted_entries(  # noqa: PLR0913 - what is asked for, and all that risk looks at
    desk: Desk,
    view: MarketView,
    account: Account,
    state: TradingState,
    rules: Rules,
    *,
    halted: str | None,
    added: Asked = NOTHING_ASKED,
) -> EntryPlan:
    """Size and review each wish of the desk's present decision, and what is `added` to them; each counts those approved
    before it."""
    wishes = desk.decision.wishes if desk.decision is not None else ()
    if not wishes and added is NOTHING_ASKED:
        return NO_ENTRIES
    approved: list[Approved] = []
    denied = list(added.denied)
    given_up: list[tuple[Slot, GivenUp]] = []
    wait = added.wait
    promised = 0
    starved = False
    for ask in (*(Ask(wish=wish) for wish in wishes), *added.asks):
        slot = Slot(desk.market.id, ask.wish.outcome, Side.BUY, ask.purpose)
        patience = _patience(desk, view, ask.wish, slot, rules.unfilled)
        wait = wait.both(patience.wait)
        given_up += [] if patience.given_up is None else [(slot, patience.given_up)]
        denied += [] if patience.denied is None else [(ask.wish, patience.denied)]
        if patience.wish is None:
            continue
        own = desk.reserved_by_entry(slot)
        situation = Situation(
            view=view,
            account=_others(desk, account, own, promised),
            market_stake=Usd(stake_of(desk.position) + desk.reserved - own + promised),
            state=state,
            halted=halted or desk.halted or (ADOPTED if desk.adopts else None),
            unknown_need=unknown_need(desk, view),
            offered=desk.offered(patience.wish.outcome, desk.market.tick.down(patience.wish.price)),
        )
        verdict = _reviewed(replace(ask, wish=patience.wish), desk, situation, rules)
        wait = wait.both(verdict.wait)
        if isinstance(verdict, Approved):
            approved.append(verdict)
            promised += max(cost_of_worst(verdict.terms, desk.market.fees) - own, 0)
        else:
            denied.append((patience.wish, verdict))
            starved = starved or _is_poor(verdict, desk, replace(ask, wish=patience.wish), situation, rules)
    return EntryPlan(
        approved=tuple(approved), denied=tuple(denied), given_up=tuple(given_up), wait=wait, starved=starved
    )


def _is_poor(denied: Denied, desk: Desk, ask: Ask, now: Situation, rules: Rules) -> bool:
    """Whether what was denied could be had if what can be redeemed were cash. The stake is a part of the free cash, so
    too little of it may also show as too small an order."""
    if not now.account.redeemable or not denied.limit.endswith(("free cash", "order size", "order value")):
        return False
    rich = replace(now.account, cash=Usd(now.account.cash + now.account.redeemable))
    return isinstance(_reviewed(ask, desk, replace(now, account=rich), rules), Approved)


def _reviewed(ask: Ask, desk: Desk, now: Situation, rules: Rules) -> Verdict:
    """The ask, sized and judged. A limit that denies what no strategy wished for says what that was."""
    stake = stake_for(rules.stakes, ask.wish.conviction, now.account.free)
    if ask.most is not None:
        stake = min(stake, spend_within(desk.market.fees, ask.most))
    terms = _terms_of(desk, ask, now, stake)
    verdict = review(_steady(ask.wish, terms), terms, rules.limits, now)
    if isinstance(verdict, Denied) and ask.purpose is not Purpose.ENTRY:
        return replace(verdict, limit=f"{ask.purpose} {verdict.limit}")
    return verdict


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


def _terms_of(desk: Desk, ask: Ask, now: Situation, stake: Usd) -> OrderTerms:
    """The wish as an order: the stake's worth of shares, or as many as are asked for, cut to what is on offer when it
    must fill at once.

    Nothing when the lowest price of the grid is above the limit: an order never pays more than was wished for.
    """
    wish, price = ask.wish, desk.market.tick.down(ask.wish.price)
    kind = wish.time_in_force
    spend = stake if ask.shares is None else cost_of(price, ask.shares)
    spend = min(spend, Usd(now.offered * price // MICRO)) if kind.immediate else spend
    shares = size_for(spend, price, kind) if price <= wish.price else Shares(0)
    return OrderTerms(
        market=desk.market.id,
        outcome=wish.outcome,
        side=Side.BUY,
        purpose=ask.purpose,
        price=price,
        shares=shares,
        time_in_force=kind,
        post_only=not kind.immediate,
        expires_at=_end_of(wish, now.view.at),
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
