"""Reads market-channel frames as they arrived, with their capture times: `market-ws.jsonl.zst`, `markets.json`.

The capture time is a whole second, and the frames are out of the order of their own stamps: the order of arrival is
kept. Inside its second a frame is placed at the latest stamp seen so far, the earliest moment it can have arrived.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Struct

from polystra.core.errors import InvalidQuantity
from polystra.core.terms import Outcome
from polystra.core.units import Instant, price, shares
from polystra.edge.market_channel import FrameReader
from polystra.edge.tapes.facts import window_market
from polystra.edge.tapes.format import UNKNOWN, RecordingError, Tape, TapeEvent, TapeFile, tape_from
from polystra.edge.tapes.ticks import with_finer_ticks
from polystra.edge.tapes.unpack import FETCH_AGAIN, lines, read_bytes

FRAMES = "market-ws.jsonl.zst"
MARKETS = "markets.json"
ATTRIBUTION = "AliHakanVesca/xx8-btc-5min-YesNo: no licence stated; recording of public frames, not for redistribution"

_SECOND = 1_000_000_000
_MILLISECOND = 1_000_000


class _Listed(Struct, rename="camel"):
    slug: str
    condition_id: str
    tick_size: Decimal
    min_order_size: Decimal
    up_token_id: str
    down_token_id: str


class _Index(Struct):
    current: _Listed


class _Stamp(Struct, gc=False):
    timestamp: str = ""


class _Line(Struct, gc=False, rename="camel"):
    captured_at: Annotated[int, msgspec.Meta(gt=0, lt=10**10)]
    payload: msgspec.Raw


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_stamp = msgspec.json.Decoder(_Stamp).decode


def tape_files(folder: Path) -> list[TapeFile]:
    """The one window in motion; the next market, of which a few frames were caught, is no window."""
    index = folder / MARKETS
    try:
        listed = msgspec.json.decode(read_bytes(index), type=_Index).current
        market = window_market(
            listed.slug,
            condition=listed.condition_id,
            tokens={Outcome.UP: listed.up_token_id, Outcome.DOWN: listed.down_token_id},
            tick=price(listed.tick_size),
            min_shares=shares(listed.min_order_size),
            assumed=("receive times: whole seconds, refined by the venue's stamps",),
        )
    except (msgspec.MsgspecError, ValueError, InvalidQuantity, ArithmeticError) as error:
        raise RecordingError(index, f"its `current` market is not readable ({error})", FETCH_AGAIN) from None
    file = TapeFile(
        market=market,
        payout=None,
        payout_source=UNKNOWN,
        source=folder.name,
        attribution=ATTRIBUTION,
        path=folder / FRAMES,
        has_trades=True,
        has_sizes=True,
        read=_load,
    )
    return [file]


def _load(file: TapeFile) -> Tape:
    reader = FrameReader([file.market])
    rows: list[TapeEvent] = []
    at = Instant(0)
    for number, text in lines(file.path):
        try:
            line = _decode_line(text)
            at = _arrival(line, at)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise RecordingError(file.path, f"line {number} is not a captured frame ({error})", FETCH_AGAIN) from None
        rows += reader.read(bytes(line.payload), at)
    return tape_from(file, list(with_finer_ticks(file.market, rows)), skipped=reader.skipped)


def _arrival(line: _Line, earlier: Instant) -> Instant:
    second = line.captured_at * _SECOND
    stamp = _decode_stamp(line.payload).timestamp
    venue = int(stamp) * _MILLISECOND if stamp.isdecimal() and len(stamp) < 17 else 0
    return Instant(max(earlier, second, min(venue, second + _SECOND - 1)))
