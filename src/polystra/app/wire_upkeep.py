"""What a client does by the clock beside trading: keeps its heart beating, its time right and its connections warm, and
reads what the venue notes for it. Each task is its own; none is ever waited for."""

from collections.abc import Coroutine
from typing import Any

from msgspec import Struct

from polystra.app.inbox import Inbox
from polystra.app.outbox import OrderNames
from polystra.app.wire_events import notices_event
from polystra.core import events as ev
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.clock import Time
from polystra.edge.polymarket.account_readings import AccountReadings
from polystra.edge.polymarket.answer_wire import HeartbeatId
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.public import whereabouts
from polystra.edge.polymarket.rest import Asking
from polystra.edge.polymarket.server_clock import VenueTime, clock_offset, narrowed
from polystra.edge.polymarket.venue import Mismatch, Venue

BEAT_EVERY = seconds(5)
HUNG_AFTER = seconds(5)
"""An event that waits for longer means that the engine hangs: then the heart must stop, and the venue cancels all."""

LOOK_AGAIN = seconds(0.5)
"""How soon a heart that had to stop notices that it may go on: what is placed before that is cancelled again."""

COMPARE_EVERY = seconds(60)
LOOK_AROUND_EVERY = seconds(300)

_NOW = Instant(0)


class Upkeep(Struct, frozen=True, kw_only=True):
    """The means. `venue_time` is there where the machine's clock may differ from the venue's; `notifications_every` is
    None where notifications are not read."""

    clock: Time
    venue: Venue
    account: AccountReadings
    rest: Asking
    clob: str
    heartbeat: bool
    notifications_every: Nanos | None
    venue_time: VenueTime | None

    def tell_clock(self, inbox: Inbox) -> None:
        """How far our clock is off, as it was measured last: before trading begins, so that nothing is opened by a
        clock that is wrong."""
        if self.venue_time is not None:
            inbox.put(ev.ClockCompared(at=_NOW, ahead=Nanos(-self.venue_time.offset.proved)))

    async def first_beat(self) -> HeartbeatId:
        """Before the first order, so that none is ever without it."""
        return await self._beat(HeartbeatId("")) if self.heartbeat else HeartbeatId("")

    async def _beat(self, heart: HeartbeatId) -> HeartbeatId:
        """What the next one must name; the same again after a failure."""
        answer = await self.venue.heartbeat(heart)
        if isinstance(answer, Mismatch):
            answer = await self.venue.heartbeat(answer.expected)
        return heart if isinstance(answer, ReadingFailed | Mismatch) else answer

    def tasks(self, inbox: Inbox, names: OrderNames, heart: HeartbeatId) -> list[Coroutine[Any, Any, None]]:
        """All that goes on until it is cancelled."""
        found: list[Coroutine[Any, Any, None]] = []
        if self.heartbeat:
            found.append(self._beat_on(inbox, heart))
        if self.notifications_every is not None:
            found.append(self._notifications(inbox, names, self.notifications_every))
        if self.venue_time is not None:
            found += [self._compare(inbox, self.venue_time), self._look_around(inbox)]
        return found

    async def _beat_on(self, inbox: Inbox, heart: HeartbeatId) -> None:
        """Once begun, the venue cancels everything when it misses two beats (`PROTOCOL.md` E.9)."""
        while True:
            await self.clock.until(_next(self.clock.now(), BEAT_EVERY))
            while not self._lives(inbox):
                await self.clock.until(Instant(self.clock.now() + LOOK_AGAIN))
            heart = await self._beat(heart)

    def _lives(self, inbox: Inbox) -> bool:
        oldest = inbox.oldest
        return oldest is None or self.clock.now() - oldest <= HUNG_AFTER

    async def _notifications(self, inbox: Inbox, names: OrderNames, every: Nanos) -> None:
        while True:
            await self.clock.until(_next(self.clock.now(), every))
            found = await self.account.notifications()
            if not isinstance(found, ReadingFailed) and found:
                inbox.put(notices_event(found, names.ours))

    async def _compare(self, inbox: Inbox, time: VenueTime) -> None:
        """While the venue does not tell its time the last difference stays."""
        while True:
            found = await clock_offset(self.rest, self.clob, time=time.own)
            if not isinstance(found, ReadingFailed):
                time.offset = narrowed(time.offset, found)
                self.tell_clock(inbox)
            await self.clock.until(_next(self.clock.now(), COMPARE_EVERY))

    async def _look_around(self, inbox: Inbox) -> None:
        """Whether trading is allowed from here; told when it is not, or was not."""
        blocked = False
        while True:
            found = await whereabouts(self.rest, self.clob)
            if not isinstance(found, ReadingFailed) and found.blocked is not blocked:
                blocked = found.blocked
                inbox.put(ev.GeoblockRead(at=_NOW, blocked=blocked, place=f"{found.country} {found.region}".strip()))
            await self.clock.until(_next(self.clock.now(), LOOK_AROUND_EVERY))


def _next(now: Instant, every: int) -> Instant:
    """The first whole multiple after now."""
    return Instant((now // every + 1) * every)
