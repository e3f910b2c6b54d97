"""The ledger's disk breaks in the middle of a window and is repaired: nothing opens meanwhile, and nothing is lost."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from polystra.app.session import Trader
from polystra.app.world import TRADER
from polystra.core import notes as nt
from polystra.core.commands import CancelOrder, PlaceOrder
from polystra.core.engine import Step
from polystra.core.events import AnyEvent, OrderNotSent, TradingState
from polystra.core.notes import AnyNote
from polystra.core.strategy import ExitPolicy, Strategy
from polystra.core.terms import Outcome, Side
from polystra.core.units import Instant, price, seconds
from polystra.edge.ready import Ready
from polystra.edge.store.errors import LedgerUnavailable
from polystra.edge.store.ledger import Ledger
from polystra.edge.tapes.format import TapeFile
from tests.truth import SERIES, Outcomes, Stage, after, scripted, steady, tape_file, window, wish

QUIET = "0.50x500", "0.52x500"


class Breaking:
    """The real ledger, whose disk cannot be written while `broken` says so."""

    def __init__(self, ledger: Ledger, broken: Callable[[Instant], bool]) -> None:
        self._ledger = ledger
        self._broken = broken
        self.refused = 0

    def record(self, seq: int, at: Instant, ready: Sequence[Ready], notes: Sequence[AnyNote]) -> None:
        if self._broken(at):
            self.refused += 1
            raise LedgerUnavailable("ledger.sqlite: disk I/O error: repair the disk")
        self._ledger.record(seq, at, ready, notes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


def play(
    stage: Stage, files: Sequence[TapeFile], strategy: Strategy, broken: Callable[[Instant], bool]
) -> tuple[Outcomes, Breaking]:
    world = stage.world(files)
    steps: list[tuple[AnyEvent, Step]] = []
    with Trader(stage.folder, stage.settings, seed=1, strategy=strategy) as trader:
        ledger = Breaking(trader.ledger, broken)
        trader.ledger = ledger  # type: ignore[assignment]
        asyncio.run(trader.trade(world, {SERIES}, lambda event, step: steps.append((event, step))))
    return Outcomes(world, stage.folder, steps), ledger


def between(begin: float, end: float) -> Callable[[Instant], bool]:
    return lambda at: after(begin) <= at < after(end)


def test_an_entry_decided_while_the_disk_is_broken_never_reaches_the_exchange(exchange_truth: Stage) -> None:
    """Repaired at 60: what was decided at 10 is in the ledger as never sent, and nothing is opened until a person
    says so."""
    market = window()
    tape = tape_file(market, steady(market, *QUIET))
    twice = scripted({10: wish(Outcome.UP, "0.52"), 100: wish(Outcome.UP, "0.52")})
    run, ledger = play(exchange_truth, [tape], twice, between(5, 60))
    assert ledger.refused > 0
    run.agree()
    assert run.truth.trades == ()
    assert len(run.placed(Side.BUY)) == 1
    assert run.sql("select after, cause from order_steps")[-1] == (
        "REFUSED",
        "ledger.sqlite: disk I/O error: repair the disk",
    )
    states = [(note.before, note.after, note.who) for note in run.notes(nt.StateChanged)]
    assert states == [(TradingState.ARMED, TradingState.PAUSED, "ledger")]


def test_a_resting_entry_is_taken_back_although_its_cancel_cannot_be_recorded(exchange_truth: Stage) -> None:
    market = window()
    tape = tape_file(market, steady(market, *QUIET))
    resting = scripted({10: wish(Outcome.UP, "0.49", rests=True)})
    run, _ = play(exchange_truth, [tape], resting, between(50, 200))
    run.agree()
    (cancelled,) = [event.at for event, step in run.steps for one in step.commands if isinstance(one, CancelOrder)]
    assert after(50) <= cancelled < after(200), "while the disk was still broken"
    assert run.truth.orders == ()


def test_a_fill_that_came_while_the_disk_was_broken_is_in_the_ledger_afterwards(exchange_truth: Stage) -> None:
    """Placed on a good disk; filled, settled and offered at its target on a broken one."""
    market = window()
    rows = steady(market, *QUIET, end=200) + steady(market, "0.75x500", "0.77x500", begin=200)
    policy = ExitPolicy(target=price("0.70"))
    intact, _ = play(
        Stage(_below(exchange_truth, "intact")), [tape_file(market, rows)], *_told(policy), lambda at: False
    )
    placed = intact.placed(Side.BUY)[0][0]
    broken: Callable[[Instant], bool] = lambda at: placed < at < placed + seconds(40)  # noqa: E731
    run, ledger = play(exchange_truth, [tape_file(market, rows)], *_told(policy), broken)
    assert ledger.refused >= 3
    run.agree()
    assert len(run.truth.trades) >= 2, "bought on the broken disk, and sold at the target when it was repaired"
    assert run.held(market, Outcome.UP) == 0
    for note in run.notes(nt.OrderMoved):
        assert run.sql("select count(*) from orders where id = ?", note.order) == [(1,)]


@pytest.mark.parametrize("every", [2, 3, 5])
def test_a_disk_that_comes_and_goes_loses_nothing(exchange_truth: Stage, every: int) -> None:
    """Every second, third or fifth write fails, through entry, exit and settlement."""
    market = window()
    rows = steady(market, *QUIET, end=200) + steady(market, "0.75x500", "0.77x500", begin=200)
    writes = 0

    def flickers(at: Instant) -> bool:
        nonlocal writes
        writes += 1
        return at > after(11) and writes % every == 0

    run, ledger = play(exchange_truth, [tape_file(market, rows)], *_told(ExitPolicy(target=price("0.70"))), flickers)
    assert ledger.refused > 0
    run.agree()
    unsent = [event.order for event, _ in run.steps if isinstance(event, OrderNotSent)]
    commanded = {one.order for _, step in run.steps for one in step.commands if isinstance(one, PlaceOrder)}
    at_the_exchange = {
        leg.order for trade in run.truth.trades for leg in (trade.taker, trade.maker) if leg.account == TRADER
    }
    recorded = dict(run.sql("select id, venue_order from orders"))
    assert set(recorded) == commanded, "every intent is in the ledger, once"
    assert not {recorded[order] for order in unsent} & at_the_exchange
    assert len(run.notes(nt.MarketSettled)) == 1
    assert run.sql("select count(*) from settlements") == [(1,)]


def test_a_disk_broken_to_the_end_is_said_and_not_passed_over(exchange_truth: Stage) -> None:
    market = window()
    with pytest.raises(LedgerUnavailable, match="repair the disk"):
        play(
            exchange_truth,
            [tape_file(market, steady(market, *QUIET))],
            scripted({10: wish(Outcome.UP, "0.52")}),
            between(5, 10_000),
        )


def _told(policy: ExitPolicy) -> tuple[Strategy]:
    return (scripted({10: wish(Outcome.UP, "0.52")}, policy),)


def _below(stage: Stage, name: str) -> Any:
    folder = stage.folder / name
    folder.mkdir()
    return folder
