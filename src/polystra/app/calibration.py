"""Measures windows, recorded and generated, by the same rules, so that scenarios can be held against recordings.

All figures are of the time between a window's start and its end. Rates are of what a recording covers of it, from the
first book to the last row: some begin late in a window, others end early.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from msgspec import Struct

from polystra.app.run_plan import GENERATED_START
from polystra.app.scenarios import LIGHT, scenario_files
from polystra.core.book import OrderBook
from polystra.core.errors import PolystraError
from polystra.core.events import BestQuoted, BookChanged, BookSnapshot, TickSizeChanged, TradePrinted
from polystra.core.markets import Market
from polystra.core.terms import Side
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, seconds
from polystra.edge.tapes.format import TapeEvent, TapeFile

WINDOWS = 24
"""Of each source, the first ones."""

FACTOR = 2
"""A figure that is more than so many times another, or less than that part of it, is not near it."""

LAST = seconds(60)
"""What is called the last minute."""

_CENT = 10_000
_SECOND = 1_000_000_000
_LEVELS = 5
_PATIENCE = seconds(1_000_000)


class NothingToMeasure(PolystraError):
    """No windows were given."""


class Figure(Struct, frozen=True):
    """One thing that was measured: a rate, a share or a mean, or a median with its middle half from `low` to `high`.

    `value` is None where the source does not tell it.
    """

    value: Decimal | None
    low: Decimal | None = None
    high: Decimal | None = None


class Measured(Struct, frozen=True):
    """What was seen in some windows of one source."""

    windows: int
    figures: Mapping[str, Figure]


class Comparison(Struct, frozen=True):
    """A recording, and each scenario with windows of the same asset and length."""

    source: str
    series: str
    recorded: Measured
    scenarios: Mapping[str, Measured]

    def ratios(self, scenario: str) -> dict[str, Decimal]:
        """How many times the recorded figure the generated one is, where both are told. Not of a recorded 0, unless
        both are 0."""
        generated, recorded = self.scenarios[scenario].figures, self.recorded.figures
        found = {name: _ratio(one, recorded[name]) for name, one in generated.items()}
        return {name: one for name, one in found.items() if one is not None}


def near(ratio: Decimal) -> bool:
    return 1 <= ratio * FACTOR <= FACTOR * FACTOR


def compared(files: Sequence[TapeFile], scenarios: Sequence[str] = LIGHT, *, windows: int) -> list[Comparison]:
    """One comparison for each source and series among the files, of its first windows. Raises `RecordingError`,
    `ScenarioRefused` and `NothingToMeasure`."""
    if not files:
        raise NothingToMeasure("no recorded windows: give a folder of recordings with --data")
    groups: dict[tuple[str, str], list[TapeFile]] = {}
    for file in files:
        groups.setdefault((file.source, file.market.series.name), []).append(file)
    return [
        Comparison(source, series, measured(group[:windows]), _generated(group[0].market, scenarios, windows))
        for (source, series), group in groups.items()
    ]


def measured(files: Sequence[TapeFile]) -> Measured:
    """Reads each window whole; raises `RecordingError`."""
    seen = _Seen()
    for file in files:
        seen.add(file)
    return Measured(len(files), seen.figures())


def _generated(market: Market, scenarios: Sequence[str], windows: int) -> dict[str, Measured]:
    return {
        name: measured(scenario_files(name, seed=1, windows=windows, start=GENERATED_START, series=market.series))
        for name in scenarios
    }


class _Seen:
    """What was seen in the windows of one source. Mutable. In millionths and nanoseconds."""

    def __init__(self) -> None:
        self.rows = _Rate()
        self.last_rows = _Rate()
        self.trades = _Rate()
        self.one_sided = _Rate()
        self.last_one_sided = _Rate()
        self.spreads: list[int] = []
        self.best: list[int] = []
        self.five: list[int] = []
        self.moves: list[int] = []
        self.sizes: list[int] = []
        self.lives: list[int] = []
        self.errors: list[int] = []

    def add(self, file: TapeFile) -> None:
        market, tape = file.market, file.load()
        book = OrderBook(market.tick, _PATIENCE)
        first = two_sided = None
        mids: dict[int, int] = {}
        for row in tape.rows:
            if row.at >= market.end:
                break
            if isinstance(row, TradePrinted) and row.at >= market.start:
                self.trades.count += 1
                self.sizes.append(row.size)
            elif _fold(book, row):
                first = first or max(row.at, market.start)
                if row.at >= market.start and self._look(book, row.at, market, sized=file.has_sizes):
                    two_sided = row.at
                    mids[(row.at - market.start) // _SECOND] = (book.bid + book.ask) // 2
        last = min(tape.last_at, market.end)
        self._cover(file, first or last, last)
        self._judge(file, mids)
        if two_sided is not None and last >= market.end - LAST:
            self.lives.append(market.end - two_sided)

    def _look(self, book: OrderBook, at: Instant, market: Market, *, sized: bool) -> bool:
        """Whether both sides are there."""
        whole = book.bid != NO_BID and book.ask != NO_ASK
        self._count(self.rows, self.one_sided, whole=whole)
        if at >= market.end - LAST:
            self._count(self.last_rows, self.last_one_sided, whole=whole)
        if whole:
            self.spreads.append(book.ask - book.bid)
            if sized:
                self.best.append(book.size(Side.BUY, book.bid))
                self.five.append(sum(size for _, size in book.levels(Side.BUY, _LEVELS)))
        return whole

    def _count(self, rows: "_Rate", one_sided: "_Rate", *, whole: bool) -> None:
        rows.count += 1
        one_sided.of += 1
        one_sided.count += not whole

    def _cover(self, file: TapeFile, first: Instant, last: Instant) -> None:
        market = file.market
        self.rows.of += max(0, last - first)
        self.last_rows.of += max(0, last - max(first, market.end - LAST))
        self.trades.of += max(0, last - market.start) if file.has_trades else 0

    def _judge(self, file: TapeFile, mids: Mapping[int, int]) -> None:
        """How the middle moved from second to second, and how near it was at half time to what was paid."""
        self.moves += [abs(mids[at] - mids[at - 1]) for at in mids if at - 1 in mids]
        half = (file.market.end - file.market.start) // _SECOND // 2
        middle = next((mids[at] for at in range(half, 0, -1) if at in mids), None)
        if middle is not None and file.payout is not None:
            self.errors.append((middle - file.payout.up) ** 2)

    def figures(self) -> dict[str, Figure]:
        return {
            "book rows a second": self.rows.figure(_SECOND),
            "spread, cents": _quartiles(self.spreads, _CENT),
            "size at the best bid": _quartiles(self.best, MICRO),
            "size on five bids": _quartiles(self.five, MICRO),
            "rows with an empty side": self.one_sided.figure(1),
            "move of the middle in a second, cents": _mean(self.moves, _CENT),
            "trades a second": self.trades.figure(_SECOND),
            "size of a trade": _quartiles(self.sizes, MICRO),
            "book rows a second, last minute": self.last_rows.figure(_SECOND),
            "rows with an empty side, last minute": self.last_one_sided.figure(1),
            "last book with both sides, seconds before the end": _quartiles(self.lives, _SECOND),
            "Brier score at half time": _mean(self.errors, MICRO * MICRO),
        }


class _Rate:
    """So many of so much. Mutable."""

    def __init__(self) -> None:
        self.count = 0
        self.of = 0

    def figure(self, unit: int) -> Figure:
        return Figure(_rounded(Decimal(self.count * unit) / self.of) if self.of else None)


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


def _quartiles(numbers: list[int], unit: int) -> Figure:
    """Each a number that was seen; there are no quartiles of one."""
    ordered = sorted(numbers)
    if len(ordered) < 2:
        return Figure(None)
    low, middle, high = (_rounded(Decimal(ordered[(len(ordered) - 1) * part // 4]) / unit) for part in (1, 2, 3))
    return Figure(middle, low, high)


def _mean(numbers: list[int], unit: int) -> Figure:
    return Figure(_rounded(Decimal(sum(numbers)) / len(numbers) / unit) if numbers else None)


def _ratio(generated: Figure, recorded: Figure) -> Decimal | None:
    if generated.value is None or recorded.value is None:
        return None
    if not recorded.value:
        return None if generated.value else Decimal(1)
    return _rounded(generated.value / recorded.value)


def _rounded(number: Decimal) -> Decimal:
    """To four decimals, as many as a figure is worth, without zeros at the end."""
    short = number.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short.normalize()
