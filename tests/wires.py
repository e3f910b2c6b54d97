"""A signer, a venue, a ledger and a journal that only write down what was asked of them, in one list."""

from collections.abc import Sequence

from polystra.app.outbox import CannotSign
from polystra.core.commands import PlaceOrder
from polystra.core.events import AnyEvent
from polystra.core.ids import OrderId, VenueOrderId
from polystra.core.notes import AnyNote
from polystra.core.units import Instant
from polystra.edge.ready import Ready
from polystra.edge.store.errors import JournalUnavailable, LedgerUnavailable

DISK = "disk I/O error: repair the disk"


class Signing:
    """Signs with a name that tells the order; the orders in `broken` cannot be signed."""

    def __init__(self, deeds: list[str], *broken: int) -> None:
        self.deeds = deeds
        self.broken = {OrderId(one) for one in broken}

    def sign(self, command: PlaceOrder) -> Ready:
        self.deeds.append(f"sign o{command.order}")
        if command.order in self.broken:
            raise CannotSign("the key is locked")
        return Ready(command=command, venue_order=VenueOrderId(f"0xhash{command.order}"), body=b"signed")


class Wire:
    """Where bytes leave."""

    def __init__(self, deeds: list[str]) -> None:
        self.deeds = deeds
        self.sent: list[Ready] = []

    def send(self, ready: Sequence[Ready]) -> None:
        self.deeds += [f"send {type(one.command).__name__}" for one in ready]
        self.sent += ready


class Paper:
    """A journal; while `full` nothing reaches the disk, and what was handed over waits in its buffer."""

    def __init__(self, deeds: list[str]) -> None:
        self.deeds = deeds
        self.seq = 0
        self.full = False
        self.small = False

    def append(self, event: AnyEvent) -> int:
        self.seq += 1
        self.deeds.append(f"saw {type(event).__name__}")
        self._overflow()
        return self.seq

    def append_step(self, seq: int, commands: object, notes: object) -> None:
        self.deeds.append(f"decided on {seq}")
        self._overflow()

    def flush(self) -> None:
        if self.full:
            raise JournalUnavailable(DISK)
        self.deeds.append("flush")

    def _overflow(self) -> None:
        """With a `small` buffer every record must reach the disk at once."""
        if self.full and self.small:
            raise JournalUnavailable(DISK)


class Book:
    """A ledger; the steps in `fails` cannot be written, counted from 1."""

    def __init__(self, deeds: list[str], *fails: int) -> None:
        self.deeds = deeds
        self.fails = set(fails)
        self.steps = 0
        self.intents: list[int] = []
        self.notes: list[AnyNote] = []

    def record(self, seq: int, at: Instant, ready: Sequence[Ready], notes: Sequence[AnyNote]) -> None:
        self.steps += 1
        if self.steps in self.fails:
            self.deeds.append("record failed")
            raise LedgerUnavailable(DISK)
        self.deeds.append("record")
        self.intents += [int(one.command.order) for one in ready if isinstance(one.command, PlaceOrder)]
        self.notes += notes
