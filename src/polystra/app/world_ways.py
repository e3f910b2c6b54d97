"""Virtual time, and what is on its way in it between a trader's client and the exchange.

What arrives at one moment comes in the order of `Rank`, and what has one rank in the order in which it left. The
exchange in a process of its own keeps to the same order (`exchange.steps`).
"""

import heapq
from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar

from polystra.core.units import Instant
from polystra.sim.latency import Latency

T = TypeVar("T")


class Rank(IntEnum):
    """What comes first of things that arrive at one moment."""

    SUBSCRIPTION = 0
    """What a client says on the market stream, or with which it opens a stream."""
    REQUEST = 1
    ANSWER = 2
    USER = 3
    MARKET = 4
    PRICES = 5


class VirtualClock:
    """Stands still until the world moves it."""

    def __init__(self, start: Instant) -> None:
        self._now = start

    def now(self) -> Instant:
        return self._now

    def move_to(self, instant: Instant) -> None:
        self._now = max(self._now, instant)


class Ways:
    """Mutable. Latency is that of the moment at which a thing leaves."""

    def __init__(self, begins: Instant, latency: Latency) -> None:
        self.clock = VirtualClock(begins)
        self._latency = latency
        self._due: list[tuple[Instant, Rank, int, Callable[[], object]]] = []
        self._count = 0

    @property
    def next_due(self) -> Instant | None:
        return self._due[0][0] if self._due else None

    def arrive(self) -> None:
        """The next thing. What lies next to it of the same stream and moment comes with it, as from one socket."""
        when, rank, _, act = heapq.heappop(self._due)
        act()
        while rank >= Rank.USER and self._due and self._due[0][:2] == (when, rank):
            heapq.heappop(self._due)[3]()

    # --- towards the exchange

    def subscribe(self, act: Callable[[], object]) -> None:
        """A message on a stream leaves the client; `act` is what the exchange does when it hears it."""
        self._put(self._latency.submit(self.clock.now()), Rank.SUBSCRIPTION, act)

    def request(self, act: Callable[[], object]) -> None:
        """A request leaves the client; `act` is what the exchange does when it arrives."""
        self._put(self._latency.submit(self.clock.now()), Rank.REQUEST, act)

    def ask(self, read: Callable[[], T], then: Callable[[T], object]) -> None:
        """A question that is answered at once: `read` at the exchange, and `then` with that when the answer comes."""

        def arrives() -> None:
            found = read()
            self.answer(self.clock.now(), lambda: then(found))

        self.request(arrives)

    # --- towards the client

    def answer(self, sent: Instant, act: Callable[[], object]) -> None:
        self._put(self._latency.answer(sent), Rank.ANSWER, act)

    def user(self, sent: Instant, act: Callable[[], object]) -> None:
        """A frame of the user stream."""
        self._put(self._latency.user(sent), Rank.USER, act)

    def market(self, sent: Instant, act: Callable[[], object]) -> None:
        """A frame of the market stream."""
        self._put(self._latency.market(sent), Rank.MARKET, act)

    def prices(self, sent: Instant, act: Callable[[], object]) -> None:
        """A frame of the price stream, which is as late as the market stream."""
        self._put(self._latency.market(sent), Rank.PRICES, act)

    def _put(self, when: Instant, rank: Rank, act: Callable[[], object]) -> None:
        self._count += 1
        heapq.heappush(self._due, (when, rank, self._count, act))
