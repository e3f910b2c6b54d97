"""Readings of the account, and what they prove, through the whole engine."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.ids import OrderId
from polystra.core.units import price, seconds, shares, usd
from tests.core_cases import (
    AT_ONCE,
    CONFIRMED,
    MATCHED,
    MINED,
    RULES,
    Bench,
    covered,
    with_exits,
)
from tests.unit.core.samples import WINDOW
from tests.unit.core.test_engine_doubt import ONLY_ENTRY

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
