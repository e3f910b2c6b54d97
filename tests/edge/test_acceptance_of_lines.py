"""Acceptance conditions of what a person reads about what is held: a line a minute, and news at once."""

from collections import Counter

import pytest

from polystra.app.console import Console
from polystra.core import notes as nt
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome
from polystra.core.units import price, seconds
from tests.edge.execution_cases import CALM, MARKET, Scheduled, Told, logged, noted, taking
from tests.edge.wire_stage import WireStage, exchange_truth
from tests.edge.wish_cases import COINS, coin_window, quiet, steady_stakes, together
from tests.truth import Outcomes, after, steady, tape_file, wish

__all__ = ["exchange_truth"]

CYCLE = seconds(60)


def lines_of(run: Outcomes) -> list[str]:
    """What a console writes of a run."""
    lines: list[str] = []
    console = Console(lines.append)
    for event, step in run.steps:
        console.tell(event, step)
    return lines


@pytest.mark.spec("S26.A2")
@pytest.mark.parametrize("min_age", [60, 150])
def test_a_pending_exit_is_shown_in_each_cycle_with_its_age_and_its_threshold(
    exchange_truth: WireStage, min_age: int
) -> None:
    """A window of 5 minutes: a third of what is meant for 15."""
    policy = ExitPolicy(target=price("0.99"), min_age=seconds(3 * min_age))
    run = exchange_truth.play_on_wire([tape_file(MARKET, steady(MARKET, *CALM))], taking(policy))
    run.agree()
    (filled, *_) = (at for at, _ in noted(run, nt.FillBooked))
    pending = [line for line in lines_of(run) if "exit: pending" in line]
    cycles = [after(60 * n) for n in range(1, 5) if filled < after(60 * n) < filled + seconds(min_age)]
    assert len(pending) == len(cycles) >= 1
    for cycle, line in zip(cycles, pending, strict=True):
        age = (cycle - filled) // 10**9
        assert any(f"exit: pending, {about} s of {min_age} s" in line for about in range(age, age + 4)), line
    assert [line for line in lines_of(run) if "exit: target at 0.99" in line], "then it rests"


@pytest.mark.spec("L5.A1")
def test_ten_minutes_with_four_positions_are_a_line_a_minute_for_each_at_most(exchange_truth: WireStage) -> None:
    exchange_truth.settings = steady_stakes(exchange_truth.settings)
    markets = [coin_window(nth, 15) for nth in range(4)]
    told = {coin: (wish(Outcome.UP, "0.52"),) for coin in COINS[:4]}
    run = exchange_truth.play(quiet(markets), together(told, since=100))
    run.agree()
    ten_minutes = [(at, note) for at, note in _watched(run) if after(120) <= at < after(720)]
    each = Counter((note.market, (at - after(0)) // CYCLE) for at, note in ten_minutes)
    assert set(each.values()) == {1}
    assert len({market for market, _ in each}) == 4
    assert len(each) == 40, "and no fewer"
    written = Counter(line.split("  ")[0][:5] + line.split("  ")[1] for line in lines_of(run) if "  holds " in line)
    assert max(written.values()) == 1


@pytest.mark.spec("L5.A2")
def test_a_fill_and_a_cancel_are_told_at_once_between_two_cycles(exchange_truth: WireStage) -> None:
    """A bid is taken back at 95 s and an offer is taken at 110 s, far from any minute."""
    told = (Told(70, 95, 0, wish(Outcome.UP, "0.50", rests=True)), Told(110, 300, 0, wish(Outcome.DOWN, "0.52")))
    run = exchange_truth.play_on_wire([tape_file(MARKET, steady(MARKET, *CALM))], Scheduled(told))
    run.agree()
    lines = lines_of(run)
    assert len(logged(run, "asked", "Cancel")) == 1
    assert len(run.truth.trades) == 1
    (cancelled,) = (line for line in lines if line.endswith("o1 cancelled: asked"))
    (bought,) = (line for line in lines if "o2 bought" in line)
    assert cancelled[:8] in ("09:01:35", "09:01:36")
    assert bought[:8] in ("09:01:50", "09:01:51")
    assert run.held(MARKET, Outcome.DOWN) > 0


def _watched(run: Outcomes) -> list[tuple[int, nt.PositionWatched]]:
    return [
        (event.at, note) for event, step in run.steps for note in step.notes if isinstance(note, nt.PositionWatched)
    ]
