"""Keeps each market's own price by the minute, which the venue answers as its price history."""

from collections.abc import Iterable
from typing import TypeAlias

from polystra.core.ids import MarketId
from polystra.core.units import NO_ASK, NO_BID, Instant, Nanos, Price
from polystra.sim.markets import Market, MarketState

MINUTE = Nanos(60_000_000_000)

KEPT = Nanos(15 * 24 * 60 * MINUTE)
"""How far a history reaches back behind a moment to which time jumped: the most that the venue answers."""

Point: TypeAlias = tuple[Instant, Price]
"""A whole minute, and the middle of Up's book as it stood before anything happened in that minute."""


class MinuteHistory:
    """Mutable. From `due` on, nothing may change a book before `reach` was told the moment of the change.

    A minute with an empty side has no point, nor has one before the first book or after the close.
    """

    def __init__(self) -> None:
        self._points: dict[MarketId, list[Point]] = {}
        self.due = Instant(0)

    def reach(self, now: Instant, markets: Iterable[Market]) -> None:
        """Writes the whole minutes up to `now`, itself included, of every market that is open."""
        for market in markets:
            points = self._since(market, self.due, now)
            if points:
                self._points.setdefault(market.facts.id, []).extend(points)
        self.due = Instant(now // MINUTE * MINUTE + MINUTE)

    def points(self, market: Market, now: Instant) -> tuple[Point, ...]:
        """Oldest first, up to `now`; nothing may be due before it."""
        known = self._points.get(market.facts.id, [])
        return (*known, *self._since(market, self.due, now))

    def _since(self, market: Market, first: Instant, now: Instant) -> list[Point]:
        """The book has been as it is from `first` on."""
        middle = _middle(market)
        if middle is None:
            return []
        begins = max(first, now // MINUTE * MINUTE - KEPT)
        return [(Instant(minute), middle) for minute in range(begins, now + 1, MINUTE)]


def _middle(market: Market) -> Price | None:
    bid, ask = market.bids.best(), market.asks.best()
    if market.state is not MarketState.LISTED or bid == NO_BID or ask == NO_ASK:
        return None
    return Price((bid + ask) // 2)
