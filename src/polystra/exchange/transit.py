"""What is on its way between the exchange and one trader whose time is virtual, in the order in which it arrives.

When a thing arrives is a function of its way and of the moment it left, never of what else is on its way.
"""

import heapq
from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol, TypeAlias

from msgspec import Struct

from polystra.core.units import Instant
from polystra.edge.clock import Clock
from polystra.exchange.connections import Connection
from polystra.exchange.lives import Numbered, Said
from polystra.exchange.streams import MARKET, USER


class Latency(Protocol):
    """When what leaves at a moment arrives, on each way. On the ways of the streams nothing may overtake."""

    def submit(self, sent: Instant) -> Instant: ...

    def answer(self, sent: Instant) -> Instant: ...

    def user(self, sent: Instant) -> Instant: ...

    def market(self, sent: Instant) -> Instant: ...


class Rank(IntEnum):
    """What arrives first of what arrives at the same moment; equals arrive as they left."""

    TEXT = 0
    REQUEST = 1
    ANSWER = 2
    USER = 3
    MARKET = 4
    PRICES = 5


class Answer(Struct, frozen=True, eq=False):
    request: Numbered


class Frame(Struct, frozen=True, eq=False):
    connection: Connection
    frame: bytes


class Closing(Struct, frozen=True, eq=False):
    """The exchange's end of a stream, behind all frames that left before."""

    connection: Connection
    code: int


Item: TypeAlias = Said | Numbered | Answer | Frame | Closing


class Transit:
    """Mutable. Everything leaves at the clock's moment."""

    def __init__(self, clock: Clock, latency: Latency) -> None:
        self._clock = clock
        self._latency = latency
        self._items: list[tuple[Instant, Rank, int, Item]] = []
        self._count = 0

    def text(self, said: Said) -> None:
        self._add(self._latency.submit(self._clock.now()), Rank.TEXT, said)

    def request(self, request: Numbered) -> None:
        self._add(self._latency.submit(self._clock.now()), Rank.REQUEST, request)

    def answer(self, request: Numbered) -> None:
        self._add(self._latency.answer(self._clock.now()), Rank.ANSWER, Answer(request))

    def news(self, news: Frame | Closing) -> None:
        now = self._clock.now()
        if news.connection.name == USER:
            self._add(self._latency.user(now), Rank.USER, news)
        else:
            rank = Rank.MARKET if news.connection.name == MARKET else Rank.PRICES
            self._add(self._latency.market(now), rank, news)

    def _add(self, when: Instant, rank: Rank, item: Item) -> None:
        self._count += 1
        heapq.heappush(self._items, (when, rank, self._count, item))

    def next_due(self) -> Instant | None:
        return self._items[0][0] if self._items else None

    def pop(self) -> Item:
        """What arrives next; there must be something."""
        return heapq.heappop(self._items)[3]

    def pop_frames(self, connection: Connection) -> list[bytes]:
        """The frames of one stream that come next and have come by now."""
        now, frames = self._clock.now(), list[bytes]()
        while self._items and self._items[0][0] <= now:
            item = self._items[0][3]
            if not isinstance(item, Frame) or item.connection is not connection:
                break
            frames.append(item.frame)
            self.pop()
        return frames

    def lose(self) -> Sequence[Item]:
        """Takes out what belongs to a trader that is gone: everything but its requests."""
        lost = [one[3] for one in self._items if not isinstance(one[3], Numbered)]
        self._items = [one for one in self._items if isinstance(one[3], Numbered)]
        heapq.heapify(self._items)
        return lost
