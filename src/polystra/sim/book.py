"""One market's price-time ladder in Up terms: the background and our resting orders on the same levels.

The background is what the recording says (`street`), less what our orders took of it (`taken`). What was taken stays
taken until the recording states another size for that level.
"""

from collections.abc import Iterable

from polystra.core.terms import Side
from polystra.core.units import NO_ASK, NO_BID, Price, Shares
from polystra.sim import queue
from polystra.sim.messages import Level, LevelChange
from polystra.sim.orders import Order


class Ladder:
    """One side. Mutable, and cheap while we have no order in it and nobody looks: then a whole book is one dict."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.own: dict[Price, list[Order]] = {}
        self.touched: dict[Price, None] = {}
        self.watched = False
        self._street: dict[Price, Shares] = {}
        self._taken: dict[Price, Shares] = {}
        self._first = max if side is Side.BUY else min
        self._none = NO_BID if side is Side.BUY else NO_ASK
        self._street_best = self._none

    def emptied(self) -> "Ladder":
        """A new one, looked at as this one is."""
        ladder = Ladder(self.side)
        ladder.watched = self.watched
        return ladder

    # --- what is there

    def street(self, price: Price) -> Shares:
        """Background that is still there at a price."""
        return Shares(self._street.get(price, 0) - self._taken.get(price, 0))

    def size(self, price: Price) -> Shares:
        """The published size: background left and our resting orders."""
        return Shares(self.street(price) + sum(order.remaining for order in self.own.get(price, ())))

    def street_best(self) -> Price:
        """The best price with background left; `NO_BID` or `NO_ASK` when there is none."""
        best = self._street_best
        if best not in self._taken or self.street(best) > 0:
            return best
        return self._first((price for price in self._street if self.street(price) > 0), default=self._none)

    def own_best(self) -> Price:
        return self._first(self.own, default=self._none)

    def best(self) -> Price:
        return self._first(self.street_best(), self.own_best())

    def better_or_at(self, limit: Price) -> list[Price]:
        """Prices from the best down to `limit` at which there may be something."""
        bids = self.side is Side.BUY
        known = self._street.keys() | self.own.keys()
        return sorted((p for p in known if (p >= limit if bids else p <= limit)), reverse=bids)

    def levels(self) -> tuple[Level, ...]:
        """The published side, best first."""
        sized = ((price, self.size(price)) for price in self.better_or_at(NO_BID if self.side is Side.BUY else NO_ASK))
        return tuple(level for level in sized if level[1] > 0)

    # --- the recording

    def replace(self, levels: Iterable[Level]) -> None:
        """The whole side stated anew."""
        fresh = {price: size for price, size in levels if size > 0}
        if self.watched or self.own or self._taken:
            for price, size in fresh.items():
                if self._street.get(price, 0) != size:
                    self._restate(price, size)
            for price in [price for price in self._street if price not in fresh]:
                self._restate(price, Shares(0))
        self._street = fresh
        self._street_best = self._first(fresh, default=self._none)

    def change(self, price: Price, size: Shares) -> None:
        """One level stated anew."""
        if self._street.get(price, 0) == size:
            return
        self._restate(price, size)
        if size > 0:
            self._street[price] = size
            self._street_best = self._first(self._street_best, price)
        else:
            del self._street[price]
            if price == self._street_best:
                self._street_best = self._first(self._street, default=self._none)

    def _restate(self, price: Price, size: Shares) -> None:
        self._taken.pop(price, None)
        if self.watched:
            self.touched[price] = None
        if price in self.own:
            queue.cap(self.own[price], size)

    # --- what our orders do

    def take(self, price: Price, shares: Shares) -> None:
        """Our side took background here."""
        self._taken[price] = Shares(self._taken.get(price, 0) + shares)
        self.touched[price] = None
        queue.step_forward(self.own.get(price, ()), shares)

    def join(self, order: Order) -> None:
        price = order.up_price
        order.ahead = self.street(price)
        self.own.setdefault(price, []).append(order)
        self.touched[price] = None

    def leave(self, order: Order) -> None:
        price = order.up_price
        resting = self.own[price]
        resting.remove(order)
        if not resting:
            del self.own[price]
        self.touched[price] = None

    def changes(self) -> list[LevelChange]:
        """The levels touched since the last call, with what is published there now."""
        changed = [LevelChange(self.side, price, self.size(price)) for price in self.touched]
        self.touched = {}
        return changed
