"""The difference between what is wanted and what works."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core import planner
from polystra.core.exits import wanted_exits
from polystra.core.orders import Order, OrderState
from polystra.core.planner import ASK_EVERY, CANCEL_WAITS, RETRY_WAITS, Plan, Suspension, plan, suspension_after
from polystra.core.positions import MarketPosition
from polystra.core.risk import Approved, review
from polystra.core.strategy import ExitPolicy, Tolerance
from polystra.core.terms import OrderTerms, Outcome, Side, TimeInForce, slot_of
from polystra.core.units import Instant, price, seconds, shares
from polystra.core.view import NEVER
from tests.core_cases import LIMITS, asks, moment, wish
from tests.unit.core.samples import order, selling, taking, terms, view
from tests.unit.core.test_exits import held, seen
from tests.unit.core.test_risk import situation

NOW = moment(60)
TARGET = ExitPolicy(target=price("0.99"))


def entry(wanted: OrderTerms | None = None, tolerance: Tolerance | None = None) -> Approved:
    wanted = wanted or terms("0.50", "10")
    asked = wish("0.50", outcome=wanted.outcome, time_in_force=wanted.time_in_force, tolerance=tolerance or Tolerance())
    verdict = review(asked, wanted, LIMITS, situation(view(at=NOW)))
    assert isinstance(verdict, Approved), verdict
    return verdict


def exits(amount: str = "10", outcome: Outcome = Outcome.UP) -> Any:
    up = held(amount, outcome=outcome)
    position = seen(up=up) if outcome is Outcome.UP else seen(down=up)
    return wanted_exits(position, TARGET).orders


def placed(result: Plan) -> list[str]:
    return [asks(one) for one in result.place]


def resting(state: OrderState = OrderState.WORKING, at: str = "0.99", size: str = "10", **more: Any) -> Order:
    return order(selling(at, size), number=2, state=state, **more)


def test_what_is_wanted_and_missing_is_placed() -> None:
    result = plan([entry()], exits(), [], {}, NOW)
    assert placed(result) == ["entry BUY UP 10 @ 0.5 GTC", "target SELL UP 10 @ 0.99 GTC"]
    assert (result.cancel, result.query, result.wait.until) == ((), (), NEVER)


def test_what_works_as_wanted_stays() -> None:
    assert plan([], exits(), [resting()], {}, NOW) == Plan(wait=plan([], [], [], {}, NOW).wait)


@pytest.mark.parametrize("at", ["0.98", "0.97"])
def test_a_wrong_price_is_cancelled_and_not_replaced_in_the_same_breath(at: str) -> None:
    result = plan([], exits(), [resting(at=at)], {}, NOW)
    assert (result.place, result.cancel) == ((), (2,))


@pytest.mark.parametrize(("size", "stays"), [("10", True), ("10.01", False), ("9.99", False), ("10.005", True)])
def test_an_exit_is_never_a_step_larger_than_what_is_held(size: str, stays: bool) -> None:
    result = plan([], exits(), [resting(size=size)], {}, NOW)
    assert (result.cancel == ()) is stays


@pytest.mark.parametrize(
    ("at", "size", "stays"),
    [("0.51", "10", True), ("0.52", "10", False), ("0.49", "10", True), ("0.5", "12", True), ("0.5", "12.01", False)],
)
def test_a_resting_entry_stays_within_its_tolerance(at: str, size: str, stays: bool) -> None:
    loose = Tolerance(price=price("0.01"), shares=shares(2))
    result = plan([entry(tolerance=loose)], [], [order(terms(at, size), number=1)], {}, NOW)
    assert (result.cancel == ()) is stays
    assert result.place == ()


def test_what_nobody_wants_is_cancelled() -> None:
    assert plan([], [], [order(number=1), resting()], {}, NOW).cancel == (1, 2)


@pytest.mark.parametrize("state", [OrderState.SUBMITTING, OrderState.CANCELLING])
def test_an_order_whose_fate_is_open_is_left_to_its_answer(state: OrderState) -> None:
    result = plan([], [], [resting(state)], {}, NOW)
    assert result.cancel == ()


def test_an_unwanted_order_of_unknown_fate_is_cancelled_by_its_hash_each_time_it_is_asked_about() -> None:
    lost = resting(OrderState.UNKNOWN)
    first = plan([], [], [lost], {}, NOW)
    assert first.cancel == first.query == (lost.id,)
    asked = replace(lost, asked_at=NOW)
    assert plan([], [], [asked], {}, NOW).cancel == ()


@pytest.mark.parametrize("kind", [TimeInForce.FAK, TimeInForce.FOK])
@pytest.mark.parametrize("state", [OrderState.SUBMITTING, OrderState.WORKING, OrderState.UNKNOWN])
def test_an_immediate_order_in_flight_is_never_compared_by_price(kind: TimeInForce, state: OrderState) -> None:
    flying = order(taking("0.47", "10", time_in_force=kind), number=1, state=state)
    assert plan([entry(taking("0.50", "10"))], [], [flying], {}, NOW).cancel == ()
    assert plan([entry(taking("0.50", "10"))], [], [flying], {}, NOW).place == ()
    assert plan([], [], [flying], {}, NOW).cancel == ()


@pytest.mark.parametrize(
    "state", [OrderState.SUBMITTING, OrderState.WORKING, OrderState.CANCELLING, OrderState.UNKNOWN]
)
def test_nothing_is_sold_beside_a_sell_that_is_not_wanted_or_not_known(state: OrderState) -> None:
    other = order(selling("0.20", "10", purpose="stop", time_in_force=TimeInForce.FAK), number=3, state=state)
    assert plan([], exits(), [other], {}, NOW).place == ()
    assert placed(plan([], exits(outcome=Outcome.DOWN), [other], {}, NOW)) == ["target SELL DOWN 10 @ 0.99 GTC"]
    assert placed(plan([entry()], [], [other], {}, NOW)) == ["entry BUY UP 10 @ 0.5 GTC"], "buying is another side"


def test_a_suspended_slot_rests_and_says_until_when() -> None:
    rest = Suspension(cause="other", until=Instant(NOW + seconds(2)), attempts=2)
    result = plan([], exits(), [], {slot_of(selling("0.99")): rest}, NOW)
    assert (result.place, result.wait.until) == ((), rest.until)
    over = plan([], exits(), [], {slot_of(selling("0.99")): rest}, rest.until)
    assert (len(over.place), over.wait.until) == (1, NEVER)


def test_a_suspended_slot_that_nobody_wants_wakes_nobody() -> None:
    rest = Suspension(cause="other", until=Instant(NOW + seconds(2)), attempts=2)
    assert plan([], [], [], {slot_of(selling("0.99")): rest}, NOW).wait.until == NEVER


@pytest.mark.parametrize(
    ("asked", "query", "next_look"),
    [(None, (2,), 61), (60.0, (), 61), (59.5, (), 60.5), (59.0, (2,), 61), (50.0, (2,), 61)],
)
@pytest.mark.parametrize("doubt", ["unknown", "cancel"])
def test_doubt_is_asked_about_at_once_and_then_each_second(
    doubt: str, asked: float | None, query: tuple[int, ...], next_look: float
) -> None:
    at = None if asked is None else moment(asked)
    state = OrderState.UNKNOWN if doubt == "unknown" else OrderState.CANCELLING
    result = plan([], exits(), [resting(state, cancel_doubted=doubt == "cancel", asked_at=at)], {}, NOW)
    assert (result.query, result.wait.until) == (query, moment(next_look))
    assert seconds(1) == ASK_EVERY


def test_a_cancel_in_flight_without_doubt_is_not_asked_about() -> None:
    result = plan([], [], [resting(OrderState.CANCELLING)], {}, NOW)
    assert (result.query, result.wait.until) == ((), NEVER)


def test_a_cancel_that_failed_is_not_repeated_before_its_time_and_still_closes_the_place() -> None:
    rest = {resting().id: Suspension(cause="no", until=Instant(NOW + seconds(4)), attempts=3)}
    wrong = resting(at="0.98")
    result = plan([], exits(), [wrong], {}, NOW, rest)
    assert (result.place, result.cancel, result.wait.until) == ((), (), moment(64))
    assert plan([], exits(), [wrong], {}, moment(64), rest).cancel == (2,)
    assert plan([], exits(), [resting()], {}, NOW, rest).wait.until == NEVER, "wanted again: nothing to cancel"


def test_rests_grow_and_stay_at_the_longest() -> None:
    rest, at, pauses = None, NOW, []
    for _ in range(8):
        rest = suspension_after(rest, "no", at)
        pauses.append((rest.until - at) // seconds(1))
    assert pauses == [1, 2, 4, 8, 16, 32, 32, 32]
    assert rest is not None
    assert rest.attempts == 8
    assert [wait // seconds(1) for wait in CANCEL_WAITS] == [1, 2, 4, 60]
    assert suspension_after(rest, "no", at, CANCEL_WAITS).until == at + CANCEL_WAITS[-1]
    assert RETRY_WAITS[0] == seconds(1)


def test_two_outcomes_and_both_sides_are_planned_together() -> None:
    position = MarketPosition(held("10"), held("6", outcome=Outcome.DOWN))
    both = wanted_exits(replace(seen(), position=position), TARGET).orders
    result = plan([entry()], both, [order(terms("0.40", "5", outcome=Outcome.DOWN), number=7)], {}, NOW)
    assert result.cancel == (7,)
    assert [one.side for one in result.place] == [Side.BUY, Side.SELL, Side.SELL]
    assert planner.EXIT_TOLERANCE.shares == shares("0.009999")
