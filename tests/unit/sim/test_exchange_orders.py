"""The life of an order on the exchange: the taker hold, cancels and their races, expiry, what its owner hears."""

from __future__ import annotations

import pytest

from polystra.core.ids import VenueOrderId
from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import Instant, Nanos, price, shares, usd
from polystra.sim import messages as m
from tests.unit.sim.bench import ANN, BOB, DOWN, MARKET, MS, OTHER, SECOND, UP, Bench, fills, of, only

BUY, SELL = Side.BUY, Side.SELL
HOLD = Nanos(150 * MS)


def told(outputs: list[m.Output]) -> list[tuple[str, str]]:
    return [(update.change.value, update.status) for update in of(outputs, m.OrderUpdated)]


# --- resting


def test_an_order_that_rests_is_answered_and_placed_at_once() -> None:
    bench = Bench(taker_hold=HOLD)
    bench.book({}, {"0.60": "10"})
    outputs = bench.buy("0.50", "10")
    answer = only(outputs, m.OrderAccepted)
    assert (answer.status, answer.making, answer.taking, answer.trades) == ("live", 0, 0, ())
    assert outputs[0] is answer
    assert told(outputs) == [("PLACEMENT", "LIVE")]
    order = bench.exchange.order(VenueOrderId("o1"))
    assert order == bench.exchange.open_orders(ANN)[0]
    assert order is not None
    assert (order.price, order.size, order.outcome, order.created_at) == (500_000, shares(10), "UP", bench.now)
    assert bench.exchange.open_orders(BOB) == ()


def test_a_filled_order_is_gone_from_every_reading() -> None:
    bench = Bench()
    bench.buy("0.50", "10")
    outputs = bench.level(SELL, "0.50", "10")
    assert told(outputs) == [("UPDATE", "MATCHED")]
    assert bench.exchange.order(VenueOrderId("o1")) is None
    assert bench.exchange.open_orders(ANN) == ()
    assert bench.truth().reserved == 0


# --- the taker hold


def test_a_taker_waits_and_is_matched_with_what_is_there_at_the_end() -> None:
    bench = Bench(taker_hold=HOLD)
    bench.book({}, {"0.52": "30"})
    assert bench.buy("0.55", "10") == []
    assert bench.exchange.next_due() == bench.now + HOLD
    assert bench.exchange.open_orders(ANN) == ()
    assert bench.exchange.order(VenueOrderId("o1")) is None
    bench.wait(0.1)
    bench.book({}, {"0.54": "30"})
    assert bench.wait(0.049) == []
    outputs = bench.wait(0.001)
    assert only(outputs, m.OrderAccepted).at == bench.now
    assert fills(outputs) == [("BUY", "UP", 540_000, shares(10))]


def test_a_taker_whose_liquidity_is_gone_rests_or_is_killed() -> None:
    bench = Bench(taker_hold=HOLD)
    bench.book({}, {"0.52": "30"})
    bench.buy("0.52", "10")
    bench.take(BUY, "0.52", "10")
    bench.book({}, {"0.60": "30"})
    outputs = bench.wait(1)
    assert only(outputs, m.OrderAccepted).status is m.OrderAnswer.LIVE
    assert only(outputs, m.OrderRejected).order == "o2"
    assert bench.bids() == {price("0.52"): shares(10)}


def test_a_due_hold_ends_before_a_later_request_is_served() -> None:
    bench = Bench(taker_hold=HOLD)
    bench.book({}, {"0.52": "30"})
    bench.buy("0.52", "10")
    bench.now = Instant(bench.now + SECOND)
    outputs = bench.book({}, {})
    assert only(outputs, m.OrderAccepted).at == bench.now - SECOND + HOLD


def test_a_held_order_cannot_be_cancelled() -> None:
    bench = Bench(taker_hold=HOLD)
    bench.book({}, {"0.52": "30"})
    bench.buy("0.52", "10")
    answer = only(bench.cancel("o1"), m.CancelAnswered)
    assert (answer.canceled, answer.not_canceled) == ((), (("o1", "Order not found or already canceled"),))
    assert only(bench.tell(m.CancelAll(account=ANN)), m.CancelAnswered).canceled == ()
    assert fills(bench.wait(1)) == [("BUY", "UP", 520_000, shares(10))]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (m.SetMode(mode=m.Mode.DOWN), "service not ready"),
        (m.SetRestriction(account=ANN, restriction=m.Restriction.BANNED), "'0xann' address banned"),
        (m.CloseMarket(market=MARKET), "the market is not yet ready to process new orders"),
        (m.Resolve(market=MARKET, up_payout=usd(1)), "No orderbook exists for the requested token id"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_changed_during_the_hold_counts(change: m.Request, text: str) -> None:
    bench = Bench(taker_hold=HOLD)
    bench.book({}, {"0.52": "30"})
    bench.buy("0.52", "10")
    bench.tell(change)
    outputs = bench.wait(1)
    assert only(outputs, m.OrderRejected).text == text
    assert fills(outputs) == []


def test_money_spent_during_the_hold_counts() -> None:
    bench = Bench(taker_hold=HOLD)
    bench.book({}, {"0.52": "300"})
    bench.buy("0.52", "100")
    bench.buy("0.40", "200")
    text = only(bench.wait(1), m.OrderRejected).text
    assert "balance: 100000000, sum of active orders: 80000000, sum of matched orders: 0" in text


def test_where_answers_are_delayed_the_fate_comes_on_the_stream() -> None:
    bench = Bench(taker_hold=HOLD, answers_delayed=True)
    bench.book({}, {"0.52": "30"})
    for size in ("10", "20", "900"):
        how = TimeInForce.FOK if size == "900" else TimeInForce.GTC
        if size == "900":
            bench.tell(m.Deposit(account=ANN, amount=usd(900)))
        answer = only(bench.buy("0.52", size, time_in_force=how), m.OrderAccepted)
        assert (answer.status, answer.making) == ("delayed", 0)
    outputs = bench.wait(1)
    assert of(outputs, m.OrderAccepted) == []
    assert of(outputs, m.OrderRejected) == []
    assert told(outputs) == [
        ("PLACEMENT", "LIVE"),
        ("UPDATE", "MATCHED"),
        ("PLACEMENT", "LIVE"),
        ("UPDATE", "MATCHED"),
        ("CANCELLATION", "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."),
    ]


def test_a_delayed_order_that_is_turned_away_ends_on_the_stream() -> None:
    bench = Bench(taker_hold=HOLD, answers_delayed=True)
    bench.book({}, {"0.52": "30"})
    bench.buy("0.52", "10")
    bench.tell(m.CloseMarket(market=MARKET))
    assert told(bench.wait(1)) == [
        ("CANCELLATION", "CANCELED_the market is not yet ready to process new orders"),
    ]
    assert only(bench.cancel("o1"), m.CancelAnswered).not_canceled == (("o1", "Order already canceled"),)


# --- cancels


def test_cancel_says_what_became_of_each_order() -> None:
    bench = Bench()
    bench.buy("0.50", "10")
    bench.level(SELL, "0.50", "10")
    bench.level(SELL, "0.50", "0")
    bench.buy("0.49", "10")
    bench.level(SELL, "0.49", "4")
    bench.buy("0.48", "10")
    bench.buy("0.47", "10", account=BOB)
    bench.cancel("o4", account=BOB)
    first = bench.cancel("o2", "o3", "o3")
    assert only(first, m.CancelAnswered).canceled == ("o2", "o3")
    assert [update.order.matched for update in of(first, m.OrderUpdated)] == [shares(4), 0]
    assert only(bench.cancel("o1", "o2", "o3", "o4", "o99"), m.CancelAnswered).not_canceled == (
        ("o1", "Order already matched"),
        ("o2", "already canceled or matched"),
        ("o3", "Order already canceled"),
        ("o4", "Order not found or already canceled"),
        ("o99", "Order not found or already canceled"),
    )


def test_nobody_cancels_the_order_of_another() -> None:
    bench = Bench()
    bench.buy("0.50", "10")
    answer = only(bench.cancel("o1", account=BOB), m.CancelAnswered)
    assert answer.not_canceled == (("o1", "Order not found or already canceled"),)
    assert bench.exchange.order(VenueOrderId("o1")) is not None


def test_a_cancel_frees_what_the_order_held_back() -> None:
    bench = Bench()
    bench.split("10")
    bench.sell("0.60", "10")
    bench.buy("0.50", "100")
    assert bench.truth().reserved == usd(50)
    assert bench.truth().holdings[0].reserved == shares(10)
    bench.tell(m.CancelAll(account=ANN))
    assert bench.truth().reserved == 0
    assert bench.truth().holdings[0].reserved == 0


def test_cancel_by_market_by_token_and_by_both() -> None:
    bench = Bench()
    bench.buy("0.30", "10")
    bench.buy("0.30", "10", outcome=Outcome.DOWN)
    bench.tell(m.ListMarket(market=OTHER))
    bench.order(BUY, "0.30", "10", token=OTHER.up_token)
    assert only(bench.tell(m.CancelMarket(account=ANN, market=MARKET, token=DOWN)), m.CancelAnswered).canceled == (
        "o2",
    )
    assert only(bench.tell(m.CancelMarket(account=ANN, token=OTHER.up_token)), m.CancelAnswered).canceled == ("o3",)
    assert only(bench.tell(m.CancelMarket(account=ANN, market=OTHER.id)), m.CancelAnswered).canceled == ()
    assert only(bench.tell(m.CancelMarket(account=ANN, market=MARKET)), m.CancelAnswered).canceled == ("o1",)


# --- expiry


def test_a_gtd_order_ends_60_s_before_its_stated_time() -> None:
    bench = Bench()
    bench.buy("0.50", "10", time_in_force=TimeInForce.GTD, expiration=1_000_180)
    assert bench.wait(119.9) == []
    outputs = bench.wait(0.1)
    assert told(outputs) == [("CANCELLATION", "CANCELED_EXPIRED_ORDER")]
    assert bench.exchange.open_orders(ANN) == ()
    assert bench.truth().reserved == 0


def test_a_gtd_order_that_ended_before_does_not_end_twice() -> None:
    bench = Bench()
    bench.buy("0.50", "10", time_in_force=TimeInForce.GTD, expiration=1_000_180)
    bench.cancel("o1")
    assert bench.wait(500) == []


# --- what its owner hears


def test_a_match_is_told_in_order_answer_placement_trade_update() -> None:
    bench = Bench()
    bench.tell(m.Publish(market=MARKET))
    bench.book({}, {"0.50": "6"})
    outputs = bench.buy("0.50", "10")
    assert [type(output).__name__ for output in outputs] == [
        "OrderAccepted",
        "OrderUpdated",
        "TradeUpdated",
        "PublicTrade",
        "OrderUpdated",
        "PublicLevels",
    ]
    assert told(outputs) == [("PLACEMENT", "LIVE"), ("UPDATE", "LIVE")]


def test_maker_and_taker_each_hear_their_own_leg() -> None:
    bench = Bench()
    bench.buy("0.40", "10", outcome=Outcome.DOWN, account=BOB)
    outputs = bench.buy("0.65", "10")
    ann, bob = of(outputs, m.TradeUpdated)
    assert (ann.account, ann.liquidity, ann.own.order, ann.own.token, ann.own.price) == (
        ANN,
        "taker",
        "o2",
        UP,
        600_000,
    )
    assert (bob.account, bob.liquidity, bob.own.order, bob.own.token, bob.own.price) == (
        BOB,
        "maker",
        "o1",
        DOWN,
        400_000,
    )
    assert ann.trade == bob.trade
    assert bench.exchange.trades(ANN) == bench.exchange.trades(BOB) == (ann.trade,)


def test_trades_are_listed_newest_first() -> None:
    bench = Bench()
    bench.book({}, {"0.50": "6", "0.51": "6"})
    bench.buy("0.50", "6")
    bench.buy("0.51", "6")
    assert [trade.taker.order for trade in bench.exchange.trades(ANN)] == ["o2", "o1"]
    assert bench.exchange.trades(BOB) == ()
