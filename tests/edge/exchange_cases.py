"""The exchange server in a thread of its own, a market on it, and a plain client that speaks its wire."""

import asyncio
import concurrent.futures
import contextlib
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from random import Random
from typing import Any, Self, TypeVar

import aiohttp
from msgspec.structs import replace

from polystra.core.ids import MarketId, TokenId
from polystra.core.markets import Generation
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side, TimeInForce
from polystra.core.units import Instant, Nanos, price, seconds, shares, usd
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.addresses import Address, address_of
from polystra.edge.polymarket.auth import Credentials, RequestSigner, l1_headers
from polystra.edge.polymarket.contracts import STANDARD, Exchange
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.order_body import order_body
from polystra.edge.polymarket.signing import OrderSigner, SignedOrder
from polystra.edge.polymarket.wallet import SignatureType, Wallet
from polystra.exchange.faults import Faults
from polystra.exchange.listings import Listing
from polystra.exchange.members import Members
from polystra.exchange.pace import SteppedClock
from polystra.exchange.price_feeds import PriceBoard
from polystra.exchange.server import Endpoints, serve
from polystra.exchange.venue import Venue
from polystra.sim import messages as sim
from polystra.sim.latency import fixed
from polystra.sim.records import Account
from polystra.sim.rules import Rules

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds after which something that should come is said not to."""

START = Instant(1_795_432_200 * 10**9)
HOLD = Nanos(30_000_000)
CONDITION = MarketId("0x" + "ab" * 32)
UP = TokenId("71321045679252212594626385532706912750332728571942532289631379312455583992563")
DOWN = TokenId("52114319501245915516055106046884209969926127482827954674443846427813813222426")

FACTS = sim.MarketFacts(
    id=CONDITION,
    up_token=UP,
    down_token=DOWN,
    fee_rate=70_000,
    rebate_rate=200_000,
    taker_hold=HOLD,
    start=START,
    end=Instant(START + seconds(900)),
)
LISTING = Listing(
    facts=FACTS,
    slug="btc-updown-15m-1795432200",
    question="Bitcoin Up or Down - November 23, 6:10AM-6:25AM ET",
    resolution_source="https://data.chain.link/streams/btc-usd",
)
NEW_UP = TokenId(str((1 << 248) | (0xABCDEF << 104)))
NEW_DOWN = TokenId(str((1 << 248) | (0xABCDEF << 104) | 1))
NEW_CONDITION = MarketId("0x" + "cd" * 32)
NEW_LISTING = Listing(
    facts=replace(FACTS, id=NEW_CONDITION, up_token=NEW_UP, down_token=NEW_DOWN),
    slug="eth-updown-15m-1795432200",
    question="Ethereum Up or Down - November 23, 6:10AM-6:25AM ET",
    generation=Generation.PROTOCOL_V2,
)
"""A Protocol-V2 market: its ids make clients sign for another contract, with domain version 3."""

QUICK = Rules(mined_after=fixed(seconds(0.02)), confirmed_after=fixed(seconds(0.02)), balance_lag=fixed(seconds(0.02)))

BOOK = sim.SetBook(
    market=CONDITION,
    bids=((price("0.49"), shares("100")), (price("0.48"), shares("200"))),
    asks=((price("0.51"), shares("80.5")), (price("0.52"), shares("300"))),
)


NEW_BOOK = replace(BOOK, market=NEW_CONDITION)


class Running:
    """The server while it runs, and its loop to work on."""

    def __init__(self, *, rules: Rules = QUICK, stepped: bool = False, tolerance: Nanos | None = None) -> None:
        self.faults = Faults()
        self.prices = PriceBoard()
        self._clock = SteppedClock(START) if stepped else None
        clock = self._clock or WallClock()
        self.venue = Venue(rules=rules, rng=Random(7), clock=clock, members=Members("seed"), tolerance=tolerance)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="exchange")

    def __enter__(self) -> Self:
        self._thread.start()
        self._stack = contextlib.AsyncExitStack()
        self.urls, self.session = self.wait(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self.wait(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> tuple[Endpoints, aiohttp.ClientSession]:
        served = serve(self.venue, faults=self.faults, stepped=self._clock, prices=self.prices)
        urls = await self._stack.enter_async_context(served)
        return urls, await self._stack.enter_async_context(aiohttp.ClientSession())

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def on_loop(self, act: Callable[[], T]) -> T:
        async def run() -> T:
            return act()

        return self.wait(run())

    def feed(self, *news: Listing | sim.Request) -> None:
        for one in news:
            self.on_loop(lambda one=one: self.venue.feed(one))  # type: ignore[misc]

    def fund(self, account: str, cash: str = "1000") -> None:
        self.feed(sim.Deposit(account=Account(account), amount=usd(cash)))

    def shares(self, account: str, amount: str) -> None:
        """Settled pairs of shares for an account that has the cash."""
        self.feed(sim.Split(account=Account(account), market=CONDITION, shares=shares(amount)))

    def call(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, Any]:
        """Status and decoded body of one request."""
        return self.wait(self._ask(method, url, headers, body))

    def start(
        self, method: str, url: str, *, headers: dict[str, str], body: bytes
    ) -> "concurrent.futures.Future[tuple[int, Any]]":
        """A request that will be answered later; returns once something is due at the venue because of it."""
        asking = asyncio.run_coroutine_threadsafe(self._ask(method, url, headers, body), self._loop)
        while self.on_loop(self.venue.next_due) is None:
            assert not asking.done(), asking.result()
        return asking

    async def _ask(self, method: str, url: str, headers: dict[str, str] | None, body: bytes | None) -> tuple[int, Any]:
        async with self.session.request(method, url, headers=headers, data=body) as response:
            raw = await response.read()
            return response.status, json.loads(raw) if raw else None

    def get(self, path: str) -> Any:
        """The body of a public page of the CLOB, which must be there."""
        status, body = self.call("GET", self.urls.clob + path)
        assert status == 200, body
        return body

    def post(self, path: str, body: object) -> tuple[int, Any]:
        return self.call("POST", self.urls.clob + path, body=json.dumps(body).encode())

    def control(self, method: str, path: str, body: object = None) -> Any:
        status, answer = self.call(
            method, self.urls.control + path, body=None if body is None else json.dumps(body).encode()
        )
        assert status == 200, answer
        return answer

    def stream(self, url: str, first: object) -> "Stream":
        """A connection of one of the streams, closed with the server."""

        async def connect() -> aiohttp.ClientWebSocketResponse:
            return await self._stack.enter_async_context(self.session.ws_connect(url))

        stream = Stream(self, self.wait(connect()))
        stream.say(first)
        return stream


class Stream:
    """One WebSocket."""

    def __init__(self, running: Running, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._running = running
        self._socket = socket
        self.close_code: int | None = None

    def say(self, frame: object) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self._running.wait(self._socket.send_str(text))

    def hear(self) -> Any:
        """The next frame; PONG as it is, `None` when the other side closed."""
        message = self._running.wait(self._socket.receive())
        if message.type is not aiohttp.WSMsgType.TEXT:
            self.close_code = message.data
            return None
        return message.data if message.data == "PONG" else json.loads(message.data)

    def hear_kind(self, kind: str) -> Any:
        """The next event of a kind; what comes before it is passed over."""
        while True:
            frame = self.hear()
            assert frame is not None, f"closed before {kind}"
            for event in frame if isinstance(frame, list) else [frame]:
                if isinstance(event, dict) and event["event_type"] == kind:
                    return event


class Trader:
    """A member with a key and a wallet of some kind, whose requests are signed by our own library."""

    def __init__(self, running: Running, seed: int = 1, kind: SignatureType = SignatureType.EOA) -> None:
        self.running = running
        self.secret = Random(seed).randrange(1, 2**255).to_bytes(32, "big")
        self.key = SigningKey(self.secret)
        funder = self.key.address if kind is SignatureType.EOA else address_of(Random(-seed).randbytes(20))
        self.wallet = Wallet(key=self.key, kind=kind, funder=funder)
        self._salts = Random(seed)
        running.on_loop(lambda: running.venue.members.open_wallet(self.key.address, kind, funder))
        status, body = running.call("POST", f"{running.urls.clob}/auth/api-key", headers=self.l1())
        assert status == 200, body
        self.credentials = Credentials(api_key=body["apiKey"], secret=body["secret"], passphrase=body["passphrase"])
        self._signer = RequestSigner(self.credentials, self.key.address)

    @property
    def account(self) -> Address:
        return self.wallet.maker

    def l1(self, nonce: int = 0) -> dict[str, str]:
        return l1_headers(self.key, at=WallClock().now(), nonce=nonce)

    def headers(self, method: str, path: str, body: bytes = b"", at: Instant | None = None) -> dict[str, str]:
        at = WallClock().now() if at is None else at
        return self._signer.headers(at=at, method=method, path=path, body=body)

    def call(self, method: str, path: str, body: bytes = b"", query: str = "") -> tuple[int, Any]:
        headers = self.headers(method, path, body)
        return self.running.call(method, self.running.urls.clob + path + query, headers=headers, body=body or None)

    def start(self, method: str, path: str, body: bytes) -> "concurrent.futures.Future[tuple[int, Any]]":
        headers = self.headers(method, path, body)
        return self.running.start(method, self.running.urls.clob + path, headers=headers, body=body)

    def get(self, path: str, query: str = "") -> Any:
        status, body = self.call("GET", path, query=query)
        assert status == 200, body
        return body

    def sign(self, terms: OrderTerms, *, exchange: Exchange = STANDARD, token: TokenId | None = None) -> SignedOrder:
        signer = OrderSigner(self.wallet, draw_salt=lambda: self._salts.randrange(2**53))
        token = token or (UP if terms.outcome is Outcome.UP else DOWN)
        return signer.sign(terms, token=token, exchange=exchange, at=START)

    def body(self, terms: OrderTerms, signed: SignedOrder | None = None) -> bytes:
        return order_body(
            signed or self.sign(terms),
            owner=self.credentials.api_key,
            time_in_force=terms.time_in_force,
            expires_at=terms.expires_at,
            post_only=terms.post_only,
        )

    def place(self, terms: OrderTerms) -> tuple[int, Any]:
        return self.call("POST", "/order", self.body(terms))

    def user_frame(self, **more: object) -> dict[str, object]:
        shown = self.credentials
        auth = {"apiKey": shown.api_key, "secret": shown.secret, "passphrase": shown.passphrase}
        return {"auth": auth, "type": "user", **more}


def terms(
    side: Side = Side.BUY,
    at: str = "0.45",
    size: str = "10",
    *,
    outcome: Outcome = Outcome.UP,
    tif: TimeInForce = TimeInForce.GTC,
    post_only: bool = False,
) -> OrderTerms:
    return OrderTerms(
        market=CONDITION,
        outcome=outcome,
        side=side,
        purpose=Purpose.ENTRY,
        price=price(at),
        shares=shares(size),
        time_in_force=tif,
        post_only=post_only,
    )


@contextlib.contextmanager
def exchange(**how: Any) -> Iterator[Running]:
    """The server with a market of each generation and their books."""
    with Running(**how) as running:
        running.feed(LISTING, BOOK, NEW_LISTING, NEW_BOOK)
        yield running
