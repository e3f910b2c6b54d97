"""The only place that reads time."""

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
