"""The price stream in the world of one process: when its prices come, and which ones.

Every way takes a second, as in `test_world_client`: the recordings begin at -5, the streams are open at -4, and the
exchange has heard at -3 what is asked for.
"""

from typing import Any

import pytest

from polystra.core import events as ev
from polystra.core.markets import PriceSource, Series
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.tapes.format import TapeEvent
from polystra.sim.latency import Delays, fixed
from tests.price_cases import AVERAGE, SPOT, price_row
from tests.truth import SERIES, Stage, after, book, steady, tape_file, window
from tests.world_cases import Client

SECOND = Delays(submit=fixed(seconds(1)), answer=fixed(seconds(1)), user=fixed(seconds(3)), market=fixed(seconds(1)))
MARKET = window(settlement=AVERAGE)


def client(stage: Stage, *rows: TapeEvent, delays: Delays = SECOND, **who: Any) -> Client:
    tape = tape_file(MARKET, [*steady(MARKET, "0.50x500", "0.52x500"), *rows])
    return Client(stage.world([tape], stage.rules(delays=delays)), **who)


def heard(client: Client) -> list[tuple[float, float]]:
    """When each price came, by the second, and how many USD it was."""
    return [((event.at - after(0)) / 1e9, event.value / 1e6) for event in client.of(ev.PricePrinted)]


def test_a_price_comes_with_the_delay_of_the_market_stream(exchange_truth: Stage) -> None:
    there = client(exchange_truth, price_row(10, 64_000.5), price_row(20, 63_999, SPOT))
    there.until(30)
    assert there.of(ev.PricePrinted) == [
        ev.PricePrinted(at=after(11), asset="BTC", source=AVERAGE, value=64_000_500_000, stamped_at=after(9)),
        ev.PricePrinted(at=after(21), asset="BTC", source=SPOT, value=63_999_000_000, stamped_at=after(19)),
    ]


def test_nothing_is_told_before_the_exchange_has_heard_what_is_asked_for(exchange_truth: Stage) -> None:
    there = client(exchange_truth, price_row(-4.5, 1), price_row(-3.5, 2), price_row(-3, 3), price_row(-2.5, 4))
    there.until(10)
    assert heard(there) == [(-2, 3), (-1.5, 4)]


def test_a_history_is_not_told_to_a_trader_that_comes_later(exchange_truth: Stage) -> None:
    first = client(exchange_truth, *[price_row(second, second + 100) for second in range(60)])
    first.until(20)
    second = Client(first.world, markets=[MARKET])
    second.until(30)
    assert heard(first)[-1] == (19, 118)
    assert heard(second)[0] == (23, 122), "connected at 21, heard at 22"


def test_of_one_moment_the_book_comes_before_the_price(exchange_truth: Stage) -> None:
    there = client(exchange_truth, price_row(10), book(MARKET, 10, "0.49x7", "0.52x500"))
    there.until(1)
    there.follow(MARKET)
    there.until(12)
    moment = [event for event in there.heard if event.at == after(11)]
    assert [type(event) for event in moment][-2:] == [ev.BookChanged, ev.PricePrinted]


def test_a_price_that_two_recordings_have_is_told_once(exchange_truth: Stage) -> None:
    later = window(1, settlement=AVERAGE)
    rows = [price_row(second, second + 100) for second in range(290, 300)]
    first = tape_file(MARKET, [*steady(MARKET, "0.50x500", "0.52x500"), *rows])
    second = tape_file(later, [*steady(later, "0.50x500", "0.52x500", begin=-20), *rows])
    there = Client(exchange_truth.world([first, second], exchange_truth.rules(delays=SECOND)))
    there.until(310)
    assert [usd for _, usd in heard(there)] == list(range(390, 400))


def test_a_later_word_for_the_same_stamp_is_told(exchange_truth: Stage) -> None:
    there = client(exchange_truth, price_row(10, 100), price_row(11, 101, stamp=after(9)), price_row(12, 100))
    there.until(20)
    assert heard(there) == [(11, 100), (12, 101), (13, 100)]


@pytest.mark.parametrize(
    "row",
    [
        price_row(10, source=PriceSource.BINANCE_SPOT),
        price_row(10, source=PriceSource.BINANCE_CANDLE),
        price_row(10, asset="ETH"),
    ],
)
def test_prices_that_the_trader_does_not_ask_for_are_not_told(exchange_truth: Stage, row: ev.PricePrinted) -> None:
    there = client(exchange_truth, row)
    there.until(20)
    assert heard(there) == []


def test_who_trades_two_assets_hears_both(exchange_truth: Stage) -> None:
    both = [SERIES, Series("ETH", SERIES.length)]
    there = client(exchange_truth, price_row(10, 2_500, asset="ETH"), price_row(11), series=both)
    there.until(20)
    assert [event.asset for event in there.of(ev.PricePrinted)] == ["ETH", "BTC"]


def test_an_average_that_nobody_recorded_is_computed_as_the_exchange_does(exchange_truth: Stage) -> None:
    rows = [price_row(second, 100, SPOT) for second in range(1, 66)]
    there = client(exchange_truth, *rows)
    there.until(80)
    averages = [event for event in there.of(ev.PricePrinted) if event.source is AVERAGE]
    assert [(event.stamped_at, event.value) for event in averages] == [
        (after(second), 100_000_000) for second in (62, 63, 64)
    ]


def test_stamps_are_whole_milliseconds_as_the_venue_tells_them(exchange_truth: Stage) -> None:
    there = client(exchange_truth, price_row(10, stamp=Instant(after(9) + Nanos(1_999_999))))
    there.until(20)
    assert [event.stamped_at for event in there.of(ev.PricePrinted)] == [after(9.001)]
