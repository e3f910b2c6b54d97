"""One client of one stream.

Nobody waits for a slow reader: frames go into a queue of each connection, and a connection whose queue is full is
broken. Its reader sees a reset and reads everything anew, which is better than a gap that nobody tells.
"""

import asyncio
from collections.abc import Callable

from aiohttp import WSCloseCode, WSMsgType, web

from polystra.exchange.faults import Fault, Faults
from polystra.exchange.frames import PING, PONG
from polystra.exchange.replies import break_connection

MOST_WAITING = 4_096
"""Frames that a reader may be behind, besides what the sockets hold."""

_GOODBYE = 1.0
"""Seconds that a closing client has to answer."""


class Connection:
    """Mutable. `name` is the stream's, by which faults find it."""

    def __init__(self, name: str, request: web.Request, faults: Faults) -> None:
        self._name = name
        self._request = request
        self._faults = faults
        self._socket = web.WebSocketResponse(compress=False, timeout=_GOODBYE)
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        self._closing: asyncio.Task[bool] | None = None

    async def serve(self, hear: Callable[[str], None]) -> web.WebSocketResponse:
        """Until either side goes. `hear` gets every text but PING."""
        await self._socket.prepare(self._request)
        sending = asyncio.create_task(self._send_all())
        try:
            async for message in self._socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                if message.data == PING:
                    self._put(PONG.encode())
                else:
                    hear(message.data)
        finally:
            sending.cancel()
            await asyncio.gather(sending, *([self._closing] if self._closing else []), return_exceptions=True)
        return self._socket

    def put(self, frame: bytes) -> None:
        """News, behind what is waiting."""
        if not self._faults.strikes(Fault.STREAM_FROZEN, self._name):
            self._put(frame)

    def close(self, code: WSCloseCode = WSCloseCode.GOING_AWAY) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._socket.close(code=code))

    def _put(self, frame: bytes) -> None:
        if self._closing is not None:
            return
        if self._faults.strikes(Fault.STREAM_CLOSED, self._name):
            self.close()
            return
        try:
            self._waiting.put_nowait(frame)
        except asyncio.QueueFull:
            break_connection(self._request)

    async def _send_all(self) -> None:
        """Ends with the connection."""
        while True:
            await self._socket.send_frame(await self._waiting.get(), WSMsgType.TEXT)
