"""Keeps oracle, exchange and candle series per asset, and a market's own price by the minute, each with its age."""

from collections import deque

from polystra.core.events import Candle, OwnPrice, PricePrinted
from polystra.core.units import Instant, Nanos, Price, seconds

MINUTE = seconds(60)


class PriceSeries:
    """Prices of one asset from one source. Mutable; keeps the last `capacity` stamps, enough for a window's edges."""

    def __init__(self, capacity: int = 20_000) -> None:
        self._stamps: deque[tuple[Instant, int]] = deque(maxlen=capacity)
        self._heard_at: Instant | None = None

    def add(self, event: PricePrinted) -> None:
        self._heard_at = event.at
        self._stamps.append((event.stamped_at, event.value))

    @property
    def last(self) -> int | None:
        """The newest value in millionths of a USD; None before the first."""
        return self._stamps[-1][1] if self._stamps else None

    def age(self, at: Instant) -> Nanos | None:
        """How long ago we heard of it; None when never."""
        return None if self._heard_at is None else Nanos(at - self._heard_at)

    def stamped(self, instant: Instant) -> int | None:
        """The value that the source itself stamped with exactly this time; None when we did not hear it.

        A window's price to beat is the settlement feed's value stamped at its start (`data/README.md` fact 1).
        """
        for stamp, value in reversed(self._stamps):
            if stamp == instant:
                return value
        return None


class Candles:
    """Closed candles of one asset and source, oldest first."""

    def __init__(self, capacity: int = 240) -> None:
        self._closed: deque[Candle] = deque(maxlen=capacity)

    def add(self, candle: Candle) -> None:
        """Keep a candle; one that is already known, or older than the newest, changes nothing."""
        if not self._closed or candle.opened_at > self._closed[-1].opened_at:
            self._closed.append(candle)

    @property
    def closed(self) -> tuple[Candle, ...]:
        return tuple(self._closed)


class MinutePrices:
    """The middle of a market's own Up book at each whole minute.

    A minute is written once, when it is over, from the book as it stood then: what a strategy sees does not depend on
    how many events lay between. A minute without a believable two-sided book stays out; nobody invents it.
    """

    def __init__(self, capacity: int = 60) -> None:
        self._kept: deque[OwnPrice] = deque(maxlen=capacity)
        self._done: Instant | None = None

    def next_at(self, at: Instant) -> Instant:
        """The next minute to be written, seen from `at`."""
        return Instant((at // MINUTE + 1) * MINUTE)

    def is_due(self, at: Instant) -> bool:
        """Whether a whole minute has passed since the last one written."""
        return self._done is None or at // MINUTE * MINUTE > self._done

    def close(self, minute: Instant, mid: Price | None) -> bool:
        """Write a whole minute with the middle as it stood then; true when it was kept.

        The first minute seen only starts the count: nobody knows the book before it.
        """
        first, self._done = self._done is None, minute
        if first or mid is None:
            return False
        self._kept.append(OwnPrice(minute, mid))
        return True

    def backfill(self, before: tuple[OwnPrice, ...]) -> None:
        """Put older minutes, from a price history, before our own."""
        first = self._kept[0].minute if self._kept else None
        older = [point for point in before if first is None or point.minute < first]
        self._kept = deque([*older, *self._kept], maxlen=self._kept.maxlen)

    @property
    def points(self) -> tuple[OwnPrice, ...]:
        return tuple(self._kept)
