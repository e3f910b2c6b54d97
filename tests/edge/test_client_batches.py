"""Batches of placements: each order gets its own outcome, wherever its answer stands and whether or not it came."""

import json

import pytest

from polystra.core.ids import VenueOrderId
from polystra.core.reasons import RefusalReason as Why
from polystra.core.terms import OrderTerms
from polystra.edge.polymarket.batch import batch_body, batch_outcomes
from polystra.edge.polymarket.outcomes import Accepted, NotSent, OutcomeUnknown, Refused
from polystra.edge.polymarket.rest import NoReply, Reply
from polystra.exchange.faults import Fault, Switch
from polystra.sim import messages as sim
from tests.edge.exchange_cases import Running, Trader, terms
from tests.edge.venue_cases import Client, http

A, B, C = (VenueOrderId(f"0x{digit * 64}") for digit in "abc")
TOO_SMALL = terms(size="4")


def signed(trader: Trader, *wanted: OrderTerms) -> list[tuple[VenueOrderId, bytes]]:
    made = [(one, trader.sign(one)) for one in wanted]
    return [(order.id, trader.body(one, order)) for one, order in made]


def resting(trader: Trader) -> set[str]:
    return {row["id"] for row in trader.get("/data/orders")["data"]}


# --- at the exchange


def test_an_invalid_order_in_the_middle_shifts_no_answer(trader: Trader, ours: Client) -> None:
    orders = signed(trader, terms(at="0.45"), TOO_SMALL, terms(at="0.46"), terms(at="0.47"))
    outcomes = ours.run(ours.venue(trader).place_batch(orders))
    assert [outcome.order for outcome in outcomes] == [order for order, _ in orders]
    first, refused, third, fourth = outcomes
    assert isinstance(refused, Refused)
    assert refused.reason is Why.TOO_SMALL
    assert all(isinstance(one, Accepted) for one in (first, third, fourth))
    assert resting(trader) == {first.order, third.order, fourth.order}


def test_twenty_orders_go_in_two_requests_and_all_are_there(running: Running, trader: Trader, ours: Client) -> None:
    relay = ours.relay(running.urls.clob)
    orders = signed(trader, *[terms(size="5")] * 20)
    outcomes = ours.run(ours.venue(trader, clob=relay.url).place_batch(orders))
    assert relay.requests == ["POST /orders"] * 2
    assert [outcome.order for outcome in outcomes if isinstance(outcome, Accepted)] == [order for order, _ in orders]
    assert resting(trader) == {order for order, _ in orders}


def test_no_order_is_no_request(running: Running, trader: Trader, ours: Client) -> None:
    relay = ours.relay(running.urls.clob)
    assert ours.run(ours.venue(trader, clob=relay.url).place_batch([])) == ()
    assert relay.requests == []


def test_a_reply_lost_after_acceptance_leaves_each_order_unknown_and_there_once(
    running: Running, trader: Trader, ours: Client
) -> None:
    running.faults.switch_on(Switch(fault=Fault.REPLY_LOST, where="POST /orders"))
    relay = ours.relay(running.urls.clob)
    orders = signed(trader, terms(at="0.45"), terms(at="0.46"))
    outcomes = ours.run(ours.venue(trader, clob=relay.url).place_batch(orders))
    assert [type(one) for one in outcomes] == [OutcomeUnknown] * 2
    assert relay.requests == ["POST /orders"]
    assert resting(trader) == {order for order, _ in orders}


def test_a_venue_that_is_shut_refuses_them_all(running: Running, trader: Trader, ours: Client) -> None:
    running.feed(sim.SetMode(mode=sim.Mode.CANCEL_ONLY))
    outcomes = ours.run(ours.venue(trader).place_batch(signed(trader, terms(), terms())))
    assert [one.reason for one in outcomes if isinstance(one, Refused)] == [Why.CANCEL_ONLY_MODE] * 2
    assert resting(trader) == set()


def test_too_many_for_the_allowance_are_refused_as_one(trader: Trader, ours: Client) -> None:
    """Five batches of 15 at one moment, of which the bucket of 60 holds four."""
    outcomes = ours.run(ours.venue(trader).place_batch(signed(trader, *[terms(size="5")] * 75)))
    limited = [one for one in outcomes if isinstance(one, Refused) and one.reason is Why.RATE_LIMITED]
    assert len(limited) == 15
    assert resting(trader) == {one.order for one in outcomes if isinstance(one, Accepted)}
    assert len(resting(trader)) == 60


def test_a_page_of_a_proxy_proves_nothing_of_any(running: Running, trader: Trader, ours: Client) -> None:
    running.faults.switch_on(Switch(fault=Fault.ERROR_AFTER, where="POST /orders", http=502))
    orders = signed(trader, terms(), terms())
    outcomes = ours.run(ours.venue(trader).place_batch(orders))
    assert [type(one) for one in outcomes] == [OutcomeUnknown] * 2
    assert resting(trader) == {order for order, _ in orders}


def test_bytes_are_sent_as_they_were_signed(trader: Trader, ours: Client) -> None:
    script = ours.scripted(http(200, "[]"))
    orders = signed(trader, terms(), terms(at="0.46"))
    ours.run(ours.venue(trader, clob=script.url).place_batch(orders))
    assert script.heard[0].endswith(b"[" + orders[0][1] + b"," + orders[1][1] + b"]")
    assert batch_body([]) == b"[]"


# --- answers that do not fit


def taken(order: str) -> dict[str, object]:
    return {"success": True, "errorMsg": "", "orderID": order, "status": "live"}


def refused(text: str) -> dict[str, object]:
    return {"success": True, "errorMsg": text, "orderID": "", "status": ""}


CROSSES = "invalid post-only order: order crosses book"
SMALL = f"order {B} is invalid. Size (4) lower than the minimum: 5"


def kinds(*rows: object, status: int = 200) -> list[type]:
    """What is known of A, B and C when these are the answers."""
    return [type(one) for one in batch_outcomes([A, B, C], Reply(status, json.dumps(rows).encode()))]


@pytest.mark.parametrize(
    ("rows", "known"),
    [
        pytest.param([taken(A), refused(CROSSES), taken(C)], [Accepted, Refused, Accepted], id="in their places"),
        pytest.param([taken(A), taken(C)], [Accepted, OutcomeUnknown, Accepted], id="one is missing"),
        pytest.param([refused(CROSSES), taken(C)], [OutcomeUnknown, OutcomeUnknown, Accepted], id="whose refusal?"),
        pytest.param([refused(SMALL), taken(C)], [OutcomeUnknown, Refused, Accepted], id="a refusal that names it"),
        pytest.param([taken(C), taken(B), taken(A)], [Accepted, Accepted, Accepted], id="in another order"),
        pytest.param([taken(C), refused(CROSSES), taken(A)], [Accepted, OutcomeUnknown, Accepted], id="and a refusal"),
        pytest.param([taken(A), 7, taken(C)], [Accepted, OutcomeUnknown, Accepted], id="one is nonsense"),
        pytest.param([taken(A), taken(A), taken(C)], [OutcomeUnknown, OutcomeUnknown, Accepted], id="one came twice"),
        pytest.param([], [OutcomeUnknown] * 3, id="none"),
    ],
)
def test_an_answer_is_believed_of_the_order_it_is_about(rows: list[object], known: list[type]) -> None:
    assert kinds(*rows) == known


@pytest.mark.parametrize(
    ("http_status", "text", "kind"),
    [
        (401, "Unauthorized/Invalid api key", Refused),
        (400, "Too many orders in payload: 16, max allowed: 15", Refused),
        (429, "slow down", Refused),
        (425, "starting", Refused),
        (400, "'0x7e57' address banned", Refused),
        (400, "'0x7e57' address in closed only mode", OutcomeUnknown),
        (400, "invalid signature", OutcomeUnknown),
        (400, "the order owner has to be the owner of the API KEY", OutcomeUnknown),
        (400, CROSSES, OutcomeUnknown),
        (400, "words nobody knows", OutcomeUnknown),
        (500, "could not run the execution", OutcomeUnknown),
        (503, "words nobody knows", OutcomeUnknown),
    ],
)
def test_a_refusal_of_the_whole_is_believed_when_it_is_about_the_whole(http_status: int, text: str, kind: type) -> None:
    answer = Reply(http_status, json.dumps({"error": text}).encode())
    assert [type(one) for one in batch_outcomes([A, B], answer)] == [kind] * 2


def test_what_is_said_of_a_batch_of_one_is_said_of_that_one() -> None:
    answer = Reply(400, json.dumps({"error": CROSSES}).encode())
    assert batch_outcomes([A], answer) == (Refused(A, Why.WOULD_CROSS, CROSSES),)


def test_without_a_reply_each_is_unknown_or_was_never_sent() -> None:
    assert batch_outcomes([A, B], NoReply("reset", sent=True)) == (
        OutcomeUnknown(A, "reset"),
        OutcomeUnknown(B, "reset"),
    )
    assert batch_outcomes([A, B], NoReply("no route", sent=False)) == (NotSent(A, "no route"), NotSent(B, "no route"))
