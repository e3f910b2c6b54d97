"""Judges a book that was asked for while the stream's is not trusted: the referee's best prices.

A book read over REST may be minutes old or a placeholder of the outermost prices (`FAULTS.md` row 6). It is believed
only when two readings in a row are fresh by their own time, are no placeholder and do not go back in time; and only
for `BELIEVED`. It lets a stop hold, and prices what is held. Nothing is opened on it.
"""

from msgspec import Struct

from polystra.core.events import BookRead
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, Nanos, Price, Tick, seconds

BELIEVED = seconds(3)
"""How long a reading says something about now."""

ASK_EVERY = seconds(1)


class Referee(Struct, frozen=True, gc=False, kw_only=True):
    """One reading's best prices (Up terms), and whether the reading before it was good too."""

    bid: Price
    ask: Price
    at: Instant
    venue_at: Instant
    agreed: bool

    @property
    def until(self) -> Instant:
        """The first moment at which it says nothing any more."""
        return Instant(self.at + BELIEVED + 1)

    def holds(self, at: Instant) -> bool:
        return self.agreed and at < self.until


def after_reading(before: Referee | None, read: BookRead, tick: Tick, patience: Nanos) -> Referee | None:
    """What is believed after one more reading; None when it is worth nothing."""
    bid = max((price for price, _ in read.bids), default=NO_BID)
    ask = min((price for price, _ in read.asks), default=NO_ASK)
    placeholder = bid <= tick.size and ask >= MICRO - tick.size
    if placeholder or bid >= ask or read.at - read.venue_at > patience:
        return None
    good = before is not None and read.at - before.at <= BELIEVED and read.venue_at >= before.venue_at
    return Referee(bid=bid, ask=ask, at=read.at, venue_at=read.venue_at, agreed=good)
