"""A stage like `tests.truth.Stage`, but over the wire: exchange and trader in lock step on loopback, with faults.

Both live on one event loop, so that a test can look at the exchange and turn faults on and off between two steps.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import cast

import pytest

from polystra.app.connection import BY_DEFAULT, Habits, Place, connected
from polystra.app.exchange_accounts import OWN
from polystra.app.exchange_clock import TimeMode
from polystra.app.session import EXCHANGE_LOG, Trader
from polystra.app.standing_exchange import Blueprint, Standing, stand
from polystra.app.throwaway import throwaway_wallet
from polystra.app.world import World
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.strategy import Strategy
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.polymarket.wallet import Wallet
from polystra.edge.tapes.format import TapeFile
from polystra.exchange.faults import Fault, Faults, Switch
from polystra.exchange.lock_step import LockStep
from polystra.exchange.pace import SteppedClock
from polystra.exchange.server import Endpoints, serve
from polystra.sim.latency import Latency
from polystra.sim.records import Account, Truth
from tests.truth import Outcomes, Stage


class Floor:
    """The exchange of one run, as a test meddles with it. `urls` are there while it is served."""

    urls: Endpoints

    def __init__(self, standing: Standing, faults: Faults) -> None:
        self.standing = standing
        self.faults = faults

    @property
    def now(self) -> Instant:
        return self.standing.venue.now()

    def truth(self) -> Truth:
        return self.standing.venue.current().truth()

    def fail(self, fault: Fault, where: str, *, times: int | None = 1, delay: float = 0) -> None:
        self.faults.switch_on(Switch(fault=fault, where=where, times=times, delay=Nanos(seconds(delay))))

    def hits(self, fault: Fault) -> int:
        return self.faults.hits[fault]


Meddle = Callable[[Floor, AnyEvent, Step], None]
Look = Callable[[Floor], None]


class Watched:
    """What plays at the exchange, and a look at it before each thing that does."""

    def __init__(self, floor: Floor, look: Look) -> None:
        self._floor = floor
        self._look = look

    @property
    def over(self) -> bool:
        return self._floor.standing.playback.over

    def next_due(self) -> Instant | None:
        return self._floor.standing.playback.next_due()

    def step(self) -> None:
        self._look(self._floor)
        self._floor.standing.playback.step()


Afterwards = Callable[[Place], Awaitable[None]]


class Killed(Exception):
    """The trading process is gone."""


async def nothing(place: Place) -> None:
    """Nobody asks."""


class WireOutcomes(Outcomes):
    """The same judgement, of the exchange behind the wire."""

    def __init__(self, floor: Floor, folder: Path, steps: list[tuple[AnyEvent, Step]]) -> None:
        super().__init__(cast(World, floor), folder, steps)
        self.floor = floor

    def taken(self) -> list[str]:
        """Every order that the exchange ever accepted, by its own log."""
        lines = map(json.loads, (self.folder / EXCHANGE_LOG).read_text(encoding="utf-8").splitlines())
        return [line["did"]["order"] for line in lines if line.get("did", {}).get("type") == "OrderAccepted"]


class WireStage(Stage):
    """Plays recordings against a trader over the wire, who does by the clock what `habits` says. Another wallet than
    the first throwaway account's own must be opened, and given money, `before`."""

    habits: Habits = BY_DEFAULT
    wallet: Wallet = throwaway_wallet(1)

    def play_on_wire(
        self,
        files: Sequence[TapeFile],
        strategy: Strategy,
        *,
        before: Look = lambda floor: None,
        meddle: Meddle = lambda floor, event, step: None,
        look: Look = lambda floor: None,
        lives: int = 1,
        afterwards: Afterwards = nothing,
    ) -> WireOutcomes:
        """`before` is called when nothing has happened yet, `meddle` after every step of the engine that changed
        something, `look` before every recorded row. When `meddle` raises `Killed` the next life begins. At `afterwards`
        the exchange is still there, and the trader is not."""
        standing = stand(
            Blueprint(
                settings=self.settings,
                files=files,
                recordings="",
                seed=1,
                mode=TimeMode.LOCK_STEP,
                speed=1.0,
                accounts=1,
                signature_types=OWN,
                log=self.folder / EXCHANGE_LOG,
            )
        )
        floor = Floor(standing, Faults())
        before(floor)
        steps: list[tuple[AnyEvent, Step]] = []

        def tell(event: AnyEvent, step: Step) -> None:
            steps.append((event, step))
            meddle(floor, event, step)

        with ExitStack() as stack:
            stack.callback(standing.log.close)

            async def trade(place: Place) -> None:
                for _ in range(lives):
                    async with connected(place, self.wallet, seed=1, habits=self.habits) as far:
                        with Trader(self.folder, self.settings, seed=1, strategy=strategy) as trader, suppress(Killed):
                            await trader.trade(far, {file.market.series for file in files}, tell)
                await afterwards(place)

            asyncio.run(_serve(floor, trade, Watched(floor, look)))
        standing.end()
        outcomes = WireOutcomes(floor, self.folder, steps)
        outcomes.trader = Account(self.wallet.maker)
        return outcomes


async def _serve(floor: Floor, trade: Callable[[Place], Awaitable[None]], world: Watched) -> None:
    venue, clock, rules = floor.standing.venue, floor.standing.clock, floor.standing.rules
    assert isinstance(clock, SteppedClock)
    latency = Latency(rules.delays, rules.seed)
    steps = LockStep(venue, clock, latency=latency, world=world)
    async with serve(venue, faults=floor.faults, prices=floor.standing.prices, lock_step=steps) as urls:
        floor.urls = urls
        place = Place(
            clob=urls.clob,
            market_ws=urls.market_ws,
            user_ws=urls.user_ws,
            gamma=urls.gamma,
            prices=urls.prices,
            control=urls.control,
            mode=TimeMode.LOCK_STEP,
        )
        await trade(place)


@pytest.fixture
def exchange_truth(tmp_path: Path) -> WireStage:
    """A stage over the wire in an empty folder, whose outcomes are judged by what the exchange really has."""
    return WireStage(tmp_path)
