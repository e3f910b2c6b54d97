"""What goes wrong with a stream is said once it is new, and what is ordinary is not said at all."""

import asyncio

from polystra.app.console import line_of
from polystra.app.feed_troubles import FeedTroubles
from polystra.core import notes as nt
from polystra.core.events import FeedTroubled, Stream
from polystra.core.units import Instant
from polystra.edge.clock import WallClock
from polystra.edge.market_channel import MALFORMED, NOT_JSON
from polystra.edge.polymarket.price_feed import OTHER, REFUSED, PriceFeed
from tests.edge.feed_cases import MARKET, HandTime, ScriptedDialer, Told, in_loop, running_feed
from tests.edge.market_feed_cases import Case, book


def troubled(what: str, stream: Stream = Stream.MARKET) -> FeedTroubled:
    return FeedTroubled(at=Instant(0), stream=stream, what=what)


@in_loop
async def test_a_message_that_nobody_can_use_is_told_at_the_next_look_and_again_when_there_are_more() -> None:
    case, told = Case(), Told()
    troubles = FeedTroubles({Stream.MARKET: case.feed}, told.put)
    case.feed.follow(MARKET)
    async with running_feed(case.feed):
        case.say([book()])
        troubles.look()
        assert told.take() == []
        case.dialer.line.say(b"{", b"{", b'{"event_type":7}')
        troubles.look()
        assert told.take() == [troubled(f"left out: {NOT_JSON}"), troubled(f"left out: {MALFORMED}")]
        troubles.look()
        assert told.take() == []
        case.dialer.line.say(b"{")
        troubles.look()
        assert told.take() == [troubled(f"left out: {NOT_JSON}")]


@in_loop
async def test_news_of_other_markets_is_no_trouble() -> None:
    case, told = Case(), Told()
    troubles = FeedTroubles({Stream.MARKET: case.feed}, told.put)
    async with running_feed(case.feed):
        case.say([book()])
        assert case.feed.skipped
        troubles.look()
        assert told.take() == []


@in_loop
async def test_why_there_is_no_connection_is_told_once_for_each_cause() -> None:
    case, told = Case(), Told()
    troubles = FeedTroubles({Stream.MARKET: case.feed}, told.put)
    async with running_feed(case.feed):
        case.dialer.refuse = "nobody there"
        case.lose()
        troubles.look()
        troubles.look()
        assert told.take() == [troubled("closed by the venue: 1001")]
        await case.time.go(0.5)
        troubles.look()
        assert told.take() == [troubled("nobody there")]
        case.dialer.refuse = ""
        await case.time.go(1)
        troubles.look()
        assert told.take() == []
        case.lose()
        troubles.look()
        assert told.take() == [troubled("closed by the venue: 1001")]


@in_loop
async def test_a_refused_subscription_to_prices_reaches_a_person() -> None:
    dialer, told = ScriptedDialer(), Told()
    feed = PriceFeed(dialer, "ws://venue", time=WallClock(), put=Told().put, assets={"BTC"})
    async with running_feed(feed):
        dialer.line.say({"statusCode": 400, "body": {"message": "no"}})
        FeedTroubles({Stream.PRICES: feed}, told.put).look()
    refused, left_out = [event for event in told.take() if isinstance(event, FeedTroubled)]
    assert refused.what.startswith("the venue refused the subscription")
    assert left_out == troubled(f"left out: {REFUSED}", Stream.PRICES)
    assert OTHER not in left_out.what
    note = nt.FeedTroubled(stream=Stream.PRICES, what=left_out.what)
    assert line_of(note) == "prices stream: left out: subscription refused"


@in_loop
async def test_the_look_comes_every_five_seconds() -> None:
    case, time, told = Case(), HandTime(), Told()
    task = asyncio.create_task(FeedTroubles({Stream.MARKET: case.feed}, told.put).run(time))
    case.feed.skipped[NOT_JSON] += 1
    await time.go(4.9)
    assert told.take() == []
    await time.go(0.1)
    assert told.take() == [troubled(f"left out: {NOT_JSON}")]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
