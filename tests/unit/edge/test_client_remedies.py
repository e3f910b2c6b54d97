"""What to do about each of the venue's texts (`PROTOCOL.md` E.6), and about what nobody has heard yet."""

import pytest

from polystra.core.ids import VenueOrderId
from polystra.core.reasons import RefusalReason as Why
from polystra.edge.polymarket.outcomes import Accepted, NotSent, OutcomeUnknown, Refused, remedy_of
from polystra.edge.polymarket.refusals import refusal_of
from polystra.edge.polymarket.remedies import TEXTS, Remedy, known, remedy_for
from polystra.exchange.words import WORDS
from tests.unit.edge.test_refusals import SAID

ORDER = VenueOrderId("0x" + "ab" * 32)
NOTHING_BETTER = {
    "order canceled in the CTF exchange contract",
    "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>",
}
"""Refusals of which the protocol says no more than their words."""

AGAIN, LOOK, WAIT, DECIDE, FIX, LEAVE, PERSON = (
    Remedy.TRY_AGAIN,
    Remedy.LOOK_IT_UP,
    Remedy.WAIT_FOR_BALANCE,
    Remedy.DECIDE_ANEW,
    Remedy.FIX_THE_ORDER,
    Remedy.LEAVE_THE_MARKET,
    Remedy.CALL_A_PERSON,
)

BY_REASON = {
    Why.NOT_ENOUGH_BALANCE: {WAIT, PERSON},
    Why.OFF_TICK: {FIX},
    Why.TOO_SMALL: {FIX},
    Why.WRONG_AMOUNTS: {FIX},
    Why.BAD_EXPIRY: {FIX},
    Why.WOULD_CROSS: {DECIDE},
    Why.NOT_FILLED: {DECIDE},
    Why.DUPLICATED: {LOOK},
    Why.MARKET_CLOSED: {LEAVE},
    Why.RESTARTING: {AGAIN},
    Why.POST_ONLY_MODE: {AGAIN},
    Why.CANCEL_ONLY_MODE: {AGAIN},
    Why.TRADING_DISABLED: {AGAIN},
    Why.CLOSED_ONLY: {PERSON},
    Why.BANNED: {PERSON},
    Why.UNAUTHORIZED: {PERSON},
    Why.MALFORMED: {PERSON},
    Why.RATE_LIMITED: {AGAIN},
    Why.OTHER: {PERSON},
    None: {LOOK},
}


@pytest.mark.parametrize(("http", "text", "reason"), SAID, ids=[f"{http} {text[:40]}" for http, text, _ in SAID])
def test_every_text_has_a_reason_and_a_remedy(http: int, text: str, reason: Why | None) -> None:
    assert (known(text) is not None) or text in NOTHING_BETTER
    assert (reason is Why.OTHER) == (text in NOTHING_BETTER)
    outcome = OutcomeUnknown(ORDER, text) if reason is None else Refused(ORDER, reason, text)
    assert remedy_of(outcome) in BY_REASON[reason]


@pytest.mark.parametrize("text", WORDS)
def test_what_only_a_fault_says_is_known_too(text: str) -> None:
    assert known(text.replace("{id}", ORDER).replace("{amount}", "4500000")) is not None


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("not enough balance / allowance: the balance is not enough -> balance: 1, order amount: 2", WAIT),
        ("not enough balance / allowance: the allowance is not enough -> allowance: 0, order amount: 2", PERSON),
        ("'0x7e57' address in closed only mode", PERSON),
        ("service not ready", AGAIN),
        ("post-only mode: only post-only orders and cancels are allowed", AGAIN),
        (f"order {ORDER} is invalid. Duplicated.", LOOK),
        ("order couldn't be fully filled. FOK orders are fully filled or killed.", DECIDE),
        ("FOK orders are filled or killed", LOOK),
    ],
)
def test_words_that_look_alike_ask_for_different_things(text: str, remedy: Remedy) -> None:
    said = known(text)
    assert said is not None
    assert said.remedy is remedy


def test_no_text_stands_behind_one_that_hides_it() -> None:
    hidden = [one.words for at, one in enumerate(TEXTS) if any(before.words in one.words for before in TEXTS[:at])]
    assert hidden == []


def test_unknown_words_ask_for_a_person_unless_the_status_says_it_all() -> None:
    assert refusal_of(400, "brand new") is Why.OTHER
    assert remedy_for(Why.OTHER, "brand new") is PERSON
    assert refusal_of(429, "brand new") is Why.RATE_LIMITED
    assert remedy_for(Why.RATE_LIMITED, "brand new") is AGAIN
    assert refusal_of(425, "brand new") is Why.RESTARTING
    assert remedy_for(Why.RESTARTING, "brand new") is AGAIN
    assert refusal_of(503, "brand new") is None


def test_what_was_taken_needs_nothing_and_what_never_left_may_go_again() -> None:
    assert remedy_of(Accepted(order=ORDER, matched=False, making=0, taking=0, trades=())) is None
    assert remedy_of(NotSent(ORDER, "no route")) is AGAIN
    assert remedy_of(OutcomeUnknown(ORDER, "reset")) is LOOK
