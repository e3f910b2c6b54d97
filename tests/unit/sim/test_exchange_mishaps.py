"""A restart of the engine, and what goes wrong behind its back: each happens as often as it was asked for."""

from __future__ import annotations

import pytest

from polystra.core.terms import Side, TimeInForce, TradeStage
from polystra.core.units import Nanos
from polystra.sim import messages as m
from tests.unit.sim.bench import ANN, SECOND, UP, Bench, of, only


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
    assert bench.exchange.mishaps() == {m.Mishap.BALANCE_STALE: None}


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
