"""One file per signal: pure functions from a view to a score with a direction, or unknown."""

from msgspec import Struct

from polystra.core.terms import Outcome


class Signal(Struct, frozen=True, gc=False):
    """`score` is 0..1; `direction` is None when the score points nowhere. Unknown is not a Signal but None."""

    score: float
    direction: Outcome | None

    @property
    def toward_up(self) -> float:
        """The score with a sign: positive for Up, negative for Down, -1..1."""
        if self.direction is None:
            return 0.0
        return self.score if self.direction is Outcome.UP else -self.score
