"""The network under the streams, as a parameter; and the real one, a WebSocket that is kept awake.

The venue's keep-alive is no control frame but text: PING every 10 s, answered by PONG (`PROTOCOL.md` C.1). A PONG
proves only that the connection is there, never that news still comes through it.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from polystra.core.errors import PolystraError

MOST_BYTES = 16 * 1024 * 1024
"""Of one message, however many frames carry it; the largest that the venue sends is the first books, below 1 MB."""

PING_EVERY = 10.0
"""Seconds of the event loop's clock, whatever clock the trader goes by."""

PATIENCE = 30.0
"""Seconds without a byte after which a connection is given up, at its next PING."""

DEADLINE = 10.0
"""Seconds for the network, and as many for the handshake after it, which must end by its own alarm: whoever stops
waiting for it from outside leaves the connection open."""

_PING = b"PING"
_PONG = b"PONG"


class CannotConnect(PolystraError):
    """There is no connection; the message says why."""


class Line(Protocol):
    """One open connection."""

    def send(self, text: bytes) -> None:
        """What is sent on a connection that is over is lost, as its owner is told by `Ears.lost`."""
        ...

    def close(self) -> None: ...


class Ears(Protocol):
    """Who listens to one connection."""

    def hear(self, frame: bytes) -> None:
        """Every text but PONG, whole and in order."""
        ...

    def lost(self, why: str) -> None:
        """The connection is over: said once, and not after our own `close`."""
        ...


class Dialer(Protocol):
    async def dial(self, stream: str, url: str, ears: Ears, headers: Mapping[str, str] | None = None) -> Line:
        """Raises `CannotConnect`. `stream` says which it is: `market`, `user` or `prices`."""
        ...


class SocketDialer:
    """Dials WebSockets. Times in seconds."""

    def __init__(self, *, ping_every: float = PING_EVERY, patience: float = PATIENCE) -> None:
        self._ping_every = ping_every
        self._patience = patience

    async def dial(self, stream: str, url: str, ears: Ears, headers: Mapping[str, str] | None = None) -> Line:
        """Raises `CannotConnect`, also for a redirect: the venue sends none."""
        socket = _Socket(ears, self._ping_every, self._patience)
        try:
            async with asyncio.timeout(2 * DEADLINE):
                transport, _ = await ws_connect(
                    lambda: socket,
                    url,
                    websocket_handshake_timeout=DEADLINE,
                    max_frame_size=MOST_BYTES,
                    extra_headers=dict(headers or {}),
                    max_redirects=0,
                )
        except TimeoutError:
            raise CannotConnect(f"{stream} stream, {url}: no connection in time") from None
        except (WSError, OSError, ValueError) as error:
            raise CannotConnect(f"{stream} stream, {url}: {type(error).__name__} {error}".rstrip()) from None
        if transport.is_disconnected and not socket.stood:
            raise CannotConnect(f"{stream} stream, {url}: closed before it was a WebSocket")
        return socket


class _Socket(WSListener):
    """One connection, seen from both sides. Mutable. An exception of the ears breaks it, so that they begin afresh."""

    def __init__(self, ears: Ears, ping_every: float, patience: float) -> None:
        self._ears = ears
        self._ping_every = ping_every
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._transport: WSTransport | None = None
        self._heard_at = 0.0
        self._beat: asyncio.TimerHandle | None = None
        self._parts: list[bytes] | None = None
        self._why = "the connection broke"
        self._closed = False

    @property
    def stood(self) -> bool:
        """Whether it ever was a WebSocket."""
        return self._transport is not None

    # --- the line

    def send(self, text: bytes) -> None:
        assert self._transport is not None
        self._transport.send(WSMsgType.TEXT, text)

    def close(self) -> None:
        assert self._transport is not None
        self._closed = True
        self._transport.send_close()
        self._transport.disconnect()

    # --- the network

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._heard_at = self._loop.time()
        self._beat = self._loop.call_later(self._ping_every, self._ping)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self._heard_at = self._loop.time()
        kind = frame.msg_type
        if kind == WSMsgType.TEXT and frame.fin:
            self._hear(frame.get_payload_as_bytes())
        elif kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            self._hear_part(frame)
        elif kind == WSMsgType.CLOSE:
            self._give_up(f"closed by the venue: {frame.get_close_code():d} {frame.get_close_reason() or ''}".rstrip())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._beat is not None:
            self._beat.cancel()
        if not self._closed:
            self._ears.lost(self._why)

    def _hear(self, text: bytes) -> None:
        if text != _PONG and not self._closed:
            self._ears.hear(text)

    def _hear_part(self, frame: WSFrame) -> None:
        """Parts of a text; of a binary message they are passed over like the message itself."""
        if frame.msg_type == WSMsgType.TEXT:
            self._parts = []
        if self._parts is None:
            return
        self._parts.append(frame.get_payload_as_bytes())
        if sum(map(len, self._parts)) > MOST_BYTES:
            self._parts = None
            self._give_up(f"a message of more than {MOST_BYTES} bytes")
        elif frame.fin:
            whole, self._parts = b"".join(self._parts), None
            self._hear(whole)

    def _ping(self) -> None:
        assert self._transport is not None
        if self._loop.time() - self._heard_at >= self._patience:
            self._why = f"nothing came for {self._patience:g} s"
            self._transport.disconnect(graceful=False)
            return
        self._transport.send(WSMsgType.TEXT, _PING)
        self._beat = self._loop.call_later(self._ping_every, self._ping)

    def _give_up(self, why: str) -> None:
        """Ends a connection that its other side ended, or made useless."""
        assert self._transport is not None
        self._why = why
        self._transport.send_close()
        self._transport.disconnect()
