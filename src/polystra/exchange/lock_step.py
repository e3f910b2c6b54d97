"""The exchange's side of lock step (`steps`): time that waits for one trader.

Nothing moves until the trader has reported, all that it sent is here, and every request of its that has arrived is
either done or waits for the venue's time. Then one thing happens, the earliest; at one moment in this order:

    the trader's alarm  >  what the venue does by itself  >  what is on its way, by `transit.Rank`  >  the recording

What the trader sees of it is told as a `Step`, and everything waits for the next report; what it does not see is
followed by the next thing at once. When something arrives is a function of the moment it left, so nothing here depends
on how quick the machine is. Other clients are served at once, at the moment that is.
"""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.typedefs import Handler, Middleware

from polystra.core.errors import PolystraError
from polystra.core.units import Instant, seconds
from polystra.exchange.connections import WAY, Connection, Hear
from polystra.exchange.faults import Faults
from polystra.exchange.lives import InvalidNumber, Life, Numbered, Said, read_number
from polystra.exchange.pace import NoWorld, SteppedClock, World
from polystra.exchange.replies import Refused, Routes, break_connection, reply
from polystra.exchange.steps import LOCK_STEP, NUMBER, Attached, Report, Step
from polystra.exchange.transit import Answer, Closing, Frame, Latency, Transit
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE, encode

GRACE = seconds(300)
"""How long the trader may go on once the world has come to rest: enough for every doubt to end."""

_AT_A_TIME = 64
"""Things that may happen before the event loop gets a turn."""

_LONGEST_REASON = 120
"""Bytes that fit into the end of a WebSocket."""

_TEXTS = (WSMsgType.TEXT, WSMsgType.BINARY)


_arrived: ContextVar[Numbered | None] = ContextVar("_arrived", default=None)
"""The request that the running task belongs to."""


class LockStep:
    """Mutable; lives on the venue's event loop. `clock` must be the venue's, and nobody else may move it. A world that
    breaks is told to `on_broken`, and time stands still for good."""

    def __init__(self, venue: Venue, clock: SteppedClock, *, latency: Latency, world: World | None = None) -> None:
        self._venue = venue
        self._clock = clock
        self._transit = Transit(clock, latency)
        self._world = world or NoWorld()
        self._stirred_at = clock.now()
        self._lives: list[Life] = []
        self._trader: Life | None = None
        self._report: Report | None = None
        self._begun: dict[Numbered, None] = {}
        self._waiting: set[Numbered] = set()
        self._stopped = False
        self.on_broken: Callable[[PolystraError], None] = lambda _: None
        venue.on_wait = self._begins_to_wait

    def routes(self) -> Routes:
        return [web.get(LOCK_STEP, self.attach)]

    def next_due(self) -> Instant | None:
        """When something happens at the latest, the trader's own alarm aside."""
        dues = (self._venue.next_due(), self._transit.next_due(), self._world.next_due())
        return min((due for due in dues if due is not None), default=None)

    def waits_for(self) -> str:
        """What keeps time from moving; empty if nothing does."""
        if self._trader is None:
            return "a trader to attach"
        if self._report is None:
            return "the trader's report"
        if missing := self._trader.missing(self._report):
            return missing
        busy = next((request for request in self._begun if not request.waits), None)
        return f"request {busy.number}, {busy.what}, to be done" if busy else ""

    def stop(self) -> None:
        """Nothing moves any more, and nobody is kept waiting."""
        self._stopped = True
        if self._trader is not None:
            self._dismiss(self._trader, "the exchange ends")
        for request in self._waiting:
            request.arrived.cancel()
            request.answered.cancel()

    # --- the trader

    async def attach(self, request: web.Request) -> web.WebSocketResponse:
        if self._trader is not None:
            raise Refused(409, f"life {self._trader.number} of the trader is attached: lock step is with one at a time")
        control = Connection("lock-step", request, Faults())
        self._trader = life = Life(len(self._lives) + 1, control)
        for earlier in self._lives:
            self._hand_on(earlier)
        self._lives.append(life)
        control.send(encode(Attached(life=life.number, now=self._clock.now())))
        try:
            return await control.serve(lambda text: self._hear(life, text), kinds=_TEXTS)
        finally:
            self._end(life)

    def _hear(self, life: Life, text: str | bytes) -> None:
        if life is not self._trader:
            return
        try:
            report = msgspec.json.decode(text, type=Report)
        except UNREADABLE as error:
            self._dismiss(life, f"report: {error}")
            return
        if self._report is not None:
            self._dismiss(life, "report: a second report, and no step between them")
            return
        self._report = report
        self._check(life)
        self._go()

    def _check(self, life: Life) -> None:
        """Ends a life whose report cannot be true."""
        if life is self._trader and self._report is not None and (flaw := life.flaw(self._report)):
            self._dismiss(life, f"report: {flaw}")

    def _dismiss(self, life: Life, why: str) -> None:
        life.control.shut(WSCloseCode.POLICY_VIOLATION, why.encode()[:_LONGEST_REASON].decode(errors="ignore"))
        self._end(life)

    def _end(self, life: Life) -> None:
        """Time stands still. What was on its way to this trader is lost, what was on its way from it arrives."""
        if life is not self._trader:
            return
        self._trader = self._report = None
        for stream in life.streams.values():
            stream.shut()
        for lost in self._transit.lose():
            if isinstance(lost, Answer):
                _resolve(lost.request.answered)

    def _tell(self, step: Step) -> None:
        assert self._trader is not None
        self._report = None
        self._trader.control.send(encode(step))

    # --- requests

    def middleware(self, *, spared: str) -> Middleware:
        """Lets numbered requests arrive, and their answers leave, in the venue's time; but for paths under `spared`."""

        @web.middleware
        async def numbered(request: web.Request, handler: Handler) -> web.StreamResponse:
            label = request.headers.get(NUMBER)
            if label is None or request.path.startswith(f"{spared}/"):
                return await handler(request)
            try:
                life, number = self._sender(label)
            except Refused as refused:
                return reply(refused.body, refused.http)
            return await self._serve(request, handler, life, number)

        return numbered

    def _sender(self, label: str) -> tuple[Life, int]:
        try:
            life, number = read_number(label)
        except InvalidNumber as error:
            raise Refused(400, f"{NUMBER} {error}") from None
        if life > len(self._lives):
            raise Refused(409, f"{NUMBER} {label}: the last life is {len(self._lives)}, attach first")
        return self._lives[life - 1], number

    async def _serve(self, request: web.Request, handler: Handler, life: Life, number: int) -> web.StreamResponse:
        """A number that was seen before is a repetition by the transport, of which the trader knows nothing."""
        await request.read()
        numbered = Numbered(life, number, f"{request.method} {request.path}")
        request[WAY] = _Way(self, numbered, request.path)
        if life.knows(number):
            numbered.told = True
            return await handler(request)
        self._receive(numbered, request.path)
        self._waiting.add(numbered)
        try:
            await numbered.arrived
            _arrived.set(numbered)
            try:
                response = await handler(request)
            finally:
                await self._answer(numbered)
                if not numbered.told:
                    break_connection(request)
        finally:
            self._waiting.discard(numbered)
        return response

    def _receive(self, request: Numbered, path: str) -> None:
        """A stream that is dialled anew ends the one before, which the trader has left."""
        life = request.life
        life.add_request(request)
        if (left := life.streams.pop(path, None)) is not None:
            left.shut()
        self._check(life)
        if life is not self._trader and self._trader is not None:
            self._hand_on(life)
        self._go()

    async def _answer(self, request: Numbered) -> None:
        """Until the answer has arrived, or nobody is there to whom it could."""
        if request.told or self._stopped:
            return
        self._begun.pop(request, None)
        if request.life is self._trader:
            self._transit.answer(request)
            self._go_soon()
            await request.answered
        else:
            self._go_soon()

    def _begins_to_wait(self, future: asyncio.Future[Any]) -> None:
        """A request of the trader's waits for the venue; once that is over, its task has a turn before time moves."""
        request = _arrived.get()
        if request is None:
            return
        request.wait_for(future)
        future.add_done_callback(lambda _: asyncio.get_running_loop().call_soon(self._goes_on, request, future))
        self._go_soon()

    def _goes_on(self, request: Numbered, future: asyncio.Future[Any]) -> None:
        request.stop_waiting(future)
        self._go()

    # --- streams: called by `_Way`

    def opened(self, request: Numbered, path: str, connection: Connection) -> None:
        """The handshake is answered at once, for there is nothing in it."""
        request.life.streams[path] = connection
        if request.life is not self._trader:
            connection.shut()
        elif not request.told:
            self._tell(Step(now=self._clock.now(), answer=request.number))
        request.told = True
        self._begun.pop(request, None)

    def heard(self, life: Life, said: Said) -> None:
        life.add_text(said)
        self._check(life)
        self._go()

    def told(self, connection: Connection, frame: bytes) -> None:
        self._transit.news(Frame(connection, frame))

    def closing(self, connection: Connection, code: int) -> None:
        if self._stopped or self._trader is None:
            connection.shut(code)
        else:
            self._transit.news(Closing(connection, code))

    # --- time

    def _go_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._go)

    def _go(self) -> None:
        """Lets things happen until the trader sees one, or somebody has to be waited for; other clients get a turn now
        and then."""
        for _ in range(_AT_A_TIME):
            if self._stopped or self.waits_for():
                return
            assert self._trader is not None
            self._hand_on(self._trader)
            self._next()
        self._go_soon()

    def _hand_on(self, life: Life) -> None:
        """What a trader sent since the last step leaves now, for time has stood still."""
        texts, requests = life.take()
        for said in texts:
            self._transit.text(said)
        for request in requests:
            self._transit.request(request)

    def _next(self) -> None:
        assert self._report is not None
        due, alarm = self.next_due(), self._report.alarm
        if due is not None and (alarm is None or due < alarm):
            self._move_to(due)
            self._happen()
        elif alarm is None or self._rests(alarm):
            self._tell(Step(now=self._clock.now(), over=True))
        else:
            self._move_to(alarm)
            self._tell(Step(now=self._clock.now()))

    def _rests(self, alarm: Instant) -> bool:
        """Whether no more news of the market will come, and the trader has had its time to notice. What the venue does
        by itself does not count: it looks after a heart as long as that beats."""
        return self._world.over and alarm > self._stirred_at + GRACE

    def _move_to(self, instant: Instant) -> None:
        self._clock.move_to(max(instant, self._clock.now()))

    def _happen(self) -> None:
        now, own = self._clock.now(), self._venue.next_due()
        if own is not None and own <= now:
            self._venue.advance()
        elif (due := self._transit.next_due()) is not None and due <= now:
            self._arrive()
        else:
            self._stirred_at = now
            self._play()

    def _play(self) -> None:
        """A recording that turns out to be broken ends everything."""
        try:
            self._world.step()
        except PolystraError as error:
            assert self._trader is not None
            self._dismiss(self._trader, str(error))
            self.stop()
            self.on_broken(error)

    def _arrive(self) -> None:
        now = self._clock.now()
        match self._transit.pop():
            case Said(connection=connection, text=text, hear=hear):
                if not connection.gone:
                    hear(text)
            case Numbered() as request:
                self._begun[request] = None
                _resolve(request.arrived)
            case Answer(request=request):
                request.told = True
                _resolve(request.answered)
                self._tell(Step(now=now, answer=request.number))
            case Frame(connection=connection, frame=first):
                frames = [first, *self._transit.pop_frames(connection)]
                if not connection.gone:
                    for frame in frames:
                        connection.send(frame)
                    self._tell(Step(now=now, stream=connection.name, frames=len(frames)))
            case Closing(connection=connection, code=code):
                if not connection.gone:
                    connection.shut(code)
                    self._tell(Step(now=now, stream=connection.name, closed=True))


class _Way:
    """How what is said on a stream of the trader's gets there."""

    def __init__(self, steps: LockStep, request: Numbered, path: str) -> None:
        self._steps = steps
        self._request = request
        self._path = path

    def opened(self, connection: Connection) -> None:
        self._steps.opened(self._request, self._path, connection)

    def heard(self, connection: Connection, text: str, hear: Hear) -> None:
        self._steps.heard(self._request.life, Said(connection, text, hear))

    def told(self, connection: Connection, frame: bytes) -> None:
        self._steps.told(connection, frame)

    def closing(self, connection: Connection, code: int) -> None:
        self._steps.closing(connection, code)


def _resolve(future: asyncio.Future[None]) -> None:
    """Whoever waited may have been cancelled meanwhile."""
    if not future.done():
        future.set_result(None)
