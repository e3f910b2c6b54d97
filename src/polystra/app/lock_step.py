"""The trader's side of lock step (`exchange.steps`): time, requests and streams that go by the exchange's clock.

The loop calls `wait` when it has nothing left to do. That is reported to the exchange, which moves its clock and does
one thing; `wait` then delivers just that, and returns. What reaches this process early on its other sockets is kept
until the step that is about it. So a run depends on the exchange and on what the trader decides, not on how quick the
machine is.
"""

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import msgspec

from polystra.core.errors import PolystraError
from polystra.core.units import Instant, seconds
from polystra.edge.polymarket.dialing import Dialer, Ears, Line
from polystra.edge.polymarket.rest import Answer, Asking, NoReply
from polystra.exchange.steps import LOCK_STEP, NUMBER, Attached, Report, Step

_TURNS = 12
"""Turns of the event loop after which everything that an answer set off has come to its next wait: a future, its task,
a gather and the task around it are a turn each. What comes later all the same is counted by `depart`."""

_PATIENCE = 600.0
"""Seconds by the wall that a reply may take: how long it takes in the venue's time is what counts."""


class ExchangeGone(PolystraError):
    """The exchange that keeps the time does not answer any more."""


class LockStep:
    """Time as the exchange says it. Mutable; one for each life of a trader. `busy` says whether news wait in the inbox
    already."""

    def __init__(self, control: aiohttp.ClientWebSocketResponse, attached: Attached) -> None:
        self._control = control
        self._life = attached.life
        self._now = attached.now
        self._sent = 0
        self._messages: Counter[str] = Counter()
        self._awaited: dict[int, tuple[asyncio.Future[Any], asyncio.Future[None]]] = {}
        self._lines: dict[str, _SteppedLine] = {}
        self._timers: list[tuple[Instant, int, asyncio.Future[None]]] = []
        self._timed = 0
        self._moving: asyncio.Event | None = None
        self._restless = True
        self.late = 0
        self.busy: Callable[[], bool] = lambda: False

    # --- time

    def now(self) -> Instant:
        return self._now

    async def until(self, instant: Instant) -> None:
        if instant > self._now:
            await self._timer(instant)

    async def wait(self, alarm: Instant | None) -> bool:
        """Lets one thing happen; false when the world has come to rest. Raises `ExchangeGone`."""
        if self._restless:
            self._restless = False
            await _settle()
        if self.busy():
            return True
        timer = self._next_timer()
        report = Report(
            requests=self._sent,
            messages=dict(self._messages),
            alarm=min((one for one in (alarm, timer) if one is not None), default=None),
        )
        self._moving = asyncio.Event()
        step = await self._exchange(report)
        self._now = step.now
        self._moving.set()
        self._moving = None
        if step.over:
            return False
        await self._deliver(step)
        return True

    async def _exchange(self, report: Report) -> Step:
        try:
            await self._control.send_str(msgspec.json.encode(report).decode())
            message = await self._control.receive()
        except (ConnectionError, aiohttp.ClientError) as error:
            raise ExchangeGone(f"the exchange went away at {self._now} ns of its time: {error}") from None
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            reason = f": {message.extra}" if message.extra else ""
            raise ExchangeGone(f"the exchange went away at {self._now} ns of its time{reason}")
        return msgspec.json.decode(message.data, type=Step)

    def stir(self) -> None:
        """Something was set off that runs by itself: let it come to its next wait before the next report."""
        self._restless = True

    async def _deliver(self, step: Step) -> None:
        """A frame is heard at once; all else wakes somebody."""
        self._restless = not step.frames or step.closed
        if step.answer is not None and step.answer in self._awaited:
            real, released = self._awaited.pop(step.answer)
            await asyncio.wait([real])
            _resolve(released)
        if step.stream is not None and step.stream in self._lines:
            await self._lines[step.stream].deliver(step.frames, closed=step.closed)
        while self._timers and self._timers[0][0] <= self._now:
            self._restless = True
            _resolve(heapq.heappop(self._timers)[2])

    def _next_timer(self) -> Instant | None:
        while self._timers and self._timers[0][2].done():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _timer(self, instant: Instant) -> "asyncio.Future[None]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timed += 1
        heapq.heappush(self._timers, (instant, self._timed, done))
        return done

    # --- what is on its way

    async def depart(self) -> int:
        """The number of a request that leaves now. While the exchange moves on nothing can leave: what is set off from
        outside just then, such as by a signal, waits for the step and is counted in `late`."""
        while self._moving is not None:
            self.late += 1
            await self._moving.wait()
        self._sent += 1
        return self._sent

    def label(self, number: int) -> dict[str, str]:
        return {NUMBER: f"{self._life}-{number}"}

    async def released(self, number: int, real: "asyncio.Future[Any]", until: Instant | None = None) -> bool:
        """Waits for the step about a request, after which `real` is done; false when the moment `until` comes first."""
        released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited[number] = (real, released)
        if until is None:
            await released
            return True
        timer = self._timer(until)
        await asyncio.wait([released, timer], return_when=asyncio.FIRST_COMPLETED)
        if released.done():
            timer.cancel()
            return True
        del self._awaited[number]
        return False

    def spoke(self, stream: str) -> None:
        """A message leaves on a stream now."""
        self._messages[stream] += 1

    def opened(self, line: "_SteppedLine") -> None:
        self._lines[line.stream] = line


class SteppedRest:
    """Requests whose answers come when the exchange's clock says so."""

    def __init__(self, rest: Asking, steps: LockStep) -> None:
        self._rest = rest
        self._steps = steps

    async def ask(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """One request, answered whole within `deadline` seconds of the exchange's time."""
        number = await self._steps.depart()
        until = Instant(self._steps.now() + seconds(deadline))
        labelled = {**(headers or {}), **self._steps.label(number)}
        real = asyncio.ensure_future(
            self._rest.ask(method, url, deadline=_PATIENCE, headers=labelled, query=query, body=body)
        )
        if await self._steps.released(number, real, until):
            return real.result()
        real.cancel()
        return NoReply(f"{method} {url}: no reply within {deadline:g} s", sent=True)


class SteppedDialer:
    """Streams whose frames are heard when the exchange's clock says so."""

    def __init__(self, dialer: Dialer, steps: LockStep) -> None:
        self._dialer = dialer
        self._steps = steps

    async def dial(self, stream: str, url: str, ears: Ears, headers: Mapping[str, str] | None = None) -> Line:
        """Raises `CannotConnect`."""
        number = await self._steps.depart()
        line = _SteppedLine(stream, ears, self._steps)
        labelled = {**(headers or {}), **self._steps.label(number)}
        real = asyncio.ensure_future(self._dialer.dial(stream, url, line, labelled))
        await self._steps.released(number, real)
        line.connect(real.result())
        return line


class _SteppedLine:
    """One connection: both the line that is spoken into, and the ears that keep what comes until its step."""

    def __init__(self, stream: str, ears: Ears, steps: LockStep) -> None:
        self.stream = stream
        self._ears = ears
        self._steps = steps
        self._line: Line | None = None
        self._kept: deque[bytes] = deque()
        self._lost: str | None = None
        self._arrived = asyncio.Event()

    def connect(self, line: Line) -> None:
        self._line = line
        self._steps.opened(self)

    def send(self, text: bytes) -> None:
        assert self._line is not None
        self._steps.spoke(self.stream)
        self._line.send(text)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()

    def hear(self, frame: bytes) -> None:
        self._kept.append(frame)
        self._arrived.set()

    def lost(self, why: str) -> None:
        self._lost = why
        self._arrived.set()

    async def deliver(self, frames: int, *, closed: bool) -> None:
        """What one step is about. A connection that broke by itself is lost for good, with what was on its way."""
        while len(self._kept) < frames and self._lost is None:
            await self._next()
        for _ in range(min(frames, len(self._kept))):
            self._ears.hear(self._kept.popleft())
        while closed and self._lost is None:
            await self._next()
        if self._lost is not None:
            self._ears.lost(self._lost)

    async def _next(self) -> None:
        self._arrived.clear()
        await self._arrived.wait()


async def attach(session: aiohttp.ClientSession, control: str) -> LockStep:
    """Puts this trader under the exchange's clock. Raises `ExchangeGone`."""
    try:
        socket = await session.ws_connect(f"{control}{LOCK_STEP}", max_msg_size=0, heartbeat=None)
    except (ConnectionError, aiohttp.ClientError) as error:
        raise ExchangeGone(f"{control}{LOCK_STEP}: {error}") from None
    message = await socket.receive()
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise ExchangeGone(f"{control}{LOCK_STEP}: closed at once ({message.extra})")
    return LockStep(socket, msgspec.json.decode(message.data, type=Attached))


async def _settle() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
