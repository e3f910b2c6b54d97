"""Learns how far our clock is from the venue's, which alone counts for expiry and the edges of a window.

The venue says whole seconds, rounded down, at some moment between question and answer. So one answer leaves the
difference open by a second and the length of the trip; several that agree leave it open by less.
"""

from msgspec import Struct

from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.clock import Time
from polystra.edge.polymarket.private_rest import ReadingFailed, server_time
from polystra.edge.polymarket.rest import Asking
from polystra.edge.polymarket.wire import SECOND

PAUSE = seconds(0.25)


class ClockOffset(Struct, frozen=True, gc=False):
    """The venue's clock less ours lies from `low` to `high`, in nanoseconds, as measured at `at` by our clock."""

    low: int
    high: int
    at: Instant

    @property
    def middle(self) -> int:
        return (self.low + self.high) // 2

    @property
    def uncertainty(self) -> Nanos:
        """How far `middle` may be off, either way."""
        return Nanos(-(-(self.high - self.low) // 2))

    @property
    def proved(self) -> int:
        """The middle where it is certain that there is a difference, else none."""
        return 0 if self.low <= 0 <= self.high else self.middle

    def age(self, now: Instant) -> Nanos:
        return Nanos(now - self.at)

    def beyond(self, limit: Nanos) -> bool:
        """Whether the clocks are certainly further apart than that."""
        return self.low > limit or self.high < -limit


SAME_CLOCK = ClockOffset(0, 0, Instant(0))


def offset_of(*, sent: Instant, received: Instant, stated: Instant) -> ClockOffset:
    """What one answer proves; `sent` and `received` by our clock, `stated` the venue's second."""
    return ClockOffset(stated - received, stated + SECOND - 1 - sent, received)


def narrowed(earlier: ClockOffset, later: ClockOffset) -> ClockOffset:
    """What both prove together; only the later one where they contradict each other: a clock was set in between."""
    low, high = max(earlier.low, later.low), min(earlier.high, later.high)
    return ClockOffset(low, high, later.at) if low <= high else later


async def clock_offset(
    rest: Asking, clob: str, *, time: Time, asks: int = 1, pause: Nanos = PAUSE
) -> ClockOffset | ReadingFailed:
    """Asks the venue so many times, with a pause between two: four make the second a quarter of one."""
    known: ClockOffset | None = None
    for nth in range(asks):
        if nth:
            await time.until(Instant(time.now() + pause))
        sent = time.now()
        stated = await server_time(rest, clob)
        if isinstance(stated, ReadingFailed):
            return stated
        found = offset_of(sent=sent, received=time.now(), stated=stated)
        known = found if known is None else narrowed(known, found)
    return known or ReadingFailed(f"/time: asked {asks} times, it takes at least one")


class VenueTime:
    """The venue's time: ours, corrected where a difference is proved. `offset` may be measured anew."""

    def __init__(self, time: Time, offset: ClockOffset = SAME_CLOCK) -> None:
        self.own = time
        self.offset = offset

    def now(self) -> Instant:
        return Instant(self.own.now() + self.offset.proved)

    async def until(self, instant: Instant) -> None:
        await self.own.until(Instant(instant - self.offset.proved))
