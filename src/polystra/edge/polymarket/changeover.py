"""Decides what counts while two market streams tell of the same markets, so that nothing is lost and nothing is twice.

A market's book is followed on the old connection until the new one has told it whole, and on the new one from then on:
all that happened before is in that book. Trades, listings and resolutions count whichever connection tells them first.
Of several alike the second one counts once a connection has told both.
"""

import asyncio
from collections import Counter
from collections.abc import Hashable, Iterable

from polystra.core.ids import MarketId
from polystra.edge.market_channel import Message

_OF_A_BOOK = frozenset({"book", "price_change", "tick_size_change"})


class Changeover:
    """Mutable. `moved` are the markets that are followed on the new connection, `ready` is set once all are."""

    def __init__(self, markets: Iterable[MarketId]) -> None:
        self._awaited = set(markets)
        self._told = (Counter[Hashable](), Counter[Hashable]())
        self._counted = Counter[Hashable]()
        self.moved: set[MarketId] = set()
        self.ready = asyncio.Event()
        self._look()

    def follow(self, market: MarketId) -> None:
        self._awaited.add(market)
        self.ready.clear()

    def forget(self, market: MarketId) -> None:
        self._awaited.discard(market)
        self.moved.discard(market)
        self._look()

    def counts(self, message: Message, known: tuple[MarketId, bool] | None, *, fresh: bool) -> bool:
        """Whether to heed a message about that market, and Up or not; `fresh` is one of the new connection."""
        if message.event_type not in _OF_A_BOOK:
            return self._is_first(message, fresh)
        if known is None:
            return not fresh
        market, up = known
        if fresh and up and message.event_type == "book" and market in self._awaited:
            self._awaited.discard(market)
            self.moved.add(market)
            self._look()
        return fresh is (market in self.moved)

    def _is_first(self, message: Message, fresh: bool) -> bool:
        what = _content(message)
        told = self._told[fresh]
        told[what] += 1
        if told[what] <= self._counted[what]:
            return False
        self._counted[what] += 1
        return True

    def _look(self) -> None:
        if not self._awaited:
            self.ready.set()


def token_of(message: Message) -> str | None:
    """The token that a message is about; of changes in both tokens of a market, either."""
    if message.price_changes:
        return message.price_changes[0].asset_id or message.asset_id
    return message.asset_id


def _content(message: Message) -> Hashable:
    return (
        message.event_type,
        message.asset_id,
        message.timestamp,
        message.price,
        message.size,
        message.side,
        message.slug,
        message.winning_asset_id,
    )
