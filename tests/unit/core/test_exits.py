"""Which sells a holding needs, and what would change that."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.exits import NOTHING_HELD, ExitPlan, Sells, losing, stop_level, wanted_exits
from polystra.core.markets import PriceSource
from polystra.core.orders import Order, OrderState
from polystra.core.positions import FLAT, Holding, MarketPosition
from polystra.core.referee import Referee
from polystra.core.strategy import ExitPolicy, StopPolicy
from polystra.core.terms import Outcome, Purpose, TimeInForce
from polystra.core.units import MICRO, Nanos, Tick, Usd, price, seconds, shares
from polystra.core.view import NEVER, MarketView, Reference
from tests.core_cases import asks, moment
from tests.unit.core.samples import WINDOW, fill, order, selling, view

UP, DOWN = Outcome.UP, Outcome.DOWN
STOP = StopPolicy(price=price("0.30"), distance=price("0.10"), min_age=Nanos(0))


def held(
    amount: str = "10", each: str = "0.54", outcome: Outcome = UP, settled: str | None = None, opened: float = 0
) -> Holding:
    paid = Usd(shares(amount) * price(each) // MICRO)
    return Holding(
        outcome=outcome,
        shares=shares(amount),
        settled=shares(amount if settled is None else settled),
        cost=paid,
        paid=paid,
        bought=shares(amount),
        opened_at=moment(opened),
    )


def seen(
    bid: str = "0.52", ask: str = "0.54", up: Holding | None = None, down: Holding | None = None, **more: Any
) -> MarketView:
    position = MarketPosition(up or FLAT.up, down or FLAT.down)
    return view(bid, ask, position=position, **({"at": moment(60)} | more))


def wanted(of: MarketView, policy: ExitPolicy, orders: tuple[Order, ...] = ()) -> list[str]:
    return [asks(one.terms) for one in wanted_exits(of, policy, orders).orders]


def underlying(value: int) -> Reference:
    return Reference(source=PriceSource.CHAINLINK_TWAP_60, value=value, age=Nanos(0))


# --- the level ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "distance", "fraction", "entry", "level"),
    [
        ("0.30", "0.10", None, "0.54", "0.30"),
        ("0.30", "0.10", None, "0.35", "0.25"),
        ("0.30", "0.10", None, "0.40", "0.30"),
        (None, "0.10", 500_000, "0.54", "0.27"),
        ("0.30", "0.10", 500_000, "0.54", "0.30"),
        ("0.30", "0.10", 500_000, "0.70", "0.35"),
        ("0.30", "0.10", None, "0.05", "-0.05"),
    ],
)
def test_a_stop_holds_at_its_price_or_its_loss_whichever_comes_first(
    at: str | None, distance: str, fraction: int | None, entry: str, level: str
) -> None:
    policy = StopPolicy(price=None if at is None else price(at), distance=price(distance), fraction=fraction)
    assert stop_level(policy, held(each=entry)) == price(level)


def test_a_stop_without_price_and_loss_is_off() -> None:
    assert stop_level(StopPolicy(), held()) is None
    assert wanted(seen("0.01", "0.02", held()), ExitPolicy(stop=StopPolicy(min_age=Nanos(0)))) == []


def test_nothing_held_has_no_level_and_no_exit() -> None:
    assert stop_level(STOP, FLAT.up) is None
    assert wanted_exits(seen(), ExitPolicy(target=price("0.99"), stop=STOP)) is NOTHING_HELD


def test_a_level_at_or_below_zero_never_holds() -> None:
    assert wanted(seen("0", "0.01", held(each="0.05")), ExitPolicy(stop=STOP)) == []
    assert wanted(seen("0.01", "0.02", held(each="0.10")), ExitPolicy(stop=STOP)) == []


# --- losing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strike", "value", "up", "down"),
    [
        (100, 99, True, False),
        (100, 100, False, True),
        (100, 101, False, True),
        (None, 99, True, True),
        (100, None, True, True),
    ],
)
def test_a_tie_is_up_and_the_unknown_is_losing(strike: int | None, value: int | None, up: bool, down: bool) -> None:
    of = seen(strike=strike, references=() if value is None else (underlying(value),))
    assert (losing(of, UP), losing(of, DOWN)) == (up, down)


def test_a_stop_does_not_sell_what_is_winning() -> None:
    policy = ExitPolicy(stop=STOP)
    of = seen("0.20", "0.22", held(), strike=100, references=(underlying(101),))
    plan = wanted_exits(of, policy)
    assert plan.orders == ()
    assert (plan.wait.spot_lo, plan.wait.spot_hi) == (101, 101), "and looks again when the underlying moves"
    assert plan.wait.until == moment(61)
    assert wanted(replace(of, references=(underlying(99),)), policy) == ["stop SELL UP 10 @ 0.15 FAK"]


# --- the stop ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slippage", "worst"), [("0.05", "0.15"), ("0.055", "0.15"), ("0.049999", "0.16"), ("0", "0.2"), ("0.5", "0.01")]
)
def test_the_worst_price_of_a_stop_is_within_its_slippage_and_on_the_grid(slippage: str, worst: str) -> None:
    """SPEC S10.A2: a bound between two ticks is rounded up, or it would sell beyond it."""
    policy = ExitPolicy(stop=replace(STOP, slippage=price(slippage)))
    assert wanted(seen("0.20", "0.22", held()), policy) == [f"stop SELL UP 10 @ {worst} FAK"]


@pytest.mark.parametrize(("bid", "sells"), [("0.30", True), ("0.31", False), ("0.01", True), ("0", False)])
def test_a_stop_needs_a_bid_at_its_level_or_below(bid: str, sells: bool) -> None:
    plan = wanted_exits(seen(bid, "0.52", held()), ExitPolicy(stop=STOP))
    assert bool(plan.orders) is sells
    assert plan.wait.best_holds(price(bid), price("0.52"))
    assert bool(plan.stops) is sells
    if sells:
        assert plan.stops == ((UP, price(bid), price("0.30")),)


def test_above_its_level_a_stop_waits_for_the_bid_alone() -> None:
    up = wanted_exits(seen("0.52", "0.54", held()), ExitPolicy(stop=STOP)).wait
    assert (up.bid_lo, up.bid_hi, up.ask_lo, up.ask_hi, up.until) == (price("0.300001"), MICRO, 0, MICRO, NEVER)
    down = wanted_exits(seen("0.52", "0.54", down=held(outcome=DOWN)), ExitPolicy(stop=STOP)).wait
    assert (down.ask_lo, down.ask_hi, down.bid_lo, down.until) == (0, price("0.699999"), 0, NEVER)
    assert not down.best_holds(price("0.60"), price("0.70"))
    assert down.best_holds(price("0.60"), price("0.69"))


def test_a_stop_stands_aside_on_a_book_that_cannot_be_trusted_and_looks_again() -> None:
    plan = wanted_exits(seen("0.20", "0.22", held(), trouble="crossed"), ExitPolicy(stop=STOP))
    assert plan.orders == ()
    assert plan.wait.until == moment(61)
    assert not plan.wait.best_holds(price("0.19"), price("0.22"))


@pytest.mark.parametrize(("opened", "sells"), [(30, True), (31, False)])
def test_a_stop_has_a_least_age(opened: float, sells: bool) -> None:
    plan = wanted_exits(seen("0.20", "0.22", held(opened=opened)), ExitPolicy(stop=replace(STOP, min_age=seconds(30))))
    assert bool(plan.orders) is sells
    if not sells:
        assert plan.wait.until == moment(opened + 30)


@pytest.mark.parametrize(("at", "sells"), [(840, True), (841, False)])
def test_a_stop_leaves_the_last_seconds_alone(at: float, sells: bool) -> None:
    of = seen("0.20", "0.22", held(), at=moment(at))
    assert bool(wanted(of, ExitPolicy(stop=STOP, hold_last=seconds(60)))) is sells


def test_a_stop_precedes_the_target_and_a_small_rest_can_be_stopped() -> None:
    policy = ExitPolicy(target=price("0.99"), stop=STOP)
    assert wanted(seen("0.20", "0.22", held("0.5")), policy) == ["stop SELL UP 0.5 @ 0.15 FAK"]


# --- the target --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "tick", "at"),
    [("0.99", "0.01", "0.99"), ("0.995", "0.01", "0.99"), ("0.965", "0.01", "0.97"), ("0.9995", "0.001", "0.999")],
)
def test_a_target_is_rounded_up_and_kept_on_the_grid(target: str, tick: str, at: str) -> None:
    of = seen(up=held(), market=replace(WINDOW, tick=Tick(price(tick))))
    assert wanted(of, ExitPolicy(target=price(target))) == [f"target SELL UP 10 @ {at} GTC"]


def test_a_target_needs_no_book() -> None:
    of = seen("0", "1", held(), trouble="no snapshot yet")
    assert wanted(of, ExitPolicy(target=price("0.99"), stop=STOP)) == ["target SELL UP 10 @ 0.99 GTC"]


@pytest.mark.parametrize(("amount", "placed"), [("5", True), ("4.99", False)])
def test_a_target_needs_the_venues_least_size(amount: str, placed: bool) -> None:
    plan = wanted_exits(seen(up=held(amount)), ExitPolicy(target=price("0.99")))
    assert bool(plan.orders) is placed
    assert plan.uncovered == (() if placed else ((UP, shares("4.99"), "below the venue's least size"),))


@pytest.mark.parametrize(
    ("live", "stays"),
    [
        (order(selling("0.99", "10")), True),
        (order(selling("0.99", "10"), state=OrderState.CANCELLED), False),
        (order(selling("0.99", "10", outcome=DOWN)), False),
        (order(selling("0.99", "10", purpose=Purpose.STOP)), False),
    ],
)
def test_what_is_left_of_a_resting_target_is_still_wanted(live: Order, stays: bool) -> None:
    assert bool(wanted(seen(up=held("4")), ExitPolicy(target=price("0.99")), (live,))) is stays


def test_without_a_target_the_holding_waits_for_settlement_and_says_so() -> None:
    assert wanted_exits(seen(up=held()), ExitPolicy()).uncovered == ((UP, shares(10), "held to settlement"),)


def test_too_young_is_said_and_waited_for() -> None:
    plan = wanted_exits(seen(up=held(opened=30)), ExitPolicy(target=price("0.99"), min_age=seconds(60)))
    assert (plan.orders, plan.uncovered, plan.wait.until) == ((), ((UP, shares(10), "too young"),), moment(90))


# --- what is really there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "settled", "sells"),
    [("10", "10", "10"), ("10", "6", "6"), ("10", "9.999999", "9.99"), ("39.639344", "39.639344", "39.63")],
)
def test_only_settled_whole_steps_are_sold(amount: str, settled: str, sells: str) -> None:
    of = seen(up=held(amount, settled=settled))
    assert wanted(of, ExitPolicy(target=price("0.99"))) == [f"target SELL UP {sells} @ 0.99 GTC"]


@pytest.mark.parametrize("settled", ["0", "0.009999", "-3"])
def test_what_has_not_settled_is_said_and_not_sold(settled: str) -> None:
    plan = wanted_exits(seen("0.10", "0.12", held(settled=settled)), ExitPolicy(target=price("0.99"), stop=STOP))
    assert (plan.orders, plan.uncovered) == ((), ((UP, shares(10), "settling"),))


def test_dust_below_a_step_needs_no_exit() -> None:
    assert wanted_exits(seen(up=held("0.009999")), ExitPolicy(target=price("0.99"))) == ExitPlan()


@pytest.mark.parametrize(("awaited", "left"), [("4", "6"), ("10", None), ("0", "10")])
def test_what_an_ended_order_sold_by_the_venues_word_is_not_sold_again(awaited: str, left: str | None) -> None:
    ended = order(selling("0.99", "10"), state=OrderState.FILLED, answered=shares(awaited))
    of = seen(up=held(), down=held(outcome=DOWN))
    plan = wanted(of, ExitPolicy(target=price("0.99")), (ended,))
    assert plan == [
        *([] if left is None else [f"target SELL UP {left} @ 0.99 GTC"]),
        "target SELL DOWN 10 @ 0.99 GTC",
    ]


def test_what_a_live_order_sold_by_the_venues_word_is_still_its_own() -> None:
    live = order(selling("0.99", "10"), answered=shares(4))
    assert wanted(seen(up=held()), ExitPolicy(target=price("0.99")), (live,)) == ["target SELL UP 10 @ 0.99 GTC"]


def test_a_cancel_nobody_can_answer_for_leaves_the_holding_uncovered() -> None:
    doubted = order(selling("0.99", "10"), state=OrderState.CANCELLING, cancel_doubted=True)
    plan = wanted_exits(seen(up=held()), ExitPolicy(target=price("0.99")), (doubted,))
    assert plan.uncovered == ((UP, shares(10), "cancel unresolved"),)
    assert len(plan.orders) == 1


def test_both_outcomes_have_exits_of_their_own() -> None:
    of = seen("0.20", "0.22", held(), held("7", "0.30", DOWN))
    assert wanted(of, ExitPolicy(target=price("0.99"), stop=STOP)) == [
        "stop SELL UP 10 @ 0.15 FAK",
        "target SELL DOWN 7 @ 0.99 GTC",
    ]


def test_a_holding_that_never_opened_is_never_old_enough() -> None:
    """Shares that only an adjustment explains have no age; they are not sold by themselves."""
    strange = replace(held(), opened_at=None)
    of = seen("0.20", "0.22", strange)
    assert (
        wanted(of, ExitPolicy(target=price("0.99"), min_age=seconds(1), stop=replace(STOP, min_age=seconds(1)))) == []
    )


# --- a venue that does not take every sell -----------------------------------------------------------------------


BOTH = ExitPolicy(target=price("0.99"), stop=STOP)
TARGET = order(selling("0.99", "10"))


def allowed(of: MarketView, sells: Sells, *orders: Order, policy: ExitPolicy = BOTH) -> tuple[list[str], list[str]]:
    """What is wanted, and why what is not covered."""
    plan = wanted_exits(of, policy, orders, sells)
    return [asks(one.terms) for one in plan.orders], [why for _, _, why in plan.uncovered]


def test_where_only_resting_orders_are_taken_the_target_is_post_only() -> None:
    assert allowed(seen(up=held()), Sells.RESTING) == (["target SELL UP 10 @ 0.99 GTC post-only"], [])


def test_where_only_resting_orders_are_taken_a_stop_waits_and_the_target_rests() -> None:
    of = seen("0.20", "0.22", held())
    waits = "stop waits: the venue takes resting orders alone"
    assert allowed(of, Sells.RESTING) == (["target SELL UP 10 @ 0.99 GTC post-only"], [waits])
    assert allowed(of, Sells.ANY) == (["stop SELL UP 10 @ 0.15 FAK"], [])
    assert wanted_exits(of, BOTH, (), Sells.RESTING).stops == (), "it is not said to be triggered"


def test_where_nothing_is_taken_what_rests_stays_whatever_the_policy_says() -> None:
    of = seen("0.20", "0.22", held())
    for policy in (BOTH, ExitPolicy(), ExitPolicy(target=price("0.80"), hold_last=seconds(900))):
        plan = wanted_exits(of, policy, (TARGET,), Sells.NONE)
        assert [(asks(one.terms), one.kept) for one in plan.orders] == [("target SELL UP 10 @ 0.99 GTC", True)]
        assert (plan.uncovered, plan.stops) == ((), ())


def test_where_nothing_is_taken_what_was_filled_in_part_stays_for_the_rest_of_it() -> None:
    part = replace(TARGET, fills=(fill("0.99", "4"),))
    assert allowed(seen(up=held("6")), Sells.NONE, part) == (["target SELL UP 6 @ 0.99 GTC"], [])


@pytest.mark.parametrize(
    "useless",
    [
        (),
        (replace(TARGET, state=OrderState.CANCELLED),),
        (order(selling("0.99", "10", outcome=DOWN)),),
        (order(selling("0.99", "10.01")),),
    ],
    ids=["none", "ended", "of the other outcome", "more than is there"],
)
def test_where_nothing_is_taken_what_nothing_covers_is_said(useless: tuple[Order, ...]) -> None:
    assert allowed(seen(up=held()), Sells.NONE, *useless) == ([], ["the venue takes no orders"])


def test_where_everything_is_taken_nothing_is_merely_kept() -> None:
    assert not wanted_exits(seen(up=held()), BOTH, (TARGET,)).orders[0].kept


# --- a book that nobody can trust --------------------------------------------------------------------------------


def judge(bid: str, ask: str, at: float = 60) -> Referee:
    return Referee(bid=price(bid), ask=price(ask), at=moment(at), venue_at=moment(at), agreed=True)


def test_a_stop_may_go_by_the_referee() -> None:
    of = seen("0.52", "0.54", held(), trouble="stream lost", referee=judge("0.20", "0.22"))
    plan = wanted_exits(of, BOTH)
    assert [asks(one.terms) for one in plan.orders] == ["stop SELL UP 10 @ 0.15 FAK"]
    assert plan.stops == ((UP, price("0.20"), price("0.30")),)
    assert plan.blind, "the stream still cannot say"


def test_a_referee_above_the_level_leaves_the_target_and_is_heard_again() -> None:
    of = seen("0.20", "0.22", held(), trouble="stream lost", referee=judge("0.52", "0.54", at=58.5))
    plan = wanted_exits(of, BOTH)
    assert [asks(one.terms) for one in plan.orders] == ["target SELL UP 10 @ 0.99 GTC"]
    assert plan.wait.until == moment(61)


def test_a_stop_looks_again_when_the_referees_word_is_too_old() -> None:
    of = seen("0.20", "0.22", held(), trouble="stream lost", referee=judge("0.20", "0.22", at=57.5))
    assert wanted_exits(of, BOTH).wait.until == moment(60.5) + 1


def test_a_stop_without_bids_is_said_and_looked_at_again() -> None:
    plan = wanted_exits(seen("0", "0.02", held()), ExitPolicy(stop=STOP))
    assert [why for _, _, why in plan.uncovered] == ["no stop: nobody bids", "held to settlement"]
    assert plan.wait.until == moment(61)


@pytest.mark.parametrize(("at", "blind"), [(60, True), (900, True), (900.001, False)])
def test_what_is_held_on_an_untrusted_book_is_blind_until_the_window_ends(at: float, blind: bool) -> None:
    assert wanted_exits(seen(up=held(), trouble="crossed", at=moment(at)), BOTH).blind is blind
    assert not wanted_exits(seen(up=held(), at=moment(at)), BOTH).blind


@pytest.mark.parametrize(("at", "sells"), [(900, True), (900.001, False)])
def test_after_the_windows_end_no_stop_holds(at: float, sells: bool) -> None:
    assert bool(wanted(seen("0.20", "0.22", held(), at=moment(at)), ExitPolicy(stop=STOP))) is sells


def test_a_stop_may_be_all_or_nothing() -> None:
    policy = ExitPolicy(stop=replace(STOP, time_in_force=TimeInForce.FOK))
    assert wanted(seen("0.20", "0.22", held()), policy) == ["stop SELL UP 10 @ 0.15 FOK"]
