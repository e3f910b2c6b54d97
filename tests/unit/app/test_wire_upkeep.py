"""What a client does by the clock: its heart, its notifications, its time and where it is."""

from __future__ import annotations

import asyncio
from typing import cast

import msgspec
import pytest

from polystra.app.inbox import Inbox
from polystra.app.outbox import OrderNames
from polystra.app.throwaway import throwaway_wallet
from polystra.app.wire_upkeep import BEAT_EVERY, HUNG_AFTER, Upkeep
from polystra.core import events as ev
from polystra.core.ids import OrderId, VenueOrderId
from polystra.core.units import Instant, seconds
from polystra.edge.polymarket.account_readings import AccountReadings
from polystra.edge.polymarket.answer_wire import HeartbeatId
from polystra.edge.polymarket.rest import Answer, NoReply, Reply
from polystra.edge.polymarket.server_clock import SAME_CLOCK, VenueTime
from polystra.edge.polymarket.venue import Venue
from tests.inbox_cases import account_news, read_all
from tests.unit.core.samples import NOON
from tests.wire_script import CLOB, Script, private

LOST = NoReply("no reply within 2 s", sent=True)


class Wound(Exception):
    """The test's time is over."""


class Hours:
    """A clock that jumps to whatever is waited for, until the test ends. `moves` are the seconds it jumped to."""

    def __init__(self, end: float) -> None:
        self.at = NOON
        self.end = Instant(NOON + seconds(end))
        self.moves: list[float] = []

    def now(self) -> Instant:
        return self.at

    async def until(self, instant: Instant) -> None:
        if instant > self.end:
            raise Wound
        self.at = max(self.at, instant)
        self.moves.append((self.at - NOON) / 10**9)


def json(answer: object, status: int = 200) -> Reply:
    return Reply(status, msgspec.json.encode(answer))


def beat(number: str) -> Reply:
    return json({"heartbeat_id": number})


class Client:
    def __init__(
        self, *answers: Answer, lasts: float, heartbeat: bool = True, notices: bool = False, wall: bool = False
    ) -> None:
        self.hours = Hours(lasts)
        self.script = Script(*answers)
        rest = private(self.script)
        venue = Venue(rest, wallet=throwaway_wallet(1), api_key="key")
        self.upkeep = Upkeep(
            clock=self.hours,
            venue=venue,
            account=AccountReadings(rest, venue),
            rest=self.script,
            clob=CLOB,
            heartbeat=heartbeat,
            notifications_every=seconds(10) if notices else None,
            venue_time=VenueTime(self.hours, SAME_CLOCK) if wall else None,
        )
        self.inbox = Inbox(self.hours)
        self.names = OrderNames({VenueOrderId("0xours"): OrderId(7)})

    def live(self, nth: int = 0) -> list[ev.AnyEvent]:
        """Let one task go on until the test's time is over; what it told."""
        tasks = self.upkeep.tasks(self.inbox, self.names, HeartbeatId("h0"))
        for other in (task for place, task in enumerate(tasks) if place != nth):
            other.close()
        with pytest.raises(Wound):
            asyncio.run(cast("asyncio.Future[None]", tasks[nth]))  # type: ignore[arg-type]
        return read_all(self.inbox)

    @property
    def hearts(self) -> list[str]:
        return [msgspec.json.decode(one.body)["heartbeat_id"] for one in self.script.asked]


# --- the heart ---------------------------------------------------------------------------------------------------


def test_each_beat_names_what_the_one_before_was_told() -> None:
    client = Client(beat("h1"), beat("h2"), beat("h3"), lasts=15)
    assert client.live() == []
    assert client.hearts == ["h0", "h1", "h2"]
    assert client.hours.moves == [5, 10, 15]
    assert seconds(5) == BEAT_EVERY


def test_a_beat_that_failed_is_tried_again_under_the_same_name() -> None:
    client = Client(LOST, beat("h1"), beat("h2"), lasts=15)
    client.live()
    assert client.hearts == ["h0", "h0", "h1"]


def test_a_beat_of_the_wrong_name_is_repeated_at_once_under_the_right_one() -> None:
    wrong = json({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": "h9"}, 400)
    client = Client(wrong, beat("h10"), beat("h11"), lasts=10)
    client.live()
    assert client.hearts == ["h0", "h9", "h10"]
    assert client.hours.moves == [5, 10]


def test_the_heart_stops_while_an_event_waits_for_too_long() -> None:
    """An engine that hangs must not keep its orders alive: the venue takes them back."""
    client = Client(beat("h1"), lasts=20)
    client.inbox.put(account_news())
    (event,) = client.live()
    assert event.at == NOON
    assert client.hearts == ["h0"], "at five seconds it may be slow, at ten it hangs"
    assert client.hours.moves[:3] == [5, 10, 10.5], "once it hangs, its heart waits for it to come back"
    assert seconds(5) == HUNG_AFTER


def test_the_first_beat_comes_before_the_first_order_and_only_where_there_is_a_heart() -> None:
    client = Client(beat("h1"), lasts=0)
    assert asyncio.run(client.upkeep.first_beat()) == "h1"
    assert client.hearts == [""]
    still = Client(lasts=0, heartbeat=False)
    assert asyncio.run(still.upkeep.first_beat()) == ""
    assert still.script.asked == []
    assert still.upkeep.tasks(still.inbox, still.names, HeartbeatId("")) == []


# --- notifications -----------------------------------------------------------------------------------------------


def test_what_is_noted_is_told_with_our_own_order_numbers_and_dropped_by_nobody_here() -> None:
    rows = [
        {"id": 2, "owner": "key", "type": 2, "payload": {"order_id": "0xours"}},
        {"id": 1, "owner": "key", "type": 1, "payload": {"order_id": "0xforeign"}},
    ]
    client = Client(json(rows), json([]), LOST, lasts=30, heartbeat=False, notices=True)
    (event,) = client.live()
    assert isinstance(event, ev.NotificationsRead)
    assert [(one.id, one.order) for one in event.notices] == [("1", None), ("2", 7)]
    assert [(one.method, one.path) for one in client.script.asked] == [("GET", "/notifications")] * 3


# --- time and place ----------------------------------------------------------------------------------------------


def test_the_machines_clock_is_compared_each_minute_and_a_failure_keeps_the_last_difference() -> None:
    noon = NOON // 10**9
    client = Client(json(noon - 20), LOST, json(noon + 100), lasts=120, heartbeat=False, wall=True)
    ahead = [event.ahead for event in client.live() if isinstance(event, ev.ClockCompared)]
    assert len(ahead) == 2
    assert seconds(19) <= ahead[0] <= seconds(20)
    assert seconds(19) <= ahead[1] <= seconds(20)
    assert client.hours.moves == [60, 120]


def test_where_trading_is_blocked_is_told_once_and_once_again_when_it_is_not() -> None:
    def here(blocked: bool, country: str) -> Reply:
        return json({"blocked": blocked, "ip": "192.0.2.1", "country": country, "region": "X"})

    answers = here(False, "IE"), here(True, "US"), LOST, here(True, "US"), here(False, "IE")
    client = Client(*answers, lasts=1_200, heartbeat=False, wall=True)
    told = client.live(1)
    assert [(event.blocked, event.place) for event in told if isinstance(event, ev.GeoblockRead)] == [
        (True, "US X"),
        (False, "IE X"),
    ]
