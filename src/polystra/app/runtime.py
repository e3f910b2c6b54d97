"""The loop. One task owns engine and writes; everything else talks to it through the inbox."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

from polystra.app.inbox import Inbox
from polystra.app.outbox import Outbox
from polystra.app.position_watch import PositionWatch
from polystra.core.commands import PlaceOrder
from polystra.core.engine import NOTHING, Engine, Step
from polystra.core.events import AnyEvent, LedgerLoaded, TradingState, TradingStateSet
from polystra.core.notes import AnyNote
from polystra.core.units import Instant
from polystra.edge.ready import Ready
from polystra.edge.store.errors import JournalUnavailable, LedgerUnavailable
from polystra.edge.store.journal import Journal
from polystra.edge.store.ledger import Ledger

Listener: TypeAlias = Callable[[AnyEvent, Step], None]


def silent(event: AnyEvent, step: Step) -> None:
    """Tell nobody."""


async def run(
    engine: Engine, inbox: Inbox, journal: Journal, ledger: Ledger, outbox: Outbox, tell: Listener = silent
) -> None:
    """Until the inbox ends. `tell` hears every step that changed something, after it was recorded; and once a minute
    how each position stands, and what all is worth, which no journal has.

    A journal or ledger that cannot be written stops new orders, not the loop: cancels go on, and what could not be
    written is written later. Raises `LedgerUnavailable` when it could not be to the end.
    """
    keeper = _Keeper(journal, ledger, inbox)
    watch = PositionWatch(engine)
    async for event in inbox:  # Woke, when due, comes from here too
        keeper.see(event)  # what we knew
        step = engine.handle(event)  # what we decided (pure)
        if step is not NOTHING:
            ready = outbox.prepare(step.commands)  # hash and sign: CPU only, no I/O
            why_not = keeper.record(step, ready)  # one transaction, before anything is sent
            if why_not is None:
                outbox.send(ready)  # what we do; answers return to the inbox
            else:
                outbox.hold_back(ready, why_not)
        positions = watch.look(event.at)
        keeper.keep_watch(positions)
        if step is not NOTHING or positions:
            tell(event, Step(step.commands, (*step.notes, *positions)) if positions else step)
        inbox.wake_at(engine.next_wake)
    keeper.write_rest()


class _Keeper:
    """Records events and steps. While journal or ledger cannot be written, what they must know waits for them and no
    new order leaves."""

    def __init__(self, journal: Journal, ledger: Ledger, inbox: Inbox) -> None:
        self._journal = journal
        self._ledger = ledger
        self._inbox = inbox
        self._intents: list[Ready] = []
        self._notes: list[AnyNote] = []
        self._state = TradingState.ARMED
        self._broken = False
        self._seq, self._at = 0, Instant(0)

    def see(self, event: AnyEvent) -> None:
        self._at = event.at
        if isinstance(event, LedgerLoaded | TradingStateSet):
            self._state = event.state
        try:
            self._seq = self._journal.append(event)
        except JournalUnavailable:  # it is buffered; `record` tells the trouble before anything is sent
            self._seq = self._journal.seq

    def record(self, step: Step, ready: list[Ready]) -> str | None:
        """None when all is kept; otherwise why it is not."""
        seq, at = self._seq, self._at
        with suppress(JournalUnavailable):
            self._journal.append_step(seq, step.commands, step.notes)
        try:
            self._journal.flush()
            self._ledger.record(seq, at, (*self._intents, *ready), (*self._notes, *step.notes))
        except (JournalUnavailable, LedgerUnavailable) as error:
            self._intents.extend(one for one in ready if isinstance(one.command, PlaceOrder))
            self._notes.extend(step.notes)
            self._stop_entries(at, str(error))
            return str(error)
        self._intents.clear()
        self._notes.clear()
        self._broken = False
        return None

    def keep_watch(self, positions: Sequence[AnyNote]) -> None:
        """How positions stood is kept for who asks later; what cannot be kept is missed by nobody."""
        if positions and not self._notes:
            with suppress(LedgerUnavailable):
                self._ledger.record(self._seq, self._at, (), positions)

    def write_rest(self) -> None:
        """The last chance for what waits still; raises `LedgerUnavailable`."""
        if self._intents or self._notes:
            self._ledger.record(self._seq, self._at, self._intents, self._notes)

    def _stop_entries(self, at: Instant, why: str) -> None:
        """Until a person has repaired the disk nothing is opened, and what rests to open is taken back. Said once each
        time it breaks, and never to a trader that a person allowed less than that already."""
        if self._state is TradingState.ARMED and not self._broken:
            self._broken = True
            self._inbox.put(TradingStateSet(at=at, state=TradingState.PAUSED, who="ledger", why=why))
