"""Says what a tape is: one recorded window as core events, in the order in which the recorder received them.

What a recording lacks stays unknown: no price, size, trade or strike is invented. A fact of the venue that is taken
from `PROTOCOL.md` instead is named in `market.assumptions`.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from polystra.core.errors import PolystraError
from polystra.core.events import BestQuoted, BookChanged, BookSnapshot, PricePrinted, TickSizeChanged, TradePrinted
from polystra.core.markets import Market, Payout
from polystra.core.units import Instant

TapeEvent: TypeAlias = BookSnapshot | BookChanged | BestQuoted | TradePrinted | TickSizeChanged | PricePrinted

OFFICIAL = "official"
UNKNOWN = "unknown"

_CANON = b"polystra tape 1"


class RecordingError(PolystraError):
    """A recording that cannot be read: which file, what is wrong with it, and the way out, in one line."""

    def __init__(self, path: Path | str, wrong: str, fix: str) -> None:
        super().__init__(f"{path}: {wrong}; {fix}")


class OfficialPrices(Struct, frozen=True, gc=False):
    """What the venue says it settled by, in USD, with every digit of the recording."""

    price_to_beat: Decimal
    final_price: Decimal


class TapeFile(Struct, frozen=True, kw_only=True):
    """One window that can be loaded, as far as the recording's index describes it."""

    market: Market
    payout: Payout | None
    payout_source: str
    source: str
    attribution: str
    path: Path
    has_trades: bool
    has_sizes: bool
    read: Callable[["TapeFile"], "Tape"]

    def load(self) -> "Tape":
        """Reads the window; raises `RecordingError` when the file is broken."""
        return self.read(self)


class Tape(Struct, frozen=True, kw_only=True):
    """One recorded window, whole in memory.

    `payout_source` is "official", "unknown", or "inferred: ..." with the rule. `strike` is in millionths of a USD and
    None unless the recording has it. `digest` covers market, payout and events, not where they came from nor the words
    of an assumption. `skipped` counts what was left out, `noted` what was passed on although it is odd.
    """

    market: Market
    payout: Payout | None
    payout_source: str
    strike: int | None
    official: OfficialPrices | None
    source: str
    attribution: str
    digest: str
    has_trades: bool
    has_sizes: bool
    first_at: Instant
    last_at: Instant
    skipped: Mapping[str, int]
    noted: Mapping[str, int]
    rows: tuple[TapeEvent, ...]

    def events(self) -> Iterator[TapeEvent]:
        """The window in receive-time order, in Up terms; `at` never decreases."""
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Tape({self.market.slug}, {len(self.rows)} events, {self.digest[:12]})"


def tape_from(
    file: TapeFile,
    rows: Sequence[TapeEvent],
    *,
    skipped: Mapping[str, int],
    noted: Mapping[str, int] | None = None,
    strike: int | None = None,
    official: OfficialPrices | None = None,
) -> Tape:
    """The tape of a file and its events; raises `RecordingError` when there are none."""
    if not rows:
        raise RecordingError(file.path, f"no events of {file.market.slug}", "fetch the recording again")
    return Tape(
        market=file.market,
        payout=file.payout,
        payout_source=file.payout_source,
        strike=strike,
        official=official,
        source=file.source,
        attribution=file.attribution,
        digest=_digest(file.market, file.payout, rows),
        has_trades=file.has_trades,
        has_sizes=file.has_sizes,
        first_at=rows[0].at,
        last_at=rows[-1].at,
        skipped=dict(sorted(skipped.items())),
        noted=dict(sorted((noted or {}).items())),
        rows=tuple(rows),
    )


def oddities(rows: Iterable[TapeEvent]) -> Counter[str]:
    """How many snapshots are crossed or locked, and how many have an empty side."""
    noted: Counter[str] = Counter()
    for row in rows:
        if isinstance(row, BookSnapshot):
            if not row.bids or not row.asks:
                noted["empty side"] += 1
            elif row.bids[0][0] >= row.asks[0][0]:
                noted["crossed or locked"] += 1
    return noted


def _digest(market: Market, payout: Payout | None, rows: Sequence[TapeEvent]) -> str:
    encode = msgspec.msgpack.Encoder().encode
    canon = hashlib.sha256(_CANON)
    canon.update(encode(msgspec.structs.replace(market, assumptions=())))
    canon.update(encode(payout))
    for row in rows:
        canon.update(encode(row))
    return canon.hexdigest()
