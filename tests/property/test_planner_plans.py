"""Plans over random wants and working orders: they come to rest, and never promise the same shares twice."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from polystra.core.exits import ExitOrder, wanted_exits
from polystra.core.ids import OrderId
from polystra.core.orders import Heard, Order, OrderState, moved
from polystra.core.planner import Plan, Suspension, plan
from polystra.core.positions import MarketPosition
from polystra.core.risk import Approved, review
from polystra.core.strategy import ExitPolicy, StopPolicy
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side, Slot, TimeInForce, slot_of
from polystra.core.units import SIZE_STEP, Instant, Nanos, Price, Shares, price, seconds, whole_steps
from tests.core_cases import LIMITS, moment, wish
from tests.unit.core.samples import WINDOW, order, terms, view
from tests.unit.core.test_exits import held, seen
from tests.unit.core.test_risk import situation

NOW = moment(60)
POLICY = ExitPolicy(target=price("0.90"), stop=StopPolicy(price=price("0.30"), min_age=Nanos(0)))

amounts = st.integers(0, 3_000).map(lambda step: Shares(step * 5_000))
outcomes = st.sampled_from(list(Outcome))
states = st.sampled_from([OrderState.SUBMITTING, OrderState.WORKING, OrderState.CANCELLING, OrderState.UNKNOWN])


@st.composite
def exits(draw: st.DrawFn) -> tuple[MarketPosition, tuple[ExitOrder, ...]]:
    """A position, and what `exits` itself wants for it: sells are made nowhere else."""
    bid = draw(st.integers(2, 95))
    up = replace(held(), shares=Shares(20_000_000), settled=draw(amounts))
    down = replace(held(outcome=Outcome.DOWN), shares=Shares(20_000_000), settled=draw(amounts))
    of = replace(seen(up=up, down=down), bid=Price(bid * 10_000), ask=Price((bid + 2) * 10_000))
    return of.position, wanted_exits(of, POLICY).orders


@st.composite
def entries(draw: st.DrawFn) -> tuple[Approved, ...]:
    made = {}
    for outcome in draw(st.lists(outcomes, max_size=2)):
        kind = draw(st.sampled_from([TimeInForce.GTC, TimeInForce.FAK]))
        asked = wish("0.50", outcome=outcome, time_in_force=kind)
        size = Shares(draw(st.integers(500, 900)) * 20_000)
        wanted = replace(terms("0.50", outcome=outcome), shares=size, time_in_force=kind)
        verdict = review(asked, wanted, LIMITS, situation(view(at=NOW)))
        assert isinstance(verdict, Approved), verdict
        made[outcome] = verdict
    return tuple(made.values())


@st.composite
def working(draw: st.DrawFn, position: MarketPosition) -> list[Order]:
    """Live orders as an engine can have them: one a slot, one sell an outcome, never more than is there."""
    live: list[Order] = []
    for outcome in Outcome:
        purpose = draw(st.sampled_from([None, Purpose.TARGET, Purpose.STOP]))
        there = whole_steps(position.of(outcome).settled)
        if purpose is not None and there:
            size = Shares(draw(st.integers(1, there // SIZE_STEP)) * SIZE_STEP)
            live.append(draw(_order(len(live), outcome, Side.SELL, purpose, size)))
        if draw(st.booleans()):
            live.append(draw(_order(len(live), outcome, Side.BUY, Purpose.ENTRY, Shares(10_000_000))))
    return live


@st.composite
def _order(draw: st.DrawFn, number: int, outcome: Outcome, side: Side, purpose: Purpose, size: Shares) -> Order:
    immediate = purpose is Purpose.STOP or (side is Side.BUY and draw(st.booleans()))
    wanted = OrderTerms(
        market=WINDOW.id,
        outcome=outcome,
        side=side,
        purpose=purpose,
        price=draw(st.sampled_from([price("0.90"), price("0.50"), price("0.20")])),
        shares=size,
        time_in_force=TimeInForce.FAK if immediate else TimeInForce.GTC,
    )
    state = draw(states)
    doubted = state is OrderState.CANCELLING and draw(st.booleans())
    asked = draw(st.sampled_from([None, moment(59.5), moment(50)]))
    return order(wanted, number=number + 1, state=state, cancel_doubted=doubted, asked_at=asked)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[MarketPosition, tuple[Approved, ...], tuple[ExitOrder, ...], list[Order]]:
    position, sells = draw(exits())
    return position, draw(entries()), sells, draw(working(position))


@st.composite
def rests(draw: st.DrawFn) -> dict[Slot, Suspension]:
    slots = [
        Slot(WINDOW.id, outcome, side, purpose)
        for outcome in Outcome
        for side, purpose in ((Side.BUY, Purpose.ENTRY), (Side.SELL, Purpose.TARGET), (Side.SELL, Purpose.STOP))
    ]
    until = st.sampled_from([None, None, moment(59), NOW, moment(61)])
    drawn = {slot: draw(until) for slot in slots}
    return {slot: Suspension(cause="no", until=end, attempts=1) for slot, end in drawn.items() if end is not None}


def obeyed(live: list[Order], planned: Plan, at: Instant) -> list[Order]:
    """The live orders once the plan was carried out, as the engine does at once."""
    after = []
    for one in live:
        if one.id in planned.cancel:
            one = moved(one, Heard.CANCEL_ASKED, at)
        if one.id in planned.query:
            one = replace(one, asked_at=at)
        after.append(one)
    first = len(live) + 100
    return after + [
        Order(id=OrderId(first + index), terms=wanted, decided_at=at, state_at=at)
        for index, wanted in enumerate(planned.place)
    ]


def answered(live: list[Order], at: Instant) -> list[Order]:
    """Every open question answered in the kindest way: placed orders rest or are gone, cancels succeed."""
    after = []
    for one in live:
        immediate = one.terms.time_in_force.immediate
        if one.state in (OrderState.SUBMITTING, OrderState.UNKNOWN):
            one = moved(one, Heard.KILLED if immediate else Heard.RESTS, at)
        elif one.state is OrderState.CANCELLING:
            one = moved(one, Heard.CANCELLED, at)
        elif immediate:
            one = moved(one, Heard.KILLED, at)
        if one.live:
            after.append(one)
    return after


def sells_of(live: list[Order], outcome: Outcome) -> list[Order]:
    return [one for one in live if one.terms.side is Side.SELL and one.terms.outcome is outcome]


@settings(max_examples=300)
@given(scene=scenes(), resting=rests())
def test_a_plan_carried_out_asks_for_nothing_more(scene: tuple, resting: dict[Slot, Suspension]) -> None:
    _, buys, sells, live = scene
    first = plan(buys, sells, live, resting, NOW)
    again = plan(buys, sells, obeyed(live, first, NOW), resting, NOW)
    assert (again.place, again.cancel, again.query) == ((), (), ())


@settings(max_examples=300)
@given(scene=scenes(), resting=rests())
def test_one_sell_an_outcome_and_never_more_than_is_there(scene: tuple, resting: dict[Slot, Suspension]) -> None:
    position, buys, sells, live = scene
    for _ in range(4):
        planned = plan(buys, sells, live, resting, NOW)
        live = obeyed(live, planned, NOW)
        for outcome in Outcome:
            own = sells_of(live, outcome)
            assert len(own) <= 1
            assert sum(one.remaining for one in own) <= position.of(outcome).settled
        slots = Counter(slot_of(one.terms) for one in live)
        assert max(slots.values(), default=1) == 1, "one order a slot"
        live = answered(live, NOW)


@settings(max_examples=300)
@given(scene=scenes(), resting=rests())
def test_an_immediate_order_is_never_cancelled_and_one_that_is_not_answered_yet_neither(
    scene: tuple, resting: dict[Slot, Suspension]
) -> None:
    _, buys, sells, live = scene
    cancelled = {one.id: one for one in live if one.id in plan(buys, sells, live, resting, NOW).cancel}
    assert all(not one.terms.time_in_force.immediate for one in cancelled.values())
    assert all(one.state in (OrderState.WORKING, OrderState.UNKNOWN) for one in cancelled.values())


@settings(max_examples=300)
@given(scene=scenes(), resting=rests())
def test_nothing_is_placed_beside_what_is_not_known(scene: tuple, resting: dict[Slot, Suspension]) -> None:
    _, buys, sells, live = scene
    for wanted in plan(buys, sells, live, resting, NOW).place:
        beside = [one for one in live if (one.terms.outcome, one.terms.side) == (wanted.outcome, wanted.side)]
        assert beside == []
        rest = resting.get(slot_of(wanted))
        assert rest is None or rest.until <= NOW


@settings(max_examples=300)
@given(scene=scenes())
def test_when_the_venue_answers_kindly_the_wants_are_met_in_a_few_rounds(scene: tuple) -> None:
    _, buys, sells, live = scene
    buys = tuple(one for one in buys if not one.terms.time_in_force.immediate)
    sells = tuple(one for one in sells if not one.terms.time_in_force.immediate)
    for _ in range(4):
        live = answered(obeyed(live, plan(buys, sells, live, {}, NOW), NOW), NOW)
    assert {slot_of(one.terms) for one in live} == {slot_of(one.terms) for one in (*buys, *sells)}
    for wanted in sells:
        (own,) = sells_of(live, wanted.terms.outcome)
        assert abs(own.remaining - wanted.terms.shares) < SIZE_STEP
        assert own.terms.price == wanted.terms.price


@settings(max_examples=300)
@given(scene=scenes(), resting=rests(), later=st.sampled_from([0.0, 0.5, 0.999, 1.0, 1.2]).map(seconds))
def test_until_its_wait_is_over_a_plan_stays_the_same(
    scene: tuple, resting: dict[Slot, Suspension], later: Nanos
) -> None:
    _, buys, sells, live = scene
    first = plan(buys, sells, live, resting, NOW)
    live = obeyed(live, first, NOW)
    wait = plan(buys, sells, live, resting, NOW).wait.until
    at = Instant(NOW + later)
    again = plan(buys, sells, live, resting, at)
    if at < min(wait, first.wait.until):
        assert (again.place, again.cancel, again.query) == ((), (), ())
