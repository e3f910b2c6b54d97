"""Orders and cancels that nobody can answer for, as incidents."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.events import TradingState
from polystra.core.ids import OrderId
from polystra.core.reasons import CancelReason, RefusalReason
from polystra.core.strategy import ExitPolicy
from polystra.core.units import price, seconds, shares, usd
from tests.core_cases import (
    AT_ONCE,
    CONFIRMED,
    MATCHED,
    MINED,
    RULES,
    Bench,
    Wanting,
    covered,
    holding,
    wish,
    with_exits,
)
from tests.unit.core.samples import WINDOW

ONLY_ENTRY = Wanting(wishes=(wish(),), exits=ExitPolicy())


def unanswered() -> Bench:
    """The entry o1 was sent at 60 s and nobody knows what became of it; asked about at once."""
    bench = Bench(ONLY_ENTRY)
    bench.start(0)
    bench.book(60)
    assert bench.hear(60.5, ev.OrderOutcomeUnknown, order=OrderId(1), why="timeout") == ["query o1"]
    return bench


def refused_cancel() -> Bench:
    """The stop holds, and the venue found nothing to cancel at 100.2 s."""
    bench = covered()
    assert bench.book(100, "0.30", "0.32") == ["cancel o2"]
    assert bench.hear(100.2, ev.CancelRefused, order=OrderId(2), text="not found") == ["query o2"]
    return bench


# --- placements --------------------------------------------------------------------------------------------------


def test_an_entry_of_unknown_fate_keeps_its_cash_and_is_asked_about_each_second() -> None:
    bench = unanswered()
    reserved = bench.known.account.reserved
    assert reserved > usd("5.40")
    assert bench.pass_to(63.9) == [(61.5, "query o1"), (62.5, "query o1"), (63.5, "query o1")]
    assert bench.known.account.reserved == reserved
    assert bench.state(1) == "UNKNOWN"


def test_news_of_other_things_does_not_make_it_ask_sooner_or_later() -> None:
    bench = unanswered()
    assert bench.book(61.0, "0.51", "0.53") == []
    assert bench.pass_to(61.4) == []
    assert bench.pass_to(61.5) == [(61.5, "query o1")]


def test_an_unknown_entry_found_resting_is_an_order_like_any_other() -> None:
    bench = unanswered()
    assert bench.hear(61, ev.OrderReported, order=OrderId(1), matched=shares(0)) == []
    assert bench.state(1) == "WORKING"
    assert bench.pass_to(70) == [], "an immediate order is left to its end"


def test_an_unknown_entry_resolved_by_a_late_answer() -> None:
    bench = unanswered()
    assert bench.killed(61, 1, "10", "5.40") == []
    assert bench.state(1) == "FILLED"
    assert bench.pass_to(70) == []


def test_an_unknown_entry_resolved_by_a_late_refusal() -> None:
    bench = unanswered()
    assert bench.refused(61, 1) == []
    assert bench.known.account.reserved == 0
    assert bench.pass_to(62) == [(62, "place o2 entry BUY UP 10 @ 0.54 FAK")]


def test_an_unknown_entry_resolved_by_its_trade() -> None:
    bench = unanswered()
    assert bench.fill(61, 1, "0.54", "10", MINED) == []
    assert bench.state(1) == "FILLED"
    assert bench.known.account.reserved == 0
    assert bench.pass_to(70) == []


def test_not_found_is_believed_only_after_the_patience() -> None:
    bench = unanswered()
    for at in range(61, 120):
        bench.pass_to(at)
        assert bench.hear(at, ev.OrderNotFound, order=OrderId(1)) == []
        assert bench.state(1) == "UNKNOWN"
    bench.pass_to(120)
    assert bench.hear(120, ev.OrderNotFound, order=OrderId(1)) == []
    assert (bench.state(1), bench.known.account.reserved) == ("CANCELLED", 0)
    assert bench.pass_to(121) == [(121, "place o2 entry BUY UP 10 @ 0.54 FAK")], "after a rest"


def test_a_trade_after_an_order_was_given_up_still_counts() -> None:
    bench = unanswered()
    bench.pass_to(120)
    bench.hear(120, ev.OrderNotFound, order=OrderId(1))
    assert bench.fill(120.5, 1, "0.54", "10", MINED) == []
    assert bench.told(nt.FillBooked)[-1].late
    assert bench.desk.position.up.shares == shares(10)
    assert bench.pass_to(200) == [], "the entry is made; nothing more is bought"


def test_a_duplicate_proves_that_the_first_one_landed() -> None:
    """The same bytes again are refused because they are there: a question, not a refusal (SPEC 1)."""
    bench = unanswered()
    bench.refused(61, 1, RefusalReason.DUPLICATED)
    assert bench.state(1) == "UNKNOWN"
    assert bench.known.account.reserved > 0
    assert bench.pass_to(61.5) == [(61.5, "query o1")]


def test_a_target_of_unknown_fate_is_never_sent_twice() -> None:
    bench = holding(with_exits(AT_ONCE))
    assert bench.hear(60.5, ev.OrderOutcomeUnknown, order=OrderId(2), why="timeout") == ["query o2"]
    assert {said for _, said in bench.pass_to(100)} == {"query o2"}
    assert bench.book(100, "0.10", "0.12") == []


def test_a_stop_waits_for_the_fate_of_an_unknown_target() -> None:
    bench = covered()
    bench.cancelled(61, 2, reason=CancelReason.BY_VENUE)
    bench.pass_to(62)
    bench.hear(63, ev.OrderOutcomeUnknown, order=OrderId(3), why="timeout")
    assert {said for _, said in bench.pass_to(99.9)} == {"query o3"}
    assert bench.book(99.9, "0.20", "0.22") == []
    assert {said for _, said in bench.pass_to(110)} == {"query o3", "cancel o3"}, "by its hash, since it may rest"
    assert bench.hear(110, ev.OrderReported, order=OrderId(3), matched=shares(0)) == ["cancel o3"]
    assert bench.cancelled(111, 3) == ["place o4 stop SELL UP 10 @ 0.15 FAK"]


def test_an_answer_to_an_order_that_ended_is_a_contradiction_only_if_it_cannot_be() -> None:
    bench = Bench(ONLY_ENTRY)
    bench.start(0)
    bench.book(60)
    bench.refused(60, 1)
    assert bench.cancelled(60.1, 1, reason=CancelReason.REMAINDER_KILLED) == [], "told twice, in any order"
    assert bench.told(nt.MarketHalted) == []
    bench.accepted(60.2, 1)
    (halt,) = bench.told(nt.MarketHalted)
    assert halt.why == "o1: told 'rests' while REFUSED"
    assert bench.pass_to(70) == [], "no entry in a halted market"
    assert bench.told(nt.EntryDenied)[-1].limit == "market halted"


# --- cancels -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ev.CancelRefused, ev.CancelOutcomeUnknown])
def test_an_unresolved_cancel_is_looked_up_at_once_and_then_each_second(kind: type[ev.Event]) -> None:
    bench = covered()
    bench.book(100, "0.30", "0.32")
    word = {"text": "not found"} if kind is ev.CancelRefused else {"why": "timeout"}
    assert bench.hear(100.2, kind, order=OrderId(2), **word) == ["query o2"]
    assert bench.pass_to(102.5) == [(101.2, "query o2"), (102.2, "query o2")]
    assert bench.state(2) == "CANCELLING"


def test_while_a_cancel_is_unresolved_the_holding_is_shown_as_uncovered() -> None:
    bench = refused_cancel()
    assert bench.told(nt.ExitUncovered)[-1].why == "cancel unresolved"


def test_a_listing_that_overlapped_a_cancel_does_not_disprove_it() -> None:
    bench = covered()
    bench.book(100, "0.30", "0.32")
    assert bench.hear(100.1, ev.OrderReported, order=OrderId(2), matched=shares(0)) == []
    assert bench.state(2) == "CANCELLING"


def test_a_cancel_that_failed_is_tried_again_after_one_two_and_four_seconds_and_then_each_minute() -> None:
    """SPEC L4.A1: a venue that refuses every cancel is not flooded with them."""
    bench = covered()
    bench.book(100, "0.30", "0.32")
    now = 100.0
    for _ in range(3_000):
        if bench.state(2) == "CANCELLING":
            bench.hear(now + 0.05, ev.CancelRefused, order=OrderId(2), text="try later")
            bench.hear(now + 0.1, ev.OrderReported, order=OrderId(2), matched=shares(0))
        now = round(now + 0.1, 1)
        bench.pass_to(now)
        if now > 300:
            break
    tries = [at for at, said in bench.log if said == "cancel o2"]
    assert len(tries) == 7
    assert [round(later - one) for one, later in pairwise(tries)] == [1, 2, 4, 60, 60, 60]
    assert all("place" not in said for at, said in bench.log if at > 100), "nothing is placed beside it"


def test_not_found_after_a_cancel_frees_the_place() -> None:
    bench = refused_cancel()
    assert bench.hear(100.4, ev.OrderNotFound, order=OrderId(2)) == ["place o3 stop SELL UP 10 @ 0.25 FAK"]


def test_a_trade_answers_an_unresolved_cancel() -> None:
    bench = refused_cancel()
    assert bench.fill(100.4, 2, "0.99", "10", trade="t2") == []
    assert bench.state(2) == "FILLED"
    assert bench.pass_to(200) == []


def test_a_young_order_that_is_not_found_may_still_arrive() -> None:
    bench = holding(with_exits(AT_ONCE))
    bench.accepted(60, 2)
    bench.hear(65, ev.OrderNotFound, order=OrderId(2))
    assert bench.state(2) == "WORKING"
    bench.hear(70, ev.OrderNotFound, order=OrderId(2))
    assert bench.state(2) == "CANCELLED"


def test_not_found_of_an_order_that_ended_says_nothing() -> None:
    bench = holding(with_exits(AT_ONCE))
    bench.hear(100, ev.OrderNotFound, order=OrderId(1))
    assert bench.state(1) == "FILLED"


def test_stopped_asks_about_what_it_does_not_know_and_cancels_what_it_finds() -> None:
    bench = Bench(with_exits(AT_ONCE))
    bench.start(0)
    bench.book(60)
    bench.fill(60, 1, "0.54", "10", MINED)
    bench.hear(60.5, ev.OrderOutcomeUnknown, order=OrderId(2), why="timeout")
    bench.hear(61, ev.TradingStateSet, state=TradingState.STOPPED, who="operator", why="enough")
    assert bench.pass_to(61.5) == [(61.5, "cancel o2"), (61.5, "query o2")]
    assert bench.hear(62, ev.OrderReported, order=OrderId(2), matched=shares(0)) == ["cancel o2"]


# --- readings ----------------------------------------------------------------------------------------------------

CASH = "994.42612"
"""1000 - 10 x 0.54 - the fee of taking them."""


def test_a_reading_is_asked_for_each_period() -> None:
    bench = Bench(rules=replace(RULES, reading_every=seconds(60)))
    bench.start(0)
    assert bench.pass_to(200) == [(60, "read account"), (120, "read account"), (180, "read account")]


def test_a_reading_is_asked_for_at_once_when_the_user_stream_is_back() -> None:
    bench = Bench(rules=replace(RULES, reading_every=seconds(60)))
    bench.start(0)
    assert bench.hear(10, ev.StreamRestored, stream=ev.Stream.MARKET) == []
    assert bench.hear(11, ev.StreamRestored, stream=ev.Stream.USER) == ["read account"]
    assert bench.pass_to(71) == [(71, "read account")]


@pytest.mark.parametrize("how", ["reading", "stream"])
def test_a_failed_reading_blocks_entries_until_one_succeeds_and_exits_go_on(how: str) -> None:
    bench = Bench(with_exits(AT_ONCE))
    bench.start(0)
    for at in (10, 11):
        if how == "reading":
            bench.hear(at, ev.SnapshotFailed, why="timeout")
        else:
            bench.hear(at, ev.StreamLost, stream=ev.Stream.USER)
    if how == "reading":
        assert bench.pass_to(59)[0] == (15, "read account"), "soon after it failed"
    assert bench.book(60) == []
    assert bench.told(nt.EntryDenied)[-1].value.startswith("reading the venue failed: ")
    assert len(bench.told(nt.ReadingFailed)) == 1, "said once per cause"
    assert bench.reading(61, "1000") == ["place o1 entry BUY UP 10 @ 0.54 FAK"]
    bench.hear(62, ev.SnapshotFailed, why="timeout")
    assert len(bench.told(nt.ReadingFailed)) == 2, "new again"
    assert bench.fill(63, 1, "0.54", "10", MINED) == ["place o2 target SELL UP 10 @ 0.99 GTC"]


def test_an_order_the_reading_does_not_list_is_asked_about_before_it_is_believed_gone() -> None:
    bench = covered()
    assert bench.reading(65, CASH, "10") == [], "too recent to be missed"
    assert bench.reading(80, CASH, "10") == ["query o2"]
    assert bench.state(2) == "WORKING"
    assert bench.reading(81, CASH, "10", live=(2,)) == []


def confirmed() -> Bench:
    bench = covered()
    bench.fill(61, 1, "0.54", "10", CONFIRMED)
    assert bench.known.cash == usd(CASH)
    return bench


def test_a_small_drift_of_shares_seen_twice_is_written_off_in_the_open() -> None:
    bench = confirmed()
    assert bench.reading(100, CASH, "9.9", live=(2,)) == []
    assert bench.reading(129, CASH, "9.9", live=(2,)) == [], "29 s apart"
    assert bench.reading(130, CASH, "9.9", live=(2,)) == ["cancel o2"]
    (booked,) = bench.told(nt.AdjustmentBooked)
    assert (booked.before, booked.after) == (shares(10), shares("9.9"))
    assert bench.cancelled(131, 2) == ["place o3 target SELL UP 9.9 @ 0.99 GTC"]
    assert bench.desk.position.up.cost == usd("5.57388"), "what they cost is lost, not forgotten"
    assert bench.told(nt.MarketHalted) == []


def test_what_was_written_off_and_is_there_again_is_ours_again() -> None:
    """A balance that was wrong for minutes. More than was ever written off is nobody knows whose."""
    bench = confirmed()
    for at in (100, 130):
        bench.reading(at, CASH, "9.9", live=(2,))
    assert bench.cancelled(131, 2) == ["place o3 target SELL UP 9.9 @ 0.99 GTC"]
    bench.accepted(132, 3)
    for at in (140, 171):
        assert bench.reading(at, CASH, "10.1", live=(3,)) == []
    bench.reading(180, CASH, "10", live=(3,))
    assert bench.reading(211, CASH, "10", live=(3,)) == ["cancel o3"]
    assert [(one.before, one.after) for one in bench.told(nt.AdjustmentBooked)] == [
        (shares(10), shares("9.9")),
        (shares("9.9"), shares(10)),
    ]
    assert bench.cancelled(212, 3) == ["place o4 target SELL UP 10 @ 0.99 GTC"]


def test_a_drift_that_goes_away_between_was_a_lag() -> None:
    bench = confirmed()
    bench.reading(100, CASH, "9.9", live=(2,))
    bench.reading(115, CASH, "10", live=(2,))
    bench.reading(131, CASH, "9.9", live=(2,))
    assert bench.told(nt.AdjustmentBooked) == []


@pytest.mark.parametrize(("there", "found"), [("9.79", True), ("9.8", False), ("0", True), ("10.5", True)])
def test_a_larger_drift_halts_the_market_and_is_said_once(there: str, found: bool) -> None:
    bench = confirmed()
    for at in (100, 131, 170, 210):
        bench.reading(at, CASH, there, live=(2,))
    assert bool(bench.told(nt.MarketHalted)) is found
    assert len(bench.told(nt.DriftFound)) == found
    assert bench.desk.position.up.shares == (shares(10) if found else shares("9.8")), "never written over"


def test_a_drift_found_in_a_market_that_was_halted_before_is_still_said() -> None:
    bench = confirmed()
    bench.desk.halted = "something else"
    for at in (100, 131, 170):
        bench.reading(at, CASH, "5", live=(2,))
    assert len(bench.told(nt.DriftFound)) == 1


def test_shares_that_are_not_confirmed_may_lag_for_as_long_as_they_like() -> None:
    """SPEC 1: two reads count with no trade of the token short of CONFIRMED."""
    bench = covered()
    for at in (100, 140, 180):
        bench.reading(at, CASH, "0", live=(2,))
    assert bench.told(nt.MarketHalted) == []
    bench.fill(190, 1, "0.54", "10", CONFIRMED)
    for at in (200, 240):
        bench.reading(at, CASH, "0", live=(2,))
    assert len(bench.told(nt.MarketHalted)) == 1


def test_dust_below_a_size_step_is_no_drift() -> None:
    bench = confirmed()
    for at in (100, 140):
        bench.reading(at, CASH, "9.990001", live=(2,))
    assert bench.told(nt.AdjustmentBooked) == []


def test_cash_that_differs_twice_stops_entries_and_is_said_once_for_each_difference() -> None:
    bench = Bench(ONLY_ENTRY)
    bench.start(0)
    for at in (10, 41, 75, 110):
        bench.reading(at, "900")
    (drift,) = bench.told(nt.DriftFound)
    assert (drift.subject, drift.ledger, drift.venue) == ("cash", usd(1_000), usd(900))
    assert bench.book(120) == []
    assert bench.told(nt.EntryDenied)[-1].value == "cash differs from the venue's"
    for at in (130, 165):
        bench.reading(at, "800")
    assert len(bench.told(nt.DriftFound)) == 2


def test_cash_that_agrees_again_lets_entries_go_on_and_is_said_once() -> None:
    """The trade behind the difference was heard of late."""
    bench = Bench(ONLY_ENTRY)
    bench.start(0)
    for at in (10, 41, 75):
        bench.reading(at, "900")
    bench.book(80)
    assert bench.told(nt.EntryDenied)[-1].value == "cash differs from the venue's"
    again = [line for at in (110, 111) for line in bench.reading(at, "1000")]
    assert [note.cash for note in bench.told(nt.DriftGone)] == [usd(1_000)]
    assert again == ["place o1 entry BUY UP 10 @ 0.54 FAK"], "without a new book"


def test_the_same_difference_is_said_again_once_it_was_gone() -> None:
    bench = Bench(ONLY_ENTRY)
    bench.start(0)
    for at, there in ((10, "900"), (41, "900"), (75, "1000"), (110, "900"), (120, "900")):
        bench.reading(at, there)
    assert (bench.known.audit.cash_trouble, len(bench.told(nt.DriftFound))) == (None, 1)
    bench.reading(141, "900")
    assert bench.known.audit.cash_trouble
    assert len(bench.told(nt.DriftFound)) == 2


def test_cash_that_agrees_while_a_trade_is_on_its_way_proves_nothing() -> None:
    bench = covered()
    bench.fill(90, 1, "0.54", "10", CONFIRMED)
    for at in (100, 131):
        bench.reading(at, "900", "10", live=(2,))
    assert bench.known.audit.cash_trouble
    bench.fill(140, 2, "0.99", "4", MATCHED, trade="t2")
    cash = f"{bench.known.cash / 10**6}"
    bench.reading(141, cash, "6", live=(2,))
    assert (bench.known.audit.cash_trouble, bench.told(nt.DriftGone)) == ("cash differs from the venue's", [])
    bench.fill(150, 2, "0.99", "4", CONFIRMED, trade="t2")
    bench.reading(151, "900", "6", live=(2,))
    assert bench.told(nt.DriftGone) == []
    bench.reading(152, cash, "6", live=(2,))
    assert bench.known.audit.cash_trouble is None


def test_a_halted_market_does_not_halt_another() -> None:
    bench = confirmed()
    for at in (100, 131):
        bench.reading(at, CASH, "5", live=(2,))
    assert bench.told(nt.MarketHalted)
    assert bench.known.audit.cash_trouble is None
    assert bench.known.readings.blind is None


def test_price_is_what_a_target_is_about() -> None:
    assert covered().desk.orders[OrderId(2)].terms.price == price("0.99")
    assert WINDOW.tick.highest == price("0.99")
