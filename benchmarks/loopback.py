"""How long an order takes to the exchange of this repository and back, over loopback, beside less that could be done.

The exchange is a process of its own, and its work is part of every round trip but the echo's. Orders are signed before,
each another one; they rest far from the market and are taken back between rounds.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from time import perf_counter
from typing import TypeAlias
from urllib.parse import urlsplit

import httpx
from msgspec import Struct

from benchmarks import counterparts
from benchmarks.harness import Benchmark, Effort, NotMeasured, Ratio, Side, Work
from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import OrderTerms, Outcome, Purpose, TimeInForce
from polystra.core.terms import Side as OrderSide
from polystra.core.units import price, shares
from polystra.edge.clock import WallClock, draw_salt
from polystra.edge.polymarket.auth import Credentials, RequestSigner
from polystra.edge.polymarket.contracts import STANDARD
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.order_body import order_body
from polystra.edge.polymarket.outcomes import Accepted
from polystra.edge.polymarket.private_rest import PrivateRest, ReadingFailed, api_credentials
from polystra.edge.polymarket.rest import Reply, open_rest
from polystra.edge.polymarket.signing import OrderSigner
from polystra.edge.polymarket.venue import Venue
from polystra.edge.polymarket.wallet import own_wallet

ORDERS = 100
"""In a round."""

PATIENCE = 30.0
"""Seconds, for a whole round."""

_CLOCK = WallClock()
TERMS = OrderTerms(
    market=MarketId("0x" + "ab" * 32),
    outcome=Outcome.UP,
    side=OrderSide.BUY,
    purpose=Purpose.ENTRY,
    price=price("0.01"),
    shares=shares("5"),
)


class Placement(Struct, frozen=True):
    """An order ready to be posted."""

    order: VenueOrderId
    body: bytes


Post: TypeAlias = Callable[[Placement], Awaitable[bool]]
"""Posts one order; whether it was taken."""

Line: TypeAlias = Callable[[], AbstractAsyncContextManager[Post]]
"""A warm connection."""


class Account:
    """The funded account that places."""

    def __init__(self, hosted: counterparts.Hosted, credentials: Credentials) -> None:
        self.clob = hosted.clob
        self.credentials = credentials
        self.key = SigningKey(bytes.fromhex(hosted.private_key.removeprefix("0x")))
        self._token = TokenId(hosted.token)
        self._signer = OrderSigner(own_wallet(self.key), draw_salt=draw_salt)
        self._requests = RequestSigner(credentials, self.key.address)

    def placement(self) -> Placement:
        signed = self._signer.sign(TERMS, token=self._token, exchange=STANDARD, at=_CLOCK.now())
        body = order_body(signed, owner=self.credentials.api_key, time_in_force=TimeInForce.GTC)
        return Placement(signed.id, body)

    def headers(self, body: bytes) -> dict[str, str]:
        at = _CLOCK.now()
        return self._requests.headers(at=at, method="POST", path="/order", body=body) | {
            "Content-Type": "application/json"
        }


# --- four ways --------------------------------------------------------------------------------------------------------


def _ours(account: Account) -> Line:
    @asynccontextmanager
    async def line() -> AsyncIterator[Post]:
        async with open_rest() as rest:
            private = PrivateRest(
                rest, account.clob, credentials=account.credentials, account=account.key.address, clock=_CLOCK
            )
            venue = Venue(private, wallet=own_wallet(account.key), api_key=account.credentials.api_key)

            async def post(one: Placement) -> bool:
                return isinstance(await venue.place(one.order, one.body), Accepted)

            yield post
            answer = await private.ask("DELETE", "/cancel-all")
            if not isinstance(answer, Reply) or answer.status != 200:
                raise NotMeasured(f"the orders of a round could not be taken back: {answer}")

    return line


def _httpx(account: Account) -> Line:
    @asynccontextmanager
    async def line() -> AsyncIterator[Post]:
        async with httpx.AsyncClient(trust_env=False) as client:

            async def post(one: Placement) -> bool:
                answer = await client.post(f"{account.clob}/order", content=one.body, headers=account.headers(one.body))
                return bool(answer.json()["success"])

            yield post

    return line


def _socket(account: Account) -> Line:
    host = urlsplit(account.clob)

    @asynccontextmanager
    async def line() -> AsyncIterator[Post]:
        reader, writer = await asyncio.open_connection(host.hostname, host.port)

        async def post(one: Placement) -> bool:
            writer.write(request_bytes(account, one.body))
            _, body = await _reply(reader)
            return b'"success": true' in body or b'"success":true' in body

        yield post
        writer.close()
        await writer.wait_closed()

    return line


def _echo(port: int, request: int, reply: int) -> Line:
    """The body filled up to the size of a request: salts, and so bodies, differ by a digit."""

    @asynccontextmanager
    async def line() -> AsyncIterator[Post]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def post(one: Placement) -> bool:
            writer.write(one.body.ljust(request))
            return bool(await reader.readexactly(reply))

        yield post
        writer.close()
        await writer.wait_closed()

    return line


def request_bytes(account: Account, body: bytes) -> bytes:
    """The whole request, as our client writes it."""
    headers = {
        "Host": urlsplit(account.clob).netloc,
        "User-Agent": "polystra",
        **account.headers(body),
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Content-Length": str(len(body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /order HTTP/1.1\r\n{head}\r\n".encode() + body


async def _reply(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head, await reader.readexactly(int(lengths[0].split(b":")[1]))


# --- sides ------------------------------------------------------------------------------------------------------------


@contextmanager
def sides(folder: Path, effort: Effort) -> Iterator[Mapping[str, Side]]:
    with counterparts.exchange() as hosted:
        account = Account(hosted, asyncio.run(credentials_of(hosted)))
        request, reply = asyncio.run(_sizes(account))
        with counterparts.echo(request, reply) as port:
            count = effort.of(ORDERS)
            yield {
                "ours": _side("our client, `Venue.place`", count, account, _ours(account)),
                "httpx": _side("httpx posting the same bytes", count, account, _httpx(account)),
                "socket": _side("a raw socket posting the same bytes", count, account, _socket(account)),
                "echo": _side(
                    f"an echo: {request} bytes there, {reply} back", count, account, _echo(port, request, reply)
                ),
            }


def _side(what: str, count: int, account: Account, line: Line) -> Side:
    laps: list[float] = []

    @contextmanager
    def ready() -> Iterator[Work]:
        orders = [account.placement() for _ in range(count + 1)]
        with asyncio.Runner() as runner:
            connection = line()
            post = runner.run(connection.__aenter__())
            try:
                runner.run(_post_all(post, orders[:1], []))
                yield lambda: runner.run(_post_all(post, orders[1:], laps))
            finally:
                runner.run(connection.__aexit__(None, None, None))

    return Side(what, count, ready, laps)


async def _post_all(post: Post, orders: list[Placement], laps: list[float]) -> None:
    """One after the other: no order waits for another."""
    try:
        async with asyncio.timeout(PATIENCE):
            for one in orders:
                begun = perf_counter()
                taken = await post(one)
                laps.append(perf_counter() - begun)
                if not taken:
                    raise NotMeasured("the exchange did not take an order: look at what it answers")
    except TimeoutError:
        raise NotMeasured(f"{len(orders)} orders were not answered within {PATIENCE:g} s") from None


async def credentials_of(hosted: counterparts.Hosted) -> Credentials:
    key = SigningKey(bytes.fromhex(hosted.private_key.removeprefix("0x")))
    async with open_rest() as rest:
        found = await api_credentials(rest, hosted.clob, key=key, clock=_CLOCK)
    if isinstance(found, ReadingFailed):
        raise NotMeasured(f"no API key: {found.why}")
    return found


async def _sizes(account: Account) -> tuple[int, int]:
    """Bytes of a request and of its whole reply."""
    host = urlsplit(account.clob)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    request = request_bytes(account, account.placement().body)
    writer.write(request)
    head, body = await _reply(reader)
    writer.close()
    await writer.wait_closed()
    return len(request), len(head) + len(body)


BENCHMARK = Benchmark(
    name="loopback",
    unit="order",
    about="""A signed order to `polystra exchange` in another process and its answer back, one at a time over one warm
connection. Our client makes the L2 headers, posts and reads what came of it. Beside it httpx and a raw asyncio socket,
which post the same bytes and barely look at the answer; what these three share is the exchange's own work. The floor is
an echo: as many bytes there and back, to a process that does nothing.""",
    ratios=tuple(
        Ratio(f"loopback.ours_vs_{name}{end}", "ours", name, says + what, percentile)
        for name, says in (
            ("httpx", "against httpx"),
            ("socket", "what our client adds to the bytes"),
            ("echo", "the whole round trip against bare loopback"),
        )
        for end, what, percentile in (("", "", None), ("_p99", ", of the slowest in 100", 99))
    ),
    sides=sides,
)
