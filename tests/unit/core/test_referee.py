"""A book that was asked for: when its best prices are believed."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.events import BookRead, Level
from polystra.core.referee import BELIEVED, Referee, after_reading
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, price, seconds, shares
from tests.core_cases import moment
from tests.unit.core.samples import WINDOW, view

PATIENCE = seconds(10)


def side(*prices: str) -> tuple[Level, ...]:
    return tuple((price(one), shares(5)) for one in prices)


def read(at: float, bids: tuple[str, ...] = ("0.20",), asks: tuple[str, ...] = ("0.22",), age: float = 1) -> BookRead:
    return BookRead(at=moment(at), market=WINDOW.id, bids=side(*bids), asks=side(*asks), venue_at=moment(at - age))


def after(*readings: BookRead) -> Referee | None:
    found: Referee | None = None
    for one in readings:
        found = after_reading(found, one, WINDOW.tick, PATIENCE)
    return found


def believed(*readings: BookRead) -> bool:
    found = after(*readings)
    return found is not None and found.holds(readings[-1].at)


def test_one_reading_is_no_evidence_and_two_that_agree_are() -> None:
    assert not believed(read(60))
    found = after(read(60), read(61, ("0.10", "0.18"), ("0.30", "0.19")))
    assert found is not None
    assert (found.bid, found.ask, found.agreed) == (price("0.18"), price("0.19"), True), "in any order of levels"


def test_what_is_believed_is_so_for_three_seconds() -> None:
    found = after(read(60), read(61))
    assert found is not None
    assert found.holds(moment(64))
    assert not found.holds(Instant(moment(64) + 1))
    assert found.until == moment(61) + BELIEVED + 1


@pytest.mark.parametrize(
    "worthless",
    [
        read(61, ("0.01",), ("0.99",)),
        read(61, (), ()),
        read(61, (), ("0.99",)),
        read(61, ("0.22",), ("0.22",)),
        read(61, ("0.23",), ("0.22",)),
        read(61, age=10.001),
    ],
    ids=["placeholder", "empty", "one side of a placeholder", "locked", "crossed", "old"],
)
def test_a_worthless_reading_is_forgotten_with_all_before_it(worthless: BookRead) -> None:
    assert after(read(60), worthless) is None
    assert not believed(read(60), worthless, read(62))
    assert believed(read(60), worthless, read(62), read(63))


@pytest.mark.parametrize(
    "honest",
    [
        read(61, ("0.02",), ("0.99",)),
        read(61, ("0.01",), ("0.98",)),
        read(61, (), ("0.03",)),
        read(61, ("0.97",), ()),
        read(61, age=10),
    ],
    ids=["bid inside", "ask inside", "nobody bids", "nobody asks", "just young enough"],
)
def test_a_reading_at_the_edge_of_worth_counts(honest: BookRead) -> None:
    assert believed(replace(read(60), venue_at=moment(51)), honest)


def test_a_reading_that_goes_back_in_time_agrees_with_nothing() -> None:
    assert not believed(read(60, age=1), read(61, age=2.001))
    assert believed(read(60, age=1), read(61, age=2)), "nothing changed between the two"


def test_a_reading_long_before_agrees_with_nothing() -> None:
    assert believed(read(60), read(63))
    assert not believed(read(60), read(63.001))


@pytest.mark.parametrize(
    ("outcome", "changes", "bid"),
    [
        (Outcome.UP, {}, "0.20"),
        (Outcome.DOWN, {}, "0.78"),
        (Outcome.UP, {"bid": 0}, None),
        (Outcome.DOWN, {"ask": MICRO}, None),
    ],
)
def test_a_stop_goes_by_the_referee_where_the_book_is_not_trusted(
    outcome: Outcome, changes: dict[str, Any], bid: str | None
) -> None:
    found = after(read(60), read(61))
    assert found is not None
    of = view("0.52", "0.54", trouble="stream lost", referee=replace(found, **changes))
    assert of.sure_bid_of(outcome) == (None if bid is None else price(bid))


def test_a_trusted_book_needs_no_referee_and_without_either_nobody_knows() -> None:
    found = after(read(60), read(61))
    assert view("0.52", "0.54", referee=found).sure_bid_of(Outcome.UP) == price("0.52")
    assert view("0.52", "0.54", trouble="stream lost").sure_bid_of(Outcome.UP) is None
