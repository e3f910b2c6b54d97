"""A market stream that changes its connection again and again while the exchange's market moves."""

import asyncio

from polystra.core.book import OrderBook
from polystra.core.events import AnyEvent, BookChanged, BookSnapshot, StreamLost, TradePrinted
from polystra.core.terms import Side
from polystra.core.units import Instant, price, seconds, shares
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.dialing import SocketDialer
from polystra.edge.polymarket.market_feed import MarketFeed
from polystra.sim import messages as sim
from tests.edge.exchange_cases import CONDITION, Running
from tests.edge.feed_cases import MARKET, Told, in_loop

ROUNDS = 250


def test_no_book_is_distrusted_and_no_trade_lost_or_twice_across_renewals(running: Running) -> None:
    @in_loop
    async def follow() -> None:
        told = Told()
        feed = MarketFeed(
            SocketDialer(),
            running.urls.market_ws,
            time=WallClock(),
            put=told.put,
            on_new_market=lambda _: None,
            newest_book=_nobody_knows,
        )
        feed.follow(MARKET)
        task = asyncio.create_task(feed.run(seconds(0.05)))
        first = await told.next(BookSnapshot)
        for number in range(ROUNDS):
            await asyncio.to_thread(running.feed, *_moves(number))
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        assert feed.renewals >= 2
        assert feed.resyncs == 0
        assert not any(isinstance(event, StreamLost) for event in told.events)
        trades = [event.size for event in told.events if isinstance(event, TradePrinted)]
        assert trades == [shares(number + 1) for number in range(ROUNDS)]
        _same_book(running, [first, *told.events])

    follow()


async def _nobody_knows(token: str) -> Instant | None:
    return None


def _moves(number: int) -> list[sim.Request]:
    """A level that has another size each time, a best bid that comes and goes, and a trade of a size of its own."""
    level = sim.LevelChange(Side.BUY, price("0.40"), shares(100 + number))
    best = sim.LevelChange(Side.BUY, price("0.49"), shares(7 * (number % 2)))
    return [
        sim.ChangeLevels(market=CONDITION, changes=(level, best)),
        sim.PrintTrade(market=CONDITION, price=price("0.45"), size=shares(number + 1), taker=Side.BUY),
    ]


def _same_book(running: Running, events: list[AnyEvent]) -> None:
    """As the engine folds what it heard, and never in doubt on the way."""
    book = OrderBook(MARKET.tick, seconds(60))
    for event in events:
        if isinstance(event, BookSnapshot):
            book.replace(event.bids, event.asks, event.at)
        elif isinstance(event, BookChanged):
            book.change(event)
            assert book.trouble(event.at) is None
    theirs = running.on_loop(lambda: running.venue.book(CONDITION))
    assert book.levels(Side.BUY, 50) == tuple(theirs.bids)
    assert book.levels(Side.SELL, 50) == tuple(theirs.asks)
