"""Compares wanted orders with working ones. The difference is what to cancel and what to place.

One rule for everything: a slot holds at most one live order; an order nobody wants is cancelled; a place is taken only
when nothing on that outcome and side is being cancelled, in doubt or unwanted. So no rule ever says "cancel the old
one, then place the new one", and shares or cash are never promised twice.

An immediate order in flight is never compared by price: it satisfies its slot until it is answered.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

from polystra.core.exits import ExitOrder
from polystra.core.ids import OrderId
from polystra.core.orders import Order, OrderState
from polystra.core.risk import Approved
from polystra.core.strategy import Tolerance
from polystra.core.terms import OrderTerms, Outcome, Side, Slot, slot_of
from polystra.core.units import Instant, seconds
from polystra.core.view import NEVER, Wait

RETRY_WAITS = (seconds(1), seconds(2), seconds(4), seconds(8), seconds(16), seconds(32))
"""How long a slot rests after its first, second, ... order in a row that came to nothing."""

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
    wait: Wait


_OutcomeSide: TypeAlias = tuple[Outcome, Side]


def plan(
    entries: Iterable[Approved],
    exits: Iterable[ExitOrder],
    live: Iterable[Order],
    suspended: Mapping[Slot, Suspension],
    at: Instant,
) -> Plan:
    """The commands that turn `live` into what is wanted, and the time at which to look again."""
    wanted: dict[Slot, tuple[OrderTerms, Tolerance]] = {}
    for entry in entries:
        wanted[slot_of(entry.terms)] = (entry.terms, entry.tolerance)
    for exit_order in exits:
        wanted[slot_of(exit_order.terms)] = (exit_order.terms, Tolerance())
    live = tuple(live)
    cancel = tuple(order.id for order in live if _is_unwanted(order, wanted))
    query = tuple(order.id for order in live if _in_doubt(order) and _asked_long_ago(order, at))
    closed = {_outcome_side(order) for order in live if order.id in cancel or _blocks(order, wanted)}
    taken = {slot_of(order.terms) for order in live}
    place = tuple(
        terms
        for slot, (terms, _) in wanted.items()
        if slot not in taken
        and (slot.outcome, slot.side) not in closed
        and (slot not in suspended or suspended[slot].until <= at)
    )
    return Plan(place=place, cancel=cancel, query=query, wait=Wait(until=_next_look(live, wanted, suspended, at)))


def suspension_after(before: Suspension | None, cause: str, at: Instant) -> Suspension:
    """The next rest of a slot: longer with each failure in a row."""
    attempts = 1 if before is None else before.attempts + 1
    pause = RETRY_WAITS[min(attempts, len(RETRY_WAITS)) - 1]
    return Suspension(cause=cause, until=Instant(at + pause), attempts=attempts)


def _is_unwanted(order: Order, wanted: Mapping[Slot, tuple[OrderTerms, Tolerance]]) -> bool:
    """Whether to cancel it now. What is unanswered, in doubt or immediate is left to its answer."""
    if order.state is not OrderState.WORKING or order.terms.time_in_force.immediate:
        return False
    want = wanted.get(slot_of(order.terms))
    if want is None:
        return True
    terms, tolerance = want
    return (
        abs(order.terms.price - terms.price) > tolerance.price or abs(order.remaining - terms.shares) > tolerance.shares
    )


def _blocks(order: Order, wanted: Mapping[Slot, tuple[OrderTerms, Tolerance]]) -> bool:
    """Whether nothing new may be placed beside it: its end, or even its existence, is not known yet."""
    if order.state in (OrderState.CANCELLING, OrderState.UNKNOWN):
        return True
    return slot_of(order.terms) not in wanted


def _in_doubt(order: Order) -> bool:
    return order.state is OrderState.UNKNOWN or (order.state is OrderState.CANCELLING and order.cancel_doubted)


def _asked_long_ago(order: Order, at: Instant) -> bool:
    return order.asked_at is None or at - order.asked_at >= ASK_EVERY


def _outcome_side(order: Order) -> _OutcomeSide:
    return order.terms.outcome, order.terms.side


def _next_look(
    live: Iterable[Order],
    wanted: Mapping[Slot, tuple[OrderTerms, Tolerance]],
    suspended: Mapping[Slot, Suspension],
    at: Instant,
) -> Instant:
    looks = [suspended[slot].until for slot in wanted if slot in suspended and suspended[slot].until > at]
    if any(_in_doubt(order) for order in live):
        looks.append(Instant(at + ASK_EVERY))
    return min(looks, default=NEVER)
