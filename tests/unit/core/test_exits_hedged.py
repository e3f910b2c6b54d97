"""What a stop sells while a hedge of its holding is young, and what it leaves to the others."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.exits import ExitPlan, wanted_exits
from polystra.core.orders import Order, OrderState
from polystra.core.reversal import ReversalRules
from polystra.core.strategy import BreakEvenPolicy, ExitPolicy, StopPolicy
from polystra.core.terms import Outcome, Purpose
from polystra.core.units import Instant, Nanos, Shares, price, shares, show
from tests.core_cases import asks, moment
from tests.unit.core.samples import fill, order, taking
from tests.unit.core.test_exits import held, seen

UP, DOWN = Outcome.UP, Outcome.DOWN
STOPPED = ExitPolicy(target=price("0.99"), stop=StopPolicy(price=price("0.30"), min_age=Nanos(0)))
HEDGED = ReversalRules(hedged=True)
AT_LEVEL = seen("0.30", "0.32", held())
PAIR = seen("0.30", "0.32", held(), held("10", "0.70", DOWN))
STOP, TARGET, OTHER = "stop SELL UP 10 @ 0.25 FAK", "target SELL UP 10 @ 0.99 GTC", "target SELL DOWN 10 @ 0.99 GTC"


def hedge(size: str) -> Order:
    """Ten of Down asked for at 58 s, of which `size` was bought at once."""
    state = OrderState.FILLED if size == "10" else OrderState.CANCELLED
    trades = (fill("0.70", size, at=moment(58)),)
    terms = taking("0.70", "10", purpose=Purpose.REVERSAL, outcome=DOWN)
    return order(terms, state=state, decided_at=moment(58), fills=trades)


def plan(of: Any = AT_LEVEL, policy: ExitPolicy = STOPPED, *orders: Order, **more: Any) -> ExitPlan:
    return wanted_exits(of, policy, orders, **({"hedging": HEDGED} | more))


def lines(found: ExitPlan) -> list[str]:
    return [asks(one.terms) for one in found.orders]


def test_a_hedge_that_leaves_now_takes_the_place_of_the_stop_and_leaves_the_target() -> None:
    leaves = taking("0.70", "10", purpose=Purpose.REVERSAL, outcome=DOWN)
    assert lines(plan(hedges=[leaves])) == [TARGET]
    assert plan(hedges=[leaves]).stops == ()
    assert lines(plan(hedges=[replace(leaves, outcome=UP)])) == [STOP], "that hedges the other one"
    assert lines(plan()) == [STOP]


def test_a_hedge_cut_to_what_is_on_offer_leaves_the_rest_to_the_stop_at_once() -> None:
    few = taking("0.70", "2", purpose=Purpose.REVERSAL, outcome=DOWN)
    assert lines(plan(hedges=[few])) == ["stop SELL UP 8 @ 0.25 FAK"]
    way = order(few, state=OrderState.SUBMITTING, decided_at=moment(59))
    assert lines(plan(AT_LEVEL, STOPPED, way)) == ["stop SELL UP 8 @ 0.25 FAK"]
    done = order(few, state=OrderState.FILLED, decided_at=moment(58), fills=(fill("0.70", "2", at=moment(58)),))
    assert lines(plan(seen("0.30", "0.32", held(), held("2", "0.70", DOWN)), STOPPED, done)) == [
        "stop SELL UP 8 @ 0.25 FAK"
    ]


@pytest.mark.parametrize(("lacks", "sold"), [("0.09", []), ("0.1", ["stop SELL UP 0.1 @ 0.25 FAK"])])
def test_what_rounding_to_whole_cents_left_out_is_no_reason_to_stop(lacks: str, sold: list[str]) -> None:
    """At 0.70 a lot is a tenth of a share."""
    size = show(Shares(shares(10) - shares(lacks)))
    bought = order(
        taking("0.70", size, purpose=Purpose.REVERSAL, outcome=DOWN),
        state=OrderState.FILLED,
        decided_at=moment(58),
        fills=(fill("0.70", size, at=moment(58)),),
    )
    found = lines(plan(seen("0.30", "0.32", held(), held(size, "0.70", DOWN)), STOPPED, bought))
    assert [line for line in found if line.startswith("stop")] == sold


def test_a_hedge_spares_no_more_than_is_held_of_it_now() -> None:
    """Sold, failed on the chain, or merged since."""
    assert lines(plan(AT_LEVEL, STOPPED, hedge("10"))) == [STOP]
    some = seen("0.30", "0.32", held(), held("4", "0.70", DOWN))
    assert lines(plan(some, STOPPED, hedge("10"))) == ["stop SELL UP 6 @ 0.25 FAK"]
    more = seen("0.30", "0.32", held("25"), held("10", "0.70", DOWN))
    assert lines(plan(more, STOPPED, hedge("10")))[0] == "stop SELL UP 15 @ 0.25 FAK", "grown since"


def test_what_was_bought_after_an_earlier_stop_is_no_hedge_of_what_was_bought_again() -> None:
    earlier = replace(hedge("10"), decided_at=Instant((held().opened_at or moment(0)) - 1))
    assert lines(plan(PAIR, STOPPED, earlier)) == [STOP, OTHER]


def test_a_whole_hedge_spares_everything_and_its_shares_have_a_target_of_their_own() -> None:
    found = plan(PAIR, STOPPED, hedge("10"))
    assert lines(found) == [TARGET, OTHER]
    assert found.wait.until == moment(178)
    assert not found.wait.best_holds(price("0.15"), price("0.32"))


def test_of_a_hedge_in_part_the_rest_is_sold_and_what_it_covers_is_said_to_be_bare() -> None:
    found = plan(PAIR, STOPPED, hedge("4"))
    assert lines(found) == ["stop SELL UP 6 @ 0.25 FAK", OTHER]
    assert (UP, shares(4), "a pair, while the rest is stopped") in found.uncovered
    late = plan(replace(PAIR, at=moment(177.5)), STOPPED, hedge("4"))
    assert late.wait.until == moment(178), "and it looks again when the loser is to go"


@pytest.mark.parametrize("rules", [None, ReversalRules(after_stop=True)], ids=["no rule", "the other rule"])
def test_where_stops_are_not_hedged_what_was_bought_of_the_other_side_spares_nothing(rules: Any) -> None:
    assert lines(plan(PAIR, STOPPED, hedge("10"), hedging=rules)) == [STOP, OTHER]


def test_where_pairs_need_no_stop_the_larger_of_the_two_is_spared() -> None:
    pairs = replace(STOPPED, pairs_need_no_stop=True)
    few = seen("0.30", "0.32", held(), held("2", "0.70", DOWN))
    assert lines(plan(few, pairs, hedge("4"))) == ["stop SELL UP 8 @ 0.25 FAK"]
    assert lines(plan(PAIR, pairs, hedge("4"))) == [TARGET, OTHER], "six of the ten of Down are its own"


def test_the_protection_of_a_gain_leaves_alone_what_a_young_hedge_covers() -> None:
    guarded = ExitPolicy(target=price("0.99"), break_even=BreakEvenPolicy(arm=200_000))
    armed = {UP: shares(10)}
    assert lines(plan(PAIR, guarded, armed=armed)) == [STOP, OTHER]
    assert lines(plan(PAIR, guarded, hedge("10"), armed=armed)) == [TARGET, OTHER]


def test_a_profit_is_taken_of_everything_however_young_its_hedge() -> None:
    rich = ExitPolicy(target=price("0.99"), profit=100_000)
    of = seen("0.70", "0.72", held(), held("10", "0.70", DOWN))
    assert lines(plan(of, rich, hedge("10"))) == ["sale SELL UP 10 @ 0.6 FAK", OTHER]


def test_without_a_stop_there_is_nothing_to_spare() -> None:
    found = plan(PAIR, ExitPolicy(target=price("0.99")), hedge("10"))
    assert lines(found) == [TARGET, OTHER]
