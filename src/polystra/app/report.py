"""Adds up what a run came to: every window in a line, totals, what was assumed, what is unknown, and whether the
ledger equals the exchange. All amounts are whole millionths; how they are shown is somebody else's business.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from polystra.app.check import Difference, differences, last_truth
from polystra.app.recordings import Recording, kept
from polystra.app.session import EXCHANGE_LOG, LEDGER
from polystra.app.words import counted
from polystra.app.world import TRADER
from polystra.core.account import Equity
from polystra.core.ids import MarketId
from polystra.core.markets import Payout
from polystra.core.terms import Outcome, Purpose
from polystra.core.units import Shares, Usd
from polystra.edge.store.answers import OrderLine, Rewards, Run, Totals, Transition, Window
from polystra.edge.store.queries import LedgerReader
from polystra.sim.records import Truth


class WindowLine(Struct, frozen=True, kw_only=True):
    """One window. `held` is what was left at the end: the claim of a settled window, the position of another."""

    window: Window
    orders: tuple[OrderLine, ...]
    held: tuple[tuple[Outcome, Shares], ...]

    @property
    def winner(self) -> Outcome | None:
        """None when the market was void or nobody knows."""
        up = self.window.payout_up
        return None if up is None else Payout(up).winner


class Counts(Struct, frozen=True, kw_only=True):
    """`entries` and `exits` are orders that traded; `stops` are those exits that were stops.

    `held_won` and `held_lost` are settled windows to whose end shares were held, by what they paid.
    """

    windows: int
    traded: int
    decisions: int
    denials: int
    entries: int
    exits: int
    stops: int
    orders: int
    fills: int
    settlements: int
    held_won: int
    held_lost: int


class Source(Struct, frozen=True):
    source: str
    attribution: str
    windows: int


class Checked(Struct, frozen=True):
    """The exchange's own numbers beside the ledger, and what differs."""

    cash: Usd
    trades: int
    open_orders: int
    differences: tuple[Difference, ...]


class Report(Struct, frozen=True, kw_only=True):
    """`checked` is None when the exchange's truth is not there; `unsettled` is the cash of fills and merges in open
    windows. `rewards` is None when nobody watched them."""

    run: Run | None
    lines: tuple[WindowLine, ...]
    counts: Counts
    totals: Totals
    equity: Equity
    transitions: tuple[Transition, ...]
    unsettled: Usd
    assumptions: tuple[tuple[str, int], ...]
    sources: tuple[Source, ...]
    unknown: tuple[str, ...]
    rewards: Rewards | None
    checked: Checked | None


def read_report(folder: Path) -> Report:
    """The report of the ledger in a folder, checked against the exchange's log where that was ended beside it.

    Raises what `LedgerReader` raises.
    """
    with LedgerReader(folder / LEDGER) as ledger:
        return report_of(ledger, kept(folder) or (), last_truth(folder / EXCHANGE_LOG))


def report_of(ledger: LedgerReader, recordings: Sequence[Recording], truth: Truth | None) -> Report:
    runs, lines = ledger.runs(), _lines(ledger)
    windows = [line.window for line in lines]
    return Report(
        run=runs[-1] if runs else None,
        lines=lines,
        counts=_counts(lines),
        totals=ledger.totals(),
        equity=ledger.equity(),
        transitions=tuple(ledger.transitions()),
        unsettled=Usd(sum(window.cash + window.merged for window in windows if window.settled_at is None)),
        assumptions=_counted(text for window in windows for text in _assumed(window, recordings)),
        sources=_sources(recordings),
        unknown=tuple(_unknown(recordings)),
        rewards=ledger.rewards(),
        checked=None if truth is None else _checked(ledger, truth),
    )


def _lines(ledger: LedgerReader) -> tuple[WindowLine, ...]:
    orders: dict[MarketId, list[OrderLine]] = {}
    for order in ledger.orders():
        orders.setdefault(order.market, []).append(order)
    held: dict[MarketId, list[tuple[Outcome, Shares]]] = {}
    for position in ledger.positions():
        if position.shares:
            held.setdefault(position.market, []).append((position.outcome, position.shares))
    return tuple(
        WindowLine(window=window, orders=tuple(orders.get(window.market, ())), held=tuple(held.get(window.market, ())))
        for window in ledger.windows()
    )


def _counts(lines: Sequence[WindowLine]) -> Counts:
    windows = [line.window for line in lines]
    settled = [line for line in lines if line.window.settled_at is not None]
    traded = [order for line in lines for order in line.orders if order.filled]
    traded = [order for order in traded if order.purpose.ours]
    exits = [order for order in traded if order.purpose is not Purpose.ENTRY]
    return Counts(
        windows=len(lines),
        traded=sum(window.fills > 0 for window in windows),
        decisions=sum(window.decisions for window in windows),
        denials=sum(window.denials for window in windows),
        entries=len(traded) - len(exits),
        exits=len(exits),
        stops=sum(order.purpose is Purpose.STOP for order in exits),
        orders=sum(window.orders for window in windows),
        fills=sum(window.fills for window in windows),
        settlements=len(settled),
        held_won=sum(bool(line.held) and line.window.redeemable > 0 for line in settled),
        held_lost=sum(bool(line.held) and line.window.redeemable == 0 for line in settled),
    )


def _checked(ledger: LedgerReader, truth: Truth) -> Checked:
    legs = [leg for trade in truth.trades for leg in (trade.taker, trade.maker) if leg.account == TRADER]
    return Checked(
        cash=truth.account(TRADER).cash,
        trades=len(legs),
        open_orders=sum(order.account == TRADER for order in truth.orders),
        differences=differences(ledger, truth),
    )


def _assumed(window: Window, recordings: Sequence[Recording]) -> Iterable[str]:
    """What the trader took for granted, and what was when the window was recorded and played; each once."""
    played = (text for one in recordings if one.market == window.market for text in one.assumptions)
    return dict.fromkeys((*window.assumptions, *played))


def _counted(texts: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Each text once, in the order met, with how many windows it concerns."""
    return tuple(Counter(texts).items())


def _sources(recordings: Sequence[Recording]) -> tuple[Source, ...]:
    found = Counter((one.source, one.attribution) for one in recordings)
    return tuple(Source(source, attribution, count) for (source, attribution), count in found.items())


def _unknown(recordings: Sequence[Recording]) -> Iterable[str]:
    """What the recordings do not say, and what follows from it."""
    for source, count in _counted(one.payout_source for one in recordings if one.payout_source != "official"):
        if source == "unknown":
            yield f"payout of {counted(count, 'window')}: never settled, profit unknown"
        else:
            yield f"payout of {counted(count, 'window')} is not the venue's own but {source}"
    lacking = (
        (
            sum(not one.has_trades for one in recordings),
            "trades of others in {}: a resting order fills only when the other side of the book crosses its price",
        ),
        (sum(not one.has_sizes for one in recordings), "sizes in {}: nothing can be traded there"),
        (sum(not one.has_strike for one in recordings), "price to beat of {}: the strategy does without it"),
    )
    for count, text in lacking:
        if count:
            yield text.format(counted(count, "window"))
