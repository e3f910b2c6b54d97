"""Plays recordings one after the other, or side by side where they overlap, as one stream of rows in time."""

import heapq
from collections.abc import Iterator, Sequence

from polystra.core.events import AnyEvent
from polystra.core.units import Instant
from polystra.edge.tapes.format import Tape, TapeFile


class TapePlayer:
    """All recordings as one stream of rows, loaded one window ahead and dropped when played."""

    def __init__(self, files: Sequence[TapeFile]) -> None:
        self._files = iter(sorted(files, key=lambda file: (file.market.start, file.market.slug)))
        self._next: Tape | None = None
        self._rows: list[tuple[Instant, int, AnyEvent, Iterator[AnyEvent]]] = []
        self._begun = 0
        self._load()

    @property
    def next_at(self) -> Instant | None:
        times = [self._rows[0][0]] if self._rows else []
        if self._next is not None:
            times.append(self._next.first_at)
        return min(times, default=None)

    def begins(self, now: Instant) -> Tape | None:
        """The recording that begins now, if one does, before its first row."""
        tape = self._next
        if tape is None or tape.first_at > now:
            return None
        self._begun += 1
        rows = tape.events()
        first = next(rows)
        heapq.heappush(self._rows, (first.at, self._begun, first, rows))
        self._load()
        return tape

    def pop(self) -> AnyEvent:
        _, number, event, rows = heapq.heappop(self._rows)
        following = next(rows, None)
        if following is not None:
            heapq.heappush(self._rows, (following.at, number, following, rows))
        return event

    def _load(self) -> None:
        file = next(self._files, None)
        self._next = file.load() if file is not None else None
