"""What Binance shows of a coin, made of what the price board is told: trades, and candles of a minute and of an hour.

Where Binance's own prices are known they stand. Otherwise they are Chainlink's, moved by a basis that follows from seed
and moment alone. The basis is small against a window's move, but not always: of 20,928 recorded windows of 5 minutes
3.2 percent settled against the sign of Binance's move. Sizes, takers and numbers of trades are invented: no recording
has them. A candle without a trade repeats the last price, as Binance's do.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.units import MICRO, Instant, Nanos
from polystra.exchange.price_feeds import Feed, PriceBoard, Print

COINS: Mapping[str, int] = {"BTC": 10_000, "ETH": 10_000, "SOL": 10_000, "XRP": 100}
"""What is traded against USDT, and the step of its prices in millionths."""

INTERVALS: Mapping[str, Nanos] = {"1m": Nanos(60_000_000_000), "1h": Nanos(3_600_000_000_000)}

KEPT = 1_000
"""Newest candles of each length; one answer has no more."""

SPREAD = 60
"""How far the basis goes to either side, in millionths of the price. Applied to the moves of 13,496 recorded windows of
5 minutes it turns the sign of 3.0 percent; 50 would turn 2.7, and 80 turn 3.8."""

KNOT = Nanos(30_000_000_000)
"""Between two moments so far apart the basis goes along a line."""

_LARGEST = 500_000
"""Millionths of a coin in an invented trade."""


class SpotTrade(Struct, frozen=True, gc=False, kw_only=True):
    """Price in millionths of a USDT, size in millionths of a coin; numbers count from 1 for each coin."""

    asset: str
    number: int
    at: Instant
    price: int
    size: int
    buyer_made: bool
    """The seller took."""


class SpotCandle(Struct, frozen=True, gc=False, kw_only=True):
    """Prices and volumes in millionths; `quote` is volume times price. `first` is the number of its first trade, 0
    without one."""

    at: Instant
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    quote: int = 0
    taken: int = 0
    """Volume that buyers took."""
    taken_quote: int = 0
    first: int = 0
    trades: int = 0

    def grown(self, trade: SpotTrade) -> "SpotCandle":
        quote = trade.price * trade.size // MICRO
        return replace(
            self,
            high=max(self.high, trade.price),
            low=min(self.low, trade.price),
            close=trade.price,
            volume=self.volume + trade.size,
            quote=self.quote + quote,
            taken=self.taken + (0 if trade.buyer_made else trade.size),
            taken_quote=self.taken_quote + (0 if trade.buyer_made else quote),
            first=self.first or trade.number,
            trades=self.trades + 1,
        )


class CandleSeries:
    """Candles of one coin and one length, without a gap. Mutable."""

    def __init__(self, length: Nanos) -> None:
        self.length = length
        self._candles: deque[SpotCandle] = deque(maxlen=KEPT)

    def add(self, trade: SpotTrade) -> Sequence[SpotCandle]:
        """Those that this trade ended, oldest first. A trade comes at or after the one before."""
        opens = Instant(trade.at // self.length * self.length)
        ended: list[SpotCandle] = []
        if self._candles and self._candles[-1].at < opens:
            ended = [self._candles[-1], *self._flat(Instant(opens - 1))]
            self._candles.extend(ended[1:])
        if not self._candles or self._candles[-1].at < opens:
            self._candles.append(_flat_candle(opens, trade.price))
        self._candles[-1] = self._candles[-1].grown(trade)
        return ended

    def newest(self) -> SpotCandle:
        """The one that still grows. Raises `IndexError` before the first trade."""
        return self._candles[-1]

    def until(self, now: Instant) -> Sequence[SpotCandle]:
        """All that began by `now`, oldest first."""
        return [one for one in (*self._candles, *self._flat(now)) if one.at <= now]

    def _flat(self, last: Instant) -> list[SpotCandle]:
        """Those without a trade that begin after the newest and by `last`."""
        if not self._candles:
            return []
        newest = self._candles[-1]
        first = max(newest.at + self.length, last // self.length * self.length - (KEPT - 1) * self.length)
        return [_flat_candle(Instant(at), newest.close) for at in range(first, last + 1, self.length)]


def _flat_candle(at: Instant, price: int) -> SpotCandle:
    return SpotCandle(at=at, open=price, high=price, low=price, close=price)


class Told(Struct, frozen=True, gc=False, kw_only=True):
    """A trade, the candles that it ended, by their interval, and those in which it is."""

    trade: SpotTrade
    ended: Mapping[str, Sequence[SpotCandle]]
    growing: Mapping[str, SpotCandle]


Listener: TypeAlias = Callable[[Told], None]


class SpotMarket:
    """Mutable. Every price that the board tells is one trade; one that is older than the last comes too late."""

    def __init__(self, board: PriceBoard, *, seed: str = "") -> None:
        self.listeners: list[Listener] = []
        self._seed = seed
        self._recorded: set[str] = set()
        self._last: dict[str, SpotTrade] = {}
        self._series: dict[str, dict[str, CandleSeries]] = {}
        board.listeners.append(self._hear)

    def last(self, asset: str) -> SpotTrade | None:
        return self._last.get(asset)

    def candles(self, asset: str, interval: str, now: Instant) -> Sequence[SpotCandle]:
        """Oldest first, the one that still grows included; none before the first price."""
        series = self._series.get(asset)
        return series[interval].until(now) if series is not None else ()

    def _hear(self, told: Print) -> None:
        """Once Binance is known to have had a price, none is made up for this coin any more."""
        asset, price = told.asset, told.value
        if asset not in COINS:
            return
        if told.feed is Feed.BINANCE:
            self._recorded.add(asset)
            self._trade(asset, price, told.at)
        elif told.feed is Feed.CHAINLINK and asset not in self._recorded:
            moved = price + price * basis(self._seed, asset, told.at) // MICRO
            self._trade(asset, max(moved // COINS[asset], 1) * COINS[asset], told.at)

    def _trade(self, asset: str, price: int, at: Instant) -> None:
        before = self._last.get(asset)
        if before is not None and at < before.at:
            return
        trade = self._last[asset] = self._made(asset, price, at, before)
        series = self._series.get(asset)
        if series is None:
            series = self._series[asset] = {name: CandleSeries(length) for name, length in INTERVALS.items()}
        ended = {name: one.add(trade) for name, one in series.items()}
        growing = {name: one.newest() for name, one in series.items()}
        for listener in self.listeners:
            listener(Told(trade=trade, ended=ended, growing=growing))

    def _made(self, asset: str, price: int, at: Instant, before: SpotTrade | None) -> SpotTrade:
        """Whoever moved the price took; at the same price either may have."""
        drawn = _drawn(f"{self._seed} size {asset} {at}")
        falls = drawn % 2 == 1 if before is None or price == before.price else price < before.price
        return SpotTrade(
            asset=asset,
            number=1 if before is None else before.number + 1,
            at=at,
            price=price,
            size=10 * (1 + drawn // 2 % (_LARGEST // 10)),
            buyer_made=falls,
        )


def basis(seed: str, asset: str, at: Instant) -> int:
    """How far Binance is above Chainlink, in millionths of the price."""
    knot, along = divmod(at, KNOT)
    before, after = (_drawn(f"{seed} basis {asset} {one}") % (2 * SPREAD + 1) - SPREAD for one in (knot, knot + 1))
    return before + (after - before) * along // KNOT


def _drawn(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
