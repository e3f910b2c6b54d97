"""One stream that is connected again whenever it is lost.

The engine hears of a loss once, and of the return once the first message, which says who we are or what we want, has
left. The venue replays nothing: what was missed is read again, the books by the dump that follows a subscription, our
orders by a reading of the account.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from polystra.core.events import AnyEvent, Stream, StreamLost, StreamRestored
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.clock import Time
from polystra.edge.polymarket.dialing import CannotConnect, Dialer, Line

FIRST_PAUSE = seconds(0.5)
LONGEST_PAUSE = seconds(30)
"""Between two connections: each pause is twice the one before, until a connection has lasted as long as this."""


class Speaker(Protocol):
    """What a stream is for."""

    def greeting(self) -> bytes:
        """The first message of a new connection."""
        ...

    def hear(self, frame: bytes) -> None: ...


class KeptStream:
    """Mutable."""

    def __init__(
        self, dialer: Dialer, url: str, *, stream: Stream, time: Time, put: Callable[[AnyEvent], None], speaker: Speaker
    ) -> None:
        self._dialer = dialer
        self._url = url
        self._stream = stream
        self._time = time
        self._put = put
        self._speaker = speaker
        self._line: Line | None = None
        self._ears: _Ears | None = None
        self._connected = asyncio.Event()
        self._missed = False
        self.trouble = ""

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    async def wait_connected(self) -> None:
        await self._connected.wait()

    def send(self, text: bytes) -> None:
        """Nothing when there is no connection: the next greeting says it all."""
        if self._line is not None:
            self._line.send(text)

    async def open_spare(self, hear: Callable[[bytes], None]) -> "Spare | None":
        """A second connection beside the one in use, which says nothing yet; None when there is none to be had."""
        spare = Spare(hear)
        try:
            spare.line = await self._dialer.dial(self._stream, self._url, spare.ears)
        except CannotConnect:
            return None
        return spare

    def change_to(self, spare: "Spare") -> None:
        """Closes the connection in use; the spare one is in its place, with all that it was told."""
        assert spare.line is not None
        assert self._ears is not None
        before, line = self._ears, self._line
        self._ears, self._line = spare.ears, spare.line
        spare.ears.turn_to(self._speaker.hear, self._lost)
        before.deaf.set()
        if line is not None:
            line.close()

    async def run(self) -> None:
        """Until cancelled."""
        pause = FIRST_PAUSE
        try:
            while True:
                if await self._connect_once() >= LONGEST_PAUSE:
                    pause = FIRST_PAUSE
                await self._time.until(Instant(self._time.now() + pause))
                pause = min(Nanos(2 * pause), LONGEST_PAUSE)
        finally:
            self._hang_up()

    async def _connect_once(self) -> Nanos:
        """How long the connection lasted."""
        ears = self._ears = _Ears(self._speaker.hear, self._lost)
        try:
            line = await self._dialer.dial(self._stream, self._url, ears)
        except CannotConnect as error:
            self._lost(str(error))
            return Nanos(0)
        since = self._time.now()
        if not ears.deaf.is_set():
            self._line = line
            self._begin(line)
            while not self._ears.deaf.is_set():
                await self._ears.deaf.wait()
        return Nanos(self._time.now() - since)

    def _begin(self, line: Line) -> None:
        line.send(self._speaker.greeting())
        self.trouble = ""
        if self._missed:
            self._missed = False
            self._put(StreamRestored(at=self._time.now(), stream=self._stream))
        self._connected.set()

    def _lost(self, why: str) -> None:
        self._line = None
        self._connected.clear()
        self.trouble = why
        if not self._missed:
            self._missed = True
            self._put(StreamLost(at=self._time.now(), stream=self._stream))

    def _hang_up(self) -> None:
        if self._ears is not None:
            self._ears.deaf.set()
        if self._line is not None:
            self._line.close()
            self._line = None
        self._connected.clear()


class Spare:
    """A connection that may take the place of another. Mutable; `lost` is set once it is over."""

    def __init__(self, hear: Callable[[bytes], None]) -> None:
        self.ears = _Ears(hear, self._end)
        self.line: Line | None = None
        self.lost = asyncio.Event()

    def close(self) -> None:
        self.ears.deaf.set()
        if self.line is not None:
            self.line.close()

    def _end(self, why: str) -> None:
        self.lost.set()


class _Ears:
    """Listens to one connection, until it is over or nobody wants to hear of it any more."""

    def __init__(self, hear: Callable[[bytes], None], lost: Callable[[str], None]) -> None:
        self._hear = hear
        self._lost = lost
        self.deaf = asyncio.Event()

    def turn_to(self, hear: Callable[[bytes], None], lost: Callable[[str], None]) -> None:
        """Tell somebody else from now on."""
        self._hear, self._lost = hear, lost

    def hear(self, frame: bytes) -> None:
        if not self.deaf.is_set():
            self._hear(frame)

    def lost(self, why: str) -> None:
        if not self.deaf.is_set():
            self.deaf.set()
            self._lost(why)
