"""One order from intent to end: what each state may be told, and how trades are counted."""

from __future__ import annotations

from collections import defaultdict
from itertools import permutations, product

import pytest
from msgspec.structs import replace

from polystra.core import orders
from polystra.core.errors import IllegalTransition
from polystra.core.orders import (
    TRANSITIONS,
    Heard,
    Order,
    OrderState,
    answers_whole,
    filled,
    is_whole,
    moved,
    overfill_of,
)
from polystra.core.terms import Side, TradeStage
from polystra.core.units import Instant, seconds, shares, usd
from tests.unit.core.samples import NOON, fill, order, selling, taking, terms

LATER = Instant(NOON + seconds(1))
ENDS = (OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REFUSED)
CELLS = list(product(OrderState, Heard))

FAILED, MATCHED, MINED = TradeStage.FAILED, TradeStage.MATCHED, TradeStage.MINED
CONFIRMED, RETRYING = TradeStage.CONFIRMED, TradeStage.RETRYING


# --- the table ---------------------------------------------------------------------------------------------------


@pytest.mark.spec("S13.A3", pure="the table is data of ours; what the exchange says is its input")
@pytest.mark.parametrize(("state", "heard"), CELLS, ids=lambda word: word.name)
def test_every_state_is_told_everything(state: OrderState, heard: Heard) -> None:
    """Each of the 96 cells is either the table's or an error, after which nothing happened."""
    before = order(state=state, fills=(fill(size="1"),))
    copy = replace(before)
    if (state, heard) in TRANSITIONS:
        after = moved(before, heard, LATER)
        assert after.state is TRANSITIONS[state, heard]
        assert replace(after, state=state, state_at=NOON, cancel_doubted=False) == copy, "news of a state alone"
    else:
        with pytest.raises(IllegalTransition, match=f"o41: told '{heard}' while {state}"):
            moved(before, heard, LATER)
    assert before == copy, "nothing happened to the order that was told"


@pytest.mark.spec("S13.A3", pure="the table is data of ours; what the exchange says is its input")
@pytest.mark.parametrize("end", ENDS, ids=lambda state: state.name)
def test_an_end_is_for_ever(end: OrderState) -> None:
    """A cancelled order never lives again, nor does one end become another."""
    told = {heard: after for (state, heard), after in TRANSITIONS.items() if state is end}
    assert told
    assert set(told.values()) == {end}


def test_the_table_knows_what_ends() -> None:
    assert {state for state in OrderState if state.ended} == set(ENDS)
    assert {state for state in OrderState if order(state=state).live} == set(OrderState) - set(ENDS)


def test_the_drawing_shows_the_table() -> None:
    """The arrows of the module's docstring are the moves of the table, all of them and no other."""
    lines = [line.split("─►") for line in (orders.__doc__ or "").splitlines() if "─►" in line]
    drawn = {start.strip(): set(goals.split()) for start, goals in lines}
    moves: dict[str, set[str]] = defaultdict(set)
    for (state, _), after in TRANSITIONS.items():
        if after is not state:
            moves[state].add(after)
    assert drawn == moves


def test_every_live_state_can_be_left_for_an_end_by_what_the_venue_may_say_at_any_time() -> None:
    for state in set(OrderState) - set(ENDS):
        for heard, end in (
            (Heard.CANCELLED, OrderState.CANCELLED),
            (Heard.KILLED, OrderState.CANCELLED),
            (Heard.EXPIRED, OrderState.EXPIRED),
            (Heard.FILLED, OrderState.FILLED),
            (Heard.GONE, OrderState.CANCELLED),
        ):
            assert TRANSITIONS[state, heard] is end, (state, heard)


def test_refused_and_unknown_are_never_merged() -> None:
    assert moved(order(state=OrderState.SUBMITTING), Heard.REFUSED, LATER).state is OrderState.REFUSED
    assert moved(order(state=OrderState.SUBMITTING), Heard.NO_ANSWER, LATER).state is OrderState.UNKNOWN
    assert moved(order(state=OrderState.REFUSED), Heard.NO_ANSWER, LATER).state is OrderState.REFUSED


def test_a_refusal_of_a_working_order_is_a_contradiction() -> None:
    for state in (OrderState.WORKING, OrderState.CANCELLING, OrderState.FILLED, OrderState.EXPIRED):
        with pytest.raises(IllegalTransition):
            moved(order(state=state), Heard.REFUSED, LATER)


def test_a_refused_order_that_rests_is_a_contradiction() -> None:
    for heard in (Heard.RESTS, Heard.SEEN_LIVE, Heard.FILLED, Heard.EXPIRED, Heard.KILLED):
        with pytest.raises(IllegalTransition):
            moved(order(state=OrderState.REFUSED), heard, LATER)


def test_a_killed_fok_is_told_twice_in_any_order() -> None:
    """PROTOCOL C.2 and E.1: HTTP 400 on the request and CANCELLATION on the user stream, whichever is first. This once
    was a contradiction and halted the market after each FOK or FAK that found nothing.
    """
    sent = order(taking(), state=OrderState.SUBMITTING)
    answer_first = moved(moved(sent, Heard.REFUSED, LATER), Heard.CANCELLED, LATER)
    stream_first = moved(moved(sent, Heard.CANCELLED, LATER), Heard.REFUSED, LATER)
    assert answer_first.state is OrderState.REFUSED
    assert stream_first.state is OrderState.CANCELLED


def test_an_order_without_an_answer_that_the_venue_does_not_find_is_gone() -> None:
    """Its request never came back and no listing shows it: the look-up ends it. Once a contradiction that halted."""
    assert moved(order(state=OrderState.SUBMITTING), Heard.GONE, LATER).state is OrderState.CANCELLED


@pytest.mark.parametrize("state", [OrderState.SUBMITTING, OrderState.CANCELLING, *ENDS])
def test_only_an_order_that_may_rest_can_be_asked_to_cancel(state: OrderState) -> None:
    """One of unknown fate is cancelled by its hash, and stays unknown until somebody knows."""
    assert moved(order(), Heard.CANCEL_ASKED, LATER).state is OrderState.CANCELLING
    unknown = order(state=OrderState.UNKNOWN)
    assert moved(unknown, Heard.CANCEL_ASKED, LATER) is unknown
    with pytest.raises(IllegalTransition):
        moved(order(state=state), Heard.CANCEL_ASKED, LATER)


def test_news_that_changes_nothing_returns_the_same_order() -> None:
    for state, heard in ((OrderState.WORKING, Heard.RESTS), (OrderState.CANCELLED, Heard.SEEN_LIVE)):
        before = order(state=state)
        assert moved(before, heard, LATER) is before


def test_a_move_is_stamped() -> None:
    assert moved(order(), Heard.CANCEL_ASKED, LATER).state_at == LATER


# --- doubt about a cancel ----------------------------------------------------------------------------------------


def test_a_doubted_cancel_stays_doubted_until_the_state_is_known() -> None:
    asked = moved(order(), Heard.CANCEL_ASKED, NOON)
    assert not asked.cancel_doubted
    doubted = moved(asked, Heard.CANCEL_DOUBTED, LATER)
    assert doubted.state is OrderState.CANCELLING
    assert doubted.cancel_doubted
    assert moved(doubted, Heard.CANCEL_DOUBTED, LATER) is doubted, "said twice is heard once"
    assert moved(doubted, Heard.NO_ANSWER, LATER) is doubted
    for heard in (Heard.SEEN_LIVE, Heard.CANCELLED, Heard.FILLED, Heard.GONE):
        assert not moved(doubted, heard, LATER).cancel_doubted, heard


def test_a_second_cancel_starts_without_doubt() -> None:
    doubted = order(state=OrderState.CANCELLING, cancel_doubted=True)
    again = moved(moved(doubted, Heard.SEEN_LIVE, LATER), Heard.CANCEL_ASKED, LATER)
    assert again.state is OrderState.CANCELLING
    assert not again.cancel_doubted


@pytest.mark.parametrize("end", ENDS, ids=lambda state: state.name)
def test_an_order_that_ended_is_in_no_doubt(end: OrderState) -> None:
    """`nothing to cancel` after the fill: neither a flag nor a new time on an order that is over."""
    before = order(state=end)
    assert moved(before, Heard.CANCEL_DOUBTED, LATER) is before


# --- trades ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", OrderState, ids=lambda state: state.name)
def test_a_trade_counts_once_in_every_state(state: OrderState) -> None:
    """Also after the end: a fill that arrives behind the cancel is real money."""
    one = fill(size="2")
    before = order(state=state)
    after = filled(before, one)
    assert (after.matched, after.spent, after.state) == (shares(2), usd("1.1"), state)
    assert filled(after, one) is after
    assert before.matched == 0


def test_two_trades_of_one_order_add_up() -> None:
    both = filled(filled(order(), fill("0.52", "2")), fill("0.53", "4"))
    assert (both.matched, both.spent, both.remaining) == (shares(6), usd("3.16"), 0)


@pytest.mark.parametrize("changed", [{"price": 540_000}, {"shares": 1_000_000}])
def test_a_trade_that_comes_back_with_other_numbers_is_a_contradiction(changed: dict[str, int]) -> None:
    one = fill("0.55", "2")
    before = filled(order(), one)
    with pytest.raises(IllegalTransition, match=rf"o41: trade {one.trade} was 2 @ 0\.55, now "):
        filled(before, replace(one, **changed))
    assert before.fills == (one,)


ADVANCES = {
    MATCHED: {RETRYING, MINED, CONFIRMED, FAILED},
    RETRYING: {MINED, CONFIRMED, FAILED},
    MINED: {RETRYING, CONFIRMED, FAILED},
    CONFIRMED: set(),
    FAILED: set(),
}


@pytest.mark.parametrize(("known", "heard"), list(product(TradeStage, TradeStage)), ids=lambda stage: stage.name)
def test_a_stage_only_goes_forward(known: TradeStage, heard: TradeStage) -> None:
    """CONFIRMED and FAILED are final, MATCHED never comes back; a MINED trade may be retried (a chain reorganises)."""
    one = fill(size="2", stage=known)
    before = filled(order(), one)
    after = filled(before, replace(one, stage=heard))
    if heard in ADVANCES[known]:
        assert [kept.stage for kept in after.fills] == [heard]
        assert after.fills[0] == replace(one, stage=heard)
    else:
        assert after is before


@pytest.mark.parametrize("end", [CONFIRMED, FAILED], ids=lambda stage: stage.name)
def test_the_final_stage_wins_in_whatever_order_the_stages_arrive(end: TradeStage) -> None:
    one = fill(size="2")
    for heard in permutations([MATCHED, RETRYING, MINED, end]):
        after = order()
        for stage in heard:
            after = filled(after, replace(one, stage=stage))
        assert [kept.stage for kept in after.fills] == [end], heard
        assert after.matched == (0 if end is FAILED else shares(2))


def test_a_trade_keeps_its_place_and_its_neighbours_when_its_stage_moves() -> None:
    first, second, third = fill(size="1"), fill(size="2"), fill(size="3")
    before = order(fills=(first, second, third))
    after = filled(before, replace(second, stage=MINED))
    assert after.fills == (first, replace(second, stage=MINED), third)


def test_a_failed_trade_takes_the_shares_back() -> None:
    one = fill(size="2")
    after = filled(filled(order(), one), replace(one, stage=FAILED))
    assert (after.matched, after.spent) == (0, 0)
    assert len(after.fills) == 1, "it stays on record"
    assert not fill(stage=FAILED).counts


def test_a_trade_first_heard_of_as_failed_never_counts() -> None:
    one = fill(size="2", stage=FAILED)
    after = filled(filled(order(), one), replace(one, stage=MATCHED))
    assert after.matched == 0


def test_one_trade_may_fill_two_orders_of_ours() -> None:
    one = fill(size="2")
    assert filled(order(number=1), one).matched == filled(order(number=2), one).matched == shares(2)


def test_what_a_trade_does_to_cash() -> None:
    """A BUY pays price and fee; a SELL receives the price less the fee; a fee in shares costs no cash."""
    one = fill("0.55", "6", fee_usd=usd("0.1"))
    assert (one.value, one.cash(Side.BUY), one.cash(Side.SELL)) == (usd("3.3"), -usd("3.4"), usd("3.2"))
    assert fill("0.55", "6", fee_shares=shares("0.0925")).cash(Side.BUY) == -usd("3.3")


# --- more than was asked -----------------------------------------------------------------------------------------


def test_a_hundredth_of_a_share_too_much_is_the_venues_dust() -> None:
    """FAULTS row 21."""
    after = filled(order(terms("0.55", "6")), fill(size="6.01"))
    assert after.matched == shares("6.01")
    assert after.remaining == 0


def test_more_than_dust_is_booked_and_named() -> None:
    """The exchange did it, so it is in the books; that it did more than was asked is for a person to see."""
    whole = filled(order(terms("0.55", "6")), fill(size="6"))
    dusty = filled(whole, fill(size="0.01"))
    assert (overfill_of(whole), overfill_of(dusty)) == (None, None)
    after = filled(whole, fill(size="0.010001"))
    assert after.matched == shares("6.010001")
    assert overfill_of(after) == "o41: filled 6.010001 for 3.3055 of 6 @ 0.55"


def test_a_failed_trade_makes_room_for_another() -> None:
    failed = fill(size="6", stage=FAILED)
    assert filled(order(fills=(failed,)), fill(size="6")).matched == shares(6)


def test_an_order_in_cash_may_get_more_shares_for_the_same_money() -> None:
    """Its limit is a worst price: 3.30 USD at 0.30 are eleven shares and no contradiction."""
    after = filled(order(taking("0.55", "6")), fill("0.30", "11"))
    assert (after.matched, after.spent, after.remaining) == (shares(11), usd("3.3"), 0)


def test_an_order_in_cash_may_not_spend_more_than_dust_beyond_it() -> None:
    before = order(taking("0.50", "6"))
    assert overfill_of(filled(before, fill("0.50", "6.01"))) is None
    assert overfill_of(filled(before, fill("0.50", "6.02"))) == "o41: filled 6.02 for 3.01 of 6 @ 0.5"


# --- what is left ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", OrderState, ids=lambda state: state.name)
def test_nothing_remains_of_an_order_that_ended(state: OrderState) -> None:
    assert order(state=state, fills=(fill(size="2"),)).remaining == (0 if state.ended else shares(4))


def test_a_part_whose_trade_failed_does_not_come_back_into_the_book() -> None:
    """Else a target of 6 shares would seem to cover 6 although 4 rest, and the other 2 never got an exit."""
    resting = order(selling("0.60", "6"), fills=(fill("0.60", "2", stage=FAILED),))
    assert (resting.matched, resting.remaining) == (0, shares(4))
    spending = order(taking("0.50", "6"), fills=(fill("0.50", "2", stage=FAILED),))
    assert (spending.spent, spending.remaining) == (0, shares(4))


def test_what_remains_of_an_order_in_cash_is_counted_at_its_limit() -> None:
    assert order(taking("0.50", "6"), fills=(fill("0.30", "5"),)).remaining == shares(3)
    assert order(taking("0.50", "6"), fills=(fill("0.50", "6.01"),)).remaining == 0


@pytest.mark.parametrize(
    ("size", "whole"), [("6", True), ("5.990001", True), ("5.99", False), ("6.01", True), ("0.01", False)]
)
def test_an_order_is_whole_when_less_than_a_size_step_is_missing(size: str, whole: bool) -> None:
    assert is_whole(order(terms("0.55", "6"), fills=(fill(size=size),))) is whole
    assert is_whole(order(selling("0.60", "6"), fills=(fill(size=size),))) is whole


def test_an_order_in_cash_is_whole_when_its_money_is_spent() -> None:
    wanted = taking("0.50", "6")
    assert is_whole(order(wanted, fills=(fill("0.30", "10"),)))
    assert not is_whole(order(wanted, fills=(fill("0.30", "6"),))), "six shares, but 1.20 USD are left"
    assert is_whole(order(wanted, fills=(fill("0.50", "5.990002"),)))
    assert not is_whole(order(wanted, fills=(fill("0.50", "5.99"),)))


@pytest.mark.parametrize(
    ("matched", "paid", "whole"), [("6", "3.3", True), ("5.990001", "3.3", True), ("5.99", "3.3", False)]
)
def test_an_answer_is_whole_in_the_terms_the_order_was_asked_in(matched: str, paid: str, whole: bool) -> None:
    """A sale is done when its shares are gone; a BUY in cash when its money is, however many shares that brought."""
    assert answers_whole(selling("0.55", "6"), shares(matched), usd(paid)) is whole
    assert answers_whole(taking("0.55", "6"), shares(matched), usd(paid))
    assert not answers_whole(taking("0.55", "6"), shares(matched), usd("3.29"))


def test_an_order_without_trades_or_with_failed_ones_is_not_whole() -> None:
    assert not is_whole(order())
    assert not is_whole(order(fills=(fill(size="6", stage=FAILED),)))


# --- what the answer said ----------------------------------------------------------------------------------------


def test_what_the_answer_matched_is_awaited_until_its_trades_are_here() -> None:
    answered = order(answered=shares(6))
    assert (answered.matched, answered.awaited, answered.settling) == (0, shares(6), True)
    part = filled(answered, fill(size="2"))
    assert part.awaited == shares(4)
    assert filled(part, fill(size="4")).awaited == 0
    assert order(fills=(fill(size="2"),)).awaited == 0, "trades without an answer await nothing"


def test_a_failed_trade_is_not_awaited_again() -> None:
    assert order(answered=shares(6), fills=(fill(size="6", stage=FAILED),)).awaited == 0


def test_dust_of_an_answer_is_not_awaited_for_ever() -> None:
    """An answer of 6 shares and trades of 5.999999: a millionth that never comes would keep the market unsettled and
    its balances uncompared.
    """
    settled = order(answered=shares(6), fills=(fill(size="5.999999", stage=CONFIRMED),))
    assert (settled.awaited, settled.settling) == (0, False)
    assert order(answered=shares(6), fills=(fill(size="5.99", stage=CONFIRMED),)).awaited == shares("0.01")


@pytest.mark.parametrize("stage", TradeStage, ids=lambda stage: stage.name)
def test_an_order_settles_while_a_trade_is_on_its_way(stage: TradeStage) -> None:
    assert order(fills=(fill(stage=stage),)).settling is (stage in (MATCHED, RETRYING))


def test_a_new_order_is_being_sent_and_has_nothing() -> None:
    fresh = Order(id=order().id, terms=terms(), decided_at=NOON)
    assert (fresh.state, fresh.matched, fresh.spent, fresh.live) == (OrderState.SUBMITTING, 0, 0, True)
    assert (fresh.remaining, fresh.awaited, fresh.settling) == (shares(6), 0, False)
