"""What a person allows a run to do: the whole trader in a process of its own, over the wire, killed in each state."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from polystra.app.exchange_clock import TimeMode
from polystra.app.session import EXCHANGE_LOG, LEDGER
from polystra.core.events import LedgerLoaded, TradingState, TradingStateSet
from polystra.core.terms import Side
from polystra.edge.clock import stopwatch
from polystra.edge.store.journal import Seen, read_journal
from polystra.sim import messages as sim
from tests.edge.cli_cases import Ran, environment, polystra
from tests.edge.demo_cases import PATIENCE, kill
from tests.edge.execution_cases import CALM, MARKET
from tests.edge.holding_trader import SETTINGS
from tests.edge.running_stage import Run, hosted, put_up
from tests.truth import steady, tape_file

BUY, SELL = Side.BUY, Side.SELL
A_WHILE = 1.2
"""Seconds in which a trader looks twice for what a person says."""


class Scene:
    """A run that goes on: its folder, the exchange's truth, and the trader's process."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self.account = sim.Account(run.floor.standing.accounts[0].wallet)
        self._place = folder.parent / "place.json"
        self._place.write_bytes(msgspec.json.encode(run.place))

    @contextmanager
    def life(self) -> Iterator["subprocess.Popen[bytes]"]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.edge.holding_trader", str(self.folder), str(self._place)],
            env=environment(),
            cwd=Path(__file__).parents[2],
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    async def tells(self, *command: str) -> Ran:
        ran = await asyncio.to_thread(polystra, *command, "--out", self.folder)
        assert ran.code == 0, ran.out + ran.err
        return ran

    @property
    def live(self) -> list[Side]:
        return sorted(order.side for order in self.run.floor.truth().orders if order.account == self.account)

    @property
    def taken(self) -> list[str]:
        """The side of every order that the exchange was ever asked to take, from its own log."""
        log = (self.folder.parent / "exchange" / EXCHANGE_LOG).read_bytes().splitlines()
        asked = [msgspec.json.decode(line).get("asked", {}) for line in log]
        return [one["side"] for one in asked if one.get("type") == "Submit" and one["account"] == self.account]

    async def until(self, true: Callable[[], bool], what: str) -> None:
        give_up = stopwatch() + PATIENCE
        while not true():
            assert stopwatch() < give_up, f"never: {what}; live {self.live}, states {self.states}"
            await asyncio.sleep(0.02)

    async def has(self, *live: Side) -> None:
        await self.until(lambda: self.live == sorted(live), f"{live} are live")

    def take_back_the_exit(self) -> None:
        """Somebody else does, behind the trader's back."""
        for order in self.run.floor.truth().orders:
            if order.account == self.account and order.side is SELL:
                self.run.floor.standing.venue.feed(sim.Cancel(account=self.account, orders=(order.id,)))

    @property
    def states(self) -> list[tuple[str, str, str, str]]:
        """Each transition that the ledger has."""
        with closing(sqlite3.connect(f"file:{self.folder / LEDGER}?mode=ro", uri=True)) as ledger:
            return ledger.execute("SELECT before, after, who, why FROM states ORDER BY id").fetchall()

    def journal(self, life: int) -> Path:
        return self.folder / f"journal-{life:04}.plj"

    def came_up(self, life: int) -> TradingState | None:
        """The state in which the engine of a life began, once it has."""
        return next((event.state for event in self.events(life) if isinstance(event, LedgerLoaded)), None)

    def events(self, life: int) -> list[object]:
        if not self.journal(life).exists():
            return []
        with read_journal(self.journal(life)) as reading:
            return [record.event for record in reading if isinstance(record, Seen)]


async def says_and_restarts(scene: Scene, command: str, state: TradingState, life: int, *exits: Side) -> None:
    """A person says it while a trader is at work; nothing that the state forbids leaves, in this life and in the next
    one, which comes after a kill."""
    with scene.life() as process:
        await scene.until(lambda: scene.came_up(life) is not None, "the trader is up")
        if life == 1:
            await scene.has(BUY, SELL)
        assert "within a second" in (await scene.tells(command, "--who", "ann", "--why", f"{command}!")).out
        began = stopwatch()
        await scene.has(*exits)
        assert stopwatch() - began < 5 * A_WHILE, "far sooner, but for a machine that is busy"
        before = scene.taken
        await forbids(scene, before, *exits)
        kill(process.pid)
    told = scene.states
    assert told[-1][1:] == (state.value, f"ann, polystra {command}", f"{command}!")
    with scene.life() as process:
        await scene.until(lambda: scene.came_up(life + 1) is state, f"it comes up {state}")
        await asyncio.sleep(A_WHILE)
        await forbids(scene, before, *exits)
        assert scene.states == told, "the same state is no transition"
        kill(process.pid)


async def forbids(scene: Scene, before: list[str], *exits: Side) -> None:
    """No BUY since then, and an exit that vanishes is placed again where exits may be."""
    count = len(scene.taken)
    scene.take_back_the_exit()
    if exits:
        await scene.until(lambda: len(scene.taken) > count, "an exit is placed again")
    await asyncio.sleep(A_WHILE)
    assert set(scene.taken[len(before) :]) <= set(exits)
    assert scene.live == sorted(exits)


async def every_state(scene: Scene) -> None:
    await says_and_restarts(scene, "pause", TradingState.PAUSED, 1, SELL)
    await says_and_restarts(scene, "reduce-only", TradingState.REDUCE_ONLY, 3, SELL)
    await says_and_restarts(scene, "stop", TradingState.STOPPED, 5)
    with scene.life() as process:
        await scene.until(lambda: scene.came_up(7) is TradingState.STOPPED, "the trader is up")
        await scene.tells("arm", "--who", "bob", "--why", "looked at it")
        await scene.has(BUY, SELL)
        (scene.folder / "state").write_text("paused tea\n")
        await scene.has(SELL)
        (scene.folder / "state").write_text("pausd\n")
        await scene.has()
        assert "pausd" in (await scene.tells("status")).out
        await scene.tells("arm")
        await scene.has(BUY, SELL)
        kill(process.pid)
    with scene.life() as process:
        await scene.until(lambda: scene.came_up(8) is TradingState.ARMED, "armed as it was")
        await scene.has(BUY, SELL)
        kill(process.pid)


@pytest.mark.spec("X5.A2")
def test_each_state_lets_leave_what_it_says_and_survives_a_kill(exchange_truth: Path) -> None:
    folder = exchange_truth / "run"
    folder.mkdir()
    standing = put_up(
        exchange_truth / "exchange", SETTINGS, [tape_file(MARKET, steady(MARKET, *CALM))], mode=TimeMode.RECORDED
    )
    scenes: list[Scene] = []

    async def act(run: Run) -> None:
        scenes.append(Scene(run, folder))
        await every_state(scenes[0])

    with closing(standing.log):
        asyncio.run(hosted(standing, TimeMode.RECORDED, act))
    (scene,) = scenes
    who, whys = [row[2] for row in scene.states], [row[3] for row in scene.states]
    assert [row[1] for row in scene.states] == [
        "paused",
        "reduce-only",
        "stopped",
        "armed",
        "paused",
        "stopped",
        "armed",
    ]
    assert [row[0] for row in scene.states] == ["armed", *(row[1] for row in scene.states[:-1])]
    assert who[:4] == ["ann, polystra pause", "ann, polystra reduce-only", "ann, polystra stop", "bob, polystra arm"]
    assert who[4:6] == ["file state"] * 2
    assert whys[3:5] == ["looked at it", "tea"]
    assert "pausd" in whys[5]
    journals = [event for life in range(1, 9) for event in scene.events(life) if isinstance(event, TradingStateSet)]
    assert [(one.state.value, one.who, one.why) for one in journals] == [row[1:] for row in scene.states]


@pytest.fixture
def exchange_truth(tmp_path: Path) -> Path:
    """A folder for a run and for the exchange, whose own books and log judge what was placed."""
    return tmp_path
