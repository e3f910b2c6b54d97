"""Our client of the venue on a loop of its own, a relay that counts what it sends, and servers that answer nonsense."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

from polystra.edge.clock import WallClock
from polystra.edge.polymarket.catalogue import Catalogue
from polystra.edge.polymarket.private_rest import PrivateRest
from polystra.edge.polymarket.rest import open_rest
from polystra.edge.polymarket.venue import Deadlines, Venue
from tests.edge.exchange_cases import PATIENCE, Trader

T = TypeVar("T")

_REQUEST = re.compile(rb"^(GET|POST|DELETE) ([^ ?]+)\S* HTTP/1\.1\r$", re.MULTILINE)


class Client:
    """A loop with one open session. Work is awaited from outside."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._stack = contextlib.AsyncExitStack()
        self.rest = self.run(self._stack.enter_async_context(open_rest()))

    def close(self) -> None:
        self.run(self._stack.aclose())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(asyncio.wait_for(work, PATIENCE))

    def venue(self, trader: Trader, *, clob: str | None = None, deadlines: Deadlines | None = None) -> Venue:
        rest = PrivateRest(
            self.rest,
            clob or trader.running.urls.clob,
            credentials=trader.credentials,
            account=trader.key.address,
            clock=WallClock(),
        )
        return Venue(rest, wallet=trader.wallet, api_key=trader.credentials.api_key, deadlines=deadlines)

    def catalogue(self, gamma: str, clob: str) -> Catalogue:
        return Catalogue(self.rest, gamma=gamma, clob=clob)

    def relay(self, target: str) -> "Relay":
        return self.run(self._stack.enter_async_context(_relay(target)))

    def scripted(self, *replies: bytes) -> "Scripted":
        return self.run(self._stack.enter_async_context(_scripted(replies)))


@contextlib.contextmanager
def client() -> Iterator[Client]:
    with asyncio.Runner() as runner:
        opened = Client(runner)
        try:
            yield opened
        finally:
            opened.close()


class Relay:
    """Passes bytes on and notes each request and each connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.url = ""
        self.requests: list[str] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            await asyncio.gather(self._note(reader, back), _pass(there, writer))
        except OSError:
            pass
        finally:
            writer.close()
            back.close()

    async def _note(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            self.requests += [f"{method.decode()} {path.decode()}" for method, path in _REQUEST.findall(data)]
            writer.write(data)
        writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def _relay(target: str) -> AsyncIterator[Relay]:
    relay = Relay(int(target.rsplit(":", 1)[1]))
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()


class Scripted:
    """Answers each connection with the next of some bytes and closes it; with nothing, once there are none left."""

    def __init__(self, replies: tuple[bytes, ...]) -> None:
        self._replies = list(replies)
        self.url = ""
        self.heard: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(await reader.read(65_536))
        if self._replies:
            writer.write(self._replies.pop(0))
        writer.close()


@contextlib.asynccontextmanager
async def _scripted(replies: tuple[bytes, ...]) -> AsyncIterator[Scripted]:
    script = Scripted(replies)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield script
    finally:
        server.close()


def http(status: int, body: str, kind: str = "application/json") -> bytes:
    """A whole reply."""
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()
