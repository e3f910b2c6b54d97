"""What our own readers make of recorded payloads of the venue: of every message its kind and its fate.

A fate is `UNDERSTOOD`, or the reason why not. Nothing is left out: a payload that no reader of ours is for has that as
its fate.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace

from polystra.core.ids import MarketId, OrderId, TokenId
from polystra.core.markets import Market
from polystra.edge.market_channel import FrameReader, Message
from polystra.edge.polymarket.answer_wire import read_cancels, read_error, read_page, read_placement
from polystra.edge.polymarket.market_wire import (
    read_book,
    read_catalogue_entry,
    read_market_state,
    read_price_history,
    read_trading_terms,
)
from polystra.edge.polymarket.price_feed import PriceFeed
from polystra.edge.polymarket.user_frames import user_events
from polystra.edge.polymarket.wire import Unreadable, read_balance, read_fills, read_order
from polystra.edge.tapes.library import discover
from polystra.edge.tapes.unpack import lines, unpacked
from tests.edge.exchange_cases import START
from tests.edge.feed_cases import MARKET, HandTime, ScriptedDialer, Told

Fates: TypeAlias = Iterator[tuple[str, str]]
Tally: TypeAlias = Counter[tuple[str, str]]

UNDERSTOOD = "understood"
SAID_BETTER = "passed over: price_change says it too"
HISTORY = "passed over: a history has no full digits"
NO_READER = "no reader: "
NOT_UP_DOWN = "the payout of a market without Up and Down"

_SHORT = (
    ("a closed market has one for Up and Down", NOT_UP_DOWN),
    ("Object missing required field `event_type`", "no event_type"),
    ("Object missing required field `side` - at `$.maker_orders[0]`", "a maker without a side"),
    ("match_time '2024-01-01T00:00:00Z'", "match_time is no number"),
    ("Expected `str`, got `null` - at `$.orderID`", "orderID is null"),
    ("Expected `str | null`, got `array` - at `$.clobTokenIds`", "clobTokenIds is no text"),
    ("it has no acceptingOrders", "no acceptingOrders"),
    ("balance '250.500000'", "a balance with decimals"),
    ("they fall down to the best, which is last", "the best ask is not the last"),
)


# --- one payload ------------------------------------------------------------------------------------------------------


def fate_of(read: Callable[[bytes], object], raw: bytes) -> str:
    try:
        read(raw)
    except Unreadable as error:
        return next((short for needle, short in _SHORT if needle in str(error)), str(error))
    return UNDERSTOOD


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def markets_in(frames: Iterable[Any]) -> list[Market]:
    """The markets that messages are about, with the first token of each as its Up: readers are told, not asked."""
    tokens: dict[str, dict[str, None]] = defaultdict(dict)
    for message in frames:
        for one in [message, *message.get("price_changes", ())]:
            if "asset_id" in one:
                tokens[message["market"]].setdefault(one["asset_id"])
    spare = count(1)
    found = []
    for market, known in tokens.items():
        up, down = [*known, str(next(spare))][:2]
        found.append(replace(MARKET, id=MarketId(market), up_token=TokenId(up), down_token=TokenId(down)))
    return found


class MarketReader:
    """Reads the market stream as the live feed does."""

    def __init__(self, markets: Iterable[Market]) -> None:
        self._reader = FrameReader(markets)
        self._seen: Counter[str] = Counter()

    def fates(self, raw: bytes) -> Fates:
        messages = self._reader.messages(raw)
        yield from (("frame", reason) for reason in self._lost())
        for message in messages:
            yield message.event_type, self._fate(message)

    def _fate(self, message: Message) -> str:
        if self._reader.events(message, START):
            return UNDERSTOOD
        reasons = self._lost()
        if message.event_type == "best_bid_ask":
            return SAID_BETTER
        if (message.event_type == "new_market" and message.slug) or (
            message.event_type == "market_resolved" and message.winning_asset_id
        ):
            return UNDERSTOOD
        return reasons[0] if reasons else "the tick that it had"

    def _lost(self) -> list[str]:
        fresh = self._reader.skipped - self._seen
        self._seen += fresh
        return list(fresh.elements())


class PriceReader:
    """Reads the price stream as the live feed does."""

    def __init__(self, *assets: str) -> None:
        self._told = Told()
        self._feed = PriceFeed(ScriptedDialer(), "ws://venue", time=HandTime(), put=self._told.put, assets=assets)

    def fate(self, raw: bytes) -> str:
        before = self._feed.skipped.copy()
        self._feed.hear(raw)
        if self._told.take():
            return UNDERSTOOD
        return next(iter(self._feed.skipped - before), HISTORY)


# --- one file ---------------------------------------------------------------------------------------------------------


def captured_frames(path: Path) -> Fates:
    frames = [bytes(msgspec.json.decode(line, type=dict[str, msgspec.Raw])["payload"]) for _, line in lines(path)]
    reader = MarketReader(markets_in(json.loads(frame) for frame in frames))
    for frame in frames:
        yield from reader.fates(frame)


def book_windows(folder: Path) -> Fates:
    for file in discover(folder.parent):
        reader = MarketReader([file.market])
        for _, line in lines(file.path):
            yield from reader.fates(line.partition(b"\t")[2])


def session(path: Path) -> Fates:
    """Frames of five sources."""
    rows = [(row["source"], row["payload"].encode()) for row in (json.loads(line) for _, line in lines(path))]
    clob = [json.loads(raw) for source, raw in rows if source == "polymarket_clob"]
    market = MarketReader(markets_in(one for part in clob for one in (part if isinstance(part, list) else [part])))
    prices = PriceReader("BTC", "ETH", "SOL")
    for source, raw in rows:
        if source == "polymarket_rtds_chainlink":
            yield json.loads(raw)["topic"], prices.fate(raw)
        elif source != "polymarket_clob":
            yield source, f"{NO_READER}not a feed of ours"
        elif b'"event_type"' in raw:
            yield from market.fates(raw)
        else:
            yield "REST book", fate_of(read_book, raw)


def gamma_lines(path: Path) -> Fates:
    for _, line in lines(path):
        yield from gamma_market(msgspec.json.decode(line, type=dict[str, msgspec.Raw])["raw"])


def gamma_market(raw: bytes | msgspec.Raw) -> Fates:
    yield "Gamma market", fate_of(read_catalogue_entry, bytes(raw))
    yield "state of a Gamma market", fate_of(read_market_state, bytes(raw))


def gamma_markets(path: Path) -> Fates:
    """Of a market, an event, a list of either, or a search."""
    given = json.loads(content(path))
    if isinstance(given, dict):
        given = given["events"] if "pagination" in given else [given]
    for one in given:
        for market in one.get("markets", [one]):
            yield from gamma_market(encoded(market))


def each(kind: str, read: Callable[[bytes], object]) -> Callable[[Path], Fates]:
    """One payload, or a list of them."""

    def fates(path: Path) -> Fates:
        given = json.loads(content(path))
        for one in given if isinstance(given, list) else [given]:
            yield kind, fate_of(read, encoded(one))

    return fates


def nobody_reads(kind: str, why: str) -> Callable[[Path], Fates]:
    def fates(path: Path) -> Fates:
        given = json.loads(content(path))
        for _ in given if isinstance(given, list) else [given]:
            yield kind, NO_READER + why

    return fates


def market_message(path: Path) -> Fates:
    raw = content(path)
    return MarketReader(markets_in([json.loads(raw)])).fates(raw)


def price_message(path: Path) -> Fates:
    raw = content(path)
    yield json.loads(raw)["topic"], PriceReader("BTC").fate(raw)


def content(path: Path) -> bytes:
    return unpacked(path) if path.suffix == ".zst" else path.read_bytes()


def _of_user(raw: bytes) -> object:
    """A message of the user stream, all orders in it ours; what says nothing then is not understood."""
    events = user_events(raw, lambda _: OrderId(1), START)
    if not events:
        raise Unreadable("it says nothing")
    return events


def _of_trade(raw: bytes) -> object:
    """A trade as its taker has it listed."""
    return read_fills(raw, api_key=json.loads(raw)["owner"], account="")


USER_MESSAGE = each("user message", _of_user)
LISTED_TRADE = each("listed trade", _of_trade)
ORDER_LISTED = each("open order", read_order)
PAGE_OF_ROWS = each("page", read_page)
PLACED = each("answer to an order", read_placement)
CANCELLED = each("answer to a cancel", read_cancels)
REFUSED = each("error", read_error)
BALANCE = each("balance", read_balance)
REST_BOOK = each("REST book", read_book)
HISTORY_OF_PRICES = each("price history", read_price_history)
TERMS = each("terms of trade", read_trading_terms)
DATA_API = nobody_reads("row of the Data API", "the trader asks no Data API")
CLOB_MARKET = nobody_reads("market of the CLOB's list", "the trader asks Gamma and /clob-markets")
