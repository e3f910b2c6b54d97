"""Makes commands ready and lets them go: signing first, sending last, and the ledger's commit between the two.

`prepare` costs CPU only; not a byte leaves before `send`. What could not be signed or recorded comes back to the
engine as `OrderNotSent`. The engine never sees a hash: `OrderNames` keeps which venue id belongs to which of our
orders, from the moment an intent exists.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from polystra.app.inbox import Inbox
from polystra.app.kill_switch import KillSwitch
from polystra.core.commands import AnyCommand, DropNotifications, PlaceOrder, ResendOrder
from polystra.core.errors import PolystraError
from polystra.core.events import OrderNotSent, TradingState
from polystra.core.ids import OrderId, VenueOrderId
from polystra.core.terms import Side
from polystra.core.units import Instant
from polystra.edge.ready import Ready


class CannotSign(PolystraError):
    """An order that could not be signed; it was not sent."""


class Signer(Protocol):
    """Makes a placement ready: its hash, and the bytes to post. Raises `CannotSign`."""

    def sign(self, command: PlaceOrder) -> Ready: ...


class Venue(Protocol):
    """Carries what one step decided to the venue. Answers come back through the inbox, never as a return value."""

    def send(self, ready: Sequence[Ready]) -> None: ...


class OrderNames:
    """Our order numbers and the venue's ids of the same orders. Mutable; grows only."""

    def __init__(self, known: dict[VenueOrderId, OrderId] | None = None) -> None:
        self._ours = dict(known or {})
        self._theirs = {ours: theirs for theirs, ours in self._ours.items()}

    def add(self, ours: OrderId, theirs: VenueOrderId) -> None:
        self._ours[theirs] = ours
        self._theirs[ours] = theirs

    def ours(self, theirs: VenueOrderId) -> OrderId | None:
        """Our number of a venue order; None when no intent of ours explains it."""
        return self._ours.get(theirs)

    def theirs(self, ours: OrderId) -> VenueOrderId | None:
        return self._theirs.get(ours)


class Outbox:
    """The only way out. What a person forbade by the files of `switch` does not leave, whatever the engine knows of it:
    no placement of a run that is stopped, no BUY of one that is paused or reduce-only. Mutable."""

    def __init__(
        self, inbox: Inbox, signer: Signer, names: OrderNames, venue: Venue, switch: KillSwitch | None = None
    ) -> None:
        self._inbox = inbox
        self._signer = signer
        self._names = names
        self._venue = venue
        self._switch = switch
        self._stopped: str | None = None
        self._buys: set[OrderId] = set()

    def prepare(self, commands: Iterable[AnyCommand]) -> list[Ready]:
        """Sign what must be signed. An order that cannot be has no venue id: it is recorded, and never sent."""
        ready = []
        for command in commands:
            if not isinstance(command, PlaceOrder):
                ready.append(Ready(command=command))
                continue
            if command.terms.side is Side.BUY:
                self._buys.add(command.order)
            try:
                signed = self._signer.sign(command)
            except CannotSign as error:
                self._inbox.put(OrderNotSent(at=Instant(0), order=command.order, why=str(error)))
                ready.append(Ready(command=command))
                continue
            if signed.venue_order is not None:
                self._names.add(command.order, signed.venue_order)
            ready.append(signed)
        return ready

    def stop(self, why: str) -> None:
        """Let no placement out any more; everything else goes."""
        self._stopped = why

    def send(self, ready: Sequence[Ready]) -> None:
        said = self._switch.word() if self._switch is not None and any(map(_places, ready)) else None
        if self._stopped is not None:
            self.hold_back(ready, self._stopped)
        elif said is None:
            self._venue.send([one for one in ready if _can_go(one)])
        elif said.state is TradingState.STOPPED:
            self.hold_back(ready, "the kill switch is thrown")
        else:
            self._venue.send([one for one in ready if _can_go(one) and not self._buys_with(one)])
            self._tell_unsent(filter(self._buys_with, ready), f"the run is {said.state}")

    def hold_back(self, ready: Sequence[Ready], why: str) -> None:
        """Placements and what must be recorded before stay here, because of `why`; everything else goes. An order that
        could not be signed has been told already; one that was to be sent again stays in doubt."""
        self._venue.send([one for one in ready if not _needs_record(one)])
        self._tell_unsent(ready, why)

    def _tell_unsent(self, held: Iterable[Ready], why: str) -> None:
        for one in held:
            if isinstance(one.command, PlaceOrder) and one.venue_order is not None:
                self._inbox.put(OrderNotSent(at=Instant(0), order=one.command.order, why=why))

    def _buys_with(self, ready: Ready) -> bool:
        """Only what this process signed is ever sent again, so it knows the side of each."""
        return isinstance(ready.command, PlaceOrder | ResendOrder) and ready.command.order in self._buys


def _places(ready: Ready) -> bool:
    return isinstance(ready.command, PlaceOrder | ResendOrder)


def _can_go(ready: Ready) -> bool:
    """All but an order that could not be signed."""
    return ready.venue_order is not None or not isinstance(ready.command, PlaceOrder)


def _needs_record(ready: Ready) -> bool:
    """A notification that was dropped never comes again, so what it led to must be kept first."""
    return isinstance(ready.command, PlaceOrder | ResendOrder | DropNotifications)
