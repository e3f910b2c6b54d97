"""How every route answers: JSON in one piece, the venue's words for a refusal, and the faults of replies."""

import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from polystra.core.units import Instant
from polystra.exchange.faults import Fault, Faults, Switch
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json, encode

Routes: TypeAlias = list[web.RouteDef]

_SECOND = 1_000_000_000

_PAGE = """<html>
<head><title>{}</title></head>
<body>
<center><h1>{}</h1></center>
<hr><center>cloudflare</center>
</body>
</html>
"""

_BLOCKED = """<!DOCTYPE html>
<html lang="en-US">
<head><title>Attention Required! | Cloudflare</title></head>
<body>
<h1>Sorry, you have been blocked</h1>
<h2>You are unable to access this site</h2>
</body>
</html>
"""

_NO_ROWS: Json = {"limit": 100, "next_cursor": "LTE=", "count": 0, "data": []}
_EMPTY: dict[str, Json] = {
    "GET /data/orders": _NO_ROWS,
    "GET /data/trades": _NO_ROWS,
    "GET /balance-allowance": {"balance": "0", "allowances": {}},
}
"""What is well formed and says that there is nothing."""

_AT_ONCE = struct.pack("ii", 1, 0)
"""Linger, for no time."""


class Refused(Exception):
    """A request that is answered with an error; `body` is what is said, and its HTTP status."""

    def __init__(self, http: int, text: str, **more: object) -> None:
        super().__init__(text)
        self.http = http
        self.body: Json = {"error": text, **more}


def reply(body: object, http: int = 200) -> web.Response:
    return web.Response(body=encode(body), status=http, content_type="application/json")


class Broken(web.Response):
    """No answer: in its place the connection breaks, as soon as `breaks` gets to see it."""


@web.middleware
async def breaks(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    if isinstance(response, Broken):
        break_connection(request)
    return response


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return reply(refused.body, refused.http)


def _can_be_empty(request: web.Request, where: str) -> bool:
    """Cash is always told: without it no trader starts at all."""
    return where in _EMPTY and request.query.get("asset_type") != "COLLATERAL"


def faulty(venue: Venue, faults: Faults, *, spared: str) -> Middleware:
    """Strikes replies, but for paths under `spared`. Only what was done is answered late, has its answer lost, or an
    error put in its place. Needs `breaks` around it."""

    @web.middleware
    async def strike(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path.startswith(f"{spared}/"):
            return await handler(request)
        where = route_of(request)
        if faults.strikes(Fault.RESET, where):
            return Broken()
        if faults.strikes(Fault.BLOCKED, where):
            return _page(403, _BLOCKED)
        if broken := faults.strikes(Fault.ERROR_BEFORE, where):
            return _error(broken)
        if slow := faults.strikes(Fault.REQUEST_LATE, where):
            await request.read()
            await venue.until(Instant(venue.now() + slow.delay))
        response = await handler(request)
        if isinstance(response, web.WebSocketResponse):
            return response
        if response.status < 400 and _can_be_empty(request, where) and faults.strikes(Fault.ANSWER_EMPTY, where):
            response = reply(_EMPTY[where])
        if response.status < 400 and (late := faults.strikes(Fault.REPLY_LATE, where)):
            await venue.until(Instant(venue.now() + late.delay))
        if response.status < 400 and (broken := faults.strikes(Fault.ERROR_AFTER, where)):
            return _error(broken)
        if response.status < 400 and faults.strikes(Fault.REPLY_LOST, where):
            return Broken()
        return response

    return strike


def _error(broken: Switch) -> web.Response:
    """In the venue's form when the fault has words, otherwise as a page of whatever stands before the venue. A `delay`
    is when to come back."""
    phrase = f"{broken.http} {HTTPStatus(broken.http).phrase}"
    response = (
        reply({"error": broken.text}, broken.http) if broken.text else _page(broken.http, _PAGE.replace("{}", phrase))
    )
    if broken.delay:
        response.headers["Retry-After"] = str(-(-broken.delay // _SECOND))
    return response


def _page(http: int, page: str) -> web.Response:
    return web.Response(text=page, status=http, content_type="text/html", headers={"Server": "cloudflare"})


def route_of(request: web.Request) -> str:
    """The method and the path as routed, `GET /data/order/{order}`."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource else request.path}"


def break_connection(request: web.Request) -> None:
    """The client sees a reset, and nothing of what was still on its way."""
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        request.transport.abort()
