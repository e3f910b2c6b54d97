"""The other side of what is stopped, through the whole engine: after the stop, and before it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.events import TradingState
from polystra.core.ids import OrderId
from polystra.core.reasons import RefusalReason
from polystra.core.reversal import ReversalRules
from polystra.core.rules import Rules
from polystra.core.scale_in import ScaleInRules
from polystra.core.strategy import BreakEvenPolicy, Decision, ExitPolicy
from polystra.core.terms import Outcome, Purpose, TimeInForce
from polystra.core.units import micro, price, seconds, shares, usd
from polystra.core.view import MarketView
from tests.core_cases import AT_ONCE, FAILED, MINED, RULES, STOP, Bench, another, holding, wish
from tests.unit.core.test_engine_scale_in import Knowing, denials

AFTER = replace(RULES, reversal=ReversalRules(after_stop=True))
HEDGED = replace(RULES, reversal=ReversalRules(hedged=True))
BOTH = replace(RULES, reversal=ReversalRules(after_stop=True, hedged=True))
WATCHED = replace(AT_ONCE, stop=STOP)
HEDGE = "place o3 reversal BUY DOWN 10 @ 0.7 FAK"
STOP_ORDER = "stop SELL UP 10 @ 0.25 FAK"


def falling(
    rules: Rules, chance: str | None = "0.05", exits: ExitPolicy = WATCHED, outcome: Outcome = Outcome.UP
) -> Bench:
    """Ten shares at 0.54 since second 60, their target o2 resting, a stop at 0.30; and Down nearly sure."""
    told = None if chance is None else micro(chance)
    bench = holding(Knowing(wishes=(wish(outcome=outcome),), exits=exits, chance=told), rules, outcome=outcome)
    assert bench.accepted(60, 2) == []
    return bench


def stopped(rules: Rules = AFTER, chance: str | None = "0.05") -> list[str]:
    """What follows the last share's sale at 100.3."""
    return stopped_bench(rules, chance)[1]


def stopped_bench(rules: Rules = AFTER, chance: str | None = "0.05") -> tuple[Bench, list[str]]:
    bench = falling(rules, chance)
    assert bench.book(100, "0.30", "0.32") == ["cancel o2"]
    assert bench.cancelled(100.1, 2) == [f"place o3 {STOP_ORDER}"]
    assert bench.killed(100.2, 3, "10", "3.00") == []
    return bench, bench.fill(100.3, 3, "0.30", "10", trade="t3")


def hedging(rules: Rules = HEDGED) -> Bench:
    """The bid is at the stop since second 100: the hedge o3 is on its way, and the target rests still."""
    bench = falling(rules)
    assert bench.book(100, "0.30", "0.32") == [HEDGE]
    return bench


def paired(size: str = "10") -> Bench:
    """So much of the hedge was bought at 100.2 and has settled."""
    bench = hedging()
    bench.fill(100.2, 3, "0.70", size, trade="t3")
    if size != "10":
        bench.killed(100.2, 3, size, "0")
    bench.fill(101, 3, "0.70", size, MINED, trade="t3")
    return bench


# --- after the stop ------------------------------------------------------------------------------------------------


def test_after_a_stop_at_a_loss_the_other_side_is_bought_with_what_came_back() -> None:
    """Ten at 0.30 are 3 USD, less a fee of 0.147; in whole cents the rest buys four at 0.70."""
    bench, said = stopped_bench()
    assert said == ["place o4 reversal BUY DOWN 3.8 @ 0.7 FAK"]
    assert bench.desk.orders[OrderId(4)].terms.spend <= usd("2.853")


def test_it_happens_once() -> None:
    bench, _ = stopped_bench()
    bench.fill(100.5, 4, "0.70", "2", trade="t4")
    bench.killed(100.5, 4, "2", "1.40")
    assert bench.pass_to(140) == []


def test_what_a_reversal_bought_is_stopped_like_anything_and_not_reversed_again() -> None:
    bench, _ = stopped_bench()
    bench.fill(100.5, 4, "0.70", "4", trade="t4")
    bench.fill(101, 4, "0.70", "4", MINED, trade="t4")
    assert bench.told(nt.ExitUncovered)[-1].why == "below the venue's least size"
    assert bench.book(110, "0.70", "0.72") == [], "too young to be stopped"
    assert bench.pass_to(131) == [(130.5, "place o5 stop SELL DOWN 4 @ 0.23 FAK")]
    assert bench.fill(131.1, 5, "0.28", "4", trade="t5") == []
    assert bench.desk.position.flat
    assert bench.pass_to(170) == []


def test_without_the_rule_nothing_is_bought() -> None:
    assert stopped(RULES) == []
    assert stopped(HEDGED, "0.60") == []


def test_value_denies_it_by_its_name() -> None:
    bench, said = stopped_bench(chance="0.28")
    assert said == []
    assert denials(bench) == ["reversal edge"]


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"max_daily_loss": usd("2.4")}, "reversal daily loss"),
        ({"min_time_left": seconds(800)}, "reversal time left"),
    ],
)
def test_risk_denies_it_by_its_name(changes: dict[str, Any], limit: str) -> None:
    bench, said = stopped_bench(replace(AFTER, limits=replace(RULES.limits, **changes)))
    assert said == []
    assert denials(bench) == [limit]


def test_a_chance_that_nobody_knows_denies_it_by_name() -> None:
    bench, said = stopped_bench(chance=None)
    assert said == []
    assert denials(bench) == ["reversal chance"]


def test_one_that_bought_nothing_is_tried_again_within_its_time_and_not_later() -> None:
    """After one, two, four, eight seconds; the next would be after 130.3."""
    bench, _ = stopped_bench()
    at = 100.3
    for order, later in ((4, 101.3), (5, 103.3), (6, 107.3), (7, 115.3)):
        assert bench.killed(at, order) == []
        assert bench.pass_to(later) == [(later, f"place o{order + 1} reversal BUY DOWN 3.8 @ 0.7 FAK")]
        at = later
    assert bench.killed(at, 8) == []
    assert bench.pass_to(200) == []


def test_a_stop_of_which_a_part_is_left_is_reversed_when_the_last_share_went() -> None:
    bench = falling(AFTER)
    bench.book(100, "0.30", "0.32")
    bench.cancelled(100.1, 2)
    bench.killed(100.2, 3, "4", "1.20")
    assert bench.fill(100.3, 3, "0.30", "4", trade="t3") == []
    assert bench.pass_to(102) == [(101.2, "place o4 stop SELL UP 6 @ 0.25 FAK")]
    assert bench.killed(102, 4, "6", "1.80") == []
    (placed,) = bench.fill(102.1, 4, "0.30", "6", trade="t4")
    assert placed.startswith("place o5 reversal BUY DOWN")


def test_the_protection_of_a_gain_is_followed_by_no_reversal() -> None:
    guarded = replace(AT_ONCE, break_even=BreakEvenPolicy(arm=200_000, slippage=price("0")))
    bench = falling(AFTER, exits=guarded)
    bench.book(90, "0.70", "0.72")
    assert bench.book(100, "0.57", "0.58") == ["cancel o2"]
    bench.cancelled(100.1, 2)
    assert bench.fill(100.3, 3, "0.58", "10", trade="t3") == []
    assert bench.desk.position.up.realised > 0
    assert bench.pass_to(140) == []


# --- before the stop -----------------------------------------------------------------------------------------------


def test_at_the_stops_level_the_other_side_is_bought_first() -> None:
    bench = hedging()
    assert bench.state(2) == "WORKING", "the target is kept while the hedge is on its way"
    assert bench.told(nt.StopTriggered) == []


def test_the_mirror_for_down() -> None:
    bench = falling(HEDGED, chance="0.95", outcome=Outcome.DOWN)
    assert bench.book(100, "0.68", "0.70") == ["place o3 reversal BUY UP 10 @ 0.7 FAK"]


def test_a_hedge_without_an_answer_holds_the_stop_up_for_three_seconds_and_no_longer() -> None:
    bench = hedging()
    assert bench.pass_to(102.999) == []
    assert bench.pass_to(103) == [(103, "cancel o2")]
    assert bench.cancelled(103.1, 2) == [f"place o4 {STOP_ORDER}"]


def test_an_answer_that_comes_after_the_stop_left_is_a_reversal_like_any_other() -> None:
    bench = hedging()
    bench.pass_to(103)
    bench.cancelled(103.1, 2)
    bench.fill(103.2, 3, "0.70", "10", trade="t3")
    assert bench.fill(103.3, 4, "0.30", "10", trade="t4") == []
    assert (bench.desk.position.up.shares, bench.desk.position.down.shares) == (0, shares(10))
    said = bench.fill(104, 3, "0.70", "10", MINED, trade="t3")
    assert said == ["place o5 target SELL DOWN 10 @ 0.99 GTC"]


def test_a_whole_hedge_spares_the_loser_for_two_minutes() -> None:
    bench = paired()
    assert bench.state(2) == "WORKING"
    bench.accepted(101, 4)
    assert bench.pass_to(220.1) == []
    assert bench.pass_to(220.2)[0] == (220.2, "cancel o2")
    assert bench.cancelled(220.3, 2) == [f"place o5 {STOP_ORDER}"]


def test_a_whole_hedge_spares_the_loser_until_its_bid_is_low_and_then_sells_at_once() -> None:
    bench = paired()
    bench.accepted(101, 4)
    assert bench.book(110, "0.16", "0.18") == []
    assert bench.book(111, "0.15", "0.17") == ["cancel o2"]
    assert bench.cancelled(111.1, 2) == ["place o5 stop SELL UP 10 @ 0.1 FAK"]


def test_a_loser_that_recovers_is_kept() -> None:
    bench = paired()
    bench.accepted(101, 4)
    bench.book(110, "0.50", "0.52")
    assert bench.pass_to(300) == []
    assert bench.book(301, "0.29", "0.31") == ["cancel o2"], "too old, and at its level again: now it is stopped"


def test_of_a_hedge_in_part_the_rest_is_stopped() -> None:
    bench = hedging()
    bench.fill(100.2, 3, "0.70", "4", trade="t3")
    assert bench.killed(100.3, 3, "4", "2.80") == ["cancel o2"]
    assert bench.cancelled(100.4, 2) == ["place o4 stop SELL UP 6 @ 0.25 FAK"]
    assert bench.told(nt.ExitUncovered)[-1].shares == shares(4)


def test_a_hedge_that_bought_nothing_leaves_the_stop_at_once() -> None:
    bench = hedging()
    assert bench.killed(100.2, 3) == ["cancel o2"]


@pytest.mark.parametrize("reason", [RefusalReason.OTHER, RefusalReason.NOT_ENOUGH_BALANCE])
def test_a_hedge_that_was_refused_leaves_the_stop_at_once(reason: RefusalReason) -> None:
    bench = hedging()
    assert bench.refused(100.2, 3, reason) == ["cancel o2"]


def test_a_hedge_whose_outcome_is_unknown_leaves_the_stop_at_once() -> None:
    bench = hedging()
    said = bench.hear(100.2, ev.OrderOutcomeUnknown, order=OrderId(3), why="timeout")
    assert sorted(said) == ["cancel o2", "query o3"]


def test_a_hedge_whose_trade_failed_leaves_the_stop_at_once() -> None:
    bench = hedging()
    bench.fill(100.2, 3, "0.70", "10", trade="t3")
    assert bench.fill(102, 3, "0.70", "10", FAILED, trade="t3") == ["cancel o2"]


@pytest.mark.parametrize(
    ("rules", "chance", "limit"),
    [
        (HEDGED, "0.28", "reversal edge"),
        (HEDGED, None, "reversal chance"),
        (replace(HEDGED, limits=replace(RULES.limits, max_order=usd(6))), "0.05", "reversal order cost"),
        (replace(HEDGED, limits=replace(RULES.limits, max_market=usd(12))), "0.05", "reversal market exposure"),
    ],
)
def test_a_hedge_that_is_denied_stops_in_the_same_step(rules: Rules, chance: str | None, limit: str) -> None:
    bench = falling(rules, chance)
    assert bench.book(100, "0.30", "0.32") == ["cancel o2"]
    assert denials(bench) == [limit]


def test_where_trading_is_paused_the_stop_goes_at_once() -> None:
    bench = falling(HEDGED)
    bench.hear(90, ev.TradingStateSet, state=TradingState.PAUSED, who="test", why="a look")
    assert bench.book(100, "0.30", "0.32") == ["cancel o2"]
    assert denials(bench) == ["reversal trading state"]


def test_where_trading_is_stopped_neither_is_done() -> None:
    bench = falling(HEDGED)
    bench.hear(90, ev.TradingStateSet, state=TradingState.STOPPED, who="test", why="a look")
    bench.cancelled(91, 2)
    assert bench.book(100, "0.30", "0.32") == []


def test_while_the_venue_takes_no_purchases_the_stop_goes_at_once() -> None:
    """Approved, and not placed: it would be refused. A stop does not wait for that."""
    bench = falling(HEDGED)
    second = another("0x02")
    bench.hear(61, ev.MarketListed, market=second)
    bids, asks = ((price("0.52"), shares(1_000)),), ((price("0.54"), shares(1_000)),)
    assert bench.hear(62, ev.BookSnapshot, market=second.id, bids=bids, asks=asks) != []
    closed = RefusalReason.CLOSED_ONLY
    bench.hear(62.1, ev.OrderRefused, order=OrderId(3), reason=closed, text="no", retry_after=seconds(300))
    assert bench.book(100, "0.30", "0.32") == ["cancel o2"]
    assert bench.cancelled(100.1, 2) == [f"place o4 {STOP_ORDER}"]


class Quoting(Knowing, frozen=True, kw_only=True):
    """Rests a bid for Down beside what it holds, until the bid for Up is at 0.30."""

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        decision = Knowing.decide(self, view, memory)
        quote = wish("0.40", Outcome.DOWN, "0.95", time_in_force=TimeInForce.GTC)
        held = not view.position.flat and view.bid > price("0.30")
        return replace(decision, wishes=(quote,) if held else decision.wishes, wait=view.pinned())


def test_while_a_purchase_of_that_side_is_being_taken_back_the_stop_goes_at_once() -> None:
    """Nothing is placed beside a cancel in flight, and so no hedge either."""
    bench = holding(Quoting(wishes=(wish(),), exits=WATCHED, chance=micro("0.05")), HEDGED)
    placed = sorted(said for _, said in bench.log if said.startswith("place") and "o1" not in said)
    assert placed == [
        "place o2 entry BUY DOWN 13.5 @ 0.4 GTC post-only",
        "place o3 target SELL UP 10 @ 0.99 GTC",
    ]
    bench.accepted(61, 2)
    bench.accepted(61, 3)
    assert sorted(bench.book(100, "0.30", "0.32")) == ["cancel o2", "cancel o3"]
    assert bench.cancelled(100.1, 3) == [f"place o4 {STOP_ORDER}"]


def test_the_protection_of_a_gain_is_not_hedged_although_its_bid_leapt_below_the_entry() -> None:
    guarded = replace(AT_ONCE, break_even=BreakEvenPolicy(arm=200_000), stop=STOP)
    bench = falling(HEDGED, exits=guarded)
    bench.book(90, "0.70", "0.72")
    assert bench.book(100, "0.50", "0.52") == ["cancel o2"]
    assert denials(bench) == []


def test_a_hedge_is_tried_once_and_after_a_stop_the_other_rule_still_may() -> None:
    bench = hedging(BOTH)
    assert bench.killed(100.2, 3) == ["cancel o2"]
    assert bench.cancelled(100.3, 2) == [f"place o4 {STOP_ORDER}"]
    bench.killed(100.4, 4, "10", "3.00")
    said = bench.fill(101.5, 4, "0.30", "10", trade="t4")
    assert said[0].startswith("place o5 reversal BUY DOWN 3.8")


def test_a_hedge_is_no_entry_and_is_not_added_to() -> None:
    """Down wins, late, and is worth more: but a reversal bought it."""
    bench = falling(replace(HEDGED, scale_in=ScaleInRules()))
    assert bench.book(440, "0.30", "0.32") == [HEDGE]
    bench.fill(440.2, 3, "0.70", "10", trade="t3")
    bench.fill(441, 3, "0.70", "10", MINED, trade="t3")
    bench.accepted(441, 4)
    assert bench.pass_to(500) == []
    assert bench.desk.entries_made == 1
    assert bench.desk.orders[OrderId(3)].terms.purpose is Purpose.REVERSAL


def test_without_any_of_its_rules_the_engine_asks_for_nothing_of_its_own() -> None:
    bench = falling(replace(RULES, reversal=ReversalRules()))
    assert bench.book(100, "0.30", "0.32") == ["cancel o2"]
    assert bench.cancelled(100.1, 2) == [f"place o3 {STOP_ORDER}"]
    assert bench.fill(100.3, 3, "0.30", "10", trade="t3") == []
    assert denials(bench) == []
