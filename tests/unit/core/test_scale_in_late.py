"""A scale-in whose holding was gone when it bought: that is what is held then, and is not added to again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core.orders import Order, OrderState
from polystra.core.positions import MarketPosition, position_of
from polystra.core.scale_in import ScaleInRules, wanted_scale_ins
from polystra.core.terms import Outcome, Purpose, TimeInForce
from polystra.core.units import micro, seconds, shares
from tests.core_cases import moment
from tests.unit.core.samples import fill, order, terms, view

RULES = ScaleInRules(time_left=seconds(900))
ADDED = order(
    terms("0.72", "6", purpose=Purpose.SCALE_IN, time_in_force=TimeInForce.FAK),
    number=3,
    state=OrderState.FILLED,
    decided_at=moment(60),
)


def asked_beside(*orders: Order) -> int:
    """How many are asked for while the entry of 70 s is held."""
    entry = order(terms("0.70", "6"), number=4, state=OrderState.FILLED, fills=(fill("0.70", "6", at=moment(70)),))
    position: MarketPosition = position_of((entry, *orders))
    of = view("0.71", "0.73", position=position, at=moment(90))
    chances = {Outcome.UP: micro("0.90"), Outcome.DOWN: micro("0.10")}
    return len(wanted_scale_ins(of, RULES, (*orders, entry), frozenset(), chances).asks)


@pytest.mark.parametrize(
    "late",
    [replace(ADDED, answered=shares(6)), replace(ADDED, fills=(fill("0.72", "6", at=moment(75)),))],
    ids=["by the venue's word", "by its trade"],
)
def test_what_a_late_scale_in_bought_is_not_added_to_again(late: Order) -> None:
    assert asked_beside(late) == 0


def test_a_scale_in_that_bought_nothing_is_tried_again() -> None:
    assert asked_beside(replace(ADDED, state=OrderState.CANCELLED)) == 1
