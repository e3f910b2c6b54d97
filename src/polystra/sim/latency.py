"""How late things arrive: spans of time, and a seeded draw from each."""

from random import Random

from msgspec import Struct

from polystra.core.units import Instant, Nanos

_MS = 1_000_000


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
    """Says when a thing sent at a moment arrives. Requests and answers may overtake one another, as on separate
    connections; the two streams are one connection each, so nothing in them overtakes.
    """

    def __init__(self, delays: Delays, rng: Random) -> None:
        self._delays = delays
        self._rng = rng
        self._user_last = Instant(0)
        self._market_last = Instant(0)

    def submit(self, sent: Instant) -> Instant:
        return Instant(sent + self._delays.submit.draw(self._rng))

    def answer(self, sent: Instant) -> Instant:
        return Instant(sent + self._delays.answer.draw(self._rng))

    def user(self, sent: Instant) -> Instant:
        self._user_last = Instant(max(self._user_last, sent + self._delays.user.draw(self._rng)))
        return self._user_last

    def market(self, sent: Instant) -> Instant:
        self._market_last = Instant(max(self._market_last, sent + self._delays.market.draw(self._rng)))
        return self._market_last
