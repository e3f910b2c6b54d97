"""What a strategy may see, and what could change its mind."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core.markets import Phase, PriceSource
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, Price, price, seconds, shares
from polystra.core.view import ANYTHING, NEVER, Reference, Surroundings, Wait
from tests.unit.core.samples import NOON, WINDOW, levels, view

UP, DOWN = Outcome.UP, Outcome.DOWN


def at(length: float) -> Instant:
    return Instant(NOON + seconds(length))


def spot(value: int) -> tuple[Reference, ...]:
    settling = Reference(source=PriceSource.CHAINLINK_TWAP_60, value=value, age=seconds(1))
    return (settling, replace(settling, source=PriceSource.BINANCE_SPOT, value=value + 7))


# --- the view ----------------------------------------------------------------------------------------------------


def test_up_and_down_are_mirrors_of_one_book() -> None:
    seen = view("0.52", "0.54")
    assert (seen.ask_of(UP), seen.bid_of(UP)) == (price("0.54"), price("0.52"))
    assert (seen.ask_of(DOWN), seen.bid_of(DOWN)) == (price("0.48"), price("0.46"))


@pytest.mark.parametrize(
    ("bid", "ask", "buys", "sells"),
    [
        ("0", "0.54", (True, False), (False, True)),
        ("0.52", "1", (False, True), (True, False)),
        ("0", "1", (False, False), (False, False)),
    ],
)
def test_an_empty_side_has_no_price(bid: str, ask: str, buys: tuple[bool, bool], sells: tuple[bool, bool]) -> None:
    """No bid for Up is no offer of Down: never a price of 0 or 1."""
    seen = view(bid, ask)
    assert tuple(seen.ask_of(outcome) is not None for outcome in Outcome) == buys
    assert tuple(seen.bid_of(outcome) is not None for outcome in Outcome) == sells
    assert seen.mid is None


def test_the_middle_needs_two_sides() -> None:
    assert view("0.52", "0.54").mid == price("0.53")
    assert view("0.52", "0.53").mid == price("0.525")
    assert view("0.0001", "0.0002").mid == 150


def test_the_shares_on_offer_at_the_best_price() -> None:
    seen = view(bids=levels(p52="10", p50="20"), asks=levels(p54="7", p55="30"))
    assert (seen.offered(UP), seen.offered(DOWN)) == (shares(7), shares(10)), "a bid for Up is an offer of Down"
    assert view().offered(UP) == view().offered(DOWN) == 0, "no depth was asked for"


def test_a_view_knows_its_place_in_the_window() -> None:
    assert (view(at=at(60)).age, view(at=at(60)).left, view(at=at(60)).phase) == (seconds(60), seconds(840), Phase.OPEN)
    assert view(at=at(-30)).age == -seconds(30)
    assert view(at=at(-30)).phase is Phase.UPCOMING
    assert view(at=at(900)).left == 0
    assert view(at=at(900)).phase is Phase.ENDED


def test_what_is_not_known_is_none_or_empty() -> None:
    seen = view()
    assert (seen.strike, seen.references, seen.candles, seen.own_prices, seen.bids) == (None, (), (), (), ())
    assert Surroundings().strike is None


# --- waiting -----------------------------------------------------------------------------------------------------


def test_a_wait_holds_on_its_closed_bands() -> None:
    wait = Wait(bid_lo=price("0.50"), bid_hi=price("0.52"), ask_lo=price("0.53"), ask_hi=price("0.55"))
    assert wait.best_holds(price("0.50"), price("0.53"))
    assert wait.best_holds(price("0.52"), price("0.55"))
    for bid, ask in (("0.49", "0.54"), ("0.53", "0.54"), ("0.51", "0.52"), ("0.51", "0.56")):
        assert not wait.best_holds(price(bid), price(ask)), (bid, ask)


def test_a_wait_for_the_underlying() -> None:
    wait = Wait(spot_lo=10, spot_hi=20)
    assert wait.spot_holds(10)
    assert wait.spot_holds(20)
    assert not wait.spot_holds(9)
    assert not wait.spot_holds(21)
    assert wait.spot_holds(None), "still unknown: no news"


def test_waiting_for_nothing_holds_always() -> None:
    for bid, ask in ((NO_BID, NO_ASK), (Price(1), Price(MICRO - 1)), (NO_ASK, NO_BID)):
        assert ANYTHING.best_holds(bid, ask)
    assert ANYTHING.spot_holds(-(10**15))
    assert ANYTHING.spot_holds(10**15)
    assert ANYTHING.until == NEVER
    assert ANYTHING.both(ANYTHING) == ANYTHING


def test_a_pinned_wait_wakes_on_any_move() -> None:
    wait = view("0.52", "0.54", references=spot(100)).pinned()
    assert wait.best_holds(price("0.52"), price("0.54"))
    assert wait.spot_holds(100), "the first reference settles; the others do not bind"
    for bid, ask in ((519_999, 540_000), (520_001, 540_000), (520_000, 539_999), (520_000, 540_001)):
        assert not wait.best_holds(Price(bid), Price(ask))
    assert not wait.spot_holds(99)
    assert not wait.spot_holds(101)
    assert wait.until == NEVER
    assert view().pinned(until=at(5)).until == at(5)


def test_the_first_price_of_the_underlying_wakes_who_knew_none() -> None:
    """It once did not: the band of an unknown price was everything, so a denial for want of it stood for ever."""
    wait = view(references=()).pinned()
    assert wait.spot_holds(None)
    for first in (0, 1, -1, 108_250_000_000, 10**15):
        assert not wait.spot_holds(first)
        assert not wait.both(Wait(spot_lo=first, spot_hi=first)).spot_holds(first)


def test_an_empty_side_can_be_pinned() -> None:
    wait = view("0", "1").pinned()
    assert wait.best_holds(NO_BID, NO_ASK)
    assert not wait.best_holds(price("0.01"), NO_ASK)


def test_two_waits_have_the_narrower_bands_and_the_earlier_time() -> None:
    one = Wait(bid_lo=Price(1), ask_hi=Price(9), spot_lo=3, until=at(5))
    other = Wait(bid_lo=Price(2), bid_hi=Price(8), spot_hi=7, until=at(9))
    joined = one.both(other)
    assert joined == other.both(one)
    assert joined == Wait(bid_lo=Price(2), bid_hi=Price(8), ask_hi=Price(9), spot_lo=3, spot_hi=7, until=at(5))


def test_waits_that_exclude_each_other_hold_never() -> None:
    joined = Wait(bid_hi=Price(4)).both(Wait(bid_lo=Price(5)))
    assert not any(joined.best_holds(Price(bid), NO_ASK) for bid in range(10))


def test_views_are_values() -> None:
    assert view() == view()
    assert view(market=replace(WINDOW, slug="other")) != view()
