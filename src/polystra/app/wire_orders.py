"""Orders on their way to the venue and back: placements, cancels and questions become requests, answers events.

Nothing is decided here, and nothing is sent twice unless the engine says so; then the same bytes are.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from polystra.app.outbox import OrderNames
from polystra.app.wire_events import cancel_event, fill_events, placement_event
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.ids import MarketId, OrderId, VenueOrderId
from polystra.core.reasons import CancelReason
from polystra.core.units import Instant
from polystra.edge.polymarket.answer_wire import Cancels
from polystra.edge.polymarket.outcomes import Accepted, PlacementOutcome
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.venue import NoSuchOrder, Venue
from polystra.edge.ready import Ready

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], object]

_NOW = Instant(0)
"""The inbox stamps every event when it arrives."""


class WireOrders:
    """One trader's orders. Mutable: it keeps the bytes of an order that would rest until the venue has it, in case they
    must leave again."""

    def __init__(self, venue: Venue, *, names: OrderNames, put: Callable[[ev.AnyEvent], None], spawn: Spawn) -> None:
        self._venue = venue
        self._names = names
        self._put = put
        self._spawn = spawn
        self._sent: dict[OrderId, Ready] = {}

    def place(self, orders: Sequence[Ready]) -> None:
        """What one step decided leaves at one moment: one order alone, or several as a batch."""
        for ready in orders:
            command = _placement(ready)
            if not command.terms.time_in_force.immediate:
                self._sent[command.order] = ready
        if len(orders) == 1:
            self._spawn(self._place(orders[0]))
        elif orders:
            self._spawn(self._place_batch(orders))

    def resend(self, order: OrderId) -> None:
        """The same bytes again; the venue refuses them as a duplicate when it has them."""
        ready = self._sent.get(order)
        if ready is not None:
            self._spawn(self._place(ready))

    def cancel(self, orders: Sequence[OrderId]) -> None:
        if orders:
            self._spawn(self._cancel(orders))

    def cancel_market(self, market: MarketId) -> None:
        self._spawn(self._cancel_market(market))

    def look_up(self, order: OrderId) -> None:
        self._spawn(self._look_up(order))

    async def cancel_everything(self) -> str | None:
        """Takes back every live order of the account; None when the venue says that it did, else why not."""
        answer = await self._venue.cancel_all()
        if isinstance(answer, ReadingFailed):
            return answer.why
        return f"{len(answer.kept)} orders were not cancelled" if answer.kept else None

    async def _place(self, ready: Ready) -> None:
        self._tell(ready, await self._venue.place(_name(ready), ready.body))

    async def _place_batch(self, orders: Sequence[Ready]) -> None:
        outcomes = await self._venue.place_batch([(_name(ready), ready.body) for ready in orders])
        for ready, outcome in zip(orders, outcomes, strict=True):
            self._tell(ready, outcome)

    def _tell(self, ready: Ready, outcome: PlacementOutcome) -> None:
        command = _placement(ready)
        if isinstance(outcome, Accepted):
            self._sent.pop(command.order, None)
        self._put(placement_event(command.order, command.terms, outcome))

    async def _cancel(self, orders: Sequence[OrderId]) -> None:
        named = {theirs: order for order in orders if (theirs := self._names.theirs(order)) is not None}
        if named:
            for outcome in await self._venue.cancel(tuple(named)):
                self._put(cancel_event(named[outcome.order], outcome))

    async def _cancel_market(self, market: MarketId) -> None:
        """After no answer each order is looked up by itself, as it would be anyway."""
        answer = await self._venue.cancel_market(market)
        if isinstance(answer, Cancels):
            for theirs in answer.gone:
                if (order := self._names.ours(theirs)) is not None:
                    self._put(ev.OrderCancelled(at=_NOW, order=order, reason=CancelReason.ASKED))
            for theirs, text in answer.kept.items():
                if (order := self._names.ours(theirs)) is not None:
                    self._put(ev.CancelRefused(at=_NOW, order=order, text=text))

    async def _look_up(self, order: OrderId) -> None:
        """A question that failed has no answer; it is asked again by whoever wants to know."""
        theirs = self._names.theirs(order)
        if theirs is None:
            return
        fate = await self._venue.fate(theirs, since=None)
        if isinstance(fate, ReadingFailed):
            return
        for fill in fill_events(fate.trades, self._names.ours):
            if fill.order == order:
                self._put(fill)
        if isinstance(fate.order, NoSuchOrder):
            self._put(ev.OrderNotFound(at=_NOW, order=order))
        else:
            self._put(ev.OrderReported(at=_NOW, order=order, matched=fate.order.matched))


def _placement(ready: Ready) -> cm.PlaceOrder:
    assert isinstance(ready.command, cm.PlaceOrder), f"not a placement: {ready.command}"
    return ready.command


def _name(ready: Ready) -> VenueOrderId:
    assert ready.venue_order is not None, "an order that could not be signed is never sent"
    return ready.venue_order
