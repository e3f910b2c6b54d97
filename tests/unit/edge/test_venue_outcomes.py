"""What an answer proves: a refusal only by the venue's own words, an acceptance only of the order that was sent."""

import json
from typing import Any

import pytest

from polystra.core.ids import TradeId, VenueOrderId
from polystra.core.reasons import RefusalReason as Why
from polystra.core.units import seconds
from polystra.edge.polymarket.outcomes import (
    Accepted,
    Cancelled,
    CancelUnknown,
    NotCancelled,
    NotSent,
    OutcomeUnknown,
    Refused,
    cancel_outcomes,
    placement_outcome,
)
from polystra.edge.polymarket.refusals import refusal_of
from polystra.edge.polymarket.rest import NoReply, Reply
from tests.unit.edge.test_refusals import SAID

SENT = VenueOrderId("0x" + "ab" * 32)
OTHER = VenueOrderId("0x" + "cd" * 32)
TAKEN = {"success": True, "errorMsg": "", "orderID": SENT, "status": "live", "makingAmount": "", "takingAmount": ""}


def said(**changed: Any) -> Any:
    return placement_outcome(SENT, Reply(200, json.dumps(TAKEN | changed).encode()))


@pytest.mark.parametrize(("http", "text", "reason"), SAID, ids=[f"{http} {text[:40]}" for http, text, _ in SAID])
def test_every_text_of_the_venue_is_a_refusal_or_leaves_the_outcome_open(
    http: int, text: str, reason: Why | None
) -> None:
    outcome = placement_outcome(SENT, Reply(http, json.dumps({"error": text}).encode()))
    assert refusal_of(http, text) is reason
    if reason is None:
        assert isinstance(outcome, OutcomeUnknown)
        assert text in outcome.why
    else:
        assert outcome == Refused(SENT, reason, text)


def test_taken_and_matched() -> None:
    assert said() == Accepted(order=SENT, matched=False, making=0, taking=0, trades=())
    matched = said(status="matched", makingAmount="5.2", takingAmount="10", tradeIDs=["t"])
    assert matched == Accepted(order=SENT, matched=True, making=5_200_000, taking=10_000_000, trades=(TradeId("t"),))


@pytest.mark.parametrize(
    "changed",
    [
        {"orderID": OTHER},
        {"orderID": ""},
        {"success": False},
        {"status": "delayed"},
        {"status": "unmatched"},
        {"status": ""},
        {"makingAmount": "1.0000001"},
        {"takingAmount": "-1"},
        {"errorMsg": "something new"},
        {"errorMsg": "order match delayed due to market conditions"},
    ],
)
def test_an_acceptance_with_a_doubt_is_unknown(changed: dict[str, Any]) -> None:
    assert isinstance(said(**changed), OutcomeUnknown)


def test_a_refusal_under_success_is_a_refusal() -> None:
    assert said(errorMsg="invalid signature", orderID="", status="") == Refused(
        SENT, Why.MALFORMED, "invalid signature"
    )
    crosses = "invalid post-only order: order crosses book"
    assert said(errorMsg=crosses, success=False) == Refused(SENT, Why.WOULD_CROSS, crosses)


def test_no_reply_is_unknown_from_the_first_byte_on() -> None:
    assert placement_outcome(SENT, NoReply("reset", sent=True)) == OutcomeUnknown(SENT, "reset")
    assert placement_outcome(SENT, NoReply("no route", sent=False)) == NotSent(SENT, "no route")


def test_a_cancel_is_believed_for_what_it_names() -> None:
    body = {"canceled": [SENT], "not_canceled": {OTHER: "Order already matched"}}
    third = VenueOrderId("0x03")
    found = cancel_outcomes([OTHER, third, SENT], Reply(200, json.dumps(body).encode()))
    assert found[0] == NotCancelled(OTHER, "Order already matched")
    assert isinstance(found[1], CancelUnknown)
    assert found[2] == Cancelled(SENT)


@pytest.mark.parametrize(
    "answer",
    [
        NoReply("reset", sent=True),
        NoReply("no route", sent=False),
        Reply(401, b'{"error":"Unauthorized/Invalid api key"}'),
        Reply(500, b""),
        Reply(200, b"[]"),
        Reply(200, json.dumps({"canceled": [SENT], "not_canceled": {SENT: "no"}}).encode()),
    ],
)
def test_a_cancel_that_proves_nothing_is_unknown(answer: Reply | NoReply) -> None:
    (outcome,) = cancel_outcomes([SENT], answer)
    assert isinstance(outcome, CancelUnknown)
    assert outcome.why


@pytest.mark.parametrize(
    ("header", "body", "wait"),
    [
        (7, {}, 7),
        (None, {"retry_after_seconds": 79}, 79),
        (7, {"retry_after_seconds": 79}, 7),
        (0, {}, 0),
        (None, {}, None),
        (None, {"retry_after_seconds": "soon"}, None),
        (None, {"retry_after_seconds": -1}, None),
        (None, {"retry_after_seconds": 1.5}, None),
        (None, {"retry_after_seconds": None}, None),
    ],
)
def test_a_refusal_says_how_long_to_wait_by_its_header_or_else_its_body(
    header: int | None, body: dict[str, Any], wait: int | None
) -> None:
    text = "post-only mode: only post-only orders and cancels are allowed"
    answer = Reply(503, json.dumps({"error": text, **body}).encode(), header)
    expected = None if wait is None else seconds(wait)
    assert placement_outcome(SENT, answer) == Refused(SENT, Why.POST_ONLY_MODE, text, expected)
