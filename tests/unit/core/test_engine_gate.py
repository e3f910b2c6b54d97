"""When the engine looks, when it asks a strategy, and when an event is nothing to it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.engine import NAP, NOTHING
from polystra.core.markets import PriceSource
from polystra.core.strategy import Needs, Wake, WakesOn
from polystra.core.terms import Side
from polystra.core.units import Instant, price, seconds, shares, usd
from polystra.core.view import Wait
from tests.core_cases import (
    Asked,
    Bench,
    Counting,
    holding,
    moment,
)
from tests.unit.core.samples import NOON, WINDOW

CANDLE = ev.Candle(opened_at=NOON, length=seconds(60), open=1, high=2, low=1, close=2, volume=3)


# --- the gate ----------------------------------------------------------------------------------------------------


def asked(bench: Bench) -> int:
    memory = bench.desk.memory
    return memory.times if isinstance(memory, Asked) else 0


def test_a_move_inside_the_bands_returns_the_shared_empty_step() -> None:
    bench = Bench(Counting(wakes_on=WakesOn(), wait=Wait(bid_lo=price("0.50"))))
    bench.start(0)
    bench.book(1)
    bench.book(2, "0.51", "0.60")
    before = asked(bench)
    change = ev.BookChanged(
        at=moment(3), market=WINDOW.id, changes=(ev.LevelChange(Side.BUY, price("0.40"), shares(5)),)
    )
    assert bench.engine.handle(change) is NOTHING
    bench.book(4, "0.50", "0.51")
    assert asked(bench) == before
    bench.book(5, "0.49", "0.51")
    assert asked(bench) == before + 1


@pytest.mark.parametrize(
    ("wakes", "event", "calls"),
    [
        ((), "levels", 0),
        ((Wake.BEST_MOVED,), "levels", 0),
        ((Wake.LEVEL_MOVED,), "levels", 1),
        ((), "trade", 0),
        ((Wake.TRADE,), "trade", 1),
        ((), "oracle", 0),
        ((Wake.ORACLE_TICK,), "oracle", 1),
        ((), "foreign oracle", 0),
        ((Wake.ORACLE_TICK,), "foreign oracle", 0),
        ((), "best", 0),
    ],
)
def test_a_strategy_is_called_on_what_it_declared(wakes: tuple[Wake, ...], event: str, calls: int) -> None:
    bench = Bench(Counting(wakes_on=WakesOn(events=wakes)))
    bench.start(0)
    bench.book(1)
    before = asked(bench)
    match event:
        case "levels":
            changes = (ev.LevelChange(Side.BUY, price("0.40"), shares(5)),)
            bench.hear(2, ev.BookChanged, market=WINDOW.id, changes=changes)
        case "best":
            bench.book(2, "0.60", "0.61")
        case "trade":
            bench.hear(2, ev.TradePrinted, market=WINDOW.id, price=price("0.54"), size=shares(1))
        case _:
            asset = "BTC" if event == "oracle" else "ETH"
            source = PriceSource.CHAINLINK_TWAP_60
            bench.hear(2, ev.PricePrinted, asset=asset, source=source, value=5, stamped_at=moment(2))
    assert asked(bench) - before == calls


def test_a_price_outside_the_band_of_the_underlying_wakes_the_desk_and_inside_does_not() -> None:
    bench = holding()
    bench.hear(61, ev.PricePrinted, asset="BTC", source=PriceSource.CHAINLINK_TWAP_60, value=90, stamped_at=NOON)
    bench.pass_to(125)
    bench.accepted(125, 2)
    assert (
        bench.hear(
            126, ev.PricePrinted, asset="BTC", source=PriceSource.CHAINLINK_TWAP_60, value=91, stamped_at=moment(126)
        )
        == []
    )
    assert bench.book(127, "0.29", "0.31") == []
    said = bench.hear(
        128, ev.PricePrinted, asset="BTC", source=PriceSource.CHAINLINK_TWAP_60, value=89, stamped_at=moment(128)
    )
    assert said == ["cancel o2"], "the underlying fell below its strike while the bid was below the stop"


def test_a_clock_calls_at_whole_multiples_and_never_between() -> None:
    bench = Bench(Counting(wakes_on=WakesOn(events=(), every=seconds(5))))
    bench.start(0)
    bench.hear(1, ev.CandleClosed, asset="BTC", source=PriceSource.BINANCE_CANDLE, candle=CANDLE)
    before = asked(bench)
    assert bench.engine.next_wake == moment(5)
    bench.pass_to(20)
    assert asked(bench) == before + 4
    bench.hear(21, ev.Woke)
    assert asked(bench) == before + 4, "nobody asked for this wake"


def test_a_strategy_that_waits_for_the_past_does_not_stop_the_world() -> None:
    bench = Bench(Counting(wait=Wait(until=Instant(0))))
    bench.start(0)
    assert bench.engine.next_wake == moment(0) + NAP


def test_candles_and_history_reach_the_view_and_call_the_strategy() -> None:
    bench = Bench(Counting(needs=Needs(candles=True)))
    bench.start(0)
    before = asked(bench)
    bench.hear(1, ev.CandleClosed, asset="ETH", source=PriceSource.BINANCE_CANDLE, candle=CANDLE)
    assert asked(bench) == before
    bench.hear(2, ev.CandleClosed, asset="BTC", source=PriceSource.BINANCE_CANDLE, candle=CANDLE)
    later = replace(CANDLE, opened_at=Instant(NOON - seconds(60)))
    old = ev.PricePrinted(at=NOON, asset="BTC", source=PriceSource.CHAINLINK_TWAP_60, value=77, stamped_at=NOON)
    points = (ev.OwnPrice(Instant(NOON - seconds(60)), price("0.50")),)
    bench.hear(3, ev.HistoryLoaded, market=WINDOW.id, candles=(later,), prices=(old,), own_prices=points)
    assert asked(bench) == before + 2
    around = bench.known.surroundings(WINDOW, usd(1))
    assert (around.candles, around.strike) == ((later, CANDLE), 77)
    assert bench.desk.minutes.points == points


def test_a_failed_history_is_said() -> None:
    bench = Bench()
    bench.start(0)
    bench.hear(1, ev.HistoryFailed, market=WINDOW.id, why="timeout")
    assert bench.told(nt.ReadingFailed)[-1].why == "history of 0x01: timeout"


def test_own_prices_are_written_at_the_minute_from_the_book_as_it_stood() -> None:
    bench = Bench(Counting(needs=Needs(own_prices=2)))
    bench.start(0)
    bench.book(30, "0.40", "0.42")
    before = asked(bench)
    bench.pass_to(60)
    bench.book(61, "0.60", "0.62")
    bench.pass_to(120)
    assert bench.desk.minutes.points == (
        ev.OwnPrice(moment(60), price("0.41")),
        ev.OwnPrice(moment(120), price("0.61")),
    )
    assert asked(bench) == before + 2


def test_the_same_minute_is_written_when_a_book_event_comes_before_the_wake() -> None:
    """A stalled inbox delivers the next minute's book before the alarm: the old minute is that of the old book."""
    bench = Bench(Counting(needs=Needs(own_prices=2)))
    bench.start(0)
    bench.book(30, "0.40", "0.42")
    event = ev.BookSnapshot(
        at=moment(61), market=WINDOW.id, bids=((price("0.60"), shares(9)),), asks=((price("0.62"), shares(9)),)
    )
    bench.engine.handle(event)
    assert bench.desk.minutes.points == (ev.OwnPrice(moment(60), price("0.41")),)
