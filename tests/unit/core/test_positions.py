"""Holdings and profit as a fold over trades."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.fees import NO_FEE, fee_of_fill
from polystra.core.markets import Payout
from polystra.core.orders import Order
from polystra.core.positions import FLAT, Adjustment, Holding, MarketPosition, position_of
from polystra.core.terms import Liquidity, Outcome, Side, TradeStage
from polystra.core.units import Instant, Shares, price, seconds, shares, usd
from tests.unit.core.samples import CRYPTO, NOON, OLD_CRYPTO, fill, order, selling, terms

UP_WINS, DOWN_WINS, VOID = Payout(usd(1)), Payout(usd(0)), Payout(usd("0.5"))


def after(length: float) -> Instant:
    return Instant(NOON + seconds(length))


def up(*orders: Order) -> Holding:
    return position_of(orders).up


def bought(at: str, size: str, number: int = 1, when: float = 0, **changes: Any) -> Order:
    return order(terms(at, size), number, fills=(fill(at, size, at=after(when), **changes),))


def sold(at: str, size: str, number: int = 2, when: float = 1, **changes: Any) -> Order:
    return order(selling(at, size), number, fills=(fill(at, size, at=after(when), **changes),))


def test_nothing_is_flat() -> None:
    assert position_of(()) == FLAT
    assert FLAT.flat
    assert FLAT.up.entry_price is None
    assert (FLAT.locked, FLAT.redeemable(UP_WINS), FLAT.pnl(UP_WINS)) == (0, 0, 0)


def test_two_buys_average() -> None:
    """5.62 @ 0.72 + 5.62 @ 0.85 = 11.24 @ 0.785 (the numbers of S6)."""
    held = up(bought("0.72", "5.62", 1), bought("0.85", "5.62", 2, when=60))
    assert (held.shares, held.entry_price) == (shares("11.24"), price("0.785"))
    assert held.cost == held.paid == usd("8.8234")


def test_a_scale_in_does_not_make_a_holding_younger() -> None:
    assert up(bought("0.72", "5.62", 1), bought("0.85", "5.62", 2, when=60)).opened_at == NOON
    assert FLAT.up.opened_at is None


def test_a_holding_begins_anew_after_everything_was_sold() -> None:
    first, sale = bought("0.50", "6"), sold("0.60", "6", when=30)
    assert up(first, sale, bought("0.55", "6", 3, when=60)).opened_at == after(60)
    part = sold("0.60", "5.99", when=30)
    assert up(first, part, bought("0.55", "6", 3, when=60)).opened_at == NOON


def test_a_second_pass_over_the_same_trades_makes_no_change() -> None:
    """The idea of S28.A2: a fold has no memory to go wrong."""
    both = (bought("0.72", "5.62", 1), bought("0.85", "5.62", 2))
    assert position_of(both) == position_of(both) == position_of(reversed(both))


def test_a_sale_leaves_the_average_and_realises_the_rest() -> None:
    held = up(bought("0.50", "10"), sold("0.60", "4"))
    assert (held.shares, held.settled) == (shares(6), -shares(4)), "the purchase is not mined, the sale is promised"
    assert (held.cost, held.entry_price) == (usd(3), price("0.50"))
    assert held.realised == usd("0.4")


def test_the_last_sale_takes_whatever_cost_is_left() -> None:
    """Three thirds of a cost that three does not divide: no millionth stays behind."""
    one = order(terms("0.333333", "1"), 1, fills=(fill("0.333333", "1"),))
    thirds = [sold("0.40", "0.333333", 2, 1), sold("0.40", "0.333333", 3, 2), sold("0.40", "0.333334", 4, 3)]
    held = up(one, *thirds)
    assert (held.shares, held.cost, held.paid) == (0, 0, 0)
    proceeds = sum(sale.fills[0].value for sale in thirds)
    assert held.realised == proceeds - one.fills[0].value
    assert held.entry_price is None


def test_fees_in_cash_are_cost_and_not_price() -> None:
    held = up(bought("0.50", "10", fee_usd=usd("0.175"), liquidity=Liquidity.TAKER))
    assert (held.paid, held.cost, held.fees) == (usd(5), usd("5.175"), usd("0.175"))
    assert held.entry_price == price("0.50")


def test_a_fee_of_a_sale_is_taken_from_its_proceeds() -> None:
    held = up(bought("0.50", "10"), sold("0.60", "10", fee_usd=usd("0.168")))
    assert (held.realised, held.fees, held.cost) == (usd("0.832"), usd("0.168"), 0)


def test_fees_in_shares_make_fewer_shares_for_the_same_money() -> None:
    """The old era: 6 bought at 0.55, 5.9075 held (S28.A3), and cost is what was paid."""
    held = up(bought("0.55", "6", fee_shares=shares("0.0925"), stage=TradeStage.MINED))
    assert (held.shares, held.settled, held.bought) == (shares("5.9075"),) * 3
    assert (held.cost, held.paid, held.fees) == (usd("3.3"), usd("3.3"), 0)
    assert held.entry_price == 558_611, "3.3 / 5.9075: the price of the shares held"


def test_shares_that_vanished_leave_without_their_cost() -> None:
    """S28.A3 read back later: wallet 5.9075 of 6; the fee shows as cost."""
    lost = Adjustment(outcome=Outcome.UP, shares=Shares(-shares("0.0925")), at=after(30))
    held = position_of([bought("0.55", "6", stage=TradeStage.MINED)], [lost]).up
    assert (held.shares, held.settled, held.cost) == (shares("5.9075"), shares("5.9075"), usd("3.3"))


def test_an_adjustment_counts_from_its_own_time_on() -> None:
    """All 5.9075 that were left are sold: no cost may stay on a market that holds nothing. It did while adjustments
    were folded after all trades, whenever they happened.
    """
    lost = Adjustment(outcome=Outcome.UP, shares=Shares(-shares("0.0925")), at=after(30))
    position = position_of([bought("0.55", "6"), sold("0.60", "5.9075", when=60)], [lost])
    held = position.up
    assert (held.shares, held.cost, held.paid) == (0, 0, 0)
    assert held.realised == usd("3.5445") - usd("3.3")
    assert position.flat


def test_an_adjustment_after_a_sale_does_not_change_what_that_sale_realised() -> None:
    trades = [bought("0.50", "6"), sold("0.60", "3")]
    lost = Adjustment(outcome=Outcome.UP, shares=Shares(-shares("0.05")), at=after(30))
    before, later = position_of(trades).up, position_of(trades, [lost]).up
    assert (later.realised, later.cost) == (before.realised, before.cost)
    assert later.shares == before.shares - shares("0.05")


def test_an_adjustment_at_the_moment_of_a_trade_comes_after_it() -> None:
    lost = Adjustment(outcome=Outcome.UP, shares=Shares(-shares("0.05")), at=NOON)
    assert position_of([bought("0.50", "6")], [lost]).up.shares == shares("5.95")


def test_an_adjustment_of_one_outcome_leaves_the_other_alone() -> None:
    lost = Adjustment(outcome=Outcome.DOWN, shares=Shares(-1), at=NOON)
    assert position_of([bought("0.50", "6")], [lost]).up == up(bought("0.50", "6"))


@pytest.mark.parametrize("stage", TradeStage, ids=lambda stage: stage.name)
def test_only_what_reached_the_chain_is_settled(stage: TradeStage) -> None:
    held = up(bought("0.50", "6", stage=stage))
    assert held.shares == (0 if stage is TradeStage.FAILED else shares(6))
    assert held.settled == (shares(6) if stage in (TradeStage.MINED, TradeStage.CONFIRMED) else 0)


def test_a_failed_sale_gives_the_shares_and_their_cost_back() -> None:
    """Matched, then FAILED: as if it had never been (C2.A2)."""
    entry = bought("0.50", "6", stage=TradeStage.CONFIRMED)
    assert up(entry, sold("0.60", "6", stage=TradeStage.FAILED)) == up(entry)


def test_a_failed_purchase_leaves_nothing() -> None:
    assert position_of([bought("0.50", "6", stage=TradeStage.FAILED)]) == FLAT


def test_trades_are_folded_in_the_order_they_happened_whatever_order_they_are_kept_in() -> None:
    buys = order(terms("0.60", "20"), 1, fills=(fill("0.60", "10", at=after(9)), fill("0.50", "10", at=after(1))))
    sale = sold("0.70", "10", when=5)
    assert up(buys, sale).realised == usd(2), "the ten of 0.50 were sold, those of 0.60 came later"
    assert up(buys, sale).entry_price == price("0.60")
    assert up(sale, buys) == up(buys, sale)


def test_at_one_moment_the_older_order_counts_first() -> None:
    """An entry has a lower number than the exit that sells it; venue times are whole seconds."""
    entry, exit_ = bought("0.50", "6", 1, when=1), sold("0.60", "6", 2, when=1)
    assert up(exit_, entry).realised == usd("0.6")
    assert up(exit_, entry).cost == 0


def test_a_sale_stamped_before_its_purchase_keeps_the_sum_of_money() -> None:
    """Clocks of two sources may disagree. The split is then off, what the market brought is not."""
    position = position_of([bought("0.50", "6", 1, when=2), sold("0.60", "6", 2, when=1)])
    assert position.flat
    assert position.pnl(UP_WINS) == position.pnl(DOWN_WINS) == usd("0.6")


def test_the_two_outcomes_are_kept_apart_and_pairs_are_locked() -> None:
    down = order(terms("0.45", "4", outcome=Outcome.DOWN), 2, fills=(fill("0.45", "4"),))
    position = position_of([bought("0.50", "6", 1), down])
    assert (position.of(Outcome.UP).shares, position.of(Outcome.DOWN).shares) == (shares(6), shares(4))
    assert position.of(Outcome.UP).outcome is Outcome.UP
    assert position.of(Outcome.DOWN).outcome is Outcome.DOWN
    assert position.locked == shares(4)
    assert not position.flat


@pytest.mark.parametrize(
    ("payout", "redeemable", "pnl"), [(UP_WINS, "6", "1.2"), (DOWN_WINS, "4", "-0.8"), (VOID, "5", "0.2")]
)
def test_what_a_market_brought_is_claims_and_sales_less_all_cost(payout: Payout, redeemable: str, pnl: str) -> None:
    down = order(terms("0.45", "4", outcome=Outcome.DOWN), 2, fills=(fill("0.45", "4"),))
    position = position_of([bought("0.50", "6", 1), down])
    assert position.redeemable(payout) == usd(redeemable)
    assert position.pnl(payout) == usd(pnl)


def test_a_sold_out_market_brought_the_same_whoever_wins() -> None:
    position = position_of([bought("0.50", "6"), sold("0.60", "6")])
    assert position.pnl(UP_WINS) == position.pnl(DOWN_WINS) == usd("0.6")
    assert MarketPosition(position.up, position.down) == position


def test_fees_of_both_eras_meet_the_fold() -> None:
    """The same purchase: 1.75 of fee in cash, or 3.5 shares fewer at half a USD each."""
    today = fee_of_fill(CRYPTO, Side.BUY, Liquidity.TAKER, price("0.5"), shares(100))
    then = fee_of_fill(
        replace(OLD_CRYPTO, rate=70_000, exponent=1), Side.BUY, Liquidity.TAKER, price("0.5"), shares(100)
    )
    assert (today.usd, then.shares) == (usd("1.75"), shares("3.5"))
    assert (NO_FEE.usd, NO_FEE.shares) == (0, 0)
    one = up(bought("0.50", "100", fee_usd=today.usd))
    other = up(bought("0.50", "100", fee_shares=then.shares))
    assert one.cost - other.cost == usd("1.75")
    assert one.shares - other.shares == shares("3.5")
