"""Reads raw `book` messages of 5m windows: `windows.csv` and `windows/<slug>.tsv.zst`, a receive time, a tab and the
message in each line.

Messages stay in the order of their arrival. Their server stamps run 50 to 130 ms ahead of the collector's clock, so
`venue_at` is later than `at`; only 4 in the whole source are out of stamp order, and a message read late at a
reconnect was news to its reader only then. The token that was recorded is Down in every window that a second source
could check; where none could, that is assumed and said.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from polystra.core.markets import Payout
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Usd
from polystra.edge.market_channel import NOT_JSON, FrameReader
from polystra.edge.tapes.facts import window_market
from polystra.edge.tapes.format import UNKNOWN, RecordingError, Tape, TapeEvent, TapeFile, oddities, tape_from
from polystra.edge.tapes.ticks import with_finer_ticks
from polystra.edge.tapes.unpack import FETCH_AGAIN, lines, read_bytes

INDEX = "windows.csv"
WINDOWS = "windows"
ATTRIBUTION = "Polymarket BTC Orderbook Dataset (c) 2026 by CronosVirus00, CC BY 4.0"
INFERRED = "inferred: the last book after +270 s has a bid of 0.95 or more, or an ask of 0.05 or less"

_COLUMNS = ("slug", "condition_id", "token_id", "token_outcome", "n_msgs_token", "token_result_inferred")
_FRACTION_DIGITS = 9

_Row = Mapping[str, str]


def tape_files(folder: Path) -> list[TapeFile]:
    """One window a slug of the index; raises `RecordingError` when index and files disagree."""
    windows: dict[str, list[_Row]] = {}
    for row in _index(folder / INDEX):
        windows.setdefault(row["slug"], []).append(row)
    present = {path.name.removesuffix(".tsv.zst") for path in (folder / WINDOWS).glob("*.tsv.zst")}
    for slug in sorted(present ^ windows.keys()):
        where = f"its file in {WINDOWS}/" if slug in windows else f"its row in {INDEX}"
        raise RecordingError(folder, f"{slug} lacks {where}", "restore it, or remove the other")
    return [_tape_file(folder, slug, rows) for slug, rows in windows.items()]


def _index(path: Path) -> list[_Row]:
    try:
        table = csv.DictReader(io.StringIO(read_bytes(path).decode()))
        missing = [name for name in _COLUMNS if name not in (table.fieldnames or ())]
        if missing:
            raise RecordingError(path, f"no column {missing[0]}", FETCH_AGAIN)
        rows: list[_Row] = []
        for row in table:
            if not all(isinstance(row[name], str) for name in _COLUMNS) or not row["n_msgs_token"].isdecimal():
                raise RecordingError(path, f"line {table.line_num} is not a row of the table", FETCH_AGAIN)
            rows.append(row)
    except (UnicodeError, csv.Error) as error:
        raise RecordingError(path, f"not a table of text ({error})", FETCH_AGAIN) from None
    return rows


def _tape_file(folder: Path, slug: str, rows: list[_Row]) -> TapeFile:
    proven = any(row["token_outcome"] for row in rows)
    assumed = () if proven else ("token outcome: the token with most messages is Down, proven for other windows only",)
    try:
        outcomes = _outcomes(rows)
        market = window_market(
            slug,
            condition=rows[0]["condition_id"],
            tokens={outcome: row["token_id"] for outcome, row in outcomes.items()},
            assumed=assumed,
        )
    except ValueError as error:
        raise RecordingError(folder / INDEX, str(error), FETCH_AGAIN) from None
    payout = _payout(outcomes)
    return TapeFile(
        market=market,
        payout=payout,
        payout_source=UNKNOWN if payout is None else INFERRED + ("" if proven else "; token outcome assumed"),
        source=folder.name,
        attribution=ATTRIBUTION,
        path=folder / WINDOWS / f"{slug}.tsv.zst",
        has_trades=False,
        has_sizes=True,
        read=_load,
    )


def _outcomes(rows: list[_Row]) -> dict[Outcome, _Row]:
    """Which outcome each token is: as proven, else Down for the one with most messages."""
    main = max(rows, key=lambda row: int(row["n_msgs_token"]))
    proven = {row["token_id"]: Outcome(row["token_outcome"].upper()) for row in rows if row["token_outcome"]}
    named = proven.get(main["token_id"])
    if named is None:
        named = next(iter(proven.values())).other if proven else Outcome.DOWN
    others = [row for row in rows if row is not main]
    return {named: main, **({named.other: others[0]} if others else {})}


def _payout(outcomes: Mapping[Outcome, _Row]) -> Payout | None:
    for outcome, row in outcomes.items():
        won = {"won": True, "lost": False}.get(row["token_result_inferred"])
        if won is not None:
            return Payout(Usd(MICRO if won is (outcome is Outcome.UP) else 0))
    return None


def _load(file: TapeFile) -> Tape:
    reader = FrameReader([file.market])
    rows: list[TapeEvent] = []
    at = Instant(0)
    for number, line in lines(file.path):
        received, _, frame = line.partition(b"\t")
        at = Instant(max(at, _nanos(file.path, number, received)))
        rows += reader.read(frame, at)
        if reader.skipped[NOT_JSON]:
            raise RecordingError(file.path, f"line {number} is not JSON", FETCH_AGAIN)
    rows = list(with_finer_ticks(file.market, rows))
    return tape_from(file, rows, skipped=reader.skipped, noted=oddities(rows))


def _nanos(path: Path, number: int, text: bytes) -> Instant:
    """Nanoseconds of a Unix time in seconds, without a float between."""
    whole, _, part = text.partition(b".")
    if not (whole + part).isdigit() or not 9 <= len(whole) <= 10 or len(part) > _FRACTION_DIGITS:
        raise RecordingError(path, f"line {number} does not begin with a receive time", FETCH_AGAIN)
    return Instant(int(whole + part.ljust(_FRACTION_DIGITS, b"0")))
