"""Reads thinned L2 snapshots of both tokens of whole 15m windows: `books.parquet` and `markets.parquet`.

Both tokens' snapshots are kept, each in Up terms; crossed ones are counted and passed on as they are: a
book must not trust them. The table holds doubles; one that is not a decimal of at most six places is refused.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polystra.core.events import BookSnapshot, Level
from polystra.core.markets import Payout
from polystra.core.units import MICRO, Instant, Price, Shares, Usd
from polystra.edge.tapes.facts import window_market
from polystra.edge.tapes.format import OFFICIAL, RecordingError, Tape, TapeEvent, TapeFile, oddities, tape_from
from polystra.edge.tapes.parquet import Kind, integers, list_column, read_table
from polystra.edge.tapes.ticks import with_finer_ticks
from polystra.edge.tapes.unpack import FETCH_AGAIN

BOOKS = "books.parquet"
MARKETS = "markets.parquet"
ATTRIBUTION = "Resolved Markets sample data, CC BY 4.0"

_LADDERS = ("bid_px", "bid_sz", "ask_px", "ask_sz")
_MARKET_TYPES = {
    "market_id": Kind.TEXT,
    "slug": Kind.TEXT,
    "start_ts": Kind.INTEGER,
    "end_ts": Kind.INTEGER,
    "payout_up": Kind.NUMBER,
    "payout_down": Kind.NUMBER,
}
_BOOK_TYPES = {"market_id": Kind.TEXT, "ts": Kind.INTEGER, "side": Kind.TEXT, **dict.fromkeys(_LADDERS, Kind.NUMBERS)}
_MILLISECOND = 1_000_000


def tape_files(folder: Path, source: str | None = None) -> list[TapeFile]:
    """One window a row of the market table; the books are only looked for."""
    path = folder / MARKETS
    table = read_table(path, _MARKET_TYPES)
    return [_tape_file(folder, source or folder.name, row) for row in table.to_pylist()]


def _tape_file(folder: Path, source: str, row: dict[str, Any]) -> TapeFile:
    path = folder / MARKETS
    slug = row["slug"]
    payouts = (row["payout_up"], row["payout_down"])
    if payouts not in ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5)):
        raise RecordingError(path, f"{slug} pays {payouts[0]} and {payouts[1]}", FETCH_AGAIN)
    try:
        market = window_market(slug, condition=row["market_id"], tokens={})
        agreed = (market.start, market.end) == (row["start_ts"] * _MILLISECOND, row["end_ts"] * _MILLISECOND)
    except (ValueError, TypeError) as error:
        raise RecordingError(path, str(error), FETCH_AGAIN) from None
    if not agreed:
        raise RecordingError(path, f"{slug}: start_ts and end_ts contradict the slug", FETCH_AGAIN)
    return TapeFile(
        market=market,
        payout=Payout(Usd(int(payouts[0] * MICRO))),
        payout_source=OFFICIAL,
        source=source,
        attribution=ATTRIBUTION,
        path=folder / BOOKS,
        has_trades=False,
        has_sizes=True,
        read=_load,
    )


def _load(file: TapeFile) -> Tape:
    table = read_table(file.path, _BOOK_TYPES, market=file.market.id)
    rows = list(with_finer_ticks(file.market, _snapshots(file, table)))
    return tape_from(file, rows, skipped={}, noted=oddities(rows))


def _snapshots(file: TapeFile, table: Any) -> Iterator[TapeEvent]:
    bids = _ladders(file.path, table, "bid")
    asks = _ladders(file.path, table, "ask")
    at = 0
    for ts, side, bid, ask in zip(integers(file.path, table, "ts"), table["side"].to_pylist(), bids, asks, strict=True):
        at = max(at, ts * _MILLISECOND)
        if side == "DOWN":
            bid, ask = _mirrored(ask), _mirrored(bid)
        elif side != "UP":
            raise RecordingError(file.path, f"side {side!r} of {file.market.slug}", "it must be UP or DOWN")
        yield BookSnapshot(at=Instant(at), market=file.market.id, bids=bid, asks=ask)


def _mirrored(ladder: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple([(Price(MICRO - price), size) for price, size in ladder])


def _ladders(path: Path, table: Any, side: str) -> list[tuple[Level, ...]]:
    """One side of every row, best first."""
    counts, prices = list_column(path, table, f"{side}_px")
    sized, sizes = list_column(path, table, f"{side}_sz")
    if counts != sized:
        raise RecordingError(path, f"{side}_px and {side}_sz differ in length", FETCH_AGAIN)
    if prices and (min(prices) <= 0 or max(prices) >= MICRO):
        raise RecordingError(path, f"a price of {side}_px is not between 0 and 1", FETCH_AGAIN)
    if sizes and min(sizes) <= 0:
        raise RecordingError(path, f"a size of {side}_sz is not above 0", FETCH_AGAIN)
    levels = [(Price(price), Shares(size)) for price, size in zip(prices, sizes, strict=True)]
    ladders = []
    end = 0
    for count in counts:
        ladders.append(tuple(levels[end : end + count]))
        end += count
    return ladders
