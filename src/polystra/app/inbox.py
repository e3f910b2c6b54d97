"""The one queue through which the engine learns everything.

It stamps `at`: never decreasing, whatever the clock does. It wakes the engine at the time it asked for. Under pressure
it merges a market's book changes that lie next to each other, before the journal, so that the journal holds what the
engine saw. And it lets others run: a queue that is always ready would starve sockets and heartbeat.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from msgspec.structs import replace

from polystra.core.events import AnyEvent, BestQuoted, BookChanged, BookSnapshot, LevelChange, TradePrinted, Woke
from polystra.core.ids import MarketId
from polystra.core.terms import Side
from polystra.core.units import Instant, Price
from polystra.edge.clock import Clock

YIELD_EVERY = 16
"""Events between two turns for everybody else: well under a millisecond of the engine's time."""

Waiting: TypeAlias = Callable[[Instant | None], Awaitable[bool]]
"""Waits until something may have arrived or the instant has come; False when nothing ever will."""

_OF_ONE_MARKET = (BookChanged, BookSnapshot, BestQuoted, TradePrinted)


class Inbox:
    """An endless queue of events, read by one `async for`. Mutable.

    `_gone` counts the events that have left, so that a place in the queue keeps its number.
    """

    def __init__(self, clock: Clock, wait: Waiting | None = None, *, speed: float = 1.0) -> None:
        """Without `wait` time passes by the machine's clock, of which `clock` shows `speed` times as much."""
        self._clock = clock
        self._speed = speed
        self._wait = wait or self._wait_for_put
        self._queue: deque[AnyEvent] = deque()
        self._mergeable: dict[MarketId, int] = {}
        self._gone = 0
        self._last_at = Instant(0)
        self._alarm: Instant | None = None
        self._closed = False
        self._arrived = asyncio.Event()

    def put(self, event: AnyEvent) -> None:
        """Add what just happened; its `at` becomes now."""
        self._last_at = max(self._last_at, self._clock.now())
        stamped: AnyEvent = replace(event, at=self._last_at)
        if isinstance(stamped, BookChanged) and self._merge(stamped):
            return
        self._queue.append(stamped)
        self._remember_place(stamped)
        self._arrived.set()

    @property
    def waiting(self) -> bool:
        """Whether something is queued."""
        return bool(self._queue)

    @property
    def oldest(self) -> Instant | None:
        """When the event came that has waited longest; None when nothing waits."""
        return self._queue[0].at if self._queue else None

    def wake_at(self, instant: Instant | None) -> None:
        """Deliver `Woke` at this time, unless told otherwise before; None for no alarm."""
        self._alarm = instant

    def close(self) -> None:
        """End the loop once what is queued has been read."""
        self._closed = True
        self._arrived.set()

    def __aiter__(self) -> "Inbox":
        return self

    async def __anext__(self) -> AnyEvent:
        if self._gone % YIELD_EVERY == 0:
            await asyncio.sleep(0)
        while not self._queue:
            now = self._clock.now()
            if self._alarm is not None and now >= self._alarm:
                self._alarm = None
                self.put(Woke(at=now))
            elif self._closed or not await self._wait(self._alarm):
                raise StopAsyncIteration
        self._gone += 1
        return self._queue.popleft()

    async def _wait_for_put(self, until: Instant | None) -> bool:
        self._arrived.clear()
        timeout = None if until is None else max(until - self._clock.now(), 0) / 1e9 / self._speed
        try:
            await asyncio.wait_for(self._arrived.wait(), timeout)
        except TimeoutError:
            return True
        return not self._closed or bool(self._queue)

    def _merge(self, event: BookChanged) -> bool:
        """Fold a change into the market's last queued one, when no other news that could matter lies between."""
        place = self._mergeable.get(event.market)
        if place is None or place < self._gone:
            return False
        index = place - self._gone
        before = self._queue[index]
        assert isinstance(before, BookChanged)
        self._queue[index] = _merged(before, event)
        return True

    def _remember_place(self, event: AnyEvent) -> None:
        if isinstance(event, BookChanged):
            self._mergeable[event.market] = self._gone + len(self._queue) - 1
        elif isinstance(event, _OF_ONE_MARKET):
            self._mergeable.pop(event.market, None)
        else:
            self._mergeable.clear()


def _merged(before: BookChanged, after: BookChanged) -> BookChanged:
    """Level by level the last size wins; what the venue states of the best prices is the last statement. It keeps its
    place and so its stamp: with the later one it would come before older news of other markets."""
    sizes: dict[tuple[Side, Price], LevelChange] = {(one.side, one.price): one for one in before.changes}
    sizes.update({(one.side, one.price): one for one in after.changes})
    return replace(after, at=before.at, changes=tuple(sizes.values()))
