"""What is added to a position, through the whole engine."""

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
from polystra.core.rules import Rules
from polystra.core.scale_in import ScaleInRules
from polystra.core.strategy import Decision, ExitPolicy, WakesOn
from polystra.core.terms import Liquidity, Outcome
from polystra.core.units import micro, price, seconds, usd
from polystra.core.view import MarketView, Wait
from tests.core_cases import AT_ONCE, FAILED, MATCHED, MINED, RULES, STOP, Bench, Wanting, holding, moment, wish

GROWING = replace(RULES, scale_in=ScaleInRules())
RESTING = replace(RULES, scale_in=ScaleInRules(rests=True))
ADDED = "place o3 scale-in BUY UP 15 @ 0.72 FAK"
RESTS = "place o3 scale-in BUY UP 15 @ 0.7 GTC post-only"


class Knowing(Wanting, frozen=True, kw_only=True):
    """Wants what `Wanting` does, and says what it thinks of Up."""

    chance: int | None = micro("0.90")

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        return replace(Wanting.decide(self, view, memory), outcome=Outcome.UP, probability=self.chance)


def knowing(chance: str | None = "0.90", exits: ExitPolicy | None = None) -> Knowing:
    watched = replace(AT_ONCE, stop=STOP) if exits is None else exits
    return Knowing(wishes=(wish(),), exits=watched, chance=None if chance is None else micro(chance))


def winning(rules: Rules = GROWING, strategy: Wanting | None = None) -> Bench:
    """Ten shares at 0.54 since second 60, their target o2 resting; Up stands at 0.70 to 0.72 from second 100 on."""
    bench = holding(strategy or knowing(), rules)
    assert bench.log[-1][1] == "place o2 target SELL UP 10 @ 0.99 GTC"
    assert bench.accepted(60, 2) == []
    assert bench.book(100, "0.70", "0.72") == []
    return bench


def growing(rules: Rules = GROWING) -> Bench:
    """The same at second 450, the addition o3 on its way."""
    bench = winning(rules)
    assert bench.pass_to(450) == [(450, ADDED if rules is GROWING else RESTS)]
    return bench


def denials(bench: Bench) -> list[str]:
    return [note.limit for note in bench.told(nt.EntryDenied) if note.limit != "book"]


# --- when --------------------------------------------------------------------------------------------------------


def test_an_addition_that_begins_later_wakes_at_that_very_moment() -> None:
    bench = winning()
    assert bench.engine.next_wake == moment(450)
    assert bench.pass_to(449.999999999) == []
    assert bench.pass_to(450) == [(450, ADDED)]


def test_switched_off_nothing_is_added_and_nothing_is_waited_for() -> None:
    bench = winning(RULES)
    assert bench.pass_to(899) == []


@pytest.mark.parametrize(("bid", "ask"), [("0.50", "0.52"), ("0.92", "0.94")])
def test_a_price_outside_waits_for_a_move(bid: str, ask: str) -> None:
    bench = winning()
    assert bench.book(200, bid, ask) == []
    assert bench.pass_to(500) == []
    assert bench.book(501, "0.70", "0.72") == [ADDED]


def test_on_a_book_in_doubt_nothing_is_added_until_it_is_whole_again() -> None:
    bench = winning()
    bench.book(445, "0.73", "0.71")
    assert bench.pass_to(500) == []
    assert bench.book(501, "0.70", "0.72") == [ADDED]


def test_a_chance_that_nobody_knows_denies_it_by_name() -> None:
    bench = winning(strategy=knowing(chance=None))
    assert bench.pass_to(500) == []
    assert denials(bench) == ["scale-in chance"]
    denied = bench.told(nt.EntryDenied)[-1]
    assert (denied.outcome, denied.value, denied.allowed) == (Outcome.UP, "unknown", "an estimate of the strategy")


@pytest.mark.parametrize(
    ("chance", "changes", "limit"),
    [
        ("0.74", {}, "scale-in edge"),
        ("0.90", {"max_order": usd(10)}, "scale-in order cost"),
        ("0.90", {"max_market": usd(15)}, "scale-in market exposure"),
        ("0.90", {"min_time_left": seconds(451)}, "scale-in time left"),
    ],
)
def test_it_passes_value_and_risk_like_any_entry_and_is_denied_by_its_name(
    chance: str, changes: dict[str, Any], limit: str
) -> None:
    rules = replace(GROWING, limits=replace(RULES.limits, **changes))
    bench = winning(rules, knowing(chance))
    assert bench.pass_to(450) == []
    assert denials(bench) == [limit]


@pytest.mark.parametrize(
    ("multiplier", "rests", "limit"), [("0.499", True, "scale-in order size"), ("0.13", False, "scale-in order value")]
)
def test_what_would_be_below_the_venues_least_size_is_denied(multiplier: str, rests: bool, limit: str) -> None:
    bench = winning(replace(RULES, scale_in=ScaleInRules(multiplier=micro(multiplier), rests=rests)))
    assert bench.pass_to(500) == []
    assert denials(bench) == [limit]


def test_while_trading_is_paused_nothing_is_added() -> None:
    bench = winning()
    bench.hear(440, ev.TradingStateSet, state=TradingState.PAUSED, who="test", why="a look")
    assert bench.pass_to(460) == []
    assert denials(bench) == ["scale-in trading state"]
    assert bench.hear(461, ev.TradingStateSet, state=TradingState.ARMED, who="test", why="goes on") == [ADDED]


def test_no_more_is_asked_for_than_is_on_offer() -> None:
    bench = winning()
    bench.book(440, "0.70", "0.72", size="7")
    assert bench.pass_to(450) == [(450, "place o3 scale-in BUY UP 7 @ 0.72 FAK")]


def test_what_is_sold_for_its_profit_is_not_added_to_in_the_same_step() -> None:
    """At 0.70 both hold: 20 % more than 0.54, and between the two prices, late."""
    bench = holding(knowing(exits=ExitPolicy(profit=200_000)), GROWING)
    assert bench.pass_to(460) == []
    assert bench.book(461, "0.70", "0.72") == ["place o2 sale SELL UP 10 @ 0.65 FAK"]
    assert bench.book(461.1, "0.60", "0.62") == [], "while it is on its way"
    assert bench.killed(461.2, 2) == ["place o3 scale-in BUY UP 15 @ 0.62 FAK"], "it sold nothing, and is forgotten"


# --- what it buys --------------------------------------------------------------------------------------------------


def test_a_scale_in_fill_grows_the_holding_and_then_its_exit() -> None:
    """Ten at 0.54 and fifteen at 0.72 are twenty-five at 0.648. The old exit stays until the new shares settle."""
    bench = growing()
    assert bench.fill(450.2, 3, "0.72", "15", trade="t3") == []
    assert bench.desk.position.up.entry_price == price("0.648")
    assert bench.pass_to(460) == []
    assert bench.fill(460, 3, "0.72", "15", MINED, trade="t3") == ["cancel o2"]
    assert bench.cancelled(460.1, 2) == ["place o4 target SELL UP 25 @ 0.99 GTC"]
    assert bench.accepted(460.2, 4) == []
    assert bench.pass_to(890) == [], "once, and no more"


def test_the_same_fill_told_twice_counts_once() -> None:
    bench = growing()
    bench.fill(450.2, 3, "0.72", "15", trade="t3")
    bench.fill(450.3, 3, "0.72", "15", trade="t3")
    assert bench.desk.position.up.shares == micro("25")


def test_the_new_exit_is_what_is_held_less_what_was_sold() -> None:
    """Six of the ten went at their target; four are held, six are added, ten are offered."""
    bench = winning()
    bench.fill(200, 2, "0.99", "6", trade="t2", liquidity=Liquidity.MAKER)
    bench.fill(201, 2, "0.99", "6", MINED, trade="t2", liquidity=Liquidity.MAKER)
    assert bench.pass_to(450) == [(450, "place o3 scale-in BUY UP 6 @ 0.72 FAK")]
    bench.fill(450.2, 3, "0.72", "6", trade="t3")
    assert bench.fill(460, 3, "0.72", "6", MINED, trade="t3") == ["cancel o2"]
    assert bench.cancelled(460.1, 2) == ["place o4 target SELL UP 10 @ 0.99 GTC"]


def test_one_that_bought_nothing_is_tried_again_a_second_later() -> None:
    bench = growing()
    assert bench.killed(450.2, 3) == []
    assert bench.pass_to(452) == [(451.2, ADDED.replace("o3", "o4"))]


def test_one_whose_trade_failed_is_not_tried_again() -> None:
    bench = growing()
    bench.fill(450.2, 3, "0.72", "15", MATCHED, trade="t3")
    assert bench.fill(452, 3, "0.72", "15", FAILED, trade="t3") == []
    assert bench.desk.position.up.shares == micro("10")


def test_a_refusal_leaves_the_position_as_it_was() -> None:
    bench = growing()
    assert bench.refused(450.2, 3, RefusalReason.NOT_ENOUGH_BALANCE) == []
    assert bench.desk.position.up.shares == micro("10")
    assert bench.state(2) == "WORKING"


# --- one that rests ------------------------------------------------------------------------------------------------


def test_what_rests_stays_while_the_price_moves() -> None:
    bench = growing(RESTING)
    assert bench.accepted(450.2, 3) == []
    assert bench.book(460, "0.66", "0.68") == []
    assert bench.book(461, "0.80", "0.82") == []
    assert bench.pass_to(700) == []
    assert bench.state(3) == "WORKING"


@pytest.mark.parametrize("part", ["4", "12", "14.99"])
def test_a_part_that_filled_leaves_the_rest_where_it_is(part: str) -> None:
    bench = growing(RESTING)
    bench.accepted(450.2, 3)
    assert bench.fill(460, 3, "0.70", part, trade="t3", liquidity=Liquidity.MAKER) == []
    assert bench.pass_to(700) == []
    assert bench.state(3) == "WORKING"


def test_a_part_that_filled_is_all_where_its_rest_was_taken_away() -> None:
    bench = growing(RESTING)
    bench.accepted(450.2, 3)
    bench.fill(460, 3, "0.70", "4", trade="t3", liquidity=Liquidity.MAKER)
    assert bench.cancelled(461, 3, "4") == []
    assert bench.pass_to(890) == []


def test_a_stop_takes_back_what_rests_to_add() -> None:
    """The stop does not wait for it: that it buys is no reason not to sell."""
    bench = growing(RESTING)
    bench.accepted(450.2, 3)
    assert bench.book(500, "0.30", "0.32") == ["cancel o2", "cancel o3"]
    assert bench.cancelled(500.1, 2) == ["place o4 stop SELL UP 10 @ 0.25 FAK"]
    assert bench.cancelled(500.2, 3) == []
    bench.fill(500.3, 4, "0.30", "10", trade="t4")
    assert bench.desk.position.flat
    assert bench.book(510, "0.70", "0.72") == [], "nothing is held, nothing is added to"
    assert bench.pass_to(890) == []


def test_what_it_bought_during_its_cancel_is_sold_too() -> None:
    bench = growing(RESTING)
    bench.accepted(450.2, 3)
    bench.book(500, "0.30", "0.32")
    bench.fill(500.05, 3, "0.70", "15", trade="t3", liquidity=Liquidity.MAKER)
    assert bench.state(3) == "FILLED"
    assert bench.cancelled(500.1, 2) == ["place o4 stop SELL UP 10 @ 0.25 FAK"]
    bench.fill(500.3, 4, "0.30", "10", trade="t4")
    bench.shown(500.4)
    said = bench.fill(501, 3, "0.70", "15", MINED, trade="t3", liquidity=Liquidity.MAKER)
    said += [one for _, one in bench.pass_to(520)]
    assert said == ["place o5 stop SELL UP 15 @ 0.25 FAK"]


def test_what_rests_is_taken_back_once_its_chance_is_not_known_any_more() -> None:
    class Forgetful(Knowing, frozen=True, kw_only=True):
        """Knows nothing any more once the bid is above 0.75."""

        def decide(self, view: MarketView, memory: Struct | None) -> Decision:
            decision = Knowing.decide(self, view, memory)
            return decision if view.bid < price("0.75") else replace(decision, probability=None)

    bench = winning(RESTING, Forgetful(wishes=(wish(),), exits=AT_ONCE, wait=Wait(bid_hi=price("0.75"))))
    assert bench.pass_to(450) == [(450, RESTS)]
    bench.accepted(450.2, 3)
    assert bench.book(460, "0.80", "0.82") == ["cancel o3"]
    assert denials(bench) == ["scale-in chance"]


def test_it_is_counted_against_the_limits_of_a_wish_beside_it() -> None:
    """It costs 10.80 USD and the fee, with 5.40 at stake; the order in flight keeps the next one out."""
    bench = growing()
    assert bench.desk.reserved > usd("10.80")
    assert bench.desk.entries_made == 1, "it is no entry"
    assert bench.hear(451, ev.OrderOutcomeUnknown, order=OrderId(3), why="timeout")[:1] == ["query o3"]
    assert all(said.startswith("query") for _, said in bench.pass_to(470)), "and in doubt there is no second"


# --- on an estimate of this moment alone ---------------------------------------------------------------------------


class Following(Knowing, frozen=True, kw_only=True):
    """Its chance is the middle of the book and some, asked by its clock every 5 s alone."""

    more: int = micro("0.05")
    wakes_on: WakesOn = WakesOn(events=(), every=seconds(5))

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        known = None if view.mid is None else view.mid + self.more
        return replace(Wanting.decide(self, view, memory), outcome=Outcome.UP, probability=known)


def test_a_price_that_just_fell_is_judged_on_what_the_strategy_says_now() -> None:
    """Asked at second 450 it thought 0.76 of a book of 0.70 to 0.72. When the book falls to 0.60 it is asked again."""
    thin = replace(GROWING, limits=replace(RULES.limits, min_edge=micro("0.06")))
    bench = winning(thin, Following(wishes=(wish(),), exits=replace(AT_ONCE, stop=STOP)))
    assert bench.pass_to(451) == []
    assert denials(bench) == ["scale-in edge"], "0.76 less 0.72 and the fee"
    assert bench.book(452, "0.60", "0.62") == [], "0.66 less 0.62 and the fee, not 0.76"
    assert bench.desk.decision is not None
    assert bench.desk.decision.probability == micro("0.66")


def test_what_is_worth_it_by_both_is_added_in_the_step_in_which_its_price_moved() -> None:
    thin = replace(GROWING, limits=replace(RULES.limits, min_edge=micro("0.03")))
    bench = winning(thin, Following(wishes=(wish(),), exits=replace(AT_ONCE, stop=STOP), more=micro("0.06")))
    bench.book(440, "0.80", "0.89")
    assert bench.pass_to(451) == []
    assert bench.book(452, "0.70", "0.71") == ["place o3 scale-in BUY UP 15 @ 0.71 FAK"]
