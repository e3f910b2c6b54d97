"""Sorts trades of the account that no order of ours made: which market they belong to, and what waits for its market.

A reading at the start has trades of windows that nobody has told of yet. They are told once their window is.
"""

from collections.abc import Mapping

from polystra.core import events as ev
from polystra.core.ids import MarketId, TradeId, VenueOrderId
from polystra.core.markets import Market
from polystra.core.terms import Outcome
from polystra.core.units import Instant, seconds
from polystra.edge.clock import Clock
from polystra.edge.polymarket.wire import Fill

KEPT_FOR = seconds(86_400)
"""How long a trade waits for its market: longer than any market lives that is followed."""


class OutsideTrades:
    """Mutable. `markets` are those that were told, and grow by themselves."""

    def __init__(self, markets: Mapping[MarketId, Market], clock: Clock) -> None:
        self._markets = markets
        self._clock = clock
        self._waiting: dict[MarketId, dict[tuple[TradeId, VenueOrderId], Fill]] = {}

    def event(self, fill: Fill) -> ev.OutsideFilled | None:
        """None for one whose market is not known, or not known yet."""
        market = self._markets.get(fill.market)
        if market is not None:
            return _event(fill, market)
        if fill.matched_at > self._clock.now() - KEPT_FOR:
            self._waiting.setdefault(fill.market, {})[fill.trade, fill.order] = fill
        return None

    def listed(self, market: MarketId) -> list[ev.OutsideFilled]:
        """What waited for this market, oldest first; each at the stage that was heard of last."""
        found = sorted(self._waiting.pop(market, {}).values(), key=lambda fill: fill.matched_at)
        return [_event(fill, self._markets[market]) for fill in found]


def _event(fill: Fill, market: Market) -> ev.OutsideFilled:
    return ev.OutsideFilled(
        at=Instant(0),
        venue_order=fill.order,
        market=market.id,
        outcome=Outcome.UP if fill.token == market.up_token else Outcome.DOWN,
        side=fill.side,
        trade=fill.trade,
        price=fill.price,
        shares=fill.shares,
        liquidity=fill.liquidity,
        stage=fill.stage,
        traded_at=fill.matched_at,
    )
