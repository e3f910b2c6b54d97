"""Those who take: some because a quote is wrong, most for reasons of their own."""

from collections.abc import Iterator
from random import Random

from msgspec import Struct

from polystra.core.terms import Side
from polystra.core.units import MICRO, NO_ASK, NO_BID, SIZE_STEP, Price, Shares
from polystra.sim.scenario.quotes import Quotes

_FEE = 0.07
"""What a taker pays of p (1 - p) a share (`PROTOCOL.md` F.1): who knows better reckons with it."""

_LEAST = Shares(1_000_000)
_LEVELS = 3
"""Prices that one order walks through at most."""


class Flow(Struct, frozen=True, gc=False, kw_only=True):
    """Who takes. `rate` is how many orders a second without a reason, four times as many at the end of a window as at
    its beginning, a tenth before it. `size` is their usual number of shares. Once a second, with probability `alert`,
    somebody compares the quotes with the price and takes up to `informed_size` of what is wrong by more than the fee
    and `edge` (part of 1).
    """

    rate: float
    size: float
    spread_of_sizes: float = 1.2
    alert: float = 0.5
    edge: float = 0.01
    informed_size: float = 60.0


class Taken(Struct, frozen=True, gc=False):
    """A trade; `taker` is the side of the one who crossed."""

    price: Price
    size: Shares
    taker: Side


class Takers:
    """All of them. Mutable by its draws alone."""

    def __init__(self, flow: Flow, rng: Random) -> None:
        self._flow = flow
        self._rng = rng

    def pause(self, gone: float) -> float:
        """Seconds until the next order without a reason; `gone` is the part of the window that is over."""
        busy = 0.1 if gone < 0 else 0.5 + 1.5 * min(gone, 1.0)
        return self._rng.expovariate(self._flow.rate * busy)

    def reaction(self) -> float:
        """Seconds from a price to those who act on it."""
        return self._rng.uniform(0.15, 0.6)

    def trade(self, quotes: Quotes) -> Iterator[Taken]:
        """One order without a reason, on either side."""
        side = self._rng.choice((Side.BUY, Side.SELL))
        return self._walk(quotes, side, self._drawn(self._flow.size), None)

    def pick_off(self, quotes: Quotes, chance: float) -> Iterator[Taken]:
        """What is quoted too cheap or too dear, if anybody looks."""
        if self._rng.random() >= self._flow.alert:
            return
        size = self._drawn(self._flow.informed_size)
        for side in Side:
            yield from self._walk(quotes, side, size, chance)

    def _walk(self, quotes: Quotes, side: Side, size: Shares, chance: float | None) -> Iterator[Taken]:
        """From the best price on, as long as there is something, and as long as it is worth it to who knows."""
        for _ in range(_LEVELS):
            best = quotes.best(side.other)
            if not size or best in (NO_BID, NO_ASK) or not self._worth(side, best, chance):
                return
            got = quotes.take(side.other, best, size)
            size = Shares(size - got)
            yield Taken(best, got, side)

    def _worth(self, side: Side, price: Price, chance: float | None) -> bool:
        if chance is None:
            return True
        at = price / MICRO
        gain = chance - at if side is Side.BUY else at - chance
        return gain > self._flow.edge + _FEE * at * (1 - at)

    def _drawn(self, usual: float) -> Shares:
        drawn = round(usual * self._rng.lognormvariate(0, self._flow.spread_of_sizes) * MICRO)
        return Shares(max(drawn // SIZE_STEP * SIZE_STEP, _LEAST))
