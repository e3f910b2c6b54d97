"""The taker fee of `PROTOCOL.md` F.1, in both eras."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core.errors import NotSupported
from polystra.core.fees import NO_FEE, Fee, FeeSchedule, fee_of_fill, spend_within, taker_fee, worst_fee
from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Liquidity, Side
from polystra.core.units import MICRO, Price, Shares, Usd, price, shares, usd
from polystra.sim.fees import taker_fee as exchange_fee
from polystra.sim.messages import MarketFacts
from tests.unit.core.samples import CRYPTO, OLD_CRYPTO, selling, taking, terms

TABLE = {
    ("0.05", "0.95"): "0.003325",
    ("0.10", "0.90"): "0.0063",
    ("0.20", "0.80"): "0.0112",
    ("0.30", "0.70"): "0.0147",
    ("0.40", "0.60"): "0.0168",
    ("0.50", "0.50"): "0.0175",
}
"""Cost per share at rate 0.07; a thousand shares show every digit of it."""


@pytest.mark.spec("X2.A1", pure="our fee function against the published table")
@pytest.mark.parametrize(("prices", "a_share"), TABLE.items(), ids=[low for low, _ in TABLE])
def test_the_fee_table_to_five_decimals(prices: tuple[str, str], a_share: str) -> None:
    for at in prices:
        assert taker_fee(CRYPTO, price(at), shares(1_000)) == usd(a_share) * 1_000
        assert abs(taker_fee(CRYPTO, price(at), shares(1)) - usd(a_share)) <= 5, "rounded to 0.00001"


def test_the_half_step_of_0_003325_goes_up() -> None:
    """The venue does not document the direction; half up is the project's assumption and stands alone here."""
    assert taker_fee(CRYPTO, price("0.05"), shares(1)) == usd("0.00333")
    assert taker_fee(CRYPTO, price("0.95"), shares(1)) == usd("0.00333")


@pytest.mark.parametrize(
    ("at", "percent_of_stake"),
    [("0.05", "6.65"), ("0.95", "0.35"), ("0.10", "6.3"), ("0.90", "0.7"), ("0.20", "5.6"), ("0.30", "4.9")],
)
def test_a_low_price_pays_more_of_its_stake(at: str, percent_of_stake: str) -> None:
    fee = taker_fee(CRYPTO, price(at), shares(10_000))
    assert fee * 100 * MICRO == price(percent_of_stake) * price(at) * 10_000


def test_the_live_fill_of_august_fits_the_class_of_5_percent() -> None:
    """25 shares at 0.13 cost 3.39 (py-clob-client-v2#107)."""
    fee = taker_fee(FeeSchedule(rate=50_000), price("0.13"), shares(25))
    assert fee == usd("0.14138")
    assert usd("3.25") + fee == usd("3.39138")


def test_the_old_curve_peaked_at_156_basis_points() -> None:
    assert taker_fee(OLD_CRYPTO, price("0.5"), shares(100)) == usd("1.5625")
    assert taker_fee(OLD_CRYPTO, price("0.1"), shares(1_000)) == usd("2.025")


@pytest.mark.parametrize(("amount", "fee"), [(0, 0), (49, 0), (50, 10), (149, 10), (150, 20), (151, 20)])
def test_rounding_is_half_up_at_the_fifth_decimal(amount: int, fee: int) -> None:
    """At a rate of 0.4 and a price of 0.5 a share costs 0.1: 50 millionths of a share owe half a step."""
    assert taker_fee(FeeSchedule(rate=400_000), price("0.5"), Shares(amount)) == fee


def test_makers_pay_nothing() -> None:
    for side in Side:
        assert fee_of_fill(CRYPTO, side, Liquidity.MAKER, price("0.5"), shares(100)) is NO_FEE


def test_takers_pay_in_cash_today() -> None:
    for side in Side:
        fee = fee_of_fill(CRYPTO, side, Liquidity.TAKER, price("0.5"), shares(100))
        assert fee == Fee(usd("1.75"), Shares(0))


def test_before_april_a_buy_paid_in_shares_and_a_sell_in_cash() -> None:
    bought = fee_of_fill(OLD_CRYPTO, Side.BUY, Liquidity.TAKER, price("0.5"), shares(100))
    assert bought == Fee(Usd(0), shares("3.125"))
    sold = fee_of_fill(OLD_CRYPTO, Side.SELL, Liquidity.TAKER, price("0.5"), shares(100))
    assert sold == Fee(usd("1.5625"), Shares(0))


def test_a_fee_in_shares_is_rounded_down() -> None:
    """0.08 USD at 0.3 are 0.266666... shares."""
    fee = fee_of_fill(OLD_CRYPTO, Side.BUY, Liquidity.TAKER, price("0.3"), shares("7.256236"))
    assert fee.usd == 0
    assert fee.shares == usd("0.08") * MICRO // price("0.3") == 266_666


@pytest.mark.parametrize("schedule", [CRYPTO, OLD_CRYPTO, FeeSchedule(rate=0), FeeSchedule(rate=999_999)])
@pytest.mark.parametrize("size", ["0.000001", "0.01", "5", "5.62", "3333.33"])
def test_our_fee_is_the_exchanges_own_at_every_price(schedule: FeeSchedule, size: str) -> None:
    facts = MarketFacts(
        id=MarketId("0xm"),
        up_token=TokenId("1"),
        down_token=TokenId("2"),
        fee_rate=schedule.rate,
        fee_exponent=schedule.exponent,
    )
    for at in range(100, MICRO, 4_900):
        assert taker_fee(schedule, Price(at), shares(size)) == exchange_fee(facts, Price(at), shares(size)), at


@pytest.mark.parametrize(
    "wrong",
    [{"rate": -1}, {"rate": MICRO}, {"rate": 0, "exponent": 0}, {"rate": 0, "exponent": 3}, {"rate": 0, "exponent": -1}]
    + [{"rate": 0, "rebate_rate": rebate} for rebate in (-1, MICRO + 1)],
)
def test_an_unknown_curve_is_refused_by_name(wrong: dict[str, int]) -> None:
    with pytest.raises(NotSupported, match="this market is not traded"):
        FeeSchedule(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("edge", [{"rate": 0}, {"rate": MICRO - 1, "exponent": 2}, {"rate": 0, "rebate_rate": MICRO}])
def test_the_edges_of_a_known_curve_are_accepted(edge: dict[str, int]) -> None:
    assert FeeSchedule(**edge).rate == edge["rate"]  # type: ignore[arg-type]


# --- the worst fee -----------------------------------------------------------------------------------------------


def test_only_an_order_that_may_take_cash_for_a_fee_reserves_one() -> None:
    assert worst_fee(CRYPTO, selling()) == 0, "out of the proceeds"
    assert worst_fee(CRYPTO, terms(post_only=True)) == 0
    assert worst_fee(OLD_CRYPTO, taking()) == 0, "out of the shares"
    assert worst_fee(CRYPTO, taking("0.5", "100")) >= usd("3.5")
    assert worst_fee(CRYPTO, terms("0.5", "100")) >= usd("3.5"), "a resting BUY may cross on arrival"


def test_the_worst_fee_is_that_of_the_lowest_price() -> None:
    """50 USD at 0.5 may fill at 0.05, where 1,000 shares pay 3.325 and not the 1.75 of the limit."""
    wanted = taking("0.5", "100")
    assert taker_fee(CRYPTO, price("0.05"), shares(1_000)) > taker_fee(CRYPTO, price("0.5"), shares(100))
    assert worst_fee(CRYPTO, wanted) >= taker_fee(CRYPTO, price("0.01"), shares(5_000))


def test_many_small_fills_round_up_one_by_one() -> None:
    """A hundred fills of a hundredth of a share at 0.01: each fee of 0.0000069 is charged as 0.00001, together 10 % of
    the stake where the rate is 7 %. One step for all of them was not enough.
    """
    wanted = taking("0.01", "1")
    paid = sum(taker_fee(CRYPTO, price("0.01"), shares("0.01")) for _ in range(100))
    assert paid == usd("0.001") > wanted.spend * 7 // 100
    assert worst_fee(CRYPTO, wanted) >= paid


def test_the_worst_fee_stays_near_the_rate() -> None:
    """Half a cent for the rounding of a thousand fills, no more: a reservation that is too large stops entries."""
    assert worst_fee(CRYPTO, taking("0.5", "200")) == usd("7") + usd("0.005")


@pytest.mark.parametrize("cost", ["0.006", "1", "4.737501", "500"])
def test_what_may_be_spent_within_a_cost_leaves_room_for_the_worst_fee_and_no_more(cost: str) -> None:
    spend = spend_within(CRYPTO, usd(cost))
    least, more = (replace(taking("0.5", "100"), shares=Shares(2 * one)) for one in (spend, spend + 2))
    assert least.spend + worst_fee(CRYPTO, least) <= usd(cost) < more.spend + worst_fee(CRYPTO, more)


def test_all_of_a_cost_may_be_spent_where_no_cash_is_taken_as_a_fee() -> None:
    assert spend_within(OLD_CRYPTO, usd(5)) == usd(5), "out of the shares"
    assert spend_within(None, usd(5)) == usd(5), "unknown: risk lets nothing through"
    assert spend_within(CRYPTO, usd("0.004")) == 0
