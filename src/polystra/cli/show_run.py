"""Prints how a run stands, what a replay found, and where a ledger's schema is."""

from collections.abc import Iterator
from pathlib import Path

from polystra.app.console import line_of
from polystra.app.replay import FirstDifference, ReplayResult, words_of
from polystra.app.status import Status
from polystra.app.words import clock, equity_words, moment, rounded, transition_words, window_name
from polystra.cli.paper import Paper
from polystra.core.commands import AnyCommand, CancelOrder, PlaceOrder, QueryOrder
from polystra.core.engine import Step
from polystra.core.ids import MarketId, show_order
from polystra.core.notes import AnyNote, Note
from polystra.core.units import show
from polystra.edge.store.migrations import SchemaStatus


def show_replay(journal: Path, result: ReplayResult) -> None:
    paper = Paper()
    found = result.difference
    if found is None:
        paper.line(f"identical: {journal.name}, {result.events:,} events, {result.steps:,} of them led to something")
    else:
        paper.line(f"different: {journal.name}, first at event {found.seq:,} ({_event_words(found)})")
        paper.heading("Recorded")
        paper.lines(_only(found.recorded, found.now))
        paper.heading("Now")
        paper.lines(_only(found.now, found.recorded))
    if result.torn is not None:
        paper.line(result.torn)
    if result.unfinished is not None:
        paper.line(f"event {result.unfinished:,} is the last one; the run ended before what it led to was written")
    if result.others:
        paper.heading("Other than when it was recorded")
        paper.pairs((one.name, f"{one.recorded}\n{one.now} now") for one in result.others)


def show_status(status: Status) -> None:
    paper = Paper()
    run, totals = status.run, status.totals
    paper.heading("Run")
    paper.pairs(
        (
            ("run", "none" if run is None else f"{run.id}, {run.mode}, {run.strategy}, since {moment(run.started_at)}"),
            ("process", status.process),
            ("state", _state(status)),
            *_by_file(status),
            ("equity", equity_words(status.equity)),
            *_priced(status),
            ("cash", f"{show(totals.cash)} USD"),
            ("to redeem", f"{show(totals.redeemable)} USD"),
            ("windows", f"{totals.windows}, {totals.settled} settled"),
        )
    )
    if status.transitions:
        paper.heading("Last changes of the state")
        paper.lines(transition_words(one) for one in status.transitions)
    paper.heading("Open orders")
    paper.lines(_open_orders(status))
    paper.heading("Positions")
    paper.lines(_positions(status))
    paper.heading("Last decisions")
    paper.lines(
        f"{clock(one.at)}  {_name(status, market)}  {one.action}: {one.reason}" for market, one in status.decisions
    )


def show_schema(status: SchemaStatus) -> None:
    paper = Paper()
    paper.pairs(
        (
            ("schema", f"{status.current}, this version knows {status.head}"),
            ("pending", ", ".join(f"{number} {name}" for number, name in status.pending) or "none"),
        )
    )
    paper.table(
        (("Step", "right"), ("Name", "left"), ("Applied (UTC)", "whole")),
        ((str(one.number), one.name, moment(one.applied_at)) for one in status.history),
    )


def _event_words(found: FirstDifference) -> str:
    return f"{type(found.event).__name__} at {moment(found.at)[:6]} {clock(found.at)}"


def _only(step: Step, other: Step) -> Iterator[str]:
    """What stands in one step and not in the other; all of it when only the order differs."""
    own = [one for one in (*step.commands, *step.notes) if one not in (*other.commands, *other.notes)]
    foreign = [one for one in (*other.commands, *other.notes) if one not in (*step.commands, *step.notes)]
    in_short = [_in_short(one) for one in own]
    if in_short and in_short == [_in_short(one) for one in foreign]:
        yield from map(words_of, own)  # what differs is nothing that a line for people shows
    else:
        yield from in_short or map(_in_short, (*step.commands, *step.notes))
    if not step.commands and not step.notes:
        yield "nothing"


def _in_short(one: AnyCommand | AnyNote) -> str:
    match one:
        case Note():
            return f"note     {line_of(one)}"
        case PlaceOrder(order=order, terms=terms):
            return (
                f"command  place {show_order(order)}: {terms.purpose} {terms.side} {terms.outcome} "
                f"{show(terms.shares)} @ {show(terms.price)} {terms.time_in_force}"
            )
        case CancelOrder(order=order) | QueryOrder(order=order):
            return f"command  {type(one).__name__} {show_order(order)}"
        case _:
            return f"command  {words_of(one)}"


def _state(status: Status) -> str:
    """By the ledger, with who and why it is so, unless nobody ever changed it."""
    halted = f", {len(status.halted)} windows halted" if status.halted else ""
    if not status.transitions:
        return status.state + halted
    last = status.transitions[-1]
    return f"{status.state} since {moment(last.at)}, by {last.who}: {last.why}{halted}"


def _by_file(status: Status) -> Iterator[tuple[str, str]]:
    """What the folder says, which a trader reads within a second and at its start."""
    word = status.by_file
    if word is not None:
        unread = "" if word.state.value == status.state else ", which no trader has read yet"
        yield "by a file", f"{word.state}{unread}, by {word.who}: {word.why}"


def _priced(status: Status) -> Iterator[tuple[str, str]]:
    if status.equity.priced_at is not None:
        yield "bids of", moment(status.equity.priced_at)


def _open_orders(status: Status) -> Iterator[str]:
    if not status.open_orders:
        yield "none"
    for one in status.open_orders:
        yield (
            f"{show_order(one.order)}  {_name(status, one.market)}  {one.purpose} {one.side} {one.outcome} "
            f"{show(one.shares)} @ {show(one.price)}, {show(one.filled)} filled, {one.state.lower() or 'not recorded'}"
        )


def _positions(status: Status) -> Iterator[str]:
    if not status.positions:
        yield "none"
    for one in status.positions:
        yield (
            f"{_name(status, one.market)}  {show(one.shares)} {one.outcome}, paid {rounded(one.paid, 2)} USD, "
            f"received {rounded(one.received, 2)} USD"
        )


def _name(status: Status, market: MarketId) -> str:
    window = status.windows.get(market)
    return market[:10] if window is None else window_name(window.asset, window.start, window.end)
