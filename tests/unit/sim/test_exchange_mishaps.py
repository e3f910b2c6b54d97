"""A restart of the engine, and what goes wrong behind its back: each happens as often as it was asked for."""

from __future__ import annotations

import pytest

from polystra.core.terms import Side, TimeInForce, TradeStage
from polystra.core.units import Nanos, usd
from polystra.sim import messages as m
from tests.unit.sim.bench import ANN, BOB, DOWN, MARKET, SECOND, UP, Bench, of, only


def refused(bench: Bench, **how: object) -> int | None:
    """The status with which a resting order is refused, None when it is let in."""
    rejected = of(bench.buy("0.40", "10", **how), m.OrderRejected)
    return rejected[0].http if rejected else None


def stages(outputs: list[m.Output]) -> list[TradeStage]:
    return [one.trade.stage for one in of(outputs, m.TradeUpdated)]


def bought(bench: Bench) -> None:
    bench.buy("0.52", "10", time_in_force=TimeInForce.FAK)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.book({"0.50": "50"}, {"0.52": "300"})
    return bench


# --- restart


def test_a_restart_is_down_then_post_only_then_normal(bench: Bench) -> None:
    bench.tell(m.Restart(down=Nanos(90 * SECOND), post_only=Nanos(120 * SECOND)))
    assert refused(bench) == 425
    assert only(bench.tell(m.CancelAll(account=ANN)), m.RequestRejected).http == 425
    bench.wait(89.9)
    assert refused(bench) == 425
    bench.wait(0.1)
    rejected = only(bench.buy("0.40", "10"), m.OrderRejected)
    assert (rejected.http, rejected.code, rejected.retry_after) == (503, "post_only_mode", 120)
    assert refused(bench, post_only=True) is None
    bench.wait(120)
    assert refused(bench) is None


def test_another_mode_ends_a_restart(bench: Bench) -> None:
    bench.tell(m.Restart())
    bench.tell(m.SetMode(mode=m.Mode.DISABLED))
    bench.wait(90)
    assert refused(bench) == 503
    bench.tell(m.Restart())
    bench.wait(90)
    bench.tell(m.SetMode(mode=m.Mode.CANCEL_ONLY))
    bench.wait(120)
    assert refused(bench) == 503


def test_a_second_restart_begins_anew(bench: Bench) -> None:
    bench.tell(m.Restart())
    bench.wait(60)
    bench.tell(m.Restart())
    bench.wait(60)
    assert refused(bench) == 425
    bench.wait(30)
    assert refused(bench) == 503


def test_what_rests_survives_a_restart(bench: Bench) -> None:
    bench.buy("0.40", "10")
    bench.tell(m.Restart())
    bench.wait(90 + 120)
    assert len(bench.exchange.open_orders(ANN)) == 1


@pytest.mark.parametrize("length", [{"down": Nanos(-1)}, {"post_only": Nanos(-1)}])
def test_a_restart_does_not_take_less_than_no_time(bench: Bench, length: dict[str, Nanos]) -> None:
    with pytest.raises(ValueError, match="want 0 or more"):
        bench.tell(m.Restart(**length))
    assert refused(bench) is None


# --- mishaps


def test_one_trade_fails_and_the_next_does_not(bench: Bench) -> None:
    before = bench.exchange.truth().account(ANN).cash
    bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_FAILED))
    bought(bench)
    assert stages(bench.wait(20)) == [TradeStage.RETRYING, TradeStage.FAILED]
    assert bench.exchange.truth().account(ANN).cash == before
    bought(bench)
    assert stages(bench.wait(20)) == [TradeStage.MINED, TradeStage.CONFIRMED]
    assert bench.exchange.mishap_hits()[m.Mishap.TRADE_FAILED] == 1
    assert bench.exchange.mishaps() == {}


def test_trades_are_retried_twice_of_three(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_RETRIED, times=2))
    told = []
    for _ in range(3):
        bought(bench)
        told.append(stages(bench.wait(20)))
    retried = [TradeStage.RETRYING, TradeStage.MINED, TradeStage.CONFIRMED]
    assert told == [retried, retried, retried[1:]]
    assert bench.exchange.mishap_hits()[m.Mishap.TRADE_RETRIED] == 2


def test_a_stale_balance_refuses_the_sale_until_it_is_asked_to_look(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.BALANCE_STALE, times=None))
    bought(bench)
    bench.wait(3_600)
    assert bench.exchange.balances(ANN).of(UP) == 0
    assert only(bench.sell("0.60", "10"), m.OrderRejected).text.startswith("not enough balance / allowance")
    bench.tell(m.RefreshBalances(account=ANN))
    assert of(bench.sell("0.60", "10"), m.OrderAccepted)
    assert bench.exchange.mishap_hits()[m.Mishap.BALANCE_STALE] == 1
    stays = m.SetMishap(mishap=m.Mishap.BALANCE_STALE, times=None)
    assert bench.exchange.mishaps() == {m.Mishap.BALANCE_STALE: stays}


def test_a_mishap_that_is_switched_off_does_not_happen(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_FAILED, times=None))
    for _ in range(2):
        bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_FAILED, times=0))
    bought(bench)
    assert stages(bench.wait(20)) == [TradeStage.MINED, TradeStage.CONFIRMED]
    with pytest.raises(ValueError, match="want 0 or more, or null"):
        bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_FAILED, times=-1))


def test_a_mishap_leaves_no_mark_on_what_others_draw() -> None:
    """Two runs of one seed differ in the failed trade alone."""

    def names(*first: m.Request) -> list[str]:
        bench = Bench(seed=3)
        bench.book({"0.50": "50"}, {"0.52": "300"})
        for one in first:
            bench.tell(one)
        bench.order(Side.BUY, "0.52", "10", time_in_force=TimeInForce.FAK)
        bench.wait(20)
        bought(bench)
        return [trade.id for trade in bench.exchange.trades(ANN)]

    assert names() == names(m.SetMishap(mishap=m.Mishap.TRADE_FAILED))


# --- which of them, and by chance


def fates(bench: Bench, count: int) -> list[bool]:
    """Of so many trades in a row, whether each failed."""
    bench.tell(m.Deposit(account=ANN, amount=usd(10_000)))
    for number in range(count):
        bench.book({"0.50": "50"}, {"0.52": str(300 + number)})
        bought(bench)
    bench.wait(20)
    return [trade.stage is TradeStage.FAILED for trade in reversed(bench.exchange.trades(ANN))]


def test_a_fifth_of_the_trades_fails_and_the_same_ones_every_time() -> None:
    def run() -> list[bool]:
        bench = Bench()
        bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_FAILED, times=None, chance=200))
        told = fates(bench, 200)
        assert bench.exchange.mishap_hits()[m.Mishap.TRADE_FAILED] == sum(told)
        return told

    first = run()
    assert 20 <= sum(first) <= 60
    assert run() == first


def test_the_second_of_three_trades_fails(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_FAILED, skip=1))
    assert fates(bench, 3) == [False, True, False]


def test_a_mishap_strikes_only_whom_it_names(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_FAILED, times=None, only=BOB))
    assert fates(bench, 1) == [False]
    bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_FAILED, times=None, only=ANN))
    assert fates(bench, 1)[-1:] == [True]


@pytest.mark.parametrize("wrong", [{"chance": 0}, {"chance": 1_001}, {"skip": -1}, {"delay": Nanos(-1)}])
def test_a_mishap_of_senseless_numbers_is_our_own_mistake(bench: Bench, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="want skip and delay 0 or more, chance from 1 to 1000"):
        bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_FAILED, **wrong))  # type: ignore[arg-type]


def test_a_trade_fails_after_a_minute(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_FAILED, delay=Nanos(60 * SECOND)))
    bought(bench)
    assert stages(bench.wait(59)) == []
    assert stages(bench.wait(1)) == [TradeStage.RETRYING]


# --- in the engine


def test_a_delayed_order_is_matched_later(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.ORDER_DELAYED, delay=Nanos(3 * SECOND)))
    assert only(bench.buy("0.52", "10"), m.OrderAccepted).status is m.OrderAnswer.DELAYED
    assert bench.wait(2) == []
    assert stages(bench.wait(1)) == [TradeStage.MATCHED]
    assert bench.held() == 10_000_000


def test_an_order_that_rests_is_not_delayed(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.ORDER_DELAYED, delay=Nanos(3 * SECOND)))
    assert only(bench.buy("0.40", "10"), m.OrderAccepted).status is m.OrderAnswer.LIVE
    assert bench.exchange.mishap_hits()[m.Mishap.ORDER_DELAYED] == 0


def test_half_of_what_an_order_would_take_is_gone(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.BOOK_THINNED))
    outputs = bench.buy("0.52", "10")
    assert only(outputs, m.OrderAccepted).taking == 5_000_000
    (rest,) = bench.exchange.open_orders(ANN)
    assert (rest.matched, rest.remaining) == (5_000_000, 5_000_000)
    assert bench.asks() == {}


def test_what_is_left_of_a_book_are_its_best_prices(bench: Bench) -> None:
    bench.book({}, {"0.51": "4", "0.52": "300"})
    bench.tell(m.SetMishap(mishap=m.Mishap.BOOK_THINNED))
    bench.buy("0.52", "10")
    assert [(trade.taker.price, trade.taker.shares) for trade in reversed(bench.exchange.trades(ANN))] == [
        (510_000, 4_000_000),
        (520_000, 1_000_000),
    ]


@pytest.mark.parametrize("tif", [TimeInForce.FOK, TimeInForce.FAK])
def test_an_order_whose_book_is_gone_is_killed(bench: Bench, tif: TimeInForce) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.BOOK_EMPTIED))
    assert "killed" in only(bench.buy("0.52", "10", time_in_force=tif), m.OrderRejected).text
    assert (bench.asks(), bench.held()) == ({}, 0)


def test_an_order_whose_book_is_gone_rests(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.BOOK_EMPTIED))
    assert only(bench.buy("0.52", "10"), m.OrderAccepted).status is m.OrderAnswer.LIVE


def test_a_fill_is_a_hundredth_short_and_told_as_whole(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.FILL_SHORT))
    outputs = bench.buy("0.52", "10")
    assert only(outputs, m.OrderAccepted).status is m.OrderAnswer.MATCHED
    assert (bench.held(), bench.exchange.open_orders(ANN)) == (9_990_000, ())


def test_a_resting_order_is_served_a_hundredth_short_and_gone(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.FILL_SHORT))
    bench.buy("0.51", "10")
    outputs = bench.level(Side.SELL, "0.51", "10")
    assert of(outputs, m.OrderUpdated)[-1].status == "MATCHED"
    assert (bench.held(), bench.exchange.open_orders(ANN), bench.truth().reserved) == (9_990_000, (), 0)


def test_a_fill_is_a_hundredth_more_where_there_is_more(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.FILL_OVER, times=None))
    bench.buy("0.52", "10")
    assert bench.held() == 10_010_000
    bench.book({}, {"0.53": "10"})
    bench.buy("0.53", "10")
    assert bench.held() == 20_010_000
    assert bench.exchange.mishap_hits()[m.Mishap.FILL_OVER] == 1


def test_nobody_sells_a_hundredth_that_it_does_not_have(bench: Bench) -> None:
    bench.split("10")
    bench.tell(m.SetMishap(mishap=m.Mishap.FILL_OVER))
    bench.sell("0.50", "10")
    assert (bench.held(), bench.exchange.mishap_hits()[m.Mishap.FILL_OVER]) == (0, 0)


def test_a_cancelled_order_turns_out_to_be_filled(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.FILL_AFTER_CANCEL, delay=Nanos(5 * SECOND)))
    order = only(bench.buy("0.51", "10"), m.OrderAccepted).order
    outputs = bench.cancel(order)
    assert only(outputs, m.CancelAnswered).canceled == (order,)
    assert of(outputs, m.OrderUpdated)[-1].status == "CANCELED"
    assert (of(outputs, m.TradeUpdated), bench.exchange.trades(ANN)) == ([], ())
    assert bench.held() == 10_000_000
    assert stages(bench.wait(5)) == [TradeStage.MATCHED]
    assert stages(bench.wait(20)) == [TradeStage.MINED, TradeStage.CONFIRMED]
    assert len(bench.exchange.trades(ANN)) == 1


def test_a_fill_comes_right_behind_the_answer_to_a_cancel(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.FILL_AFTER_CANCEL))
    order = only(bench.buy("0.51", "10"), m.OrderAccepted).order
    outputs = bench.cancel(order)
    assert isinstance(outputs[0], m.CancelAnswered)
    assert stages(outputs) == [TradeStage.MATCHED]


def test_a_fill_comes_after_the_close(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.FILL_AFTER_CLOSE, times=2, delay=Nanos(2 * SECOND)))
    stays, goes = (only(bench.buy("0.51", "10"), m.OrderAccepted).order for _ in range(2))
    bench.tell(m.CloseMarket(market=MARKET))
    bench.cancel(goes)
    assert stages(bench.wait(2)) == [TradeStage.MATCHED]
    assert [trade.maker.order for trade in bench.exchange.trades(ANN)] == [stays]


def test_the_street_stands_on_the_other_outcome(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.TRADE_CROSSED))
    bench.buy("0.51", "10")
    bench.level(Side.SELL, "0.51", "10")
    (trade,) = bench.exchange.trades(ANN)
    assert (trade.taker.token, trade.taker.side, trade.taker.price) == (DOWN, Side.BUY, 490_000)
    assert (trade.maker.token, trade.maker.side, trade.maker.price) == (UP, Side.BUY, 510_000)


def test_a_balance_is_half_a_minute_late(bench: Bench) -> None:
    bench.tell(m.SetMishap(mishap=m.Mishap.BALANCE_LATE, delay=Nanos(30 * SECOND)))
    bought(bench)
    bench.wait(32)
    assert bench.exchange.balances(ANN).of(UP) == 0
    bench.wait(1)
    assert bench.exchange.balances(ANN).of(UP) == 10_000_000
