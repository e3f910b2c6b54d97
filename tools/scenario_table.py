"""Compares generated windows with recorded ones: `python -m tools.scenario_table [FOLDER ...]`.

One column each scenario (`WINDOWS` windows of seed 1) and each folder of recordings (its first windows), as a Markdown
table. All numbers are of the time between a window's start and its end; a range is from the lower quartile to the
upper one, a number the median. Moves and spreads are cents, sizes shares.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from polystra.app.scenarios import SCENARIOS, scenario_files
from polystra.core.book import OrderBook
from polystra.core.events import BestQuoted, BookChanged, BookSnapshot, TickSizeChanged, TradePrinted
from polystra.core.terms import Side
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, seconds
from polystra.edge.tapes.format import TapeEvent, TapeFile
from polystra.edge.tapes.library import discover

WINDOWS = 24
START = Instant(seconds(1_790_586_000))

_CENT = 10_000
_SECOND = 1_000_000_000


class Measured:
    """What was seen in the windows of one source. Mutable."""

    def __init__(self) -> None:
        self.lasted = 0
        self.rows = 0
        self.one_sided = 0
        self.spreads: list[float] = []
        self.best: list[float] = []
        self.five: list[float] = []
        self.moves: list[float] = []
        self.trades: list[float] = []
        self.errors: list[float] = []

    def add(self, file: TapeFile) -> None:
        market = file.market
        book = OrderBook(market.tick, seconds(1_000_000))
        mids: dict[int, float] = {}
        self.lasted += (market.end - market.start) // _SECOND
        for row in file.load().rows:
            if _fold(book, row) and market.start <= row.at < market.end:
                self._look(book, mids, (row.at - market.start) // _SECOND, sized=file.has_sizes)
            elif isinstance(row, TradePrinted) and market.start <= row.at < market.end:
                self.trades.append(row.size / MICRO)
        self.moves += [abs(mids[at] - mids[at - 1]) / _CENT for at in mids if at - 1 in mids]
        half = (market.end - market.start) // _SECOND // 2
        middle = next((mids[at] for at in range(half, 0, -1) if at in mids), None)
        if middle is not None and file.payout is not None:
            self.errors.append(((middle - file.payout.up) / MICRO) ** 2)

    def _look(self, book: OrderBook, mids: dict[int, float], second: int, *, sized: bool) -> None:
        self.rows += 1
        if book.bid == NO_BID or book.ask == NO_ASK:
            self.one_sided += 1
            return
        mids[second] = (book.bid + book.ask) / 2
        self.spreads.append((book.ask - book.bid) / _CENT)
        if sized:
            self.best.append(book.size(Side.BUY, book.bid) / MICRO)
            self.five.append(sum(size for _, size in book.levels(Side.BUY, 5)) / MICRO)

    def lines(self) -> tuple[tuple[str, str], ...]:
        return (
            ("book rows a second", f"{self.rows / self.lasted:.1f}"),
            ("spread", _range(self.spreads)),
            ("size at the best bid", _range(self.best)),
            ("size on five bids", _range(self.five)),
            ("rows with an empty side", f"{self.one_sided / self.rows:.0%}"),
            ("move of the middle in a second", _range(self.moves)),
            ("trades a second", f"{len(self.trades) / self.lasted:.2f}" if self.trades else "not recorded"),
            ("size of a trade", _range(self.trades)),
            ("Brier score at half time", _mean(self.errors)),
        )


def main(folders: Sequence[str]) -> None:
    columns = {name: measured(scenario_files(name, seed=1, windows=WINDOWS, start=START)) for name in SCENARIOS}
    for folder in folders:
        columns[Path(folder).name] = measured(list(discover(folder))[:WINDOWS])
    print("| | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for number, (title, _) in enumerate(next(iter(columns.values())).lines()):
        print(f"| {title} | " + " | ".join(one.lines()[number][1] for one in columns.values()) + " |")


def measured(files: Iterable[TapeFile]) -> Measured:
    found = Measured()
    for file in files:
        found.add(file)
    return found


def _fold(book: OrderBook, row: TapeEvent) -> bool:
    """Put a row into the book; whether it said anything about it."""
    match row:
        case BookSnapshot():
            book.replace(row.bids, row.asks, row.at)
        case BookChanged():
            book.change(row)
        case BestQuoted():
            book.quote(row.bid, row.ask, row.at)
        case TickSizeChanged():
            book.retick(row.tick)
            return False
        case _:
            return False
    return True


def _mean(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f}, n = {len(values)}" if values else "not recorded"


def _range(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "not recorded"
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


if __name__ == "__main__":
    main(sys.argv[1:])
