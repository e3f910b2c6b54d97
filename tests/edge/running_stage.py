"""A stage like `tests.edge.wire_stage`, but whose time runs by itself: exchange and trader on one event loop, and a
trader whose engine can be made to hang while everything else of it lives."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from polystra.app.connection import BY_DEFAULT, Habits, Place, connected
from polystra.app.exchange_accounts import OWN
from polystra.app.exchange_clock import TimeMode
from polystra.app.exchange_host import Hosted, host
from polystra.app.session import EXCHANGE_LOG, Trader
from polystra.app.settings import Settings
from polystra.app.standing_exchange import Blueprint, Standing, stand
from polystra.app.throwaway import throwaway_wallet
from polystra.app.wire_venue import WireVenue
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.strategy import Strategy
from polystra.core.units import Instant
from polystra.edge.tapes.format import TapeFile
from polystra.exchange.faults import Faults
from tests.edge.wire_stage import Floor, WireOutcomes

_A_MOMENT = 0.002


class Run:
    """One run while it goes on. The engine takes nothing from its inbox while `lives` is clear; `far` is the trader's
    side of the wire."""

    far: WireVenue

    def __init__(self, floor: Floor, place: Place) -> None:
        self.floor = floor
        self.place = place
        self.lives = asyncio.Event()
        self.lives.set()

    async def wait(self, alarm: Instant | None) -> bool:
        """How the inbox waits."""
        await asyncio.sleep(_A_MOMENT)
        await self.lives.wait()
        return True

    async def until(self, moment: Instant) -> None:
        await self.floor.standing.venue.until(moment)


Direct = Callable[[Run], Awaitable[None]]


async def nothing(run: Run) -> None:
    """As it comes."""


def put_up(
    folder: Path, settings: Settings, files: Sequence[TapeFile], *, mode: TimeMode, speed: float = 1.0
) -> Standing:
    """An exchange that nobody serves yet."""
    folder.mkdir(exist_ok=True)
    return stand(
        Blueprint(
            settings=settings,
            files=files,
            recordings="",
            seed=1,
            mode=mode,
            speed=speed,
            accounts=1,
            signature_types=OWN,
            log=folder / EXCHANGE_LOG,
        )
    )


def play_running(
    folder: Path,
    settings: Settings,
    files: Sequence[TapeFile],
    strategy: Strategy,
    *,
    mode: TimeMode,
    speed: float = 1.0,
    connects: Direct = nothing,
    direct: Direct,
    habits: Habits = BY_DEFAULT,
) -> WireOutcomes:
    """One life, as long as `direct` takes; `connects` is called when there is a connection and nobody trades yet."""
    standing = put_up(folder, settings, files, mode=mode, speed=speed)
    steps: list[tuple[AnyEvent, Step]] = []
    with ExitStack() as stack:
        stack.callback(standing.log.close)
        trader = stack.enter_context(Trader(folder, settings, seed=1, strategy=strategy))
        series = {file.market.series for file in files}

        async def trade(run: Run) -> None:
            async with connected(run.place, throwaway_wallet(1), seed=1, habits=habits) as far:
                run.far, far.waiting = far, run.wait
                await connects(run)
                stopped = asyncio.Event()
                trading = asyncio.create_task(
                    trader.trade(far, series, lambda event, step: steps.append((event, step)), stopped=stopped)
                )
                try:
                    await direct(run)
                finally:
                    run.lives.set()
                    stopped.set()
                    await trading

        asyncio.run(hosted(standing, mode, trade))
    return WireOutcomes(Floor(standing, Faults()), folder, steps)


async def hosted(standing: Standing, mode: TimeMode, act: Direct) -> None:
    """Serves an exchange for as long as `act` takes, then lets it write its last word."""
    announced: asyncio.Future[Hosted] = asyncio.get_running_loop().create_future()
    stopped = asyncio.Event()
    hosting = asyncio.create_task(host(standing, announced.set_result, stopped, port=0))
    try:
        told = await announced
        urls = told.urls
        place = Place(
            clob=urls.clob,
            market_ws=urls.market_ws,
            user_ws=urls.user_ws,
            gamma=urls.gamma,
            prices=urls.prices,
            control=urls.control,
            mode=mode,
            clock=told.clock,
        )
        await act(Run(Floor(standing, Faults()), place))
    finally:
        stopped.set()
        await hosting
