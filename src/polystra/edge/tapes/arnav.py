"""Reads event tapes of 5m windows of the 60 s TWAP era: `window_<slug>.json.zst`, one object a file; and
`window_labels.csv.zst`, official results without a tape.

Prices of BTC cover the whole span, trades from the window's start, best prices (without sizes) its last 90 s. The
strike is not a fact of the market here: it is the TWAP stamped at the window's start, as an event. The venue's own
price to beat, published afterwards, stands beside the tape in `official`.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from polystra.core.events import BestQuoted, PricePrinted, TradePrinted
from polystra.core.markets import Market, Payout, PriceSource
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Price, Shares, Usd, mirror
from polystra.edge.numbers import Unreadable, number
from polystra.edge.tapes.facts import window_market
from polystra.edge.tapes.format import OFFICIAL, OfficialPrices, RecordingError, Tape, TapeEvent, TapeFile, tape_from
from polystra.edge.tapes.unpack import FETCH_AGAIN, beginning, unpacked

WINDOWS = "window_*.json.zst"
LABELS = "window_labels.csv.zst"
ATTRIBUTION = "arnavbhatia1/PolyBot: no licence stated; recording of public API output, not for redistribution"

_NANOS = 1_000_000_000
_EVENTS = b'"events":'
_SOURCES = {
    "s": PriceSource.BINANCE_SPOT,
    "l": PriceSource.CHAINLINK_SPOT,
    "t": PriceSource.CHAINLINK_TWAP_60,
}
_TOP_PRICE = Decimal(10) ** 12


class WindowLabel(Struct, frozen=True):
    """The official result of one window."""

    slug: str
    payout: Payout
    prices: OfficialPrices


class _Label(Struct):
    resolved_up: int
    final_price: Decimal
    price_to_beat: Decimal


class _Head(Struct):
    cid: str
    token_up: str
    token_down: str
    label: _Label


class _Recording(_Head):
    events: list[list[Any]]


_decode = msgspec.json.Decoder(_Recording, float_hook=Decimal).decode


def tape_files(folder: Path) -> list[TapeFile]:
    """One window a file, described by what stands before its events."""
    return [_tape_file(folder, path) for path in folder.glob(WINDOWS)]


def labels(folder: Path) -> Iterator[WindowLabel]:
    """The table of official results; raises `RecordingError` for a row that is none."""
    path = folder / LABELS
    try:
        table = csv.DictReader(io.StringIO(unpacked(path).decode()))
        for row in table:
            up = {"1": MICRO, "0": 0}[row["resolved_up"]]
            prices = OfficialPrices(_dollars(row["price_to_beat"]), _dollars(row["final_price"]))
            yield WindowLabel(row["window_id"], Payout(Usd(up)), prices)
    except KeyError as missing:
        raise RecordingError(path, f"no column or value {missing}", FETCH_AGAIN) from None
    except (UnicodeError, csv.Error, Unreadable) as error:
        raise RecordingError(path, f"not a table of labels ({error})", FETCH_AGAIN) from None


def millionths(dollars: Decimal) -> int:
    """Millionths of a USD, rounded half to even: the feed has more digits than we keep."""
    return int((dollars * MICRO).to_integral_value())


def _tape_file(folder: Path, path: Path) -> TapeFile:
    head, found, _ = beginning(path).partition(_EVENTS)
    try:
        if not found:
            raise ValueError("no events in its first block")
        about = msgspec.json.decode(head.rstrip(b", \n") + b"}", type=_Head)
        market = window_market(
            about.cid, condition=None, tokens={Outcome.UP: about.token_up, Outcome.DOWN: about.token_down}
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise RecordingError(path, f"not a recorded window ({error})", FETCH_AGAIN) from None
    return TapeFile(
        market=market,
        payout=Payout(Usd(MICRO if about.label.resolved_up else 0)),
        payout_source=OFFICIAL,
        source=folder.name,
        attribution=ATTRIBUTION,
        path=path,
        has_trades=True,
        has_sizes=False,
        read=_load,
    )


def _load(file: TapeFile) -> Tape:
    try:
        recording = _decode(unpacked(file.path))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise RecordingError(file.path, f"not a recorded window ({error})", FETCH_AGAIN) from None
    label = recording.label
    try:
        official = OfficialPrices(_dollars(label.price_to_beat), _dollars(label.final_price))
    except Unreadable as reason:
        raise RecordingError(file.path, f"its label has no {reason}", FETCH_AGAIN) from None
    skipped: Counter[str] = Counter()
    rows: list[TapeEvent] = []
    quoted: BestQuoted | None = None
    for event in _read(file.market, recording.events, skipped):
        if isinstance(event, BestQuoted):
            if event == quoted:
                skipped["repeats the quote of its instant"] += 1
                continue
            quoted = event
        rows.append(event)
    return tape_from(file, rows, skipped=skipped, strike=millionths(official.price_to_beat), official=official)


def _read(market: Market, events: list[list[Any]], skipped: Counter[str]) -> Iterator[TapeEvent]:
    at = Instant(0)
    for event in events:
        try:
            read = _event(market, event, at)
        except Unreadable as reason:
            skipped[str(reason)] += 1
            continue
        at = read.at
        yield read


def _event(market: Market, event: list[Any], earlier: Instant) -> TapeEvent:
    """One event of the form [received, kind, ...]; raises `Unreadable` for any other."""
    match event:
        case [received, "b", str(token), str(bid), str(ask)]:
            return _quote(market, Instant(max(earlier, _instant(received))), token, bid, ask)
        case [received, "p", str(token), str(at_price), str(size)]:
            return _trade(market, Instant(max(earlier, _instant(received))), token, at_price, size)
        case [received, "s" | "l" | "t" as kind, stamped, value]:
            return PricePrinted(
                at=Instant(max(earlier, _instant(received))),
                asset=market.series.asset,
                source=_SOURCES[kind],
                value=millionths(_dollars(value)),
                stamped_at=_instant(stamped),
            )
    raise Unreadable("not an event")


def _quote(market: Market, at: Instant, token: str, bid: str, ask: str) -> BestQuoted:
    """A quote in Up terms; as in the recording, a bid of 0 or an ask of 1 is an empty side."""
    best_bid, best_ask = Price(number(bid, "price")), Price(number(ask, "price"))
    if best_bid >= MICRO or not 0 < best_ask <= MICRO:
        raise Unreadable("price")
    if not _is_up(market, token):
        best_bid, best_ask = mirror(best_ask), mirror(best_bid)
    return BestQuoted(at=at, market=market.id, bid=best_bid, ask=best_ask)


def _trade(market: Market, at: Instant, token: str, at_price: str, size: str) -> TradePrinted:
    traded = Price(number(at_price, "price"))
    amount = Shares(number(size, "size"))
    if not 0 < traded < MICRO or not amount:
        raise Unreadable("price" if amount else "size")
    up_price = traded if _is_up(market, token) else mirror(traded)
    return TradePrinted(at=at, market=market.id, price=up_price, size=amount)


def _is_up(market: Market, token: str) -> bool:
    if token == market.up_token:
        return True
    if token != market.down_token:
        raise Unreadable("another market")
    return False


def _instant(seconds: Any) -> Instant:
    """Nanoseconds of a Unix time in seconds, as the number stands in the text."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | Decimal) or not 0 < seconds < 10**10:
        raise Unreadable("time")
    return Instant(int(seconds * _NANOS))


def _dollars(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Unreadable("price of the underlying")
    try:
        dollars = Decimal(value)
    except InvalidOperation:
        raise Unreadable("price of the underlying") from None
    if not dollars.is_finite() or not 0 < dollars < _TOP_PRICE:
        raise Unreadable("price of the underlying")
    return dollars
