"""Orders and cancels that nobody can answer for, as incidents."""

from __future__ import annotations

from itertools import pairwise

import pytest

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.events import TradingState
from polystra.core.ids import OrderId
from polystra.core.reasons import CancelReason, RefusalReason
from polystra.core.strategy import ExitPolicy
from polystra.core.units import shares, usd
from tests.core_cases import (
    AT_ONCE,
    MINED,
    Bench,
    Wanting,
    covered,
    holding,
    wish,
    with_exits,
)

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
