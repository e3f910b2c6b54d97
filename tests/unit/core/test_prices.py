"""Series of prices, candles, and a market's own price by the minute."""

from __future__ import annotations

import pytest

from polystra.core.events import Candle, OwnPrice, PricePrinted
from polystra.core.markets import PriceSource
from polystra.core.prices import MINUTE, Candles, MinutePrices, PriceSeries
from polystra.core.units import Instant, Price, price, seconds
from tests.unit.core.samples import NOON


def after(length: float) -> Instant:
    return Instant(NOON + seconds(length))


def printed(value: int, stamped: float, heard: float | None = None) -> PricePrinted:
    """A value stamped so many seconds after noon, heard at once unless told otherwise."""
    return PricePrinted(
        at=after(stamped if heard is None else heard),
        asset="BTC",
        source=PriceSource.CHAINLINK_TWAP_60,
        value=value,
        stamped_at=after(stamped),
    )


def series(*prices: PricePrinted, capacity: int = 100) -> PriceSeries:
    kept = PriceSeries(capacity)
    for one in prices:
        kept.add(one)
    return kept


# --- a series ----------------------------------------------------------------------------------------------------


def test_before_the_first_price_nothing_is_known() -> None:
    assert (series().last, series().age(NOON), series().stamped(NOON)) == (None, None, None)


def test_the_newest_price_and_its_age() -> None:
    kept = series(printed(1, 0), printed(2, 1, heard=1.5))
    assert kept.last == 2
    assert kept.age(after(4)) == seconds(2.5), "counted from when we heard it, not from its stamp"


def test_a_strike_is_what_was_stamped_exactly_then() -> None:
    kept = series(printed(1, 0), printed(2, 1), printed(3, 2))
    assert [kept.stamped(after(at)) for at in (0, 1, 2)] == [1, 2, 3]


@pytest.mark.parametrize("offset", [-1, 1])
def test_a_nanosecond_beside_the_stamp_is_not_the_stamp(offset: int) -> None:
    """`data/README.md` fact 1: the value stamped at the boundary, to the last digit; its neighbour is another price."""
    assert series(printed(7, 10)).stamped(Instant(after(10) + offset)) is None


def test_an_older_price_that_arrives_late_is_kept_but_is_not_the_newest() -> None:
    """A history comes after the first live price. It once became the price of now, with the age of its loading."""
    kept = series(printed(9, 60), printed(1, 0, heard=61), printed(2, 1, heard=61))
    assert kept.last == 9
    assert kept.age(after(61)) == seconds(1)
    assert kept.stamped(NOON) == 1
    assert kept.stamped(after(1)) == 2


def test_the_later_word_for_one_stamp_counts() -> None:
    kept = series(printed(1, 0), printed(2, 0, heard=3))
    assert (kept.last, kept.stamped(NOON), kept.age(after(3))) == (2, 2, 0)


def test_only_so_many_stamps_are_kept() -> None:
    kept = series(*(printed(value, value) for value in range(5)), capacity=3)
    assert [kept.stamped(after(at)) for at in range(5)] == [None, None, 2, 3, 4]
    assert kept.last == 4


def test_a_repeated_stamp_takes_no_room() -> None:
    kept = series(printed(0, 0), printed(1, 1), printed(2, 1), printed(3, 1), capacity=2)
    assert (kept.stamped(NOON), kept.stamped(after(1))) == (0, 3)


# --- candles -----------------------------------------------------------------------------------------------------


def candle(minute: int, close: int = 0) -> Candle:
    return Candle(
        opened_at=Instant(NOON + minute * MINUTE), length=MINUTE, open=0, high=0, low=0, close=close, volume=0
    )


def candles(*minutes: int, capacity: int = 240) -> list[int]:
    kept = Candles(capacity)
    for minute in minutes:
        kept.add(candle(minute))
    return [(one.opened_at - NOON) // MINUTE for one in kept.closed]


def test_candles_are_kept_oldest_first() -> None:
    assert candles() == []
    assert candles(1, 2, 3) == [1, 2, 3]


def test_a_known_candle_changes_nothing() -> None:
    kept = Candles()
    kept.add(candle(1, close=5))
    kept.add(candle(1, close=6))
    assert [one.close for one in kept.closed] == [5]


def test_a_history_is_put_before_the_candle_that_closed_meanwhile() -> None:
    """It once was dropped whole when one live candle was faster than its answer: no signal for a quarter of an hour."""
    assert candles(9, 5, 6, 7, 8, 9) == [5, 6, 7, 8, 9]


def test_the_oldest_candles_make_room() -> None:
    assert candles(1, 2, 3, 4, capacity=3) == [2, 3, 4]
    assert candles(2, 3, 4, 1, capacity=3) == [2, 3, 4], "an old one does not drive out a newer one"
    assert candles(2, 4, 5, 3, capacity=3) == [3, 4, 5]


# --- own prices --------------------------------------------------------------------------------------------------


def minutes(*closed: tuple[int, str | None], before: tuple[int, ...] = (), capacity: int = 60) -> list[int]:
    kept = MinutePrices(capacity)
    for minute, mid in closed:
        kept.close(Instant(NOON + minute * MINUTE), None if mid is None else price(mid))
    kept.backfill(points(*before))
    return [(point.minute - NOON) // MINUTE for point in kept.points]


def points(*numbers: int) -> tuple[OwnPrice, ...]:
    return tuple(OwnPrice(Instant(NOON + number * MINUTE), Price(number)) for number in numbers)


def test_the_first_minute_only_starts_the_count() -> None:
    """We joined somewhere in the middle of it: nobody knows the book as that minute ended."""
    kept = MinutePrices()
    assert kept.is_due(after(42))
    assert kept.close(NOON, price("0.53")) is False
    assert not kept.points
    assert kept.close(after(60), price("0.53")) is True
    assert kept.points == (OwnPrice(after(60), price("0.53")),)


def test_a_minute_without_a_believable_book_stays_out() -> None:
    assert minutes((0, "0.5"), (1, "0.5"), (2, None), (3, "0.5")) == [1, 3]


def test_the_first_minute_counts_even_without_a_book() -> None:
    assert minutes((0, None), (1, "0.5")) == [1]


def test_a_minute_is_due_once_and_only_when_it_is_over() -> None:
    kept = MinutePrices()
    kept.close(NOON, None)
    assert not kept.is_due(NOON)
    assert not kept.is_due(Instant(after(60) - 1))
    assert kept.is_due(after(60))
    kept.close(after(60), None)
    assert not kept.is_due(after(60)), "a minute without a price is done too"
    assert kept.is_due(after(600)), "however many went by unseen"


@pytest.mark.parametrize(("at", "minute"), [(0, 1), (0.000000001, 1), (59.999999999, 1), (60, 2), (125, 3)])
def test_the_next_minute_is_always_ahead(at: float, minute: int) -> None:
    assert MinutePrices().next_at(after(at)) == NOON + minute * MINUTE


def test_a_history_comes_before_our_own_minutes() -> None:
    assert minutes((4, "0.5"), (5, "0.5"), (6, "0.5"), before=(2, 3, 4, 5, 6)) == [2, 3, 4, 5, 6]


def test_our_own_minutes_are_not_written_over_by_a_history() -> None:
    kept = MinutePrices()
    kept.close(NOON, None)
    kept.close(after(60), price("0.53"))
    kept.backfill(points(0, 1, 2))
    assert kept.points == (*points(0), OwnPrice(after(60), price("0.53")))


def test_a_history_alone_is_taken_whole() -> None:
    assert minutes(before=(1, 2, 3)) == [1, 2, 3]
    assert minutes(before=()) == []


def test_the_same_history_twice_counts_once() -> None:
    kept = MinutePrices()
    kept.backfill(points(1, 2))
    kept.backfill(points(1, 2))
    assert kept.points == points(1, 2)


def test_a_minute_that_a_history_knew_before_us_is_ours_and_counts_once() -> None:
    """The history came just after the minute and before the next book change wrote it: it once stood there twice, and
    a momentum over five points spanned three minutes.
    """
    kept = MinutePrices()
    kept.close(NOON, None)
    kept.backfill(points(0, 1))
    assert kept.close(after(60), price("0.53")) is True
    assert kept.points == (*points(0), OwnPrice(after(60), price("0.53")))


def test_the_newest_minutes_are_kept() -> None:
    assert minutes(*((minute, "0.5") for minute in range(6)), capacity=3) == [3, 4, 5]
    assert minutes((3, "0.5"), (4, "0.5"), before=(0, 1, 2, 3), capacity=3) == [2, 3, 4]
