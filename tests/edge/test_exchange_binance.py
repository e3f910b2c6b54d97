"""The Binance look-alike: its prices, candles of a minute and an hour, streams, and words of refusal."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random

import pytest

from polystra.core.markets import PriceSource
from polystra.core.units import Instant, seconds
from polystra.exchange.binance_streams import BINANCE as BINANCE_STREAM
from polystra.exchange.price_feeds import PriceBoard
from polystra.exchange.spot import KEPT, SPREAD, SpotMarket, Told, basis
from tests.edge.exchange_cases import START, Running, Stream, exchange
from tests.edge.lock_step_cases import stepped

USD = 1_000_000
BTC = 61_000 * USD
MS = START // 1_000_000
BINANCE, CHAINLINK = PriceSource.BINANCE_SPOT, PriceSource.CHAINLINK_SPOT

Say = Callable[..., None]


@pytest.fixture
def running() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        yield running


@pytest.fixture
def say(running: Running) -> Say:
    """Prints a price of Binance, in USD, so many seconds after the start."""

    def print_it(usd: float, second: float = 0, source: PriceSource = BINANCE, asset: str = "BTC") -> None:
        stamped = Instant(START + seconds(second))
        running.on_loop(lambda: running.prices.print(source, asset, round(usd * USD), stamped))

    return print_it


def ask(running: Running, path: str) -> tuple[int, object]:
    return running.call("GET", f"{running.urls.binance}/api/v3/{path}")


def rows(running: Running, query: str = "") -> list[list[object]]:
    status, body = ask(running, f"klines?symbol=BTCUSDT&interval=1m{query}")
    assert status == 200, body
    assert isinstance(body, list)
    return body


def move(running: Running, second: float) -> None:
    running.control("POST", "/time", {"to": START + seconds(second)})


def stream(running: Running, path: str) -> Stream:
    """Connected once its first request is answered, so that nothing is told before."""
    stream = running.stream(f"{running.urls.binance_ws}/{path}", {"method": "LIST_SUBSCRIPTIONS", "id": 0})
    assert stream.hear()["id"] == 0
    return stream


# --- REST -------------------------------------------------------------------------------------------------------------


def test_the_clock_is_the_venues(running: Running) -> None:
    assert ask(running, "ping") == (200, {})
    assert ask(running, "time") == (200, {"serverTime": MS})
    move(running, 2)
    assert ask(running, "time") == (200, {"serverTime": MS + 2_000})


def test_a_price_of_binance_stands_as_it_was_recorded(running: Running, say: Say) -> None:
    say(61_000.37)
    assert ask(running, "ticker/price?symbol=BTCUSDT") == (200, {"symbol": "BTCUSDT", "price": "61000.37000000"})
    assert ask(running, "ticker/price") == (200, [{"symbol": "BTCUSDT", "price": "61000.37000000"}])
    assert ask(running, "ticker/price?symbol=ETHUSDT") == (400, {"code": -1121, "msg": "Invalid symbol."})


def test_candles_are_made_of_what_was_printed(running: Running, say: Say) -> None:
    for usd, second in ((100, 1), (130, 20), (90, 40), (110, 59.9), (111, 60)):
        say(usd, second)
    move(running, 61)
    first, second_row = rows(running)
    assert first[:5] == [MS, "100.00000000", "130.00000000", "90.00000000", "110.00000000"]
    assert (first[6], first[8], first[11]) == (MS + 59_999, 4, "0")
    assert second_row[:5] == [MS + 60_000, *["111.00000000"] * 4]
    bought, taken = float(str(first[5])), float(str(first[9]))
    assert 0 < taken < bought


def test_a_minute_without_a_trade_repeats_the_last_price(running: Running, say: Say) -> None:
    say(100, 1)
    say(120, 190)
    move(running, 300)
    found = rows(running)
    assert [row[0] for row in found] == [MS + minute * 60_000 for minute in range(6)]
    assert [row[4] for row in found] == [f"{usd}.00000000" for usd in (100, 100, 100, 120, 120, 120)]
    assert [row[8] for row in found] == [1, 0, 0, 1, 0, 0]


def test_start_end_and_limit_choose_candles_as_binance_does(running: Running, say: Say) -> None:
    say(100)
    move(running, 9 * 60)
    minute = {MS + number * 60_000: number for number in range(10)}

    def chosen(query: str) -> list[int]:
        return [minute[int(str(row[0]))] for row in rows(running, query)]

    assert chosen("") == list(range(10))
    assert chosen("&limit=2") == [8, 9]
    assert chosen(f"&startTime={MS + 60_000}&limit=2") == [1, 2]
    assert chosen(f"&startTime={MS + 60_001}&endTime={MS + 240_000}") == [2, 3, 4]
    assert chosen(f"&endTime={MS + 240_000}&limit=2") == [3, 4]
    assert chosen("&limit=5000") == list(range(10))


def test_the_hour_that_a_market_settles_by_is_one_candle(running: Running, say: Say) -> None:
    hour = START // (3_600 * 10**9) * 3_600 * 1_000
    say(100, 1)
    say(99, 600)
    move(running, 700)
    _, body = ask(running, "klines?symbol=BTCUSDT&interval=1h")
    assert isinstance(body, list)
    assert [row[:5] for row in body] == [[hour, "100.00000000", "100.00000000", "99.00000000", "99.00000000"]]
    assert body[0][6] == hour + 3_599_999


def test_wrong_questions_have_binances_codes(running: Running) -> None:
    def refused(path: str) -> object:
        status, body = ask(running, path)
        assert status == 400
        assert isinstance(body, dict)
        return body["code"]

    assert refused("klines?interval=1m") == -1102
    assert refused("klines?symbol=BTCUSDT") == -1102
    assert refused("klines?symbol=btcusdt&interval=1m") == -1121
    assert refused("klines?symbol=DOGEUSDT&interval=1m") == -1121
    assert refused("klines?symbol=BTCUSDT&interval=7m") == -1120
    assert refused("klines?symbol=BTCUSDT&interval=1m&startTime=soon") == -1100
    assert ask(running, "klines?symbol=BTCUSDT&interval=1m") == (200, [])


# --- where its prices come from ---------------------------------------------------------------------------------------


def told(board: PriceBoard, seed: str = "1") -> tuple[SpotMarket, list[Told]]:
    heard: list[Told] = []
    market = SpotMarket(board, seed=seed)
    market.listeners.append(heard.append)
    return market, heard


def test_without_prices_of_binance_chainlinks_are_moved_by_a_small_basis() -> None:
    board = PriceBoard()
    _, heard = told(board)
    for second in range(600):
        board.print(CHAINLINK, "BTC", BTC, Instant(START + seconds(second)))
    prices = [one.trade.price for one in heard]
    assert len(prices) == 600
    assert all(abs(price - BTC) <= BTC * SPREAD // USD + 10_000 for price in prices)
    assert all(price % 10_000 == 0 for price in prices)
    assert len(set(prices)) > 100
    assert max(abs(a - b) for a, b in pairwise(prices)) < BTC * SPREAD // USD // 10


def test_once_binance_is_known_nothing_is_made_up() -> None:
    board = PriceBoard()
    _, heard = told(board)
    for second, source in enumerate((CHAINLINK, BINANCE, CHAINLINK, BINANCE)):
        board.print(source, "BTC", BTC + second * USD, Instant(START + seconds(second)))
    assert [one.trade.price for one in heard][1:] == [BTC + USD, BTC + 3 * USD]


def test_a_price_from_before_the_last_and_a_coin_that_is_not_here_are_no_trades() -> None:
    board = PriceBoard()
    _, heard = told(board)
    board.print(BINANCE, "BTC", BTC, Instant(START + seconds(5)))
    board.print(BINANCE, "BTC", BTC + USD, Instant(START + seconds(4)))
    board.print(BINANCE, "DOGE", USD, Instant(START + seconds(6)))
    assert [one.trade.price for one in heard] == [BTC]


def test_the_same_seed_tells_the_same_and_another_seed_does_not() -> None:
    board = PriceBoard()
    (_, one), (_, same), (_, other) = told(board), told(board), told(board, seed="2")
    for second in range(60):
        board.print(CHAINLINK, "ETH", 2_500 * USD + second, Instant(START + seconds(second)))
    assert one == same
    assert one != other


def test_binance_and_settlement_disagree_in_about_one_window_of_thirty() -> None:
    """Moves as the recorded ones, in millionths: a normal mixture with a median of 470 and a deviation of 1,180."""
    chance, differ, windows = Random(3), 0, 6_000
    for number in range(windows):
        start = START + number * seconds(300)
        move = chance.gauss(0, chance.choice((350, 600, 1_900)))
        turned = basis("1", "BTC", Instant(start + seconds(300))) - basis("1", "BTC", Instant(start))
        differ += (move >= 0) is not (move + turned >= 0)
    assert 0.02 < differ / windows < 0.04


def test_memory_does_not_grow_with_days() -> None:
    board = PriceBoard()
    market, heard = told(board)
    for day in range(5):
        board.print(BINANCE, "BTC", BTC + day, Instant(START + seconds(86_400 * day)))
    assert len(market.candles("BTC", "1m", Instant(START + seconds(86_400 * 4)))) == KEPT
    assert max(len(one.ended["1m"]) for one in heard) <= KEPT + 1
    assert [one.close for one in market.candles("BTC", "1m", Instant(START + seconds(86_400 * 9)))][-1] == BTC + 4


# --- streams ----------------------------------------------------------------------------------------------------------


def test_a_bare_stream_tells_each_trade_and_nothing_else(running: Running, say: Say) -> None:
    trades = stream(running, "ws/btcusdt@aggTrade")
    say(100, 1)
    say(101, 2)
    first, second = trades.hear(), trades.hear()
    assert (first["e"], first["s"], first["p"], first["T"], first["a"]) == (
        "aggTrade",
        "BTCUSDT",
        "100.00000000",
        MS + 1_000,
        1,
    )
    assert (second["p"], second["m"], second["E"], second["a"]) == ("101.00000000", False, MS, 2)


def test_a_candle_is_told_while_it_grows_and_once_as_ended(running: Running, say: Say) -> None:
    candles = stream(running, "ws/btcusdt@kline_1m")
    for usd, second in ((100, 1), (102, 30), (101, 125)):
        say(usd, second)
    seen = [candles.hear()["k"] for _ in range(5)]
    assert [(one["t"] - MS, one["c"][:3], one["n"], one["x"]) for one in seen] == [
        (0, "100", 1, False),
        (0, "102", 2, False),
        (0, "102", 2, True),
        (60_000, "102", 0, True),
        (120_000, "101", 1, False),
    ]
    assert [(one["f"], one["L"]) for one in seen] == [(1, 1), (1, 2), (1, 2), (-1, -1), (3, 3)]
    assert seen[2]["T"] == MS + 59_999


def test_combined_streams_say_which_one_speaks(running: Running, say: Say) -> None:
    both = stream(running, "stream?streams=btcusdt@kline_1h/ethusdt@bookTicker")
    say(2_500, 1, asset="ETH")
    say(100, 2)
    best, candle = both.hear(), both.hear()
    assert best["stream"] == "ethusdt@bookTicker"
    assert float(best["data"]["a"]) - float(best["data"]["b"]) == pytest.approx(0.01)
    assert "2500.00000000" in (best["data"]["a"], best["data"]["b"])
    assert (candle["stream"], candle["data"]["k"]["i"]) == ("btcusdt@kline_1h", "1h")


def test_streams_are_taken_up_and_given_up_by_request(running: Running, say: Say) -> None:
    one = stream(running, "ws")
    say(100, 1)
    one.say({"method": "SUBSCRIBE", "params": ["btcusdt@aggTrade", "nosuch@aggTrade"], "id": 1})
    assert one.hear() == {"result": None, "id": 1}
    one.say({"method": "LIST_SUBSCRIPTIONS", "id": 2})
    assert one.hear() == {"result": ["btcusdt@aggTrade", "nosuch@aggTrade"], "id": 2}
    say(101, 2)
    assert one.hear()["p"] == "101.00000000"
    one.say({"method": "SET_PROPERTY", "params": ["combined", True], "id": 3})
    assert one.hear() == {"result": None, "id": 3}
    say(102, 3)
    assert one.hear()["data"]["p"] == "102.00000000"
    one.say({"method": "GET_PROPERTY", "params": ["combined"], "id": 4})
    assert one.hear() == {"result": True, "id": 4}
    one.say({"method": "UNSUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": "x"})
    assert one.hear() == {"result": None, "id": "x"}
    say(103, 4)
    one.say({"method": "LIST_SUBSCRIPTIONS", "id": 5})
    assert one.hear() == {"result": ["nosuch@aggTrade"], "id": 5}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("nonsense", 3),
        ({"params": []}, 2),
        ({"method": "SHOUT", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "id": 1}, 2),
        ({"method": "SET_PROPERTY", "params": ["combined", 1], "id": 1}, 1),
        ({"method": "SET_PROPERTY", "params": ["colour", True], "id": 1}, 0),
        ({"method": "GET_PROPERTY", "params": [], "id": 1}, 0),
    ],
)
def test_what_is_no_request_is_refused_and_the_stream_goes_on(
    running: Running, say: Say, said: object, code: int
) -> None:
    trades = stream(running, "ws/btcusdt@aggTrade")
    trades.say(said)
    assert trades.hear()["error"]["code"] == code
    say(100, 1)
    assert trades.hear()["e"] == "aggTrade"


def test_in_lock_step_a_frame_of_binance_is_a_step_of_the_trader() -> None:
    with stepped() as running, running.attach() as follower:
        url = f"{running.urls.binance_ws}/ws"
        told = follower.open(url, BINANCE_STREAM, {"method": "SUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 1})
        step = follower.step()
        assert (step["stream"], step["frames"]) == (BINANCE_STREAM, 1)
        assert told.hear() == {"result": None, "id": 1}
        at = Instant(follower.now)
        running.on_loop(lambda: running.prices.print(BINANCE, "BTC", BTC, at))
        step = follower.step()
        assert (step["stream"], step["frames"]) == (BINANCE_STREAM, 1)
        assert step["now"] > at
        assert told.hear()["p"] == "61000.00000000"
