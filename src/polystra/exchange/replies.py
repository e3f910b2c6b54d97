"""How every route answers: JSON in one piece, the venue's words for a refusal, and the faults of replies."""

import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from polystra.core.units import Instant
from polystra.exchange.faults import Fault, Faults
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json, encode

Routes: TypeAlias = list[web.RouteDef]

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


def faulty(venue: Venue, faults: Faults, *, spared: str) -> Middleware:
    """Strikes replies, but for paths under `spared`. Only what was done is answered late, or has its answer lost. Needs
    `breaks` around it."""

    @web.middleware
    async def strike(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path.startswith(f"{spared}/"):
            return await handler(request)
        where = route_of(request)
        if faults.strikes(Fault.RESET, where):
            return Broken()
        if slow := faults.strikes(Fault.REQUEST_LATE, where):
            await request.read()
            await venue.until(Instant(venue.now() + slow.delay))
        response = await handler(request)
        if isinstance(response, web.WebSocketResponse):
            return response
        if response.status < 400 and (late := faults.strikes(Fault.REPLY_LATE, where)):
            await venue.until(Instant(venue.now() + late.delay))
        if response.status < 400 and faults.strikes(Fault.REPLY_LOST, where):
            return Broken()
        return response

    return strike


def route_of(request: web.Request) -> str:
    """The method and the path as routed, `GET /data/order/{order}`."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource else request.path}"


def break_connection(request: web.Request) -> None:
    """The client sees a reset, and nothing of what was still on its way."""
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        request.transport.abort()
