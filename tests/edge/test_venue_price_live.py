"""The price feed at the running exchange."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

import polystra.edge.polymarket.price_feed as price_feed
from polystra.core.events import PricePrinted, Stream, StreamLost, StreamRestored
from polystra.core.markets import PriceSource
from polystra.core.units import Instant, seconds
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.dialing import SocketDialer
from polystra.edge.polymarket.price_feed import OTHER, REFUSED, PriceFeed
from polystra.exchange.faults import Fault, Switch
from tests.edge.exchange_cases import START, Running, exchange
from tests.edge.feed_cases import Told, in_loop, running_feed

SPOT = PriceSource.CHAINLINK_SPOT
AVERAGE = PriceSource.CHAINLINK_TWAP_60


@pytest.fixture
def running() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        yield running


class Live:
    """A feed of the running exchange, heard by the time the block runs."""

    def __init__(self, running: Running, *assets: str) -> None:
        self.running = running
        self.told = Told()
        self.feed = PriceFeed(
            SocketDialer(), running.urls.prices, time=WallClock(), put=self.told.put, assets=assets or ("BTC",)
        )

    def print_price(self, value: int, second: float, source: PriceSource = SPOT, asset: str = "BTC") -> None:
        """Stamped with a second after START."""
        stamp = Instant(START + seconds(second))
        self.running.on_loop(lambda: self.running.prices.print(source, asset, value, stamp))

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Prices of 1970 are printed until one is heard, then all that are on their way are taken."""
        async with running_feed(self.feed):
            await self.feed.wait_connected()
            await self.heard_of(0)
            yield

    async def heard_of(self, tries: int) -> None:
        while not self.told.take():
            tries += 1
            self.print_price(1_000_000 + tries, tries - START / 1e9)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        self.told.take()


@in_loop
async def test_what_the_exchange_prints_is_told_exactly(running: Running) -> None:
    live = Live(running, "BTC", "ETH")
    async with live.listening():
        live.print_price(61_035_860_001, 1)
        live.print_price(2_272_727_674, 1, asset="ETH")
        live.print_price(61_035_123_456, 2.5, AVERAGE)
        heard = [await live.told.next(PricePrinted) for _ in range(3)]
    assert [(one.asset, one.source, one.value, one.stamped_at) for one in heard] == [
        ("BTC", SPOT, 61_035_860_001, START + seconds(1)),
        ("ETH", SPOT, 2_272_727_674, START + seconds(1)),
        ("BTC", AVERAGE, 61_035_123_456, START + seconds(2.5)),
    ]
    assert live.feed.skipped == {}


@in_loop
async def test_other_assets_other_feeds_and_a_price_said_twice_are_not_told(running: Running) -> None:
    live = Live(running)
    async with live.listening():
        live.print_price(140_000_000, 1, asset="SOL")
        live.print_price(61_035_000_000, 1, PriceSource.BINANCE_SPOT)
        for _ in range(3):
            live.print_price(61_035_000_000, 1)
        live.print_price(61_036_000_000, 2)
        heard = [(await live.told.next(PricePrinted)).value for _ in range(2)]
    assert heard == [61_035_000_000, 61_036_000_000]


@in_loop
async def test_the_history_of_before_is_not_told(running: Running) -> None:
    live = Live(running)
    for second in range(70):
        live.print_price(100_000_000, second)
    async with running_feed(live.feed):
        await live.feed.wait_connected()
        await asyncio.sleep(0.2)
        assert live.told.take() == []
        assert live.feed.skipped == {}
        live.print_price(101_000_000, 70)
        assert (await live.told.next(PricePrinted)).value == 101_000_000


@in_loop
async def test_one_topic_that_the_venue_does_not_know_silences_the_feed_and_is_trouble(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the venue give up one of the two topics, the operator must be able to see why nothing comes."""
    monkeypatch.setattr(price_feed, "TOPICS", {**price_feed.TOPICS, "crypto_prices_twap_ninety": AVERAGE})
    live = Live(running)
    async with running_feed(live.feed):
        await live.feed.wait_connected()
        await asyncio.sleep(0.2)
        assert live.feed.skipped[REFUSED] == 1
        live.print_price(61_035_000_000, 1)
        await asyncio.sleep(0.1)
        assert live.told.take() == []
        assert "unknown topic" in live.feed.trouble
    assert OTHER not in live.feed.skipped


@in_loop
async def test_a_stream_that_the_exchange_closes_is_heard_again_after_a_pause(running: Running) -> None:
    live = Live(running)
    async with live.listening():
        running.faults.switch_on(Switch(fault=Fault.STREAM_CLOSED, where="prices", times=1))
        live.print_price(61_035_000_000, 1)
        assert (await live.told.next(StreamLost)).stream is Stream.PRICES
        assert (await live.told.next(StreamRestored)).stream is Stream.PRICES
        await live.heard_of(10_000)
        live.print_price(61_036_000_000, 2)
        assert (await live.told.next(PricePrinted)).value == 61_036_000_000
