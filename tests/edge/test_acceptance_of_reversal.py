"""Acceptance of reversals: the other side is bought after a stop, or before it as a hedge. The whole trader over the
wire, judged by what the exchange really has."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.commands import PlaceOrder
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.strategy import ExitPolicy, StopPolicy
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import Instant, price, seconds, shares
from polystra.edge.tapes.format import TapeEvent
from polystra.exchange.faults import Fault
from polystra.sim import messages as sim
from tests.edge.addition_cases import bought, estimating, orders_of
from tests.edge.execution_cases import (
    MARKET,
    PLACE,
    Scheduled,
    Told,
    at_seconds,
    befall,
    befell,
    brought,
    legs,
    noted,
    total,
)
from tests.edge.wire_stage import Floor, Killed, WireOutcomes, WireStage, exchange_truth
from tests.edge.wish_cases import changed
from tests.truth import after, steady, tape_file, wish

__all__ = ["exchange_truth"]

ONE = (Told(10, 60, 0, wish(Outcome.UP, "0.52")),)
STOPPED = ExitPolicy(target=price("0.99"), stop=StopPolicy(price=price("0.30"), min_age=seconds(5)))
NO_TARGET = ExitPolicy(stop=STOPPED.stop)
"""Nothing rests that is to be cancelled before a stop can go."""

TWENTY = shares(20)


def falling(*then: tuple[int, str, str]) -> list[TapeEvent]:
    """Twenty Up on offer at 0.52; 0.25 is bid from second 100 on, and other books from later seconds on."""
    edges = [(-5, "0.50x500", "0.52x20"), (100, "0.25x500", "0.27x500"), *then, (300, "", "")]
    rows: list[TapeEvent] = []
    for (begin, bids, asks), (end, _, _) in pairwise(edges):
        rows += steady(MARKET, bids, asks, begin=begin, end=end)
    return rows


def played(
    stage: WireStage,
    rows: list[TapeEvent],
    *,
    reversal: dict[str, Any],
    limits: dict[str, Any] | None = None,
    exits: ExitPolicy = STOPPED,
    up: int | None = 200_000,
    **how: Any,
) -> WireOutcomes:
    """Up is bought at second 10 and stopped at 0.30; nothing else is done than what `reversal` says."""
    stage.settings = changed(stage.settings, reversal=reversal, scale_in={"enabled": False}, limits=limits or {})
    return stage.play_on_wire([tape_file(MARKET, rows, "0")], estimating(Scheduled(ONE, exits), up), **how)


def sold(run: WireOutcomes, outcome: Outcome) -> list[Any]:
    return [leg for leg in legs(run, Side.SELL) if leg.outcome.value == outcome.value]


def when(run: WireOutcomes, purpose: Purpose) -> list[Instant]:
    """When orders of a purpose were decided."""
    return [at for side in Side for at, terms in run.placed(side) if terms.purpose is purpose]


# --- after the stop


AFTER = {"after_stop": True}


def test_after_a_stop_the_other_side_is_bought_once_for_no_more_than_came_back(exchange_truth: WireStage) -> None:
    """Fees count on both ways, the worst fee of the purchase in full."""
    run = played(exchange_truth, falling(), reversal=AFTER)
    run.agree()
    assert total(sold(run, Outcome.UP)) == TWENTY
    back = brought(sold(run, Outcome.UP))
    reversed_ = bought(run, Outcome.DOWN)
    paid = sum(leg.cash + leg.fee for leg in reversed_)
    assert 0.9 * back < paid <= back
    assert len(orders_of(run, Purpose.REVERSAL)) == 1
    (stop,), (reversal,) = when(run, Purpose.STOP), when(run, Purpose.REVERSAL)
    assert stop < reversal < stop + seconds(2)
    assert run.held(MARKET, Outcome.DOWN) == total(reversed_)
    (*_, target) = run.placed(Side.SELL)
    assert (target[1].outcome, target[1].shares) == (Outcome.DOWN, total(reversed_) // 10_000 * 10_000)


def test_what_a_reversal_bought_is_stopped_and_not_reversed_again(exchange_truth: WireStage) -> None:
    rows = falling((150, "0.75x500", "0.77x500"))
    run = played(exchange_truth, rows, reversal=AFTER)
    run.agree()
    assert len(orders_of(run, Purpose.REVERSAL)) == 1
    assert total(sold(run, Outcome.DOWN)) == total(bought(run, Outcome.DOWN)) > 0
    assert [terms.outcome for _, terms in run.placed(Side.BUY)] == [Outcome.UP, Outcome.DOWN]


@pytest.mark.parametrize(("up", "limit"), [(600_000, "reversal edge"), (None, "reversal chance")])
def test_a_reversal_without_value_is_denied_by_name_and_tried_no_longer_than_its_time(
    exchange_truth: WireStage, up: int | None, limit: str
) -> None:
    """Up is still likelier than its price says, or nobody knows. Down is cheap from second 140 on, which is too late:
    it was stopped at 100, and 30 s are given."""
    rows = falling((140, "0.95x500", "0.97x500"))
    run = played(exchange_truth, rows, reversal=AFTER, limits={"min_edge_usd": Decimal("0.02")}, up=up)
    run.agree()
    denied = {note.limit for note in run.notes(nt.EntryDenied)}
    assert limit in denied
    assert orders_of(run, Purpose.REVERSAL) == []
    assert total(sold(run, Outcome.UP)) == TWENTY


# --- before the stop


HEDGED = {"hedged": True}


@pytest.mark.parametrize(
    ("falls_at", "sells_at"), [(130, 130), (300, 220)], ids=["its bid falls to 0.15", "after 120 s"]
)
def test_a_hedge_is_bought_before_the_stop_and_the_loser_is_sold_later(
    exchange_truth: WireStage, falls_at: int, sells_at: int
) -> None:
    rows = falling() if falls_at == 300 else falling((falls_at, "0.15x500", "0.17x500"))
    run = played(exchange_truth, rows, reversal=HEDGED)
    run.agree()
    (hedge,), (stop, *more) = when(run, Purpose.REVERSAL), when(run, Purpose.STOP)
    assert after(100) <= hedge <= after(101)
    assert after(sells_at) <= stop <= after(sells_at + 1.5)
    assert more == []
    assert total(bought(run, Outcome.DOWN)) == total(sold(run, Outcome.UP)) == TWENTY
    assert run.held(MARKET, Outcome.UP) == 0
    assert run.held(MARKET, Outcome.DOWN) == TWENTY


def test_a_loser_whose_bid_is_low_enough_already_is_sold_as_soon_as_its_hedge_is_there(
    exchange_truth: WireStage,
) -> None:
    rows = [row for row in falling() if row.at < after(100)] + steady(MARKET, "0.14x500", "0.16x500", begin=100)
    run = played(exchange_truth, rows, reversal=HEDGED)
    run.agree()
    (hedge,), (stop,) = when(run, Purpose.REVERSAL), when(run, Purpose.STOP)
    assert hedge < stop < hedge + seconds(1)
    assert total(bought(run, Outcome.DOWN)) == total(sold(run, Outcome.UP)) == TWENTY


def test_a_hedge_that_risk_refuses_keeps_no_stop_waiting(exchange_truth: WireStage) -> None:
    """Its 15 USD are more than the market may cost. The stop goes in the same step."""
    run = played(exchange_truth, falling(), reversal=HEDGED, limits={"max_market_usd": Decimal(20)}, exits=NO_TARGET)
    run.agree()
    assert "reversal market exposure" in {note.limit for note in run.notes(nt.EntryDenied)}
    ((seen, _),) = noted(run, nt.StopTriggered)
    assert when(run, Purpose.STOP) == [seen]
    assert after(100) <= seen <= after(100.1)
    assert orders_of(run, Purpose.REVERSAL) == []
    assert total(sold(run, Outcome.UP)) == TWENTY


@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.REPLY_LATE])
def test_a_hedge_without_an_answer_holds_the_stop_for_three_seconds_at_most(
    exchange_truth: WireStage, fault: Fault
) -> None:
    """The exchange has filled it. The stream is silent, and the answer is lost or comes after 30 s."""

    def break_reply(floor: Floor) -> None:
        floor.fail(Fault.STREAM_FROZEN, "user", times=None)
        floor.fail(fault, PLACE, delay=30)

    deed = at_seconds((99, break_reply))
    run = played(exchange_truth, falling(), reversal=HEDGED, exits=NO_TARGET, look=deed)
    run.agree()
    assert run.floor.hits(fault) == 1
    (hedge,), stops = when(run, Purpose.REVERSAL), when(run, Purpose.STOP)
    assert stops[0] <= hedge + seconds(3)
    assert len(stops) == 1
    assert total(bought(run, Outcome.DOWN)) == total(sold(run, Outcome.UP)) == TWENTY
    assert run.held(MARKET, Outcome.UP) == 0


@pytest.mark.parametrize("moment", ["before it left", "with its answer lost", "after its fill"])
def test_a_trader_killed_between_hedge_and_loser_sells_the_loser_and_buys_no_second_hedge(
    exchange_truth: WireStage, moment: str
) -> None:
    """Where the hedge never left, the loser goes at once; else at 0.15, which is bid from second 130 on."""
    killed: list[Instant] = []

    def silence(floor: Floor) -> None:
        if moment == "with its answer lost":
            floor.fail(Fault.STREAM_FROZEN, "user", times=None)
            floor.fail(Fault.REPLY_LOST, PLACE)

    def heal(floor: Floor) -> None:
        floor.faults.switch_off(Fault.STREAM_FROZEN)

    def die(floor: Floor, event: AnyEvent, step: Step) -> None:
        if moment == "before it left":
            now = any(isinstance(one, PlaceOrder) and one.terms.purpose is Purpose.REVERSAL for one in step.commands)
        elif moment == "with its answer lost":
            now = isinstance(event, ev.OrderOutcomeUnknown)
        else:
            now = any(isinstance(one, nt.FillBooked) and one.outcome is Outcome.DOWN for one in step.notes)
        if now and not killed:
            killed.append(event.at)
            raise Killed

    rows, deeds = falling((130, "0.15x500", "0.17x500")), at_seconds((99, silence), (102, heal))
    run = played(exchange_truth, rows, reversal=HEDGED, meddle=die, look=deeds, lives=2)
    run.agree()
    assert after(100) <= killed[0] < after(102)
    left = moment != "before it left"
    assert total(bought(run, Outcome.DOWN)) == (TWENTY if left else 0)
    assert total(sold(run, Outcome.UP)) == TWENTY
    assert len(orders_of(run, Purpose.REVERSAL)) == 1
    (stop,) = when(run, Purpose.STOP)
    assert after(130) <= stop <= after(131.5) if left else stop < killed[0] + seconds(3)


def test_a_hedge_that_got_half_of_its_shares_spares_as_many(exchange_truth: WireStage) -> None:
    """The ten that have no hedge are stopped at once, the others at 0.15."""
    rows = [
        *steady(MARKET, "0.50x500", "0.52x20", end=100),
        *steady(MARKET, "0.25x20 0.24x500", "0.27x500", begin=100, end=130),
        *steady(MARKET, "0.15x500", "0.17x500", begin=130),
    ]

    def thin(floor: Floor) -> None:
        befall(floor, sim.Mishap.BOOK_THINNED, only="BUY")

    run = played(exchange_truth, rows, reversal=HEDGED, look=at_seconds((99, thin)))
    run.agree()
    assert befell(run, sim.Mishap.BOOK_THINNED) == 1
    assert total(bought(run, Outcome.DOWN)) == shares(10)
    assert total(sold(run, Outcome.UP)) == TWENTY
    stops = [(at, terms.shares) for at, terms in run.placed(Side.SELL) if terms.purpose is Purpose.STOP]
    assert [size for _, size in stops] == [shares(10), shares(10)]
    assert stops[0][0] < after(101)
    assert after(130) <= stops[1][0] < after(131.5)
