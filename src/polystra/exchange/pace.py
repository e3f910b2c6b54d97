"""How the venue's time passes: with the wall clock, or only when it is told to."""

import asyncio
from typing import Protocol

from polystra.core.units import Instant
from polystra.exchange.venue import Venue


class World(Protocol):
    """What happens to the market by itself, a recording for one. `over` once all recordings and all markets are."""

    @property
    def over(self) -> bool: ...

    def next_due(self) -> Instant | None: ...

    def step(self) -> None: ...


class NoWorld:
    """For a market that is played from outside."""

    over = True

    def next_due(self) -> None:
        return None

    def step(self) -> None:
        """Nothing is ever due."""


class SteppedClock:
    """Stands still until it is moved."""

    def __init__(self, start: Instant) -> None:
        self._now = start

    def now(self) -> Instant:
        return self._now

    def move_to(self, instant: Instant) -> None:
        """Raises ValueError for a moment that is over."""
        if instant < self._now:
            raise ValueError(f"to {instant}: the venue is at {self._now} already, time does not go back")
        self._now = instant


class WallPace:
    """Wakes the venue whenever something is due. `speed` is how many times as fast as the machine's the venue's clock
    runs. To be made on the venue's event loop."""

    def __init__(self, venue: Venue, speed: float = 1.0) -> None:
        self._venue = venue
        self._speed = speed
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._due: Instant | None = None
        venue.on_due = self._set
        self._set()

    def stop(self) -> None:
        self._venue.on_due = lambda: None
        self._cancel()

    def _set(self) -> None:
        due = self._venue.next_due()
        if due == self._due:
            return
        self._cancel()
        if due is not None:
            self._due = due
            self._alarm = self._loop.call_later(self._left(due), self._wake)

    def _left(self, due: Instant) -> float:
        """Seconds by the wall."""
        return max(0, due - self._venue.now()) / 1e9 / self._speed

    def _cancel(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._due = None

    def _wake(self) -> None:
        self._alarm = self._due = None
        self._venue.advance()
        self._set()


class SteppedPace:
    """Moves the venue's clock; what falls due on the way happens at its own moment."""

    def __init__(self, venue: Venue, clock: SteppedClock) -> None:
        self._venue = venue
        self._clock = clock

    def move_to(self, instant: Instant) -> None:
        """Raises ValueError for a moment that is over."""
        self._clock.move_to(instant)
        self._venue.advance()

    def stop(self) -> None:
        """Nothing runs by itself."""
