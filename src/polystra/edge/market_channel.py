"""Translates messages of the market channel (`PROTOCOL.md` C.1) into core events, in Up terms, in order of arrival.

A message may be an object or an array of objects; every number in it is text of varying form ("0.5", ".5", "0.50").
What cannot be understood whole is left out whole and counted with its reason: half a book is worse than none, and
nothing the venue sends may stop the reader.
"""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

import msgspec
from msgspec import Struct

from polystra.core.events import BookChanged, BookSnapshot, Level, LevelChange, TickSizeChanged, TradePrinted
from polystra.core.ids import MarketId
from polystra.core.markets import Market
from polystra.core.terms import Outcome, Side
from polystra.core.units import MICRO, Instant, Price, Shares, Tick, mirror
from polystra.edge.numbers import Unreadable, number

NOT_JSON = "not JSON"
MALFORMED = "not a market message"
OTHER_MARKET = "another market"
UNKNOWN_TYPE = "unknown event type"
UNUSED_TYPES = frozenset({"best_bid_ask", "new_market", "market_resolved"})
"""Messages that say nothing about a book or a trade; counted under their own name."""

_SIDES = {side.value: side for side in Side}
_MILLISECOND = 1_000_000
_LONGEST_STAMP = 24

FrameEvent = BookSnapshot | BookChanged | TradePrinted | TickSizeChanged


class _Level(Struct, gc=False):
    price: str
    size: str


class _Change(Struct, gc=False):
    price: str
    size: str
    side: str
    asset_id: str | None = None
    best_bid: str | None = None
    best_ask: str | None = None


class Message(Struct, gc=False):
    """What a frame carries one or several of, as the venue wrote it."""

    event_type: str
    asset_id: str | None = None
    timestamp: str | None = None
    bids: list[_Level] | None = None
    asks: list[_Level] | None = None
    price_changes: list[_Change] | None = None
    changes: list[_Change] | None = None
    price: str | None = None
    size: str | None = None
    side: str | None = None
    tick_size: str | None = None
    new_tick_size: str | None = None
    slug: str | None = None
    winning_asset_id: str | None = None


_decode = msgspec.json.Decoder(Message).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


class FrameReader:
    """Reads messages about the markets it follows. Remembers nothing of a book, only each market's tick."""

    def __init__(self, markets: Iterable[Market] = ()) -> None:
        self.skipped: Counter[str] = Counter()
        self._tokens: dict[str, tuple[MarketId, bool]] = {}
        self._ticks: dict[MarketId, Tick] = {}
        for market in markets:
            self.follow(market)

    def follow(self, market: Market) -> None:
        for outcome in Outcome:
            self._tokens[market.token(outcome)] = (market.id, outcome is Outcome.UP)
        self._ticks[market.id] = market.tick

    def forget(self, market: Market) -> None:
        for outcome in Outcome:
            self._tokens.pop(market.token(outcome), None)
        self._ticks.pop(market.id, None)

    def read(self, raw: bytes | str, at: Instant) -> list[FrameEvent]:
        """The events of one frame, all `at` the moment it arrived; what is left out is counted in `skipped`."""
        return [event for message in self.messages(raw) for event in self.events(message, at)]

    def messages(self, raw: bytes | str) -> list[Message]:
        """What can be read of a frame, whatever it is about."""
        if raw[:64].lstrip()[:1] not in (b"[", "["):
            return self._message(raw)
        try:
            parts = _decode_array(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            self.skipped[NOT_JSON] += 1
            return []
        return [message for part in parts for message in self._message(part)]

    def events(self, message: Message, at: Instant) -> list[FrameEvent]:
        """The events of one message; what is left out is counted."""
        try:
            return self._events(message, at)
        except Unreadable as reason:
            self.skipped[str(reason)] += 1
            return []

    def market_of(self, token: str | None) -> tuple[MarketId, bool] | None:
        """The followed market that a token belongs to, and whether it is its Up."""
        return self._tokens.get(token or "")

    def _message(self, raw: bytes | str | msgspec.Raw) -> list[Message]:
        try:
            return [_decode(raw)]
        except msgspec.ValidationError:
            self.skipped[MALFORMED] += 1
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            self.skipped[NOT_JSON] += 1
        return []

    def _events(self, message: Message, at: Instant) -> list[FrameEvent]:
        match message.event_type:
            case "price_change":
                return self._changes(message, at)
            case "book":
                return self._book(message, at)
            case "last_trade_price":
                return [self._trade(message, at)]
            case "tick_size_change":
                return self._tick(self._market(message)[0], message.new_tick_size, at)
            case kind:
                raise Unreadable(kind if kind in UNUSED_TYPES else UNKNOWN_TYPE)

    def _market(self, message: Message) -> tuple[MarketId, bool]:
        known = self.market_of(message.asset_id)
        if known is None:
            raise Unreadable(OTHER_MARKET)
        return known

    def _book(self, message: Message, at: Instant) -> list[FrameEvent]:
        market, up = self._market(message)
        if message.bids is None or message.asks is None:
            raise Unreadable("book without a side")
        bids, asks = (message.bids, message.asks) if up else (message.asks, message.bids)
        snapshot = BookSnapshot(
            at=at,
            market=market,
            bids=_side(bids, up=up, best_is_highest=True),
            asks=_side(asks, up=up, best_is_highest=False),
            venue_at=_venue_time(message.timestamp),
        )
        tick = self._tick(market, message.tick_size, at) if message.tick_size is not None else []
        return [*tick, snapshot]

    def _changes(self, message: Message, at: Instant) -> list[FrameEvent]:
        """One event a market, its entries in Up terms; of a token's entry and the other's echo of it one is kept."""
        entries = message.price_changes if message.price_changes is not None else message.changes
        if not entries:
            raise Unreadable("price_change without changes")
        venue_at = _venue_time(message.timestamp)
        grouped: dict[MarketId, tuple[list[LevelChange], _Change, bool]] = {}
        for entry in entries:
            known = self._tokens.get(entry.asset_id or message.asset_id or "")
            if known is None:
                continue
            market, up = known
            change = _change(entry, up)
            earlier = grouped.get(market)
            changes = earlier[0] if earlier else []
            if not changes or changes[-1] != change:
                changes.append(change)
            grouped[market] = (changes, entry, up)
        if not grouped:
            raise Unreadable(OTHER_MARKET)
        return [_changed(at, venue_at, market, *group) for market, group in grouped.items()]

    def _trade(self, message: Message, at: Instant) -> TradePrinted:
        market, up = self._market(message)
        taker = _side_of(message.side, up) if message.side else None
        price = _inside(message.price)
        size = number(message.size, "size")
        if size == 0:
            raise Unreadable("trade of no size")
        return TradePrinted(at=at, market=market, price=price if up else mirror(price), size=Shares(size), taker=taker)

    def _tick(self, market: MarketId, text: str | None, at: Instant) -> list[FrameEvent]:
        size = number(text, "tick size")
        if not 0 < size < MICRO or MICRO % size:
            raise Unreadable("tick size")
        tick = Tick(Price(size))
        if tick == self._ticks[market]:
            return []
        self._ticks[market] = tick
        return [TickSizeChanged(at=at, market=market, tick=tick)]


def _changed(
    at: Instant, venue_at: Instant | None, market: MarketId, changes: list[LevelChange], last: _Change, up: bool
) -> BookChanged:
    bid, ask = _best(last.best_bid), _best(last.best_ask)
    if not up:
        bid, ask = (None if ask is None else mirror(ask)), (None if bid is None else mirror(bid))
    return BookChanged(at=at, market=market, changes=tuple(changes), best_bid=bid, best_ask=ask, venue_at=venue_at)


def _change(entry: _Change, up: bool) -> LevelChange:
    price, size = _level(entry.price, entry.size) if up else _mirrored_level(entry.price, entry.size)
    return LevelChange(_side_of(entry.side, up), price, size)


def _side(levels: list[_Level], *, up: bool, best_is_highest: bool) -> tuple[Level, ...]:
    """One side best first; raises `Unreadable` for a price named twice. A level of no size is no level."""
    read = _level if up else _mirrored_level
    ladder = [read(level.price, level.size) for level in levels]
    if len({price for price, _ in ladder}) != len(ladder):
        raise Unreadable("price named twice")
    ladder.sort(reverse=best_is_highest)
    return tuple([level for level in ladder if level[1]])


@lru_cache(maxsize=1 << 16)
def _level(price: str, size: str) -> Level:
    return _inside(price), Shares(number(size, "size"))


@lru_cache(maxsize=1 << 16)
def _mirrored_level(price: str, size: str) -> Level:
    inside, shares = _level(price, size)
    return mirror(inside), shares


@lru_cache(maxsize=1 << 12)
def _inside(text: str | None) -> Price:
    price = number(text, "price")
    if not 0 < price < MICRO:
        raise Unreadable("price")
    return Price(price)


@lru_cache(maxsize=1 << 12)
def _best(text: str | None) -> Price | None:
    """A best price as the message states it: 0 and 1 stand for an empty side."""
    if not text:
        return None
    best = number(text, "best price")
    if best > MICRO:
        raise Unreadable("best price")
    return Price(best)


def _side_of(text: str | None, up: bool) -> Side:
    side = _SIDES.get(text or "")
    if side is None:
        raise Unreadable("side")
    return side if up else side.other


def _venue_time(text: str | None) -> Instant | None:
    if text is None:
        return None
    if len(text) > _LONGEST_STAMP or not text.isascii() or not text.isdecimal():
        raise Unreadable("timestamp")
    stamp = int(text) * _MILLISECOND
    if stamp >= 1 << 63:
        raise Unreadable("timestamp")
    return Instant(stamp)
