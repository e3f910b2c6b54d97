"""Lock step: the price stream belongs to it, as late as the market stream and behind it."""

from collections.abc import Iterator

import pytest

from polystra.core.markets import PriceSource
from polystra.core.terms import Side
from polystra.core.units import Instant, price, seconds, shares
from polystra.sim import messages as sim
from tests.edge.exchange_cases import CONDITION, START
from tests.edge.lock_step_cases import MARKET, MS, SUBMIT, Follower, Socket, Stepped, market, stepped

BTC = {"topic": "crypto_prices_chainlink", "type": "update", "filters": '{"symbol":"btc/usd"}'}
LATER = seconds(1)


class Ticker:
    """What happens to the market at a moment: first a price, then a level of the book; and the price once more."""

    over = False

    def __init__(self, running: Stepped, moment: int) -> None:
        self._running = running
        self._left = [Instant(START + moment)]

    def next_due(self) -> Instant | None:
        return self._left[0] if self._left else None

    def step(self) -> None:
        at = self._left.pop()
        self._running.prices.print(PriceSource.CHAINLINK_SPOT, "BTC", 64_000_000_000, at)
        change = sim.LevelChange(Side.BUY, price("0.50"), shares("1"))
        self._running.venue.feed(sim.ChangeLevels(market=CONDITION, changes=(change,)))
        self._running.prices.print(PriceSource.CHAINLINK_SPOT, "BTC", 64_000_000_000, at)
        self._running.prices.print(PriceSource.CHAINLINK_SPOT, "BTC", 64_001_000_000, Instant(at + MS))


@pytest.fixture
def running() -> Iterator[Stepped]:
    with stepped() as running:
        yield running


@pytest.fixture
def follower(running: Stepped) -> Iterator[Follower]:
    with running.attach() as follower:
        yield follower


def prices(follower: Follower) -> Socket:
    return follower.open(follower.running.urls.prices, "prices", {"action": "subscribe", "subscriptions": [BTC]})


def play(running: Stepped, moment: int) -> None:
    running.steps._world = Ticker(running, moment)


def test_a_price_arrives_when_the_market_stream_would_and_behind_it(running: Stepped, follower: Follower) -> None:
    """What one stream says at one moment comes together; a price that was said before is no news."""
    play(running, LATER)
    book, told = market(follower), prices(follower)
    when = START + LATER + MARKET
    first, second = follower.step(), follower.step()
    assert first == {"now": when, "stream": "market", "frames": first["frames"]}
    assert second == {"now": when, "stream": "prices", "frames": 2}
    assert book.hear()
    assert [told.hear()["payload"]["value"] for _ in range(2)] == [64000.0, 64001.0]


def test_what_is_asked_for_counts_from_when_it_arrives(running: Stepped, follower: Follower) -> None:
    """Connected at SUBMIT, heard a SUBMIT later: a price in between is told as history, with the delay of news."""
    play(running, SUBMIT + SUBMIT // 2)
    told = prices(follower)
    assert follower.step() == {"now": START + 2 * SUBMIT + MARKET, "stream": "prices", "frames": 1}
    assert told.hear()["type"] == "subscribe"


def test_time_stands_still_until_what_was_asked_for_is_here(running: Stepped, follower: Follower) -> None:
    told = prices(follower)
    follower.messages["prices"] += 1
    follower.report()
    while running.time()["waits_for"] == "the trader's report":
        pass
    assert running.time()["waits_for"] == "messages: 1 of 2 on stream prices are here"
    told.say({"action": "unsubscribe", "subscriptions": [BTC]})
    assert follower.control.hear()["over"]


def test_prices_on_their_way_to_a_trader_that_dies_are_lost(running: Stepped) -> None:
    with running.attach() as first:
        told = prices(first)
        play(running, LATER)
        assert first.step(START + LATER) == {"now": START + LATER}
        first.report(START + LATER + 1)
        assert first.control.hear() == {"now": START + LATER + 1}
    assert told.hear() is None
    with running.attach() as second:
        again = prices(second)
        assert second.step() == {"now": START + LATER + 1 + 2 * SUBMIT + MARKET, "stream": "prices", "frames": 1}
        assert again.hear()["type"] == "subscribe"


def test_a_client_without_the_header_hears_prices_at_once(running: Stepped, follower: Follower) -> None:
    stranger = running.stream(running.urls.prices, {"action": "subscribe", "subscriptions": [BTC]})
    stranger.say("PING")
    assert stranger.hear() == "PONG"
    play(running, LATER)
    told = prices(follower)
    assert follower.step() == {"now": START + LATER + MARKET, "stream": "prices", "frames": 2}
    assert told.hear()["type"] == "update"
    assert [stranger.hear()["payload"]["value"] for _ in range(2)] == [64000.0, 64001.0]
