"""Compares wanted orders with working ones. The difference is what to cancel and what to place.

One rule for everything: a slot holds at most one live order; an order nobody wants is cancelled; a place is taken only
when nothing on that outcome and side is being cancelled, in doubt or unwanted. So no rule ever says "cancel the old
one, then place the new one", and shares or cash are never promised twice.

An immediate order in flight is never compared by price: it satisfies its slot until it is answered.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from msgspec import Struct

from polystra.core.exits import ExitOrder
from polystra.core.ids import OrderId
from polystra.core.orders import Order, OrderState
from polystra.core.risk import Approved
from polystra.core.strategy import Tolerance
from polystra.core.terms import OrderTerms, Outcome, Side, Slot, slot_of
from polystra.core.units import SIZE_STEP, Instant, Nanos, Shares, seconds
from polystra.core.view import ANYTHING, Wait

RETRY_WAITS = (seconds(1), seconds(2), seconds(4), seconds(8), seconds(16), seconds(32))
"""How long a slot rests after its first, second, ... order in a row that came to nothing."""

CANCEL_WAITS = (seconds(1), seconds(2), seconds(4), seconds(60))
"""How long after its first, second, ... failed cancel an order is left alone (SPEC L4.A1)."""

EXIT_TOLERANCE = Tolerance(shares=Shares(SIZE_STEP - 1))
"""An exit that is a whole step larger than what is held would sell what is not there."""

ASK_EVERY = seconds(1)
"""An order in doubt is looked up at once and then this often."""


class Suspension(Struct, frozen=True, gc=False, kw_only=True):
    """A slot where nothing is tried until `until`, or until its cause changes; `attempts` in a row failed."""

    cause: str
    until: Instant
    attempts: int


class Plan(Struct, frozen=True, gc=False, kw_only=True):
    place: tuple[OrderTerms, ...] = ()
    cancel: tuple[OrderId, ...] = ()
    query: tuple[OrderId, ...] = ()
    resend: tuple[OrderId, ...] = ()
    wait: Wait


_OutcomeSide: TypeAlias = tuple[Outcome, Side]
_Key = TypeVar("_Key", Slot, OrderId)


def plan(  # noqa: PLR0913 - what is wanted, what is there, and what rests
    entries: Iterable[Approved],
    exits: Sequence[ExitOrder],
    live: Iterable[Order],
    suspended: Mapping[Slot, Suspension],
    at: Instant,
    uncancelled: Mapping[OrderId, Suspension] = MappingProxyType({}),
    *,
    entries_wait: bool = False,
) -> Plan:
    """The commands that turn `live` into what is wanted, and the time at which to look again.

    `uncancelled` are orders whose cancel failed, and until when it is not tried again. While `entries_wait` those that
    rest stay, and none leaves.
    """
    wanted = {slot_of(one.terms): (one.terms, one.tolerance) for one in entries}
    kept = set(wanted) if entries_wait else set()
    wanted |= {slot_of(one.terms): (one.terms, EXIT_TOLERANCE) for one in exits}
    kept |= {slot_of(one.terms) for one in exits if one.kept}
    taken = set(kept)
    closed: set[_OutcomeSide] = set()
    place: list[OrderTerms] = []
    cancel: list[OrderId] = []
    query: list[OrderId] = []
    resend: list[OrderId] = []
    looks: list[Instant] = []
    for order in live:
        slot, in_doubt, may_ask = slot_of(order.terms), _in_doubt(order), _asked_long_ago(order, at)
        unwanted = _is_unwanted(order, wanted) or (_is_lost(order, wanted) and may_ask)
        if unwanted and _rests(order.id, uncancelled, at):
            looks.append(uncancelled[order.id].until)
        elif unwanted:
            cancel.append(order.id)
        if _is_to_resend(order, wanted) and slot not in kept:
            resend.append(order.id)
        elif in_doubt and may_ask:
            query.append(order.id)
        if in_doubt:
            looks.append(_next_question(order, at))
        if unwanted or _blocks(order, wanted):
            closed.add((slot.outcome, slot.side))
        taken.add(slot)
    for slot, (terms, _) in wanted.items():
        if _rests(slot, suspended, at):
            looks.append(suspended[slot].until)
        elif slot not in taken and (slot.outcome, slot.side) not in closed:
            place.append(terms)
    wait = Wait(until=min(looks)) if looks else ANYTHING
    return Plan(place=tuple(place), cancel=tuple(cancel), query=tuple(query), resend=tuple(resend), wait=wait)


def suspension_after(
    before: Suspension | None, cause: str, at: Instant, waits: tuple[Nanos, ...] = RETRY_WAITS
) -> Suspension:
    """The next rest: longer with each failure in a row."""
    attempts = 1 if before is None else before.attempts + 1
    pause = waits[min(attempts, len(waits)) - 1]
    return Suspension(cause=cause, until=Instant(at + pause), attempts=attempts)


def _is_unwanted(order: Order, wanted: Mapping[Slot, tuple[OrderTerms, Tolerance]]) -> bool:
    """Whether to cancel it now. What is unanswered, in doubt or immediate is left to its answer."""
    if order.state is not OrderState.WORKING or order.terms.time_in_force.immediate:
        return False
    return not _serves(order, wanted)


def _serves(order: Order, wanted: Mapping[Slot, tuple[OrderTerms, Tolerance]]) -> bool:
    """Whether it is near enough to what is wanted in its slot."""
    want = wanted.get(slot_of(order.terms))
    if want is None:
        return False
    terms, tolerance = want
    near = abs(order.terms.price - terms.price) <= tolerance.price
    return near and abs(order.remaining - terms.shares) <= tolerance.shares


def _is_to_resend(order: Order, wanted: Mapping[Slot, tuple[OrderTerms, Tolerance]]) -> bool:
    """The venue does not know it, and it is wanted as it is. A copy that arrives late is refused as a duplicate."""
    lost = order.state is OrderState.UNKNOWN and order.missed and order.resends > 0
    if not lost or not _serves(order, wanted):
        return False
    terms, _ = wanted[slot_of(order.terms)]
    return order.terms.post_only or not terms.post_only


def _is_lost(order: Order, wanted: Mapping[Slot, tuple[OrderTerms, Tolerance]]) -> bool:
    """It may rest there, and nobody wants it: cancelled by its hash, again and again (SPEC 1)."""
    may_rest = order.state is OrderState.UNKNOWN and not order.terms.time_in_force.immediate
    return may_rest and slot_of(order.terms) not in wanted


def _blocks(order: Order, wanted: Mapping[Slot, tuple[OrderTerms, Tolerance]]) -> bool:
    """Whether nothing new may be placed beside it: its end, or even its existence, is not known yet."""
    if order.state in (OrderState.CANCELLING, OrderState.UNKNOWN):
        return True
    return slot_of(order.terms) not in wanted


def _in_doubt(order: Order) -> bool:
    return order.state is OrderState.UNKNOWN or (order.state is OrderState.CANCELLING and order.cancel_doubted)


def _asked_long_ago(order: Order, at: Instant) -> bool:
    return order.asked_at is None or at - order.asked_at >= ASK_EVERY


def _next_question(order: Order, at: Instant) -> Instant:
    """A period after the last question, or after the one that is asked now."""
    last = at if order.asked_at is None or _asked_long_ago(order, at) else order.asked_at
    return Instant(last + ASK_EVERY)


def _rests(key: _Key, resting: Mapping[_Key, Suspension], at: Instant) -> bool:
    return key in resting and resting[key].until > at
