"""The one queue: order, alarms, its end, and room for everybody else. Merging is in `test_inbox_merging`."""

import asyncio
from itertools import pairwise

from polystra.app.inbox import YIELD_EVERY, Inbox
from polystra.core import events as ev
from polystra.core.ids import OrderId
from polystra.core.terms import Side
from polystra.core.units import Instant, seconds
from polystra.edge.clock import WallClock
from tests.inbox_cases import (
    ONE,
    TWO,
    Hands,
    Patience,
    account_news,
    change,
    kinds,
    passed_through,
    read_all,
    rest_of,
    trade,
)

# --- stamps


def test_a_clock_that_steps_back_an_hour_does_not_turn_time_round() -> None:
    hands = Hands()
    inbox = Inbox(hands)
    stamps = [5_000, 3_000, 0, 5_001]
    for number, at in enumerate(stamps):
        hands.at = at
        inbox.put(account_news(number))
    assert [event.at for event in read_all(inbox)] == [5_000, 5_000, 5_000, 5_001]


def test_the_senders_own_stamp_is_not_believed() -> None:
    (event,) = passed_through(ev.OrderExpired(at=Instant(7), order=OrderId(1)))
    assert event.at == 1_000


def test_a_change_folded_into_an_older_one_does_not_overtake_the_time_of_what_stands_between() -> None:
    """Market one at 10, market two at 20, market one again at 30: the second change of one joins the first."""
    hands = Hands(10)
    inbox = Inbox(hands)
    for at, market in ((10, ONE), (20, TWO), (30, ONE)):
        hands.at = at
        inbox.put(change(market, Side.BUY, "0.41", "1"))
    stamps = [event.at for event in read_all(inbox)]
    assert stamps == sorted(stamps) == [10, 20]


# --- alarms


def woken(alarm: int | None, *steps: int) -> tuple[list[ev.AnyEvent], Patience]:
    hands = Hands(0)
    patience = Patience(hands, *steps)
    inbox = Inbox(hands, patience)
    inbox.wake_at(None if alarm is None else Instant(alarm))
    return asyncio.run(rest_of(inbox)), patience


def test_an_alarm_goes_off_at_its_nanosecond_and_not_one_before() -> None:
    events, patience = woken(100, 98, 99, 100)
    assert events == [ev.Woke(at=Instant(100))]
    assert patience.asked == [100, 100, 100, None], "once it rang it is over"


def test_an_alarm_rings_once() -> None:
    events, _ = woken(100, 100, 101, 102)
    assert kinds(events) == ["Woke"]


def test_without_an_alarm_nobody_is_woken() -> None:
    events, patience = woken(None, 10**18)
    assert events == []
    assert patience.asked == [None, None]


def test_an_alarm_that_was_put_off_does_not_ring() -> None:
    hands = Hands(0)
    inbox = Inbox(hands, Patience(hands, 100, 200))
    inbox.wake_at(Instant(100))
    inbox.wake_at(Instant(150))
    assert asyncio.run(rest_of(inbox)) == [ev.Woke(at=Instant(200))]


def test_an_alarm_that_was_taken_back_does_not_ring() -> None:
    hands = Hands(0)
    inbox = Inbox(hands, Patience(hands, 100))
    inbox.wake_at(Instant(100))
    inbox.wake_at(None)
    assert asyncio.run(rest_of(inbox)) == []


def test_a_due_alarm_waits_until_the_queue_is_empty() -> None:
    hands = Hands(500)
    inbox = Inbox(hands, Patience(hands))
    inbox.wake_at(Instant(100))
    inbox.put(account_news(1))
    inbox.put(trade(ONE))
    assert kinds(asyncio.run(rest_of(inbox))) == ["OrderExpired", "TradePrinted", "Woke"]


def test_an_alarm_of_a_clock_that_stepped_back_is_stamped_after_what_came_before() -> None:
    hands = Hands(900)
    inbox = Inbox(hands, Patience(hands, 500))
    inbox.put(account_news())
    hands.at = 400
    inbox.wake_at(Instant(450))
    assert [event.at for event in asyncio.run(rest_of(inbox))] == [900, 900]


# --- the end


def test_closing_ends_the_loop_only_after_what_was_queued() -> None:
    events = passed_through(account_news(1), trade(ONE), account_news(2))
    assert kinds(events) == ["OrderExpired", "TradePrinted", "OrderExpired"]


def test_a_loop_that_waits_ends_when_the_inbox_is_closed() -> None:
    async def scene() -> list[ev.AnyEvent]:
        inbox = Inbox(WallClock())
        asyncio.get_running_loop().call_later(0.01, inbox.close)
        return await asyncio.wait_for(rest_of(inbox), 5)

    assert asyncio.run(scene()) == []


def test_what_is_put_with_the_closing_hand_is_still_read() -> None:
    async def scene() -> list[ev.AnyEvent]:
        inbox = Inbox(WallClock())

        def put_and_close() -> None:
            inbox.put(account_news())
            inbox.close()

        asyncio.get_running_loop().call_later(0.01, put_and_close)
        return await asyncio.wait_for(rest_of(inbox), 5)

    assert kinds(asyncio.run(scene())) == ["OrderExpired"]


# --- on the wall clock


def test_a_waiting_loop_is_woken_by_what_arrives() -> None:
    async def scene() -> ev.AnyEvent:
        inbox = Inbox(WallClock())
        asyncio.get_running_loop().call_later(0.01, inbox.put, account_news())
        return await asyncio.wait_for(anext(inbox), 5)

    assert isinstance(asyncio.run(scene()), ev.OrderExpired)


def test_a_waiting_loop_is_woken_by_its_alarm_on_the_wall_clock() -> None:
    async def scene() -> tuple[ev.AnyEvent, Instant]:
        clock = WallClock()
        inbox = Inbox(clock)
        due = Instant(clock.now() + seconds(0.03))
        inbox.wake_at(due)
        return await asyncio.wait_for(anext(inbox), 5), due

    event, due = asyncio.run(scene())
    assert isinstance(event, ev.Woke)
    assert due <= event.at < due + seconds(2)


def test_an_arrival_before_the_alarm_comes_first_and_the_alarm_still_rings() -> None:
    async def scene() -> list[ev.AnyEvent]:
        clock = WallClock()
        inbox = Inbox(clock)
        inbox.wake_at(Instant(clock.now() + seconds(0.05)))
        asyncio.get_running_loop().call_later(0.01, inbox.put, account_news())
        return [await asyncio.wait_for(anext(inbox), 5) for _ in range(2)]

    assert kinds(asyncio.run(scene())) == ["OrderExpired", "Woke"]


# --- others' turn


def test_a_flood_of_ten_thousand_events_leaves_the_heartbeat_its_turns() -> None:
    turns: list[int] = []

    async def scene() -> None:
        inbox = Inbox(Hands())
        for number in range(10_000):
            inbox.put(account_news(number))
        inbox.close()
        read = 0

        async def heart() -> None:
            while True:
                turns.append(read)
                await asyncio.sleep(0)

        beating = asyncio.create_task(heart())
        async for _ in inbox:
            read += 1
        beating.cancel()

    asyncio.run(scene())
    gaps = [later - earlier for earlier, later in pairwise(turns)]
    assert max(gaps) <= YIELD_EVERY <= 16
    assert len(turns) >= 10_000 // 16
