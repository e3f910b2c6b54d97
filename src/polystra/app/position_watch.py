"""Tells whoever looks on, once a minute, how each position stands (SPEC L5)."""

from polystra.app.runtime import Listener
from polystra.core.engine import Engine, Step
from polystra.core.events import AnyEvent
from polystra.core.notes import PositionWatched
from polystra.core.units import Instant, seconds

EVERY = seconds(60)


class PositionWatch:
    """Stands before a listener and adds the positions to the first step of each minute UTC; the reading of the account
    sees to it that most minutes have one. Nothing of it is recorded. Mutable: it knows when it looks next."""

    def __init__(self, engine: Engine, tell: Listener) -> None:
        self._engine = engine
        self._tell = tell
        self._due = Instant(0)

    def tell(self, event: AnyEvent, step: Step) -> None:
        positions = self._look(event.at)
        self._tell(event, Step(step.commands, (*step.notes, *positions)) if positions else step)

    def _look(self, at: Instant) -> tuple[PositionWatched, ...]:
        if at < self._due:
            return ()
        self._due = Instant((at // EVERY + 1) * EVERY)
        return self._engine.positions(at)
