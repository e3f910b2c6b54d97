"""Stops as incidents: what was heard, what was done."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core import notes as nt
from polystra.core.strategy import ExitPolicy, StopPolicy
from polystra.core.terms import Outcome
from polystra.core.units import price, seconds
from tests.core_cases import (
    AT_ONCE,
    MINED,
    STOP,
    Bench,
    Wanting,
    covered,
    holding,
    wish,
    with_exits,
)

# --- the stop ----------------------------------------------------------------------------------------------------


def test_a_stop_takes_the_target_back_and_sells_once_it_is_gone() -> None:
    bench = covered()
    assert bench.book(100, "0.30", "0.32") == ["cancel o2"]
    assert bench.told(nt.StopTriggered)[-1].level == price("0.30")
    assert bench.book(100.1, "0.28", "0.30") == [], "nothing is placed beside a cancel in flight"
    assert bench.cancelled(100.2, 2) == ["place o3 stop SELL UP 10 @ 0.23 FAK"], "at most five cents below the bid"
    assert bench.killed(100.3, 3, "10", "2.80") == []
    assert bench.pass_to(110) == [], "sold by the venue's word: no second sell of the same shares"
    assert bench.fill(110, 3, "0.28", "10", trade="t3") == []
    assert bench.desk.position.flat


def test_a_stop_one_tick_above_its_level_does_not_hold() -> None:
    bench = covered()
    assert bench.book(100, "0.31", "0.33") == []
    assert bench.pass_to(200) == []


def test_a_stop_holds_for_down_as_for_up() -> None:
    bench = holding(
        Wanting(wishes=(wish(outcome=Outcome.DOWN),), exits=replace(AT_ONCE, stop=STOP)), outcome=Outcome.DOWN
    )
    bench.accepted(60, 2)
    assert bench.book(100, "0.67", "0.69") == [], "Down has a bid of 0.31"
    assert bench.book(101, "0.68", "0.70") == ["cancel o2"]
    assert bench.cancelled(101, 2) == ["place o3 stop SELL DOWN 10 @ 0.25 FAK"]


def test_a_stop_that_sold_a_part_sells_the_rest_a_second_later() -> None:
    bench = covered()
    bench.book(100, "0.30", "0.32")
    bench.cancelled(100, 2)
    bench.killed(100, 3, "4", "1.20")
    bench.fill(100, 3, "0.30", "4", trade="t3")
    assert bench.pass_to(101) == [(101, "place o4 stop SELL UP 6 @ 0.25 FAK")]


def test_a_stop_without_bids_waits_without_a_storm_and_sells_at_the_first_bid() -> None:
    bench = covered()
    assert bench.book(100, "0", "0.32") == []
    assert bench.pass_to(110) == []
    assert bench.book(110.2, "0.10", "0.32") == ["cancel o2"], "at that very event"


def test_a_stop_is_too_young_before_its_least_age() -> None:
    bench = Bench(with_exits(ExitPolicy(stop=STOP)))
    bench.start(0)
    bench.book(60)
    bench.fill(60, 1, "0.54", "10", MINED)
    assert bench.book(70, "0.20", "0.22") == []
    assert bench.pass_to(90) == [(90, "place o2 stop SELL UP 10 @ 0.15 FAK")]


def test_the_last_seconds_are_held_to_settlement() -> None:
    bench = holding(with_exits(ExitPolicy(stop=STOP, hold_last=seconds(60))))
    assert bench.book(840, "0.20", "0.22") == ["place o2 stop SELL UP 10 @ 0.15 FAK"]
    bench.refused(840, 2)
    assert bench.pass_to(900) == []


def test_a_stop_that_recovers_before_it_is_placed_leaves_the_target() -> None:
    bench = covered()
    bench.book(100, "0.30", "0.32")
    bench.book(101, "0.50", "0.52")
    assert bench.cancelled(102, 2) == ["place o3 target SELL UP 10 @ 0.99 GTC"]


@pytest.mark.parametrize("fraction", [500_000])
def test_a_stop_by_loss_holds_at_half_the_entry(fraction: int) -> None:
    bench = holding(with_exits(ExitPolicy(stop=StopPolicy(fraction=fraction, min_age=seconds(0)))))
    assert bench.book(100, "0.28", "0.30") == []
    assert bench.book(101, "0.27", "0.29") == ["place o2 stop SELL UP 10 @ 0.22 FAK"]
