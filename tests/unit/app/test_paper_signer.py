"""Ids of simulated orders: the same order the same id, another order another."""

import re

import pytest

from polystra.app.paper_signer import PaperSigner
from polystra.core.commands import PlaceOrder
from polystra.core.ids import OrderId
from polystra.core.terms import Outcome, TimeInForce
from polystra.core.units import price, shares
from tests.edge.store_cases import terms

PLACE = PlaceOrder(order=OrderId(1), terms=terms())


def name_of(command: PlaceOrder, wallet: str = "0xme", seed: int = 1) -> str | None:
    return PaperSigner(wallet, seed).sign(command).venue_order


def test_the_id_looks_like_the_venues_hash() -> None:
    assert re.fullmatch("0x[0-9a-f]{64}", str(name_of(PLACE)))


def test_the_same_order_has_the_same_id_in_every_run() -> None:
    assert name_of(PLACE) == name_of(PlaceOrder(order=OrderId(1), terms=terms()))


@pytest.mark.parametrize(
    "other",
    [
        {"wallet": "0xyou"},
        {"seed": 2},
        {"command": PlaceOrder(order=OrderId(2), terms=terms())},
        {"command": PlaceOrder(order=OrderId(1), terms=terms(price=price("0.54")))},
        {"command": PlaceOrder(order=OrderId(1), terms=terms(shares=shares("5.63")))},
        {"command": PlaceOrder(order=OrderId(1), terms=terms(outcome=Outcome.DOWN))},
        {"command": PlaceOrder(order=OrderId(1), terms=terms(time_in_force=TimeInForce.FAK))},
    ],
    ids=["wallet", "seed", "number", "price", "size", "outcome", "time in force"],
)
def test_whatever_differs_gives_another_id(other: dict[str, object]) -> None:
    assert name_of(**({"command": PLACE} | other)) != name_of(PLACE)  # type: ignore[arg-type]


def test_the_command_goes_with_its_id_and_its_bytes() -> None:
    ready = PaperSigner("0xme", 1).sign(PLACE)
    assert ready.command == PLACE
    assert b"5620000" in ready.body
