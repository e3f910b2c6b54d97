"""Balances and settlement: what is spendable when, the cached view, fees in both eras, failed trades taken back."""

from __future__ import annotations

import pytest

from polystra.core.terms import Outcome, Side, TimeInForce, TradeStage
from polystra.core.units import Nanos, Usd, price, shares, usd
from polystra.sim import messages as m
from polystra.sim.latency import fixed
from polystra.sim.records import STREET, VENUE, Balances
from polystra.sim.rules import Rules
from tests.unit.sim.bench import ANN, BOB, DOWN, MARKET, OTHER, PUNCTUAL, SECOND, UP, Bench, fills, of, only

BUY, SELL = Side.BUY, Side.SELL
STAGES = {"mined_after": fixed(Nanos(3 * SECOND)), "confirmed_after": fixed(Nanos(4 * SECOND))}
LAG = {"balance_lag": fixed(Nanos(SECOND)), "cross_rate": 0.5}


def stages(outputs: list[m.Output]) -> list[TradeStage]:
    return [update.trade.stage for update in of(outputs, m.TradeUpdated)]


# --- settlement


def test_a_trade_is_matched_then_mined_then_confirmed() -> None:
    bench = Bench()
    bench.book({}, {"0.50": "10"})
    assert stages(bench.buy("0.50", "10")) == [TradeStage.MATCHED]
    assert bench.wait(2.9) == []
    mined = only(bench.wait(0.1), m.TradeUpdated).trade
    assert (mined.stage, mined.updated_at - mined.matched_at) == (TradeStage.MINED, 3 * SECOND)
    assert stages(bench.wait(10)) == [TradeStage.CONFIRMED]
    assert bench.exchange.next_due() is None


def test_bought_shares_can_be_sold_when_they_are_mined_and_the_cache_has_seen_them() -> None:
    bench = Bench()
    bench.book({"0.40": "50"}, {"0.50": "10"})
    bench.buy("0.50", "10")
    poor = "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 10000000"
    for wait in (0.0, 3.0, 0.9):
        bench.wait(wait)
        assert only(bench.sell("0.60", "10"), m.OrderRejected).text == poor
    assert bench.held() == shares(10)
    bench.wait(0.1)
    assert of(bench.sell("0.60", "10"), m.OrderAccepted)


def test_proceeds_can_be_spent_when_they_are_mined_and_seen() -> None:
    bench = Bench()
    bench.split("100")
    bench.book({"0.50": "100"}, {})
    bench.sell("0.50", "100")
    assert bench.cash() == usd(50)
    assert of(bench.buy("0.40", "10"), m.OrderRejected)
    bench.wait(4)
    assert of(bench.buy("0.40", "10"), m.OrderAccepted)


def test_the_cached_balance_lags_behind_and_a_refresh_catches_up_with_what_is_mined() -> None:
    bench = Bench()
    bench.book({}, {"0.50": "10", "0.60": "10"})
    bench.buy("0.50", "10")
    before = Balances(cash=usd(100), shares=())
    assert bench.exchange.balances(ANN) == before
    bench.tell(m.RefreshBalances(account=ANN))
    assert bench.exchange.balances(ANN) == before
    bench.wait(3)
    assert bench.exchange.balances(ANN) == before
    bench.buy("0.60", "10")
    bench.tell(m.RefreshBalances(account=ANN))
    after = Balances(cash=usd(95), shares=((UP, shares(10)),))
    assert bench.exchange.balances(ANN) == after
    assert (after.of(UP), after.of(DOWN)) == (shares(10), 0)
    bench.wait(1)
    assert bench.exchange.balances(ANN) == after
    assert bench.cash() == usd(89)
    bench.wait(10)
    assert bench.exchange.balances(ANN) == Balances(cash=usd(89), shares=((UP, shares(20)),))


def test_an_account_nobody_has_heard_of_has_nothing() -> None:
    bench = Bench()
    assert bench.exchange.balances(m.Account("0xnew")) == Balances(cash=usd(0), shares=())
    assert only(bench.buy("0.50", "10", account=m.Account("0xnew")), m.OrderRejected).http == 400


def test_the_truth_tells_settled_from_owned() -> None:
    bench = Bench()
    bench.split("10")
    bench.book({"0.40": "50"}, {"0.50": "10"})
    bench.buy("0.50", "10")
    bench.sell("0.40", "5")
    truth = bench.truth()
    assert (truth.cash, truth.settled) == (usd(87), usd(85))
    (up, down) = truth.holdings
    assert (up.owned, up.settled, down.owned) == (shares(15), shares(5), shares(10))
    bench.wait(3)
    assert bench.truth().settled == usd(87)


# --- failures


def failing(rate: float = 1.0, retry: float = 0.0, **facts: int) -> Bench:
    return Bench(rules=Rules(failure_rate=rate, retry_rate=retry, **STAGES, **LAG), **facts)  # type: ignore[arg-type]


def test_a_failed_trade_is_taken_back_to_the_last_millionth() -> None:
    bench = failing(fee_rate=70_000)
    bench.split("20")
    bench.book({"0.40": "50"}, {"0.50": "10"})
    before = {account.account: account for account in bench.exchange.truth().accounts}
    bench.buy("0.50", "10")
    bench.sell("0.40", "7")
    bench.buy("0.41", "10", outcome=Outcome.DOWN, account=BOB)
    bench.buy("0.59", "10")
    assert stages(bench.wait(3))[0] is TradeStage.RETRYING
    assert TradeStage.FAILED in stages(bench.wait(4))
    truth = bench.exchange.truth()
    assert {trade.stage for trade in truth.trades} == {TradeStage.FAILED}
    assert len(truth.trades) == 3
    for account in (ANN, BOB):
        assert truth.account(account).cash == before[account].cash
        for token in (UP, DOWN):
            assert truth.account(account).of(token) == before[account].of(token)
    assert (truth.fees, truth.remainders, truth.account(VENUE).cash) == (0, 0, 0)
    (supply,) = truth.supply
    assert int(supply.up) == int(supply.down) == int(supply.collateral)
    assert bench.exchange.balances(ANN) == Balances(cash=usd(80), shares=((UP, shares(20)), (DOWN, shares(20))))
    assert of(bench.buy("0.20", "350"), m.OrderAccepted)


def test_a_failed_part_leaves_the_order_smaller_not_whole_again() -> None:
    bench = failing()
    bench.book({}, {"0.50": "4"})
    bench.buy("0.50", "10")
    bench.wait(10)
    (order,) = bench.exchange.open_orders(ANN)
    assert (order.matched, order.remaining, order.size) == (0, shares(6), shares(10))
    assert bench.bids() == {price("0.50"): shares(6)}


def test_a_retried_trade_may_still_be_mined() -> None:
    bench = failing(rate=0.0, retry=1.0)
    bench.book({}, {"0.50": "10"})
    bench.buy("0.50", "10")
    assert stages(bench.wait(3)) == [TradeStage.RETRYING]
    assert stages(bench.wait(3)) == [TradeStage.MINED]
    assert stages(bench.wait(4)) == [TradeStage.CONFIRMED]
    assert bench.held() == shares(10)


def test_some_trades_fail_some_are_retried_most_go_through() -> None:
    bench = failing(rate=0.2, retry=0.2)
    bench.tell(m.Deposit(account=ANN, amount=usd(1000)))
    for _ in range(60):
        bench.level(SELL, "0.50", "10")
        bench.buy("0.50", "10")
        bench.level(SELL, "0.50", "0")
    seen = stages(bench.wait(60))
    failed, retried = seen.count(TradeStage.FAILED), seen.count(TradeStage.RETRYING)
    assert 0 < failed < retried < 60
    assert seen.count(TradeStage.CONFIRMED) == 60 - failed
    assert bench.held() == shares(10 * (60 - failed))


# --- fees


def test_a_taker_pays_on_top_of_a_buy_and_out_of_a_sale_and_a_maker_nothing() -> None:
    bench = Bench(fee_rate=70_000)
    bench.book({"0.50": "100"}, {"0.60": "100"})
    bench.split("50")
    bench.buy("0.60", "10")
    assert bench.cash() == usd(50) - usd(6) - usd("0.168")
    bench.sell("0.50", "10")
    assert bench.cash() == usd(50) - usd(6) - usd("0.168") + usd(5) - usd("0.175")
    bench.buy("0.55", "10")
    bench.level(SELL, "0.55", "10")
    assert bench.cash() == usd(50) - usd(6) - usd("0.168") + usd(5) - usd("0.175") - usd("5.5")
    truth = bench.exchange.truth()
    assert truth.fees == truth.account(VENUE).cash == usd("0.343")


def test_two_prices_are_two_trades_each_with_its_own_rounded_fee() -> None:
    bench = Bench(fee_rate=70_000)
    bench.book({}, {"0.50": "0.01", "0.51": "9.99"})
    outputs = bench.buy("0.51", "10")
    assert [update.own.fee for update in of(outputs, m.TradeUpdated)] == [usd("0.00018"), usd("0.17476")]


def test_in_the_older_era_a_taker_buy_gets_fewer_shares() -> None:
    bench = Bench(fee_rate=70_000, fee_in_shares=True)
    bench.book({"0.40": "100"}, {"0.50": "100"})
    outputs = bench.buy("0.50", "10")
    assert only(outputs, m.OrderAccepted).taking == shares(10)
    assert only(outputs, m.TradeUpdated).own.fee_shares == shares("0.35")
    assert (bench.held(), bench.cash()) == (shares("9.65"), usd(95))
    assert bench.held(account=VENUE) == shares("0.35")
    bench.wait(10)
    bench.sell("0.40", "9.65")
    assert bench.cash() == usd(95) + usd("3.86") - usd("0.16212")
    (supply,) = bench.exchange.truth().supply
    assert int(supply.up) == int(supply.down) == int(supply.collateral)


def test_a_buy_that_cannot_pay_its_fee_is_refused() -> None:
    bench = Bench(fee_rate=70_000)
    bench.book({}, {"0.50": "300"})
    rejected = only(bench.take(BUY, "0.50", "200"), m.OrderRejected)
    assert rejected.text == (
        "not enough balance / allowance: the balance is not enough -> balance: 100000000, order amount: 103500000"
    )
    assert bench.exchange.truth().trades == ()
    assert fills(bench.take(BUY, "0.50", "190"))


def test_a_buy_must_afford_its_matches_their_fees_and_what_rests() -> None:
    bench = Bench(fee_rate=70_000)
    bench.book({}, {"0.50": "10"})
    assert of(bench.buy("0.50", "200"), m.OrderRejected)
    assert of(bench.buy("0.50", "199.65"), m.OrderAccepted)
    assert bench.truth().reserved == usd("94.825")
    assert bench.cash() == usd(100) - usd("5.175")


# --- pairs, deposits, redemption


def test_a_split_locks_collateral_and_a_merge_gives_it_back() -> None:
    bench = Bench()
    outputs = bench.tell(m.Split(account=ANN, market=MARKET, shares=shares(10)))
    assert only(outputs, m.CashMoved).cash == -usd(10)
    assert (bench.held(UP), bench.held(DOWN), bench.cash()) == (shares(10), shares(10), usd(90))
    outputs = bench.tell(m.Merge(account=ANN, market=MARKET, shares=shares(4)))
    assert only(outputs, m.CashMoved).cash == usd(4)
    assert (bench.held(UP), bench.held(DOWN), bench.cash()) == (shares(6), shares(6), usd(94))


@pytest.mark.parametrize("pairs", ["100.01", "0", "-1"])
def test_a_split_beyond_the_cash_is_refused(pairs: str) -> None:
    bench = Bench()
    assert only(bench.tell(m.Split(account=ANN, market=MARKET, shares=shares(pairs))), m.RequestRejected).http == 400
    assert bench.cash() == usd(100)


@pytest.mark.parametrize("pairs", ["5.01", "0", "-1"])
def test_a_merge_beyond_what_is_free_of_both_is_refused(pairs: str) -> None:
    bench = Bench()
    bench.split("10")
    bench.sell("0.60", "5", outcome=Outcome.DOWN)
    assert only(bench.tell(m.Merge(account=ANN, market=MARKET, shares=shares(pairs))), m.RequestRejected).http == 400
    assert bench.held(UP) == shares(10)
    assert only(bench.tell(m.Merge(account=ANN, market=MARKET, shares=shares(5))), m.CashMoved).cash == usd(5)


def test_a_transfer_moves_shares_and_nothing_else() -> None:
    bench = Bench()
    bench.split("10")
    away = m.Account("somebody else")
    assert bench.tell(m.Transfer(account=ANN, to=away, token=UP, shares=shares(4))) == []
    assert (bench.held(UP), bench.held(DOWN), bench.cash()) == (shares(6), shares(10), usd(90))
    assert bench.exchange.truth().account(away).of(UP) == shares(4)


@pytest.mark.parametrize("size", ["5.01", "0", "-1"])
def test_a_transfer_beyond_what_is_free_is_refused(size: str) -> None:
    bench = Bench()
    bench.split("10")
    bench.sell("0.60", "5")
    away = m.Account("somebody else")
    refused = bench.tell(m.Transfer(account=ANN, to=away, token=UP, shares=shares(size)))
    assert only(refused, m.RequestRejected).http == 400
    assert bench.held(UP) == shares(10)


def test_resolution_cancels_what_rests_and_a_redemption_pays_once() -> None:
    bench = Bench()
    bench.book({}, {"0.50": "10"})
    bench.buy("0.50", "10")
    bench.buy("0.30", "10", outcome=Outcome.DOWN)
    bench.wait(10)
    early = only(bench.tell(m.Redeem(account=ANN, market=MARKET)), m.RequestRejected)
    assert early.text == "market 0xmarket is not resolved"
    outputs = bench.tell(m.Resolve(market=MARKET, up_payout=usd(1)))
    assert [update.status for update in of(outputs, m.OrderUpdated)] == ["CANCELED_MARKET_RESOLVED"]
    assert only(outputs, m.PublicResolution).up_payout == usd(1)
    assert only(bench.tell(m.Redeem(account=ANN, market=MARKET)), m.CashMoved).cash == usd(10)
    assert only(bench.tell(m.Redeem(account=ANN, market=MARKET)), m.CashMoved).cash == 0
    assert (bench.cash(), bench.held()) == (usd(105), 0)


def test_only_orders_of_the_resolved_market_are_cancelled() -> None:
    bench = Bench()
    bench.tell(m.ListMarket(market=OTHER))
    bench.buy("0.30", "10")
    bench.order(BUY, "0.30", "10", token=OTHER.up_token)
    bench.tell(m.Resolve(market=MARKET, up_payout=usd(0)))
    assert [order.id for order in bench.exchange.open_orders(ANN)] == ["o2"]


def test_the_loser_gets_nothing_and_a_void_market_pays_half() -> None:
    for payout, paid in ((usd(0), usd(0)), (usd("0.5"), usd(5)), (usd(1), usd(10))):
        bench = Bench()
        bench.book({}, {"0.50": "10"})
        bench.buy("0.50", "10")
        bench.wait(10)
        bench.tell(m.Resolve(market=MARKET, up_payout=payout))
        assert only(bench.tell(m.Redeem(account=ANN, market=MARKET)), m.CashMoved).cash == paid


def test_shares_mined_after_a_redemption_are_redeemed_by_the_next() -> None:
    bench = Bench(rules=PUNCTUAL)
    bench.split("5")
    bench.book({}, {"0.50": "10"})
    bench.buy("0.50", "10")
    bench.tell(m.Resolve(market=MARKET, up_payout=usd(1)))
    assert only(bench.tell(m.Redeem(account=ANN, market=MARKET)), m.CashMoved).cash == usd(5)
    bench.wait(3)
    assert only(bench.tell(m.Redeem(account=ANN, market=MARKET)), m.CashMoved).cash == usd(10)
    bench.wait(10)
    assert bench.exchange.balances(ANN) == Balances(cash=usd(105), shares=())


def test_all_cash_and_collateral_add_up_to_the_deposits() -> None:
    bench = Bench(fee_rate=70_000)
    bench.book({"0.47": "3.21"}, {"0.53": "7.77", "0.54": "50"})
    bench.take(BUY, "0.54", "20", maker_amount=10_010_000, taker_amount=18_537_000)
    bench.wait(10)
    bench.take(SELL, "0.47", "3.21")
    truth = bench.exchange.truth()
    assert truth.deposited == usd(200)
    assert sum(account.cash for account in truth.accounts) + truth.supply[0].collateral == usd(200)
    assert truth.account(STREET).cash < 0
    assert all(holding.owned >= 0 for account in truth.accounts for holding in account.holdings)


def test_a_killed_order_moves_nothing() -> None:
    bench = Bench()
    bench.book({}, {"0.50": "5"})
    before = bench.exchange.truth()
    bench.buy("0.50", "10", time_in_force=TimeInForce.FOK)
    assert bench.exchange.truth() == before
    assert before.deposited == Usd(usd(200))
