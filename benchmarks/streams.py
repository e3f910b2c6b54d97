"""The streams of market data that the benchmarks feed: recorded where there are recordings, invented from a seed.

Each has its events, and the frames in which the venue would send them (`PROTOCOL.md` C.1): a change of one level is
sent twice, once for each token.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.harness import NotMeasured
from polystra.core.events import BookChanged, BookSnapshot, Level, LevelChange, TickSizeChanged
from polystra.core.markets import Market
from polystra.core.terms import Side
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, Price, Shares, decimal, mirror
from polystra.edge.tapes import xx8
from polystra.edge.tapes.facts import window_market
from polystra.edge.tapes.format import RecordingError, TapeEvent, TapeFile
from polystra.edge.tapes.library import bundled, discover
from polystra.edge.tapes.unpack import lines

RECORDINGS = "POLYSTRA_RECORDINGS"
"""The environment variable that names the folder of recordings; the default lies beside the project."""

_CENT = Price(10_000)
_DELTA_EVERY = 2_000_000
_START = 1_790_586_000
_encode = msgspec.json.Encoder().encode


class Stream(Struct, frozen=True):
    """`events` in order, and the `frames` that carry them; `source` says where they come from."""

    source: str
    market: Market
    events: tuple[TapeEvent, ...]
    frames: tuple[bytes, ...]


def recorded_file() -> TapeFile:
    """The first window of the bundled recordings, its tape in memory."""
    try:
        file = next(iter(bundled()))
        tape = file.load()
    except RecordingError as error:
        raise NotMeasured(str(error)) from None
    return replace(file, read=lambda _: tape)


def snapshot_stream() -> Stream:
    """A whole recorded window of book snapshots, both tokens in turn."""
    file = recorded_file()
    return _stream(f"{file.source}, {file.market.slug}", file.market, file.load().rows)


def delta_stream(count: int, seed: int = 42) -> Stream:
    """An invented book on a cent grid: one snapshot, then changes 2 ms apart. The middle walks, levels near it change
    most, one change in seven empties a level; it never crosses, and states its best prices as the venue does."""
    market = window_market(f"btc-updown-5m-{_START}", condition=None, tokens={})
    return _stream(f"invented, seed {seed}", market, tuple(_deltas(market, count, Random(seed))))


def captured_stream() -> Stream | None:
    """Eleven seconds of frames as they came from the venue; None where these recordings are not present."""
    folder = Path(os.environ.get(RECORDINGS, Path(__file__).parents[2] / "shared" / "data")) / "xx8_btc5m_ws"
    if not folder.is_dir():
        return None
    (file,) = discover(folder)
    frames = tuple(bytes(_decode_line(text).payload) for _, text in lines(folder / xx8.FRAMES))
    return Stream(f"captured, {file.market.slug}", file.market, file.load().rows, frames)


class _Line(Struct, gc=False):
    payload: msgspec.Raw


_decode_line = msgspec.json.Decoder(_Line).decode


def _deltas(market: Market, count: int, random: Random) -> Iterator[TapeEvent]:
    book = {side: {place: _size(random) for place in _places(side)} for side in Side}
    at = market.start
    yield BookSnapshot(at=at, market=market.id, bids=_levels(book, Side.BUY), asks=_levels(book, Side.SELL))
    middle = 50
    for _ in range(count - 1):
        at = Instant(at + _DELTA_EVERY)
        middle = min(max(middle + random.choice((-1, 1)), 10), 90) if random.random() < 1 / 20 else middle
        changes = _crossed(book, middle)
        side = random.choice((Side.BUY, Side.SELL))
        away = 1 + int(random.expovariate(0.35))
        place = min(max(middle - away if side is Side.BUY else middle + away, 1), 99)
        changes.append((side, place, 0 if random.random() < 0.15 else _size(random)))
        for one, level, size in changes:
            book[one].pop(level, None)
            if size:
                book[one][level] = size
        yield BookChanged(
            at=at,
            market=market.id,
            changes=tuple(LevelChange(one, Price(level * _CENT), Shares(size)) for one, level, size in changes),
            best_bid=Price(max(book[Side.BUY]) * _CENT) if book[Side.BUY] else NO_BID,
            best_ask=Price(min(book[Side.SELL]) * _CENT) if book[Side.SELL] else NO_ASK,
        )


def _places(side: Side) -> range:
    return range(1, 50) if side is Side.BUY else range(51, 100)


def _size(random: Random) -> int:
    return random.randrange(1, 500) * MICRO


def _crossed(book: dict[Side, dict[int, int]], middle: int) -> list[tuple[Side, int, int]]:
    """The levels that are taken away when the middle has moved over them."""
    bids = [(Side.BUY, place, 0) for place in book[Side.BUY] if place >= middle]
    return bids + [(Side.SELL, place, 0) for place in book[Side.SELL] if place <= middle]


def _levels(book: dict[Side, dict[int, int]], side: Side) -> tuple[Level, ...]:
    ordered = sorted(book[side].items(), reverse=side is Side.BUY)
    return tuple((Price(place * _CENT), Shares(size)) for place, size in ordered)


# --- frames ----------------------------------------------------------------------------------------------------------


def _stream(source: str, market: Market, events: Sequence[TapeEvent]) -> Stream:
    return Stream(source, market, tuple(events), tuple(frame_of(market, event) for event in events))


def frame_of(market: Market, event: TapeEvent) -> bytes:
    """The message in which the venue would send it."""
    return _encode(_form(market, event))


def _form(market: Market, event: TapeEvent) -> dict[str, Any]:
    head = {"market": market.id, "timestamp": str(event.at // 1_000_000)}
    match event:
        case BookSnapshot():
            sides = {"bids": _side(event.bids), "asks": _side(event.asks)}
            return head | {"event_type": "book", "asset_id": market.up_token, "hash": "0" * 40, **sides}
        case BookChanged():
            entries = [entry for change in event.changes for entry in _entries(market, event, change)]
            return head | {"event_type": "price_change", "price_changes": entries}
        case TickSizeChanged():
            new = str(decimal(event.tick.size))
            return head | {"event_type": "tick_size_change", "asset_id": market.up_token, "new_tick_size": new}
        case _:
            raise ValueError(f"no frame is known for a {type(event).__name__}: use a stream of books and changes")


def _side(levels: tuple[Level, ...]) -> list[dict[str, str]]:
    """As the venue sends it: the best last."""
    return [{"price": f"{decimal(price):f}", "size": f"{decimal(size):f}"} for price, size in reversed(levels)]


def _entries(market: Market, event: BookChanged, change: LevelChange) -> list[dict[str, str]]:
    bid, ask = event.best_bid or NO_BID, event.best_ask or NO_ASK
    down = LevelChange(change.side.other, mirror(change.price), change.size)
    return [
        _entry(market.up_token, change, bid, ask),
        _entry(market.down_token, down, mirror(ask), mirror(bid)),
    ]


def _entry(token: str, change: LevelChange, bid: Price, ask: Price) -> dict[str, str]:
    numbers = {"price": change.price, "size": change.size, "best_bid": bid, "best_ask": ask}
    texts = {name: f"{decimal(number):f}" for name, number in numbers.items()}
    return {"asset_id": token, "side": change.side.value, "hash": "0" * 40, **texts}
