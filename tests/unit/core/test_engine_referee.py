"""While something is held and the stream's book is not to be trusted, the venue's own is asked for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.engine import UNPRICED_AFTER
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import price, seconds, shares
from tests.core_cases import AT_ONCE, RULES, STOP, Bench, Wanting, covered, holding, moment, wish, with_exits
from tests.unit.core.samples import WINDOW

SILENT = replace(RULES, book_patience=seconds(10))
WATCHED = with_exits(replace(AT_ONCE, stop=STOP))


def read(bench: Bench, at: float, bid: str = "0.20", ask: str = "0.22", age: float = 0.1) -> list[str]:
    """The venue's own book, as a test looks at what it led to besides the next question."""
    bids, asks = ((price(bid), shares(100)),), ((price(ask), shares(100)),)
    said = bench.hear(at, ev.BookRead, market=WINDOW.id, bids=bids, asks=asks, venue_at=moment(at - age))
    return [one for one in said if one != "read book"]


def blind() -> Bench:
    """Ten shares, their target o2 resting, and the market stream lost at 100 s."""
    bench = covered()
    assert bench.hear(100, ev.StreamLost, stream=ev.Stream.MARKET) == []
    return bench


def questions(bench: Bench) -> list[float]:
    return [at for at, said in bench.log if said == "read book"]


# --- asking ------------------------------------------------------------------------------------------------------


def test_the_book_is_asked_for_each_second_after_the_first_until_a_snapshot_comes() -> None:
    bench = blind()
    bench.pass_to(103.5)
    assert questions(bench) == [101, 102, 103]
    bench.book(103.6)
    bench.pass_to(120)
    assert questions(bench) == [101, 102, 103]
    bench.hear(120, ev.StreamLost, stream=ev.Stream.MARKET)
    bench.pass_to(121)
    assert questions(bench)[3:] == [121], "and anew the next time, a second after it began"


def test_nothing_held_asks_nothing() -> None:
    bench = Bench(Wanting(wishes=(wish("0.50", time_in_force=TimeInForce.GTC),)))
    bench.start(0)
    bench.book(60)
    bench.accepted(60, 1)
    bench.hear(70, ev.StreamLost, stream=ev.Stream.MARKET)
    bench.pass_to(80)
    assert questions(bench) == []


def test_a_book_that_falls_silent_is_noticed_although_no_event_says_so() -> None:
    bench = holding(WATCHED, SILENT)
    bench.accepted(60, 2)
    bench.pass_to(73.5)
    first = questions(bench)[0]
    assert first == pytest.approx(71, abs=0.001), "ten seconds of patience, and one before it asks"
    assert len(questions(bench)) == 3


def test_a_book_that_speaks_does_not_fall_silent() -> None:
    bench = holding(WATCHED, SILENT)
    bench.accepted(60, 2)
    for at in range(65, 100, 5):
        assert bench.book(at) == []
    assert questions(bench) == []


def test_a_book_that_contradicts_itself_without_moving_its_best_is_noticed_at_once() -> None:
    bench = covered()
    off_grid = ev.LevelChange(Side.BUY, price("0.405"), shares(5))
    assert bench.hear(100, ev.BookChanged, market=WINDOW.id, changes=(off_grid,)) == []
    bench.pass_to(101)
    assert questions(bench) == [101]


def test_a_resting_entry_is_taken_back_as_soon_as_its_book_is_silent() -> None:
    bench = Bench(Wanting(wishes=(wish("0.50", time_in_force=TimeInForce.GTC),)), SILENT)
    bench.start(0)
    bench.book(60)
    bench.accepted(60.5, 1)
    said = bench.pass_to(70.01)
    assert [what for _, what in said] == ["cancel o1"]


def test_a_stopped_trader_and_a_window_that_ended_ask_nothing() -> None:
    stopped = blind()
    stop = {"state": ev.TradingState.STOPPED, "who": "operator", "why": "enough"}
    assert stopped.hear(100.5, ev.TradingStateSet, **stop) == ["cancel o2", "cancel all"]
    stopped.pass_to(110)
    assert questions(stopped) == []
    ended = covered()
    ended.hear(899, ev.StreamLost, stream=ev.Stream.MARKET)
    ended.pass_to(950)
    assert questions(ended) == [900]


# --- believing ---------------------------------------------------------------------------------------------------


def test_two_readings_that_agree_let_a_stop_hold() -> None:
    bench = blind()
    bench.pass_to(101)
    assert read(bench, 101.1) == [], "one reading is no evidence"
    bench.pass_to(102)
    assert read(bench, 102.1, "0.21", "0.23") == ["cancel o2"]
    assert read(bench, 102.2, "0.21", "0.23") == []
    assert bench.cancelled(102.3, 2) == ["place o3 stop SELL UP 10 @ 0.16 FAK"]
    (stop,) = bench.told(nt.StopTriggered)
    assert (stop.bid, stop.level) == (price("0.21"), price("0.30"))


@pytest.mark.parametrize(
    ("bid", "ask", "age"), [("0.01", "0.99", 0.1), ("0.20", "0.22", 1_000.1), ("0.22", "0.20", 0.1)]
)
def test_a_placeholder_an_old_book_and_a_crossed_one_stop_nothing(bid: str, ask: str, age: float) -> None:
    bench = blind()
    for at in (101.1, 102.1, 103.1, 104.1):
        bench.pass_to(at)
        assert read(bench, at, bid, ask, age) == []
    assert bench.state(2) == "WORKING"


def test_readings_above_the_level_leave_the_target() -> None:
    bench = blind()
    for at in (101.1, 102.1, 103.1):
        bench.pass_to(at)
        assert read(bench, at, "0.31", "0.33") == []


def test_nothing_is_opened_on_the_referees_word() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    for at in (60, 61, 62):
        assert read(bench, at, "0.52", "0.54") == []
    assert bench.pass_to(70) == []


def test_a_reading_of_a_market_that_nobody_follows_is_nothing() -> None:
    bench = Bench()
    assert bench.hear(0, ev.BookRead, market=WINDOW.id, bids=(), asks=(), venue_at=moment(0)) == []


def test_a_stop_that_the_referee_let_hold_is_let_go_when_the_word_is_old() -> None:
    bench = blind()
    bench.pass_to(101)
    read(bench, 101.1)
    bench.pass_to(102)
    assert read(bench, 102.1) == ["cancel o2"]
    bench.pass_to(105.2)
    assert bench.cancelled(105.3, 2) == ["place o3 target SELL UP 10 @ 0.99 GTC"], "nobody knows a price any more"


# --- a person hears ----------------------------------------------------------------------------------------------


def test_a_holding_that_nobody_can_price_for_fifteen_seconds_is_said_once() -> None:
    bench = blind()
    assert seconds(15) == UNPRICED_AFTER
    bench.pass_to(114.9)
    assert bench.told(nt.PositionUnpriced) == []
    bench.pass_to(200)
    (said,) = bench.told(nt.PositionUnpriced)
    assert (said.market, said.since) == (WINDOW.id, moment(100))


def test_a_holding_that_the_referee_prices_is_not_unpriced() -> None:
    bench = blind()
    for at in range(101, 130):
        bench.pass_to(at)
        read(bench, at + 0.1, "0.52", "0.54")
    assert bench.told(nt.PositionUnpriced) == []
    bench.pass_to(160)
    (said,) = bench.told(nt.PositionUnpriced)
    assert said.since > moment(129), "counted from the last price"
