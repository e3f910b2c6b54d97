"""One client of one stream.

Nobody waits for a slow reader: frames go into a queue of each connection, and a connection whose queue is full is
broken. Its reader sees a reset and reads everything anew, which is better than a gap that nobody tells.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from aiohttp import WSCloseCode, WSMsgType, web

from polystra.exchange.faults import Fault, Faults, Switch
from polystra.exchange.frames import PING, PONG
from polystra.exchange.replies import break_connection

MOST_WAITING = 4_096
"""Frames that a reader may be behind, besides what the sockets hold."""

_GOODBYE = 1.0
"""Seconds that a closing client has to answer."""

Hear: TypeAlias = Callable[[str], None]


class Way(Protocol):
    """How what is said on a connection gets to the other side. Without one it is there at once."""

    def opened(self, connection: "Connection") -> None:
        """The handshake was answered."""
        ...

    def heard(self, connection: "Connection", text: str, hear: Hear) -> None:
        """The client has said something; `hear` is for when it arrives."""
        ...

    def told(self, connection: "Connection", frame: bytes) -> None:
        """A frame leaves; `Connection.send` is for when it arrives."""
        ...

    def closing(self, connection: "Connection", code: int) -> None:
        """The exchange closes; `Connection.shut` is for when that arrives."""
        ...


WAY: web.RequestKey[Way] = web.RequestKey("way")
"""Where a request keeps its `Way`, if it has one."""


class Connection:
    """Mutable. `name` is the stream's, by which faults find it; `gone` once either side has ended it."""

    def __init__(self, name: str, request: web.Request, faults: Faults) -> None:
        self.name = name
        self.gone = False
        self._request = request
        self._faults = faults
        self._way: Way | None = request.get(WAY)
        self._ended = False
        self._socket = web.WebSocketResponse(compress=False, timeout=_GOODBYE)
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._closing: asyncio.Task[bool] | None = None
        self._overtaken: list[bytes] = []
        self._line: list[bytes] | None = None

    async def serve(
        self, hear: Callable[[Any], None], kinds: Collection[WSMsgType] = (WSMsgType.TEXT,)
    ) -> web.WebSocketResponse:
        """Until either side goes. `hear` gets every message of these kinds but PING."""
        await self._socket.prepare(self._request)
        if self._way is not None:
            self._way.opened(self)
        sending = asyncio.create_task(self._send_all())
        try:
            async for message in self._socket:
                if message.type not in kinds:
                    continue
                if message.data == PING:
                    self._answer_ping()
                elif self._way is None:
                    hear(message.data)
                else:
                    self._way.heard(self, message.data, hear)
        finally:
            self.gone = True
            sending.cancel()
            await asyncio.gather(sending, *([self._closing] if self._closing else []), return_exceptions=True)
        return self._socket

    # --- what the exchange says

    def put(self, frame: bytes) -> None:
        """News, behind what is waiting."""
        if self._faults.calm and not self._overtaken:
            self._leave(frame)
        elif not self._ended:
            self._put_struck(frame)

    def _put_struck(self, frame: bytes) -> None:
        def strikes(fault: Fault) -> Switch | None:
            return self._faults.strikes(fault, self.name, frame)

        if strikes(Fault.STREAM_FROZEN) or strikes(Fault.FRAME_LOST):
            return
        if strikes(Fault.STREAM_CLOSED):
            self.close()
        elif late := strikes(Fault.FRAME_LATE):
            self._faults.later(late.delay, partial(self._leave, frame))
        elif strikes(Fault.FRAMES_SWAPPED):
            self._overtaken.append(frame)
        else:
            if self._line is None and (slow := strikes(Fault.STREAM_SLOW)):
                self._line = []
                self._faults.later(slow.delay, self._flow)
            for one in (frame, *([frame] if strikes(Fault.FRAME_TWICE) else []), *self._overtaken):
                self._leave(one)
            self._overtaken.clear()

    def _flow(self) -> None:
        """A slow stream's line moves on, all at once."""
        line, self._line = self._line or [], None
        for frame in line:
            self._leave(frame)

    def _leave(self, frame: bytes) -> None:
        if self._ended:
            return
        if self._line is not None:
            self._line.append(frame)
        elif self._way is None:
            self.send(frame)
        else:
            self._way.told(self, frame)

    def close(self, code: int = WSCloseCode.GOING_AWAY, reason: str = "") -> None:
        """After what was put. `reason` has 123 bytes at most, and none of it goes a `Way`."""
        if self._ended:
            return
        self._ended = True
        if self._way is None:
            self.shut(code, reason)
        else:
            self._way.closing(self, code)

    # --- what reaches the client

    def send(self, frame: bytes) -> None:
        if self._way is None and self._waiting.qsize() >= MOST_WAITING:
            break_connection(self._request)
        elif not self.gone:
            self._waiting.put_nowait(frame)

    def shut(self, code: int = WSCloseCode.GOING_AWAY, reason: str = "") -> None:
        if not self.gone:
            self._closing = asyncio.create_task(self._socket.close(code=code, message=reason.encode()))
        self._ended = self.gone = True

    def _answer_ping(self) -> None:
        """By the wall clock, on every way; a fault closes only where the exchange's time is the wall's too."""
        answer = PONG.encode()
        if self._way is not None:
            self.send(answer)
        elif not self._ended and self._faults.strikes(Fault.STREAM_CLOSED, self.name):
            self.close()
        elif self._faults.strikes(Fault.PONG_LOST, self.name):
            return
        elif late := self._faults.strikes(Fault.PONG_LATE, self.name):
            self._faults.later(late.delay, partial(self.send, answer))
        else:
            self.send(answer)

    async def _send_all(self) -> None:
        """Ends with the connection."""
        while True:
            await self._socket.send_frame(await self._waiting.get(), WSMsgType.TEXT)


class Reader(Protocol):
    """Whoever hears a stream, with what it wants to hear."""

    @property
    def connection(self) -> Connection: ...


_R = TypeVar("_R", bound=Reader)


class Readers(Generic[_R]):
    """Those who hear one stream, in the order in which they came. Mutable."""

    def __init__(self) -> None:
        self._all: dict[_R, None] = {}

    async def serve(self, reader: _R, hear: Callable[[_R, str], None]) -> web.WebSocketResponse:
        """One of them, until either side goes."""
        self._all[reader] = None
        try:
            return await reader.connection.serve(lambda text: hear(reader, text))
        finally:
            del self._all[reader]

    def close_all(self) -> None:
        for reader in self._all:
            reader.connection.close()

    def __iter__(self) -> Iterator[_R]:
        return iter(self._all)

    def __bool__(self) -> bool:
        return bool(self._all)
