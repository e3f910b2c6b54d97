"""What a struck price_change tells of a book that is otherwise (`FAULTS.md` 4, 5)."""

from collections.abc import Callable

from msgspec.structs import replace

from polystra.core.ids import MarketId
from polystra.core.terms import Side
from polystra.core.units import MICRO, NO_ASK, NO_BID, Price, Shares
from polystra.exchange.faults import Fault, Faults
from polystra.sim import messages as sim
from polystra.sim.records import Book

_GHOST = Shares(1_000_000)


class Misstated:
    """Mutable: remembers the bids that it made up until it has taken them back."""

    def __init__(self, faults: Faults, stream: str) -> None:
        self._faults = faults
        self._stream = stream
        self._ghosts: dict[MarketId, Price] = {}

    def told(self, output: sim.PublicLevels, book: Callable[[MarketId], Book]) -> sim.PublicLevels:
        """The change as it is told; `book` gives the market as it is."""
        if self._faults.calm and not self._ghosts:
            return output
        told = self._healed(output, book)
        if output.best_ask != NO_ASK and self._faults.strikes(Fault.BOOK_CROSSED, self._stream):
            told = self._crossed(told, book(output.market))
        if self._faults.strikes(Fault.BEST_WRONG, self._stream):
            told = replace(told, best_bid=NO_BID, best_ask=NO_ASK)
        return told

    def _healed(self, output: sim.PublicLevels, book: Callable[[MarketId], Book]) -> sim.PublicLevels:
        ghost = self._ghosts.pop(output.market, None)
        if ghost is None:
            return output
        size = dict(book(output.market).bids).get(ghost, Shares(0))
        return replace(output, changes=(sim.LevelChange(Side.BUY, ghost, size), *output.changes))

    def _crossed(self, output: sim.PublicLevels, book: Book) -> sim.PublicLevels:
        """A bid one tick above the best ask, or at it where there is none above."""
        ghost = Price(min(output.best_ask + book.tick, MICRO - book.tick))
        self._ghosts[output.market] = ghost
        return replace(output, changes=(*output.changes, sim.LevelChange(Side.BUY, ghost, _GHOST)), best_bid=ghost)
