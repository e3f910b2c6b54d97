"""Notices when the market stream says nothing of a market, and asks whether there was something to say.

A connection can stay open, and answer PING, while no news comes (`PROTOCOL.md` C.5). A quiet market looks the same. So
after a while of silence its book is read by REST: if that is newer than the newest frame, and the frame does not come
after all, the market is subscribed to again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from msgspec import Struct

from polystra.core.ids import MarketId, TokenId
from polystra.core.markets import Market
from polystra.core.units import Instant, seconds
from polystra.edge.clock import Time

QUIET = seconds(5)
"""Without a frame of a market, and from one question about it to the next."""

GRACE = seconds(2)
"""How far a frame may be behind what REST knows already."""

NewestBook: TypeAlias = Callable[[TokenId], Awaitable[Instant | None]]
"""Asks when a token's book changed last, by the venue's clock; None when nobody could say."""


class _Watch(Struct, eq=False):
    """`heard` is our own time of the last frame or question, `newest` the latest venue time that a frame carried."""

    market: Market
    heard: Instant
    newest: Instant = Instant(0)


class Silence:
    """The markets that are listened for. Mutable."""

    def __init__(self, *, time: Time, newest_book: NewestBook, resync: Callable[[Market], None]) -> None:
        self._time = time
        self._newest_book = newest_book
        self._resync = resync
        self._watches: dict[MarketId, _Watch] = {}
        self._any = asyncio.Event()

    def follow(self, market: Market) -> None:
        self._watches[market.id] = _Watch(market, self._time.now())
        self._any.set()

    def forget(self, market: MarketId) -> None:
        self._watches.pop(market, None)
        if not self._watches:
            self._any.clear()

    def heard(self, market: MarketId, at: Instant, venue_at: Instant | None) -> None:
        """A frame about a market came. It may be older than one before (recorded)."""
        watch = self._watches.get(market)
        if watch is not None:
            watch.heard = at
            if venue_at is not None and venue_at > watch.newest:
                watch.newest = venue_at

    def begin_anew(self) -> None:
        """A new connection: nobody is silent yet."""
        now = self._time.now()
        for watch in self._watches.values():
            watch.heard = now

    async def run(self, connected: Callable[[], Awaitable[None]]) -> None:
        """Until cancelled. `connected` waits for a connection: without one silence means nothing."""
        while True:
            await connected()
            await self._any.wait()
            now = self._time.now()
            ends = [watch.heard + QUIET for watch in self._watches.values()]
            if ends and min(ends) <= now:
                await self._question([watch for watch in self._watches.values() if watch.heard + QUIET <= now])
            elif ends:
                await self._time.until(Instant(min(ends)))

    async def _question(self, silent: list[_Watch]) -> None:
        now = self._time.now()
        for watch in silent:
            watch.heard = now
        answers = await asyncio.gather(*(self._newest_book(watch.market.up_token) for watch in silent))
        behind = [
            (watch, at) for watch, at in zip(silent, answers, strict=True) if at is not None and at > watch.newest
        ]
        if not behind:
            return
        await self._time.until(Instant(self._time.now() + GRACE))
        for watch, at in behind:
            if watch.newest < at and self._watches.get(watch.market.id) is watch:
                self._resync(watch.market)
