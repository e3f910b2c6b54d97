"""Whether the exchange tells 500 frames a second of each of eight markets to four subscribers without falling behind.

The exchange is a process of its own, on one core as Python is. What it may take is the time until the last subscriber
has the last frame; what it takes is its CPU time. How far a subscriber was behind is counted in frames: those that were
due and not yet here. If queues grow it is more in the second half than in the first.
"""

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks import counterparts
from benchmarks.feed_exchange import MARKETS, RATE
from benchmarks.harness import Benchmark, Effort, NotMeasured, Ratio, Side, Work

SUBSCRIBERS = 4
CHANGES = RATE * MARKETS // 2
"""In a burst: half a second."""

_PATIENCE = 30.0


class Subscriber(WSListener):
    """Counts frames, and how many are missing as each comes. Mutable."""

    def __init__(self) -> None:
        self.expect(0)

    def expect(self, frames: int) -> None:
        self.frames = frames
        self.arrived: list[float] = []
        self.done = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.arrived.append(monotonic())
        if len(self.arrived) == self.frames:
            self.done.set_result(None)

    def behind(self, begun: float) -> tuple[int, int]:
        """The most frames that were due and not here, in each half."""
        behind = [int((at - begun) * RATE * MARKETS) + 1 - number for number, at in enumerate(self.arrived)]
        half = len(behind) // 2
        return max(behind[:half]), max(behind[half:])


class Feed:
    """Four subscribers of an exchange. Mutable: it keeps how late the last one was in the halves of each burst."""

    def __init__(
        self, exchange: "subprocess.Popen[str]", runner: asyncio.Runner, subscribers: list[Subscriber]
    ) -> None:
        self._exchange = exchange
        self._runner = runner
        self._subscribers = subscribers
        self._behind: list[tuple[int, int]] = []

    def burst(self, changes: int) -> tuple[float, float]:
        """Seconds until everybody had everything, and CPU seconds of the exchange."""
        return self._runner.run(self._burst(changes))

    async def _burst(self, changes: int) -> tuple[float, float]:
        for one in self._subscribers:
            one.expect(changes)
        begun = float(await asyncio.to_thread(self._ask, f"{changes}\n"))
        async with asyncio.timeout(_PATIENCE):
            await asyncio.gather(*(one.done for one in self._subscribers))
        cpu = float(await asyncio.to_thread(self._ask, ""))
        halves = [one.behind(begun) for one in self._subscribers]
        self._behind.append((max(first for first, _ in halves), max(second for _, second in halves)))
        return max(one.arrived[-1] for one in self._subscribers) - begun, cpu

    def note(self) -> str:
        first, second = (median(half) for half in zip(*self._behind, strict=True))
        return f"the last subscriber is {first:g} frames late in the first half of a burst, {second:g} in the second"

    def _ask(self, line: str) -> str:
        assert self._exchange.stdin is not None
        assert self._exchange.stdout is not None
        self._exchange.stdin.write(line)
        self._exchange.stdin.flush()
        return self._exchange.stdout.readline()


@contextmanager
def sides(folder: Path, effort: Effort) -> Iterator[Mapping[str, Side]]:
    changes = effort.of(CHANGES)
    with counterparts.child("benchmarks.feed_exchange") as (exchange, said), asyncio.Runner() as runner:
        if not said:
            raise NotMeasured("the exchange did not come up: run `python -m benchmarks.feed_exchange` to see why")
        subscribers = runner.run(_subscribed(json.loads(said)))
        feed = Feed(exchange, runner, subscribers)
        yield {
            "time": _side(feed, changes, 0, f"the time there is for {changes:,} frames to {SUBSCRIBERS} subscribers"),
            "exchange": _side(feed, changes, 1, "what the exchange takes of one core for them", feed.note),
        }
        runner.run(_leave(subscribers))


def _side(feed: Feed, changes: int, which: int, what: str, note: Callable[[], str] = str) -> Side:
    laps: list[float] = []

    @contextmanager
    def ready() -> Iterator[Work]:
        yield lambda: laps.append(feed.burst(changes)[which])

    return Side(what, 1, ready, laps, note)


async def _subscribed(place: dict[str, object]) -> list[Subscriber]:
    found = []
    for _ in range(SUBSCRIBERS):
        transport, listener = await ws_connect(Subscriber, str(place["market_ws"]))
        assert isinstance(listener, Subscriber)
        listener.expect(1)
        asked = {"assets_ids": place["tokens"], "type": "market"}
        transport.send(WSMsgType.TEXT, json.dumps(asked).encode())
        await listener.done  # its first books: from now on it is told everything
        found.append(listener)
    return found


async def _leave(subscribers: list[Subscriber]) -> None:
    for one in subscribers:
        one.transport.disconnect()
        await one.transport.wait_disconnected()


BENCHMARK = Benchmark(
    name="feed",
    unit="burst",
    about="""Half a second of the market stream as it is at its liveliest: 500 frames a second of each of 8 markets, one
changed level each, over loopback WebSockets to 4 subscribers of everything. The ratio is how many times over the
exchange could do it on one core: here more is better, and below 1 its queues would grow. The subscribers are in another
process, which counts.""",
    ratios=(
        Ratio("feed.time_vs_exchange", "time", "exchange", "how many times over one core can do it; more is better"),
    ),
    sides=sides,
)
