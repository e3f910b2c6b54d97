"""What a token cost, minute by minute (`PROTOCOL.md` B.1): for one token, and for up to twenty in one request."""

import msgspec
from aiohttp import web

from polystra.core.ids import TokenId
from polystra.core.terms import Outcome
from polystra.core.units import Price, mirror
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE, Json, number, seconds_of

MOST_TOKENS = 20
WIDEST = 15 * 86_400
"""Seconds between the first and the last moment that may be asked for."""

INTERVALS: dict[str, int | None] = {
    "max": None,
    "all": None,
    "1m": 30 * 86_400,
    "1w": 7 * 86_400,
    "1d": 86_400,
    "6h": 6 * 3_600,
    "1h": 3_600,
}
"""How many seconds back from now; `1m` is a month."""

COARSEST = {"1m": 10, "1w": 5}
"""The fewest minutes between two points of a long interval."""

_MINUTE = 60


class Span(msgspec.Struct, frozen=True, gc=False):
    """Seconds, both included; `step` in minutes."""

    first: int
    last: int
    step: int


class PriceHistory:
    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        return [web.get("/prices-history", self.one), web.post("/batch-prices-history", self.many)]

    async def one(self, request: web.Request) -> web.Response:
        query = request.query
        token = TokenId(query.get("market", ""))
        if not token:
            raise Refused(400, "market: name a token id")
        span = span_of(
            now=seconds_of(self._venue.now()),
            start=whole(query.get("startTs"), "startTs"),
            end=whole(query.get("endTs"), "endTs"),
            interval=query.get("interval"),
            step=whole(query.get("fidelity"), "fidelity"),
        )
        return reply({"history": self._rows(token, span)})

    async def many(self, request: web.Request) -> web.Response:
        try:
            asked = _batch(await request.read())
        except UNREADABLE:
            raise Refused(400, "Invalid payload") from None
        if not 0 < len(asked.markets) <= MOST_TOKENS:
            raise Refused(400, f"markets: name 1 to {MOST_TOKENS} token ids, not {len(asked.markets)}")
        now = seconds_of(self._venue.now())
        span = span_of(now=now, start=asked.start_ts, end=asked.end_ts, interval=asked.interval, step=asked.fidelity)
        return reply({"history": {token: self._rows(token, span) for token in asked.markets}})

    def _rows(self, token: TokenId, span: Span) -> list[Json]:
        """An unknown token has no history, which is no error."""
        points = history(self._venue, token)
        return [{"t": at, "p": number(price)} for at, price in thinned(points, span)]


def span_of(*, now: int, start: int | None, end: int | None, interval: str | None, step: int | None) -> Span:
    """What is asked for; raises `Refused`. A start goes before an interval."""
    step = 1 if step is None else step
    if not 1 <= step <= 1_440:
        raise Refused(400, f"fidelity {step}: give 1 to 1440 minutes")
    if start is not None:
        return _between(start, now if end is None else end, step)
    if interval is None:
        raise Refused(400, "give interval, or startTs and endTs")
    if interval not in INTERVALS:
        raise Refused(400, f"interval {interval}: known are {', '.join(INTERVALS)}")
    if step < COARSEST.get(interval, 1):
        raise Refused(400, f"fidelity {step}: interval {interval} takes {COARSEST[interval]} minutes or more")
    length = INTERVALS[interval]
    return Span(0 if length is None else now - length, now, step)


def history(venue: Venue, token: TokenId) -> list[tuple[int, Price]]:
    """Seconds of each whole minute, and the middle of the token's book as it stood then."""
    known = venue.tokens.get(token)
    if known is None:
        return []
    listing, outcome = known
    points = venue.current().history(listing.facts.id, venue.now())
    return [(seconds_of(at), up if outcome is Outcome.UP else mirror(up)) for at, up in points]


def thinned(points: list[tuple[int, Price]], span: Span) -> list[tuple[int, Price]]:
    """The points of a span, and of each `step` minutes the first."""
    found: dict[int, tuple[int, Price]] = {}
    for at, price in points:
        if span.first <= at <= span.last:
            found.setdefault(at // (_MINUTE * span.step), (at, price))
    return list(found.values())


def _between(start: int, end: int, step: int) -> Span:
    if not 0 <= end - start <= WIDEST:
        raise Refused(400, f"{start} to {end}: end at or after the start, at most {WIDEST} seconds later")
    return Span(start, end, step)


def whole(text: str | None, name: str) -> int | None:
    """A number of a query; raises `Refused`."""
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise Refused(400, f"{name}: give a whole number, not {text[:20]!r}")
    return int(text)


class _Batch(msgspec.Struct):
    markets: list[TokenId]
    start_ts: int | None = None
    end_ts: int | None = None
    interval: str | None = None
    fidelity: int | None = None


_batch = msgspec.json.Decoder(_Batch).decode
