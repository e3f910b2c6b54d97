"""What the venue lets us do, learned from the words of its refusals."""

from __future__ import annotations

from typing import Any

import pytest

from polystra.core.errors import ContradictoryFacts
from polystra.core.events import ClockCompared, GeoblockRead
from polystra.core.exits import Sells
from polystra.core.notes import ClockDrifted, VenueModeChanged
from polystra.core.reasons import RefusalReason
from polystra.core.standing import MODE_WAITS, MODES, Mode, Standing, forbids
from polystra.core.units import Instant, Nanos, seconds
from polystra.core.view import NEVER
from tests.core_cases import moment
from tests.unit.core.samples import selling, taking, terms

POST_ONLY, CLOSED_ONLY = RefusalReason.POST_ONLY_MODE, RefusalReason.CLOSED_ONLY
BUY, SELL, MAKING = taking(), selling(), selling(post_only=True)


def standing() -> Standing:
    return Standing(seconds(10))


def told(reason: RefusalReason, at: float = 60, retry_after: float | None = None) -> Standing:
    stood = standing()
    stood.refused(reason, moment(at), None if retry_after is None else seconds(retry_after))
    return stood


def compared(ahead: float) -> ClockCompared:
    return ClockCompared(at=moment(0), ahead=Nanos(round(ahead * 10**9)))


def looked(blocked: bool, place: str = "US NY") -> GeoblockRead:
    return GeoblockRead(at=moment(0), blocked=blocked, place=place)


# --- modes -------------------------------------------------------------------------------------------------------


def test_an_open_venue_forbids_nothing() -> None:
    stood = standing()
    assert (stood.mode(moment(0)), stood.next_at(moment(0))) == (Mode.OPEN, NEVER)
    assert (stood.takes_entries(moment(0)), stood.sells(moment(0))) == (True, Sells.ANY)


@pytest.mark.parametrize(
    ("reason", "sells"),
    [
        (RefusalReason.RATE_LIMITED, Sells.NONE),
        (RefusalReason.RESTARTING, Sells.NONE),
        (RefusalReason.POST_ONLY_MODE, Sells.RESTING),
        (RefusalReason.CANCEL_ONLY_MODE, Sells.NONE),
        (RefusalReason.TRADING_DISABLED, Sells.NONE),
        (RefusalReason.CLOSED_ONLY, Sells.ANY),
        (RefusalReason.BANNED, Sells.NONE),
    ],
)
def test_each_mode_stops_entries_and_lets_some_sells_be_for_a_while(reason: RefusalReason, sells: Sells) -> None:
    stood = told(reason)
    over = moment(120) if reason in (CLOSED_ONLY, RefusalReason.BANNED) else moment(61)
    assert (stood.mode(moment(60)), stood.takes_entries(moment(60))) == (MODES[reason], False)
    assert stood.sells(moment(60)) is sells
    assert stood.next_at(moment(60)) == over
    assert stood.mode(Instant(over - 1)) is MODES[reason]
    assert (stood.mode(over), stood.next_at(over)) == (Mode.OPEN, NEVER), "then the next order finds out"
    assert (stood.takes_entries(over), stood.sells(over)) == (True, Sells.ANY)


def test_every_reason_of_a_mode_is_tried_above() -> None:
    assert set(MODES.values()) == set(Mode) - {Mode.OPEN}


def test_a_refusal_of_one_order_alone_is_no_mode() -> None:
    stood = standing()
    with pytest.raises(ContradictoryFacts, match="no mode"):
        stood.refused(RefusalReason.TOO_SMALL, moment(60), None)
    assert stood.mode(moment(60)) is Mode.OPEN


def test_the_same_mode_again_and_again_holds_for_longer_each_time() -> None:
    stood, at = standing(), moment(60)
    for wait in (*MODE_WAITS, MODE_WAITS[-1]):
        stood.refused(RefusalReason.RATE_LIMITED, at, None)
        assert stood.next_at(at) == at + wait
        at = stood.next_at(at)


def test_a_batch_that_is_refused_at_once_is_one_attempt() -> None:
    stood = told(RefusalReason.RATE_LIMITED)
    for late in range(14):
        stood.refused(RefusalReason.RATE_LIMITED, Instant(moment(60) + late), None)
    assert stood.next_at(moment(60)) == Instant(moment(61) + 13)
    stood.refused(RefusalReason.RATE_LIMITED, moment(62), None)
    assert stood.next_at(moment(62)) == moment(64), "the second attempt"


def test_the_venue_says_itself_how_long() -> None:
    assert told(RefusalReason.RATE_LIMITED, retry_after=10).next_at(moment(60)) == moment(70)
    assert told(RefusalReason.RATE_LIMITED, retry_after=0).next_at(moment(60)) == moment(61), "at once would be a storm"


def test_a_shorter_word_does_not_shorten_a_longer_one() -> None:
    stood = told(RefusalReason.RATE_LIMITED, retry_after=10)
    assert stood.refused(RefusalReason.RATE_LIMITED, moment(61), None) == []
    assert stood.next_at(moment(61)) == moment(70)


def test_another_mode_takes_its_place_and_is_said() -> None:
    stood = told(RefusalReason.RATE_LIMITED, retry_after=10)
    (said,) = stood.refused(RefusalReason.CANCEL_ONLY_MODE, moment(61), None)
    assert said == VenueModeChanged(before=Mode.RATE_LIMITED, after=Mode.CANCEL_ONLY, until=moment(62))
    assert (stood.mode(moment(61)), stood.next_at(moment(61))) == (Mode.CANCEL_ONLY, moment(62))


def test_a_mode_is_said_once_although_it_is_heard_again() -> None:
    stood = standing()
    assert len(stood.refused(RefusalReason.RESTARTING, moment(60), None)) == 1
    assert stood.refused(RefusalReason.RESTARTING, moment(61), None) == []


# --- what an accepted order proves -------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [RefusalReason.RATE_LIMITED, POST_ONLY, CLOSED_ONLY])
def test_an_order_that_the_mode_forbids_and_the_venue_took_ends_it(reason: RefusalReason) -> None:
    stood = told(reason, retry_after=100)
    assert stood.accepted(BUY, moment(61)) == [VenueModeChanged(before=MODES[reason], after=Mode.OPEN)]
    assert stood.mode(moment(61)) is Mode.OPEN
    stood.refused(reason, moment(70), None)
    assert stood.next_at(moment(70)) == moment(130 if reason is CLOSED_ONLY else 71), "and its count begins anew"


def test_an_order_that_was_on_its_way_before_proves_nothing() -> None:
    stood = told(RefusalReason.RATE_LIMITED, retry_after=100)
    assert stood.accepted(BUY, moment(60)) == []
    assert stood.mode(moment(61)) is Mode.RATE_LIMITED


@pytest.mark.parametrize(("reason", "taken"), [(POST_ONLY, MAKING), (CLOSED_ONLY, SELL)])
def test_an_order_that_the_mode_allows_does_not_end_it(reason: RefusalReason, taken: Any) -> None:
    stood = told(reason, retry_after=100)
    assert stood.accepted(taken, moment(61)) == []
    assert stood.mode(moment(62)) is MODES[reason]


def test_an_order_accepted_by_an_open_venue_is_no_news() -> None:
    assert standing().accepted(BUY, moment(60)) == []


@pytest.mark.parametrize(
    ("mode", "forbidden"),
    [
        (Mode.OPEN, []),
        (Mode.POST_ONLY, [BUY, SELL]),
        (Mode.CLOSED_ONLY, [BUY]),
        (Mode.CANCEL_ONLY, [BUY, SELL, MAKING]),
        (Mode.BANNED, [BUY, SELL, MAKING]),
    ],
)
def test_what_each_mode_forbids(mode: Mode, forbidden: list[Any]) -> None:
    assert [one for one in (BUY, SELL, MAKING) if forbids(mode, one)] == forbidden
    assert forbids(mode, terms(post_only=True)) is (mode not in (Mode.OPEN, Mode.POST_ONLY))


# --- clock and place ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [10.000000001, -10.000000001, 3_600])
def test_a_clock_too_far_off_opens_nothing_and_goes_on_selling(ahead: float) -> None:
    stood = standing()
    assert stood.clock_compared(compared(ahead)) == [ClockDrifted(ahead=compared(ahead).ahead)]
    assert stood.why_no_entries == f"the machine's clock is {ahead:+.1f} s off the venue's"
    assert stood.sells(moment(60)) is Sells.ANY
    assert stood.clock_compared(compared(ahead)) == [], "said once"
    assert stood.clock_compared(compared(1)) == [ClockDrifted(ahead=seconds(1), over=True)]
    assert stood.why_no_entries is None


@pytest.mark.parametrize("ahead", [0, 10, -10])
def test_a_clock_within_the_limit_says_nothing(ahead: float) -> None:
    stood = standing()
    assert stood.clock_compared(compared(ahead)) == []
    assert stood.why_no_entries is None


def test_where_trading_is_blocked_nothing_is_placed_until_it_is_allowed() -> None:
    stood = standing()
    assert stood.geoblock_read(looked(False)) == [], "as it should be"
    blocked = VenueModeChanged(before="allowed here", after="blocked in US NY")
    assert stood.geoblock_read(looked(True)) == [blocked]
    assert (stood.why_no_entries, stood.sells(moment(60))) == ("trading is blocked in US NY", Sells.NONE)
    assert stood.geoblock_read(looked(True, "US CA")) == []
    assert stood.geoblock_read(looked(False, "IE")) == [VenueModeChanged(before="blocked in IE", after="allowed here")]
    assert (stood.why_no_entries, stood.sells(moment(60))) == (None, Sells.ANY)


def test_blocked_outweighs_a_mode_that_would_let_us_sell() -> None:
    stood = told(CLOSED_ONLY)
    stood.geoblock_read(looked(True))
    assert stood.sells(moment(60)) is Sells.NONE
