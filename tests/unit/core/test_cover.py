"""What is said of shares that no exit covers."""

from __future__ import annotations

from polystra.core.cover import uncovered
from polystra.core.exits import TOO_YOUNG, ExitPlan
from polystra.core.terms import Outcome
from polystra.core.units import shares
from tests.core_cases import Bench
from tests.unit.core.samples import view


def test_of_what_was_never_bought_nobody_knows_how_long_it_is_too_young() -> None:
    bench = Bench()
    bench.start(0)
    (said,) = uncovered(bench.desk, view("0.50", "0.52"), ExitPlan(uncovered=((Outcome.UP, shares(3), TOO_YOUNG),)))
    assert (said.age, said.left, said.ledger, said.wallet) == (None, None, 0, 0)
