"""The loop. One task owns engine and writes; everything else talks to it through the inbox."""

from collections.abc import Callable
from typing import TypeAlias

from polystra.app.inbox import Inbox
from polystra.app.outbox import Outbox
from polystra.core.commands import PlaceOrder
from polystra.core.engine import NOTHING, Engine, Step
from polystra.core.events import AnyEvent, TradingState, TradingStateSet
from polystra.core.notes import AnyNote
from polystra.core.units import Instant
from polystra.edge.ready import Ready
from polystra.edge.store.errors import LedgerUnavailable
from polystra.edge.store.journal import Journal
from polystra.edge.store.ledger import Ledger

Listener: TypeAlias = Callable[[AnyEvent, Step], None]


def silent(event: AnyEvent, step: Step) -> None:
    """Tell nobody."""


async def run(
    engine: Engine, inbox: Inbox, journal: Journal, ledger: Ledger, outbox: Outbox, tell: Listener = silent
) -> None:
    """Until the inbox ends. `tell` hears every step that changed something, after it was recorded."""
    keeper = _Keeper(ledger, inbox)
    async for event in inbox:  # Woke, when due, comes from here too
        seq = journal.append(event)  # what we knew
        step = engine.handle(event)  # what we decided (pure)
        if step is not NOTHING:
            journal.append_step(seq, step.commands, step.notes)
            ready = outbox.prepare(step.commands)  # hash and sign: CPU only, no I/O
            journal.flush()
            why_not = keeper.record(seq, event.at, ready, step.notes)  # one transaction, before anything is sent
            if why_not is None:
                outbox.send(ready)  # what we do; answers return to the inbox
            else:
                outbox.hold_back(ready, why_not)
            tell(event, step)
        inbox.wake_at(engine.next_wake)


class _Keeper:
    """Records steps. While the ledger cannot be written, what it must know waits for it and no new order leaves."""

    def __init__(self, ledger: Ledger, inbox: Inbox) -> None:
        self._ledger = ledger
        self._inbox = inbox
        self._intents: list[Ready] = []
        self._notes: list[AnyNote] = []
        self._broken = False

    def record(self, seq: int, at: Instant, ready: list[Ready], notes: tuple[AnyNote, ...]) -> str | None:
        """None when all is kept; otherwise why it is not."""
        try:
            self._ledger.record(seq, at, (*self._intents, *ready), (*self._notes, *notes))
        except LedgerUnavailable as error:
            self._intents.extend(one for one in ready if isinstance(one.command, PlaceOrder))
            self._notes.extend(notes)
            self._stop_entries(at, str(error))
            return str(error)
        self._intents.clear()
        self._notes.clear()
        return None

    def _stop_entries(self, at: Instant, why: str) -> None:
        """Until a person has repaired the disk nothing is opened, and what rests to open is taken back."""
        if not self._broken:
            self._broken = True
            self._inbox.put(TradingStateSet(at=at, state=TradingState.PAUSED, who="ledger", why=why))
