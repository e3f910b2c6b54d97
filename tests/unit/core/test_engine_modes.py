"""What is done while the venue takes less than everything, while clocks disagree, and where trading is blocked."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.events import TradingState
from polystra.core.ids import OrderId
from polystra.core.reasons import CancelReason, RefusalReason
from polystra.core.terms import Outcome, TimeInForce
from polystra.core.units import price, seconds, shares, usd
from tests.core_cases import AT_ONCE, STOP, Bench, Wanting, another, covered, holding, wish, with_exits
from tests.unit.core.samples import WINDOW

RATE_LIMITED, POST_ONLY = RefusalReason.RATE_LIMITED, RefusalReason.POST_ONLY_MODE
CANCEL_ONLY, CLOSED_ONLY = RefusalReason.CANCEL_ONLY_MODE, RefusalReason.CLOSED_ONLY
ENTRY = "entry BUY UP 10 @ 0.54 FAK"
TARGET = "target SELL UP 10 @ 0.99 GTC"
NOTHING_TAKEN = "the venue takes no orders"


def refuse(bench: Bench, at: float, order: int, reason: RefusalReason, retry_after: float | None = None) -> list[str]:
    wait = None if retry_after is None else seconds(retry_after)
    return bench.hear(at, ev.OrderRefused, order=OrderId(order), reason=reason, text="no", retry_after=wait)


def asking() -> Bench:
    """The entry o1 left at 60 s and has no answer yet."""
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    assert bench.book(60) == [f"place o1 {ENTRY}"]
    return bench


def selling() -> Bench:
    """Ten shares held, whose target o2 left at 60 s and has no answer yet; a stop at 0.30 watches."""
    bench = holding(with_exits(replace(AT_ONCE, stop=STOP)))
    assert bench.log[-1][1] == f"place o2 {TARGET}"
    return bench


def looked(bench: Bench, at: float, *, blocked: bool) -> list[str]:
    return bench.hear(at, ev.GeoblockRead, blocked=blocked, place="US NY")


def modes_said(bench: Bench) -> list[tuple[str, str]]:
    return [(note.before, note.after) for note in bench.told(nt.VenueModeChanged)]


# --- entries -----------------------------------------------------------------------------------------------------


def test_a_mode_stops_entries_for_as_long_as_the_venue_says_and_punishes_no_slot() -> None:
    bench = asking()
    assert refuse(bench, 60.5, 1, RATE_LIMITED, retry_after=5) == []
    assert bench.told(nt.SlotSuspended) == [], "nothing was wrong with the order"
    assert modes_said(bench) == [("open", "rate limited")]
    assert bench.book(61, "0.51", "0.54") == []
    assert bench.pass_to(65.4) == []
    assert bench.pass_to(65.5) == [(65.5, f"place o2 {ENTRY}")]


def test_without_its_word_the_engine_asks_again_after_one_two_and_four_seconds() -> None:
    bench, at = asking(), 60.0
    for order, wait in ((1, 1), (2, 2), (3, 4)):
        assert refuse(bench, at, order, RefusalReason.RESTARTING) == []
        at += wait
        assert bench.pass_to(at) == [(at, f"place o{order + 1} {ENTRY}")]
    assert bench.killed(at, 4, "10", "5.40") == []
    assert modes_said(bench) == [("open", "restarting"), ("restarting", "open")]


def test_a_refusal_of_one_order_alone_punishes_its_slot_and_is_no_mode() -> None:
    bench = asking()
    assert refuse(bench, 60, 1, RefusalReason.OTHER, retry_after=30) == []
    assert modes_said(bench) == []
    assert bench.pass_to(61) == [(61, f"place o2 {ENTRY}")]


def test_a_mode_learned_in_one_market_stops_the_entries_of_another() -> None:
    bench, second = asking(), another("0x02")
    refuse(bench, 60, 1, CANCEL_ONLY, retry_after=30)
    assert bench.hear(61, ev.MarketListed, market=second) == ["follow"]
    bids, asks = ((price("0.52"), shares(1_000)),), ((price("0.54"), shares(1_000)),)
    assert bench.hear(62, ev.BookSnapshot, market=second.id, bids=bids, asks=asks) == []
    assert bench.pass_to(89.9) == []
    assert sorted(said for _, said in bench.pass_to(90)) == [f"place o2 {ENTRY}", f"place o3 {ENTRY}"]


def test_a_resting_entry_stays_through_a_mode_as_long_as_it_is_wanted() -> None:
    wishes = wish("0.50", time_in_force=TimeInForce.GTC), wish("0.46", Outcome.DOWN, time_in_force=TimeInForce.GTC)
    bench = Bench(Wanting(wishes=wishes))
    bench.start(0)
    assert len(bench.book(60)) == 2
    bench.accepted(60, 1)
    assert refuse(bench, 61, 2, CANCEL_ONLY, retry_after=5) == [], "it could not be placed again"
    assert bench.state(1) == "WORKING"


def test_an_order_that_was_on_its_way_when_the_mode_was_learned_does_not_end_it() -> None:
    wishes = wish("0.50", time_in_force=TimeInForce.GTC), wish("0.46", Outcome.DOWN, time_in_force=TimeInForce.GTC)
    bench = Bench(Wanting(wishes=wishes))
    bench.start(0)
    bench.book(60)
    assert refuse(bench, 61, 1, RATE_LIMITED, retry_after=10) == []
    assert bench.accepted(61.1, 2) == []
    assert bench.pass_to(70.9) == [], "the venue asked for ten seconds, and one answer from before changes nothing"
    assert len(bench.pass_to(71)) == 1


# --- sells -------------------------------------------------------------------------------------------------------


def test_what_rests_to_sell_stays_in_a_mode_since_it_could_not_be_placed_again() -> None:
    bench = covered()
    bench.hear(61, ev.MarketListed, market=another("0x02"))
    _learn_elsewhere(bench, 62, CANCEL_ONLY, retry_after=60)
    assert bench.book(100, "0.20", "0.22") == [], "the stop holds, and its order would not be taken"
    assert bench.state(2) == "WORKING"
    assert bench.told(nt.StopTriggered) == []
    assert bench.pass_to(121.9) == []
    assert bench.pass_to(122)[0] == (122, "cancel o2"), "and now it is"


def _learn_elsewhere(bench: Bench, at: float, reason: RefusalReason, retry_after: float) -> None:
    """An entry in another market is refused for a mode."""
    bids, asks = ((price("0.52"), shares(1_000)),), ((price("0.54"), shares(1_000)),)
    said = bench.hear(at, ev.BookSnapshot, market=another("0x02").id, bids=bids, asks=asks)
    assert said == [f"place o3 {ENTRY}"]
    assert refuse(bench, at, 3, reason, retry_after) == []


def test_a_sell_refused_for_a_mode_leaves_the_holding_uncovered_in_the_open_until_the_mode_ends() -> None:
    bench = selling()
    assert refuse(bench, 61, 2, CANCEL_ONLY, retry_after=40) == []
    assert bench.told(nt.ExitUncovered)[-1].why == NOTHING_TAKEN
    assert bench.book(70, "0.20", "0.22") == []
    assert bench.pass_to(100.9) == []
    assert bench.pass_to(101) == [(101, "place o3 stop SELL UP 10 @ 0.15 FAK")]


def test_in_post_only_mode_the_target_is_post_only_and_a_stop_waits() -> None:
    bench = selling()
    assert refuse(bench, 61, 2, POST_ONLY, retry_after=60) == [f"place o3 {TARGET} post-only"]
    assert bench.accepted(61, 3) == []
    assert bench.book(100, "0.20", "0.22") == []
    assert bench.told(nt.ExitUncovered)[-1].why == "stop waits: the venue takes resting orders alone"
    assert bench.pass_to(120.9) == []
    assert bench.pass_to(121) == [(121, "cancel o3")], "the mode is over as far as we know, and the stop holds"


def test_in_closed_only_mode_sells_go_on_and_entries_do_not() -> None:
    bench = asking()
    refuse(bench, 60, 1, CLOSED_ONLY, retry_after=300)
    assert bench.fill(61, 1, "0.54", "10") == [], "it had been filled before"
    assert bench.pass_to(100) == []
    held = selling()
    held.hear(61, ev.MarketListed, market=another("0x02"))
    held.accepted(61, 2)
    _learn_elsewhere(held, 62, CLOSED_ONLY, retry_after=300)
    assert held.book(100, "0.20", "0.22") == ["cancel o2"]
    assert held.cancelled(101, 2) == ["place o4 stop SELL UP 10 @ 0.15 FAK"]
    assert held.killed(101, 4, "10", "2") == [], "a sell that is taken does not end the mode"
    assert modes_said(held) == [("open", "closed-only")]


@pytest.mark.parametrize(("reason", "again"), [(CLOSED_ONLY, TARGET), (POST_ONLY, f"{TARGET} post-only")])
def test_a_sell_that_the_mode_should_allow_and_the_venue_refuses_is_not_stormed(
    reason: RefusalReason, again: str
) -> None:
    bench = selling()
    if reason is POST_ONLY:
        assert refuse(bench, 60, 2, reason, retry_after=300) == [f"place o3 {again}"]
    order = 3 if reason is POST_ONLY else 2
    assert refuse(bench, 60, order, reason, retry_after=300) == []
    assert bench.pass_to(61) == [(61, f"place o{order + 1} {again}")], "its slot rests, as after any refusal"
    assert refuse(bench, 61, order + 1, reason, retry_after=300) == []
    assert bench.pass_to(63) == [(63, f"place o{order + 2} {again}")]


# --- clock and place ---------------------------------------------------------------------------------------------


def test_a_wrong_clock_opens_nothing_and_goes_on_selling() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    assert bench.hear(1, ev.ClockCompared, ahead=seconds(11)) == []
    assert bench.book(60) == []
    assert bench.told(nt.EntryDenied)[-1].value == "the machine's clock is +11.0 s off the venue's"
    assert bench.hear(61, ev.ClockCompared, ahead=seconds(10)) == [f"place o1 {ENTRY}"], "ten seconds are allowed"
    held = covered()
    assert held.hear(70, ev.ClockCompared, ahead=seconds(-11)) == []
    assert held.book(100, "0.20", "0.22") == ["cancel o2"]
    assert held.cancelled(101, 2) == ["place o3 stop SELL UP 10 @ 0.15 FAK"]


def test_where_trading_is_blocked_nothing_is_placed_and_what_rests_stays() -> None:
    bench = covered()
    assert looked(bench, 70, blocked=True) == []
    assert bench.book(100, "0.20", "0.22") == []
    assert bench.cancelled(110, 2, reason=CancelReason.BY_VENUE) == []
    assert bench.told(nt.ExitUncovered)[-1].why == NOTHING_TAKEN
    assert bench.pass_to(300) == []
    assert looked(bench, 300, blocked=False) == ["place o3 stop SELL UP 10 @ 0.15 FAK"]
    assert modes_said(bench) == [("allowed here", "blocked in US NY"), ("blocked in US NY", "allowed here")]


def test_where_trading_is_blocked_a_resting_entry_is_taken_back() -> None:
    bench = Bench(Wanting(wishes=(wish("0.50", time_in_force=TimeInForce.GTC),)))
    bench.start(0)
    bench.book(60)
    bench.accepted(60, 1)
    assert looked(bench, 70, blocked=True) == ["cancel o1"]
    assert bench.cancelled(71, 1) == []
    assert bench.pass_to(200) == []


# --- what the wallet approved ------------------------------------------------------------------------------------


def test_cash_that_the_exchange_may_not_take_buys_nothing_until_it_may() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    bench.reading(1, "1000", allowance=usd(5))
    assert bench.book(60) == []
    assert bench.told(nt.EntryDenied)[-1].limit == "allowance"
    assert bench.reading(61, "1000", allowance=usd(6)) == [f"place o1 {ENTRY}"]


# --- every order at once -----------------------------------------------------------------------------------------


def test_a_closed_market_whose_cancel_failed_is_swept_once() -> None:
    bench = covered()
    assert bench.hear(900, ev.MarketClosed, market=WINDOW.id) == ["cancel o2"]
    assert bench.hear(900.5, ev.CancelRefused, order=OrderId(2), text="not found") == ["cancel market", "query o2"]
    assert bench.hear(900.6, ev.OrderReported, order=OrderId(2), matched=shares(0)) == []
    assert bench.pass_to(901.5) == [(901.5, "cancel o2")]
    assert bench.hear(902, ev.CancelOutcomeUnknown, order=OrderId(2), why="timeout") == ["query o2"]
    assert bench.cancelled(902.5, 2) == []
    assert bench.pass_to(1_000) == []


def test_a_cancel_that_failed_before_the_close_and_of_an_order_that_ended_sweeps_nothing() -> None:
    bench = covered()
    assert bench.book(100, "0.20", "0.22") == ["cancel o2"]
    assert bench.hear(100.1, ev.CancelRefused, order=OrderId(2), text="not found") == ["query o2"]
    assert bench.cancelled(100.2, 2) == ["place o3 stop SELL UP 10 @ 0.15 FAK"]
    assert bench.hear(101, ev.MarketClosed, market=WINDOW.id) == [], "o3 is at once or not at all"


def test_stopped_asks_for_everything_to_be_cancelled_each_time_it_is_said_and_armed_does_not() -> None:
    bench = Bench()
    bench.start(0)
    stop = {"state": TradingState.STOPPED, "who": "operator", "why": "enough"}
    assert bench.hear(70, ev.TradingStateSet, **stop) == ["cancel all"]
    assert bench.pass_to(100) == []
    assert bench.hear(100, ev.TradingStateSet, **stop) == ["cancel all"]
    assert bench.hear(101, ev.TradingStateSet, state=TradingState.ARMED, who="operator", why="back") == []
