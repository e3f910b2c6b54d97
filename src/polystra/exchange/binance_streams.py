"""Binance's public streams: `aggTrade`, `bookTicker`, `kline_1m` and `kline_1h` of each coin.

`/ws/<stream>` tells bare events, `/stream?streams=<a>/<b>` wraps each with its stream's name, and either takes requests
to subscribe later. A stream that does not exist is accepted and silent, as there. Frames come with the trades: a candle
that ended is told with the first trade after it. Not here: the ping every 20 seconds, the limit of 5 requests a second
and the end after 24 hours.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec
from aiohttp import web

from polystra.core.units import Instant
from polystra.exchange.binance import MILLISECOND, last_moment, symbol_of
from polystra.exchange.connections import Connection, Readers
from polystra.exchange.faults import Faults
from polystra.exchange.replies import Routes
from polystra.exchange.spot import COINS, SpotCandle, SpotMarket, SpotTrade, Told
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE, Json, decimal_text, encode

BINANCE = "binance"

_METHODS = "SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY, GET_PROPERTY"
_COMBINED = "combined"
_SIZE = 1_000_000
"""Shown at the best prices, which nothing is known about: one coin."""


class _Reader(msgspec.Struct, eq=False):
    connection: Connection
    combined: bool
    streams: dict[str, None]

    def answer(self, asked: "_Frame", result: object) -> None:
        self.connection.put(encode({"result": result, "id": asked.id}))

    def refuse(self, asked: "_Frame | None", code: int, text: str) -> None:
        error: Json = {"error": {"code": code, "msg": text}}
        self.connection.put(encode(error if asked is None else {**error, "id": asked.id}))


class BinanceStream:
    """Its routes stand below a prefix of their own. Needs no key."""

    def __init__(self, venue: Venue, faults: Faults, spot: SpotMarket) -> None:
        self._venue = venue
        self._faults = faults
        self._readers = Readers[_Reader]()
        self._acts: dict[str, Callable[[_Reader, _Frame], None]] = {
            "SUBSCRIBE": _subscribe,
            "UNSUBSCRIBE": _unsubscribe,
            "LIST_SUBSCRIPTIONS": lambda reader, asked: reader.answer(asked, list(reader.streams)),
            "SET_PROPERTY": _set_property,
            "GET_PROPERTY": _get_property,
        }
        spot.listeners.append(self._tell)

    def routes(self) -> Routes:
        return [
            web.get("/ws", self.bare),
            web.get("/ws/{streams:.+}", self.bare),
            web.get("/stream", self.wrapped),
        ]

    async def bare(self, request: web.Request) -> web.WebSocketResponse:
        return await self._serve(request, request.match_info.get("streams", ""), combined=False)

    async def wrapped(self, request: web.Request) -> web.WebSocketResponse:
        return await self._serve(request, request.query.get("streams", ""), combined=True)

    async def _serve(self, request: web.Request, named: str, *, combined: bool) -> web.WebSocketResponse:
        streams = dict.fromkeys(filter(None, named.split("/")))
        reader = _Reader(Connection(BINANCE, request, self._faults), combined, streams)
        return await self._readers.serve(reader, self._hear)

    def close_all(self) -> None:
        self._readers.close_all()

    def _hear(self, reader: _Reader, text: str) -> None:
        try:
            asked = _frame(text)
        except msgspec.ValidationError as error:
            reader.refuse(None, 2, f"Invalid request: {error}")
            return
        except UNREADABLE as error:
            reader.refuse(None, 3, f"Invalid JSON: {error}")
            return
        act = self._acts.get(asked.method)
        if act is None:
            reader.refuse(asked, 2, f"Invalid request: unknown variant {asked.method}, expected one of {_METHODS}")
        else:
            act(reader, asked)

    def _tell(self, told: Told) -> None:
        if self._readers:
            events = [(name, event) for name, event in _events(told, self._venue.now())]
            for reader in self._readers:
                for name, event in events:
                    if name in reader.streams:
                        reader.connection.put(encode({"stream": name, "data": event} if reader.combined else event))


# --- requests


def _subscribe(reader: _Reader, asked: "_Frame") -> None:
    if not _names(asked):
        reader.refuse(asked, 2, "Invalid request: missing field `params`")
        return
    reader.streams.update(dict.fromkeys(_names(asked)))
    reader.answer(asked, None)


def _unsubscribe(reader: _Reader, asked: "_Frame") -> None:
    for name in _names(asked):
        reader.streams.pop(name, None)
    reader.answer(asked, None)


def _set_property(reader: _Reader, asked: "_Frame") -> None:
    match asked.params:
        case ["combined", bool(combined)]:
            reader.combined = combined
            reader.answer(asked, None)
        case ["combined", *_]:
            reader.refuse(asked, 1, "Invalid value type: expected Boolean")
        case _:
            reader.refuse(asked, 0, "Unknown property")


def _get_property(reader: _Reader, asked: "_Frame") -> None:
    if asked.params == [_COMBINED]:
        reader.answer(asked, reader.combined)
    else:
        reader.refuse(asked, 0, "Unknown property")


def _names(asked: "_Frame") -> list[str]:
    return [one for one in asked.params if isinstance(one, str)]


# --- events


def _events(told: Told, now: Instant) -> Iterator[tuple[str, Json]]:
    """All that a trade gives rise to, with the streams that tell it."""
    trade = told.trade
    coin = symbol_of(trade.asset).lower()
    yield f"{coin}@aggTrade", _trade(trade, now)
    yield f"{coin}@bookTicker", _best(trade)
    for interval, growing in told.growing.items():
        name = f"{coin}@kline_{interval}"
        for ended in told.ended[interval]:
            yield name, _candle(trade.asset, interval, ended, now, ended=True)
        yield name, _candle(trade.asset, interval, growing, now, ended=False)


def _trade(trade: SpotTrade, now: Instant) -> Json:
    return {
        "e": "aggTrade",
        "E": now // MILLISECOND,
        "s": symbol_of(trade.asset),
        "a": trade.number,
        "p": decimal_text(trade.price),
        "q": decimal_text(trade.size),
        "f": trade.number,
        "l": trade.number,
        "T": trade.at // MILLISECOND,
        "m": trade.buyer_made,
        "M": True,
    }


def _best(trade: SpotTrade) -> Json:
    """The trade was at one of the two best prices, which are one step apart."""
    step = COINS[trade.asset]
    bid = trade.price - step if not trade.buyer_made else trade.price
    return {
        "u": trade.number,
        "s": symbol_of(trade.asset),
        "b": decimal_text(bid),
        "B": decimal_text(_SIZE),
        "a": decimal_text(bid + step),
        "A": decimal_text(_SIZE),
    }


def _candle(asset: str, interval: str, one: SpotCandle, now: Instant, *, ended: bool) -> Json:
    """Without a trade the numbers are -1."""
    shown: Mapping[str, object] = {
        "t": one.at // MILLISECOND,
        "T": last_moment(one, interval),
        "s": symbol_of(asset),
        "i": interval,
        "f": one.first if one.trades else -1,
        "L": one.first + one.trades - 1 if one.trades else -1,
        "o": decimal_text(one.open),
        "c": decimal_text(one.close),
        "h": decimal_text(one.high),
        "l": decimal_text(one.low),
        "v": decimal_text(one.volume),
        "n": one.trades,
        "x": ended,
        "q": decimal_text(one.quote),
        "V": decimal_text(one.taken),
        "Q": decimal_text(one.taken_quote),
        "B": "0",
    }
    return {"e": "kline", "E": now // MILLISECOND, "s": symbol_of(asset), "k": shown}


class _Frame(msgspec.Struct):
    method: str
    params: list[object] = []
    id: int | str | None = None


_frame = msgspec.json.Decoder(_Frame).decode
