"""How late things arrive: spans of time, and seeded draws from them.

A delay depends on the seed, the way and the moment of sending, and on nothing else: not on who asks, in which order or
how often. So two worlds with one seed are equally late, also when one of them is spread over processes.
"""

from functools import lru_cache
from hashlib import blake2b
from random import Random

from msgspec import Struct

from polystra.core.units import Instant, Nanos

_MS = 1_000_000

_GRID = 1_000_000_000
"""A second: how far apart the draws of a stream are at least."""


class Span(Struct, frozen=True, gc=False):
    """Any length of time from `low` to `high`, both included, each nanosecond as likely as another."""

    low: Nanos
    high: Nanos

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ValueError(f"span low {self.low} ns, high {self.high} ns: want 0 <= low <= high")

    def draw(self, rng: Random) -> Nanos:
        """A span of one length draws nothing, so setting a delay to zero shifts no other draw of its own kind."""
        return self.low if self.low == self.high else Nanos(rng.randint(self.low, self.high))


def fixed(length: Nanos) -> Span:
    return Span(length, length)


class Delays(Struct, frozen=True, gc=False, kw_only=True):
    """The four ways between a client and the exchange."""

    submit: Span = Span(Nanos(20 * _MS), Nanos(60 * _MS))
    answer: Span = Span(Nanos(15 * _MS), Nanos(45 * _MS))
    user: Span = Span(Nanos(20 * _MS), Nanos(80 * _MS))
    market: Span = Span(Nanos(15 * _MS), Nanos(60 * _MS))


NO_DELAY = Delays(submit=fixed(Nanos(0)), answer=fixed(Nanos(0)), user=fixed(Nanos(0)), market=fixed(Nanos(0)))


class Latency:
    """Says when a thing sent at a moment arrives.

    Requests and answers are drawn for each moment and may overtake one another, as on separate connections. The two
    streams are one connection each, so nothing in them overtakes: their delay is drawn at the points of a grid and
    changes evenly from one to the next, never by more than the time that passes.
    """

    def __init__(self, delays: Delays, seed: int | str) -> None:
        self._delays = delays
        self._seed = seed

    def submit(self, sent: Instant) -> Instant:
        return Instant(sent + self._drawn("submit", sent, self._delays.submit))

    def answer(self, sent: Instant) -> Instant:
        return Instant(sent + self._drawn("answer", sent, self._delays.answer))

    def user(self, sent: Instant) -> Instant:
        return Instant(sent + self._flowing("user", sent, self._delays.user))

    def market(self, sent: Instant) -> Instant:
        return Instant(sent + self._flowing("market", sent, self._delays.market))

    def _flowing(self, way: str, sent: Instant, span: Span) -> int:
        step = max(_GRID, span.high - span.low)
        point, passed = divmod(sent, step)
        before, after = self._drawn(way, point, span), self._drawn(way, point + 1, span)
        return before + (after - before) * passed // step

    def _drawn(self, way: str, number: int, span: Span) -> int:
        return span.low if span.low == span.high else _draw(f"{self._seed} {way} {number}", span.low, span.high)


@lru_cache(maxsize=64)
def _draw(name: str, low: int, high: int) -> int:
    """Remembered, as all that a stream says between two points of its grid needs the same two draws."""
    digest = blake2b(name.encode(), digest_size=8).digest()
    return low + (int.from_bytes(digest) * (high - low + 1) >> 64)
