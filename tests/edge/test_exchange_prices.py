"""The price feeds: who is told what, the averages that markets settle by, and the quirks of both streams."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median

import pytest

from polystra.core.events import PricePrinted
from polystra.core.markets import PriceSource
from polystra.core.units import Instant, seconds
from polystra.edge.tapes.arnav import tape_files
from polystra.exchange.price_feeds import LAG, Feed, PriceBoard, Print
from tests.edge.exchange_cases import START, Running, Stream, exchange
from tests.edge.signing_cases import official
from tests.edge.test_exchange_sdks import environment, wait_for

USD = 1_000_000
BTC = 61_035_860_000
SPOT = PriceSource.CHAINLINK_SPOT
MS = START // 1_000_000

Say = Callable[..., None]


def stamp(second: float) -> Instant:
    return Instant(START + seconds(second))


@pytest.fixture
def running() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        yield running


@pytest.fixture
def say(running: Running) -> Say:
    """Prints a price on the server's loop: value in millionths, and the second of its stamp."""

    def print_it(value: int, second: float = 0, source: PriceSource = SPOT, asset: str = "BTC") -> None:
        running.on_loop(lambda: running.prices.print(source, asset, value, stamp(second)))

    return print_it


# --- the averages -----------------------------------------------------------------------------------------------------


def heard(board: PriceBoard) -> list[Print]:
    told: list[Print] = []
    board.listeners.append(told.append)
    return told


def of(told: list[Print], feed: Feed) -> dict[int, int]:
    """Values by second."""
    return {(one.at - START) // 10**9: one.value for one in told if one.feed is feed}


def test_an_average_is_the_mean_of_the_60_seconds_that_end_3_before_it() -> None:
    board = PriceBoard()
    told = heard(board)
    for second in range(100):
        board.print(SPOT, "BTC", (100 + second) * USD, stamp(second))
    sixty, thirty = of(told, Feed.TWAP_60), of(told, Feed.TWAP_30)
    assert (min(sixty), max(sixty), min(thirty)) == (62, 99, 32)
    assert sixty[62] == sum(range(100, 160)) * USD // 60
    assert thirty[32] == sum(range(100, 130)) * USD // 30
    assert sixty[99] - sixty[98] == USD


def test_a_second_without_a_price_has_the_one_before() -> None:
    board = PriceBoard()
    told = heard(board)
    for second in range(90):
        if not 40 <= second < 50:
            board.print(SPOT, "BTC", (100 if second < 50 else 160) * USD, stamp(second))
    sixty = of(told, Feed.TWAP_60)
    assert sixty[62] == (50 * 100 + 10 * 160) * USD // 60
    assert sorted(sixty) == list(range(62, 90))


def test_a_long_pause_begins_the_averages_anew() -> None:
    board = PriceBoard()
    told = heard(board)
    for second in [*range(70), *range(200, 270)]:
        board.print(SPOT, "BTC", 100 * USD, stamp(second))
    assert sorted(of(told, Feed.TWAP_60)) == [*range(62, 70), *range(262, 270)]


def test_the_later_word_for_a_second_counts_and_an_older_second_comes_too_late() -> None:
    board = PriceBoard()
    told = heard(board)
    board.print(SPOT, "BTC", 100 * USD, stamp(0))
    board.print(SPOT, "BTC", 160 * USD, stamp(0.5))
    for second in range(1, 63):
        board.print(SPOT, "BTC", 100 * USD, stamp(second))
        board.print(SPOT, "BTC", 1 * USD, stamp(second - 1))
    assert of(told, Feed.TWAP_60) == {62: 101 * USD}


def test_halves_of_a_millionth_go_to_even() -> None:
    board = PriceBoard()
    told = heard(board)
    for second in range(64):
        board.print(SPOT, "BTC", 2 if second >= 30 else 1, stamp(second))
    assert of(told, Feed.TWAP_60) == {62: 2, 63: 2}
    assert of(told, Feed.TWAP_30)[47] == 2


def test_a_recorded_average_takes_the_place_of_the_computed_one() -> None:
    board = PriceBoard()
    told = heard(board)
    board.print(PriceSource.CHAINLINK_TWAP_60, "BTC", 7 * USD, stamp(0))
    for second in range(70):
        for asset in ("BTC", "ETH"):
            board.print(SPOT, asset, 100 * USD, stamp(second))
    sixty = [one for one in told if one.feed is Feed.TWAP_60]
    assert [one.value for one in sixty if one.asset == "BTC"] == [7 * USD]
    assert len([one for one in sixty if one.asset == "ETH"]) == 8
    assert len(of(told, Feed.TWAP_30)) == 38


@pytest.mark.parametrize(("source", "value"), [(PriceSource.BINANCE_CANDLE, 5), (SPOT, 0)])
def test_what_is_no_price_is_not_printed(source: PriceSource, value: int) -> None:
    with pytest.raises(ValueError, match="print a price above 0"):
        PriceBoard().print(source, "BTC", value, START)


def test_a_price_that_is_printed_twice_is_told_once() -> None:
    """As by two recordings that overlap, one of which may be a little behind."""
    board = PriceBoard()
    told = heard(board)
    for second in range(5):
        board.print(SPOT, "BTC", (100 + second) * USD, stamp(second))
        for again in (second, max(second - 2, 0)):
            board.print(SPOT, "BTC", (100 + again) * USD, stamp(again))
    assert [(one.value, one.at) for one in told] == [((100 + second) * USD, stamp(second)) for second in range(5)]


def test_another_value_stamp_asset_or_feed_is_no_repetition() -> None:
    board = PriceBoard()
    told = heard(board)
    board.print(SPOT, "BTC", 100 * USD, stamp(0))
    board.print(SPOT, "BTC", 101 * USD, stamp(0))
    board.print(SPOT, "BTC", 100 * USD, stamp(1))
    board.print(SPOT, "ETH", 100 * USD, stamp(0))
    board.print(PriceSource.BINANCE_SPOT, "BTC", 100 * USD, stamp(0))
    assert len(told) == 5


def test_stamps_are_shown_in_the_venues_time() -> None:
    board = PriceBoard()
    board.moment = lambda stamped: Instant(stamped + 7)
    board.print(SPOT, "BTC", USD, START)
    assert [one.at for one in board.recent(Feed.CHAINLINK, "BTC")] == [START + 7]
    assert board.recent(Feed.CHAINLINK, "ETH") == ()


def test_the_rule_is_that_of_the_recorded_settlement_feed(recordings: Path) -> None:
    """Against every average of a recorded window; a lag of 2 or 4 seconds would be off by 0.3 USD and more."""
    file = next(iter(tape_files(recordings / "arnav_btc5m_twap_era")))
    printed = [event for event in file.load().events() if isinstance(event, PricePrinted)]
    official_ones = {event.stamped_at: event.value for event in printed if event.source.endswith("twap-60")}
    board = PriceBoard()
    told = heard(board)
    for event in printed:
        if event.source is SPOT:
            board.print(SPOT, event.asset, event.value, event.stamped_at)
    computed = {one.at: one.value for one in told if one.feed is Feed.TWAP_60}
    misses = [abs(computed[at] - value) for at, value in official_ones.items() if at in computed]
    assert len(misses) > 600
    assert median(misses) < 0.1 * USD
    assert LAG == 3


# --- RTDS -------------------------------------------------------------------------------------------------------------


def rtds(running: Running, topic: str, filters: str | None = None, **more: object) -> Stream:
    one = {"topic": topic, "type": "update"} | ({} if filters is None else {"filters": filters}) | more
    return running.stream(running.urls.prices, {"action": "subscribe", "subscriptions": [one]})


def settled(*streams: Stream) -> None:
    """What was said before has been heard, and nothing came of it."""
    for stream in streams:
        stream.say("PING")
        assert stream.hear() == "PONG"


def test_a_chainlink_price_comes_with_its_digits(running: Running, say: Say) -> None:
    stream = rtds(running, "crypto_prices_chainlink", '{"symbol":"btc/usd"}')
    settled(stream)
    say(2272_727_674, 0, asset="ETH")
    say(BTC + 1, 1)
    frame = stream.hear()
    assert frame.pop("connection_id")
    assert frame == {
        "topic": "crypto_prices_chainlink",
        "type": "update",
        "timestamp": MS,
        "payload": {
            "symbol": "btc/usd",
            "timestamp": MS + 1000,
            "value": 61035.860001,
            "full_accuracy_value": "61035860001000000000000",
        },
    }


def test_a_binance_price_is_a_plain_decimal_under_its_own_symbol(running: Running, say: Say) -> None:
    stream = rtds(running, "crypto_prices")
    settled(stream)
    say(BTC)
    say(BTC, source=PriceSource.BINANCE_SPOT)
    payload = stream.hear()["payload"]
    assert (payload["symbol"], payload["value"]) == ("btcusdt", 61035.86)
    assert payload["full_accuracy_value"] == "61035.86000000"


def test_the_history_of_chainlink_comes_first_and_is_called_that_of_binance(running: Running, say: Say) -> None:
    for second in range(130):
        say(BTC, second)
    first = rtds(running, "crypto_prices_chainlink", '{"symbol":"btc/usd"}').hear()
    assert (first["topic"], first["type"], first["payload"]["symbol"]) == ("crypto_prices", "subscribe", "btc/usd")
    points = first["payload"]["data"]
    assert (len(points), points[-1]) == (120, {"timestamp": MS + 129_000, "value": 61035.86})
    average = rtds(running, "crypto_prices_twap_sixty", '{"symbol":"btc/usd"}').hear()
    assert (average["topic"], len(average["payload"]["data"])) == ("crypto_prices_twap_sixty", 68)


def test_an_average_names_its_window(running: Running, say: Say) -> None:
    stream = rtds(running, "crypto_prices_twap_sixty")
    thirty = rtds(running, "crypto_prices_twap_thirty")
    settled(stream, thirty)
    for second in range(63):
        say(BTC, second)
    payload = stream.hear()["payload"]
    assert (payload["window_s"], payload["timestamp"], payload["symbol"]) == (60, MS + 62_000, "btc/usd")
    assert thirty.hear()["payload"]["window_s"] == 30


def test_a_space_in_a_filter_gives_silence(running: Running, say: Say) -> None:
    spaced = rtds(running, "crypto_prices_chainlink", '{"symbol": "btc/usd"}')
    broken = rtds(running, "crypto_prices_chainlink", '{"symbol"')
    settled(spaced, broken)
    say(BTC)
    settled(spaced, broken)


def test_one_unknown_topic_refuses_the_whole_request(running: Running, say: Say) -> None:
    topics = [{"topic": topic, "type": "update"} for topic in ("crypto_prices_chainlink", "weather")]
    stream = running.stream(running.urls.prices, {"action": "subscribe", "subscriptions": topics})
    assert stream.hear()["statusCode"] == 401
    say(BTC)
    settled(stream)


def test_topics_and_assets_that_nobody_prints_are_accepted_and_silent(running: Running, say: Say) -> None:
    say(BTC)
    stream = rtds(running, "crypto_prices_chainlink", '{"symbol":"doge/usd"}')
    other = rtds(running, "equity_prices", '{"symbol":"AAPL"}')
    comments = rtds(running, "crypto_prices_chainlink", type="comment_created")
    for one in (stream, other, comments):
        one.say("no JSON")
        settled(one)
    say(BTC, 1)
    for one in (stream, other, comments):
        settled(one)


def test_symbols_are_added_and_taken_away(running: Running, say: Say) -> None:
    stream = rtds(running, "crypto_prices", "btcusdt,ethusdt")
    settled(stream)

    def told(second: int) -> list[str]:
        for asset in ("BTC", "ETH", "SOL"):
            say(BTC, second, PriceSource.BINANCE_SPOT, asset)
        stream.say("PING")
        return [frame["payload"]["symbol"] for frame in iter(stream.hear, "PONG") if frame["type"] == "update"]

    def change(action: str, filters: str = "") -> None:
        one = {"topic": "crypto_prices", "type": "*", "filters": filters}
        stream.say({"action": action, "subscriptions": [one]})
        stream.say("PING")
        while stream.hear() != "PONG":
            pass

    assert told(0) == ["btcusdt", "ethusdt"]
    change("unsubscribe", "ethusdt")
    assert told(1) == ["btcusdt"]
    change("subscribe", '{"symbol":"solusdt"}')
    assert told(2) == ["btcusdt", "solusdt"]
    change("subscribe", '{"symbol":""}')
    assert told(3) == ["btcusdt", "ethusdt", "solusdt"]
    change("subscribe", "btcusdt")
    assert told(4) == ["btcusdt", "ethusdt", "solusdt"]
    change("unsubscribe")
    change("listen")
    assert told(5) == []


# --- the official client ----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_polymarket_client_hears_the_older_stream(running: Running) -> None:
    polymarket, streams = official("polymarket"), official("polymarket.streams")

    def print_all() -> None:
        for second in range(63):
            running.prices.print(SPOT, "BTC", BTC + second, stamp(second))

    async def listen() -> None:
        async with polymarket.AsyncPublicClient(environment=environment(running)) as client:
            handle = await client.subscribe(
                [
                    streams.CryptoPricesSpec(topic="prices.crypto.chainlink", symbols=["btc/usd"]),
                    streams.CryptoPricesChainlinkTwapSpec(window_seconds=60, symbols=["btc/usd"]),
                ]
            )
            await asyncio.sleep(0.1)  # the client does not wait for its subscriptions
            running.on_loop(print_all)
            spot = await wait_for(handle, lambda event: event.topic == "prices.crypto.chainlink")
            assert spot.payload.value == Decimal("61035.86")
            average = await wait_for(handle, lambda event: event.topic == "prices.crypto.chainlink.twap")
            assert average.payload.value == Decimal("61035.86003")
            assert client._rtds_manager.dropped_events == 0

    asyncio.run(listen())
