"""Carries single requests over warm connections and says what came of each: a reply, or none, and whether it left.

Nothing is sent twice from here, with one exception that cannot hurt: a read or a cancel whose connection breaks before
the reply is repeated once on a fresh one, as the old one may have been closed while idle. A POST never is.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Protocol, TypeAlias
from urllib.parse import urlencode

import aiohttp
from msgspec import Struct
from yarl import URL

from polystra.edge.polymarket.reply_headers import LimitState, limit_of, wait_of

CONNECTIONS = 128
"""More than the trader has requests under way, so that none waits for another's answer: a reading of the account asks
for every token of every market that is followed, all at one moment."""

WARM = 4
"""Connections that are opened before they are needed."""

_WARMING = 5.0
"""Seconds that a connection may take to open and answer."""

REWARM = 30.0
"""Seconds between two uses of a connection that is kept open."""

MOST_USES = 5_000
"""Requests over one set of connections, and so over each of them: the venue ends one after about 10,000 (`PROTOCOL.md`
E.8), be a request under way on it or not."""

MOST_BYTES = 8 * 1024 * 1024
"""Of one reply; the largest that the venue has, a page of orders, is below 100 kB."""

_IDLE = 60.0
"""Seconds after which a connection is not used again."""


class Reply(Struct, frozen=True, gc=False):
    """Whatever the other side answered, an error or not. `retry_after` is how many seconds it asks us to wait, None
    where it says nothing of it, or names a date; `limit` is how our allowance stands, where it says so."""

    status: int
    body: bytes
    retry_after: int | None = None
    limit: LimitState | None = None


class NoReply(Struct, frozen=True, gc=False):
    """There was no whole reply. Unless a byte was `sent`, the other side cannot have heard of the request. `stale` says
    that it was held back by ourselves, as it would have left too late: it is not to be asked again."""

    why: str
    sent: bool
    stale: bool = False


Answer: TypeAlias = Reply | NoReply


class Asking(Protocol):
    """Carries requests: `Rest`, or whatever stands in for it."""

    async def ask(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """One request, answered whole within `deadline` seconds. `url` and `body` are sent as they are."""
        ...


class _Departure:
    """Notes that a request is about to leave. Mutable."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


class _Pool:
    """Connections that are opened and closed together. Mutable."""

    __slots__ = ("retired", "session", "under_way", "used")

    def __init__(self, connections: int) -> None:
        self.session = _session(connections)
        self.used = 0
        self.under_way = 0
        self.retired = False


class Rest:
    """Asks over a pool of connections; `open_rest` makes it and closes it. Mutable: a pool that was used often enough
    gives way to another, and is closed once its last request was answered."""

    def __init__(self, *, connections: int = CONNECTIONS, most_uses: int = MOST_USES) -> None:
        self._connections = connections
        self._most_uses = most_uses
        self._pools: set[_Pool] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._pool = self._open()

    async def close(self) -> None:
        """What is under way ends without an answer."""
        await asyncio.gather(*self._closing, *(pool.session.close() for pool in self._pools))

    async def warm(self, url: str, count: int = WARM) -> tuple[Answer, ...]:
        """Opens connections by that many requests at a time to a cheap public page."""
        return await self._warm(self._pool, url, count)

    async def keep_warm(self, url: str, count: int = WARM, *, every: float = REWARM) -> None:
        """Uses that many connections again and again before they are idle for too long, and opens anew those that the
        other side closed. Of a pool that is half used up others take the place, warm already. Ends only when it is
        cancelled."""
        while True:
            if 2 * self._pool.used < self._most_uses:
                await self.warm(url, count)
            else:
                fresh = self._open()
                await self._warm(fresh, url, count)
                self._change_to(fresh)
            await asyncio.sleep(every)

    async def ask(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """As `Asking` says."""
        if self._pool.used >= self._most_uses:
            self._change_to(self._open())
        return await self._ask(self._pool, _Question(method, url, deadline, headers, query, body))

    async def _warm(self, pool: _Pool, url: str, count: int) -> tuple[Answer, ...]:
        question = _Question("GET", url, _WARMING)
        return tuple(await asyncio.gather(*(self._ask(pool, question) for _ in range(count))))

    async def _ask(self, pool: _Pool, question: "_Question") -> Answer:
        pool.used += 1
        pool.under_way += 1
        try:
            return await _answer(pool.session, question)
        finally:
            pool.under_way -= 1
            self._close_unused(pool)

    # --- pools

    def _open(self) -> _Pool:
        pool = _Pool(self._connections)
        self._pools.add(pool)
        return pool

    def _change_to(self, fresh: _Pool) -> None:
        before, self._pool = self._pool, fresh
        before.retired = True
        self._close_unused(before)

    def _close_unused(self, pool: _Pool) -> None:
        if pool.retired and not pool.under_way:
            self._pools.discard(pool)
            closing = asyncio.get_running_loop().create_task(pool.session.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


class _Question(Struct, frozen=True, gc=False):
    """One request, as `Asking.ask` takes it."""

    method: str
    url: str
    deadline: float
    headers: Mapping[str, str] | None = None
    query: Mapping[str, str] | None = None
    body: bytes = b""


async def _answer(session: aiohttp.ClientSession, asked: _Question) -> Answer:
    departure, named = _Departure(), f"{asked.method} {asked.url}"
    target = f"{asked.url}?{urlencode(asked.query)}" if asked.query else asked.url
    headers = {"Content-Type": "application/json", **(asked.headers or {})} if asked.body else asked.headers
    try:
        async with (
            asyncio.timeout(asked.deadline),
            session.request(
                asked.method,
                URL(target, encoded=True),
                headers=headers,
                data=asked.body or None,
                allow_redirects=False,
                trace_request_ctx=departure,
            ) as response,
        ):
            body = await _whole(response)
            return Reply(response.status, body, wait_of(response.headers), limit_of(response.headers))
    except TimeoutError:
        return NoReply(f"{named}: no reply within {asked.deadline:g} s", departure.sent)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return NoReply(f"{named}: {type(error).__name__} {error}".rstrip(), departure.sent)


@contextlib.asynccontextmanager
async def open_rest(*, connections: int = CONNECTIONS, most_uses: int = MOST_USES) -> AsyncIterator[Rest]:
    """A request above `connections`, 0 for any number, waits until another one was answered."""
    rest = Rest(connections=connections, most_uses=most_uses)
    try:
        yield rest
    finally:
        await rest.close()


def _session(connections: int) -> aiohttp.ClientSession:
    """With nothing of a browser's: no cookies, no redirects, no proxy from the environment."""
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_leaves)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=_IDLE, socket_factory=socket_of),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "polystra"},
        trace_configs=[trace],
    )


async def _leaves(_: aiohttp.ClientSession, context: object, __: aiohttp.TraceRequestHeadersSentParams) -> None:
    """Called before the first byte is written: what fails earlier has not been sent, what fails later may have."""
    departure = getattr(context, "trace_request_ctx", None)
    if isinstance(departure, _Departure):
        departure.sent = True


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """The body; raises ValueError for one without end."""
    parts: list[bytes] = []
    length = 0
    async for part in response.content.iter_any():
        length += len(part)
        if length > MOST_BYTES:
            response.close()
            raise ValueError(f"the reply is longer than {MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def socket_of(where: "aiohttp.AddrInfoType") -> socket.socket:
    """Sends small requests at once instead of waiting to fill a packet."""
    family, kind, protocol, _, _ = where
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    if family in (socket.AF_INET, socket.AF_INET6):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
