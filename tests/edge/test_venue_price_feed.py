"""The price feed on a scripted network: what it asks for, what it tells, and what it passes over."""

import json
from typing import Any

import pytest

from polystra.core.events import AnyEvent, PricePrinted, Stream, StreamLost, StreamRestored
from polystra.core.markets import PriceSource
from polystra.core.units import Instant, seconds
from polystra.edge.polymarket.price_feed import OTHER, REFUSED, UNREADABLE, PriceFeed
from tests.edge.exchange_cases import START
from tests.edge.feed_cases import HandTime, ScriptedDialer, Told, in_loop, running_feed

STAMP = 1_795_432_199_000
"""The source's milliseconds, a second before START."""

SPOT = PriceSource.CHAINLINK_SPOT
AVERAGE = PriceSource.CHAINLINK_TWAP_60


class Case:
    """A feed on a scripted network, by a clock that the test moves."""

    def __init__(self, *assets: str) -> None:
        self.dialer = ScriptedDialer()
        self.time = HandTime()
        self.told = Told()
        self.feed = PriceFeed(
            self.dialer, "ws://venue", time=self.time, put=self.told.put, assets=set(assets or ("BTC",))
        )

    def say(self, *frames: object) -> list[AnyEvent]:
        self.dialer.line.say(*frames)
        return self.told.take()


def update(topic: str = "crypto_prices_chainlink", **payload: object) -> dict[str, Any]:
    """As `PROTOCOL.md` C.3 has it; a field that is `...` is left out."""
    told: dict[str, object] = {
        "full_accuracy_value": "61035860001000000000000",
        "symbol": "btc/usd",
        "timestamp": STAMP,
        "value": 61035.860001,
    }
    told = {name: value for name, value in (told | payload).items() if value is not ...}
    return {"connection_id": "c", "payload": told, "timestamp": STAMP + 900, "topic": topic, "type": "update"}


def average(**payload: object) -> dict[str, Any]:
    return update("crypto_prices_twap_sixty", **({"window_s": 60} | payload))


def printed(value: int = 61_035_860_001, source: PriceSource = SPOT, asset: str = "BTC") -> PricePrinted:
    stamped = Instant(START - seconds(1))
    return PricePrinted(at=START, asset=asset, source=source, value=value, stamped_at=stamped)


# --- what it asks for


@in_loop
async def test_both_feeds_of_every_traded_asset_are_asked_for_in_filters_without_a_space() -> None:
    case = Case("ETH", "BTC")
    async with running_feed(case.feed):
        await case.feed.wait_connected()
        (asked,) = case.dialer.line.sent
    assert case.dialer.dialled == [("prices", "ws://venue")]
    assert asked["action"] == "subscribe"
    assert [(one["topic"], one["type"], one["filters"]) for one in asked["subscriptions"]] == [
        ("crypto_prices_chainlink", "update", '{"symbol":"btc/usd"}'),
        ("crypto_prices_chainlink", "update", '{"symbol":"eth/usd"}'),
        ("crypto_prices_twap_sixty", "update", '{"symbol":"btc/usd"}'),
        ("crypto_prices_twap_sixty", "update", '{"symbol":"eth/usd"}'),
    ]


@in_loop
async def test_a_lost_stream_is_told_once_and_asks_anew_when_it_is_back() -> None:
    case = Case()
    async with running_feed(case.feed):
        case.dialer.line.ears.lost("closed by the venue: 1001")
        assert case.told.take() == [StreamLost(at=START, stream=Stream.PRICES)]
        assert (case.feed.connected, case.feed.trouble) == (False, "closed by the venue: 1001")
        await case.time.go(0.5)
        assert case.told.take() == [StreamRestored(at=Instant(START + seconds(0.5)), stream=Stream.PRICES)]
        assert len(case.dialer.lines) == 2
        assert case.dialer.lines[0].sent == case.dialer.line.sent
        assert (case.feed.connected, case.feed.trouble) == (True, "")


@in_loop
async def test_a_refused_subscription_is_trouble_until_the_next_connection() -> None:
    """One unknown topic kills the whole batch, on a connection that stands."""
    case = Case()
    async with running_feed(case.feed):
        assert case.say({"statusCode": 401, "body": {"message": "unknown topic"}}) == []
        assert case.feed.skipped == {REFUSED: 1}
        assert case.feed.connected
        assert "401" in case.feed.trouble
        case.dialer.line.ears.lost("gone")
        await case.time.go(0.5)
        assert case.feed.trouble == ""


# --- what it tells


@in_loop
async def test_a_price_is_told_with_all_its_digits_and_the_stamp_of_its_source() -> None:
    case = Case("BTC", "ETH")
    async with running_feed(case.feed):
        assert case.say(update()) == [printed()]
        assert case.say(average()) == [printed(source=AVERAGE)]
        ether = update(symbol="eth/usd", value=2500, full_accuracy_value="2500000000000000000000")
        assert case.say(ether) == [printed(2_500_000_000, asset="ETH")]
    assert case.feed.skipped == {}


@in_loop
@pytest.mark.parametrize(
    ("value", "full", "millionths"),
    [
        (61035.86, "61035860000499999999999", 61_035_860_000),
        (61035.86, "61035860000500000000000", 61_035_860_000),
        (61035.86, "61035860001500000000000", 61_035_860_002),
        (61035.86, "61035860000500000000001", 61_035_860_001),
        (61035.860001, ..., 61_035_860_001),
        ("61035.8600005", ..., 61_035_860_000),
        ("61035.8600015", "", 61_035_860_002),
        (1e-6, ..., 1),
    ],
)
async def test_digits_beyond_a_millionth_are_rounded_half_to_even(value: object, full: object, millionths: int) -> None:
    case = Case()
    async with running_feed(case.feed):
        assert case.say(update(value=value, full_accuracy_value=full)) == [printed(millionths)]


@in_loop
async def test_a_history_is_passed_over_whatever_it_is_called() -> None:
    """It has no full digits, and Chainlink's comes under the topic of Binance."""
    case = Case()
    points = {"data": [{"timestamp": STAMP, "value": 61035.86}], "symbol": "btc/usd"}
    topics = ("crypto_prices", "crypto_prices_chainlink", "crypto_prices_twap_sixty")
    frames = [{"payload": points, "timestamp": STAMP, "topic": topic, "type": "subscribe"} for topic in topics]
    async with running_feed(case.feed):
        assert case.say(*frames) == []
        assert case.say(update()) == [printed()]
    assert case.feed.skipped == {}


@in_loop
@pytest.mark.parametrize(
    "frame",
    [
        update("crypto_prices", symbol="btcusdt", full_accuracy_value="61035.86000000"),
        update("crypto_prices"),
        update("crypto_prices_twap_thirty", window_s=30),
        update(symbol="eth/usd"),
        update(symbol="BTC/USD"),
        {},
        {"topic": "crypto_prices_chainlink", "type": "error"},
    ],
)
async def test_what_nobody_asked_for_is_counted_and_not_told(frame: dict[str, Any]) -> None:
    case = Case()
    async with running_feed(case.feed):
        assert case.say(frame) == []
    assert case.feed.skipped == {OTHER: 1}


HOSTILE = [
    b"",
    b"\xff\xfe",
    b"[",
    b"[]",
    b"null",
    b'"update"',
    b"[" * 100_000,
    json.dumps(update())[:-9].encode(),
    {**update(), "payload": []},
    {**update(), "payload": None},
    {**update(), "payload": "btc/usd"},
    {**update(), "topic": ["crypto_prices_chainlink"]},
    {"statusCode": "401"},
    update(symbol=...),
    update(symbol=None),
    update(timestamp=...),
    update(timestamp="soon"),
    update(timestamp=-1),
    update(timestamp=1.5),
    update(timestamp=10**16),
    update(value=...),
    update(value=None),
    update(value=True),
    update(value=0),
    update(value=-61035.86),
    update(value="NaN"),
    update(value="Infinity"),
    update(value="1e99999999"),
    update(value="1e-99999999"),
    update(value=10**12, full_accuracy_value=...),
    update(value=1e-7, full_accuracy_value=...),
    update(full_accuracy_value="61035.860001"),
    update(full_accuracy_value="-61035860001000000000000"),
    update(full_accuracy_value="0"),
    update(full_accuracy_value="61035860001"),
    update(full_accuracy_value="9" * 5_000),
    update(full_accuracy_value="٦"),
    update(full_accuracy_value=61035860001000000000000),
    update(full_accuracy_value="61100000000000000000000"),
    average(window_s=30),
]


@in_loop
@pytest.mark.parametrize("frame", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_frame_is_counted_and_the_next_good_one_told(frame: object) -> None:
    case = Case()
    async with running_feed(case.feed):
        assert case.say(frame) == []
        assert case.feed.skipped == {UNREADABLE: 1}
        assert case.feed.unread
        assert case.say(update()) == [printed()]
        assert len(case.dialer.lines) == 1
