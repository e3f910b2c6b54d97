"""Hours of eight markets at the exchange, in virtual time: `python -m benchmarks.long_run [HOURS] [--scenario NAME]`.

Two WebSocket subscribers hear everything of every market that is open, and an account places and takes back orders by
chance. All is in one process: the exchange, the generation of its markets and its clients. Of each run a line is kept
in `LONG_RUN.md`; a further run of as many hours of the same scenario replaces it.
"""

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from time import perf_counter, process_time

from msgspec import Struct
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from polystra.app.playback import Playback
from polystra.app.run_plan import GENERATED_START
from polystra.app.scenarios import LIGHT, SCENARIOS, scenario_files
from polystra.app.settings import Settings
from polystra.app.world_rules import world_rules
from polystra.core.ids import TokenId, VenueOrderId
from polystra.core.markets import Series
from polystra.core.terms import Side
from polystra.core.units import MICRO, Instant, Usd, seconds
from polystra.edge.tapes.format import TapeFile
from polystra.exchange.listings import Listing
from polystra.exchange.members import Members
from polystra.exchange.pace import SteppedClock
from polystra.exchange.price_feeds import PriceBoard
from polystra.exchange.server import serve
from polystra.exchange.spot import SpotMarket
from polystra.exchange.venue import News, Venue
from polystra.sim import messages as sim
from polystra.sim.records import Account

ASSETS = ("BTC", "ETH", "SOL", "XRP")
LENGTHS = (300, 900)
SUBSCRIBERS = 2

_ACCOUNT = Account("0x" + "a1" * 20)
_HOUR = seconds(3_600)
_EVERY = 200
"""Steps of the recordings between two orders."""
_TURN = 100
"""Steps after which the streams have a turn."""
_PAGE = 4_096


class Reading(Struct, frozen=True, kw_only=True):
    """After `closed` windows and a collection. `blocks` is how many small objects Python has, those of the windows that
    are being played included; `resident` is in bytes, None where the system does not tell."""

    closed: int
    blocks: int
    resident: int | None


class Played(Struct, frozen=True, kw_only=True):
    """A run: `seconds` by the wall, `cpu` of the process."""

    windows: int
    steps: int
    orders: int
    trades: int
    frames: int
    seconds: float
    cpu: float
    readings: tuple[Reading, ...]


class _Ear(WSListener):
    """Counts what it hears. Mutable."""

    def __init__(self) -> None:
        self.frames = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.frames += 1

    def follow(self, listing: Listing, operation: str) -> None:
        tokens = [listing.facts.up_token, listing.facts.down_token]
        asked = {"assets_ids": tokens, "operation": operation, "custom_feature_enabled": True}
        self.transport.send(WSMsgType.TEXT, json.dumps(asked).encode())


def eight_markets(hours: float, scenario: str) -> list[TapeFile]:
    """Four assets in windows of 5 and of 15 minutes, one after the other for so long. Of a scenario that is not light,
    whose windows have a hundred thousand rows, only those of 5 minutes."""
    lengths = LENGTHS if scenario in LIGHT else LENGTHS[:1]
    return [
        file
        for number, asset in enumerate(ASSETS)
        for length in lengths
        for file in scenario_files(
            scenario,
            seed=number + 1,
            windows=max(1, round(hours * 3_600 / length)),
            start=GENERATED_START,
            series=Series(asset, seconds(length)),
        )
    ]


async def play(
    files: Sequence[TapeFile], *, every: int = _HOUR, tell: Callable[[Reading], None] = lambda _: None
) -> Played:
    """All of them; a reading at the beginning, each time so much of the exchange's time has passed, and at the end."""
    clock, rules = SteppedClock(Instant(0)), world_rules(Settings(), 1)
    venue = Venue(rules=rules.exchange, rng=Random(1), clock=clock, members=Members("1"))
    prices = PriceBoard()
    playback = Playback(venue, files, rules, prices=prices)
    windows = len(files)
    del files  # what the generator remembers goes with the last window
    client = _Client(venue)
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(serve(venue, stepped=clock, prices=prices, spot=SpotMarket(prices)))
        ears = [await _listening(stack, urls.market_ws) for _ in range(SUBSCRIBERS)]
        venue.listeners.append(lambda news: _follow(ears, venue, news))
        readings: list[Reading] = []

        def read() -> None:
            readings.append(_reading(venue))
            tell(readings[-1])

        begun, cpu, steps, looked = perf_counter(), process_time(), 0, None
        read()
        while (due := playback.next_due()) is not None:
            clock.move_to(due)
            playback.step()
            steps += 1
            if steps % _EVERY == 0:
                client.act()
            if steps % _TURN == 0:
                await asyncio.sleep(0)
            looked = looked or due
            if due - looked >= every:
                looked = due
                read()
        await asyncio.sleep(0.1)
        read()
        return Played(
            windows=windows,
            steps=steps,
            orders=client.orders,
            trades=len(venue.current().trades(_ACCOUNT)),
            frames=sum(ear.frames for ear in ears),
            seconds=perf_counter() - begun,
            cpu=process_time() - cpu,
            readings=tuple(readings),
        )


async def _listening(stack: AsyncExitStack, url: str) -> _Ear:
    transport, ear = await ws_connect(_Ear, url)
    assert isinstance(ear, _Ear)

    async def leave() -> None:
        transport.disconnect()
        await transport.wait_disconnected()

    stack.push_async_callback(leave)
    return ear


def _follow(ears: Sequence[_Ear], venue: Venue, news: Sequence[News]) -> None:
    """Whatever opens until it is resolved."""
    for one in news:
        for ear in ears:
            if isinstance(one, Listing):
                ear.follow(one, "subscribe")
            elif isinstance(one, sim.PublicResolution):
                ear.follow(venue.listings[one.market], "unsubscribe")


class _Client:
    """Places by chance, and now and then takes everything back. Mutable."""

    def __init__(self, venue: Venue) -> None:
        self.orders = 0
        self._venue = venue
        self._rng = Random(1)
        venue.ask(sim.Deposit(account=_ACCOUNT, amount=Usd(10**15)))

    def act(self) -> None:
        venue, rng = self._venue, self._rng
        open_markets = [one for one in venue.listings.values() if one.facts.id not in venue.closed_at]
        if rng.random() < 0.1:
            venue.ask(sim.CancelAll(account=_ACCOUNT))
        elif open_markets:
            self.orders += 1
            venue.ask(self._order(rng.choice(open_markets).facts.up_token))

    def _order(self, token: TokenId) -> sim.Submit:
        """5 to 50 shares at any whole cent: some take, most rest."""
        cents, size = self._rng.randrange(1, 100), self._rng.randrange(5, 51)
        return sim.Submit(
            account=_ACCOUNT,
            order=VenueOrderId(f"0x{self.orders:064x}"),
            token=token,
            side=Side.BUY,
            maker_amount=cents * size * 10_000,
            taker_amount=size * MICRO,
        )


def _reading(venue: Venue) -> Reading:
    gc.collect()
    statm = Path("/proc/self/statm")
    resident = int(statm.read_text().split()[1]) * _PAGE if statm.exists() else None
    return Reading(closed=len(venue.payouts), blocks=sys.getallocatedblocks(), resident=resident)


# --- as a command


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.long_run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("hours", nargs="?", type=float, default=1.0, help="of the exchange's time; 1 without it")
    parser.add_argument("--scenario", choices=SCENARIOS, default="calm")
    parser.add_argument("--out", type=Path, metavar="FOLDER", default=Path(__file__).parent, help="where the line goes")
    options = parser.parse_args(arguments)
    played = asyncio.run(play(eight_markets(options.hours, options.scenario), tell=_tell))
    line = row(options.hours, options.scenario, played)
    print(line)
    keep(options.out / "LONG_RUN.md", line)


def row(hours: float, scenario: str, played: Played) -> str:
    first, last = played.readings[0], played.readings[-1]
    cells = (
        f"{hours:g} h, {scenario}",
        f"{played.windows:,}",
        f"{played.steps:,}",
        f"{played.orders:,}",
        f"{played.trades:,}",
        f"{played.seconds:,.0f}",
        f"{played.orders / played.seconds:,.1f}",
        f"{played.frames / played.seconds:,.0f}",
        f"{_megabytes(first)} to {_megabytes(last)}",
        f"{first.blocks:,} to {last.blocks:,}",
    )
    return f"| {' | '.join(cells)} |"


def keep(page: Path, line: str) -> None:
    """In place of the line of the same run, or as the last one."""
    text = page.read_text(encoding="utf-8") if page.exists() else _HEAD
    name = line.split("|")[1]
    lines = [one for one in text.splitlines() if not one.startswith(f"|{name}|")]
    page.write_text("\n".join([*lines, line]) + "\n", encoding="utf-8")


def _tell(reading: Reading) -> None:
    print(f"{reading.closed:,} windows closed: {_megabytes(reading)} MB, {reading.blocks:,} objects", flush=True)


def _megabytes(reading: Reading) -> str:
    return "?" if reading.resident is None else f"{reading.resident / 1e6:.0f}"


_HEAD = """# Long runs

Eight markets (BTC, ETH, SOL and XRP, of 5 and of 15 minutes) at the exchange in virtual time, two subscribers of
everything over loopback WebSockets, orders by chance; of `busy` only the four markets of 5 minutes. All of it is one
process, and the time of generating the markets and of the subscribers is in it. Each line is written by
`python -m benchmarks.long_run HOURS --scenario NAME`; seconds are those of one run on one machine, busy or not. Memory
is before the first window opens and after the last one has closed; at the beginning the windows to come are loaded, at
the end none is.

| run | windows | rows | orders | trades | seconds | orders a second | frames a second | resident, MB | objects |
|---|---:|---:|---:|---:|---:|---:|---:|---|---|
"""


if __name__ == "__main__":
    main()
