"""Looks once a minute at what is held, for whoever looks on (SPEC L5)."""

from polystra.core.engine import Engine
from polystra.core.notes import EquityWatched, PositionWatched
from polystra.core.units import Instant, seconds

EVERY = seconds(60)


class PositionWatch:
    """Mutable: it knows when it looks next, on whole minutes UTC."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._due = Instant(0)

    def look(self, at: Instant) -> tuple[PositionWatched | EquityWatched, ...]:
        """How each position stands and what all is worth, with the first event of a minute; nothing in between."""
        if at < self._due:
            return ()
        self._due = Instant((at // EVERY + 1) * EVERY)
        return self._engine.positions(at)
