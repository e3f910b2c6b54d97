"""A wish becomes an order, or a reason why not."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.asks import NOTHING_ASKED, Ask, Asked, without_chance
from polystra.core.entries import NO_ENTRIES, unknown_need, wanted_entries
from polystra.core.events import TradingState
from polystra.core.markets import PriceSource
from polystra.core.orders import Order, OrderState
from polystra.core.strategy import Needs, Wish
from polystra.core.terms import Outcome, Purpose, TimeInForce
from polystra.core.unfilled import UnfilledRules
from polystra.core.units import MICRO, Tick, price, seconds, shares, usd
from polystra.core.view import Wait
from tests.core_cases import RULES, Bench, Wanting, asks, moment, wish
from tests.unit.core.samples import NOON, WINDOW, order, taking, terms

PRINTED = {"asset": "BTC", "source": PriceSource.CHAINLINK_TWAP_60}

FREE = replace(RULES, stakes=replace(RULES.stakes, max_stake=usd(500)))


def wanted(
    *wishes: Wish,
    rules: Any = FREE,
    size: str = "1000",
    orders: tuple[Order, ...] = (),
    cash: str = "1000",
    added: Asked = NOTHING_ASKED,
) -> Any:
    """What is approved and denied for these wishes on a book of 0.52 to 0.54 with `size` on each side."""
    bench = Bench(Wanting(wishes=wishes), rules)
    bench.start(0, cash)
    bench.hear(59, ev.TradingStateSet, state=TradingState.PAUSED, who="test", why="look only")
    bench.book(60, size=size)
    for one in orders:
        bench.desk.keep(one)
    account = bench.known.account
    view = bench.desk.view(moment(60), bench.known.surroundings(WINDOW, account.free))
    plan = wanted_entries(bench.desk, view, account, TradingState.ARMED, rules, halted=None, added=added)
    return [asks(one.terms) for one in plan.approved], [denied.limit for _, denied in plan.denied]


REST = wish("0.50", time_in_force=TimeInForce.GTC)


def test_without_a_wish_there_is_nothing() -> None:
    bench = Bench()
    bench.start(0)
    plan = wanted_entries(bench.desk, None, bench.known.account, TradingState.ARMED, RULES, halted=None)  # type: ignore[arg-type]
    assert plan is NO_ENTRIES


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        (wish(), "entry BUY UP 46 @ 0.54 FAK"),
        (wish(time_in_force=TimeInForce.FOK), "entry BUY UP 46 @ 0.54 FOK"),
        (REST, "entry BUY UP 50 @ 0.5 GTC post-only"),
        (replace(REST, time_in_force=TimeInForce.GTD), "entry BUY UP 50 @ 0.5 GTD post-only"),
        (wish("0.48", Outcome.DOWN, "0.60"), "entry BUY DOWN 52 @ 0.48 FAK"),
        (wish(conviction=MICRO), "entry BUY UP 370 @ 0.54 FAK"),
        (wish("0.549"), "entry BUY UP 46 @ 0.54 FAK"),
    ],
)
def test_the_stake_is_turned_into_shares_on_the_grid(asked: Wish, made: str) -> None:
    """5 % of 1,000 USD times 0.5 is 25 USD; a resting order is post-only; a limit between two ticks is rounded down."""
    assert wanted(asked, rules=replace(FREE, limits=replace(FREE.limits, max_order=usd(500), max_market=usd(500)))) == (
        [made],
        [],
    )


@pytest.mark.parametrize(("most", "made"), [("10", "17"), ("100", "46"), ("1.05", None)])
def test_what_is_asked_for_at_most_so_much_costs_no_more_with_its_fee(most: str, made: str | None) -> None:
    """9.35 of 10 USD may be spent, which is 17 at 0.54 in lots of whole cents; the stake rules still bind."""
    asked = Asked(asks=(Ask(wish=wish(), purpose=Purpose.REVERSAL, most=usd(most)),))
    approved, denied = wanted(added=asked)
    assert approved == ([] if made is None else [f"reversal BUY UP {made} @ 0.54 FAK"])
    assert denied == (["reversal order value"] if made is None else [])


@pytest.mark.parametrize(
    ("size", "made"), [("46", "46"), ("45.9", "45.5"), ("20", "20"), ("2", "2"), ("1.9", None), ("0.4", None)]
)
def test_an_immediate_order_is_cut_to_what_is_on_offer(size: str, made: str | None) -> None:
    expected = ([f"entry BUY UP {made} @ 0.54 FAK"], []) if made else ([], ["order value"])
    assert wanted(wish(), size=size) == expected


def test_a_limit_between_two_ticks_is_cut_to_the_offer_at_the_tick() -> None:
    """0.549 buys at 0.54; valuing the offer at 0.549 would ask for more than is there, and be denied for its depth."""
    assert wanted(wish("0.549"), size="10") == (["entry BUY UP 10 @ 0.54 FAK"], [])
    assert wanted(wish("0.489", Outcome.DOWN, "0.60"), size="12") == (["entry BUY DOWN 12 @ 0.48 FAK"], [])


def test_an_order_of_its_own_slot_is_not_held_against_it() -> None:
    live = order(terms("0.50", "50", post_only=True), number=1)
    one = replace(FREE, limits=replace(FREE.limits, max_open_positions=1, max_total=usd(25), max_market=usd(25)))
    assert wanted(REST, rules=one, orders=(live,)) == (["entry BUY UP 50 @ 0.5 GTC post-only"], [])


def test_an_order_of_another_slot_is() -> None:
    live = order(terms("0.45", "50", post_only=True, outcome=Outcome.DOWN), number=1)
    one = replace(FREE, limits=replace(FREE.limits, max_market=usd(45)))
    assert wanted(REST, rules=one, orders=(live,)) == ([], ["market exposure"])


def test_what_was_bought_by_the_venues_word_counts_although_its_order_ended() -> None:
    ended = order(taking("0.54", "46"), number=1, state=OrderState.FILLED, answered=shares(46))
    one = replace(FREE, limits=replace(FREE.limits, max_market=usd(40)))
    assert wanted(wish(), rules=one, orders=(ended,)) == ([], ["market exposure"])


@pytest.mark.parametrize("limit", ["market exposure", "total exposure"])
def test_two_wishes_together_keep_within_the_limits(limit: str) -> None:
    """Each alone fits; the second counts the first, or both would be placed."""
    limits = (
        replace(FREE.limits, max_market=usd(40))
        if limit == "market exposure"
        else replace(FREE.limits, max_total=usd(40))
    )
    down = wish("0.48", Outcome.DOWN, "0.60")
    assert wanted(wish(), down, rules=replace(FREE, limits=limits)) == (["entry BUY UP 46 @ 0.54 FAK"], [limit])
    assert len(wanted(wish(), down, rules=FREE)[0]) == 2


def test_two_wishes_do_not_spend_the_same_cash() -> None:
    rich = replace(FREE, stakes=replace(FREE.stakes, fraction=2 * MICRO))
    rich = replace(rich, limits=replace(rich.limits, max_order=usd(500), max_market=usd(500)))
    approved, denied = wanted(
        replace(REST, price=price("0.50")),
        replace(REST, outcome=Outcome.DOWN, price=price("0.40")),
        rules=rich,
        cash="100",
    )
    assert approved == ["entry BUY UP 200 @ 0.5 GTC post-only"]
    assert denied == ["order size"], "nothing is left for the second"


def test_a_quote_of_two_sides_counts_its_market_once() -> None:
    one = replace(FREE, limits=replace(FREE.limits, max_open_positions=1))
    approved, denied = wanted(REST, replace(REST, outcome=Outcome.DOWN, price=price("0.40")), rules=one)
    assert (len(approved), denied) == (2, [])


# --- what is added to the wishes ---------------------------------------------------------------------------------


def adding(*asked: Ask, **more: Any) -> Asked:
    return Asked(asks=asked, **more)


def ask(purpose: Purpose = Purpose.SCALE_IN, of: Wish | None = None, **changes: Any) -> Ask:
    return Ask(wish=of or wish(), purpose=purpose, **changes)


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        (ask(shares=shares(15)), "scale-in BUY UP 15 @ 0.54 FAK"),
        (ask(shares=shares("15.26")), "scale-in BUY UP 15 @ 0.54 FAK"),
        (ask(of=REST, shares=shares("15.26")), "scale-in BUY UP 15.26 @ 0.5 GTC post-only"),
        (ask(Purpose.REVERSAL, most=usd(3)), "reversal BUY UP 5 @ 0.54 FAK"),
        (ask(Purpose.REVERSAL, most=usd(300)), "reversal BUY UP 46 @ 0.54 FAK"),
        (ask(Purpose.REVERSAL), "reversal BUY UP 46 @ 0.54 FAK"),
    ],
    ids=["so many", "in whole cents", "at rest", "for at most", "at most its stake", "its stake"],
)
def test_what_is_added_has_the_size_that_is_asked_for_and_its_purpose(asked: Ask, made: str) -> None:
    """The stake would be 25 USD, which is 46 shares at 0.54: what is asked for in shares has no stake. Of 3 USD at most
    the worst fee is a part."""
    assert wanted(added=adding(asked)) == ([made], [])


def test_what_is_added_is_cut_to_what_is_on_offer() -> None:
    assert wanted(added=adding(ask(shares=shares(100))), size="20") == (["scale-in BUY UP 20 @ 0.54 FAK"], [])
    assert wanted(added=adding(ask(shares=shares(100))), size="1.5") == ([], ["scale-in order value"])


def test_what_is_added_comes_after_the_wishes_and_counts_what_they_promise() -> None:
    """25 USD are wished for; 20 more are too much for 40 in one market."""
    one = replace(FREE, limits=replace(FREE.limits, max_market=usd(40)))
    more = adding(ask(Purpose.REVERSAL, wish("0.48", Outcome.DOWN, "0.60"), shares=shares(40)))
    assert wanted(wish(), added=more) == (["entry BUY UP 46 @ 0.54 FAK", "reversal BUY DOWN 40 @ 0.48 FAK"], [])
    assert wanted(wish(), rules=one, added=more) == (["entry BUY UP 46 @ 0.54 FAK"], ["reversal market exposure"])


def test_a_wish_and_an_addition_of_the_same_outcome_are_two_slots() -> None:
    found = wanted(wish(), added=adding(ask(shares=shares(10))))
    assert found == (["entry BUY UP 46 @ 0.54 FAK", "scale-in BUY UP 10 @ 0.54 FAK"], [])


@pytest.mark.parametrize("purpose", [Purpose.SCALE_IN, Purpose.REVERSAL])
def test_a_denial_of_what_no_strategy_wished_for_says_what_that_was(purpose: Purpose) -> None:
    poor = wish(probability="0.55")
    assert wanted(added=adding(ask(purpose, poor, shares=shares(10)))) == ([], [f"{purpose} edge"])
    assert wanted(poor, added=adding(ask(purpose, poor))) == ([], ["edge", f"{purpose} edge"])


def test_what_a_rule_denied_by_itself_is_said_with_the_rest() -> None:
    denied = adding(denied=(without_chance(wish(), Purpose.SCALE_IN),), wait=Wait(until=moment(77)))
    assert wanted(wish(), added=denied) == (["entry BUY UP 46 @ 0.54 FAK"], ["scale-in chance"])


def test_without_wishes_what_was_denied_or_awaits_its_time_is_kept() -> None:
    bench = Bench(Wanting())
    bench.start(0)
    bench.book(60)
    view = bench.desk.view(moment(60), bench.known.surroundings(WINDOW, usd(100)))
    waits = Asked(denied=(without_chance(wish(), Purpose.SCALE_IN),), wait=Wait(until=moment(77)))
    plan = wanted_entries(bench.desk, view, bench.known.account, TradingState.ARMED, RULES, halted=None, added=waits)
    assert (plan.approved, plan.denied, plan.wait.until) == ((), waits.denied, moment(77))


def test_what_is_added_at_rest_is_given_up_by_its_age_like_an_entry() -> None:
    """What rests for 300 seconds is given up, and its slot is done."""
    old = order(terms("0.50", "15", post_only=True, purpose=Purpose.SCALE_IN), number=1, decided_at=moment(-250))
    patient = replace(FREE, unfilled=UnfilledRules())
    asked = adding(ask(of=REST, shares=shares(15)))
    assert wanted(rules=patient, orders=(old,), added=asked) == ([], [])
    young = replace(old, decided_at=moment(0))
    assert wanted(rules=patient, orders=(young,), added=asked) == (["scale-in BUY UP 15 @ 0.5 GTC post-only"], [])


# --- needs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needs", "missing"),
    [
        (Needs(), None),
        (Needs(strike=True), "strike"),
        (Needs(spot=True), "underlying price"),
        (Needs(candles=True), "candles"),
        (Needs(strike=True, spot=True, candles=True), "strike"),
    ],
)
def test_an_entry_fails_closed_on_what_its_strategy_needs(needs: Needs, missing: str | None) -> None:
    bench = Bench(Wanting(wishes=(wish(),), needs=needs))
    bench.start(0)
    said = bench.book(60)
    assert bool(said) is (missing is None)
    if missing is not None:
        assert bench.told(nt.EntryDenied)[-1].value == f"{missing} unknown"


def test_a_need_that_is_met_denies_nothing() -> None:
    bench = Bench(Wanting(wishes=(wish(),), needs=Needs(strike=True, spot=True, candles=True)))
    bench.start(0)
    candle = ev.Candle(opened_at=NOON, length=seconds(60), open=1, high=1, low=1, close=1, volume=1)
    bench.hear(1, ev.PricePrinted, **PRINTED, value=5, stamped_at=NOON)
    bench.hear(2, ev.CandleClosed, asset="BTC", source=PriceSource.BINANCE_CANDLE, candle=candle)
    around = bench.known.surroundings(WINDOW, usd(1))
    assert unknown_need(bench.desk, bench.desk.view(moment(2), around)) is None
    assert bench.book(60) == ["place o1 entry BUY UP 10 @ 0.54 FAK"]


def test_a_limit_below_the_grid_is_not_raised_to_it() -> None:
    """The lowest tick is above the limit: an order there would pay more than was wished for."""
    bench = Bench(Wanting(wishes=(wish("0.005", probability="0.9", time_in_force=TimeInForce.GTC),)))
    bench.start(0)
    assert bench.book(60) == []
    denied = bench.told(nt.EntryDenied)[-1]
    assert (denied.limit, denied.value, denied.allowed) == ("limit price", "0.005", "at least 0.01")
    bench.hear(61, ev.TickSizeChanged, market=WINDOW.id, tick=Tick(price("0.001")))
    assert bench.book(62) == ["place o1 entry BUY UP 1080 @ 0.005 GTC post-only"]


@pytest.mark.parametrize(
    ("at", "good_for", "ends"), [(60, 240, 300), (60.000000001, 240, 301), (60.999, 240, 301), (60, 240.5, 301)]
)
def test_a_wish_for_a_while_ends_at_a_whole_second_and_never_too_soon(at: float, good_for: float, ends: float) -> None:
    asked = wish("0.50", time_in_force=TimeInForce.GTD, good_for=seconds(good_for))
    bench = Bench(Wanting(wishes=(asked,)))
    bench.start(0)
    bench.hear(59, ev.TradingStateSet, state=TradingState.PAUSED, who="test", why="look only")
    bench.book(59)
    view = bench.desk.view(moment(at), bench.known.surroundings(WINDOW, usd(100)))
    plan = wanted_entries(bench.desk, view, bench.known.account, TradingState.ARMED, RULES, halted=None)
    (approved,) = plan.approved
    assert (approved.terms.expires_at, approved.terms.time_in_force) == (moment(ends), TimeInForce.GTD)


def test_a_wish_without_an_end_has_none() -> None:
    bench = Bench(Wanting(wishes=(REST,)))
    bench.start(0)
    bench.book(60)
    (placed,) = bench.desk.live
    assert placed.terms.expires_at is None
