"""Targets beside pairs that somebody merges."""

from __future__ import annotations

import pytest

from polystra.core.exits import wanted_exits
from polystra.core.strategy import ExitPolicy
from polystra.core.units import price, shares
from tests.core_cases import asks
from tests.unit.core.test_exits import DOWN, UP, held, seen

KEPT = ExitPolicy(target=price("0.99"), keep_pairs=shares(5))


@pytest.mark.parametrize(
    ("down", "offers", "bare"),
    [
        ("10", [], {"a pair, kept to be merged"}),
        ("5", ["target SELL UP 5 @ 0.99 GTC"], {"a pair, kept to be merged"}),
        ("6", [], {"a pair, kept to be merged", "below the venue's least size"}),
        ("4.99", ["target SELL UP 10 @ 0.99 GTC"], set()),
    ],
    ids=["all of it", "half of it", "the rest is too small", "too few to be merged"],
)
def test_pairs_that_are_merged_are_not_offered_at_a_target(down: str, offers: list[str], bare: set[str]) -> None:
    plan = wanted_exits(seen(up=held(), down=held(down, "0.40", DOWN)), KEPT)
    assert [asks(one.terms) for one in plan.orders if one.terms.outcome is UP] == offers
    assert {why for outcome, _, why in plan.uncovered if outcome is UP} == bare
