"""Waits: what two of them have in common."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polystra.core.markets import PriceSource
from polystra.core.units import MICRO, Instant, Nanos, Price, show
from polystra.core.view import ANYTHING, Reference, Wait
from tests.unit.core.samples import view

few = st.integers(0, 6)
prices = few.map(Price)
waits = st.builds(
    Wait, bid_lo=prices, bid_hi=prices, ask_lo=prices, ask_hi=prices, spot_lo=few, spot_hi=few, until=few.map(Instant)
)
spots = st.one_of(st.none(), few)


@given(waits, waits, prices, prices, spots)
def test_both_hold_exactly_where_each_holds(one: Wait, other: Wait, bid: Price, ask: Price, spot: int | None) -> None:
    joined = one.both(other)
    assert joined.best_holds(bid, ask) == (one.best_holds(bid, ask) and other.best_holds(bid, ask))
    assert joined.spot_holds(spot) == (one.spot_holds(spot) and other.spot_holds(spot))
    assert joined.until == min(one.until, other.until)


@given(waits, waits, waits)
def test_joining_waits_knows_no_order(one: Wait, other: Wait, third: Wait) -> None:
    assert one.both(other) == other.both(one)
    assert one.both(other).both(third) == one.both(other.both(third))
    assert one.both(one) == one
    assert one.both(ANYTHING) == one


best = st.integers(0, MICRO).map(Price)
values = st.one_of(st.none(), st.integers(0, 10**12))


@given(best, best, values, best, best, values)
def test_a_pinned_wait_holds_only_where_it_was_made(
    bid: Price, ask: Price, spot: int | None, later_bid: Price, later_ask: Price, later_spot: int | None
) -> None:
    known = () if spot is None else (Reference(source=PriceSource.BINANCE_SPOT, value=spot, age=Nanos(0)),)
    wait = view(show(bid), show(ask), references=known).pinned()
    assert wait.best_holds(bid, ask)
    assert wait.spot_holds(spot)
    assert wait.best_holds(later_bid, later_ask) == ((bid, ask) == (later_bid, later_ask))
    assert later_spot is None or wait.spot_holds(later_spot) == (later_spot == spot)
