"""Says what an answer of the venue proves about a placement or a cancel. Pure.

An order was refused only when the venue's own words prove it (`refusals`). A reply that did not come, a server error
and bytes that nobody can read prove nothing: the order may rest, may have traded, may never have arrived.
"""

from collections.abc import Sequence
from typing import TypeAlias, assert_never

from msgspec import Struct

from polystra.core.ids import TradeId, VenueOrderId
from polystra.core.reasons import RefusalReason
from polystra.core.units import Nanos, seconds
from polystra.edge.polymarket.answer_wire import Placement, read_cancels, read_error, read_placement, read_wait
from polystra.edge.polymarket.refusals import refusal_of
from polystra.edge.polymarket.remedies import Remedy, remedy_for
from polystra.edge.polymarket.rest import Answer, NoReply, Reply
from polystra.edge.polymarket.wire import Unreadable

_OK = range(200, 300)
_TAKEN = ("live", "matched")
"""`delayed` and `unmatched` leave open what becomes of the order (`PROTOCOL.md` A.6)."""


class Accepted(Struct, frozen=True, gc=False, kw_only=True):
    """The venue has the order. It gave `making` and got `taking` for it at once, in millionths: a BUY gives USD, a SELL
    shares. `matched` says that it traded at once, whole or in part."""

    order: VenueOrderId
    matched: bool
    making: int
    taking: int
    trades: tuple[TradeId, ...]


class Refused(Struct, frozen=True, gc=False):
    """The venue said no, and we know it; `text` in its own words. `retry_after` is how long it wants to be left alone,
    where it says."""

    order: VenueOrderId
    reason: RefusalReason
    text: str
    retry_after: Nanos | None = None


class OutcomeUnknown(Struct, frozen=True, gc=False):
    """Look the order up by its id; never send another one in its place."""

    order: VenueOrderId
    why: str


class NotSent(Struct, frozen=True, gc=False):
    """Not a byte left."""

    order: VenueOrderId
    why: str


PlacementOutcome: TypeAlias = Accepted | Refused | OutcomeUnknown | NotSent


class Cancelled(Struct, frozen=True, gc=False):
    order: VenueOrderId


class NotCancelled(Struct, frozen=True, gc=False):
    """The venue found nothing to cancel. A question, not a success: the order may have been filled."""

    order: VenueOrderId
    text: str


class CancelUnknown(Struct, frozen=True, gc=False):
    """Whether the order still rests was not said."""

    order: VenueOrderId
    why: str


CancelOutcome: TypeAlias = Cancelled | NotCancelled | CancelUnknown


def remedy_of(outcome: PlacementOutcome) -> Remedy | None:
    """What to do about it; None when the venue has the order."""
    match outcome:
        case Accepted():
            return None
        case Refused(reason=reason, text=text):
            return remedy_for(reason, text)
        case OutcomeUnknown():
            return Remedy.LOOK_IT_UP
        case NotSent():
            return Remedy.TRY_AGAIN
        case _:
            assert_never(outcome)


def placement_outcome(order: VenueOrderId, answer: Answer) -> PlacementOutcome:
    if isinstance(answer, NoReply):
        return OutcomeUnknown(order, answer.why) if answer.sent else NotSent(order, answer.why)
    try:
        if answer.status in _OK:
            return _placed(order, answer.status, read_placement(answer.body))
        return _refused(order, answer.status, read_error(answer.body), _wait_of(answer))
    except Unreadable as error:
        return OutcomeUnknown(order, f"HTTP {answer.status}: {error}")


def _placed(order: VenueOrderId, http: int, said: Placement) -> PlacementOutcome:
    """Words of an error beside an order's id are believed only when they are known: the two contradict each other."""
    if said.error:
        outcome = _refused(order, http, said.error)
        doubtful = bool(said.order) and isinstance(outcome, Refused) and outcome.reason is RefusalReason.OTHER
        return OutcomeUnknown(order, f"order {said.order[:80]} with error {said.error}") if doubtful else outcome
    if said.order != order:
        return OutcomeUnknown(order, f"the answer is about order {said.order[:80]!r}")
    if not said.success or said.status not in _TAKEN:
        return OutcomeUnknown(order, f"success {said.success}, status {said.status[:80]!r}")
    return Accepted(
        order=order,
        matched=said.status == "matched",
        making=said.making,
        taking=said.taking,
        trades=said.trades,
    )


def _refused(order: VenueOrderId, http: int, text: str, retry_after: Nanos | None = None) -> Refused | OutcomeUnknown:
    reason = refusal_of(http, text)
    if reason is None:
        return OutcomeUnknown(order, f"HTTP {http}: {text}")
    return Refused(order, reason, text, retry_after)


def _wait_of(answer: Reply) -> Nanos | None:
    """By its header, else by its body."""
    told = read_wait(answer.body) if answer.retry_after is None else answer.retry_after
    return None if told is None else seconds(told)


def cancel_outcomes(orders: Sequence[VenueOrderId], answer: Answer) -> tuple[CancelOutcome, ...]:
    """One for each order asked for, in that order; an order that the venue does not mention is unknown."""
    if isinstance(answer, NoReply):
        return _all_unknown(orders, answer.why)
    if answer.status not in _OK:
        return _all_unknown(orders, spoken(answer))
    try:
        said = read_cancels(answer.body)
    except Unreadable as error:
        return _all_unknown(orders, str(error))
    gone = set(said.gone)
    return tuple(_cancelled(order, order in gone, said.kept.get(order)) for order in orders)


def _cancelled(order: VenueOrderId, gone: bool, kept: str | None) -> CancelOutcome:
    if gone and kept is None:
        return Cancelled(order)
    if kept is not None and not gone:
        return NotCancelled(order, kept)
    return CancelUnknown(order, "the venue said both" if gone else "the venue did not mention it")


def _all_unknown(orders: Sequence[VenueOrderId], why: str) -> tuple[CancelOutcome, ...]:
    return tuple(CancelUnknown(order, why) for order in orders)


def spoken(reply: Reply) -> str:
    """A reply that is no success, in words."""
    try:
        return f"HTTP {reply.status}: {read_error(reply.body)}"
    except Unreadable as error:
        return f"HTTP {reply.status}: {error}"
