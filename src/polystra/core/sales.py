"""Rules that sell into the bids besides the stop: break-even, profit, and the ladder of the last minutes.

Each is a pure function of the view and one holding. It says whether to sell now, at which price or better, and what
could change that. All are off unless a policy asks for them. A fee is that of the market's own schedule; where there
is none it counts as nothing, as it does for fills.

The one memory is whether a holding is armed: the bid has been so far above its entry. It is kept as what had been
bought by then, so a further purchase, which changes the entry, starts it anew. It is a fact of the desk, in the order
of events, and the ledger keeps it.
"""

from bisect import bisect_left
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from msgspec import Struct

from polystra.core.fees import taker_fee
from polystra.core.markets import Market
from polystra.core.positions import Holding
from polystra.core.strategy import BreakEvenPolicy, Decision, Rung, RungAction
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Nanos, Price, Shares, mirror, seconds
from polystra.core.view import ANYTHING, MarketView, Wait

LOOK_AGAIN = seconds(1)

Armed: TypeAlias = Mapping[Outcome, Shares]
"""What had been bought of an outcome when its break-even protection was armed."""

UNARMED: Armed = MappingProxyType({})


class Sale(Struct, frozen=True, gc=False, kw_only=True):
    """What a rule says. `limit` is the worst price of a sale now, None for none; `bid` and `level` are why."""

    limit: Price | None = None
    bid: Price = Price(0)
    level: Price = Price(0)
    wait: Wait = ANYTHING


NO_SALE = Sale()


def bid_that_brings(market: Market, worth: int) -> Price | None:
    """The lowest price of the grid at which a share brings `worth` (millionths of a USD) after the taker fee; None
    when no price does. What a share brings grows with its price: no fee of the venue grows as fast."""
    grid = range(market.tick.lowest, market.tick.highest + 1, market.tick.size)
    place = bisect_left(grid, worth, key=lambda at: _brings(market, Price(at)))
    return Price(grid[place]) if place < len(grid) else None


def armed_after(view: MarketView, policy: BreakEvenPolicy | None, before: Armed) -> tuple[Armed, Wait]:
    """The holdings that are armed now, and what would arm another. Bids count from the first fill on, settled or not;
    a bid that nobody can be sure of arms nothing."""
    if policy is None or view.position.flat:
        return UNARMED, ANYTHING
    armed: dict[Outcome, Shares] = {}
    wait = ANYTHING
    for outcome in Outcome:
        holding = view.position.of(outcome)
        level = _arm_level(view.market, policy, holding)
        if level is None:
            continue
        bid = view.sure_bid_of(outcome)
        if before.get(outcome) == holding.bought or (bid is not None and bid >= level):
            armed[outcome] = holding.bought
        else:
            wait = wait.both(until_bid_reaches(level, outcome) if view.trouble is None else look_again(view))
    return armed, wait


def break_even(view: MarketView, policy: BreakEvenPolicy, holding: Holding) -> Sale:
    """An armed holding is sold when the bid is back at what it cost, both fees counted; or below."""
    level = break_even_price(view.market, holding)
    if level is None:
        return NO_SALE
    bid = view.sure_bid_of(holding.outcome)
    if bid is not None and bid <= level:
        worst = view.market.tick.up(bid - policy.slippage)
        return Sale(limit=worst, bid=bid, level=level, wait=look_again(view))
    if bid is None or view.trouble is not None:
        return Sale(wait=look_again(view))
    return Sale(wait=until_bid_at(level, holding.outcome))


def profit(view: MarketView, fraction: int, holding: Holding) -> Sale:
    """Sold when the bid is `fraction` (millionths) above the entry price, and at no lower price than that."""
    entry = holding.entry_price
    if entry is None:
        return NO_SALE
    return _sold_from(view, -(-entry * (MICRO + fraction) // MICRO), holding.outcome)


def sale_by_value(view: MarketView, holding: Holding, chance: int | None) -> Sale:
    """Sold when the bid, less the fee, brings more than the chance (millionths) that the outcome wins; while nobody
    knows the chance nothing is sold."""
    if chance is None:
        return NO_SALE
    level = bid_that_brings(view.market, chance + 1)
    return NO_SALE if level is None else _sold_from(view, level, holding.outcome)


def rung_at(ladder: tuple[Rung, ...], left: Nanos) -> RungAction:
    """The action in force with so much time left: that of the latest rung that has begun."""
    begun = [rung for rung in ladder if left <= rung.before_end]
    return min(begun, key=lambda rung: rung.before_end).action if begun else RungAction.NOTHING


def next_rung(ladder: tuple[Rung, ...], view: MarketView) -> Wait:
    """Until the next rung begins."""
    to_come = [rung.before_end for rung in ladder if rung.before_end < view.left]
    return Wait(until=Instant(view.market.end - max(to_come))) if to_come else ANYTHING


def chance_of(decision: Decision, outcome: Outcome) -> int | None:
    """What the strategy last said of an outcome's chance, in millionths."""
    if decision.probability is None or decision.outcome is None:
        return None
    return decision.probability if decision.outcome is outcome else MICRO - decision.probability


def look_again(view: MarketView) -> Wait:
    """At any move, after a second, or as soon as the referee's word is too old."""
    again = Instant(view.at + LOOK_AGAIN)
    return view.pinned(until=again if view.referee is None else min(again, view.referee.until))


def until_bid_at(level: Price, outcome: Outcome) -> Wait:
    """Holds while the bid for an outcome is above `level`; a bid for Down is an ask for Up."""
    if outcome is Outcome.UP:
        return Wait(bid_lo=Price(level + 1))
    return Wait(ask_hi=Price(mirror(level) - 1))


def until_bid_reaches(level: Price, outcome: Outcome) -> Wait:
    """Holds while the bid for an outcome is below `level`."""
    if outcome is Outcome.UP:
        return Wait(bid_hi=Price(level - 1))
    return Wait(ask_lo=Price(mirror(level) + 1))


def _sold_from(view: MarketView, level: int, outcome: Outcome) -> Sale:
    """Sold while the bid is at `level` or above, at a price of the grid that is no lower."""
    limit = Price(-(-level // view.market.tick.size) * view.market.tick.size)
    if limit > view.market.tick.highest:
        return NO_SALE
    bid = view.sure_bid_of(outcome)
    if bid is not None and bid >= limit:
        return Sale(limit=limit, bid=bid, level=limit, wait=look_again(view))
    return Sale(wait=until_bid_reaches(limit, outcome) if view.trouble is None else look_again(view))


def _arm_level(market: Market, policy: BreakEvenPolicy, holding: Holding) -> Price | None:
    """The bid that arms a holding: so far above its entry, and above the price at which it would be sold at once."""
    entry, least = holding.entry_price, break_even_price(market, holding)
    if entry is None or least is None:
        return None
    return Price(max(-(-entry * (MICRO + policy.arm) // MICRO), least + 1))


def break_even_price(market: Market, holding: Holding) -> Price | None:
    """The lowest price at which a taker gets back what a share of the holding cost, both fees counted. None when
    nothing is held, or no price brings back what it cost."""
    if holding.shares <= 0:
        return None
    return bid_that_brings(market, -(-holding.cost * MICRO // holding.shares))


def _brings(market: Market, at: Price) -> int:
    fee = 0 if market.fees is None else taker_fee(market.fees, at, Shares(MICRO))
    return at - fee
