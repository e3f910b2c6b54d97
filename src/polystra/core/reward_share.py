"""Estimates what resting somewhere would earn in liquidity rewards (`PROTOCOL.md` F.4). Pure; all in Up terms.

    score of an order = ((v - s) / v) ^ 2 x shares        v the market's widest distance, s this order's

Bids and asks are scored each by itself. A maker counts for the smaller of its two sums; between 0.10 and 0.90 for a
third of the larger if that is more. So above 0.90 a maker on one side alone earns nothing. The market pays its daily
rate by these scores, minute by minute. What is estimated is a minute like this one, until the window's end; that the
venue pays nothing below 1 USD a day is not looked at.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

from polystra.core.events import Level
from polystra.core.markets import RewardTerms
from polystra.core.terms import OrderTerms, Outcome, Side
from polystra.core.units import Nanos, Price, Shares, Usd, mirror, seconds

DAY = seconds(86_400)

_LOWEST, _HIGHEST = Price(100_000), Price(900_000)
"""Where one side alone still counts, both included."""

_ONE_SIDED = 3

_Sides: TypeAlias = Mapping[Side, dict[Price, int]]


class Resting(Struct, frozen=True, gc=False):
    """An order of ours as the shared book has it."""

    side: Side
    price: Price
    shares: Shares


def resting(terms: OrderTerms, remaining: Shares) -> Resting:
    """A sale of Down is a bid for Up."""
    if terms.outcome is Outcome.UP:
        return Resting(terms.side, terms.price, remaining)
    return Resting(terms.side.other, mirror(terms.price), remaining)


def estimated_reward(
    terms: RewardTerms,
    book: Mapping[Side, Iterable[Level]],
    now: Iterable[Resting],
    then: Iterable[Resting],
    left: Nanos,
) -> Usd | None:
    """What our orders would earn in the time that is left, were they as `then` and not as `now`; `book` has those of
    today in it. None where the market's daily rate is unknown, 0 where nothing scores."""
    if terms.daily is None:
        return None
    theirs, ours = others(book, now), tuple(then)
    middle = _middle(terms, theirs, ours)
    if middle is None:
        return Usd(0)
    own = {
        side: sum(_worth(terms, one.shares, middle - one.price) for one in ours if one.side is side) for side in Side
    }
    mine = _counted(own[Side.BUY], own[Side.SELL], middle)
    bids, asks = (sum(_worth(terms, size, middle - at) for at, size in theirs[side].items()) for side in Side)
    total = mine + _most(bids, asks, middle)
    return Usd(terms.daily * mine * left // (DAY * total)) if total else Usd(0)


def others(book: Mapping[Side, Iterable[Level]], ours: Iterable[Resting]) -> _Sides:
    """The book without our own orders: its levels, each with what is left of it."""
    left: _Sides = {side: dict(book[side]) for side in Side}
    for one in ours:
        left[one.side][one.price] = Shares(max(left[one.side].get(one.price, 0) - one.shares, 0))
    return left


def _middle(terms: RewardTerms, theirs: _Sides, ours: Iterable[Resting]) -> Price | None:
    """Of the best levels that are large enough; None where a side has none."""
    levels = {side: dict(theirs[side]) for side in Side}
    for one in ours:
        levels[one.side][one.price] = levels[one.side].get(one.price, 0) + one.shares
    bids, asks = ([at for at, size in levels[side].items() if size >= terms.min_shares] for side in Side)
    return Price((max(bids) + min(asks)) // 2) if bids and asks else None


def _worth(terms: RewardTerms, size: int, distance: int) -> int:
    widest = terms.max_spread
    if size < terms.min_shares or abs(distance) >= widest:
        return 0
    return size * (widest - abs(distance)) ** 2 // widest**2


def _counted(bids: int, asks: int, middle: Price) -> int:
    """What a maker of these sums counts for."""
    both = min(bids, asks)
    return max(both, max(bids, asks) // _ONE_SIDED) if _LOWEST <= middle <= _HIGHEST else both


def _most(bids: int, asks: int, middle: Price) -> int:
    """The most that makers count for whose sums together are these, however many they are."""
    both = min(bids, asks)
    return max(both, (bids + asks + both) // _ONE_SIDED) if _LOWEST <= middle <= _HIGHEST else both
