"""Turns a strategy's wishes into entries that risk has approved, or the reasons why not."""

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.account import Account, stake_of
from polystra.core.desk import Desk
from polystra.core.events import TradingState
from polystra.core.risk import Approved, Denied, Situation, review
from polystra.core.rules import Rules
from polystra.core.sizing import size_for, stake_for
from polystra.core.strategy import Wish
from polystra.core.terms import OrderTerms, Purpose, Side, TimeInForce, slot_of
from polystra.core.units import Usd
from polystra.core.view import ANYTHING, MarketView, Wait


class EntryPlan(Struct, frozen=True, gc=False, kw_only=True):
    """The entries that may be placed, the denials with the wish they answer, and the wait of all verdicts."""

    approved: tuple[Approved, ...] = ()
    denied: tuple[tuple[Wish, Denied], ...] = ()
    wait: Wait = ANYTHING


NO_ENTRIES = EntryPlan()


def wanted_entries(
    desk: Desk, view: MarketView, account: Account, state: TradingState, rules: Rules, *, halted: str | None
) -> EntryPlan:
    """Size and review each wish of the desk's present decision."""
    wishes = desk.decision.wishes if desk.decision is not None else ()
    if not wishes:
        return NO_ENTRIES
    approved: list[Approved] = []
    denied: list[tuple[Wish, Denied]] = []
    wait = ANYTHING
    for wish in wishes:
        terms = _terms_of(desk, wish, account, rules)
        own = desk.reserved_by_entry(slot_of(terms))
        verdict = review(
            wish,
            terms,
            rules.limits,
            Situation(
                view=view,
                account=_without(account, own),
                market_stake=Usd(stake_of(desk.position) + desk.reserved - own),
                state=state,
                halted=halted or desk.halted,
                unknown_need=unknown_need(desk, view),
                offered=desk.offered(wish.outcome, wish.price),
            ),
        )
        wait = wait.both(verdict.wait)
        if isinstance(verdict, Approved):
            approved.append(verdict)
        else:
            denied.append((wish, verdict))
    return EntryPlan(approved=tuple(approved), denied=tuple(denied), wait=wait)


def unknown_need(desk: Desk, view: MarketView) -> str | None:
    """The first thing the strategy cannot do without and that nobody knows."""
    needs = desk.strategy.needs
    if needs.strike and view.strike is None:
        return "strike"
    if needs.spot and not view.references:
        return "underlying price"
    if needs.candles and not view.candles:
        return "candles"
    return None


def _terms_of(desk: Desk, wish: Wish, account: Account, rules: Rules) -> OrderTerms:
    """The wish as an order: the stake's worth of shares, cut to what is on offer when it must fill at once."""
    price = desk.market.tick.down(wish.price)
    shares = size_for(stake_for(rules.stakes, wish.conviction, account.free), price, wish.time_in_force)
    if wish.time_in_force.immediate:
        shares = min(shares, size_for(_worth(desk, wish), price, wish.time_in_force))
    return OrderTerms(
        market=desk.market.id,
        outcome=wish.outcome,
        side=Side.BUY,
        purpose=Purpose.ENTRY,
        price=price,
        shares=shares,
        time_in_force=wish.time_in_force,
        post_only=wish.time_in_force is TimeInForce.GTC,
    )


def _worth(desk: Desk, wish: Wish) -> Usd:
    """What is on offer within the limit, valued at the limit."""
    return Usd(desk.offered(wish.outcome, wish.price) * wish.price // 1_000_000)


def _without(account: Account, own: Usd) -> Account:
    return replace(account, reserved=Usd(account.reserved - own))
