"""Which windows a venue knows of before their recordings begin: its catalogue first, the CLOB a minute later.

The real one lists windows about a day ahead, and its catalogue shows them before the CLOB knows them (`PROTOCOL.md`
B.8). How long that takes nobody stated.
"""

from collections.abc import Sequence

from msgspec import Struct

from polystra.core.ids import MarketId
from polystra.core.markets import Market
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.tapes.format import TapeFile

NOT_AHEAD = Nanos(0)
FURTHEST = seconds(86_400)
HYDRATED_AFTER = seconds(60)
"""From the catalogue to the CLOB, in the time of the recordings."""


class Announcement(Struct, frozen=True, gc=False):
    """A window that the catalogue shows from `at` on or, `hydrated`, that can be traded from `at` on."""

    at: Instant
    market: Market
    hydrated: bool


class Announcements:
    """In the order of time; one of a market that is listed already is left out. Mutable.

    `first` is the earliest moment there is. Without `ahead` nothing is announced.
    """

    def __init__(self, files: Sequence[TapeFile], *, first: Instant, ahead: Nanos) -> None:
        self._shown_at: dict[MarketId, Instant] = {}
        self._listed: set[MarketId] = set()
        left: list[Announcement] = []
        for market in (file.market for file in files if ahead):
            shown = self._shown_at[market.id] = max(first, Instant(market.start - ahead))
            left.append(Announcement(shown, market, hydrated=False))
            left.append(Announcement(Instant(shown + HYDRATED_AFTER), market, hydrated=True))
        self._left = sorted(left, key=lambda one: (one.at, one.market.start, one.market.slug), reverse=True)

    def next_at(self) -> Instant | None:
        while self._left and self._left[-1].market.id in self._listed:
            self._left.pop()
        return self._left[-1].at if self._left else None

    def due(self, now: Instant) -> Announcement | None:
        """The next one, if it is due by now; it is not told again."""
        at = self.next_at()
        if at is None or at > now:
            return None
        announced = self._left.pop()
        if announced.hydrated:
            self._listed.add(announced.market.id)
        return announced

    def lists(self, market: MarketId) -> bool:
        """Whether a market is to be listed now, because its recording begins: not when it is there already."""
        new = market not in self._listed
        self._listed.add(market)
        return new

    def shown_at(self, market: MarketId, now: Instant) -> Instant:
        """Since when the catalogue shows a market that the CLOB gets to know now."""
        return min(self._shown_at.get(market, now), now)
