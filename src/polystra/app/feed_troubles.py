"""Reports what is wrong with the streams and would reach nobody else: why one has no connection, what was left out."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from polystra.core.events import AnyEvent, FeedTroubled, Stream
from polystra.core.units import Instant, seconds
from polystra.edge.clock import Time
from polystra.edge.market_channel import OTHER_MARKET, UNUSED_TYPES
from polystra.edge.polymarket import price_feed, user_feed

LOOK_EVERY = seconds(5)

ORDINARY = UNUSED_TYPES | {OTHER_MARKET, user_feed.UNKNOWN_ORDER, price_feed.OTHER}
"""What is left out while all is well: news about markets, orders and prices that are not ours."""

_NOW = Instant(0)


class Feed(Protocol):
    """`trouble` is empty while there is none, `skipped` counts by reason what could not be used."""

    @property
    def trouble(self) -> str: ...

    @property
    def skipped(self) -> Counter[str]: ...


class FeedTroubles:
    """Mutable: it remembers what was told."""

    def __init__(self, feeds: Mapping[Stream, Feed], put: Callable[[AnyEvent], None]) -> None:
        self._feeds = feeds
        self._put = put
        self._trouble = dict.fromkeys(feeds, "")
        self._skipped: dict[Stream, Counter[str]] = {stream: Counter() for stream in feeds}

    async def run(self, time: Time) -> None:
        """Until cancelled."""
        while True:
            await time.until(Instant(time.now() + LOOK_EVERY))
            self.look()

    def look(self) -> None:
        """Tells what is new since the last look: a trouble that is another, a reason that counts more."""
        for stream, feed in self._feeds.items():
            if feed.trouble and feed.trouble != self._trouble[stream]:
                self._tell(stream, feed.trouble)
            self._trouble[stream] = feed.trouble
            more = feed.skipped - self._skipped[stream]
            self._skipped[stream] = Counter(feed.skipped)
            for reason in sorted(more.keys() - ORDINARY):
                self._tell(stream, f"left out: {reason}")

    def _tell(self, stream: Stream, what: str) -> None:
        self._put(FeedTroubled(at=_NOW, stream=stream, what=what))
