"""Who trades with whom, at what price, and how a trade changes book, shares and money."""

from __future__ import annotations

import pytest

from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import Price, price, shares, usd
from polystra.sim import messages as m
from polystra.sim.records import STREET, VENUE
from polystra.sim.rules import Rules
from tests.unit.sim.bench import ANN, BOB, DOWN, MARKET, UP, Bench, fills, of, only

BUY, SELL = Side.BUY, Side.SELL


# --- against the background


def test_a_buy_takes_the_background_at_its_prices_best_first() -> None:
    bench = Bench()
    bench.book({"0.50": "50"}, {"0.53": "40", "0.52": "10"})
    outputs = bench.buy("0.53", "30")
    assert fills(outputs) == [("BUY", "UP", 520_000, 10_000_000), ("BUY", "UP", 530_000, 20_000_000)]
    accepted = only(outputs, m.OrderAccepted)
    assert (accepted.status, accepted.making, accepted.taking) == ("matched", usd("15.8"), shares(30))
    assert accepted.trades == tuple(update.trade.id for update in of(outputs, m.TradeUpdated))
    assert (bench.cash(), bench.held()) == (usd("84.2"), shares(30))
    assert bench.asks() == {price("0.53"): shares(20)}


def test_a_buy_of_down_takes_the_bids_of_up() -> None:
    bench = Bench()
    bench.book({"0.53": "10", "0.52": "10"}, {})
    outputs = bench.buy("0.48", "15", outcome=Outcome.DOWN)
    assert fills(outputs) == [("BUY", "DOWN", 470_000, 10_000_000), ("BUY", "DOWN", 480_000, 5_000_000)]
    assert bench.held(DOWN) == shares(15)
    assert bench.cash() == usd(100) - usd("7.1")
    assert bench.bids() == {price("0.52"): shares(5)}


def test_a_sale_of_down_takes_the_asks_of_up() -> None:
    bench = Bench()
    bench.split("20")
    bench.book({}, {"0.53": "10"})
    outputs = bench.sell("0.40", "8", outcome=Outcome.DOWN)
    assert fills(outputs) == [("SELL", "DOWN", 470_000, 8_000_000)]
    assert (bench.held(DOWN), bench.held(UP)) == (shares(12), shares(20))
    assert bench.cash() == usd("83.76")
    assert bench.asks() == {price("0.53"): shares(2)}


def test_what_we_took_stays_taken_until_the_recording_states_the_level_anew() -> None:
    bench = Bench()
    bench.book({}, {"0.52": "30", "0.53": "5"})
    bench.buy("0.52", "30")
    assert bench.asks() == {price("0.53"): shares(5)}
    bench.book({}, {"0.52": "30", "0.53": "5"})
    assert bench.asks() == {price("0.53"): shares(5)}
    bench.level(SELL, "0.52", "30")
    assert bench.asks() == {price("0.53"): shares(5)}
    bench.book({}, {"0.52": "29", "0.53": "5"})
    assert bench.asks() == {price("0.52"): shares(29), price("0.53"): shares(5)}


def test_a_taken_level_that_goes_and_comes_back_is_whole() -> None:
    bench = Bench()
    bench.book({"0.40": "8"}, {"0.52": "30"})
    bench.buy("0.52", "10")
    assert bench.asks() == {price("0.52"): shares(20)}
    bench.level(SELL, "0.52", "0")
    assert bench.asks() == {}
    bench.level(SELL, "0.52", "30")
    assert bench.asks() == {price("0.52"): shares(30)}
    assert bench.bids() == {price("0.40"): shares(8)}


def test_level_changes_keep_the_best_price_right() -> None:
    bench = Bench()
    bench.tell(m.Publish(market=MARKET))
    best = [
        (levels.best_bid, levels.best_ask)
        for at, size in (("0.50", "5"), ("0.52", "5"), ("0.49", "5"), ("0.52", "0"), ("0.50", "0"), ("0.49", "0"))
        for levels in of(bench.level(BUY, at, size), m.PublicLevels)
    ]
    bids = [price(at) for at in ("0.50", "0.52", "0.52", "0.50", "0.49", "0")]
    assert best == [(bid, 1_000_000) for bid in bids]
    assert bench.level(BUY, "0.49", "0") == []


def test_the_street_may_stand_across_on_the_other_outcome_and_our_leg_stays_the_same() -> None:
    for rate, theirs in ((0.0, ("SELL", "UP", 520_000)), (1.0, ("BUY", "DOWN", 480_000))):
        bench = Bench(rules=Rules(cross_rate=rate))
        bench.book({}, {"0.52": "30"})
        update = only(bench.buy("0.52", "10"), m.TradeUpdated)
        assert (update.own.side, update.own.price, update.own.cash) == ("BUY", 520_000, usd("5.2"))
        maker = update.trade.maker
        assert maker.account == STREET
        assert (maker.side, maker.outcome, maker.price) == theirs
        assert maker.token == (UP if maker.outcome is Outcome.UP else DOWN)


# --- between clients


def test_transfer_a_buy_meets_a_sale_of_the_same_outcome() -> None:
    bench = Bench()
    bench.split("10", account=BOB)
    bench.sell("0.60", "10", account=BOB)
    outputs = bench.buy("0.65", "6")
    assert fills(outputs) == [("BUY", "UP", 600_000, 6_000_000)]
    assert fills(outputs, BOB) == [("SELL", "UP", 600_000, 6_000_000)]
    assert (bench.cash(), bench.cash(BOB)) == (usd("96.4"), usd("93.6"))
    assert (bench.held(), bench.held(account=BOB)) == (shares(6), shares(4))
    assert bench.exchange.truth().supply[0].collateral == usd(10)


def test_mint_a_buy_of_up_meets_a_buy_of_down() -> None:
    bench = Bench()
    bench.buy("0.40", "10", outcome=Outcome.DOWN, account=BOB)
    outputs = bench.buy("0.65", "10")
    assert fills(outputs) == [("BUY", "UP", 600_000, 10_000_000)]
    assert fills(outputs, BOB) == [("BUY", "DOWN", 400_000, 10_000_000)]
    assert (bench.cash(), bench.cash(BOB)) == (usd(94), usd(96))
    supply = bench.exchange.truth().supply[0]
    assert (supply.up, supply.down, supply.collateral) == (shares(10), shares(10), usd(10))


def test_merge_a_sale_of_up_meets_a_sale_of_down() -> None:
    bench = Bench()
    bench.split("10")
    bench.split("10", account=BOB)
    bench.sell("0.40", "10", outcome=Outcome.DOWN, account=BOB)
    outputs = bench.sell("0.55", "10")
    assert fills(outputs) == [("SELL", "UP", 600_000, 10_000_000)]
    assert (bench.cash(), bench.cash(BOB)) == (usd(96), usd(94))
    supply = bench.exchange.truth().supply[0]
    assert (supply.up, supply.down, supply.collateral) == (shares(10), shares(10), usd(10))


def test_a_mint_of_odd_millionths_leaves_the_remainder_with_the_venue() -> None:
    bench = Bench()
    bench.buy("0.47", "10", outcome=Outcome.DOWN, account=BOB)
    bench.order(BUY, "0.53", "5", time_in_force=TimeInForce.FAK, maker_amount=2_000_000, taker_amount=3_773_500)
    truth = bench.exchange.truth()
    (trade,) = truth.trades
    assert (trade.taker.shares, trade.taker.cash, trade.maker.cash) == (3_773_584, 1_999_999, 1_773_584)
    assert truth.supply[0].collateral == 3_773_584
    assert truth.remainders == truth.account(VENUE).cash == -1


def test_price_then_time_and_the_maker_gets_its_own_price() -> None:
    bench = Bench()
    bench.book({}, {"0.60": "5"})
    bench.split("30", account=BOB)
    bench.sell("0.60", "10", account=BOB)
    bench.sell("0.59", "10", account=BOB)
    bench.level(SELL, "0.60", "9")
    outputs = bench.buy("0.60", "22")
    assert fills(outputs) == [
        ("BUY", "UP", 590_000, shares(10)),
        ("BUY", "UP", 600_000, shares(5)),
        ("BUY", "UP", 600_000, shares(7)),
    ]
    assert fills(outputs, BOB) == [("SELL", "UP", 590_000, shares(10)), ("SELL", "UP", 600_000, shares(7))]
    assert bench.asks() == {price("0.60"): shares(4 + 3)}


def test_two_clients_at_one_level_are_served_in_time_with_the_background_between_them() -> None:
    bench = Bench()
    bench.book({"0.50": "10"}, {})
    bench.buy("0.50", "10")
    bench.level(BUY, "0.50", "30")
    bench.buy("0.50", "10", account=BOB)
    bench.split("60")
    bench.tell(m.Split(account=BOB, market=MARKET, shares=shares(60)))
    carl = bench.request(SELL, "0.50", "45", account=m.Account("0xcarl"))
    bench.tell(m.Deposit(account=carl.account, amount=usd(60)))
    bench.split("60", account=carl.account)
    outputs = bench.tell(carl)
    makers = [(u.trade.maker.account, u.own.shares) for u in of(outputs, m.TradeUpdated) if u.account == carl.account]
    assert makers == [
        (STREET, shares(10)),
        (ANN, shares(10)),
        (STREET, shares(20)),
        (BOB, shares(5)),
    ]


# --- an account never meets itself


def test_a_crossing_order_cancels_ones_own_resting_order_and_goes_on() -> None:
    bench = Bench()
    bench.book({}, {"0.61": "10"})
    bench.split("10")
    bench.sell("0.60", "10")
    outputs = bench.buy("0.61", "5")
    assert fills(outputs) == [("BUY", "UP", 610_000, shares(5))]
    gone = [update for update in of(outputs, m.OrderUpdated) if update.change is m.OrderChange.CANCELLATION]
    assert [(update.order.id, update.status) for update in gone] == [("o1", "CANCELED")]
    assert bench.exchange.open_orders(ANN) == ()


def test_a_buy_of_down_does_not_mint_with_ones_own_buy_of_up() -> None:
    bench = Bench()
    bench.buy("0.60", "10")
    outputs = bench.buy("0.45", "10", outcome=Outcome.DOWN)
    assert fills(outputs) == []
    assert [order.id for order in bench.exchange.open_orders(ANN)] == ["o2"]
    assert (bench.bids(), bench.asks()) == ({}, {price("0.55"): shares(10)})
    assert bench.truth().reserved == usd("4.5")


def test_a_killed_order_leaves_ones_own_resting_orders_alone() -> None:
    bench = Bench()
    bench.split("10")
    bench.sell("0.60", "10")
    for tif in (TimeInForce.FAK, TimeInForce.FOK):
        assert of(bench.buy("0.60", "10", time_in_force=tif), m.OrderRejected)
    assert [order.id for order in bench.exchange.open_orders(ANN)] == ["o1"]


# --- a recording that reaches a resting order


def test_a_stated_ask_at_our_bid_fills_us_at_our_price_up_to_its_size() -> None:
    bench = Bench()
    bench.book({"0.49": "10"}, {"0.52": "30"})
    bench.buy("0.50", "20")
    outputs = bench.book({"0.47": "10"}, {"0.48": "8", "0.52": "30"})
    assert fills(outputs) == [("BUY", "UP", 500_000, shares(8))]
    assert bench.bids() == {price("0.50"): shares(12), price("0.47"): shares(10)}
    assert bench.asks() == {price("0.52"): shares(30)}
    assert bench.book({"0.47": "10"}, {"0.48": "8", "0.52": "30"}) == []
    outputs = bench.level(SELL, "0.50", "40")
    assert fills(outputs) == [("BUY", "UP", 500_000, shares(12))]
    assert bench.asks() == {price("0.50"): shares(28), price("0.52"): shares(30)}


def test_a_stated_bid_at_our_ask_fills_the_best_of_us_first() -> None:
    bench = Bench()
    bench.split("20")
    bench.split("20", account=BOB)
    bench.sell("0.56", "10")
    bench.sell("0.55", "10", account=BOB)
    outputs = bench.level(BUY, "0.56", "13")
    assert fills(outputs, BOB) == [("SELL", "UP", 550_000, shares(10))]
    assert fills(outputs) == [("SELL", "UP", 560_000, shares(3))]
    assert bench.asks() == {price("0.56"): shares(7)}
    assert bench.bids() == {}


def test_a_closed_market_matches_nothing_but_still_cancels() -> None:
    bench = Bench()
    bench.buy("0.50", "20")
    bench.tell(m.CloseMarket(market=MARKET))
    assert fills(bench.level(SELL, "0.45", "40")) == []
    assert fills(bench.trade("0.40", "40")) == []
    assert only(bench.cancel("o1"), m.CancelAnswered).canceled == ("o1",)


# --- immediate orders


def test_an_immediate_buy_spends_its_cash_and_a_better_price_buys_more() -> None:
    bench = Bench()
    bench.book({}, {"0.40": "100"})
    outputs = bench.take(BUY, "0.50", "20")
    accepted = only(outputs, m.OrderAccepted)
    assert (accepted.making, accepted.taking) == (usd(10), shares(25))


def test_an_immediate_buy_stops_when_what_is_left_buys_less_than_a_speck() -> None:
    bench = Bench()
    bench.book({}, {"0.40": "24.9999", "0.41": "50"})
    outputs = bench.take(BUY, "0.50", "20")
    assert only(outputs, m.OrderAccepted).making == usd("9.99996")
    assert fills(outputs) == [("BUY", "UP", 400_000, 24_999_900)]
    update = of(outputs, m.OrderUpdated)[-1]
    assert (update.change, update.status) == (m.OrderChange.UPDATE, "MATCHED")


def test_a_fak_takes_what_there_is_and_its_rest_is_cancelled() -> None:
    bench = Bench()
    bench.book({}, {"0.50": "6"})
    outputs = bench.take(BUY, "0.50", "20")
    accepted = only(outputs, m.OrderAccepted)
    assert (accepted.status, accepted.making, accepted.taking) == ("matched", usd(3), shares(6))
    told = [(update.change.value, update.status, update.order.matched) for update in of(outputs, m.OrderUpdated)]
    assert told == [("PLACEMENT", "LIVE", 0), ("UPDATE", "LIVE", shares(6)), ("CANCELLATION", "CANCELED", shares(6))]
    assert bench.exchange.open_orders(ANN) == ()
    assert bench.truth().reserved == 0


def test_a_fok_fills_whole_or_leaves_everything_as_it_was() -> None:
    bench = Bench()
    bench.split("30")
    bench.book({"0.50": "10", "0.49": "10"}, {})
    outputs = bench.sell("0.49", "20.01", time_in_force=TimeInForce.FOK)
    assert only(outputs, m.OrderRejected).http == 400
    (killed,) = of(outputs, m.OrderUpdated)
    assert killed.status == "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
    assert bench.bids() == {price("0.50"): shares(10), price("0.49"): shares(10)}
    outputs = bench.sell("0.49", "20", time_in_force=TimeInForce.FOK)
    assert only(outputs, m.OrderAccepted).making == shares(20)
    assert bench.bids() == {}


def test_a_market_order_whose_ratio_misses_the_grid_a_little_has_the_price_of_the_grid() -> None:
    bench = Bench()
    bench.book({}, {"0.52": "5", "0.53": "50"})
    outputs = bench.order(
        BUY, "0.52", "5", time_in_force=TimeInForce.FAK, maker_amount=10_000_000, taker_amount=19_230_700
    )
    assert fills(outputs) == [("BUY", "UP", 520_000, shares(5))]


@pytest.mark.parametrize("partial", list(m.OrderAnswer)[:2])
def test_a_partly_matched_order_rests_and_its_status_is_a_setting(partial: m.OrderAnswer) -> None:
    bench = Bench(rules=Rules(partial_answer=partial))
    bench.book({}, {"0.50": "6"})
    outputs = bench.buy("0.50", "20")
    assert only(outputs, m.OrderAccepted).status is partial
    (order,) = bench.exchange.open_orders(ANN)
    assert (order.matched, order.remaining, order.size) == (shares(6), shares(14), shares(20))
    assert bench.truth().reserved == usd(7)


def test_a_finer_tick_lets_finer_orders_in_and_leaves_resting_ones() -> None:
    bench = Bench()
    bench.buy("0.96", "10")
    assert of(bench.buy("0.965", "10", account=BOB), m.OrderRejected)
    tick = only(bench.tell(m.SetTick(market=MARKET, tick=Price(1_000))), m.PublicTick)
    assert (tick.old, tick.new) == (10_000, 1_000)
    assert of(bench.buy("0.965", "10", account=BOB), m.OrderAccepted)
    assert bench.bids() == {price("0.965"): shares(10), price("0.96"): shares(10)}
