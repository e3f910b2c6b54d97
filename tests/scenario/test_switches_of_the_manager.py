"""Each switch of what is managed, alone, and none: what was bought is settled whatever is on (SPEC L2)."""

from typing import Any

import pytest

from polystra.app.settings import Settings
from polystra.core import notes as nt
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import shares
from tests.truth import Outcomes, Stage, scripted, steady, tape_file, window, wish

OFF: dict[str, dict[str, Any]] = {
    "exits": {"target": 0, "stop_price": 0, "stop_percent": 0, "min_age_seconds": 0},
    "unfilled": {"cancel_orders": False},
}
MARKET = window()
FALLING = [*steady(MARKET, "0.50x500", "0.52x20", end=60), *steady(MARKET, "0.10x500", "0.12x500", begin=60)]


def played(stage: Stage, **on: dict[str, Any]) -> Outcomes:
    """Twenty Up bought at 0.52; a bid for Down at 0.30 that rests; at second 60 the price falls to 0.10."""
    changes = {section: {**values, **on.get(section, {})} for section, values in OFF.items()}
    told = stage.settings.model_dump() | {
        section: {**getattr(stage.settings, section).model_dump(), **values} for section, values in changes.items()
    }
    settings = Settings.model_validate(told)
    wishes = {10.0: wish(Outcome.UP, "0.52"), 20.0: wish(Outcome.DOWN, "0.30", rests=True)}
    run = stage.play([tape_file(MARKET, FALLING, "0")], scripted(wishes, settings.exit_policy), settings=settings)
    run.agree()
    return run


def purposes(run: Outcomes) -> list[Purpose]:
    return [terms.purpose for _, terms in run.placed(Side.SELL)]


def test_with_all_off_nothing_is_sold_or_given_up_and_the_window_settles(exchange_truth: Stage) -> None:
    run = played(exchange_truth)
    assert purposes(run) == []
    assert run.notes(nt.EntryGivenUp) == []
    (settled,) = run.notes(nt.MarketSettled)
    assert settled.up_shares == run.held(MARKET, Outcome.UP) == shares(20)
    assert settled.pnl < 0


@pytest.mark.parametrize(
    ("on", "done"),
    [({"target": "0.99"}, Purpose.TARGET), ({"stop_price": "0.30", "stop_min_age_seconds": 5}, Purpose.STOP)],
    ids=["target alone", "stop alone"],
)
def test_an_exit_switched_on_alone_is_all_that_is_done(
    exchange_truth: Stage, on: dict[str, Any], done: Purpose
) -> None:
    run = played(exchange_truth, exits=on)
    assert set(purposes(run)) == {done}
    assert run.notes(nt.EntryGivenUp) == []
    assert len(run.notes(nt.MarketSettled)) == 1


def test_the_care_of_unfilled_entries_alone_cancels_the_bid_and_sells_nothing(exchange_truth: Stage) -> None:
    """The fall of Up makes Down dear: the bid goes by its age, 100 s in a window of 5 minutes."""
    run = played(exchange_truth, unfilled={"cancel_orders": True})
    assert purposes(run) == []
    (given_up,) = run.notes(nt.EntryGivenUp)
    assert given_up.why == "too old"
    assert len(run.notes(nt.MarketSettled)) == 1
