"""Entries and targets as incidents: what was heard, what was done."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.events import TradingState
from polystra.core.reasons import CancelReason
from polystra.core.terms import Outcome
from polystra.core.units import Tick, price, seconds, shares, usd
from tests.core_cases import (
    AT_ONCE,
    CONFIRMED,
    EXITS,
    FAILED,
    MATCHED,
    MINED,
    Bench,
    Wanting,
    covered,
    holding,
    wish,
    with_exits,
)
from tests.unit.core.samples import WINDOW

# --- entering ----------------------------------------------------------------------------------------------------


def test_an_entry_is_placed_when_the_book_first_allows_it() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    assert bench.start(0) == ["follow"]
    assert bench.book(60, "0.52", "0.70") == [], "0.70 - 0.70 - fee is no edge"
    assert bench.book(61) == ["place o1 entry BUY UP 10 @ 0.54 FAK"]
    assert bench.book(62, "0.40", "0.54") == [], "in flight: never compared by price"
    assert bench.killed(63, 1, "10", "5.40") == [], "whole by the venue's word: the entry is made"


def test_a_partial_fill_is_held_and_the_killed_rest_is_not_bought_again() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    bench.book(60)
    bench.fill(60, 1, "0.54", "4", MINED)
    assert bench.killed(60, 1, "4", "2.16") == []
    assert bench.state(1) == "CANCELLED"
    assert bench.desk.position.up.shares == shares(4)
    assert bench.pass_to(200) == [], "one entry a window, and four shares are below the venue's least size"
    assert [note.why for note in bench.told(nt.ExitUncovered)][1:] == ["too young", "below the venue's least size"]


def test_a_killed_entry_is_tried_again_after_one_two_and_four_seconds() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    bench.book(60)
    assert bench.killed(60, 1) == []
    assert bench.pass_to(62) == [(61, "place o2 entry BUY UP 10 @ 0.54 FAK")]
    assert bench.killed(62, 2) == []
    assert bench.pass_to(65) == [(64, "place o3 entry BUY UP 10 @ 0.54 FAK")]
    assert bench.killed(65, 3) == []
    assert bench.pass_to(80) == [(69, "place o4 entry BUY UP 10 @ 0.54 FAK")]
    assert [note.cause for note in bench.told(nt.SlotSuspended)] == ["remainder killed"] * 3


def test_refusals_of_one_slot_wait_one_two_four_to_thirty_two_seconds() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    bench.book(60)
    now, pauses = 60.0, []
    for order in range(1, 9):
        bench.refused(now, order)
        ((later, placed),) = bench.pass_to(now + 33)[:1]
        assert placed == f"place o{order + 1} entry BUY UP 10 @ 0.54 FAK"
        pauses.append(later - now)
        now += 33
    assert pauses == [1, 2, 4, 8, 16, 32, 32, 32]


def test_an_accepted_order_ends_the_count_of_refusals() -> None:
    bench = holding(with_exits(AT_ONCE))
    assert bench.log[-1][1] == "place o2 target SELL UP 10 @ 0.99 GTC"
    bench.refused(60, 2)
    bench.pass_to(61)
    bench.refused(61, 3)
    assert bench.pass_to(63) == [(63, "place o4 target SELL UP 10 @ 0.99 GTC")]
    bench.accepted(63, 4)
    bench.cancelled(64, 4, reason=CancelReason.BY_VENUE)
    bench.pass_to(65)
    bench.refused(65, 5)
    assert bench.pass_to(70)[0][0] <= 67, "counted from one again"


@pytest.mark.parametrize(("age", "first"), [(60, 120), (5, 65)])
def test_the_target_appears_when_the_holding_is_old_enough(age: float, first: float) -> None:
    bench = holding(with_exits(replace(EXITS, min_age=seconds(age))))
    assert bench.pass_to(300) == [(first, "place o2 target SELL UP 10 @ 0.99 GTC")]


def test_with_a_least_age_of_zero_the_target_is_placed_as_soon_as_the_shares_settle() -> None:
    bench = Bench(with_exits(AT_ONCE))
    bench.start(0)
    bench.book(60)
    assert bench.fill(60, 1, "0.54", "10") == []
    assert bench.fill(62, 1, "0.54", "10", MINED) == ["place o2 target SELL UP 10 @ 0.99 GTC"]
    assert bench.fill(63, 1, "0.54", "10", CONFIRMED) == []


def test_matched_shares_are_not_sold_before_they_settle_however_old_they_are() -> None:
    bench = holding(stage=MATCHED)
    assert bench.pass_to(500) == []
    assert bench.book(501, "0.10", "0.12") == [], "nothing to stop with"
    assert bench.told(nt.ExitUncovered)[-1].why == "settling"
    assert bench.fill(502, 1, "0.54", "10", MINED) == ["place o2 stop SELL UP 10 @ 0.05 FAK"]


def test_a_scale_in_keeps_the_old_exit_until_the_new_shares_settle() -> None:
    """SPEC S27: and it is one sell of all of them as soon as they have settled, however young they are."""
    bench = Bench(with_exits(EXITS))
    bench.start(0)
    bench.book(60)
    bench.fill(60, 1, "0.54", "5", MINED, trade="a")
    assert bench.pass_to(120) == [(120, "place o2 target SELL UP 5 @ 0.99 GTC")]
    bench.accepted(120, 2)
    assert bench.fill(200, 1, "0.54", "5", trade="b") == []
    assert bench.pass_to(203) == []
    assert bench.fill(203, 1, "0.54", "5", MINED, trade="b") == ["cancel o2"]
    assert bench.cancelled(203.1, 2) == ["place o3 target SELL UP 10 @ 0.99 GTC"]


@pytest.mark.parametrize("read_first", [False, True])
def test_what_was_sold_is_out_of_the_wallet_whether_or_not_a_reading_said_so(read_first: bool) -> None:
    """Shares bought afterwards do not pass for shown because others, long sold, once were."""
    bench = covered()
    if read_first:
        bench.desk.wallet[Outcome.UP] = shares(4)
    bench.fill(70, 2, "0.99", "6", MINED, trade="t2")
    assert bench.desk.wallet[Outcome.UP] == shares(4)
    bench.fill(71, 1, "0.54", "5", MATCHED, trade="t3")
    assert bench.desk.shown_position.up.settled == shares(4)


# --- the target --------------------------------------------------------------------------------------------------


def test_a_partly_filled_target_stays_in_the_book() -> None:
    bench = covered()
    assert bench.fill(70, 2, "0.99", "4", trade="t2") == []
    assert bench.state(2) == "WORKING"


def test_a_partly_filled_target_stays_although_its_rest_could_not_be_placed_anew() -> None:
    """Six of ten sold leaves four, less than the venue's least size: what rests is the only exit there can be."""
    bench = covered()
    assert bench.fill(70, 2, "0.99", "6", trade="t2") == []
    assert bench.pass_to(100) == []
    assert bench.state(2) == "WORKING"
    assert bench.told(nt.ExitUncovered)[-1].why != "below the venue's least size"
    assert bench.fill(101, 2, "0.99", "4", trade="t3") == []
    assert bench.desk.position.flat


def test_a_rest_below_the_least_size_without_an_order_is_shown_as_uncovered() -> None:
    bench = covered()
    bench.fill(70, 2, "0.99", "6", trade="t2")
    assert bench.cancelled(71, 2, reason=CancelReason.BY_VENUE) == []
    assert bench.pass_to(100) == []
    assert bench.told(nt.ExitUncovered)[-1].why == "below the venue's least size"


def test_a_filled_target_ends_it() -> None:
    bench = covered()
    assert bench.fill(70, 2, "0.99", "10", trade="t2") == []
    assert bench.state(2) == "FILLED"
    assert bench.pass_to(400) == []


def test_a_target_filled_by_the_venues_word_is_not_placed_again_before_its_trade_arrives() -> None:
    """The answer says that ten were sold; the trade is still on the stream. Those ten are not there any more."""
    bench = holding(with_exits(AT_ONCE))
    assert bench.log[-1][1] == "place o2 target SELL UP 10 @ 0.99 GTC"
    assert bench.accepted(60, 2, "10", "9.90") == []
    assert bench.pass_to(62) == []
    assert bench.fill(62, 2, "0.99", "10", trade="t2") == []


def test_a_target_cancelled_with_a_part_sold_is_placed_anew_for_what_is_left() -> None:
    bench = covered()
    bench.hear(70, ev.TickSizeChanged, market=WINDOW.id, tick=Tick(price("0.001")))
    bench.cancelled(71, 2, matched="3", reason=CancelReason.BY_VENUE)
    assert bench.pass_to(73) == [(72, "place o3 target SELL UP 7 @ 0.99 GTC")], "three are sold, their trade is late"
    bench.accepted(73, 3)
    assert bench.fill(74, 2, "0.99", "3", trade="t2") == ["read book"], "the book of the new grid is not here yet"
    assert bench.told(nt.FillBooked)[-1].late


def test_a_venue_that_cancels_the_target_again_and_again_is_not_answered_with_a_storm() -> None:
    bench = covered()
    placed = 0
    for moment_ in range(100):
        at = 70 + moment_ / 10
        order = max(bench.desk.orders)
        if bench.state(order) == "SUBMITTING":
            bench.accepted(at, order)
        if bench.state(order) == "WORKING":
            bench.cancelled(at, order, reason=CancelReason.BY_VENUE)
        placed += len(bench.pass_to(at + 0.05))
    assert 5 <= placed <= 10, "about one a second"


# --- fills that come back ----------------------------------------------------------------------------------------


def test_a_failed_trade_takes_its_shares_back_and_shrinks_the_exit() -> None:
    bench = Bench(with_exits(replace(AT_ONCE, min_age=seconds(5))))
    bench.start(0)
    bench.book(60)
    bench.fill(60, 1, "0.54", "6", MINED, trade="a")
    bench.fill(60, 1, "0.54", "4", MINED, trade="b")
    assert bench.pass_to(65) == [(65, "place o2 target SELL UP 10 @ 0.99 GTC")]
    bench.accepted(65, 2)
    cash = bench.known.cash
    assert bench.fill(70, 1, "0.54", "4", FAILED, trade="b") == ["cancel o2"]
    assert bench.known.cash - cash == usd("2.16") + usd("0.06955"), "paid back, with its fee"
    assert bench.cancelled(71, 2) == ["place o3 target SELL UP 6 @ 0.99 GTC"]
    assert bench.fill(72, 1, "0.54", "4", MINED, trade="b") == [], "failed is final"


def test_a_wholly_failed_entry_leaves_no_orphan_exit() -> None:
    bench = holding(with_exits(AT_ONCE))
    bench.accepted(60, 2)
    bench.hear(61, ev.TradingStateSet, state=TradingState.PAUSED, who="operator", why="no second entry")
    assert bench.fill(70, 1, "0.54", "10", FAILED) == ["cancel o2"]
    assert bench.desk.position.flat
    assert bench.known.cash == usd(1_000)
    assert bench.cancelled(71, 2) == []
    assert bench.pass_to(400) == []


def test_a_fill_during_the_cancel_leaves_the_rest_to_the_stop() -> None:
    bench = covered()
    bench.book(100, "0.30", "0.32")
    assert bench.fill(100.1, 2, "0.99", "4", trade="t2") == []
    assert bench.cancelled(100.2, 2, matched="4") == ["place o3 stop SELL UP 6 @ 0.25 FAK"]


def test_a_fill_after_the_cancel_shrinks_what_is_sold_next() -> None:
    bench = covered()
    bench.book(100, "0.30", "0.32")
    assert bench.cancelled(100.2, 2, matched="4") == ["place o3 stop SELL UP 6 @ 0.25 FAK"], "four are sold by its word"
    assert bench.fill(100.3, 2, "0.99", "4", trade="t2") == []
    note = bench.told(nt.FillBooked)[-1]
    assert (note.late, note.shares) == (True, shares(4))


def test_a_target_filled_whole_while_it_was_cancelled_sells_nothing_more() -> None:
    bench = covered()
    bench.book(100, "0.30", "0.32")
    bench.fill(100.1, 2, "0.99", "10", trade="t2")
    assert bench.hear(100.2, ev.CancelRefused, order=2, text="already matched") == []
    assert bench.pass_to(120) == []


def test_a_fill_reported_twice_counts_once() -> None:
    bench = holding()
    before = (bench.known.cash, bench.desk.position)
    bench.fill(61, 1, "0.54", "10", MINED)
    bench.fill(61, 1, "0.54", "10")
    assert (bench.known.cash, bench.desk.position) == before
    assert len(bench.told(nt.FillBooked)) == 1


def test_a_trade_that_comes_back_with_other_numbers_halts_the_market() -> None:
    bench = covered()
    bench.fill(70, 1, "0.54", "9", CONFIRMED)
    (halt,) = bench.told(nt.MarketHalted)
    assert "trade t1 was 10 @ 0.54, now 9 @ 0.54" in halt.why
    assert bench.state(2) == "WORKING", "exits go on"
    bench.fill(71, 1, "0.54", "9", CONFIRMED)
    assert len(bench.told(nt.MarketHalted)) == 1


def test_a_reading_that_does_not_show_the_shares_yet_leaves_them_unsold_and_is_asked_for_again() -> None:
    bench = Bench(with_exits(AT_ONCE))
    bench.start(0)
    bench.book(60)
    assert bench.fill(60, 1, "0.54", "10", MINED, shown=False) == ["read account"]
    assert bench.hear(60.2, ev.SnapshotTaken, cash=bench.known.cash, settled=(), live=()) == []
    again = bench.pass_to(70)
    assert again, "asked again"
    assert {said for _, said in again} == {"read account"}
    assert bench.shown(70) == ["place o2 target SELL UP 10 @ 0.99 GTC"]
