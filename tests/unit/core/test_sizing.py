from __future__ import annotations

import pytest

from polystra.core.sizing import StakeRules, size_for, stake_for
from polystra.core.terms import TimeInForce
from polystra.core.units import CENT, MICRO, Usd, cost_of, price, shares, usd

BALANCED = StakeRules(fraction=50_000, max_stake=usd(500))


@pytest.mark.parametrize(
    ("conviction", "stake"), [("0", "25"), ("0.5", "112.5"), ("1", "200"), ("0.142857", "49.99995")]
)
def test_conviction_scales_the_stake_from_half_to_fourfold(conviction: str, stake: str) -> None:
    """SPEC 2: balance x BET_PERCENT x (0.5 + 3.5 c)."""
    assert abs(stake_for(BALANCED, price(conviction), usd(1_000)) - usd(stake)) <= 100


def test_the_stake_is_exact_at_the_ends() -> None:
    assert stake_for(BALANCED, 0, usd(1_000)) == usd(25)
    assert stake_for(BALANCED, MICRO, usd(1_000)) == usd(200)


def test_the_stake_is_capped() -> None:
    assert stake_for(BALANCED, MICRO, usd(10_000)) == usd(500)
    assert stake_for(BALANCED, MICRO, usd(2_500)) == usd(500)
    assert stake_for(BALANCED, MICRO, usd("2499.99")) < usd(500)


@pytest.mark.parametrize("cash", ["0", "-0.000001", "-100"])
def test_without_free_cash_there_is_no_stake(cash: str) -> None:
    """Reservations can exceed cash; a negative stake must never become an order."""
    assert stake_for(BALANCED, MICRO, usd(cash)) == 0


@pytest.mark.parametrize(
    ("stake", "limit", "kind", "size"),
    [
        ("3.39", "0.53", TimeInForce.GTC, "6.39"),
        ("3.39", "0.53", TimeInForce.GTD, "6.39"),
        ("3.39", "0.53", TimeInForce.FAK, "6"),
        ("3.39", "0.53", TimeInForce.FOK, "6"),
        ("1", "0.25", TimeInForce.FAK, "4"),
        ("1.03", "0.25", TimeInForce.FAK, "4.12"),
        ("0.52", "0.53", TimeInForce.FAK, "0"),
        ("0.0052", "0.53", TimeInForce.GTC, "0"),
        ("0", "0.53", TimeInForce.GTC, "0"),
        ("100", "0.0001", TimeInForce.GTC, "1000000"),
    ],
)
def test_the_most_shares_a_stake_buys(stake: str, limit: str, kind: TimeInForce, size: str) -> None:
    assert size_for(usd(stake), price(limit), kind) == shares(size)


def test_an_immediate_order_costs_whole_cents_and_never_more_than_the_stake() -> None:
    for at in range(1, 100):
        limit = price(f"0.{at:02}")
        for stake in (usd(1), usd("7.77"), Usd(123_456_789)):
            cost = cost_of(limit, size_for(stake, limit, TimeInForce.FAK))
            assert cost % CENT == 0
            assert stake - usd(1) < cost <= stake, "at most one lot is left over"
