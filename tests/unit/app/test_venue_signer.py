"""Orders made ready: a hash that seed, number, terms and moment decide, and what cannot be signed."""

import re
from typing import Any

import msgspec
import pytest

from polystra.app.outbox import CannotSign
from polystra.app.throwaway import seeded_salts, throwaway_wallet
from polystra.app.venue_signer import VenueSigner
from polystra.app.world_ways import VirtualClock
from polystra.core.commands import PlaceOrder
from polystra.core.ids import MarketId, OrderId
from polystra.core.markets import Generation
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side, TimeInForce
from polystra.core.units import Instant, price, seconds, shares
from tests.truth import START, window

MARKET = window()
KEY = "5a1f9c2e-0000-0000-0000-000000000000"


def command(order: int = 1, **changes: Any) -> PlaceOrder:
    fields: dict[str, Any] = {
        "market": MARKET.id,
        "outcome": Outcome.UP,
        "side": Side.BUY,
        "purpose": Purpose.ENTRY,
        "price": price("0.53"),
        "shares": shares("5.62"),
    }
    return PlaceOrder(order=OrderId(order), terms=OrderTerms(**(fields | changes)))


def signer(seed: int = 1, wallet: int = 1, at: Instant = START, **facts: Any) -> VenueSigner:
    markets = {MARKET.id: window(**facts)}
    return VenueSigner(
        throwaway_wallet(wallet), markets=markets, clock=VirtualClock(at), owner=KEY, salt=seeded_salts(seed)
    )


def test_the_id_is_a_hash_and_the_body_is_what_is_posted() -> None:
    ready = signer().sign(command())
    assert re.fullmatch("0x[0-9a-f]{64}", str(ready.venue_order))
    assert ready.command == command()
    body = msgspec.json.decode(ready.body)
    assert body["owner"] == KEY
    assert body["order"]["tokenId"] == MARKET.up_token
    assert body["order"]["maker"] == throwaway_wallet(1).maker


def test_the_same_order_has_the_same_id_in_every_run() -> None:
    assert signer().sign(command()) == signer().sign(command())


@pytest.mark.parametrize(
    "other",
    [
        {"wallet": 2},
        {"seed": 2},
        {"at": Instant(START + seconds(0.001))},
        {"command": command(2)},
        {"command": command(price=price("0.54"))},
        {"command": command(shares=shares("5.63"))},
        {"command": command(outcome=Outcome.DOWN)},
    ],
    ids=["wallet", "seed", "moment", "number", "price", "size", "outcome"],
)
def test_whatever_is_signed_and_differs_gives_another_id(other: dict[str, Any]) -> None:
    placed = other.pop("command", command())
    assert signer(**other).sign(placed).venue_order != signer().sign(command()).venue_order


def test_how_long_an_order_lives_is_posted_and_not_signed() -> None:
    one, other = signer().sign(command()), signer().sign(command(time_in_force=TimeInForce.GTC, post_only=True))
    assert one.venue_order == other.venue_order
    assert one.body != other.body


def test_a_salt_is_of_53_bits_and_of_one_seed_and_number() -> None:
    salt = seeded_salts(7)
    drawn = [salt(OrderId(number)) for number in range(1, 500)]
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= one < 2**53 for one in drawn)
    assert max(drawn) > 2**52
    assert drawn == [seeded_salts(7)(OrderId(number)) for number in range(1, 500)]
    assert drawn[0] != seeded_salts(8)(OrderId(1))


def test_a_market_that_was_never_told_cannot_be_signed_for() -> None:
    with pytest.raises(CannotSign, match=r"o1: market 0x99 was never discovered"):
        signer().sign(command(market=MarketId("0x99")))


def test_a_market_of_unknown_contracts_cannot_be_signed_for() -> None:
    with pytest.raises(CannotSign, match="o1: "):
        signer(generation=Generation.UNKNOWN).sign(command())
