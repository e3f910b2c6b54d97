"""Keeps what we heard of each asset's price, and finds a market's strike in it."""

from polystra.core.events import Candle, HistoryLoaded, PricePrinted
from polystra.core.markets import Market, PriceSource
from polystra.core.prices import MINUTE, Candles, PriceSeries
from polystra.core.units import Instant, Nanos
from polystra.core.view import Reference


class Underlying:
    """All series of all assets. Mutable."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, PriceSource], PriceSeries] = {}
        self._candles: dict[str, Candles] = {}

    def add(self, event: PricePrinted) -> None:
        self._series.setdefault((event.asset, event.source), PriceSeries()).add(event)

    def add_candle(self, asset: str, candle: Candle) -> None:
        """One-minute candles alone: those of another length are another series, which no signal reads."""
        if candle.length == MINUTE:
            self._candles.setdefault(asset, Candles()).add(candle)

    def add_history(self, asset: str, history: HistoryLoaded) -> None:
        """What happened before we followed."""
        for price in history.prices:
            self.add(price)
        for candle in history.candles:
            self.add_candle(asset, candle)

    def candles(self, asset: str) -> tuple[Candle, ...]:
        return self._candles[asset].closed if asset in self._candles else ()

    def settlement_price(self, market: Market) -> int | None:
        """The newest value of the feed that settles this market; None while unknown."""
        series = self._settlement_series(market)
        return series.last if series is not None else None

    def references(self, market: Market, at: Instant) -> tuple[Reference, ...]:
        """Every price heard of the market's asset, the one that settles it first. Without that one, nothing."""
        if self.settlement_price(market) is None:
            return ()
        ordered = sorted(PriceSource, key=lambda source: source is not market.settlement)
        found = []
        for source in ordered:
            series = self._series.get((market.series.asset, source))
            age = series.age(at) if series is not None else None
            if series is not None and series.last is not None and age is not None:
                found.append(Reference(source=source, value=series.last, age=Nanos(age)))
        return tuple(found)

    def strike(self, market: Market) -> int | None:
        """The price to beat: what the settlement feed itself stamped with the window's start, or None."""
        series = self._settlement_series(market)
        return series.stamped(market.start) if series is not None else None

    def _settlement_series(self, market: Market) -> PriceSeries | None:
        if market.settlement is None:
            return None
        return self._series.get((market.series.asset, market.settlement))
