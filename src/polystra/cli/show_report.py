"""Prints a report: a table of windows, totals, what was assumed, what is unknown, and where the data came from."""

from collections.abc import Iterator
from pathlib import Path

from polystra.app.demo import DemoResult
from polystra.app.report import Checked, Report, Source, WindowLine
from polystra.app.words import cents, counted, day, equity_words, rounded, signed, transition_words, window_name
from polystra.cli.paper import Column, Paper
from polystra.core.units import show
from polystra.edge.store.answers import Rewards

_COLUMNS: tuple[Column, ...] = (
    ("Window (UTC)", "whole"),
    ("Decision", "whole"),
    ("Reason", "left"),
    ("Edge", "right"),
    ("Orders", "right"),
    ("Fills", "right"),
    ("Fees", "right"),
    ("P&L", "right"),
    ("Result", "whole"),
)


def show_demo(result: DemoResult, kept: Path | None) -> None:
    paper = Paper()
    _show(paper, result.report)
    replayed = result.replayed
    word = "identical" if replayed.identical else "DIFFERENT: polystra replay shows where"
    if result.changed:
        paper.heading("Settings other than the defaults")
        paper.lines(f"{one.name} = {one.value}, by default {one.default}" for one in result.changed)
    paper.heading("Run")
    paper.pairs(
        (
            ("events", f"{replayed.events:,}, of which {replayed.steps:,} led to something"),
            ("time", f"{result.seconds:.1f} s; the engine alone needs {replayed.engine_seconds:.2f} s"),
            ("journal", f"sha256 {result.journal_sha256}"),
            ("replay", word),
            ("kept", "nothing; --out DIR keeps ledger, journal and the exchange's log" if kept is None else str(kept)),
        )
    )


def show_report(report: Report) -> None:
    _show(Paper(), report)


def _show(paper: Paper, report: Report) -> None:
    days = {day(line.window.start) for line in report.lines}
    paper.heading(f"Windows of {days.pop()}" if len(days) == 1 else "Windows")
    paper.table(_COLUMNS, (_row(line, dated=len(days) > 1) for line in report.lines), _total_row(report))
    paper.heading("Totals")
    paper.pairs(_totals(report))
    paper.heading("Ledger and exchange")
    paper.lines(_check_lines(report.checked, show(report.totals.cash)))
    for heading, texts in (
        (
            "Assumed, because no recording says it",
            [f"{text}{_of(count, report)}" for text, count in report.assumptions],
        ),
        ("Changes of the state", [transition_words(one) for one in report.transitions]),
        ("Unknown", list(report.unknown)),
        ("Sources", [_source_line(source) for source in report.sources]),
    ):
        if texts:
            paper.heading(heading)
            paper.lines(texts)


def _row(line: WindowLine, *, dated: bool) -> tuple[str, ...]:
    window, decision = line.window, line.window.decision
    name = window_name(window.asset, window.start, window.end)
    taken, reason, edge = "none", "", ""
    if decision is not None:
        enters = decision.outcome is not None and decision.price is not None and decision.action == "enter"
        taken = f"{decision.outcome} @ {show(decision.price or 0)}" if enters else decision.action
        reason = decision.reason
        edge = "" if decision.edge is None else signed(decision.edge, 4)
    return (
        f"{day(window.start)} {name}" if dated else name,
        taken,
        reason,
        edge,
        str(window.orders),
        str(window.fills),
        cents(window.fees),
        "unknown" if window.pnl is None else signed(window.pnl, 2),
        _result(line),
    )


def _result(line: WindowLine) -> str:
    """What the window paid, and what of ours was held to its end."""
    held = " and ".join(f"{rounded(amount, 2)} {outcome}" for outcome, amount in line.held)
    if line.window.payout_up is None:
        return f"unknown, {held} held" if held else "unknown"
    won = "void" if line.winner is None else line.winner.value
    return f"{won}, {held} held" if held else won


def _total_row(report: Report) -> tuple[str, ...]:
    counts, totals = report.counts, report.totals
    return (
        counted(counts.windows, "window"),
        f"{counts.traded} traded",
        "",
        "",
        str(counts.orders),
        str(counts.fills),
        cents(totals.fees),
        signed(totals.realised, 2),
        f"{counts.settlements} settled",
    )


def _totals(report: Report) -> Iterator[tuple[str, str]]:
    counts, totals = report.counts, report.totals
    yield "decisions", f"{counts.decisions}; risk denied {counted(counts.denials, 'entry', 'entries')}"
    yield "entries", str(counts.entries)
    yield "exits", f"{counts.exits}, of them {counted(counts.stops, 'stop')}"
    yield "settlements", f"{counts.settlements}; held to the end: {counts.held_won} won, {counts.held_lost} lost"
    yield "fees", f"{show(totals.fees)} USD"
    yield "P&L", f"{show(totals.realised)} USD in settled windows"
    if report.unsettled:
        yield "open", f"{show(report.unsettled)} USD of cash went through windows that have not settled"
    if report.rewards is not None:
        yield from _rewards(report.rewards)
    yield "cash", f"{show(totals.cash)} USD, deposited {show(totals.deposited)}"
    if totals.merged:
        yield "merged", f"{show(totals.merged)} USD came from pairs"
    yield "to redeem", f"{show(totals.redeemable)} USD, which is no cash until it is claimed"
    yield "equity", equity_words(report.equity)


def _rewards(rewards: Rewards) -> Iterator[tuple[str, str]]:
    """What the venue pays makers comes later and is not booked: what was earned stays unknown."""
    scores = ", ".join(f"{count} {score}" for score, count in rewards.scores)
    yield "rewards", f"exits by the venue's last word: {scores}; earned: unknown"
    if rewards.moves:
        worth = "unknown" if rewards.estimate is None else f"{show(rewards.estimate)} USD"
        conceded = f"{counted(rewards.moves, 'exit')}, conceding {show(rewards.conceded)} USD if filled"
        yield "moved for rewards", f"{conceded}; estimate: earns {worth}"


def _check_lines(checked: Checked | None, cash: str) -> Iterator[str]:
    if checked is None:
        yield "not compared: the exchange's log is not here, or the run did not end"
    elif not checked.differences:
        yield (
            f"ledger = exchange, to the millionth: cash {cash} USD, {counted(checked.trades, 'trade')} with fees, all "
            f"shares, {counted(checked.open_orders, 'open order')}"
        )
    else:
        yield f"LEDGER AND EXCHANGE DIFFER in {counted(len(checked.differences), 'point')}"
        for one in checked.differences:
            yield f"{one.subject}: ledger {one.ledger}; exchange {one.exchange}"


def _of(count: int, report: Report) -> str:
    return "" if count == report.counts.windows else f" [{count} of {report.counts.windows} windows]"


def _source_line(source: Source) -> str:
    return f"{source.source}, {counted(source.windows, 'window')}: {source.attribution}"
