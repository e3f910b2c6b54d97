"""The only place that reads time, and the only one that draws what nobody may guess."""

import secrets
import time
from typing import Protocol

from polystra.core.units import Instant


class Clock(Protocol):
    """Something that knows what time it is, on the wall or in a simulation."""

    def now(self) -> Instant: ...


class WallClock:
    """The machine's clock, UTC. It may jump; whoever needs order (`inbox`) makes it."""

    def now(self) -> Instant:
        return Instant(time.time_ns())


def stopwatch() -> float:
    """Seconds of a clock that only runs forward, for measuring how long something took."""
    return time.perf_counter()


def draw_salt() -> int:
    """What makes two orders with the same terms two orders: 53 random bits, as many as a JSON number carries."""
    return secrets.randbits(53)
