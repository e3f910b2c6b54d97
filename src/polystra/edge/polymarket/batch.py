"""Says what the answer to a batch of placements proves about each of its orders (`PROTOCOL.md` B.5). Pure.

The venue takes the orders of a batch in parallel, each for itself, and answers with an array in their order, refusals
among them. An answer that names an order is that order's wherever it stands. One that names none is the order's at
whose place it stands, but only while every place holds what it should: once one is missing, places prove nothing.
"""

from collections.abc import Iterable, Sequence

import msgspec

from polystra.core.ids import VenueOrderId
from polystra.edge.polymarket.answer_wire import read_placement, read_rows
from polystra.edge.polymarket.outcomes import OutcomeUnknown, PlacementOutcome, Refused, placement_outcome
from polystra.edge.polymarket.rest import Answer, NoReply, Reply
from polystra.edge.polymarket.wire import Unreadable

MOST_ORDERS = 15
"""In one request."""

_OK = range(200, 300)

_OF_THE_REQUEST = (
    "Unauthorized/Invalid api key",
    "Invalid order payload",
    "Invalid payload",
    "Payload exceeds the limit",
    "Too many orders in payload",
    "address banned",
    "service not ready",
    "post-only mode",
    "Trading is currently",
    "rate limited",
)
"""What is said of a request as a whole. Any other refusal is of one order, and nobody says of which."""

_TURNED_AWAY = (425, 429)
"""The statuses of the same, whatever the words."""


def batch_body(bodies: Iterable[bytes]) -> bytes:
    """The array of bodies that are signed already, byte for byte."""
    return b"[" + b",".join(bodies) + b"]"


def batch_outcomes(orders: Sequence[VenueOrderId], answer: Answer) -> tuple[PlacementOutcome, ...]:
    """One for each order, in the order given."""
    if isinstance(answer, NoReply) or answer.status not in _OK:
        return tuple(_of_the_whole(order, answer, alone=len(orders) == 1) for order in orders)
    try:
        rows = read_rows(answer.body)
    except Unreadable as error:
        return tuple(OutcomeUnknown(order, f"HTTP {answer.status}: {error}") for order in orders)
    names = [_named(row, orders) for row in rows]
    if len(rows) == len(orders) and all(name in ("", order) for name, order in zip(names, orders, strict=True)):
        return tuple(_of_one(order, row) for order, row in zip(orders, rows, strict=True))
    return tuple(_found(order, names, rows, len(orders)) for order in orders)


def _of_the_whole(order: VenueOrderId, answer: Answer, *, alone: bool) -> PlacementOutcome:
    outcome = placement_outcome(order, answer)
    if isinstance(outcome, Refused) and not alone and not _is_of_all(answer, outcome.text):
        return OutcomeUnknown(order, f"one of the batch was refused, which one was not said: {outcome.text}")
    return outcome


def _is_of_all(answer: Answer, text: str) -> bool:
    turned_away = isinstance(answer, Reply) and answer.status in _TURNED_AWAY
    return turned_away or any(words in text for words in _OF_THE_REQUEST)


def _named(row: msgspec.Raw, orders: Sequence[VenueOrderId]) -> str:
    """The order that an answer is about, by its id or in its words; empty when it names none of ours and no other."""
    try:
        said = read_placement(bytes(row))
    except Unreadable:
        return ""
    return said.order or next((order for order in orders if order in said.error), "")


def _found(order: VenueOrderId, names: Sequence[str], rows: Sequence[msgspec.Raw], asked: int) -> PlacementOutcome:
    if names.count(order) != 1:
        return OutcomeUnknown(order, f"{len(rows)} answers to {asked} orders, and not one that names it alone")
    return _of_one(order, rows[names.index(order)])


def _of_one(order: VenueOrderId, row: msgspec.Raw) -> PlacementOutcome:
    return placement_outcome(order, Reply(200, bytes(row)))
