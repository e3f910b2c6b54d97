"""The numbered stream of prices: who is let in, what it may ask for, and the feed that markets settle by."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from polystra.core.markets import PriceSource
from polystra.core.units import Instant, seconds
from polystra.edge.polymarket.wallet import SignatureType
from tests.edge.exchange_cases import START, Running, Stream, Trader, exchange
from tests.edge.signing_cases import official
from tests.edge.test_exchange_sdks import SECRET, environment, funded, wait_for

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

    def print_it(value: int, second: float = 0, source: PriceSource = SPOT) -> None:
        running.on_loop(lambda: running.prices.print(source, "BTC", value, stamp(second)))

    return print_it


def shown(trader: Trader, **instead: str) -> dict[str, str]:
    held = trader.credentials
    return {"apiKey": held.api_key, "secret": held.secret, "passphrase": held.passphrase} | instead


def realtime(running: Running) -> Stream:
    """Let in."""
    stream = running.stream(running.urls.realtime, {"op": "auth", "rid": "1", "auth": shown(Trader(running))})
    assert stream.hear() == {"op": "authed", "rid": "1"}
    return stream


def wanting(*channels: str, symbol: str = "btcusd", op: str = "subscribe", **more: object) -> dict[str, object]:
    wanted = [{"channel": channel, "filter": {"symbol": symbol, **more}} for channel in channels]
    return {"op": op, "rid": "2", "subscriptions": wanted}


def test_the_settlement_feed_is_numbered(running: Running, say: Say) -> None:
    stream = realtime(running)
    stream.say(wanting("price.crypto.twap", window_seconds=60))
    assert stream.hear() == {"op": "subscribed", "rid": "2", "channel": "price.crypto.twap"}
    for second in range(64):
        say(BTC, second)
    first, second_one = stream.hear(), stream.hear()
    assert first == {
        "v": 1,
        "channel": "price.crypto.twap",
        "seq": 1,
        "ts": MS,
        "snapshot": False,
        "dropped": 0,
        "payload": {
            "symbol": "btcusd",
            "source": "chainlink",
            "window_seconds": 60,
            "value": 61035.86,
            "full_accuracy_value": "61035.86",
            "timestamp": MS + 62_000,
        },
    }
    assert second_one["seq"] == 2


def test_numbers_run_by_channel_and_a_history_has_one_too(running: Running, say: Say) -> None:
    for second in range(70):
        say(BTC, second)
    stream = realtime(running)
    stream.say(wanting("price.crypto", "price.crypto.twap"))
    frames = [stream.hear() for _ in range(4)]
    assert [frame.get("op") for frame in frames] == ["subscribed", None, "subscribed", None]
    spot, average = frames[1], frames[3]
    assert (spot["seq"], spot["snapshot"], len(spot["payload"]["data"])) == (1, True, 70)
    assert (average["seq"], average["payload"]["window_seconds"], len(average["payload"]["data"])) == (1, 60, 8)
    say(BTC, 70)
    assert [(frame["channel"], frame["seq"]) for frame in (stream.hear(), stream.hear())] == [
        ("price.crypto", 2),
        ("price.crypto.twap", 2),
    ]
    stream.say(wanting("price.crypto", op="unsubscribe"))
    assert stream.hear()["op"] == "unsubscribed"
    say(BTC, 71)
    assert stream.hear()["channel"] == "price.crypto.twap"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (wanting("price.crypto", "price.weather"), ("price.weather", "bad_channel")),
        (wanting("price.crypto", symbol=""), ("price.crypto", "bad_filter")),
        (wanting("price.crypto", provider="kraken"), ("price.crypto", "bad_filter")),
        (wanting("price.crypto.twap", window_seconds=30), ("price.crypto.twap", "bad_filter")),
        (wanting("price.crypto", window_seconds=60), ("price.crypto", "bad_filter")),
        ({"op": "sell", "rid": "2"}, (None, "bad_op")),
    ],
)
def test_what_cannot_be_subscribed_is_refused_by_its_code(
    running: Running, asked: object, answer: tuple[str | None, str]
) -> None:
    stream = realtime(running)
    stream.say(asked)
    error = next(frame for frame in iter(stream.hear, None) if frame["op"] == "error")
    assert (error["rid"], error.get("channel"), error["code"]) == ("2", *answer)


def test_silent_channels_are_accepted_and_pings_are_answered(running: Running, say: Say) -> None:
    stream = realtime(running)
    stream.say(wanting("price.equity", "price.equity.twap", symbol="aapl"))
    assert [stream.hear()["op"] for _ in range(2)] == ["subscribed", "subscribed"]
    say(BTC)
    say(BTC, source=PriceSource.BINANCE_SPOT)
    stream.say({"op": "ping"})
    assert stream.hear() == {"op": "pong"}
    stream.say("no JSON")
    assert stream.hear() == {"op": "error", "code": "bad_op"}


def test_a_connection_takes_64_subscriptions(running: Running) -> None:
    stream = realtime(running)
    for number in range(64):
        stream.say(wanting("price.crypto", symbol=f"a{number}usd"))
        assert stream.hear()["op"] == "subscribed"
    stream.say(wanting("price.crypto", symbol="btcusd"))
    assert stream.hear()["code"] == "sub_limit"
    stream.say(wanting("price.crypto", symbol="a1usd"))
    assert stream.hear()["op"] == "subscribed"


def test_nobody_subscribes_without_a_key_and_the_eighth_wrong_one_is_the_last(running: Running) -> None:
    stream = running.stream(running.urls.realtime, wanting("price.crypto"))
    assert stream.hear() == {"op": "error", "rid": "2", "code": "auth_required"}
    wrong = {"op": "auth", "rid": "3", "auth": shown(Trader(running), secret="wrong")}
    for _ in range(7):
        stream.say(wrong)
        assert stream.hear()["code"] == "auth_invalid"
    stream.say(wrong)
    assert stream.hear()["code"] == "auth_attempts"
    assert stream.hear() is None
    assert stream.close_code == 4001


def test_polymarket_client_hears_the_settlement_feed(running: Running) -> None:
    polymarket, streams = official("polymarket"), official("polymarket.streams")
    _, wallet = funded(running, SignatureType.EOA)

    def print_all(first: int, last: int) -> None:
        for second in range(first, last):
            running.prices.print(SPOT, "BTC", BTC + second, stamp(second))

    async def listen() -> None:
        running.on_loop(lambda: print_all(0, 70))
        async with await polymarket.AsyncSecureClient.create(
            private_key=SECRET, wallet=wallet, environment=environment(running)
        ) as client:
            handle = await client.subscribe(streams.CryptoTwapPriceSpec(symbols=["btcusd"]))
            history = await wait_for(handle, lambda event: event.type == "subscribe")
            assert (history.seq, len(history.payload.data)) == (1, 8)
            running.on_loop(lambda: print_all(70, 71))
            update = await wait_for(handle, lambda event: event.type == "update")
            assert (update.seq, update.dropped, update.payload.source) == (2, 0, "chainlink")
            assert update.payload.value == Decimal("61035.860038")

    asyncio.run(listen())
