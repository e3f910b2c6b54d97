"""What is bought of the other side, by itself: after a stop, or before it; and how long a hedge spares the loser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.asks import NOTHING_ASKED, Ask, Asked
from polystra.core.orders import Order, OrderState
from polystra.core.positions import position_of
from polystra.core.referee import Referee
from polystra.core.reversal import ALL, UNSPARED, ReversalRules, spared, wanted_reversals
from polystra.core.terms import Outcome, Purpose, TradeStage
from polystra.core.units import Price, micro, price, seconds, shares, show, usd
from polystra.core.view import NEVER, MarketView
from tests.core_cases import moment
from tests.unit.core.samples import fill, order, selling, taking, view

UP, DOWN = Outcome.UP, Outcome.DOWN
AFTER = ReversalRules(after_stop=True)
HEDGED = ReversalRules(hedged=True)
BOTH = ReversalRules(after_stop=True, hedged=True)
SURE: Mapping[Outcome, int | None] = {UP: micro("0.90"), DOWN: micro("0.90")}
AT_LEVEL: Mapping[Outcome, Price] = {UP: price("0.30")}
NONE: Mapping[Outcome, Price] = {}


def bought(size: str = "10", each: str = "0.54", number: int = 1, outcome: Outcome = UP) -> Order:
    trade = fill(each, size, TradeStage.CONFIRMED, at=moment(60))
    return order(
        taking(each, size, outcome=outcome), number, state=OrderState.FILLED, decided_at=moment(60), fills=(trade,)
    )


def stopped(
    size: str = "10", each: str = "0.30", at: float = 100, number: int = 2, outcome: Outcome = UP, **changes: Any
) -> Order:
    """A stop of ten that sold `size`; each trade of it paid a fee of 0.1 USD."""
    trade = fill(each, size, at=moment(at), fee_usd=usd("0.1"))
    known: dict[str, Any] = {"state": OrderState.CANCELLED, "decided_at": moment(at), "fills": (trade,)}
    sell = selling(each, "10", purpose=Purpose.STOP, outcome=outcome)
    return order(sell, number, **(known | changes))


def hedge(size: str = "10", at: float = 101, number: int = 3, outcome: Outcome = DOWN, **changes: Any) -> Order:
    """Ten of Down at 0.70, of which `size` was bought."""
    fills = (fill("0.70", size, at=moment(at + 0.5)),) if size != "0" else ()
    state = OrderState.FILLED if size == "10" else OrderState.CANCELLED
    known: dict[str, Any] = {"state": state, "decided_at": moment(at), "state_at": moment(at + 0.2), "fills": fills}
    return order(taking("0.70", "10", purpose=Purpose.REVERSAL, outcome=outcome), number, **(known | changes))


def seen(*orders: Order, at: float = 101, bid: str = "0.30", ask: str = "0.32", **more: Any) -> MarketView:
    return view(bid, ask, **({"at": moment(at), "position": position_of(orders)} | more))


def asked(
    *orders: Order,
    rules: ReversalRules = AFTER,
    stopping: Mapping[Outcome, Price] = NONE,
    chances: Mapping[Outcome, int | None] = SURE,
    **more: Any,
) -> Asked:
    return wanted_reversals(seen(*orders, **more), rules, orders, stopping, chances)


def lines(found: Asked) -> list[str]:
    return [_line(one) for one in found.asks]


def _line(one: Ask) -> str:
    size = "" if one.shares is None else f" {show(one.shares)} shares"
    most = "" if one.most is None else f" for at most {show(one.most)}"
    return f"{one.purpose} {one.wish.outcome}{size} @ {show(one.wish.price)} {one.wish.time_in_force}{most}"


# --- after the stop ------------------------------------------------------------------------------------------------


def test_after_a_stop_the_other_side_is_asked_for_with_what_came_back() -> None:
    """Ten at 0.30 are 3 USD, less a fee of 0.1; Down is offered at 1 - 0.30."""
    found = asked(bought(), stopped())
    assert lines(found) == ["reversal DOWN @ 0.7 FAK for at most 2.9"]
    assert (found.wait.until, found.asks[0].wish.probability) == (moment(130), micro("0.90"))
    assert not found.wait.best_holds(price("0.31"), price("0.32")), "at every move of a best price it looks again"


def test_the_mirror_after_a_stop_of_down() -> None:
    down = (bought(outcome=DOWN), stopped(outcome=DOWN))
    assert lines(asked(*down, bid="0.68", ask="0.70")) == ["reversal UP @ 0.7 FAK for at most 2.9"]


def test_what_came_back_in_parts_is_added_up_and_its_time_is_from_the_last() -> None:
    found = asked(bought(), stopped("4"), stopped("6", at=110, number=4), at=111)
    assert lines(found) == ["reversal DOWN @ 0.7 FAK for at most 2.8"]
    assert found.wait.until == moment(140)


def test_a_trade_that_failed_brought_nothing() -> None:
    gone = replace(stopped("6", number=4), fills=(fill("0.30", "6", TradeStage.FAILED, at=moment(120)),))
    assert asked(bought("4"), stopped("4"), gone).wait.until == moment(130)
    assert asked(bought(), gone) == NOTHING_ASKED


@pytest.mark.parametrize(
    "orders",
    [
        (),
        (bought(),),
        (bought(), stopped("4")),
        (bought(), stopped(fills=(), answered=shares(10))),
        (bought(), stopped(state=OrderState.WORKING)),
        (bought(), stopped(each="0.60")),
        (bought(), replace(stopped(), terms=replace(stopped().terms, purpose=Purpose.SALE))),
        (bought(), replace(stopped(), terms=replace(stopped().terms, purpose=Purpose.TARGET))),
    ],
    ids=[
        "nothing",
        "still held",
        "a part is held",
        "no trade is here yet",
        "the stop still works",
        "no loss",
        "a sale is no stop",
        "nor is a target",
    ],
)
def test_without_a_whole_stop_at_a_loss_nothing_is_asked_for(orders: tuple[Order, ...]) -> None:
    assert asked(*orders) == NOTHING_ASKED


def test_dust_that_is_left_does_not_hold_it_up() -> None:
    assert lines(asked(bought("10.009"), stopped())) == ["reversal DOWN @ 0.7 FAK for at most 2.9"]
    assert asked(bought("10.01"), stopped()) == NOTHING_ASKED


def test_it_has_its_time_and_no_more() -> None:
    assert lines(asked(bought(), stopped(), at=129.999999999)) != []
    assert asked(bought(), stopped(), at=130) == NOTHING_ASKED


def test_switched_off_there_is_none() -> None:
    assert asked(bought(), stopped(), rules=HEDGED) == NOTHING_ASKED
    assert asked(bought(), rules=AFTER, stopping=AT_LEVEL) == NOTHING_ASKED


def test_nobody_offers_the_other_side() -> None:
    found = asked(bought(), stopped(), bid="0")
    assert (found.asks, found.denied, found.wait.until) == ((), (), moment(130))


def test_on_a_chance_that_nobody_knows_nothing_is_bought_and_that_is_said() -> None:
    found = asked(bought(), stopped(), chances={})
    ((wish, denied),) = found.denied
    assert (found.asks, wish.outcome, denied.limit, denied.value) == ((), DOWN, "reversal chance", "unknown")


@pytest.mark.parametrize(
    "tried",
    [
        hedge(),
        hedge("2"),
        hedge("0", state=OrderState.SUBMITTING),
        hedge("0", state=OrderState.UNKNOWN),
        hedge("0", answered=shares(3)),
    ],
    ids=["whole", "a part", "on its way", "in doubt", "by the venue's word"],
)
def test_it_happens_once(tried: Order) -> None:
    assert asked(bought(), stopped(), tried, rules=BOTH) == NOTHING_ASKED


def test_one_that_bought_nothing_is_tried_again_within_its_time() -> None:
    assert lines(asked(bought(), stopped(), hedge("0"), at=102)) == ["reversal DOWN @ 0.7 FAK for at most 2.9"]
    assert asked(bought(), stopped(), hedge("0"), at=131) == NOTHING_ASKED


def test_what_a_reversal_bought_is_not_reversed_again() -> None:
    own = hedge("10", at=101)
    gone = stopped(each="0.40", at=200, number=5, outcome=DOWN)
    assert asked(bought(), stopped(), own, gone, at=201, rules=BOTH) == NOTHING_ASKED
    stopping = {DOWN: price("0.40")}
    assert asked(bought(), stopped(), own, at=201, rules=BOTH, stopping=stopping) == NOTHING_ASKED


def test_what_is_being_stopped_still_is_not_reversed_yet() -> None:
    """Bought anew after a stop, and stopped again: first that one is sold."""
    assert asked(bought(), stopped(), stopping=AT_LEVEL) == NOTHING_ASKED


# --- before the stop -----------------------------------------------------------------------------------------------


def test_at_the_stops_level_as_many_of_the_other_side_are_asked_for() -> None:
    found = asked(bought("10.129"), rules=HEDGED, stopping=AT_LEVEL)
    assert lines(found) == ["reversal DOWN 10.12 shares @ 0.7 FAK"]
    assert found.wait.until == NEVER


def test_the_mirror_at_the_stop_of_down() -> None:
    found = asked(bought(outcome=DOWN), rules=HEDGED, stopping={DOWN: price("0.30")}, bid="0.68", ask="0.70")
    assert lines(found) == ["reversal UP 10 shares @ 0.7 FAK"]


def test_before_the_stops_level_there_is_no_hedge() -> None:
    assert asked(bought(), rules=HEDGED) == NOTHING_ASKED


@pytest.mark.parametrize(("bid", "ask"), [("0.60", "0.62"), ("0.54", "0.56"), ("0.40", "0.42")])
def test_the_protection_of_a_gain_is_not_hedged_wherever_its_bid_is(bid: str, ask: str) -> None:
    """Its level is above the entry, and the bid may have leapt past both: then what is left is sold."""
    assert asked(bought(), rules=HEDGED, stopping={UP: price("0.58")}, bid=bid, ask=ask) == NOTHING_ASKED


def test_a_hedge_is_tried_once_whatever_became_of_it() -> None:
    assert asked(bought(), hedge("0"), rules=HEDGED, stopping=AT_LEVEL) == NOTHING_ASKED


def test_after_a_hedge_that_bought_nothing_the_other_rule_still_may() -> None:
    assert lines(asked(bought(), stopped(), hedge("0"), rules=BOTH)) == ["reversal DOWN @ 0.7 FAK for at most 2.9"]


def test_on_a_book_in_doubt_the_venues_own_word_says_where_the_stop_is() -> None:
    """Whether it is bought on such a book is for risk to say, and risk refuses it."""
    told = Referee(bid=price("0.29"), ask=price("0.33"), at=moment(100), venue_at=moment(100), agreed=True)
    found = asked(bought(), rules=HEDGED, stopping=AT_LEVEL, trouble="stale", referee=told)
    assert lines(found) == ["reversal DOWN 10 shares @ 0.7 FAK"]


def test_without_a_holding_there_is_nothing_to_hedge() -> None:
    assert asked(rules=HEDGED, stopping=AT_LEVEL) == NOTHING_ASKED


# --- what a hedge spares -------------------------------------------------------------------------------------------


def left_alone(
    *orders: Order, at: float = 102, outcome: Outcome = UP, rules: ReversalRules = HEDGED, **more: Any
) -> Any:
    held = (bought(outcome=outcome), *orders)
    return spared(seen(*held, at=at, **more), rules, held, outcome)


def test_without_a_hedge_nothing_is_spared() -> None:
    assert left_alone() is UNSPARED
    assert left_alone(hedge(outcome=UP)) is UNSPARED, "that is more of the same side"


def test_until_its_answer_everything_is_spared_and_for_three_seconds_at_most() -> None:
    way = hedge("0", state=OrderState.SUBMITTING)
    assert left_alone(way, at=101.1) == left_alone(way, at=103.999999999)
    assert (left_alone(way).shares, left_alone(way).wait.until) == (ALL, moment(104))
    assert left_alone(way, at=104) is UNSPARED


def test_whole_it_spares_everything_for_two_minutes_from_its_first_trade() -> None:
    found = left_alone(hedge())
    assert (found.shares, found.wait.until) == (ALL, moment(221.5))
    assert left_alone(hedge(), at=221.499).shares == ALL
    assert left_alone(hedge(), at=221.5) is UNSPARED


def test_until_its_trades_are_here_the_two_minutes_are_from_the_venues_word() -> None:
    found = left_alone(hedge("0", state=OrderState.FILLED, answered=shares(10)))
    assert (found.shares, found.wait.until) == (ALL, moment(221.2))


def test_a_part_spares_as_much_as_it_bought() -> None:
    assert left_alone(hedge("4")).shares == shares(4)
    assert left_alone(hedge("0", answered=shares(3))).shares == shares(3), "by the venue's word"


@pytest.mark.parametrize(
    "nothing",
    [
        hedge("0"),
        hedge("0", state=OrderState.REFUSED),
        hedge("0", state=OrderState.UNKNOWN),
        hedge(fills=(fill("0.70", "10", TradeStage.FAILED, at=moment(101.5)),)),
    ],
    ids=["killed", "refused", "in doubt", "its trade failed"],
)
def test_a_hedge_that_bought_nothing_spares_nothing(nothing: Order) -> None:
    assert left_alone(nothing) is UNSPARED


@pytest.mark.parametrize(("bid", "spares"), [("0.16", True), ("0.15", False), ("0.10", False), ("0", True)])
def test_the_loser_is_let_go_at_its_price(bid: str, spares: bool) -> None:
    """That nobody bids is no price."""
    found = left_alone(hedge(), bid=bid)
    assert (found.shares == ALL) is spares
    if bid == "0.16":
        assert found.wait.best_holds(price("0.16"), price("0.32"))
        assert not found.wait.best_holds(price("0.15"), price("0.32"))


def test_a_loser_of_down_is_let_go_at_its_own_price() -> None:
    up = hedge(outcome=UP)
    assert left_alone(up, outcome=DOWN, bid="0.80", ask="0.84").shares == ALL
    assert left_alone(up, outcome=DOWN, bid="0.80", ask="0.85") is UNSPARED
    assert not left_alone(up, outcome=DOWN, bid="0.80", ask="0.84").wait.best_holds(price("0.80"), price("0.85"))


def test_settings_of_its_own_say_when_the_loser_goes() -> None:
    own = ReversalRules(hedged=True, sell_at=price("0.25"), sell_after=seconds(10))
    assert left_alone(hedge(), rules=own).wait.until == moment(111.5)
    assert left_alone(hedge(), rules=own, bid="0.25") is UNSPARED
