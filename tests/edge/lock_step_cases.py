"""An exchange in lock step, and a trader as plain as can be: the test is its mind."""

import asyncio
import concurrent.futures
import contextlib
import json
from collections.abc import Coroutine, Iterator
from typing import Any, Self

import aiohttp

from polystra.core.terms import Side
from polystra.core.units import Instant, price, shares
from polystra.exchange.lock_step import LockStep
from polystra.exchange.pace import World
from polystra.exchange.server import Endpoints, serve
from polystra.exchange.steps import NUMBER
from polystra.exchange.transit import Latency as Ways
from polystra.sim import messages as sim
from tests.edge.exchange_cases import (
    BOOK,
    CONDITION,
    LISTING,
    PATIENCE,
    START,
    UP,
    Running,
    Stream,
    T,
    Trader,
)

MS = 1_000_000
SUBMIT, ANSWER, USER, MARKET = 30 * MS, 20 * MS, 40 * MS, 15 * MS


class EvenWays:
    """Every way has one length."""

    def submit(self, sent: Instant) -> Instant:
        return Instant(sent + SUBMIT)

    def answer(self, sent: Instant) -> Instant:
        return Instant(sent + ANSWER)

    def user(self, sent: Instant) -> Instant:
        return Instant(sent + USER)

    def market(self, sent: Instant) -> Instant:
        return Instant(sent + MARKET)


class Levels:
    """A market whose best bid changes at given moments after the start."""

    def __init__(self, running: "Stepped", moments: list[int]) -> None:
        self._running = running
        self._left = [Instant(START + moment) for moment in moments]

    @property
    def over(self) -> bool:
        return not self._left

    def next_due(self) -> Instant | None:
        return self._left[0] if self._left else None

    def step(self) -> None:
        self._left.pop(0)
        change = sim.LevelChange(Side.BUY, price("0.50"), shares(str(len(self._left) + 1)))
        self._running.venue.feed(sim.ChangeLevels(market=CONDITION, changes=(change,)))


class Stepped(Running):
    """An exchange in lock step, with a market and its book."""

    def __init__(self, ways: Ways | None = None, moments: list[int] | None = None) -> None:
        super().__init__(stepped=True)
        self.ways = ways or EvenWays()
        self.world: World = Levels(self, moments or [])
        self.asked: list[concurrent.futures.Future[Any]] = []

    async def _end_asked(self) -> None:
        """Once the exchange is gone every request has ended, in one way or another."""
        await asyncio.gather(*(asyncio.wrap_future(one) for one in self.asked), return_exceptions=True)

    def in_the_back(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        asking = asyncio.run_coroutine_threadsafe(work, self._loop)
        self.asked.append(asking)
        return asking

    async def _open(self) -> tuple[Endpoints, aiohttp.ClientSession]:
        assert self._clock is not None
        self._stack.push_async_callback(self._end_asked)
        self.steps = LockStep(self.venue, self._clock, latency=self.ways, world=self.world)
        urls = await self._stack.enter_async_context(
            serve(self.venue, faults=self.faults, lock_step=self.steps, prices=self.prices)
        )
        return urls, await self._stack.enter_async_context(aiohttp.ClientSession())

    def attach(self) -> "Follower":
        return Follower(self)

    def time(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control("GET", "/time")
        return found


class Follower:
    """A trader in lock step."""

    def __init__(self, running: Stepped) -> None:
        self.running = running
        self.control = self._connect(f"{running.urls.control}/lock-step")
        attached = self.control.hear()
        self.life: int = attached["life"]
        self.began: int = attached["now"]
        self.sent = 0
        self.messages: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()

    def _connect(self, url: str, headers: dict[str, str] | None = None) -> "Socket":
        running = self.running

        async def connect() -> aiohttp.ClientWebSocketResponse:
            return await running._stack.enter_async_context(running.session.ws_connect(url, headers=headers))

        return Socket(running, running.wait(connect()))

    def label(self, number: int) -> dict[str, str]:
        return {NUMBER: f"{self.life}-{number}"}

    def decide(self) -> int:
        """The number of the next request."""
        self.sent += 1
        return self.sent

    def ask(
        self,
        method: str,
        path: str,
        *,
        number: int | None = None,
        body: bytes = b"",
        signed: dict[str, str] | None = None,
    ) -> "concurrent.futures.Future[tuple[int, Any]]":
        """A request on a connection of its own, received when this returns."""
        number = number or self.decide()
        headers = {**(signed or {}), **self.label(number)}
        asking = self.running.in_the_back(_ask(method, self.running.urls.clob + path, headers, body))
        self.await_receipt(number, asking)
        return asking

    def await_receipt(self, number: int, asking: "concurrent.futures.Future[Any]") -> None:
        life = self.running.steps._lives[self.life - 1]
        while not self.running.on_loop(lambda: life.knows(number)):
            if asking.done():
                assert self.running.on_loop(lambda: life.knows(number)), asking.result()

    def send(self, trader: Trader, method: str, path: str, body: bytes = b"") -> "concurrent.futures.Future[Any]":
        return self.ask(method, path, body=body, signed=trader.headers(method, path, body))

    def dial(self, url: str) -> "concurrent.futures.Future[Socket]":
        """A handshake, received when this returns."""
        number, running = self.decide(), self.running

        async def connect() -> Socket:
            session = await running._stack.enter_async_context(aiohttp.ClientSession())
            context = session.ws_connect(url, headers=self.label(number))
            return Socket(running, await running._stack.enter_async_context(context))

        dialling = running.in_the_back(connect())
        self.await_receipt(number, dialling)
        return dialling

    def open(self, url: str, name: str, first: object) -> "Socket":
        """A stream that is followed from the next moments on."""
        dialling = self.dial(url)
        before = self.now
        assert self.step() == {"now": before + SUBMIT, "answer": self.sent}
        stream = dialling.result(PATIENCE)
        self.say(stream, name, first)
        return stream

    def say(self, stream: "Socket", name: str, text: object) -> None:
        self.messages[name] = self.messages.get(name, 0) + 1
        stream.say(text)

    @property
    def now(self) -> int:
        moment: int = self.running.on_loop(self.running.venue.now)
        return moment

    def report(self, alarm: int | None = None) -> None:
        self.control.say({"requests": self.sent, "messages": self.messages, "alarm": alarm})

    def step(self, alarm: int | None = None) -> Any:
        """Reports, and hears what came of it; times as they are."""
        self.report(alarm)
        return self.control.hear()


class Socket(Stream):
    def close(self) -> None:
        self._running.wait(self._socket.close())

    def reason(self) -> str:
        """Why the other side closed."""
        message = self._running.wait(self._socket.receive())
        assert message.type is aiohttp.WSMsgType.CLOSE, message
        return str(message.extra)


async def _ask(method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers, data=body or None) as response,
    ):
        return response.status, json.loads(await response.read())


@contextlib.contextmanager
def stepped(**how: Any) -> Iterator[Stepped]:
    with Stepped(**how) as running:
        running.feed(LISTING, BOOK)
        yield running


def funded(running: Stepped) -> Trader:
    member = Trader(running)
    running.fund(member.account)
    return member


def market(follower: Follower, *tokens: str) -> Socket:
    """Followed, its first books heard."""
    first = {"assets_ids": tokens or (UP,), "type": "market"}
    stream = follower.open(follower.running.urls.market_ws, "market", first)
    assert follower.step() == {"now": follower.now, "stream": "market", "frames": 1}
    stream.hear()
    return stream


def switch_on(running: Stepped, fault: str, **more: object) -> None:
    running.control("POST", "/faults", {"fault": fault, **more})


def truth(running: Stepped) -> Any:
    return running.control("GET", "/truth")


async def status_of(url: str, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status
