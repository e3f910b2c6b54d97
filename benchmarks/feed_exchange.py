"""The exchange of `feed`, a process of its own: eight markets whose books change at a rate that it is told.

It prints where its market stream is and the tokens, as a line of JSON. Then it reads lines, each a number of changes to
play, and answers each with two: before it the moment at which it begins (`CLOCK_MONOTONIC`), and after it the seconds
of CPU that it took.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from itertools import count
from random import Random
from time import monotonic, process_time

from polystra.app.playback import listing_of
from polystra.app.scenarios import scenario_files
from polystra.core.ids import MarketId
from polystra.core.markets import Market, Series
from polystra.core.terms import Side
from polystra.core.units import Instant, Price, Shares, seconds
from polystra.edge.clock import WallClock
from polystra.exchange.members import Members
from polystra.exchange.server import serve
from polystra.exchange.venue import Venue
from polystra.sim import messages as sim
from polystra.sim.rules import Rules

RATE = 500
"""Frames a second of each market."""

MARKETS = 8

_CENT = 10_000
_PAUSE = 0.001
"""Seconds between two looks at what is due."""


def eight_markets() -> list[Market]:
    """Four assets in windows of 5 and of 15 minutes."""
    start = Instant(WallClock().now() // seconds(900) * seconds(900))
    return [
        scenario_files("calm", seed=1, windows=1, start=start, series=Series(asset, seconds(length)))[0].market
        for asset in ("BTC", "ETH", "SOL", "XRP")
        for length in (300, 900)
    ]


def changes(markets: list[MarketId]) -> Iterator[sim.ChangeLevels]:
    """For ever: one level of each market in turn, on either side of a middle of 50 cents."""
    rng = Random(1)
    for number in count():
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        away = rng.randrange(1, 30) * _CENT
        at = Price(500_000 - away if side is Side.BUY else 500_000 + away)
        level = sim.LevelChange(side, at, Shares((number + 1) * 10_000))
        yield sim.ChangeLevels(market=markets[number % len(markets)], changes=(level,))


async def main() -> None:
    venue = Venue(rules=Rules(), rng=Random(1), clock=WallClock(), members=Members("1"))
    async with serve(venue) as urls:
        markets = eight_markets()
        for market in markets:
            venue.feed(listing_of(market))
            venue.feed(_book(market.id))
        tokens = [token for market in markets for token in (market.up_token, market.down_token)]
        print(json.dumps({"market_ws": urls.market_ws, "tokens": tokens}), flush=True)
        stream = changes([market.id for market in markets])
        while line := await asyncio.to_thread(sys.stdin.readline):
            await _play(venue, stream, int(line))


async def _play(venue: Venue, stream: Iterator[sim.ChangeLevels], most: int) -> None:
    begun, cpu, told = monotonic(), process_time(), 0
    print(begun, flush=True)
    while told < most:
        due = min(most, int((monotonic() - begun) * RATE * MARKETS) + 1)
        for _ in range(told, due):
            venue.feed(next(stream))
        told = due
        await asyncio.sleep(_PAUSE)
    print(process_time() - cpu, flush=True)


def _book(market: MarketId) -> sim.SetBook:
    size = Shares(100_000_000)
    return sim.SetBook(
        market=market,
        bids=tuple((Price(500_000 - step * _CENT), size) for step in range(1, 40)),
        asks=tuple((Price(500_000 + step * _CENT), size) for step in range(1, 40)),
    )


if __name__ == "__main__":
    asyncio.run(main())
