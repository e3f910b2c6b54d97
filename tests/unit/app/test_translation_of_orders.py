"""Whole orders at a real exchange, in the engine's words: what is told, how often, and in which order."""

from typing import Any

import pytest

from polystra.app.outbox import OrderNames
from polystra.app.translation import answer_events, user_event
from polystra.core import events as ev
from polystra.core.ids import OrderId, VenueOrderId
from polystra.core.reasons import CancelReason, RefusalReason
from polystra.core.terms import Side, TimeInForce, TradeStage
from polystra.core.units import Instant, shares, usd
from polystra.sim import messages as sim
from tests.unit.sim.bench import ANN, MARKET, SECOND, Bench, of

NOW = Instant(0)


class Desk:
    """Everything that a bench says to ANN about her order, in the engine's words."""

    def __init__(self, side: Side = Side.BUY, rests: bool = False, **facts: Any) -> None:
        self.bench = Bench(**facts)
        self.bench.book({"0.50": "100"}, {"0.52": "10"})
        self.names, self.sides = OrderNames({VenueOrderId("o1"): OrderId(7)}), {OrderId(7): (side, rests)}

    def told(self, outputs: list[sim.Output]) -> list[ev.AnyEvent]:
        found: list[ev.AnyEvent] = []
        for output in outputs:
            if isinstance(output, sim.Answer):
                found += answer_events(output, self.names, self.sides)
            elif isinstance(output, sim.Update) and output.account == ANN:
                news = user_event(output, self.names)
                found += [] if news is None else [news]
        return found


def kinds(events: list[ev.AnyEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.mark.parametrize(
    ("time_in_force", "at"), [(TimeInForce.FOK, "0.52"), (TimeInForce.FAK, "0.51")], ids=["FOK", "FAK"]
)
def test_a_killed_order_is_told_twice_refused_and_cancelled(time_in_force: TimeInForce, at: str) -> None:
    """100 wanted whole and 10 there, or nothing there at all."""
    desk = Desk()
    told = desk.told(desk.bench.buy(at, "100", time_in_force=time_in_force))
    assert kinds(told) == ["OrderRefused", "OrderCancelled"]
    refused, cancelled = told
    assert isinstance(refused, ev.OrderRefused)
    assert isinstance(cancelled, ev.OrderCancelled)
    assert refused.reason is RefusalReason.NOT_FILLED
    assert (cancelled.reason, cancelled.matched) == (CancelReason.REMAINDER_KILLED, 0)


def test_an_order_filled_in_part_is_accepted_filled_and_its_rest_is_gone() -> None:
    desk = Desk()
    told = desk.told(desk.bench.take(Side.BUY, "0.52", "100"))
    assert kinds(told)[0] == "OrderAccepted"
    first, last = told[0], told[-1]
    assert isinstance(first, ev.OrderAccepted)
    assert isinstance(last, ev.OrderCancelled)
    assert (first.rests, first.matched, first.paid) == (False, shares(10), usd("5.2"))
    assert (last.matched, last.reason) == (shares(10), CancelReason.REMAINDER_KILLED), "nobody asked for it"
    assert [event.shares for event in told if isinstance(event, ev.OrderFilled)] == [shares(10)]


def test_an_order_answered_delayed_is_unknown_until_the_stream_tells() -> None:
    desk = Desk(taker_hold=SECOND, answers_delayed=True)
    assert kinds(desk.told(desk.bench.take(Side.BUY, "0.52", "10"))) == ["OrderOutcomeUnknown"]
    assert "OrderFilled" in kinds(desk.told(desk.bench.wait(2)))


def test_a_delayed_order_that_is_turned_away_is_told_on_the_stream_alone() -> None:
    """It wanted what is gone when its hold ends."""
    desk = Desk(taker_hold=SECOND, answers_delayed=True)
    desk.told(desk.bench.take(Side.BUY, "0.52", "10"))
    desk.bench.level(Side.SELL, "0.52", "0")
    told = desk.told(desk.bench.wait(2))
    assert kinds(told) == ["OrderCancelled"]
    assert isinstance(told[0], ev.OrderCancelled)
    assert told[0].reason is CancelReason.REMAINDER_KILLED


def test_an_order_that_expires_is_told_so() -> None:
    desk = Desk(rests=True)
    stated = desk.bench.now // SECOND + 200
    told = desk.told(desk.bench.buy("0.49", "10", time_in_force=TimeInForce.GTD, expiration=stated))
    assert kinds(told) == ["OrderAccepted", "OrderReported"]
    assert kinds(desk.told(desk.bench.wait(141))) == ["OrderExpired"]


def test_what_rests_in_a_market_that_resolves_is_told_why_it_ended() -> None:
    desk = Desk(rests=True)
    desk.told(desk.bench.buy("0.49", "10"))
    desk.bench.tell(sim.CloseMarket(market=MARKET))
    (ended,) = desk.told(desk.bench.tell(sim.Resolve(market=MARKET, up_payout=usd(1))))
    assert isinstance(ended, ev.OrderCancelled)
    assert ended.reason is CancelReason.MARKET_RESOLVED


def test_a_cancel_is_told_on_the_answer_and_on_the_stream() -> None:
    desk = Desk(rests=True)
    desk.told(desk.bench.buy("0.49", "10"))
    assert kinds(desk.told(desk.bench.cancel("o1"))) == ["OrderCancelled", "OrderCancelled"]
    (again,) = desk.told(desk.bench.cancel("o1"))
    assert again == ev.CancelRefused(at=NOW, order=OrderId(7), text="Order already canceled")


def test_a_buy_of_the_era_of_fees_in_shares_is_told_in_full() -> None:
    desk = Desk(fee_rate=250_000, fee_exponent=2, fee_in_shares=True)
    told = desk.told(desk.bench.take(Side.BUY, "0.52", "10"))
    (fill,) = [event for event in told if isinstance(event, ev.OrderFilled)]
    assert fill.shares == shares(10)
    assert desk.bench.held() < shares(10), "the fee is missing from what we hold"


def test_every_stage_of_a_trade_is_told_once() -> None:
    desk = Desk()
    outputs = desk.bench.take(Side.BUY, "0.52", "10") + desk.bench.wait(30)
    stages = [event.stage for event in desk.told(outputs) if isinstance(event, ev.OrderFilled)]
    assert stages == [TradeStage.MATCHED, TradeStage.MINED, TradeStage.CONFIRMED]
    assert len(of(outputs, sim.TradeUpdated)) == 3
