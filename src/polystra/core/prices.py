"""Keeps oracle, exchange and candle series per asset, and a market's own price by the minute, each with its age."""

from bisect import bisect_left
from collections import deque

from polystra.core.events import Candle, OwnPrice, PricePrinted
from polystra.core.units import Instant, Nanos, Price, seconds

MINUTE = seconds(60)


class PriceSeries:
    """Prices of one asset from one source. Mutable; keeps `capacity` stamps, enough for a window's edges.

    Prices may come in any order, as a history does that arrives after the first live ones: the newest is the one with
    the latest stamp. Of two prices with one stamp the later word counts.
    """

    def __init__(self, capacity: int = 20_000) -> None:
        self._values: dict[Instant, int] = {}
        self._stamps: deque[Instant] = deque()
        self._capacity = capacity
        self._newest: PricePrinted | None = None

    def add(self, event: PricePrinted) -> None:
        if event.stamped_at not in self._values:
            self._stamps.append(event.stamped_at)
        self._values[event.stamped_at] = event.value
        if self._newest is None or event.stamped_at >= self._newest.stamped_at:
            self._newest = event
        if len(self._stamps) > self._capacity:
            del self._values[self._stamps.popleft()]

    @property
    def last(self) -> int | None:
        """The newest value in millionths of a USD; None before the first."""
        return None if self._newest is None else self._newest.value

    def age(self, at: Instant) -> Nanos | None:
        """How long ago we heard the newest value; None when never."""
        return None if self._newest is None else Nanos(at - self._newest.at)

    def stamped(self, instant: Instant) -> int | None:
        """The value that the source itself stamped with exactly this time; None when we did not hear it.

        A window's price to beat is the settlement feed's value stamped at its start (`data/README.md` fact 1).
        """
        return self._values.get(instant)


class Candles:
    """Closed candles of one asset and source, oldest first; the newest `capacity` of them."""

    def __init__(self, capacity: int = 240) -> None:
        self._closed: list[Candle] = []
        self._capacity = capacity

    def add(self, candle: Candle) -> None:
        """Keep a candle in its place; one that is already known changes nothing."""
        place = bisect_left(self._closed, candle.opened_at, key=_opened_at)
        if place == len(self._closed) or self._closed[place].opened_at != candle.opened_at:
            self._closed.insert(place, candle)
            del self._closed[: -self._capacity]

    @property
    def closed(self) -> tuple[Candle, ...]:
        return tuple(self._closed)


def _opened_at(candle: Candle) -> Instant:
    return candle.opened_at


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

        The first minute seen only starts the count: nobody knows the book before it. Our own word for a minute
        replaces that of a history.
        """
        first, self._done = self._done is None, minute
        if first or mid is None:
            return False
        while self._kept and self._kept[-1].minute >= minute:
            self._kept.pop()
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
