"""Acceptance conditions that only the wire can prove: answers that are lost or late, streams that break.

The trader is whole, the exchange is behind its own HTTP and WebSockets, and what counts is what the exchange has.
"""

import pytest

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.engine import Step
from polystra.core.events import AnyEvent, Stream
from polystra.core.orders import OrderState
from polystra.core.strategy import Strategy
from polystra.core.terms import Outcome, Side
from polystra.core.units import Instant, seconds, shares
from polystra.exchange.faults import Fault
from tests.edge.wire_stage import Floor, WireStage, exchange_truth
from tests.truth import after, printed, scripted, steady, tape_file, window, wish

__all__ = ["exchange_truth"]

PLACE = "POST /order"


def _resting(at: float = 20) -> Strategy:
    return scripted({at: wish(Outcome.UP, "0.50", rests=True)})


MARKET = window()
QUIET = tape_file(MARKET, steady(MARKET, "0.50x100", "0.52x100"))
SOLD_INTO = tape_file(
    MARKET,
    [*steady(MARKET, "0.50x100", "0.52x100"), *(printed(MARKET, 100 + n, "0.50", "150", Side.SELL) for n in range(3))],
)


@pytest.mark.spec("X9.A1")
@pytest.mark.parametrize(
    ("fault", "delay"),
    [
        pytest.param(Fault.REPLY_LOST, 0, id="reply lost after acceptance"),
        pytest.param(Fault.RESET, 0, id="reset before acceptance"),
        pytest.param(Fault.REQUEST_LATE, 30, id="accepted 30 s later"),
    ],
)
def test_an_order_whose_answer_is_missing_is_one_order_at_the_exchange(
    exchange_truth: WireStage, fault: Fault, delay: float
) -> None:
    """The user stream is silent too, so that nothing but a question about its hash can find it."""

    def before(floor: Floor) -> None:
        floor.fail(fault, PLACE, delay=delay)
        floor.fail(Fault.STREAM_FROZEN, "user", times=None)

    run = exchange_truth.play_on_wire([QUIET], _resting(), before=before)
    assert run.floor.hits(fault) == 1
    doubted = [event for event, _ in run.steps if isinstance(event, ev.OrderOutcomeUnknown)]
    assert [one.order for one in doubted] == [1]
    taken = run.taken()
    assert len(taken) == len(set(taken)) == 1
    run.agree()
    moved = [note for note in run.notes(nt.OrderMoved) if note.order == 1]
    if fault is Fault.RESET:
        assert moved[-1].after in (OrderState.CANCELLED, OrderState.REFUSED)
    else:
        assert [taken[0]] == [row[0] for row in run.sql("select venue_order from orders where id = 1")]
        assert OrderState.WORKING in {note.after for note in moved}


@pytest.mark.spec("H1.A2")
def test_a_fill_while_the_user_stream_is_down_for_20_s_is_booked_once_and_soon(exchange_truth: WireStage) -> None:
    down: list[Instant] = []
    up: list[Instant] = []

    def meddle(floor: Floor, event: AnyEvent, step: Step) -> None:
        """The stream breaks with the news of the fill, and cannot be made again for 20 s."""
        if event.at >= after(95) and not down and not floor.faults.switches():
            floor.fail(Fault.STREAM_CLOSED, "user")
            floor.fail(Fault.RESET, "GET /ws/user", times=None)
        if isinstance(event, ev.StreamLost) and event.stream is Stream.USER:
            down.append(event.at)
        if isinstance(event, ev.StreamRestored) and event.stream is Stream.USER:
            up.append(event.at)
        if down and event.at >= down[0] + seconds(20):
            floor.faults.switch_off(Fault.RESET)

    run = exchange_truth.play_on_wire([SOLD_INTO], _resting(), meddle=meddle)
    assert run.floor.hits(Fault.STREAM_CLOSED) == 1
    assert run.floor.hits(Fault.RESET) > 3
    assert len(down) == len(up) == 1
    assert up[0] - down[0] >= seconds(20)
    booked = run.sql("select at, shares_micro from fills")
    assert len(booked) == 1
    assert booked[0][0] <= up[0] + seconds(5)
    assert run.held(MARKET, Outcome.UP) == booked[0][1] > shares("0")
    run.agree()
