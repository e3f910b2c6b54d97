"""Untrusted books, refusals and the states of the trader, as incidents."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.events import TradingState
from polystra.core.reasons import RefusalReason
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Tick, price, seconds, shares, usd
from tests.core_cases import (
    AT_ONCE,
    MINED,
    RULES,
    STOP,
    Bench,
    Wanting,
    covered,
    holding,
    wish,
    with_exits,
)
from tests.unit.core.samples import WINDOW

# --- states of the trader ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [TradingState.PAUSED, TradingState.REDUCE_ONLY])
def test_paused_and_reduce_only_open_nothing_and_keep_selling(state: TradingState) -> None:
    bench = holding(with_exits(AT_ONCE))
    bench.refused(60, 2)
    bench.hear(60, ev.TradingStateSet, state=state, who="operator", why="lunch")
    assert bench.pass_to(61) == [(61, "place o3 target SELL UP 10 @ 0.99 GTC")]
    fresh = Bench(Wanting(wishes=(wish(),)))
    fresh.start(0)
    fresh.hear(1, ev.TradingStateSet, state=state, who="operator", why="lunch")
    assert fresh.book(60) == []
    assert fresh.told(nt.EntryDenied)[-1].value == state
    assert fresh.hear(61, ev.TradingStateSet, state=TradingState.ARMED, who="operator", why="back") == [
        "place o1 entry BUY UP 10 @ 0.54 FAK"
    ]
    assert [(note.before, note.after) for note in fresh.told(nt.StateChanged)] == [
        (TradingState.ARMED, state),
        (state, TradingState.ARMED),
    ]


def test_stopped_takes_everything_back_and_places_nothing() -> None:
    bench = covered()
    stop = {"state": TradingState.STOPPED, "who": "operator", "why": "enough"}
    assert bench.hear(70, ev.TradingStateSet, **stop) == ["cancel o2", "cancel all"]
    assert bench.cancelled(71, 2) == []
    assert bench.book(72, "0.10", "0.12") == []
    assert bench.pass_to(200) == []


def test_stopped_cancels_an_order_whose_answer_comes_later() -> None:
    bench = holding(with_exits(AT_ONCE))
    stop = {"state": TradingState.STOPPED, "who": "operator", "why": "enough"}
    assert bench.hear(60.1, ev.TradingStateSet, **stop) == ["cancel all"], "o2 has no answer yet"
    assert bench.accepted(60.2, 2) == ["cancel o2"]


# --- books that cannot be trusted --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", ["no snapshot", "crossed", "silent", "stream lost", "best differs", "off grid", "quote", "tick"]
)
def test_an_untrusted_book_opens_nothing_stops_nothing_and_keeps_the_target(trouble: str) -> None:
    rules = replace(RULES, book_patience=seconds(10))
    for fresh in (True, False):
        bench = Bench(with_exits(replace(AT_ONCE, stop=STOP)), rules)
        bench.start(0)
        if not fresh:
            bench.book(60)
            bench.fill(60, 1, "0.54", "10", MINED)
            bench.accepted(60, 2)
        bid = "0.53" if fresh else "0.20"
        seen = len(bench.log)
        _spoil(bench, trouble, bid)
        bench.pass_to(110)
        assert {said for _, said in bench.log[seen:]} <= (set() if fresh else {"read book"})
        if not fresh:
            assert bench.state(2) == "WORKING"


def _spoil(bench: Bench, trouble: str, bid: str) -> None:
    market, lots = WINDOW.id, shares(100)
    ask = f"0.{int(bid[2:]) + 1}"
    match trouble:
        case "crossed":
            bench.book(99.9, ask, bid)
        case "silent":
            bench.pass_to(100)
            if bid == "0.20":
                return
            bench.hear(100, ev.Woke)
        case "stream lost":
            bench.hear(99.9, ev.StreamLost, stream=ev.Stream.MARKET)
        case "best differs":
            change = ev.LevelChange(Side.BUY, price(bid), lots)
            bench.hear(99.9, ev.BookChanged, market=market, changes=(change,), best_bid=price("0.01"))
        case "off grid":
            bids = ((price(bid) + 1, lots),)
            bench.hear(99.9, ev.BookSnapshot, market=market, bids=bids, asks=((price(ask), lots),))
        case "quote":
            bench.hear(99.9, ev.BestQuoted, market=market, bid=price(bid), ask=price(ask))
        case "tick":
            bench.hear(99.9, ev.TickSizeChanged, market=market, tick=Tick(price("0.001")))


def test_a_stop_is_decided_at_the_event_that_makes_the_book_good_again() -> None:
    """H1: a book that comes back below the stop must not wait for the next look."""
    bench = covered()
    bench.hear(100, ev.StreamLost, stream=ev.Stream.MARKET)
    bench.pass_to(110.3)
    assert bench.book(110.5, "0.20", "0.22") == ["cancel o2"]


def test_a_crossed_book_that_uncrosses_below_the_stop_sells_at_once() -> None:
    bench = covered()
    assert bench.book(100, "0.35", "0.25") == []
    bench.pass_to(100.3)
    assert bench.book(100.4, "0.24", "0.25") == ["cancel o2"]


def test_a_tick_change_in_mid_window_lifts_what_was_refused_for_the_old_grid() -> None:
    bench = holding(with_exits(AT_ONCE))
    bench.refused(60, 2, RefusalReason.OFF_TICK)
    assert bench.hear(60.2, ev.TickSizeChanged, market=WINDOW.id, tick=Tick(price("0.001"))) == [
        "place o3 target SELL UP 10 @ 0.99 GTC"
    ]


def test_another_refusal_is_not_lifted_by_a_tick_change() -> None:
    bench = holding(with_exits(AT_ONCE))
    bench.refused(60, 2, RefusalReason.OTHER)
    assert bench.hear(60.2, ev.TickSizeChanged, market=WINDOW.id, tick=Tick(price("0.001"))) == []


def test_a_balance_refusal_is_lifted_when_shares_are_mined() -> None:
    bench = Bench(with_exits(AT_ONCE))
    bench.start(0)
    bench.book(60)
    bench.fill(60, 1, "0.54", "6", MINED, trade="a")
    bench.fill(60, 1, "0.54", "4", trade="b")
    bench.refused(60, 2, RefusalReason.NOT_ENOUGH_BALANCE)
    assert bench.fill(60.1, 1, "0.54", "4", MINED, trade="b") == ["place o3 target SELL UP 6 @ 0.99 GTC"]
    assert bench.accepted(60.2, 3) == ["cancel o3"], "the balance shows all ten by now"


def test_a_balance_refusal_is_lifted_by_a_reading_at_once() -> None:
    bench = holding(with_exits(AT_ONCE))
    for order in (2, 3, 4):
        bench.refused(bench.log[-1][0], order, RefusalReason.NOT_ENOUGH_BALANCE)
        bench.pass_to(60 + 2 ** (order - 1) - 1)
    bench.refused(67, 5, RefusalReason.NOT_ENOUGH_BALANCE)
    assert bench.reading(68, "994.42612", "10") == ["place o6 target SELL UP 10 @ 0.99 GTC"]


def test_an_order_that_was_not_sent_lets_its_slot_rest() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    bench.book(60)
    assert bench.hear(60, ev.OrderNotSent, order=1, why="disk full") == []
    assert bench.state(1) == "REFUSED"
    assert bench.known.account.reserved == 0
    assert bench.pass_to(61) == [(61, "place o2 entry BUY UP 10 @ 0.54 FAK")]


def test_an_expired_order_lets_its_slot_rest() -> None:
    bench = covered()
    assert bench.hear(70, ev.OrderExpired, order=2) == []
    assert bench.pass_to(71) == [(71, "place o3 target SELL UP 10 @ 0.99 GTC")]


def test_a_resting_entry_stays_while_nothing_changes_and_leaves_when_time_is_short() -> None:
    """Its own reservation is neither spent twice nor a second open position."""
    rules = replace(RULES, limits=replace(RULES.limits, max_open_positions=1))
    rules = replace(rules, stakes=replace(rules.stakes, max_stake=usd(500)))
    bench = Bench(Wanting(wishes=(wish("0.50", time_in_force=TimeInForce.GTC),)), rules)
    bench.start(0)
    assert bench.book(60) == ["place o1 entry BUY UP 50 @ 0.5 GTC post-only"]
    assert bench.accepted(60, 1) == []
    assert bench.book(61, "0.51", "0.53") == []
    assert bench.pass_to(884) == []
    assert bench.told(nt.EntryDenied)[1:] == []
    ((at, said),) = bench.pass_to(886)
    assert said == "cancel o1"
    assert 885 < at < 885.01


def test_a_resting_entry_is_taken_back_within_a_second_of_the_book_going_silent() -> None:
    rules = replace(RULES, book_patience=seconds(10))
    bench = Bench(Wanting(wishes=(wish("0.50", time_in_force=TimeInForce.GTC),)), rules)
    bench.start(0)
    bench.book(60)
    bench.accepted(60, 1)
    ((at, said),) = bench.pass_to(75)
    assert said == "cancel o1"
    assert 70 < at <= 71


def test_an_order_that_was_given_up_and_is_listed_all_the_same_is_cancelled() -> None:
    """It arrived after all: nobody watches it any more, so it must not stay."""
    bench = holding(with_exits(AT_ONCE))
    bench.accepted(60, 2)
    bench.hear(70, ev.OrderNotFound, order=2)
    bench.pass_to(71)
    assert bench.state(2) == "CANCELLED"
    bench.accepted(71, 3)
    assert bench.reading(75, "994.42612", "10", live=(2, 3)) == [], "the listing may be older than that news"
    assert bench.reading(90, "994.42612", "10", live=(2, 3)) == ["cancel o2"]
    assert bench.cancelled(90.1, 2) == []
    assert bench.state(3) == "WORKING"
