"""The book of a generated market: who quotes what, added up by price, in Up terms."""

from collections.abc import Mapping
from typing import NewType, TypeAlias

from polystra.core.terms import Side
from polystra.core.units import NO_ASK, NO_BID, Price, Shares
from polystra.sim.messages import Level, LevelChange

MakerId = NewType("MakerId", int)
Ladder: TypeAlias = Mapping[Price, Shares]


class Quotes:
    """Never crossed: who quotes must ask `room` first. Mutable; `changes` says what was changed since the last call."""

    def __init__(self) -> None:
        self._sums: dict[Side, dict[Price, Shares]] = {Side.BUY: {}, Side.SELL: {}}
        self._own: dict[tuple[MakerId, Side], dict[Price, Shares]] = {}
        self._touched: dict[tuple[Side, Price], None] = {}

    def best(self, side: Side) -> Price:
        """`NO_BID` or `NO_ASK` when nobody quotes there."""
        if side is Side.BUY:
            return max(self._sums[side], default=NO_BID)
        return min(self._sums[side], default=NO_ASK)

    def size(self, side: Side, price: Price) -> Shares:
        return self._sums[side].get(price, Shares(0))

    def levels(self, side: Side) -> tuple[Level, ...]:
        """All of one side, best first."""
        return tuple(sorted(self._sums[side].items(), reverse=side is Side.BUY))

    def of(self, maker: MakerId, side: Side) -> Ladder:
        return self._own.get((maker, side), {})

    def quote(self, maker: MakerId, side: Side, ladder: Ladder) -> None:
        """One maker's whole side anew; sizes are above zero. Raises ValueError for a price that would cross."""
        before = self._own.get((maker, side), {})
        far = self.best(side.other)
        if any((price >= far) if side is Side.BUY else (price <= far) for price in ladder):
            raise ValueError(f"maker {maker}: {side} {sorted(ladder)} would cross {far}, quote behind it")
        for price in before.keys() | ladder.keys():
            self._add(side, price, ladder.get(price, 0) - before.get(price, 0))
        self._own[maker, side] = dict(ladder)

    def take(self, side: Side, price: Price, wanted: Shares) -> Shares:
        """Trade with what is quoted at a price, one maker after the other; what there was of it."""
        left = wanted
        for (_, own_side), own in self._own.items():
            part = min(left, own.get(price, Shares(0))) if own_side is side else Shares(0)
            if part:
                left = Shares(left - part)
                own[price] = Shares(own[price] - part)
                if not own[price]:
                    del own[price]
                self._add(side, price, -part)
        return Shares(wanted - left)

    def changes(self) -> tuple[LevelChange, ...]:
        """Bids before asks, each from the lowest price."""
        touched, self._touched = sorted(self._touched), {}
        return tuple(LevelChange(side, price, self.size(side, price)) for side, price in touched)

    def _add(self, side: Side, price: Price, more: int) -> None:
        if not more:
            return
        sums = self._sums[side]
        size = sums.get(price, 0) + more
        if size:
            sums[price] = Shares(size)
        else:
            del sums[price]
        self._touched[side, price] = None
