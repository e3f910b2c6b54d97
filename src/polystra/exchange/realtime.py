"""The stream of prices with sequence numbers (`PROTOCOL.md` C.4): a member shows its API key, then names channels.

`price.crypto` tells Chainlink's spot price, whatever provider is preferred, and says so as its source;
`price.crypto.twap` the average of 60 seconds. Channels of equities are accepted and silent. The public best prices
(`price.polymarket`) are not here, nor the limit of 20 frames a second.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

from polystra.core.units import Instant, show
from polystra.exchange.connections import Connection, Readers
from polystra.exchange.faults import Faults
from polystra.exchange.price_feeds import Feed, PriceBoard, Print
from polystra.exchange.replies import Routes
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE, Json, encode, number

REALTIME = "realtime"
MOST_SUBSCRIPTIONS = 64
MOST_ATTEMPTS = 8
TURNED_AWAY = 4001
"""The close code after too many wrong keys; the official client does not come back after it."""

_TWAP = "price.crypto.twap"
CHANNELS: dict[str, Feed | None] = {
    "price.crypto": Feed.CHAINLINK,
    _TWAP: Feed.TWAP_60,
    "price.equity": None,
    "price.equity.twap": None,
}
"""What each channel tells; None is silent here."""

_NAMES = {feed: channel for channel, feed in CHANNELS.items() if feed is not None}
_SOURCE = "chainlink"
_PROVIDERS = (None, "chainlink", "pyth")
_WINDOW = 60
_MILLISECOND = 1_000_000


class _Reader(msgspec.Struct, eq=False):
    connection: Connection
    known: bool = False
    attempts: int = 0
    wanted: dict[tuple[str, str], None] = {}
    told: Counter[str] = msgspec.field(default_factory=Counter)

    def say(self, op: str, rid: str, **more: object) -> None:
        self.connection.put(encode({"op": op, **({"rid": rid} if rid else {}), **more}))

    def tell(self, channel: str, payload: Json, now: Instant, *, snapshot: bool) -> None:
        """Numbers run by channel and connection, from 1."""
        self.told[channel] += 1
        envelope: Json = {
            "v": 1,
            "channel": channel,
            "seq": self.told[channel],
            "ts": now // _MILLISECOND,
            "snapshot": snapshot,
            "dropped": 0,
            "payload": payload,
        }
        self.connection.put(encode(envelope))


class RealtimeStream:
    def __init__(self, venue: Venue, faults: Faults, board: PriceBoard) -> None:
        self._venue = venue
        self._faults = faults
        self._board = board
        self._readers = Readers[_Reader]()
        self._acts: dict[str, Callable[[_Reader, _Frame], None]] = {
            "auth": self._identify,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "ping": lambda reader, asked: reader.say("pong", asked.rid),
        }
        board.listeners.append(self._tell)

    def routes(self) -> Routes:
        return [web.get("/prices/realtime", self.connect)]

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        reader = _Reader(Connection(REALTIME, request, self._faults))
        return await self._readers.serve(reader, self._hear)

    def close_all(self) -> None:
        self._readers.close_all()

    # --- what clients say

    def _hear(self, reader: _Reader, text: str) -> None:
        try:
            asked = _frame(text)
        except UNREADABLE:
            reader.say("error", "", code="bad_op")
            return
        act = self._acts.get(asked.op)
        if act is None:
            reader.say("error", asked.rid, code="bad_op")
        elif asked.op in ("subscribe", "unsubscribe") and not reader.known:
            reader.say("error", asked.rid, code="auth_required")
        else:
            act(reader, asked)

    def _identify(self, reader: _Reader, asked: "_Frame") -> None:
        shown = asked.auth
        if self._venue.members.identified(shown.apiKey, shown.secret, shown.passphrase) is not None:
            reader.known = True
            reader.say("authed", asked.rid)
            return
        reader.attempts += 1
        if reader.attempts < MOST_ATTEMPTS:
            reader.say("error", asked.rid, code="auth_invalid")
            return
        reader.say("error", asked.rid, code="auth_attempts")
        reader.connection.close(TURNED_AWAY)

    def _subscribe(self, reader: _Reader, asked: "_Frame") -> None:
        """An answer for each, in their order; a history follows where there is one."""
        for one in asked.subscriptions:
            key = (one.channel, one.filter.symbol.lower())
            refusal = _refusal(one)
            if refusal is None and key not in reader.wanted and len(reader.wanted) >= MOST_SUBSCRIPTIONS:
                refusal = "sub_limit"
            if refusal is not None:
                reader.say("error", asked.rid, channel=one.channel, code=refusal)
                continue
            reader.wanted[key] = None
            reader.say("subscribed", asked.rid, channel=one.channel)
            self._tell_history(reader, *key)

    def _unsubscribe(self, reader: _Reader, asked: "_Frame") -> None:
        for one in asked.subscriptions:
            reader.wanted.pop((one.channel, one.filter.symbol.lower()), None)
            reader.say("unsubscribed", asked.rid, channel=one.channel)

    # --- news

    def _tell_history(self, reader: _Reader, channel: str, symbol: str) -> None:
        feed = CHANNELS[channel]
        points = self._board.recent(feed, symbol.removesuffix("usd").upper()) if feed is not None else ()
        if points:
            reader.tell(channel, _history(symbol, points), self._venue.now(), snapshot=True)

    def _tell(self, told: Print) -> None:
        channel = _NAMES.get(told.feed)
        if channel is None:
            return
        symbol = f"{told.asset.lower()}usd"
        for reader in self._readers:
            if (channel, symbol) in reader.wanted:
                payload = {"symbol": symbol, "source": _SOURCE, **_window(told.feed), **_point(told)}
                reader.tell(channel, payload, self._venue.now(), snapshot=False)


def _refusal(asked: "_Subscription") -> str | None:
    if asked.channel not in CHANNELS:
        return "bad_channel"
    wanted = asked.filter
    window = _WINDOW if asked.channel.endswith(".twap") else None
    fits = wanted.symbol and wanted.provider in _PROVIDERS and wanted.window_seconds in (None, window)
    return None if fits else "bad_filter"


def _history(symbol: str, points: Sequence[Print]) -> Json:
    return {
        "symbol": symbol,
        "source": _SOURCE,
        **_window(points[0].feed),
        "data": [_point(point) for point in points],
    }


def _window(feed: Feed) -> Json:
    return {"window_seconds": _WINDOW} if feed is Feed.TWAP_60 else {}


def _point(told: Print) -> Json:
    return {
        "value": number(told.value),
        "full_accuracy_value": show(told.value),
        "timestamp": told.at // _MILLISECOND,
    }


class _Shown(msgspec.Struct):
    apiKey: str = ""  # noqa: N815 - the venue's spelling
    secret: str = ""
    passphrase: str = ""


class _Asked(msgspec.Struct):
    symbol: str = ""
    provider: str | None = None
    window_seconds: int | None = None


class _Subscription(msgspec.Struct):
    channel: str
    filter: _Asked = msgspec.field(default_factory=_Asked)


class _Frame(msgspec.Struct):
    op: str
    rid: str = ""
    auth: _Shown = msgspec.field(default_factory=_Shown)
    subscriptions: list[_Subscription] = []


_frame = msgspec.json.Decoder(_Frame).decode
