"""Keeps our requests below the venue's rate limits (`PROTOCOL.md` E.8): two token buckets of one signer, like its own.

The venue counts a request when it arrives, which is some time between its leaving and its answer. So what is under way
is taken out of the bucket when it leaves, and the room that it made fills only once it was answered: however late each
arrives, the venue's bucket never holds less than ours. Its answers say how it stands there, and ours follows: another
program may sign with the same key, and the tier rises and falls.

A placement that would leave later than `longest` is not sent at all, as a late order is a stale one. A cancel waits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.clock import Time
from polystra.edge.polymarket.reply_headers import LimitState
from polystra.edge.polymarket.rest import Answer, NoReply, Reply

LONGEST = seconds(1)

LOOK_AGAIN = seconds(0.01)
"""While as much is under way as the bucket can hold: only an answer makes room then."""

Turn: TypeAlias = Callable[[Callable[[], Awaitable[Answer]]], Awaitable[Answer]]
"""Sends a request when its turn has come."""

_SECOND = 1_000_000_000


class Allowance(Struct, frozen=True, gc=False):
    """So many a second, so many at once; `debt` says whether a sweep may leave the bucket below zero."""

    rate: int
    burst: int
    debt: bool = True


class Tier(Struct, frozen=True, gc=False):
    orders: Allowance
    cancels: Allowance


TIERS: Mapping[str, Tier] = {
    name: Tier(Allowance(rate, burst), Allowance(2 * rate, cancels, debt))
    for name, rate, burst, cancels, debt in (
        ("standard", 40, 60, 120, True),
        ("copper", 60, 90, 180, True),
        ("bronze", 80, 120, 240, True),
        ("silver", 200, 300, 600, True),
        ("gold", 400, 600, 1_200, True),
        ("platinum", 450, 675, 1_350, False),
        ("diamond", 525, 787, 1_575, False),
        ("elite", 600, 900, 1_800, False),
    )
}
"""By the volume of 30 days; a signer may cancel twice as often as it may place."""


class Bucket:
    """Mutable. `level` is in billionths of a request, so that each nanosecond brings a whole number; `under_way` is
    what was sent and not answered, in requests."""

    def __init__(self, allowance: Allowance, now: Instant) -> None:
        self.allowance = allowance
        self.level = allowance.burst * _SECOND
        self.under_way = 0
        self._alone = True
        self._at = now

    @property
    def room(self) -> int:
        """The most that the level can be now."""
        return (self.allowance.burst - self.under_way) * _SECOND

    def fill(self, now: Instant) -> None:
        """A clock that was set back brings nothing."""
        if now > self._at:
            self.level = min(self.room, self.level + self.allowance.rate * (now - self._at))
        self._at = now

    def wait_for(self, cost: int) -> Nanos:
        """How long until it holds as much, if nothing else is taken and what is under way is answered; 0 if it does."""
        missing = cost * _SECOND - self.level
        return Nanos(max(0, -(-missing // self.allowance.rate)))

    def take(self, cost: int) -> None:
        self._alone = not self.under_way
        self.level -= cost * _SECOND
        self.under_way += cost

    def owe(self, cost: int) -> None:
        self.level -= cost * _SECOND
        if not self.allowance.debt:
            self.level = max(self.level, 0)

    def answered(self, cost: int, remaining: int | None) -> None:
        """What the venue had left counts as it is when nothing else was under way meanwhile, else if it is less: a
        later request may have been answered before."""
        self.under_way -= cost
        if remaining is not None:
            told = remaining * _SECOND
            self.level = min(self.room, told if self._alone else min(self.level, told))

    def change(self, allowance: Allowance) -> None:
        """A fall of the tier takes what is too much; a rise gives nothing at once."""
        self.allowance = allowance
        self.level = min(self.level, self.room)


class _Queue:
    """Those who wait for one bucket, first come first served. Mutable."""

    def __init__(self, bucket: Bucket, time: Time) -> None:
        self.bucket = bucket
        self._time = time
        self._waiting = 0
        self._turn = asyncio.Lock()

    def wait_for(self, cost: int) -> Nanos:
        """How long until a newcomer's turn."""
        self.bucket.fill(self._time.now())
        return self.bucket.wait_for(self._waiting + cost)

    async def take(self, cost: int, until: Instant | None) -> bool:
        """Waits for as much; false when it is not there at that moment."""
        self._waiting += cost
        try:
            async with self._turn:
                return await self._take(cost, until)
        finally:
            self._waiting -= cost

    async def _take(self, cost: int, until: Instant | None) -> bool:
        while True:
            now = self._time.now()
            self.bucket.fill(now)
            wait = self.bucket.wait_for(cost)
            if not wait:
                self.bucket.take(cost)
                return True
            if until is not None and now + wait > until:
                return False
            full = self.bucket.room < cost * _SECOND
            await self._time.until(Instant(now + (LOOK_AGAIN if full else wait)))


class Unpaced:
    """For whom the venue's refusals are enough."""

    def placement(self, cost: int) -> Turn | None:
        return None

    def cancel(self, cost: int) -> Turn | None:
        return None

    def swept(self, cost: int) -> None:
        """Nothing is counted."""


class Pacing(Unpaced):
    """One signer's. Mutable. Begins with full buckets of the lowest tier, unless a better one is known."""

    def __init__(self, time: Time, *, tier: str = "standard", longest: Nanos = LONGEST) -> None:
        """Raises KeyError for a tier that is not in `TIERS`."""
        self._time = time
        self._longest = longest
        now = time.now()
        self._orders = _Queue(Bucket(TIERS[tier].orders, now), time)
        self._cancels = _Queue(Bucket(TIERS[tier].cancels, now), time)
        self.tier = tier

    def placement(self, cost: int) -> Turn:
        """Of so many orders: sent in their turn, or not at all when that is later than `longest`."""

        async def turn(send: Callable[[], Awaitable[Answer]]) -> Answer:
            until = Instant(self._time.now() + self._longest)
            wait = self._orders.wait_for(cost)
            if wait > self._longest or not await self._orders.take(cost, until):
                return NoReply(self._late(cost, max(wait, self._longest)), sent=False, stale=True)
            return await self._send(self._orders.bucket, cost, send)

        return turn

    def cancel(self, cost: int) -> Turn:
        """Of so many orders; the first cost of a sweep is 1, and the rest is known by its answer alone."""

        async def turn(send: Callable[[], Awaitable[Answer]]) -> Answer:
            paid = min(cost, self._cancels.bucket.allowance.burst)
            await self._cancels.take(paid, None)
            return await self._send(self._cancels.bucket, paid, send)

        return turn

    def swept(self, cost: int) -> None:
        """What a sweep cancelled, where the venue did not say how the bucket stands."""
        self._cancels.bucket.fill(self._time.now())
        self._cancels.bucket.owe(cost)

    async def _send(self, bucket: Bucket, cost: int, send: Callable[[], Awaitable[Answer]]) -> Answer:
        limit: LimitState | None = None
        try:
            answer = await send()
            limit = answer.limit if isinstance(answer, Reply) else None
            return answer
        finally:
            bucket.fill(self._time.now())
            bucket.answered(cost, None if limit is None else limit.remaining)
            if limit is not None and limit.tier in TIERS and limit.tier != self.tier:
                self._change(limit.tier)

    def _change(self, tier: str) -> None:
        self.tier = tier
        now = self._time.now()
        for queue, allowance in ((self._orders, TIERS[tier].orders), (self._cancels, TIERS[tier].cancels)):
            queue.bucket.fill(now)
            queue.bucket.change(allowance)

    def _late(self, cost: int, wait: Nanos) -> str:
        allowance = self._orders.bucket.allowance
        return (
            f"{cost} orders not sent: their turn is {wait / 1e9:.1f} s away, allowed {self._longest / 1e9:g} s; the "
            f"venue takes {allowance.rate} orders a second ({self.tier}): place fewer at a time"
        )
