"""Those who quote: each has an opinion of what Up is worth, some a late one, and quotes around it."""

import math
from random import Random

from msgspec import Struct

from polystra.core.terms import Side
from polystra.core.units import MICRO, SIZE_STEP, Price, Shares, Tick
from polystra.sim.scenario.quotes import Ladder, MakerId, Quotes

_LEAST_WIDTH = 0.25
"""The least part of its usual width that a maker keeps where the outcome is all but certain."""

_DUST = Shares(5_000_000)

_SURE = 0.99
"""From this chance on an outcome is taken for decided."""

_OFF = {Side.BUY: Price(0), Side.SELL: Price(MICRO)}
"""Where nobody quotes."""


class MakerKind(Struct, frozen=True, gc=False, kw_only=True):
    """One way to quote. It looks about every `every` seconds at what was true `late` seconds ago, errs by `error`
    (deviation, part of 1) and quotes `half_width` away from that (millionths), on `levels` prices `apart` ticks from
    one another. `size` is the usual number of shares on the first, each further one has `growth` times as much.
    `restless` is how often it says a size anew although its prices are right. Once the part `leaves` of the window is
    over and the outcome is decided, it quotes no more to those who would lose: it offers nothing of what wins. Before
    the start its pauses are `early` times as long.
    """

    every: float
    half_width: Price
    levels: int
    size: int
    late: int = 0
    error: float = 0.002
    apart: int = 1
    growth: float = 1.2
    spread_of_sizes: float = 0.6
    restless: float = 0.2
    leaves: float = 0.935
    early: float = 1.0


class Maker:
    """One of them at work. Mutable: it remembers by how much it errs."""

    def __init__(self, maker: MakerId, kind: MakerKind, rng: Random) -> None:
        self.id = maker
        self.kind = kind
        self._rng = rng
        self._error = rng.gauss(0, kind.error)

    def pause(self, gone: float) -> float:
        """Seconds until it looks again; `gone` is the part of the window that is over."""
        usual = self.kind.every * self._rng.uniform(0.6, 1.4)
        return usual * self.kind.early if gone < 0 else usual

    def look(self, chance: float, quotes: Quotes, tick: Tick, *, gone: float = 0.0) -> None:
        """Quote around a chance of Up from 0 to 1. What was right before stays as it is. `gone` is the part of the
        window that is over.

        Both sides are taken away before either is put: one's own old bid is in nobody's way.
        """
        self._error = 0.9 * self._error + 0.44 * self._rng.gauss(0, self.kind.error)
        believed = min(max(chance + self._error, 0.0), 1.0)
        left = self._left(chance, gone)
        first = {side: _OFF[side] if side is left else self._first(side, believed, quotes, tick) for side in Side}
        moved = [side for side in Side if not self._is_right(side, first[side], quotes, tick)]
        for side in moved:
            quotes.quote(self.id, side, {})
        for side in moved:
            quotes.quote(self.id, side, self._ladder(side, first[side], tick))
        if not moved and self._rng.random() < self.kind.restless:
            self._restate(quotes)

    def _left(self, chance: float, gone: float) -> Side | None:
        if gone < self.kind.leaves or 1 - _SURE < chance < _SURE:
            return None
        return Side.SELL if chance >= _SURE else Side.BUY

    def _first(self, side: Side, believed: float, quotes: Quotes, tick: Tick) -> int:
        """The best price it can quote on a side, at worst one of the grid's ends: never one that crosses another maker,
        so off the grid where those leave no room. Its own other side has room for a tick."""
        width = self.kind.half_width * max(_LEAST_WIDTH, 4 * believed * (1 - believed))
        far = self._others_best(side.other, quotes)
        if side is Side.BUY:
            wanted = math.floor((believed * MICRO - width) / tick.size) * tick.size
            return min(max(wanted, tick.size), MICRO - 2 * tick.size, far - tick.size)
        wanted = math.ceil((believed * MICRO + width) / tick.size) * tick.size
        return max(min(wanted, MICRO - tick.size), 2 * tick.size, far + tick.size)

    def _others_best(self, side: Side, quotes: Quotes) -> Price:
        """Of what is quoted, the best that is not its own."""
        own = quotes.of(self.id, side)
        for price, size in quotes.levels(side):
            if size > own.get(price, 0):
                return price
        return _OFF[side]

    def _is_right(self, side: Side, first: int, quotes: Quotes, tick: Tick) -> bool:
        """Whether what it quotes begins where it should, with enough on the first price."""
        own = quotes.of(self.id, side)
        if not own:
            return not tick.holds(first)
        best = max(own) if side is Side.BUY else min(own)
        return best == first and own[best] > self.kind.size * MICRO // 8

    def _ladder(self, side: Side, first: int, tick: Tick) -> Ladder:
        """Empty where the first price is off the grid: nobody bids 0 or asks 1."""
        ladder = {}
        away = -tick.size if side is Side.BUY else tick.size
        size = float(self.kind.size)
        for level in range(self.kind.levels):
            price = first + level * self.kind.apart * away
            if not tick.holds(price):
                break
            ladder[Price(price)] = self._shares(size)
            size *= self.kind.growth
        return ladder

    def _shares(self, usual: float) -> Shares:
        drawn = round(usual * self._rng.lognormvariate(0, self.kind.spread_of_sizes) * MICRO)
        return Shares(max(drawn // SIZE_STEP * SIZE_STEP, _DUST))

    def _restate(self, quotes: Quotes) -> None:
        """Another size on one of its prices."""
        side = self._rng.choice((Side.BUY, Side.SELL))
        own = dict(quotes.of(self.id, side))
        if not own:
            return
        price = self._rng.choice(sorted(own))
        own[price] = self._shares(self.kind.size)
        quotes.quote(self.id, side, own)
