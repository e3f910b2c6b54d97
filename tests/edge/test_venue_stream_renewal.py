"""A market stream that gives way to a second one: nothing is lost, nothing is twice, and a failure costs nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from polystra.core.events import Stream, StreamRestored
from polystra.core.units import Instant, seconds
from tests.edge.exchange_cases import DOWN, START, UP
from tests.edge.feed_cases import MARKET, ScriptedLine, in_loop, running_feed, settle
from tests.edge.market_feed_cases import (
    LOST,
    OTHER,
    STAMP,
    Case,
    book,
    change,
    first_frame,
    resolved,
    subscription,
    trade,
)

EVERY = 900


class Renewing(Case):
    """A feed that is renewed every 15 minutes, once it has its book."""

    async def run(self) -> None:
        await self.feed.run(seconds(EVERY))


@asynccontextmanager
async def renewing() -> AsyncIterator[tuple[Renewing, ScriptedLine, ScriptedLine]]:
    """The case, its old line and the new one, which has not said anything yet."""
    case = Renewing()
    case.feed.follow(MARKET)
    async with running_feed(case):
        case.say([book(), book(DOWN)])
        await case.time.go(EVERY)
        assert len(case.dialer.lines) == 2
        case.told.take()
        yield case, case.dialer.lines[0], case.dialer.lines[1]


def kinds(case: Case) -> list[str]:
    return [type(event).__name__ for event in case.told.take()]


@in_loop
async def test_the_new_connection_subscribes_tells_its_books_and_is_the_only_one_then() -> None:
    async with renewing() as (case, old, new):
        assert new.sent == [first_frame(UP, DOWN)]
        old.say(change())
        assert kinds(case) == ["BookChanged"]
        new.say([book(), book(DOWN)])
        assert kinds(case) == ["BookSnapshot"]
        new.say(change(STAMP + 1))
        old.say(change(STAMP + 1))
        assert kinds(case) == ["BookChanged"]
        await case.time.go(1)
        assert (old.closed, new.closed, case.feed.connected, case.feed.renewals) == (True, False, True, 1)
        old.say(change())
        assert kinds(case) == []
        new.say(change(STAMP + 2))
        assert kinds(case) == ["BookChanged"]
        case.feed.follow(OTHER)
        assert new.sent[-1] == subscription("subscribe", "21", "22")


@in_loop
async def test_what_the_new_connection_says_before_its_book_is_in_its_book() -> None:
    async with renewing() as (case, old, new):
        new.say(change())
        assert kinds(case) == []
        old.say(change())
        assert kinds(case) == ["BookChanged"]
        new.say(book(DOWN))
        old.say(change(STAMP + 1))
        assert kinds(case) == ["BookChanged"], "Down's book alone says nothing"


@in_loop
async def test_a_trade_that_both_tell_counts_once_and_one_that_one_tells_counts_too() -> None:
    async with renewing() as (case, old, new):
        new.say([book(), book(DOWN)])
        case.told.take()
        old.say(trade())
        new.say(trade())
        assert kinds(case) == ["TradePrinted"]
        new.say(trade())
        assert kinds(case) == ["TradePrinted"], "a second one alike"
        old.say(trade())
        assert kinds(case) == []
        old.say({**trade(), "size": "9"})
        assert kinds(case) == ["TradePrinted"], "the old connection was behind"
        new.say(resolved(winning_asset_id=UP))
        old.say(resolved(winning_asset_id=UP))
        assert kinds(case) == ["MarketResolved"]


@in_loop
async def test_a_new_connection_that_tells_no_book_is_given_up() -> None:
    async with renewing() as (case, old, new):
        await case.time.go(11)
        assert (old.closed, new.closed, case.feed.renewals) == (False, True, 0)
        old.say(change())
        new.say([book()])
        assert kinds(case) == ["BookChanged"]
        assert old.sent == [first_frame(UP, DOWN)], "nothing was moved: nothing is asked for anew"
        await case.time.go(EVERY)
        assert len(case.dialer.lines) == 3


@in_loop
async def test_a_new_connection_that_is_lost_leaves_the_old_one_with_a_fresh_book() -> None:
    async with renewing() as (case, old, new):
        case.feed.follow(OTHER)
        new.say([book(), book(DOWN)])
        new.ears.lost("closed by the venue: 1001")
        await settle()
        await case.time.go(1)
        assert (old.closed, case.feed.connected, case.feed.trouble, case.feed.resyncs) == (False, True, "", 1)
        assert old.sent[-2:] == [subscription("unsubscribe", UP, DOWN), subscription("subscribe", UP, DOWN)]
        case.told.take()
        old.say(book())
        assert kinds(case) == ["BookSnapshot"]
        assert LOST not in case.told.events


@in_loop
async def test_an_old_connection_that_is_lost_meanwhile_begins_anew_as_ever() -> None:
    async with renewing() as (case, old, new):
        new.say([book(), book(DOWN)])
        case.told.take()
        old.ears.lost("closed by the venue: 1001")
        await case.time.go(0.5)
        third = case.dialer.lines[2]
        assert kinds(case) == ["StreamLost", "StreamRestored"]
        third.say([book(), book(DOWN)])
        new.say(change())
        assert kinds(case) == ["BookSnapshot"]
        await case.time.go(1)
        assert (new.closed, third.closed, case.feed.renewals) == (True, False, 0)


@in_loop
async def test_a_renewed_connection_that_is_lost_is_told_and_replaced() -> None:
    async with renewing() as (case, _, new):
        new.say([book(), book(DOWN)])
        await case.time.go(1)
        case.told.take()
        new.ears.lost("closed by the venue: 1001")
        await case.time.go(0.5)
        restored = StreamRestored(at=Instant(START + seconds(EVERY + 1.5)), stream=Stream.MARKET)
        assert case.told.take()[1:] == [restored]
        assert case.sent == [first_frame(UP, DOWN)]


@in_loop
async def test_a_venue_that_takes_no_second_connection_keeps_the_first() -> None:
    case = Renewing()
    case.feed.follow(MARKET)
    async with running_feed(case):
        case.dialer.refuse = "too many connections"
        await case.time.go(EVERY)
        assert (case.feed.connected, case.feed.trouble, case.told.take()) == (True, "", [])


@in_loop
async def test_a_market_that_comes_or_goes_during_the_change_is_asked_of_both() -> None:
    async with renewing() as (case, old, new):
        case.feed.follow(OTHER)
        assert old.sent[-1] == new.sent[-1] == subscription("subscribe", "21", "22")
        new.say([book(), book(DOWN)])
        case.feed.unfollow(OTHER.id)
        assert old.sent[-1] == new.sent[-1] == subscription("unsubscribe", "21", "22")
        await case.time.go(1)
        assert case.feed.renewals == 1
