"""Holdings of which the venue shows nothing, and what one reading alone leads to."""

from __future__ import annotations

import pytest

from polystra.core import notes as nt
from polystra.core.strategy import ExitPolicy
from polystra.core.units import shares
from tests.core_cases import CONFIRMED, Bench, holding, with_exits
from tests.unit.core.samples import WINDOW
from tests.unit.core.test_engine_readings import CASH, confirmed


def orphaned(opened: float = 60) -> Bench:
    """Ten confirmed shares that nothing offers for sale."""
    bench = holding(with_exits(ExitPolicy()), at=opened)
    bench.fill(opened + 1, 1, "0.54", "10", CONFIRMED)
    return bench


def test_a_holding_of_which_nothing_is_there_is_closed_as_missing_once_it_is_two_minutes_old() -> None:
    bench = orphaned()
    for at in (100, 140, 179):
        bench.reading(at, CASH, "0")
    assert bench.told(nt.AdjustmentBooked) == [], "told and halted, but not old enough"
    assert len(bench.told(nt.MarketHalted)) == len(bench.told(nt.DriftFound)) == 1
    bench.reading(180, CASH, "0")
    (booked,) = bench.told(nt.AdjustmentBooked)
    assert (booked.before, booked.after, booked.cause.split(":")[0]) == (shares(10), 0, "missing")
    assert (bench.desk.position.up.shares, bench.desk.position.realised) == (0, 0), "nothing was sold"
    bench.reading(220, CASH, "0")
    assert len(bench.told(nt.AdjustmentBooked)) == 1


@pytest.mark.parametrize(("there", "why"), [("0", "shares differ from the venue's"), ("10", None)])
def test_nothing_is_opened_where_one_reading_shows_other_shares(there: str, why: str | None) -> None:
    bench = orphaned()
    bench.reading(100, CASH, there)
    assert bench.known.readings.doubt_of(WINDOW.id) == why
    assert bench.known.readings.doubt_of("another") is None
    assert bench.told(nt.MarketHalted) == []


def test_what_an_order_of_ours_may_hold_is_not_missing() -> None:
    bench = confirmed()
    for at in (100, 140, 200):
        bench.reading(at, CASH, "0", live=(2,))
    assert bench.told(nt.AdjustmentBooked) == []
