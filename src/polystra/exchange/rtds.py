"""The older stream of prices, RTDS (`PROTOCOL.md` C.3), with its quirks.

A history comes first for every symbol that is named, that of Chainlink under the topic of Binance. A space inside a
filter gives silence, and one unknown topic refuses the whole request. A topic that nothing is known about is silent.
"""

from collections.abc import Sequence

import msgspec
from aiohttp import web

from polystra.core.units import Instant, decimal
from polystra.exchange.connections import Connection, Readers
from polystra.exchange.faults import Faults
from polystra.exchange.price_feeds import Feed, PriceBoard, Print
from polystra.exchange.replies import Routes
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE, Json, encode, number

PRICES = "prices"

_BINANCE = "crypto_prices"
TOPICS: dict[str, Feed | None] = {
    _BINANCE: Feed.BINANCE,
    "crypto_prices_chainlink": Feed.CHAINLINK,
    "crypto_prices_twap_thirty": Feed.TWAP_30,
    "crypto_prices_twap_sixty": Feed.TWAP_60,
    "equity_prices": None,
    "comments": None,
}
"""What each topic tells; None is silent here."""

_NAMES = {feed: topic for topic, feed in TOPICS.items() if feed is not None}
_WINDOWS = {Feed.TWAP_30: 30, Feed.TWAP_60: 60}
_UNKNOWN_TOPIC: Json = {"statusCode": 401, "body": {"message": "unknown topic"}}
"""The status is observed, the words are ours."""

_MILLISECOND = 1_000_000


class _Reader(msgspec.Struct, eq=False):
    """`symbols` are those named of each feed, None for all."""

    connection: Connection
    name: str
    symbols: dict[Feed, set[str] | None] = {}

    def wants(self, told: Print) -> bool:
        named = self.symbols.get(told.feed, set())
        return named is None or symbol(told.feed, told.asset) in named


class RtdsStream:
    """Needs no key."""

    def __init__(self, venue: Venue, faults: Faults, board: PriceBoard) -> None:
        self._venue = venue
        self._faults = faults
        self._board = board
        self._readers = Readers[_Reader]()
        self._connected = 0
        board.listeners.append(self._tell)

    def routes(self) -> Routes:
        return [web.get("/prices/rtds", self.connect)]

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        self._connected += 1
        reader = _Reader(Connection(PRICES, request, self._faults), f"{PRICES}-{self._connected}")
        return await self._readers.serve(reader, self._hear)

    def close_all(self) -> None:
        self._readers.close_all()

    def _hear(self, reader: _Reader, text: str) -> None:
        """What is no request is ignored."""
        try:
            asked = _frame(text)
        except UNREADABLE:
            return
        if any(one.topic not in TOPICS for one in asked.subscriptions):
            reader.connection.put(encode(_UNKNOWN_TOPIC))
            return
        for one in asked.subscriptions:
            feed = TOPICS[one.topic]
            if feed is None or one.type not in ("update", "*"):
                continue
            named = _named(one.filters)
            if asked.action == "subscribe":
                self._subscribe(reader, feed, named)
            elif asked.action == "unsubscribe":
                _unsubscribe(reader, feed, named)

    def _subscribe(self, reader: _Reader, feed: Feed, named: set[str] | None) -> None:
        if named is None:
            reader.symbols[feed] = None
            return
        before = reader.symbols.setdefault(feed, set())
        if before is not None:
            before |= named
        for wanted in sorted(named):
            points = self._board.recent(feed, _asset(wanted))
            if points and symbol(feed, points[0].asset) == wanted:
                reader.connection.put(encode(_history(wanted, points, self._venue.now())))

    def _tell(self, told: Print) -> None:
        wanted = [reader for reader in self._readers if reader.wants(told)]
        if wanted:
            update = _update(told, self._venue.now())
            for reader in wanted:
                reader.connection.put(encode({"connection_id": reader.name, **update}))


def symbol(feed: Feed, asset: str) -> str:
    """An asset as the feed calls it: `btcusdt` of Binance, `btc/usd` of Chainlink."""
    return f"{asset.lower()}usdt" if feed is Feed.BINANCE else f"{asset.lower()}/usd"


def full_accuracy(feed: Feed, value: int) -> str:
    """Binance's price is a decimal with eight digits, those of Chainlink are integers of 18 decimals."""
    return f"{decimal(value):.8f}" if feed is Feed.BINANCE else str(value * 10**12)


def _update(told: Print, now: Instant) -> Json:
    payload: Json = {
        "full_accuracy_value": full_accuracy(told.feed, told.value),
        "symbol": symbol(told.feed, told.asset),
        "timestamp": told.at // _MILLISECOND,
        "value": number(told.value),
    }
    if told.feed in _WINDOWS:
        payload["window_s"] = _WINDOWS[told.feed]
    return {"payload": payload, "timestamp": now // _MILLISECOND, "topic": _NAMES[told.feed], "type": "update"}


def _history(wanted: str, points: Sequence[Print], now: Instant) -> Json:
    feed = points[0].feed
    data = [{"timestamp": point.at // _MILLISECOND, "value": number(point.value)} for point in points]
    topic = _BINANCE if feed is Feed.CHAINLINK else _NAMES[feed]
    return {
        "payload": {"data": data, "symbol": wanted},
        "timestamp": now // _MILLISECOND,
        "topic": topic,
        "type": "subscribe",
    }


def _unsubscribe(reader: _Reader, feed: Feed, named: set[str] | None) -> None:
    before = reader.symbols.get(feed)
    if named is None or before is None:
        reader.symbols.pop(feed, None)
    else:
        before -= named


def _named(filters: str) -> set[str] | None:
    """The symbols of a filter, `{"symbol":"btc/usd"}` or `btcusdt,ethusdt`; None for all."""
    if not filters:
        return None
    if not filters.startswith("{"):
        return set(filters.split(","))
    if " " in filters:
        return set()
    try:
        named = _filter(filters).symbol
    except UNREADABLE:
        return set()
    return {named} if named else None


def _asset(wanted: str) -> str:
    return wanted.removesuffix("usdt").removesuffix("/usd").upper()


class _Subscription(msgspec.Struct):
    topic: str
    type: str = "*"
    filters: str = ""


class _Frame(msgspec.Struct):
    action: str = ""
    subscriptions: list[_Subscription] = []


class _Filter(msgspec.Struct):
    symbol: str = ""


_frame = msgspec.json.Decoder(_Frame).decode
_filter = msgspec.json.Decoder(_Filter).decode
