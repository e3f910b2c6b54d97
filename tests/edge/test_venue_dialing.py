"""A WebSocket that is kept awake, against servers that close, fall silent, and cut their messages into pieces."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from polystra.edge.polymarket import dialing
from polystra.edge.polymarket.dialing import CannotConnect, Line, SocketDialer
from tests.edge.exchange_cases import Running
from tests.edge.feed_cases import in_loop
from tests.edge.venue_cases import http

TEXT, MORE, BINARY = WSMsgType.TEXT, WSMsgType.CONTINUATION, WSMsgType.BINARY


class Far(WSListener):
    """The other side of one connection."""

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers
        self.transport: WSTransport
        self.heard: list[bytes] = []
        self._pinged = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        self.heard.append(frame.get_payload_as_bytes())
        if self.heard[-1] == b"PING":
            self._pinged.set()
            if self._answers:
                transport.send(TEXT, b"PONG")

    async def pings(self, count: int) -> None:
        """Waits for that many."""
        while self.heard.count(b"PING") < count:
            self._pinged.clear()
            await self._pinged.wait()

    def say(self, *parts: tuple[WSMsgType, bytes, bool]) -> None:
        for kind, payload, last in parts:
            self.transport.send(kind, payload, fin=last)


class Near:
    """Listens, and can be waited for."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.losses: list[str] = []
        self.on_hear: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()

    def hear(self, frame: bytes) -> None:
        self.heard.append(frame)
        self._changed.set()
        self.on_hear()
        if frame == b"poison":
            raise RuntimeError("our own mistake")

    def lost(self, why: str) -> None:
        self.losses.append(why)
        self._changed.set()

    async def wait(self, *, heard: int = 0, losses: int = 0) -> None:
        while len(self.heard) < heard or len(self.losses) < losses:
            self._changed.clear()
            await self._changed.wait()


class Server:
    def __init__(self, *, answers: bool = True) -> None:
        self._answers = answers
        self.url = ""
        self.requests: list[WSUpgradeRequest] = []
        self.ends: list[Far] = []

    def accept(self, request: WSUpgradeRequest) -> Far:
        self.requests.append(request)
        self.ends.append(Far(answers=self._answers))
        return self.ends[-1]

    @property
    def far(self) -> Far:
        return self.ends[-1]


@asynccontextmanager
async def serving(*, answers: bool = True) -> AsyncIterator[Server]:
    server = Server(answers=answers)
    listening = await ws_create_server(server.accept, "127.0.0.1", 0)
    server.url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/ws/market"
    try:
        yield server
    finally:
        listening.close()
        for far in server.ends:
            far.transport.disconnect(graceful=False)


@asynccontextmanager
async def connected(server: Server, dialer: SocketDialer | None = None) -> AsyncIterator[tuple[Near, Far, Line]]:
    near = Near()
    line = await (dialer or SocketDialer()).dial("market", server.url, near)
    try:
        yield near, server.far, line
    finally:
        line.close()


@asynccontextmanager
async def raw_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


# --- what is heard ---------------------------------------------------------------------------------------------------


@in_loop
async def test_texts_are_heard_in_order_and_pong_and_binary_are_not() -> None:
    async with serving() as server, connected(server) as (near, far, line):
        line.send(b"first")
        texts = ((TEXT, b"a", True), (TEXT, b"PONG", True), (BINARY, b"x", True), (TEXT, b"", True), (TEXT, b"b", True))
        far.say(*texts)
        await near.wait(heard=3)
        assert (near.heard, near.losses) == ([b"a", b"", b"b"], [])
        assert far.heard == [b"first"]


@in_loop
async def test_a_text_in_pieces_is_heard_whole_and_a_binary_in_pieces_is_not() -> None:
    async with serving() as server, connected(server) as (near, far, _):
        far.say((BINARY, b"x", False), (MORE, b"y", True))
        far.say((TEXT, b"a", False), (MORE, b"b", False))
        far.transport.send_ping(b"are you there")
        far.say((MORE, b"c", True), (BINARY, b"x", False), (MORE, b"y", True), (TEXT, b"d", True))
        await near.wait(heard=2)
        assert near.heard == [b"abc", b"d"]


@in_loop
async def test_the_handshake_carries_our_headers_and_small_messages_leave_at_once() -> None:
    async with serving() as server:
        line = await SocketDialer().dial("market", server.url, Near(), {"Polystra-Request": "1-7"})
        assert server.requests[0].headers["Polystra-Request"] == "1-7"
        own = line._transport.underlying_transport.get_extra_info("socket")  # type: ignore[attr-defined]
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        line.close()


# --- how it ends -----------------------------------------------------------------------------------------------------


@in_loop
async def test_a_close_by_the_other_side_is_told_once_with_its_reason() -> None:
    async with serving() as server, connected(server) as (near, far, line):
        far.say((TEXT, b"last", True))
        far.transport.send_close(1008, b"not you")  # type: ignore[arg-type]
        await near.wait(losses=1)
        line.send(b"nobody hears this")
        line.close()
        assert (near.heard, near.losses) == ([b"last"], ["closed by the venue: 1008 not you"])


@in_loop
async def test_a_connection_that_breaks_is_lost_and_one_that_we_close_is_not() -> None:
    async with serving() as server:
        async with connected(server) as (near, far, _):
            far.transport.underlying_transport.abort()
            await near.wait(losses=1)
            assert near.losses == ["the connection broke"]
        async with connected(server) as (ours, far, line):
            far.say((TEXT, b"too late", True))
            line.close()
            await far.transport.wait_disconnected()
            await asyncio.sleep(0.01)
            assert (ours.heard, ours.losses) == ([], [])


@in_loop
async def test_whoever_hangs_up_in_the_middle_hears_no_more() -> None:
    async with serving() as server, connected(server) as (near, far, line):
        near.on_hear = line.close
        far.say((TEXT, b"a", True), (TEXT, b"b", True))
        await far.transport.wait_disconnected()
        assert (near.heard, near.losses) == ([b"a"], [])


@in_loop
async def test_a_message_without_end_breaks_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialing, "MOST_BYTES", 1_000)
    async with serving() as server:
        async with connected(server) as (near, far, _):
            far.say((TEXT, b"x" * 1_000, True), (TEXT, b"x" * 600, False), (MORE, b"x" * 600, True))
            await near.wait(losses=1)
            assert (len(near.heard), near.losses) == (1, ["a message of more than 1000 bytes"])
        async with connected(server) as (near, far, _):
            far.say((TEXT, b"x" * 1_001, True))
            await near.wait(losses=1)
            assert (near.heard, len(near.losses)) == ([], 1)


@in_loop
async def test_our_own_mistake_breaks_the_connection_and_stands_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with serving() as server, connected(server) as (near, far, line):
            far.say((TEXT, b"poison", True))
            await near.wait(losses=1)
            with pytest.raises(RuntimeError):
                await line._transport.wait_disconnected()  # type: ignore[attr-defined]
    assert "our own mistake" in caplog.text


# --- keep-alive ------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_connection_that_answers_nothing_is_given_up() -> None:
    hasty = SocketDialer(ping_every=0.02, patience=0.1)
    async with serving(answers=False) as server, connected(server, hasty) as (near, far, _):
        await near.wait(losses=1)
        assert near.losses == ["nothing came for 0.1 s"]
        assert far.heard.count(b"PING") >= 2


@in_loop
async def test_pong_alone_keeps_a_connection_and_so_does_news_alone() -> None:
    hasty = SocketDialer(ping_every=0.05, patience=0.5)
    async with serving() as server, connected(server, hasty) as (near, far, _):
        await far.pings(15)
        assert (near.heard, near.losses) == ([], [])
    async with serving(answers=False) as server, connected(server, hasty) as (near, far, _):
        for count in range(15):
            far.say((BINARY, b"alive", True))
            await far.pings(count)
        assert (near.heard, near.losses) == ([], [])


@in_loop
async def test_the_exchange_answers_our_ping(running: Running) -> None:
    near = Near()
    line = await SocketDialer(ping_every=0.05, patience=0.5).dial("market", running.urls.market_ws, near)
    await asyncio.sleep(0.8)
    assert (near.heard, near.losses) == ([], [])
    line.close()


# --- no connection ---------------------------------------------------------------------------------------------------


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


def answering(reply: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    return answer


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"nonsense\r\n\r\n",
        http(404, "{}"),
        http(503, "later"),
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
@in_loop
async def test_whatever_is_no_handshake_is_no_connection(reply: bytes) -> None:
    near = Near()
    async with raw_server(answering(reply)) as url:
        with pytest.raises(CannotConnect, match="market stream"):
            await SocketDialer().dial("market", url, near)
    assert (near.heard, near.losses) == ([], [])


@in_loop
async def test_nobody_sends_us_elsewhere() -> None:
    async with serving() as server:
        elsewhere = f"HTTP/1.1 302 Elsewhere\r\nLocation: {server.url}\r\n\r\n".encode()
        async with raw_server(answering(elsewhere)) as url:
            with pytest.raises(CannotConnect):
                await SocketDialer().dial("market", url, Near())
        assert server.requests == []


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/", "http://127.0.0.1:1/", "nonsense", "ws://127.0.0.1:70000/"])
@in_loop
async def test_an_address_where_nobody_is_is_no_connection(url: str) -> None:
    with pytest.raises(CannotConnect):
        await SocketDialer().dial("market", url, Near())


@in_loop
async def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialing, "DEADLINE", 0.05)
    async with raw_server(silent) as url:
        with pytest.raises(CannotConnect, match="user stream"):
            await SocketDialer().dial("user", url, Near())
