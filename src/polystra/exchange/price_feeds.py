"""Prices of the underlying as the venue's feeds tell them, and the averages that markets settle by (`PROTOCOL.md` G).

Whoever plays the world says what it knows with `PriceBoard.print`; what is said twice, as by recordings that overlap,
is told once. An average that nobody says is computed from the Chainlink spot price. The rule is measured, on 1,427
recorded values: the average stamped with a second is the mean of one spot price for each of the 60 seconds that end 3
seconds before it, a second without a price having the one before. That is within 0.04 to 0.09 USD in the median; any
other lag is off by 0.3 USD or more.
"""

from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from polystra.core.markets import PriceSource
from polystra.core.units import Instant

LAG = 3
"""Seconds between the last price in an average and the average's own stamp."""

KEPT = 120
"""Newest prices of each series, told to whoever subscribes."""

PAUSE = 60
"""Seconds without a price after which averages begin anew."""

_SECOND = 1_000_000_000


class Feed(StrEnum):
    BINANCE = "binance"
    CHAINLINK = "chainlink"
    TWAP_30 = "twap-30"
    TWAP_60 = "twap-60"


class Print(Struct, frozen=True, gc=False):
    """A price in millionths of a USD; `at` is the source's own stamp, in the venue's time."""

    feed: Feed
    asset: str
    value: int
    at: Instant


Listener: TypeAlias = Callable[[Print], None]

_FEEDS = {
    PriceSource.BINANCE_SPOT: Feed.BINANCE,
    PriceSource.CHAINLINK_SPOT: Feed.CHAINLINK,
    PriceSource.CHAINLINK_TWAP_60: Feed.TWAP_60,
}
_WINDOWS = {Feed.TWAP_30: 30, Feed.TWAP_60: 60}


class PriceBoard:
    """Mutable. `moment` says when in the venue's time a stamp is: the playback's own, where recordings are moved."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.moment: Callable[[Instant], Instant] = lambda stamped: stamped
        self._recent: dict[tuple[Feed, str], deque[Print]] = {}
        self._seconds: dict[str, _Seconds] = {}
        self._settled_by_record: set[str] = set()

    def print(self, source: PriceSource, asset: str, value: int, at: Instant) -> None:
        """A price as its source stamped it, `at` being a moment of the recording. Raises ValueError for a candle and
        for a price that is none."""
        feed = _FEEDS.get(source)
        if feed is None or value <= 0:
            raise ValueError(f"{source} {asset} {value}: print a price above 0 of {', '.join(_FEEDS)}")
        if feed is Feed.TWAP_60:
            self._settled_by_record.add(asset)
        self._tell(feed, asset, value, at)
        if feed is Feed.CHAINLINK:
            for average, mean, stamped in self._seconds.setdefault(asset, _Seconds()).add(value, at):
                if average is not Feed.TWAP_60 or asset not in self._settled_by_record:
                    self._tell(average, asset, mean, stamped)

    def recent(self, feed: Feed, asset: str) -> Sequence[Print]:
        """Oldest first; empty for an asset nobody has told about."""
        return tuple(self._recent.get((feed, asset), ()))

    def _tell(self, feed: Feed, asset: str, value: int, stamped: Instant) -> None:
        """A stamp older than the newest one is told, but not kept. A price that is kept already is no news."""
        told = Print(feed, asset, value, self.moment(stamped))
        kept = self._recent.setdefault((feed, asset), deque(maxlen=KEPT))
        if not kept or kept[-1].at < told.at:
            kept.append(told)
        elif told in kept:
            return
        for listener in self.listeners:
            listener(told)


class _Seconds:
    """The newest price of each second, without a gap. A price of an earlier second comes too late."""

    def __init__(self) -> None:
        self._newest = 0
        self._values: deque[int] = deque(maxlen=max(_WINDOWS.values()) + LAG)

    def add(self, value: int, at: Instant) -> list[tuple[Feed, int, Instant]]:
        """The averages that are known now: each with its stamp, one for every second since the last price."""
        second = at // _SECOND
        passed = second - self._newest
        if not self._values or passed > PAUSE:
            self._values.clear()
            self._newest, passed = second - 1, 1
        if passed <= 0:
            if passed == 0:
                self._values[-1] = value
            return []
        found: list[tuple[Feed, int, Instant]] = []
        for later in range(self._newest + 1, second + 1):
            self._values.append(value if later == second else self._values[-1])
            stamped = Instant(later * _SECOND)
            found += [(feed, mean, stamped) for feed in _WINDOWS if (mean := self._mean(_WINDOWS[feed])) is not None]
        self._newest = second
        return found

    def _mean(self, window: int) -> int | None:
        """In millionths, half a millionth to even; None before the window is full."""
        if len(self._values) < window + LAG:
            return None
        values = list(self._values)[-window - LAG : -LAG]
        whole, rest = divmod(sum(values), window)
        return whole + (2 * rest > window or (2 * rest == window and whole % 2 == 1))
