"""A whole trader on generated windows, on the exchange's truth."""

import pytest

from polystra.app.scenarios import LIGHT, scenario_files
from polystra.core import notes as nt
from polystra.core.strategy import ExitPolicy, StopPolicy, Wish
from polystra.core.terms import Outcome, Side
from polystra.core.units import price, seconds
from tests.truth import START, Stage, scripted, wish

EXITS = ExitPolicy(target=price("0.97"), min_age=seconds(10), stop=StopPolicy(price=price("0.30")))


@pytest.mark.parametrize("name", LIGHT)
def test_four_windows_are_traded_and_settled_and_the_ledger_is_the_exchanges(name: str, exchange_truth: Stage) -> None:
    """Whatever the outcome: one bet on Up at what it costs after a minute, one that rests, targets, stops, payouts."""
    files = scenario_files(name, seed=5, windows=4, start=START)
    wishes: dict[float, Wish] = {60: wish(Outcome.UP, "0.90"), 240: wish(Outcome.DOWN, "0.35", rests=True)}
    run = exchange_truth.play(files, scripted(wishes, EXITS))
    run.agree()
    assert len(run.notes(nt.MarketSettled)) == 4
    assert len(run.placed(Side.BUY)) >= 4
    assert run.placed(Side.SELL)
    assert run.truth.trades
