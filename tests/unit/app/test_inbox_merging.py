"""Under pressure book changes are merged: never past news that may matter, and to the same books."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polystra.app.inbox import Inbox
from polystra.core import events as ev
from polystra.core.book import OrderBook
from polystra.core.ids import MarketId
from polystra.core.terms import Side
from polystra.core.units import NO_BID, Instant, Nanos, Price, Tick, price, shares
from tests.inbox_cases import (
    NOWHEN,
    ONE,
    TWO,
    Hands,
    Patience,
    account_news,
    change,
    kinds,
    passed_through,
    snapshot,
    trade,
)


def test_two_changes_of_one_book_that_wait_side_by_side_become_one() -> None:
    first = change(ONE, Side.BUY, "0.41", "1", best_bid=price("0.41"), best_ask=price("0.60"))
    second = change(ONE, Side.SELL, "0.59", "2", best_bid=price("0.41"), best_ask=price("0.59"))
    (merged,) = passed_through(first, second)
    assert isinstance(merged, ev.BookChanged)
    assert merged.changes == first.changes + second.changes
    assert (merged.best_bid, merged.best_ask) == (price("0.41"), price("0.59"))


def test_the_last_size_of_a_level_wins_and_each_side_keeps_its_own() -> None:
    (merged,) = passed_through(
        change(ONE, Side.BUY, "0.41", "1"),
        change(ONE, Side.SELL, "0.41", "7"),
        change(ONE, Side.BUY, "0.41", "3"),
    )
    assert isinstance(merged, ev.BookChanged)
    assert {(one.side, one.size) for one in merged.changes} == {(Side.BUY, shares(3)), (Side.SELL, shares(7))}


def test_the_books_of_two_markets_are_merged_each_into_itself() -> None:
    merged = passed_through(
        change(ONE, Side.BUY, "0.41", "1"),
        change(TWO, Side.BUY, "0.42", "1"),
        change(ONE, Side.BUY, "0.43", "1"),
        change(TWO, Side.BUY, "0.44", "1"),
    )
    assert [(event.market, len(event.changes)) for event in merged if isinstance(event, ev.BookChanged)] == [
        (ONE, 2),
        (TWO, 2),
    ]


@pytest.mark.parametrize(
    "between",
    [
        trade(ONE),
        snapshot(ONE),
        ev.BestQuoted(at=NOWHEN, market=ONE, bid=price("0.40"), ask=price("0.60")),
        ev.TickSizeChanged(at=NOWHEN, market=ONE, tick=Tick(price("0.001"))),
        ev.MarketClosed(at=NOWHEN, market=ONE),
        account_news(),
        ev.TradingStateSet(at=NOWHEN, state=ev.TradingState.PAUSED, who="me", why="test"),
        ev.StreamLost(at=NOWHEN, stream=ev.Stream.MARKET),
        ev.Woke(at=NOWHEN),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_change_does_not_pass_news_that_may_matter(between: ev.AnyEvent) -> None:
    events = passed_through(change(ONE, Side.BUY, "0.41", "1"), between, change(ONE, Side.BUY, "0.41", "2"))
    assert kinds(events) == ["BookChanged", type(between).__name__, "BookChanged"]


def test_an_alarm_that_rang_stands_between_two_changes() -> None:
    hands = Hands(0)
    inbox = Inbox(hands, Patience(hands, 100))

    async def scene() -> list[ev.AnyEvent]:
        inbox.put(change(ONE, Side.BUY, "0.41", "1"))
        first = await anext(inbox)
        inbox.wake_at(Instant(100))
        woke = await anext(inbox)
        inbox.put(change(ONE, Side.BUY, "0.41", "2"))
        return [first, woke, await anext(inbox)]

    assert kinds(asyncio.run(scene())) == ["BookChanged", "Woke", "BookChanged"]


@pytest.mark.parametrize("between", [trade(TWO), snapshot(TWO)], ids=lambda event: type(event).__name__)
def test_a_change_does_pass_news_of_another_market(between: ev.AnyEvent) -> None:
    events = passed_through(change(ONE, Side.BUY, "0.41", "1"), between, change(ONE, Side.BUY, "0.41", "2"))
    assert kinds(events) == ["BookChanged", type(between).__name__]


def test_a_change_that_left_the_queue_is_not_changed_any_more() -> None:
    async def scene() -> list[ev.AnyEvent]:
        inbox = Inbox(Hands())
        inbox.put(change(ONE, Side.BUY, "0.41", "1"))
        gone = await anext(inbox)
        inbox.put(change(ONE, Side.BUY, "0.41", "2"))
        return [gone, await anext(inbox)]

    gone, later = asyncio.run(scene())
    assert isinstance(gone, ev.BookChanged)
    assert isinstance(later, ev.BookChanged)
    assert [gone.changes[0].size, later.changes[0].size] == [shares(1), shares(2)]


def test_places_stay_right_after_others_left_the_queue() -> None:
    """Two events leave, the queue shifts, and a change must still find its own market's earlier one."""

    async def scene() -> list[ev.AnyEvent]:
        inbox = Inbox(Hands())
        inbox.put(trade(TWO))
        inbox.put(trade(TWO))
        inbox.put(change(TWO, Side.SELL, "0.61", "1"))
        inbox.put(change(ONE, Side.BUY, "0.41", "1"))
        await anext(inbox)
        await anext(inbox)
        inbox.put(change(ONE, Side.BUY, "0.42", "2"))
        return [await anext(inbox), await anext(inbox)]

    two, one = asyncio.run(scene())
    assert isinstance(two, ev.BookChanged)
    assert isinstance(one, ev.BookChanged)
    assert (two.market, len(two.changes)) == (TWO, 1)
    assert (one.market, len(one.changes)) == (ONE, 2)


class Books:
    """What the engine would know after these events: the whole books, best prices and trust."""

    def __init__(self) -> None:
        self.books = {market: OrderBook(Tick(price("0.01")), Nanos(2**62)) for market in (ONE, TWO)}

    def fold(self, event: ev.AnyEvent) -> None:
        if isinstance(event, ev.BookSnapshot):
            self.books[event.market].replace(event.bids, event.asks, event.at)
        elif isinstance(event, ev.BookChanged):
            self.books[event.market].change(event)

    def seen(self, markets: Sequence[MarketId]) -> list[object]:
        return [
            (book.levels(Side.BUY, 99), book.levels(Side.SELL, 99), book.bid, book.ask, book.trouble(Instant(1_000)))
            for book in map(self.books.__getitem__, markets)
        ]


def checkpoints(events: Sequence[ev.AnyEvent]) -> list[tuple[int, list[object]]]:
    """At each piece of news that is no book change: the books that it bears on, all for account news."""
    books, found = Books(), []
    for event in events:
        books.fold(event)
        if isinstance(event, ev.OrderExpired):
            found.append((int(event.order), books.seen((ONE, TWO))))
        elif isinstance(event, ev.TradePrinted):
            found.append((int(event.size), books.seen((event.market,))))
    return [*sorted(found, key=lambda pair: pair[0]), (-1, books.seen((ONE, TWO)))]


@st.composite
def doings(draw: st.DrawFn) -> list[ev.AnyEvent | None]:
    """Events of two markets and of the account, numbered where they are no book changes; None takes one out."""
    reference = Books()
    made: list[ev.AnyEvent | None] = [snapshot(ONE), snapshot(TWO)]
    reference.fold(snapshot(ONE))
    reference.fold(snapshot(TWO))
    for number in range(draw(st.integers(1, 40))):
        market = draw(st.sampled_from((ONE, TWO)))
        kind = draw(st.sampled_from(("change",) * 6 + ("trade", "account", "snapshot", "read")))
        event: ev.AnyEvent | None = None
        if kind == "change":
            changes = tuple(
                ev.LevelChange(
                    draw(st.sampled_from(Side)),
                    Price(draw(st.integers(1, 99)) * 10_000),
                    shares(draw(st.integers(0, 3))),
                )
                for _ in range(draw(st.integers(0, 3)))
            )
            event = ev.BookChanged(at=NOWHEN, market=market, changes=changes)
            reference.fold(event)
            if draw(st.booleans()):
                book = reference.books[market]
                event = ev.BookChanged(at=NOWHEN, market=market, changes=changes, best_bid=book.bid, best_ask=book.ask)
        elif kind == "trade":
            event = ev.TradePrinted(at=NOWHEN, market=market, price=price("0.5"), size=shares(number + 1))
        elif kind == "account":
            event = account_news((number + 1) * 1_000_000)
        elif kind == "snapshot":
            event = snapshot(market)
            reference.fold(event)
        made.append(event)
    return made


@given(doings())
def test_a_merged_stream_builds_the_same_books_wherever_anybody_looks(made: list[ev.AnyEvent | None]) -> None:
    """Also when some of it was read in the middle; and stamps never decrease, and no other event is lost."""
    hands = Hands()

    async def through() -> list[ev.AnyEvent]:
        inbox = Inbox(hands)
        read: list[ev.AnyEvent] = []
        for event in made:
            hands.at += 1
            if event is not None:
                inbox.put(event)
            elif inbox._queue:
                read.append(await anext(inbox))
        inbox.close()
        return [*read, *[event async for event in inbox]]

    came_out = asyncio.run(through())
    went_in = [event for event in made if event is not None]
    assert checkpoints(came_out) == checkpoints(went_in)
    stamps = [event.at for event in came_out]
    assert stamps == sorted(stamps)
    others = [type(event) for event in went_in if not isinstance(event, ev.BookChanged)]
    assert [type(event) for event in came_out if not isinstance(event, ev.BookChanged)] == others


def test_an_emptied_side_is_merged_to_an_emptied_side() -> None:
    """The only bid goes, comes back and goes: no bid is left, and nobody contradicts the venue."""
    gone = change(ONE, Side.BUY, "0.40", "0", best_bid=NO_BID, best_ask=price("0.60"))
    back = change(ONE, Side.BUY, "0.40", "5", best_bid=price("0.40"), best_ask=price("0.60"))
    events = passed_through(snapshot(ONE), gone, back, gone)
    books = Books()
    for event in events:
        books.fold(event)
    assert kinds(events) == ["BookSnapshot", "BookChanged"]
    assert (books.books[ONE].bid, books.books[ONE].ask) == (NO_BID, price("0.60"))
