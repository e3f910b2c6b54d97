"""What tests of the two feeds begin from: time moved by hand, connections that are scripted, and all that was told."""

import asyncio
import functools
import heapq
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, Protocol, TypeVar

from polystra.core.events import AnyEvent
from polystra.core.markets import Generation, Market, Series
from polystra.core.units import Instant, Nanos, Tick, price, seconds, shares
from polystra.edge.polymarket.dialing import CannotConnect, Ears, Line
from tests.edge.exchange_cases import CONDITION, DOWN, PATIENCE, START, UP

MARKET = Market(
    id=CONDITION,
    slug="btc-updown-15m-1795432200",
    series=Series("BTC", seconds(900)),
    up_token=UP,
    down_token=DOWN,
    start=START,
    end=Instant(START + seconds(900)),
    tick=Tick(price("0.01")),
    min_shares=shares("5"),
    fees=None,
    generation=Generation.CLOB_V2,
)
"""The market of `exchange_cases`, as discovery would have it."""

P = ParamSpec("P")
E = TypeVar("E")


def in_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs a test that awaits, for as long as anybody should have to wait."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), PATIENCE))

    return run


async def settle() -> None:
    """Lets everything run that can run by itself."""
    for _ in range(30):
        await asyncio.sleep(0)


class HandTime:
    """Stands still until a test lets it pass. `waited` lists the moments that somebody waited for."""

    def __init__(self, start: Instant = START) -> None:
        self._now = start
        self._timers: list[tuple[Instant, int, asyncio.Future[None]]] = []
        self.waited: list[Instant] = []

    def now(self) -> Instant:
        return self._now

    async def until(self, instant: Instant) -> None:
        self.waited.append(instant)
        if instant > self._now:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._timers, (instant, len(self.waited), done))
            await done

    async def go(self, by: float) -> None:
        """Lets so many seconds pass, and whatever falls due on the way happen at its own moment."""
        end = Instant(self._now + seconds(by))
        await settle()
        while self._timers and self._timers[0][0] <= end:
            self._now, _, done = heapq.heappop(self._timers)
            if not done.done():
                done.set_result(None)
            await settle()
        self._now = end

    def pending(self) -> Nanos | None:
        """How long until the next moment that somebody waits for."""
        waiting = [when for when, _, done in self._timers if not done.done()]
        return Nanos(min(waiting) - self._now) if waiting else None


class ScriptedLine:
    """One connection whose other side the test plays."""

    def __init__(self, ears: Ears) -> None:
        self.ears = ears
        self.sent: list[Any] = []
        self.closed = False

    def send(self, text: bytes) -> None:
        self.sent.append(json.loads(text))

    def close(self) -> None:
        self.closed = True

    def say(self, *frames: object) -> None:
        for frame in frames:
            self.ears.hear(frame if isinstance(frame, bytes) else json.dumps(frame, separators=(",", ":")).encode())


class ScriptedDialer:
    """Connects at once, unless `refuse` says why not; `doomed` connections are lost before their owner has them."""

    def __init__(self) -> None:
        self.lines: list[ScriptedLine] = []
        self.refuse = ""
        self.doomed = ""
        self.dialled: list[tuple[str, str]] = []

    async def dial(self, stream: str, url: str, ears: Ears, headers: Mapping[str, str] | None = None) -> Line:
        self.dialled.append((stream, url))
        await asyncio.sleep(0)
        if self.refuse:
            raise CannotConnect(self.refuse)
        line = ScriptedLine(ears)
        self.lines.append(line)
        if self.doomed:
            ears.lost(self.doomed)
        return line

    @property
    def line(self) -> ScriptedLine:
        """The newest connection."""
        return self.lines[-1]


class Told:
    """Everything a feed told, in order."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self._more = asyncio.Event()

    def put(self, event: AnyEvent) -> None:
        self.events.append(event)
        self._more.set()

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def take(self) -> list[AnyEvent]:
        """What came since the last taking."""
        taken, self.events = self.events, []
        return taken

    async def next(self, kind: type[E]) -> E:
        """The next event of a kind; what comes before it is passed over."""
        while True:
            while self.events:
                event = self.events.pop(0)
                if isinstance(event, kind):
                    return event
            self._more.clear()
            await self._more.wait()


class Feed(Protocol):
    async def run(self) -> None: ...


@asynccontextmanager
async def running_feed(feed: Feed) -> AsyncIterator[None]:
    task = asyncio.create_task(feed.run())
    await settle()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled(), task.exception()
