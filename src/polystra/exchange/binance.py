"""Binance's public REST (`/api/v3`), as far as candles and prices go: a bot finds it by another base URL.

Refusals have Binance's codes and words. A symbol that nobody has told a price of has no candles, and no price either.
"""

from collections.abc import Sequence

from aiohttp import web

from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.spot import COINS, INTERVALS, KEPT, SpotCandle, SpotMarket, SpotTrade
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json, decimal_text

CANDLES = 500
"""In an answer, unless more or fewer are asked for."""

MILLISECOND = 1_000_000

_SYMBOLS = {f"{asset}USDT": asset for asset in COINS}


class BinanceRest:
    """Its routes stand below a prefix of their own."""

    def __init__(self, venue: Venue, spot: SpotMarket) -> None:
        self._venue = venue
        self._spot = spot

    def routes(self) -> Routes:
        return [
            web.get("/api/v3/ping", self.ping),
            web.get("/api/v3/time", self.time),
            web.get("/api/v3/ticker/price", self.price),
            web.get("/api/v3/klines", self.candles),
        ]

    async def ping(self, _: web.Request) -> web.Response:
        return reply({})

    async def time(self, _: web.Request) -> web.Response:
        return reply({"serverTime": self._venue.now() // MILLISECOND})

    async def price(self, request: web.Request) -> web.Response:
        """Of one symbol, or of all."""
        if "symbol" not in request.query:
            known = (self._spot.last(asset) for asset in COINS)
            return reply([_price(trade) for trade in known if trade is not None])
        trade = self._spot.last(_asset(request))
        if trade is None:
            raise refused(-1121, "Invalid symbol.")
        return reply(_price(trade))

    async def candles(self, request: web.Request) -> web.Response:
        """With a start the oldest from there on, otherwise the newest; start and end are about a candle's first
        moment, both included."""
        asset, interval = _asset(request), request.query.get("interval", "")
        if not interval:
            raise missing("interval")
        if interval not in INTERVALS:
            raise refused(-1120, "Invalid interval.")
        start, end = _number(request, "startTime"), _number(request, "endTime")
        limit = min(_number(request, "limit") or CANDLES, KEPT)
        self._venue.advance()
        known = [
            one
            for one in self._spot.candles(asset, interval, self._venue.now())
            if (start is None or one.at >= start * MILLISECOND) and (end is None or one.at <= end * MILLISECOND)
        ]
        return reply([_row(one, interval) for one in _cut(known, limit, oldest=start is not None)])


def symbol_of(asset: str) -> str:
    return f"{asset}USDT"


def last_moment(candle: SpotCandle, interval: str) -> int:
    """The last millisecond that belongs to it."""
    return (candle.at + INTERVALS[interval]) // MILLISECOND - 1


def refused(code: int, text: str) -> Refused:
    """In Binance's form."""
    error = Refused(400, text)
    error.body = {"code": code, "msg": text}
    return error


def missing(name: str) -> Refused:
    return refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def _cut(known: Sequence[SpotCandle], limit: int, *, oldest: bool) -> Sequence[SpotCandle]:
    return known[:limit] if oldest else known[-limit:]


def _price(trade: SpotTrade) -> Json:
    return {"symbol": symbol_of(trade.asset), "price": decimal_text(trade.price)}


def _row(one: SpotCandle, interval: str) -> list[object]:
    return [
        one.at // MILLISECOND,
        decimal_text(one.open),
        decimal_text(one.high),
        decimal_text(one.low),
        decimal_text(one.close),
        decimal_text(one.volume),
        last_moment(one, interval),
        decimal_text(one.quote),
        one.trades,
        decimal_text(one.taken),
        decimal_text(one.taken_quote),
        "0",
    ]


def _asset(request: web.Request) -> str:
    name = request.query.get("symbol", "")
    if not name:
        raise missing("symbol")
    asset = _SYMBOLS.get(name)
    if asset is None:
        raise refused(-1121, "Invalid symbol.")
    return asset


def _number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(text)
