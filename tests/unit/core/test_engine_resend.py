"""A resting order that may never have arrived: the same bytes again, at most twice, and never another in its place."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.events import TradingState
from polystra.core.ids import OrderId
from polystra.core.lifecycle import MOST_RESENDS
from polystra.core.reasons import RefusalReason
from polystra.core.restored import RestoredFill, RestoredOrder
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import TimeInForce
from polystra.core.units import seconds, shares
from tests.core_cases import AT_ONCE, STOP, Bench, Wanting, covered, holding, moment, wish, with_exits
from tests.unit.core.samples import WINDOW

TARGET = "target SELL UP 10 @ 0.99 GTC"
RESTING = Wanting(wishes=(wish("0.50", time_in_force=TimeInForce.GTC),), exits=ExitPolicy())


def unanswered() -> Bench:
    """Ten shares held; the target o2 was sent at 60 s and nobody knows what became of it; asked about at once."""
    bench = holding(with_exits(replace(AT_ONCE, stop=STOP)))
    assert bench.log[-1][1] == f"place o2 {TARGET}"
    assert bench.hear(60.5, ev.OrderOutcomeUnknown, order=OrderId(2), why="timeout") == ["query o2"]
    return bench


def resent() -> Bench:
    """The same, sent again at 61 s because the venue did not know it."""
    bench = unanswered()
    assert not_found(bench, 61) == ["resend o2"]
    return bench


def not_found(bench: Bench, at: float, order: int = 2) -> list[str]:
    return bench.hear(at, ev.OrderNotFound, order=OrderId(order))


# --- when --------------------------------------------------------------------------------------------------------


def test_a_target_that_the_venue_does_not_know_is_sent_again_as_it_is() -> None:
    bench = resent()
    assert bench.state(2) == "UNKNOWN"
    assert bench.accepted(61.5, 2) == []
    assert bench.state(2) == "WORKING"
    assert bench.pass_to(100) == []


def test_a_resting_entry_is_sent_again_too() -> None:
    bench = Bench(RESTING)
    bench.start(0)
    assert len(bench.book(60)) == 1
    assert bench.hear(60.5, ev.OrderOutcomeUnknown, order=OrderId(1), why="timeout") == ["query o1"]
    assert not_found(bench, 61, 1) == ["resend o1"]


def test_an_immediate_order_is_never_sent_again_since_it_may_have_been_killed() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    bench.book(60)
    bench.hear(60.5, ev.OrderOutcomeUnknown, order=OrderId(1), why="timeout")
    assert not_found(bench, 61, 1) == []
    assert bench.pass_to(62) == [(61.5, "query o1")]


def test_an_order_that_the_venue_knows_is_not_sent_again() -> None:
    bench = unanswered()
    assert bench.hear(61, ev.OrderReported, order=OrderId(2), matched=shares(0)) == []
    assert bench.state(2) == "WORKING"
    assert not_found(bench, 61.5) == [], "now it is young and may be missing from an answer"


def test_an_order_without_an_answer_yet_is_not_sent_again() -> None:
    bench = holding(with_exits(AT_ONCE))
    assert not_found(bench, 60.5) == []
    assert bench.state(2) == "SUBMITTING"


def test_an_order_that_is_not_wanted_any_more_is_cancelled_by_its_hash_instead() -> None:
    bench = unanswered()
    stop = {"state": TradingState.STOPPED, "who": "operator", "why": "enough"}
    bench.hear(61, ev.TradingStateSet, **stop)
    assert "resend o2" not in not_found(bench, 61.2)
    assert {said for _, said in bench.pass_to(65)} == {"query o2", "cancel o2"}


def test_a_market_that_closed_gets_nothing_sent_again() -> None:
    bench = unanswered()
    bench.hear(61, ev.MarketClosed, market=WINDOW.id)
    assert "resend o2" not in not_found(bench, 61.2)


def test_a_process_that_did_not_sign_it_does_not_send_it_again() -> None:
    """The bytes went with the process that made them; the hash alone can be asked about."""
    signed = covered().desk.orders
    orders = tuple(
        RestoredOrder(order=one.id, terms=one.terms, decided_at=one.decided_at, ended=one.state.ended)
        for one in signed.values()
    )
    fills = tuple(
        RestoredFill(
            order=one.id,
            trade=fill.trade,
            price=fill.price,
            shares=fill.shares,
            liquidity=fill.liquidity,
            stage=fill.stage,
            filled_at=fill.at,
        )
        for one in signed.values()
        for fill in one.fills
    )
    bench = Bench(with_exits(AT_ONCE))
    cash = covered().known.cash
    loaded = {"next_order": OrderId(3), "cash": cash, "markets": (WINDOW,), "orders": orders, "fills": fills}
    bench.hear(60.5, ev.LedgerLoaded, **loaded)
    held = (ev.HeldShares(WINDOW.id, orders[0].terms.outcome, shares(10)),)
    bench.hear(61, ev.SnapshotTaken, cash=cash, settled=held, live=())
    bench.hear(61, ev.Started)
    assert bench.state(2) == "UNKNOWN"
    assert not_found(bench, 61.5) == []
    assert {said for _, said in bench.pass_to(65)} <= {"query o2", "read account"}


def test_a_cancel_by_its_hash_that_fails_once_it_is_known_to_rest_is_a_question_and_no_contradiction() -> None:
    bench = Bench(RESTING)
    bench.start(0)
    bench.book(60)
    bench.hear(60.5, ev.OrderOutcomeUnknown, order=OrderId(1), why="timeout")
    assert bench.hear(60.6, ev.GeoblockRead, blocked=True, place="US") == []
    assert bench.pass_to(61.5) == [(61.5, "cancel o1"), (61.5, "query o1")]
    assert bench.hear(61.6, ev.GeoblockRead, blocked=False, place="IE") == []
    assert bench.accepted(61.7, 1) == []
    assert bench.hear(61.8, ev.CancelRefused, order=OrderId(1), text="not found") == []
    assert (bench.state(1), bench.desk.halted) == ("CANCELLING", None)
    assert bench.pass_to(62.5) == [(62.5, "query o1")]
    assert bench.hear(62.6, ev.OrderReported, order=OrderId(1), matched=shares(0)) == []
    assert bench.state(1) == "WORKING"


# --- how often ---------------------------------------------------------------------------------------------------


def test_it_is_sent_again_twice_at_most_and_no_other_in_its_place() -> None:
    bench = resent()
    assert bench.pass_to(62) == [(62, "query o2")]
    assert not_found(bench, 62.1) == ["resend o2"]
    at = 62.1
    for _ in range(50):
        at += 1
        bench.pass_to(at)
        assert not_found(bench, at) == []
    assert sum(said == "resend o2" for _, said in bench.log) == MOST_RESENDS
    assert not any(said.startswith("place o3") for _, said in bench.log)
    assert bench.state(2) == "UNKNOWN"


def test_it_is_not_sent_again_before_the_venue_said_again_that_it_does_not_know_it() -> None:
    bench = resent()
    assert bench.book(61.2, "0.51", "0.53") == []
    assert bench.hear(61.5, ev.OrderOutcomeUnknown, order=OrderId(2), why="timeout") == []
    assert bench.pass_to(63) == [(62, "query o2"), (63, "query o2")]


# --- what is said of a copy --------------------------------------------------------------------------------------


def test_a_duplicate_proves_that_it_is_there_and_is_looked_up() -> None:
    bench = resent()
    assert bench.refused(61.2, 2, RefusalReason.DUPLICATED) == []
    assert bench.state(2) == "UNKNOWN"
    assert bench.pass_to(62) == [(62, "query o2")]
    assert bench.hear(62.1, ev.OrderReported, order=OrderId(2), matched=shares(0)) == []
    assert bench.state(2) == "WORKING"


@pytest.mark.parametrize("reason", [RefusalReason.OTHER, RefusalReason.NOT_ENOUGH_BALANCE, RefusalReason.RATE_LIMITED])
def test_a_refusal_of_the_second_copy_proves_nothing_about_the_first(reason: RefusalReason) -> None:
    """The first may still arrive: another order beside it would sell the same shares twice."""
    bench = resent()
    assert bench.refused(61.2, 2, reason) == []
    assert bench.state(2) == "UNKNOWN"
    assert {said for _, said in bench.pass_to(65)} == {"query o2"}
    assert bench.accepted(66, 2) == []
    assert bench.state(2) == "WORKING"


def test_a_copy_that_could_not_be_sent_proves_nothing_and_is_no_contradiction() -> None:
    bench = resent()
    assert bench.hear(61.2, ev.OrderNotSent, order=OrderId(2), why="no connection") == []
    assert (bench.state(2), bench.desk.halted) == ("UNKNOWN", None)


def test_a_refusal_of_an_order_that_was_sent_once_is_believed() -> None:
    bench = unanswered()
    bench.refused(61, 2, RefusalReason.OTHER)
    assert bench.state(2) == "REFUSED"


def test_a_copy_may_arrive_for_as_long_as_the_first_one_might() -> None:
    """Given up 60 s after it last left, not after it was decided."""
    bench = unanswered()
    bench.pass_to(110)
    assert not_found(bench, 110) == ["resend o2"]
    assert not_found(bench, 110.5) == ["resend o2"]
    bench.refused(110.6, 2, RefusalReason.NOT_ENOUGH_BALANCE)
    bench.pass_to(170.4)
    assert not_found(bench, 170.4) == []
    assert bench.state(2) == "UNKNOWN"
    bench.pass_to(170.5)
    assert not_found(bench, 170.5) == []
    assert bench.state(2) == "CANCELLED"
    assert bench.pass_to(171.5) == [(171.5, f"place o3 {TARGET}")], "now another is signed, after a rest"


# --- while the venue takes nothing -------------------------------------------------------------------------------


def test_where_trading_is_blocked_nothing_is_sent_again_until_it_is_allowed() -> None:
    bench = unanswered()
    assert bench.hear(60.8, ev.GeoblockRead, blocked=True, place="US") == []
    assert not_found(bench, 61) == []
    bench.pass_to(70)
    assert bench.hear(70, ev.GeoblockRead, blocked=False, place="IE") == ["resend o2"]


@pytest.mark.parametrize("reason", [RefusalReason.CANCEL_ONLY_MODE, RefusalReason.POST_ONLY_MODE])
def test_a_copy_refused_for_a_mode_waits_until_the_mode_is_over(reason: RefusalReason) -> None:
    bench = resent()
    bench.hear(61.5, ev.OrderRefused, order=OrderId(2), reason=reason, text="no", retry_after=seconds(10))
    assert not_found(bench, 61.8) == []
    said = bench.pass_to(71.5)
    assert said[-1] == (71.5, "resend o2")
    assert {what for _, what in said[:-1]} == {"query o2"}
    assert bench.told(nt.SlotSuspended) == []


def test_when_it_left_last_is_told_from_when_it_was_decided() -> None:
    order = resent().desk.orders[OrderId(2)]
    assert (order.decided_at, order.sent_at, order.resends) == (moment(60), moment(61), MOST_RESENDS - 1)
    assert covered().desk.orders[OrderId(2)].sent_at == moment(60)
