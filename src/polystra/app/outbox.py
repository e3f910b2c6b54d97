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
from polystra.core.events import OrderNotSent
from polystra.core.ids import OrderId, VenueOrderId
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
    """The only way out. While the kill `switch` is thrown no placement leaves, whatever the engine knows of it."""

    def __init__(
        self, inbox: Inbox, signer: Signer, names: OrderNames, venue: Venue, switch: KillSwitch | None = None
    ) -> None:
        self._inbox = inbox
        self._signer = signer
        self._names = names
        self._venue = venue
        self._switch = switch
        self._stopped: str | None = None

    def prepare(self, commands: Iterable[AnyCommand]) -> list[Ready]:
        """Sign what must be signed. An order that cannot be has no venue id: it is recorded, and never sent."""
        ready = []
        for command in commands:
            if not isinstance(command, PlaceOrder):
                ready.append(Ready(command=command))
                continue
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
        why_not = self._stopped or self._killed(ready)
        if why_not is not None:
            self.hold_back(ready, why_not)
            return
        self._venue.send([one for one in ready if one.venue_order is not None or not _is_new(one)])

    def _killed(self, ready: Sequence[Ready]) -> str | None:
        if self._switch is None or not any(map(_places, ready)) or not self._switch.thrown:
            return None
        return "the kill switch is thrown"

    def hold_back(self, ready: Sequence[Ready], why: str) -> None:
        """Placements and what must be recorded before stay here, because of `why`; everything else goes. An order that
        could not be signed has been told already; one that was to be sent again stays in doubt."""
        self._venue.send([one for one in ready if not _needs_record(one)])
        for one in ready:
            if isinstance(one.command, PlaceOrder) and one.venue_order is not None:
                self._inbox.put(OrderNotSent(at=Instant(0), order=one.command.order, why=why))


def _places(ready: Ready) -> bool:
    return isinstance(ready.command, PlaceOrder | ResendOrder)


def _is_new(ready: Ready) -> bool:
    return isinstance(ready.command, PlaceOrder)


def _needs_record(ready: Ready) -> bool:
    """A notification that was dropped never comes again, so what it led to must be kept first."""
    return isinstance(ready.command, PlaceOrder | ResendOrder | DropNotifications)
