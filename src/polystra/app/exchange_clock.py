"""How the time of an exchange process goes, and what its clients must know of it."""

from enum import StrEnum

from msgspec import Struct

from polystra.core.units import Instant
from polystra.edge.clock import ScaledClock


class TimeMode(StrEnum):
    """WALL: now, and the recordings are moved to it. RECORDED: the recordings' own time, at a speed. LOCK_STEP: the
    recordings' own time, which moves when the trader has handled everything."""

    WALL = "wall"
    RECORDED = "recorded"
    LOCK_STEP = "lock-step"


class ClockFacts(Struct, frozen=True, kw_only=True):
    """A clock of another process that shows the same: `start` at `origin` (`edge.clock.monotonic`), and from then on
    `speed` times as fast."""

    start: Instant
    speed: float
    origin: int


def clock_facts(clock: ScaledClock) -> ClockFacts:
    return ClockFacts(start=clock.start, speed=clock.speed, origin=clock.origin)


def continued_clock(facts: ClockFacts, last: Instant) -> ScaledClock:
    """The clock that was running before. Where it would show less than `last` the machine was started anew, and time
    goes on from there."""
    clock = ScaledClock(facts.start, facts.speed, facts.origin)
    return clock if clock.now() >= last else ScaledClock(last, facts.speed)
