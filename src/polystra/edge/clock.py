"""The only place that reads time, and the only one that draws what nobody may guess."""

import asyncio
import secrets
import time
from typing import Protocol

from polystra.core.units import Instant

_LONGEST_SLEEP = 3_600.0
"""Seconds; a clock that was set meanwhile is noticed after that."""


class Clock(Protocol):
    """Something that knows what time it is, on the wall or in a simulation."""

    def now(self) -> Instant: ...


class Time(Clock, Protocol):
    """A clock that can also be waited for."""

    async def until(self, instant: Instant) -> None:
        """Returns once that moment has come, at once when it is over."""
        ...


class WallClock:
    """The machine's clock, UTC. It may jump; whoever needs order (`inbox`) makes it."""

    def now(self) -> Instant:
        return Instant(time.time_ns())

    async def until(self, instant: Instant) -> None:
        await _sleep_until(instant, self, 1.0)


class ScaledClock:
    """A clock that shows `start` when it is made, and from then on runs `speed` times as fast as the machine's own,
    forward only. `origin` makes two clocks of two processes one: it is `monotonic` at the moment of `start`."""

    def __init__(self, start: Instant, speed: float, origin: int | None = None) -> None:
        self.start = start
        self.speed = speed
        self.origin = monotonic() if origin is None else origin

    def now(self) -> Instant:
        return Instant(self.start + round((monotonic() - self.origin) * self.speed))

    async def until(self, instant: Instant) -> None:
        await _sleep_until(instant, self, self.speed)


async def _sleep_until(instant: Instant, clock: Clock, speed: float) -> None:
    left = instant - clock.now()
    while left > 0:
        await asyncio.sleep(min(left / 1e9 / speed, _LONGEST_SLEEP))
        left = instant - clock.now()


def monotonic() -> int:
    """Nanoseconds of the machine's clock that only runs forward, the same for all its processes."""
    return time.monotonic_ns()


def stopwatch() -> float:
    """Seconds of a clock that only runs forward, for measuring how long something took."""
    return time.perf_counter()


def draw_salt() -> int:
    """What makes two orders with the same terms two orders: 53 random bits, as many as a JSON number carries."""
    return secrets.randbits(53)
