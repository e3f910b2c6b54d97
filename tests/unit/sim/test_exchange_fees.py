"""Taker fees: the table of `PROTOCOL.md` F.1, the older curve, the rounding, and both eras of charging."""

from __future__ import annotations

import pytest

from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Side
from polystra.core.units import Price, Shares, price, shares, usd
from polystra.sim.fees import charged, taker_fee
from polystra.sim.messages import MarketFacts


def market(rate: int = 70_000, exponent: int = 1, in_shares: bool = False) -> MarketFacts:
    return MarketFacts(
        id=MarketId("0xm"),
        up_token=TokenId("1"),
        down_token=TokenId("2"),
        fee_rate=rate,
        fee_exponent=exponent,
        fee_in_shares=in_shares,
    )


@pytest.mark.spec("X2.A1", pure="the exchange's own fee function against the published table")
@pytest.mark.parametrize(
    ("at", "fee"),
    [
        ("0.05", "0.003325"),
        ("0.95", "0.003325"),
        ("0.10", "0.0063"),
        ("0.90", "0.0063"),
        ("0.20", "0.0112"),
        ("0.80", "0.0112"),
        ("0.30", "0.0147"),
        ("0.70", "0.0147"),
        ("0.40", "0.0168"),
        ("0.60", "0.0168"),
        ("0.50", "0.0175"),
    ],
)
def test_the_fee_of_one_share_and_of_a_hundred_at_each_price_of_the_table(at: str, fee: str) -> None:
    assert taker_fee(market(), price(at), shares(100)) == 100 * usd(fee)
    assert taker_fee(market(), price(at), shares(1)) == (usd(fee) + 5) // 10 * 10


def test_a_live_fill_of_the_five_percent_class() -> None:
    fee = taker_fee(market(rate=50_000), price("0.13"), shares(25))
    assert fee == usd("0.14138")
    assert price("0.13") * 25 + fee == usd("3.39138")


def test_the_curve_of_early_2026_is_squared() -> None:
    assert taker_fee(market(rate=250_000, exponent=2), price("0.5"), shares(100)) == usd("1.5625")


@pytest.mark.parametrize(("amount", "fee"), [(285, 0), (286, 10), (857, 10), (858, 20)])
def test_fees_are_rounded_to_the_nearest_step(amount: int, fee: int) -> None:
    assert taker_fee(market(), price("0.5"), Shares(amount)) == fee


@pytest.mark.parametrize(("amount", "fee"), [(999, 0), (1_000, 10), (2_999, 10), (3_000, 20)])
def test_exactly_half_a_step_rounds_up(amount: int, fee: int) -> None:
    assert taker_fee(market(rate=20_000), price("0.5"), Shares(amount)) == fee


def test_a_free_market_charges_nothing() -> None:
    assert taker_fee(market(rate=0), price("0.5"), shares(100)) == 0


def test_buy_pays_on_top_sell_pays_from_the_proceeds() -> None:
    for side in Side:
        assert charged(market(), side, price("0.5"), shares(10)) == (usd("0.175"), 0)


def test_in_the_older_era_a_buy_gets_fewer_shares_and_a_sell_pays_cash() -> None:
    old = market(in_shares=True)
    assert charged(old, Side.BUY, price("0.3"), shares(5)) == (0, 245_000)
    assert charged(old, Side.BUY, price("0.7"), shares("5.01")) == (0, 105_214)  # 0.07365 / 0.7, rounded down
    assert charged(old, Side.SELL, price("0.3"), shares(5)) == (usd("0.0735"), 0)


def test_a_sale_never_costs_more_than_it_brings() -> None:
    assert charged(market(rate=999_999), Side.SELL, Price(10_000), Shares(600)) == (6, 0)
