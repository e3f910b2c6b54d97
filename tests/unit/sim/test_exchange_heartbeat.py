"""The dead-man's heartbeat: who stops beating loses all open orders between 10 and 15 seconds later."""

from __future__ import annotations

from polystra.sim import messages as m
from polystra.sim.messages import HeartbeatId
from tests.unit.sim.bench import ANN, BOB, MARKET, Bench, of, only


def beat(bench: Bench, last: str = "") -> m.BeatAnswered:
    return only(bench.tell(m.Beat(account=ANN, heartbeat=HeartbeatId(last))), m.BeatAnswered)


def live(bench: Bench) -> list[str]:
    return [order.id for account in (ANN, BOB) for order in bench.exchange.open_orders(account)]


def test_without_a_first_beat_orders_rest_for_ever() -> None:
    bench = Bench()
    bench.buy("0.50", "10")
    bench.wait(10_000)
    assert live(bench) == ["o1"]


def test_a_missed_beat_cancels_every_order_of_the_account_and_of_no_other() -> None:
    bench = Bench()
    bench.tell(m.Publish(market=MARKET))
    bench.wait(2)
    beat(bench)
    bench.buy("0.50", "10")
    bench.buy("0.40", "10")
    bench.buy("0.40", "10", account=BOB)
    assert bench.wait(12.9) == []
    outputs = bench.wait(0.1)
    assert [(update.order.id, update.status) for update in of(outputs, m.OrderUpdated)] == [
        ("o1", "CANCELED"),
        ("o2", "CANCELED"),
    ]
    assert live(bench) == ["o3"]


def test_beats_every_five_seconds_keep_orders_alive() -> None:
    bench = Bench()
    bench.buy("0.50", "10")
    last = beat(bench)
    for _ in range(10):
        bench.wait(5)
        last = beat(bench, last.heartbeat)
        assert last.accepted
    assert live(bench) == ["o1"]
    bench.wait(15)
    assert live(bench) == []


def test_a_wrong_id_does_not_count_and_the_answer_names_the_right_one() -> None:
    bench = Bench()
    assert not beat(bench, "invented").accepted
    right = beat(bench)
    wrong = beat(bench)
    assert (wrong.accepted, wrong.heartbeat) == (False, right.heartbeat)
    assert beat(bench, wrong.heartbeat).accepted


def test_an_order_that_rests_while_the_heart_is_still_is_cancelled_at_the_next_look() -> None:
    bench = Bench()
    last = beat(bench)
    bench.wait(61)
    bench.buy("0.50", "10")
    bench.wait(3.9)
    assert live(bench) == ["o1"]
    bench.wait(0.1)
    assert live(bench) == []
    beat(bench, last.heartbeat)
    bench.buy("0.50", "10")
    bench.wait(9)
    assert live(bench) == ["o2"]


def test_the_id_that_the_next_beat_must_carry_can_be_read() -> None:
    bench = Bench()
    assert bench.exchange.heartbeat(ANN) == ""
    first = beat(bench).heartbeat
    assert bench.exchange.heartbeat(ANN) == first == beat(bench, "wrong").heartbeat
    assert bench.exchange.heartbeat(BOB) == ""
