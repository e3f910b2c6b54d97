"""Break-even, profit, the ladder of the last minutes, and pairs: when each sells, and what it leaves alone."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core import notes as nt
from polystra.core.exits import Sells, wanted_exits
from polystra.core.positions import FLAT, Holding, MarketPosition
from polystra.core.sales import NO_SALE, UNARMED, armed_after, bid_that_brings, chance_of, profit
from polystra.core.strategy import BreakEvenPolicy, Decision, ExitPolicy, Rung, RungAction, StopPolicy
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Nanos, Price, Usd, price, seconds, shares, usd
from polystra.core.view import ANYTHING, MarketView
from tests.core_cases import MATCHED, MINED, Bench, Wanting, asks, holding, moment, wish
from tests.unit.core.samples import WINDOW, order, selling, view

UP, DOWN = Outcome.UP, Outcome.DOWN
A_FIFTH = BreakEvenPolicy(arm=200_000)
"""Armed by a bid a fifth above the entry: 0.648 for one at 0.54."""

TARGET = price("0.99")


def held(amount: str = "10", each: str = "0.54", outcome: Outcome = UP, fee: str = "0.17388") -> Holding:
    paid = Usd(shares(amount) * price(each) // MICRO)
    return Holding(
        outcome=outcome,
        shares=shares(amount),
        settled=shares(amount),
        paid=paid,
        cost=Usd(paid + usd(fee)),
        bought=shares(amount),
        opened_at=moment(0),
    )


def seen(bid: str, ask: str, up: Holding | None = None, down: Holding | None = None, at: float = 60) -> MarketView:
    return view(bid, ask, position=MarketPosition(up or FLAT.up, down or FLAT.down), at=moment(at))


def wanted(of: MarketView, policy: ExitPolicy, *, armed: bool = False, chance: str | None = None) -> list[str]:
    known = {UP: shares(10), DOWN: shares(10)} if armed else UNARMED
    chances = {} if chance is None else {UP: price(chance), DOWN: Price(MICRO - price(chance))}
    return [asks(one.terms) for one in wanted_exits(of, policy, armed=known, chances=chances).orders]


# --- what a price brings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worth", "at"), [("0.54", "0.56"), ("0.557388", "0.58"), ("0", "0.01"), ("0.98", "0.99"), ("0.99", None)]
)
def test_a_price_brings_less_by_the_fee(worth: str, at: str | None) -> None:
    """0.55 brings 0.55 - 0.01732; 0.56 brings 0.54275."""
    assert bid_that_brings(WINDOW, price(worth)) == (None if at is None else price(at))


def test_without_a_fee_schedule_a_price_brings_itself() -> None:
    assert bid_that_brings(replace(WINDOW, fees=None), price("0.54")) == price("0.54")


# --- break-even --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bid", "arms"), [("0.64", False), ("0.65", True)], ids=["too low", "high enough"])
def test_a_bid_far_enough_above_the_entry_arms(bid: str, arms: bool) -> None:
    armed, wait = armed_after(seen(bid, "0.70", held()), A_FIFTH, UNARMED)
    assert armed == ({UP: shares(10)} if arms else {})
    assert wait.best_holds(price("0.647999"), price("0.70"))
    assert wait.best_holds(price("0.648"), price("0.70")) is arms


def test_down_is_armed_by_what_up_is_offered_at() -> None:
    of = seen("0.30", "0.35", down=held(outcome=DOWN))
    assert armed_after(of, A_FIFTH, UNARMED)[0] == {DOWN: shares(10)}
    armed, wait = armed_after(seen("0.30", "0.36", down=held(outcome=DOWN)), A_FIFTH, UNARMED)
    assert (armed, wait.ask_lo) == ({}, price("0.352001"))


def test_what_was_armed_stays_so_until_more_is_bought_or_nothing_is_held() -> None:
    low = seen("0.50", "0.52", held())
    assert armed_after(low, A_FIFTH, {UP: shares(10)}) == ({UP: shares(10)}, ANYTHING)
    assert armed_after(low, A_FIFTH, {UP: shares(4)})[0] == {}, "another purchase has another entry"
    assert armed_after(seen("0.50", "0.52"), A_FIFTH, {UP: shares(10)}) == ({}, ANYTHING)
    assert armed_after(low, None, {UP: shares(10)}) == ({}, ANYTHING)


def test_an_untrusted_book_arms_nothing() -> None:
    armed, wait = armed_after(replace(seen("0.90", "0.92", held()), trouble="crossed"), A_FIFTH, UNARMED)
    assert (armed, wait.until) == ({}, moment(61))


def test_an_arm_below_break_even_would_sell_at_once_and_is_raised() -> None:
    """0.1 % above 0.54 brings less than was paid: a bid of 0.58 is break-even, and only one above it arms."""
    tiny = BreakEvenPolicy(arm=1_000)
    assert armed_after(seen("0.58", "0.60", held()), tiny, UNARMED)[0] == {}
    assert armed_after(seen("0.59", "0.60", held()), tiny, UNARMED)[0] == {UP: shares(10)}


def test_what_cost_more_than_any_bid_brings_is_never_armed() -> None:
    of = seen("0.99", "1", held(each="0.99", fee="0.01"))
    assert armed_after(of, BreakEvenPolicy(arm=0), UNARMED) == ({}, ANYTHING)
    assert wanted(of, ExitPolicy(break_even=A_FIFTH), armed=True) == []


@pytest.mark.parametrize(
    ("bid", "sells"),
    [("0.59", []), ("0.58", ["stop SELL UP 10 @ 0.53 FAK"]), ("0.40", ["stop SELL UP 10 @ 0.35 FAK"])],
)
def test_an_armed_holding_is_sold_when_the_bid_is_back_at_what_it_cost(bid: str, sells: list[str]) -> None:
    of = seen(bid, "0.70", held())
    policy = ExitPolicy(break_even=A_FIFTH)
    assert wanted(of, policy, armed=True) == sells
    assert wanted(of, policy, armed=False) == []
    plan = wanted_exits(of, policy, armed={UP: shares(10)})
    assert plan.stops == (((UP, price(bid), price("0.58")),) if sells else ())
    assert sells or plan.wait.bid_lo == price("0.580001")


def test_break_even_waits_for_the_least_age_and_for_a_book() -> None:
    old = ExitPolicy(break_even=A_FIFTH, min_age=seconds(61))
    plan = wanted_exits(seen("0.50", "0.52", held()), old, armed={UP: shares(10)})
    assert (plan.orders, plan.wait.until) == ((), moment(61))
    blind = replace(seen("0.50", "0.52", held()), trouble="crossed")
    plan = wanted_exits(blind, ExitPolicy(break_even=A_FIFTH), armed={UP: shares(10)})
    assert (plan.orders, plan.wait.until) == ((), moment(61))


def bench_at_breakeven() -> Bench:
    bench = holding(Wanting(wishes=(wish(),), exits=ExitPolicy(target=TARGET, break_even=A_FIFTH)))
    assert bench.log[-1][1] == "place o2 target SELL UP 10 @ 0.99 GTC"
    bench.accepted(60, 2)
    return bench


def test_a_gain_that_is_lost_again_is_sold_at_what_it_cost() -> None:
    bench = bench_at_breakeven()
    assert bench.book(70, "0.50", "0.52") == [], "not armed: no stop is set"
    assert bench.book(71, "0.65", "0.67") == []
    assert bench.book(72, "0.60", "0.62") == []
    (armed,) = bench.told(nt.BreakEvenArmed)
    assert (armed.bought, armed.bid) == (shares(10), price("0.65"))
    assert bench.book(73, "0.58", "0.60") == ["cancel o2"]
    assert bench.cancelled(73.1, 2) == ["place o3 stop SELL UP 10 @ 0.53 FAK"]
    assert [(note.bid, note.level) for note in bench.told(nt.StopTriggered)] == [(price("0.58"), price("0.58"))]


def test_a_gain_seen_while_the_shares_settle_counts() -> None:
    """One book of 0.65 long before they can be sold; nothing else would have woken the engine."""
    exits = ExitPolicy(target=TARGET, break_even=A_FIFTH)
    bench = holding(Wanting(wishes=(wish(),), exits=exits), stage=MATCHED)
    bench.book(61, "0.65", "0.67")
    bench.book(62, "0.50", "0.52")
    assert bench.fill(63, 1, "0.54", "10", MINED) == ["place o2 stop SELL UP 10 @ 0.45 FAK"]


def test_a_scale_in_starts_the_protection_anew() -> None:
    bench = bench_at_breakeven()
    bench.book(71, "0.65", "0.67")
    bench.book(71.5, "0.62", "0.64")
    bench.fill(72, 1, "0.54", "5", trade="t9")
    assert bench.book(73, "0.50", "0.52") == []


# --- profit ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bid", "sells"),
    [("0.64", []), ("0.65", ["sale SELL UP 10 @ 0.65 FAK"]), ("0.90", ["sale SELL UP 10 @ 0.65 FAK"]), ("0", [])],
)
def test_profit_is_taken_at_its_level_or_better(bid: str, sells: list[str]) -> None:
    assert wanted(seen(bid, "0.95", held()), ExitPolicy(profit=200_000)) == sells


def test_profit_of_down_is_taken_from_those_who_offer_up() -> None:
    of = seen("0.30", "0.35", down=held(outcome=DOWN))
    assert wanted(of, ExitPolicy(profit=200_000)) == ["sale SELL DOWN 10 @ 0.65 FAK"]
    plan = wanted_exits(seen("0.30", "0.36", down=held(outcome=DOWN)), ExitPolicy(profit=200_000))
    assert (plan.orders, plan.wait.ask_lo) == ((), price("0.350001"))


def test_what_has_no_entry_price_has_no_profit() -> None:
    assert profit(seen("0.98", "0.99"), 100_000, FLAT.up) == NO_SALE


def test_a_profit_beyond_the_grid_is_never_taken() -> None:
    assert wanted(seen("0.99", "1", held()), ExitPolicy(profit=MICRO)) == []


@pytest.mark.parametrize(("age", "sells"), [(60, True), (61, False)])
def test_profit_waits_for_the_least_age(age: float, sells: bool) -> None:
    of = seen("0.70", "0.72", held())
    assert bool(wanted(of, ExitPolicy(profit=200_000, min_age=seconds(age)))) is sells


def test_a_stop_comes_before_profit_and_profit_before_the_target() -> None:
    stop = StopPolicy(price=price("0.80"), distance=Price(-400_000), min_age=Nanos(0))
    both = ExitPolicy(target=TARGET, profit=200_000, stop=stop)
    assert wanted(seen("0.70", "0.72", held()), both) == ["stop SELL UP 10 @ 0.65 FAK"]
    assert wanted(seen("0.70", "0.72", held()), replace(both, stop=None)) == ["sale SELL UP 10 @ 0.65 FAK"]
    assert wanted(seen("0.60", "0.62", held()), replace(both, stop=None)) == ["target SELL UP 10 @ 0.99 GTC"]


def test_profit_waits_where_the_venue_takes_resting_orders_alone() -> None:
    plan = wanted_exits(seen("0.70", "0.72", held()), ExitPolicy(target=TARGET, profit=200_000), (), Sells.RESTING)
    assert [asks(one.terms) for one in plan.orders] == ["target SELL UP 10 @ 0.99 GTC post-only"]
    assert [why for _, _, why in plan.uncovered] == ["sale waits: the venue takes resting orders alone"]


def test_after_the_windows_end_nothing_is_taken() -> None:
    assert wanted(seen("0.70", "0.72", held(), at=900.001), ExitPolicy(profit=200_000)) == []
    assert wanted(seen("0.70", "0.72", held(), at=900), ExitPolicy(profit=200_000)) != []


# --- the ladder --------------------------------------------------------------------------------------------------

LADDER = ExitPolicy(
    target=TARGET, ladder=(Rung(seconds(20), RungAction.HOLD), Rung(seconds(60), RungAction.SELL_INTO_BIDS))
)


@pytest.mark.parametrize(
    ("left", "asks_for"),
    [
        (60.001, ["target SELL UP 10 @ 0.99 GTC"]),
        (60, ["sale SELL UP 10 @ 0.62 FAK"]),
        (20.001, ["sale SELL UP 10 @ 0.62 FAK"]),
        (20, []),
        (0, []),
    ],
)
def test_each_rung_is_in_force_from_its_time_on(left: float, asks_for: list[str]) -> None:
    """A chance of 0.60: a bid of 0.62 less its fee of 0.0165 is the first that brings more."""
    assert wanted(seen("0.65", "0.67", held(), at=900 - left), LADDER, chance="0.60") == asks_for


@pytest.mark.parametrize(("bid", "sells"), [("0.61", False), ("0.62", True)])
def test_a_rung_sells_where_bid_less_fee_is_above_the_chance(bid: str, sells: bool) -> None:
    of = seen(bid, "0.70", held(), at=850)
    (line,) = wanted(of, LADDER, chance="0.60")
    assert line.startswith("sale") is sells
    (other,) = wanted(of, LADDER, chance=None)
    assert other.startswith("target"), "nobody knows the chance: it waits"


def test_a_certain_winner_is_not_sold() -> None:
    assert wanted(seen("0.99", "1", held(), at=850), LADDER, chance="0.99") == ["target SELL UP 10 @ 0.99 GTC"]


def test_a_held_rung_says_so_and_looks_again_at_the_next() -> None:
    ladder = (Rung(seconds(20), RungAction.NOTHING), Rung(seconds(60), RungAction.HOLD))
    plan = wanted_exits(seen("0.65", "0.67", held(), at=850), ExitPolicy(target=TARGET, ladder=ladder))
    assert plan.uncovered == ((UP, shares(10), "held to settlement"),)
    assert plan.wait.until == moment(880)
    assert wanted(seen("0.65", "0.67", held(), at=880), ExitPolicy(target=TARGET, ladder=ladder)) != []


def test_the_ladder_wakes_the_engine() -> None:
    """The strategy gives no chance once it holds, so the rung that sells waits; the one that holds takes it back."""
    bench = holding(Wanting(wishes=(wish(),), exits=LADDER))
    bench.accepted(60, 2)
    assert bench.pass_to(900) == [(880, "cancel o2")]


@pytest.mark.parametrize(
    ("outcome", "probability", "of_up"), [(UP, 700_000, 700_000), (DOWN, 700_000, 300_000), (None, 1, None)]
)
def test_the_chance_of_one_outcome_is_that_of_the_other_turned(
    outcome: Outcome | None, probability: int, of_up: int | None
) -> None:
    decision = Decision(reason="", wait=ANYTHING, outcome=outcome, probability=probability)
    assert chance_of(decision, UP) == of_up
    assert chance_of(replace(decision, probability=None), UP) is None


# --- pairs -------------------------------------------------------------------------------------------------------

PAIRS = ExitPolicy(stop=StopPolicy(price=price("0.30"), min_age=Nanos(0)), pairs_need_no_stop=True)


@pytest.mark.parametrize(
    ("down", "pairs", "sells"),
    [
        ("10", True, []),
        ("12", True, []),
        ("6", True, ["stop SELL UP 4 @ 0.15 FAK"]),
        ("0.001", True, ["stop SELL UP 9.99 @ 0.15 FAK"]),
        ("10", False, ["stop SELL UP 10 @ 0.15 FAK"]),
    ],
)
def test_a_pair_is_not_stopped(down: str, pairs: bool, sells: list[str]) -> None:
    of = seen("0.20", "0.22", held(), held(down, outcome=DOWN))
    plan = wanted_exits(of, replace(PAIRS, pairs_need_no_stop=pairs))
    assert [asks(one.terms) for one in plan.orders] == sells


def test_what_is_stopped_beside_a_pair_leaves_the_pair_without_an_exit_and_says_so() -> None:
    of = seen("0.20", "0.22", held(), held("6", outcome=DOWN))
    plan = wanted_exits(of, replace(PAIRS, target=TARGET), (order(selling("0.99", "10")),))
    assert plan.uncovered == ((UP, shares("6"), "a pair, while the rest is stopped"),)
    assert [asks(one.terms) for one in plan.orders] == ["stop SELL UP 4 @ 0.15 FAK", "target SELL DOWN 6 @ 0.99 GTC"]


def test_a_pair_is_not_protected_either() -> None:
    policy = replace(PAIRS, stop=None, break_even=A_FIFTH)
    pair = seen("0.50", "0.52", held(), held(outcome=DOWN))
    assert wanted(pair, policy, armed=True) == []
    assert wanted(pair, replace(policy, pairs_need_no_stop=False), armed=True) != []


def test_everything_is_off_unless_asked_for() -> None:
    assert wanted(seen("0.98", "0.99", held(), at=899), ExitPolicy(), armed=True, chance="0.01") == []
