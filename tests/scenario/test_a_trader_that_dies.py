"""The trading process is killed and started again: nothing doubled, nothing lost, on the exchange's truth.

The world lives on while nobody trades: requests that left arrive, orders rest and trade, windows end. A new trader
finds nothing but the ledger's file and what the venue tells it. A life ends at a labelled point of one step: before its
intent is recorded, between the record and the bytes, between the bytes and the next event; or between two steps.
"""

import asyncio
import random
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polystra.app.exchange_log import ExchangeLog
from polystra.app.session import Trader
from polystra.app.world import TRADER, World
from polystra.core.commands import PlaceOrder
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.notes import AnyNote
from polystra.core.strategy import ExitPolicy, StopPolicy
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import Instant, price, seconds
from polystra.edge.ready import Ready
from polystra.edge.store.ledger import Ledger
from tests.truth import SERIES, Outcomes, Stage, book, scripted, steady, tape_file, window, wish

POINTS = ("before the intent", "after the intent", "after the bytes", "between steps")


class Killed(Exception):
    """The process is gone."""


class Doom:
    """Says when this life ends: at the `at`-th step that commands something, at one of the labelled points."""

    def __init__(self, at: int, point: str) -> None:
        self.left = at
        self.point = point

    def strikes(self, point: str, commands: int) -> None:
        if point != self.point:
            return
        self.left -= 1 if commands or point == "between steps" else 0
        if self.left <= 0:
            self.left = 2**60
            raise Killed(point)


class DoomedLedger:
    """The ledger of a process that may die while it writes."""

    def __init__(self, ledger: Ledger, doom: Doom) -> None:
        self._ledger = ledger
        self._doom = doom

    def record(self, seq: int, at: Instant, ready: Sequence[Ready], notes: Sequence[AnyNote]) -> None:
        self._doom.strikes("before the intent", len(ready))
        self._ledger.record(seq, at, ready, notes)
        self._doom.strikes("after the intent", len(ready))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


class DoomedWire:
    """The world, seen by a process that may die right after a request left."""

    def __init__(self, world: World, doom: Doom) -> None:
        self._world = world
        self._doom = doom

    def send(self, ready: Sequence[Ready]) -> None:
        for one in ready:
            self._world.send([one])
            self._doom.strikes("after the bytes", 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)


def live(stage: Stage, world: World, strategy: Any, dooms: list[Doom]) -> Outcomes:
    """One life after the other; the last one sees the end of the world."""
    steps: list[tuple[AnyEvent, Step]] = []
    for doom in [*dooms, Doom(2**60, "never")]:

        def tell(event: AnyEvent, step: Step, doom: Doom = doom) -> None:
            steps.append((event, step))
            doom.strikes("between steps", len(step.commands))

        with Trader(stage.folder, stage.settings, seed=1, strategy=strategy) as trader:
            trader.ledger = DoomedLedger(trader.ledger, doom)  # type: ignore[assignment]
            try:
                asyncio.run(trader.trade(DoomedWire(world, doom), {SERIES}, tell))
            except Killed:
                world.clock.move_to(Instant(world.clock.now() + seconds(0.7)))
    return Outcomes(world, stage.folder, steps)


def lively_window(number: int, chance: random.Random) -> Any:
    """A window whose price wanders, with thin books, so that orders fill in parts and stops and targets are reached."""
    market = window(number)
    bid, rows = 50, []
    for second in range(-5, 320, 2):
        bid = min(max(bid + chance.randint(-4, 4), 2), 97)
        depth = chance.randint(300, 4_000) / 100
        rows.append(book(market, second, f"0.{bid:02}x{depth} 0.01x300", f"0.{bid + 1:02}x{depth}"))
    return tape_file(market, rows, payout_up=chance.choice(["0", "1"]))


def strategy_for(chance: random.Random) -> Any:
    wishes = {20.0 + 60 * number: wish(chance.choice(list(Outcome)), "0.95", rests=False) for number in range(3)} | {
        200.0: wish(Outcome.UP, "0.30", rests=True)
    }
    exits = ExitPolicy(target=price("0.70"), stop=StopPolicy(price=price("0.25"), min_age=seconds(5)))
    return scripted(wishes, exits)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    ends=st.lists(st.tuples(st.integers(1, 12), st.sampled_from(POINTS)), min_size=1, max_size=4),
)
def test_killed_anywhere_and_started_again_nothing_is_doubled_or_lost(
    exchange_truth: Stage, seed: int, ends: list[tuple[int, str]]
) -> None:
    chance = random.Random(seed)
    stage = Stage(Path(tempfile.mkdtemp(dir=exchange_truth.folder)))
    rules = stage.rules(seed=seed % 1_000)
    rules = stage.rules(seed=seed % 1_000, exchange=type(rules.exchange)(failure_rate=0.1, retry_rate=0.1))
    world = World(rules, [lively_window(0, chance), lively_window(1, chance)], ExchangeLog(None))
    run = live(stage, world, strategy_for(chance), [Doom(at, point) for at, point in ends])
    run.agree()
    _no_intent_was_sent_twice(run)
    _never_sold_what_was_not_there(run)


@pytest.mark.parametrize("point", POINTS)
def test_the_first_order_of_a_life_that_ends_there(exchange_truth: Stage, point: str) -> None:
    """The four places around one intent, one by one, so that each is known to be met."""
    world = World(exchange_truth.rules(), [lively_window(0, random.Random(4))], ExchangeLog(None))
    doom = Doom(2, point)
    run = live(exchange_truth, world, strategy_for(random.Random(4)), [doom])
    assert doom.left == 2**60, "this point was never met"
    run.agree()
    _no_intent_was_sent_twice(run)
    runs = run.sql("select count(*), count(ended_at) from runs")
    assert runs == [(2, 1)]


@pytest.mark.spec("T4.A1")
def test_killed_right_after_an_exit_was_sent_the_order_is_known_and_there_is_one(exchange_truth: Stage) -> None:
    """The bytes of the target leave, the process dies before any answer; the exchange takes the order.

    The next life finds one live sell there, knows it for its own, and places no other.
    """
    market = window(0)
    tape = tape_file(market, steady(market, "0.50x500", "0.52x200"))
    world = exchange_truth.world([tape])
    strategy = scripted({10.0: wish(Outcome.UP, "0.52")}, ExitPolicy(target=price("0.99")))
    at_first = Sends(world, CommandsOf(Purpose.TARGET))
    first = _life(exchange_truth, at_first, strategy)
    assert at_first.struck, "the process was to die at its exit"
    world.clock.move_to(Instant(world.clock.now() + seconds(5)))
    sells: list[int] = []
    world.look = lambda seen: sells.append(len(seen.selling()))
    second = _life(exchange_truth, world, strategy)
    run = Outcomes(world, exchange_truth.folder, [*first, *second])
    run.agree()
    assert sells[0] == 1, "the exchange had taken it"
    assert max(sells) == 1
    (exit_order,) = run.sql("select id, venue_order from orders where side = 'SELL'")
    states = [after for (after,) in run.sql("select after from order_steps where order_id = ?", exit_order[0])]
    assert states[:2] == ["SUBMITTING", "WORKING"], "linked, not placed again"


class CommandsOf:
    """Says whether a command places an order of one purpose."""

    def __init__(self, purpose: Purpose) -> None:
        self._purpose = purpose

    def __call__(self, ready: Ready) -> bool:
        command = ready.command
        return isinstance(command, PlaceOrder) and command.terms.purpose is self._purpose


class Sends:
    """The world, seen by a process that dies right after the first request of a kind has left."""

    def __init__(self, world: World, fatal: CommandsOf) -> None:
        self._world = world
        self._fatal = fatal
        self.struck = False

    def send(self, ready: Sequence[Ready]) -> None:
        for one in ready:
            self._world.send([one])
            if self._fatal(one):
                self.struck = True
                raise Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)


def _life(stage: Stage, world: Any, strategy: Any) -> list[tuple[AnyEvent, Step]]:
    steps: list[tuple[AnyEvent, Step]] = []
    with Trader(stage.folder, stage.settings, seed=1, strategy=strategy) as trader, suppress(Killed):
        asyncio.run(trader.trade(world, {SERIES}, lambda event, step: steps.append((event, step))))
    return steps


def _no_intent_was_sent_twice(run: Outcomes) -> None:
    """Every order the exchange ever traded has one intent, and every intent one hash."""
    intents = [order for (order,) in run.sql("select venue_order from orders")]
    assert len(intents) == len(set(intents))
    traded = {leg.order for trade in run.truth.trades for leg in (trade.taker, trade.maker) if leg.account == TRADER}
    assert traded <= set(intents)


def _never_sold_what_was_not_there(run: Outcomes) -> None:
    for holding in run.truth.account(TRADER).holdings:
        assert holding.owned >= 0
    for trade in run.truth.trades:
        for leg in (trade.taker, trade.maker):
            if leg.account == TRADER and leg.side is Side.SELL:
                assert leg.shares > 0
