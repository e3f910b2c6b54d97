"""The cache that stands before the Data API (`PROTOCOL.md` B.9): with the fault `data-late` an answer is given again to
the same question until it is too old, so that what happened meanwhile is not in it."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from polystra.core.units import Instant, Nanos, seconds
from polystra.exchange.faults import Fault, Faults
from polystra.exchange.replies import route_of
from polystra.exchange.venue import Venue

TRADES, ACTIVITY, POSITIONS = seconds(300), seconds(15), seconds(5)
"""How long an answer is repeated."""

KEPT = 1_000
"""Answers that are remembered, the newest."""

_Answer: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]


class DataCache:
    """Mutable."""

    def __init__(self, venue: Venue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults
        self._kept: dict[str, tuple[Instant, web.Response]] = {}

    def before(self, answer: _Answer, age: Nanos) -> _Answer:
        """The same route, which may repeat what it said less than `age` ago."""

        async def cached(request: web.Request) -> web.Response:
            question, now = request.path_qs, self._venue.advance()
            at, old = self._kept.get(question, (Instant(0), None))
            if old is not None and now < at + age and self._faults.strikes(Fault.DATA_LATE, route_of(request)):
                return web.Response(body=old.body, status=old.status, content_type=old.content_type)
            fresh = await answer(request)
            self._keep(question, now, fresh)
            return fresh

        return cached

    def _keep(self, question: str, now: Instant, answer: web.Response) -> None:
        self._kept.pop(question, None)
        self._kept[question] = (now, answer)
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
