"""What is added to a holding, by itself: when, of what, how much, and what stands against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.asks import AS_IT_RESTS, NOTHING_ASKED, Ask, Asked
from polystra.core.markets import Series
from polystra.core.orders import Order, OrderState
from polystra.core.positions import position_of
from polystra.core.scale_in import ScaleInRules, wanted_scale_ins
from polystra.core.terms import Outcome, Purpose, TimeInForce, TradeStage
from polystra.core.units import Instant, micro, price, seconds, shares, show
from polystra.core.view import ANYTHING, NEVER, MarketView
from tests.core_cases import moment
from tests.unit.core.samples import WINDOW, fill, order, selling, taking, terms, view

UP, DOWN = Outcome.UP, Outcome.DOWN
TAKE = ScaleInRules()
REST = ScaleInRules(rests=True)
SURE: Mapping[Outcome, int | None] = {UP: micro("0.90"), DOWN: micro("0.90")}


def bought(
    purpose: Purpose = Purpose.ENTRY,
    size: str = "10",
    at: float = 60,
    number: int = 1,
    outcome: Outcome = UP,
    stage: TradeStage = TradeStage.CONFIRMED,
    **changes: Any,
) -> Order:
    """Taken at 0.70 and filled whole."""
    known: dict[str, Any] = {
        "state": OrderState.FILLED,
        "decided_at": moment(at),
        "fills": (fill("0.70", size, stage, at=moment(at)),),
    }
    return order(taking("0.70", size, outcome=outcome, purpose=purpose), number, **(known | changes))


def sold(purpose: Purpose, size: str, at: float, number: int = 2, **changes: Any) -> Order:
    known: dict[str, Any] = {
        "state": OrderState.CANCELLED,
        "decided_at": moment(at),
        "fills": (fill("0.70", size, TradeStage.CONFIRMED, at=moment(at)),) if size != "0" else (),
    }
    return order(selling("0.70", "10", purpose=purpose), number, **(known | changes))


def resting(size: str = "15", each: str = "0.68", at: float = 455, number: int = 3, **changes: Any) -> Order:
    asked = terms(each, size, purpose=Purpose.SCALE_IN, post_only=True)
    return order(asked, number, **({"decided_at": moment(at)} | changes))


def shown(*orders: Order, at: float = 500, bid: str = "0.70", ask: str = "0.72", **seen: Any) -> MarketView:
    return view(bid, ask, **({"at": moment(at), "position": position_of(orders)} | seen))


def asked(
    *orders: Order,
    rules: ScaleInRules = TAKE,
    ending: frozenset[Outcome] = frozenset(),
    chances: Mapping[Outcome, int | None] = SURE,
    **seen: Any,
) -> Asked:
    return wanted_scale_ins(shown(*orders, **seen), rules, orders, ending, chances)


def lines(found: Asked) -> list[str]:
    return [_line(one) for one in found.asks]


def _line(one: Ask) -> str:
    wish = one.wish
    size = "?" if one.shares is None else show(one.shares)
    return f"{one.purpose} {wish.outcome} {size} @ {show(wish.price)} {wish.time_in_force}"


# --- when --------------------------------------------------------------------------------------------------------


def test_a_holding_that_wins_late_is_asked_for_once_and_a_half_again() -> None:
    found = asked(bought())
    assert lines(found) == ["scale-in UP 15 @ 0.72 FAK"]
    (one,) = found.asks
    assert (one.wish.probability, one.wish.conviction, one.most) == (micro("0.90"), 0, None)
    assert found.denied == ()


def test_nothing_held_is_not_added_to() -> None:
    assert asked() == NOTHING_ASKED
    assert asked(bought(fills=(fill("0.70", "10", TradeStage.FAILED, at=moment(60)),))) == NOTHING_ASKED
    assert asked(bought(size="0.009")) == NOTHING_ASKED, "dust is no holding"


def test_too_early_it_waits_for_the_very_moment() -> None:
    early = asked(bought(), at=449.999999999)
    assert (lines(early), early.wait.until) == ([], moment(450))
    assert early.wait.best_holds(price("0.99"), price("1")), "until then no price matters"
    assert lines(asked(bought(), at=450)) == ["scale-in UP 15 @ 0.72 FAK"]


def test_in_a_shorter_window_it_begins_in_proportion() -> None:
    """450 of 900 seconds are 150 of 300."""
    short = replace(WINDOW, series=Series("BTC", seconds(300)), end=Instant(WINDOW.start + seconds(300)))
    assert asked(bought(), at=149, market=short).wait.until == moment(150)
    assert lines(asked(bought(), at=150, market=short)) == ["scale-in UP 15 @ 0.72 FAK"]


@pytest.mark.parametrize(
    ("bid", "ask", "added"),
    [
        ("0.59", "0.61", True),
        ("0.59", "0.60", False),
        ("0.89", "0.91", True),
        ("0.90", "0.91", False),
        ("0.30", "0.32", False),
    ],
)
def test_only_between_the_two_prices_by_its_middle(bid: str, ask: str, added: bool) -> None:
    found = asked(bought(), bid=bid, ask=ask)
    assert bool(found.asks) is added
    assert found.wait.best_holds(price(bid), price(ask))
    assert not found.wait.best_holds(price(bid), price("0.95")), "a move of the best prices may let it through"
    assert found.wait.until == NEVER


@pytest.mark.parametrize(
    ("bid", "ask", "rules"), [("0", "0.72", TAKE), ("0.70", "1", TAKE), ("0", "0.72", REST)], ids=str
)
def test_a_side_that_is_empty_has_no_middle(bid: str, ask: str, rules: ScaleInRules) -> None:
    assert lines(asked(bought(), bid=bid, ask=ask, rules=rules)) == []


@pytest.mark.parametrize("rules", [TAKE, REST])
def test_prices_that_are_none_are_not_paid(rules: ScaleInRules) -> None:
    """No book shows them while it is to be trusted; and here they are not believed either."""
    wide = replace(rules, min_price=price("0"), max_price=price("1"))
    assert lines(asked(bought(), bid="-0.2", ask="1.2", rules=wide)) == []


@pytest.mark.parametrize("trouble", ["crossed", "stale", "no snapshot yet"])
def test_on_a_book_that_is_not_to_be_trusted_nothing_is_begun(trouble: str) -> None:
    assert lines(asked(bought(), trouble=trouble)) == []


def test_down_is_added_to_by_its_own_book() -> None:
    found = asked(bought(outcome=DOWN), bid="0.28", ask="0.30")
    assert lines(found) == ["scale-in DOWN 15 @ 0.72 FAK"]
    assert lines(asked(bought(outcome=DOWN), bid="0.70", ask="0.72")) == [], "that is Up's price"
    assert lines(asked(bought(outcome=DOWN), bid="0.28", ask="0.30", rules=REST)) == ["scale-in DOWN 15 @ 0.7 GTC"]


def test_of_two_holdings_the_one_that_wins_is_added_to() -> None:
    both = (bought(), bought(number=2, outcome=DOWN, size="8"))
    assert lines(asked(*both)) == ["scale-in UP 15 @ 0.72 FAK"]
    assert lines(asked(*both, bid="0.28", ask="0.30")) == ["scale-in DOWN 12 @ 0.72 FAK"]


def test_both_are_added_to_where_both_prices_allow_it() -> None:
    both = (bought(), bought(number=2, outcome=DOWN, size="8"))
    even = replace(TAKE, min_price=price("0.45"))
    assert lines(asked(*both, rules=even, bid="0.49", ask="0.51")) == [
        "scale-in UP 15 @ 0.51 FAK",
        "scale-in DOWN 12 @ 0.51 FAK",
    ]


@pytest.mark.parametrize("chances", [{}, {UP: None, DOWN: micro("0.1")}])
def test_on_a_chance_that_nobody_knows_nothing_is_added_and_that_is_said(chances: Mapping[Outcome, int | None]) -> None:
    found = asked(bought(), chances=chances)
    assert found.asks == ()
    ((wish, denied),) = found.denied
    assert (wish.outcome, denied.limit, denied.value) == (UP, "scale-in chance", "unknown")
    assert denied.allowed == "an estimate of the strategy"
    assert asked(bought(), chances=chances, at=100).denied == (), "before its time nothing is denied"


# --- how much ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("multiplier", "size"), [("1", "10"), ("2.5", "25"), ("0.1", "1"), ("0.3333", "3.33")])
def test_the_size_is_a_multiple_of_what_is_held_in_whole_hundredths(multiplier: str, size: str) -> None:
    found = asked(bought(), rules=replace(TAKE, multiplier=micro(multiplier)))
    assert lines(found) == [f"scale-in UP {size} @ 0.72 FAK"]


def test_what_a_target_has_sold_is_not_counted() -> None:
    """Six of ten were sold at their target: the four that are left are added to."""
    assert lines(asked(bought(), sold(Purpose.TARGET, "6", at=300))) == ["scale-in UP 6 @ 0.72 FAK"]


# --- once a position -----------------------------------------------------------------------------------------------


def test_it_is_added_to_once() -> None:
    assert lines(asked(bought(), bought(Purpose.SCALE_IN, "15", at=460, number=2))) == []
    part = bought(Purpose.SCALE_IN, "3", at=460, number=2, state=OrderState.CANCELLED)
    assert lines(asked(bought(), part)) == [], "a part of it is one too"


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REFUSED])
def test_an_addition_that_bought_nothing_may_be_tried_again(state: OrderState) -> None:
    nothing = bought(Purpose.SCALE_IN, at=460, number=2, fills=(), state=state)
    assert lines(asked(bought(), nothing)) == ["scale-in UP 15 @ 0.72 FAK"]


def test_an_addition_whose_trade_failed_is_not_tried_again() -> None:
    """Nobody buys a ghost a second time: it may still come."""
    failed = fill("0.70", "10", TradeStage.FAILED, at=moment(460))
    ghost = bought(Purpose.SCALE_IN, at=460, number=2, fills=(failed,), state=OrderState.CANCELLED)
    assert lines(asked(bought(), ghost)) == []


def test_what_was_bought_by_the_venues_word_is_bought() -> None:
    told = bought(Purpose.SCALE_IN, at=460, number=2, fills=(), answered=shares(15))
    assert lines(asked(bought(), told)) == []


@pytest.mark.parametrize("state", [OrderState.SUBMITTING, OrderState.WORKING, OrderState.UNKNOWN])
def test_while_one_is_on_its_way_there_is_no_second(state: OrderState) -> None:
    way = bought(Purpose.SCALE_IN, at=460, number=2, fills=(), state=state)
    assert asked(bought(), way) == NOTHING_ASKED


def test_a_position_that_was_bought_anew_may_grow_again() -> None:
    """The first and what was added to it went at their target; the second is another."""
    first = (bought(), bought(Purpose.SCALE_IN, "15", at=100, number=2), sold(Purpose.TARGET, "25", at=200, number=3))
    again = bought(at=300, number=4)
    assert lines(asked(*first, again)) == ["scale-in UP 15 @ 0.72 FAK"]
    grown = bought(Purpose.SCALE_IN, "15", at=460, number=5)
    assert lines(asked(*first, again, grown)) == []


def test_an_addition_that_filled_after_its_parent_was_gone_is_not_added_to() -> None:
    """Fifteen that rested were bought a second after the ten they belong to had been sold: they are no entry's."""
    late = resting(state=OrderState.FILLED, fills=(fill("0.68", "15", TradeStage.CONFIRMED, at=moment(471)),))
    assert lines(asked(bought(), sold(Purpose.STOP, "10", at=470), late)) == []


# --- what ends a position ------------------------------------------------------------------------------------------


def test_nothing_is_added_to_what_is_being_ended() -> None:
    assert asked(bought(), ending=frozenset({UP})) == NOTHING_ASKED
    assert lines(asked(bought(), ending=frozenset({DOWN}))) == ["scale-in UP 15 @ 0.72 FAK"]


@pytest.mark.parametrize("purpose", [Purpose.STOP, Purpose.SALE])
def test_nothing_is_added_to_what_has_begun_to_end(purpose: Purpose) -> None:
    assert lines(asked(bought(), sold(purpose, "4", at=300))) == [], "a part was sold"
    assert lines(asked(bought(), sold(purpose, "0", at=300, state=OrderState.SUBMITTING))) == [], "it has no answer yet"
    told = sold(purpose, "0", at=300, answered=shares(4))
    assert lines(asked(bought(), told)) == [], "sold by the venue's word"


@pytest.mark.parametrize("purpose", [Purpose.STOP, Purpose.SALE])
def test_a_sell_that_sold_nothing_or_ended_another_position_is_forgotten(purpose: Purpose) -> None:
    assert lines(asked(bought(), sold(purpose, "0", at=300))) == ["scale-in UP 15 @ 0.72 FAK"]
    before = sold(purpose, "10", at=100)
    assert lines(asked(bought(), before, bought(at=200, number=3))) == ["scale-in UP 15 @ 0.72 FAK"]


def test_the_stop_of_the_other_outcome_is_no_concern_of_it() -> None:
    other = sold(Purpose.STOP, "4", at=300)
    other = replace(other, terms=replace(other.terms, outcome=DOWN))
    both = (bought(), bought(number=5, outcome=DOWN), other)
    assert lines(asked(*both)) == ["scale-in UP 15 @ 0.72 FAK"]


def test_what_a_reversal_bought_is_not_added_to() -> None:
    assert lines(asked(bought(Purpose.REVERSAL))) == []
    assert lines(asked(bought(), bought(Purpose.REVERSAL, "2", at=300, number=2))) == [], "nor what it was joined to"
    nothing = bought(Purpose.REVERSAL, at=300, number=2, fills=(), state=OrderState.CANCELLED)
    assert lines(asked(bought(), nothing)) == ["scale-in UP 15 @ 0.72 FAK"]


# --- one that rests ------------------------------------------------------------------------------------------------


def test_one_that_rests_is_asked_for_at_the_best_bid() -> None:
    assert lines(asked(bought(), rules=REST)) == ["scale-in UP 15 @ 0.7 GTC"]


def test_what_rests_stays_where_it_is() -> None:
    """The bid moved to 0.70, and out of the two prices, and the book is in doubt: 0.68 is wanted as it is."""
    for seen in ({}, {"bid": "0.20", "ask": "0.22"}, {"trouble": "stale"}, {"at": 899}):
        found = asked(bought(), resting(), rules=REST, **seen)
        assert lines(found) == ["scale-in UP 15 @ 0.68 GTC"]
        assert found.asks[0].wish.tolerance == AS_IT_RESTS
        assert found.asks[0].wish.time_in_force is TimeInForce.GTC


@pytest.mark.parametrize(("part", "left"), [("4", "11"), ("10", "5"), ("12", "5"), ("14.99", "5")])
def test_what_is_left_of_it_is_wanted_and_never_less_than_the_venues_least_size(part: str, left: str) -> None:
    """The least size is 5; asked for less it would be denied, and cancelled."""
    filled = resting(fills=(fill("0.68", part, TradeStage.CONFIRMED, at=moment(470)),))
    assert lines(asked(bought(), filled, rules=REST)) == [f"scale-in UP {left} @ 0.68 GTC"]


def test_what_rests_goes_with_its_parent() -> None:
    assert asked(resting(), rules=REST) == NOTHING_ASKED, "nothing is held"
    assert asked(bought(), resting(), rules=REST, ending=frozenset({UP})) == NOTHING_ASKED
    assert lines(asked(bought(), sold(Purpose.STOP, "4", at=470), resting(), rules=REST)) == []


def test_what_rests_is_not_taken_over_by_a_position_that_was_bought_anew() -> None:
    gone = (bought(), sold(Purpose.TARGET, "10", at=470))
    assert lines(asked(*gone, resting(at=455), bought(at=480, number=4), rules=REST)) == []


def test_what_rests_is_not_wanted_on_a_chance_that_nobody_knows() -> None:
    found = asked(bought(), resting(), rules=REST, chances={})
    assert found.asks == ()
    assert [denied.limit for _, denied in found.denied] == ["scale-in chance"]


# --- asks together -------------------------------------------------------------------------------------------------


def test_what_two_rules_ask_for_is_added_up() -> None:
    one, other = asked(bought(), chances={}), asked(bought(), at=100)
    both = one.and_(other).and_(asked(bought()))
    assert (len(both.asks), len(both.denied), both.wait.until) == (1, 1, moment(450))
    assert NOTHING_ASKED.and_(NOTHING_ASKED).wait == ANYTHING
