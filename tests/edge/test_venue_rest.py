"""One request and what came of it: a whole reply, or none and whether a byte of it left."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from polystra.edge.polymarket.rest import MOST_BYTES, WARM, NoReply, Reply, Rest, open_rest, socket_of
from tests.edge.exchange_cases import PATIENCE
from tests.edge.venue_cases import Client, http


def test_a_reply_is_its_status_and_bytes_whatever_they_are(ours: Client) -> None:
    script = ours.scripted(http(418, "<p>no</p>", "text/html"))
    assert ours.run(ours.rest.ask("GET", script.url, deadline=2)) == Reply(418, b"<p>no</p>")


def test_a_redirect_is_not_followed(ours: Client) -> None:
    elsewhere = ours.scripted(http(200, "{}"))
    moved = f"HTTP/1.1 307 Moved\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n".encode()
    reply = ours.run(ours.rest.ask("POST", ours.scripted(moved).url, deadline=2, body=b"{}"))
    assert isinstance(reply, Reply)
    assert (reply.status, elsewhere.heard) == (307, [])


@pytest.mark.parametrize(
    "reply",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"HTTP/1.1 200 OK\r\nContent-"],
)
def test_half_a_reply_is_none_to_a_request_that_was_sent(ours: Client, reply: bytes) -> None:
    script = ours.scripted(reply)
    answer = ours.run(ours.rest.ask("POST", script.url, deadline=2, body=b"{}"))
    assert isinstance(answer, NoReply)
    assert answer.sent
    assert len(script.heard) == 1


def test_a_read_is_repeated_once_and_no_more(ours: Client) -> None:
    script = ours.scripted(b"", http(200, "{}"))
    assert ours.run(ours.rest.ask("GET", script.url, deadline=2)) == Reply(200, b"{}")
    silent = ours.scripted()
    assert isinstance(ours.run(ours.rest.ask("GET", silent.url, deadline=2)), NoReply)
    assert len(silent.heard) == 2


def test_a_reply_without_end_is_none(ours: Client) -> None:
    endless = f"HTTP/1.1 200 OK\r\nContent-Length: {MOST_BYTES + 1}\r\n\r\n".encode() + bytes(MOST_BYTES + 1)
    answer = ours.run(ours.rest.ask("POST", ours.scripted(endless).url, deadline=5, body=b"{}"))
    assert isinstance(answer, NoReply)
    assert "longer" in answer.why
    assert answer.sent


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1", "nonsense", "http:///order"])
def test_what_reaches_nobody_was_not_sent(ours: Client, url: str) -> None:
    answer = ours.run(ours.rest.ask("POST", url, deadline=2, body=b"{}"))
    assert isinstance(answer, NoReply)
    assert not answer.sent
    assert answer.why


def test_the_deadline_covers_a_reply_that_starts_and_stalls(ours: Client) -> None:
    async def ask() -> Reply | NoReply:
        over = asyncio.Event()

        async def stall(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
            await over.wait()
            writer.close()

        async with await asyncio.start_server(stall, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            answer = await ours.rest.ask("POST", url, deadline=0.2, body=b"{}")
            over.set()
            await asyncio.sleep(0)
            return answer

    answer = ours.run(ask())
    assert isinstance(answer, NoReply)
    assert answer.sent
    assert "no reply within 0.2 s" in answer.why


def test_small_requests_leave_at_once() -> None:
    with socket_of((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))) as made:
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_connections_are_kept_open_and_opened_anew_when_the_other_side_closed_them(ours: Client) -> None:
    async def keep() -> tuple[int, int]:
        peers: list[asyncio.StreamWriter] = []
        asked: asyncio.Queue[None] = asyncio.Queue()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peers.append(writer)
            while line := await reader.readline():
                if line == b"\r\n":
                    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"OK"')
                elif b" HTTP/1.1" in line:
                    asked.put_nowait(None)
            writer.close()

        async def rounds(count: int) -> None:
            for _ in range(count * WARM):
                await asked.get()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            keeping = asyncio.create_task(ours.rest.keep_warm(f"{url}/ok", every=0.05))
            await rounds(3)
            before = len(peers)
            for peer in peers:
                peer.close()
            await rounds(2)
            after = len(peers)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            for peer in peers:
                peer.close()
            return before, after

    assert ours.run(keep()) == (WARM, 2 * WARM)


class CountingServer:
    """Answers every request, slow ones when told to, and counts what came over each connection."""

    def __init__(self) -> None:
        self.uses: list[int] = []
        self.open = 0
        self.go = asyncio.Event()
        self._changed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, slow = len(self.uses), False
        self.uses.append(0)
        self.open += 1
        self._changed.set()
        while line := await _line(reader):
            if b" HTTP/1.1" in line:
                self.uses[number] += 1
                self._changed.set()
                slow = b"/slow" in line
            elif line == b"\r\n":
                if slow:
                    await self.go.wait()
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"OK"')
        self.open -= 1
        self._changed.set()
        writer.close()

    async def until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._changed.clear()
            await self._changed.wait()


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ConnectionResetError:
        return b""


def counted(work: Callable[[CountingServer, str, Rest], Coroutine[Any, Any, None]], most_uses: int) -> CountingServer:
    async def play() -> CountingServer:
        server = CountingServer()
        async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
            url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            async with open_rest(most_uses=most_uses) as rest:
                await work(server, url, rest)
            await server.until(lambda: server.open == 0)
        return server

    return asyncio.run(asyncio.wait_for(play(), PATIENCE))


def test_no_connection_carries_more_requests_than_the_venue_lets_it() -> None:
    async def ask(server: CountingServer, url: str, rest: Rest) -> None:
        for _ in range(35):
            assert await rest.ask("GET", f"{url}/ok", deadline=2) == Reply(200, b'"OK"')
        await server.until(lambda: server.open == 1)

    server = counted(ask, 10)
    assert server.uses == [10, 10, 10, 5]


def test_an_order_in_flight_survives_that_its_connection_gives_way() -> None:
    async def ask(server: CountingServer, url: str, rest: Rest) -> None:
        order = asyncio.create_task(rest.ask("POST", f"{url}/slow", deadline=5, body=b"{}"))
        await server.until(lambda: bool(server.uses))
        for _ in range(25):
            await rest.ask("GET", f"{url}/ok", deadline=2)
        assert not order.done()
        await server.until(lambda: server.open == 3)  # two of the order's pool, and the present one
        server.go.set()
        assert await order == Reply(200, b'"OK"')
        await server.until(lambda: server.open == 1)

    assert counted(ask, 10).uses[0] == 1


def test_kept_warm_the_next_connections_stand_before_they_are_needed() -> None:
    async def ask(server: CountingServer, url: str, rest: Rest) -> None:
        keeping = asyncio.create_task(rest.keep_warm(f"{url}/ok", 2, every=0.02))
        await server.until(lambda: len(server.uses) >= 8)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    server = counted(ask, 12)
    assert max(server.uses) <= 4, "of twelve for both half are used when others take their place"
