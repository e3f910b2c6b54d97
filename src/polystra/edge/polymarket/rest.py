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

CONNECTIONS = 128
"""More than the trader has requests under way, so that none waits for another's answer: a reading of the account asks
for every token of every market that is followed, all at one moment."""

WARM = 4
"""Connections that are opened before they are needed."""

REWARM = 30.0
"""Seconds between two uses of a connection that is kept open."""

MOST_BYTES = 8 * 1024 * 1024
"""Of one reply; the largest that the venue has, a page of orders, is below 100 kB."""

_WAIT_DIGITS = 7

_IDLE = 60.0
"""Seconds after which a connection is not used again."""


class Reply(Struct, frozen=True, gc=False):
    """Whatever the other side answered, an error or not. `retry_after` is how many seconds it asks us to wait, None
    where it says nothing of it, or names a date."""

    status: int
    body: bytes
    retry_after: int | None = None


class NoReply(Struct, frozen=True, gc=False):
    """There was no whole reply. Unless a byte was `sent`, the other side cannot have heard of the request."""

    why: str
    sent: bool


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


class Rest:
    """Asks over one session; `open_rest` makes it and closes it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def warm(self, url: str, count: int = WARM) -> tuple[Answer, ...]:
        """Opens connections by that many requests at a time to a cheap public page."""
        asked = (self.ask("GET", url, deadline=5.0) for _ in range(count))
        return tuple(await asyncio.gather(*asked))

    async def keep_warm(self, url: str, count: int = WARM, *, every: float = REWARM) -> None:
        """Uses that many connections again and again before they are idle for too long, and opens anew those that the
        other side closed. Ends only when it is cancelled."""
        while True:
            await self.warm(url, count)
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
        departure = _Departure()
        target = f"{url}?{urlencode(query)}" if query else url
        sent_headers = {"Content-Type": "application/json", **(headers or {})} if body else headers
        try:
            async with (
                asyncio.timeout(deadline),
                self._session.request(
                    method,
                    URL(target, encoded=True),
                    headers=sent_headers,
                    data=body or None,
                    allow_redirects=False,
                    trace_request_ctx=departure,
                ) as response,
            ):
                return Reply(response.status, await _whole(response), _wait_of(response.headers))
        except TimeoutError:
            return NoReply(f"{method} {url}: no reply within {deadline:g} s", departure.sent)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return NoReply(f"{method} {url}: {type(error).__name__} {error}".rstrip(), departure.sent)


@contextlib.asynccontextmanager
async def open_rest() -> AsyncIterator[Rest]:
    """A session with nothing of a browser's: no cookies, no redirects, no proxy from the environment."""
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_leaves)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=_IDLE, socket_factory=socket_of),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "polystra"},
        trace_configs=[trace],
    )
    async with session:
        yield Rest(session)


async def _leaves(_: aiohttp.ClientSession, context: object, __: aiohttp.TraceRequestHeadersSentParams) -> None:
    """Called before the first byte is written: what fails earlier has not been sent, what fails later may have."""
    departure = getattr(context, "trace_request_ctx", None)
    if isinstance(departure, _Departure):
        departure.sent = True


def _wait_of(headers: Mapping[str, str]) -> int | None:
    told = headers.get("Retry-After", "").strip()
    return int(told) if told.isascii() and told.isdecimal() and len(told) < _WAIT_DIGITS else None


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
