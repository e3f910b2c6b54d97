"""Prints what a person asked of a venue."""

from collections.abc import Sequence

from polystra.app.cancellation import End, Fate, Sweep
from polystra.app.inquiries import Label, LabelledFill, LabelledOrder, MarketBook, OrderStory, Purse
from polystra.app.words import clock, counted, moment
from polystra.cli.paper import Column, Paper
from polystra.core.units import show
from polystra.edge.polymarket.venue import UNLIMITED
from polystra.edge.polymarket.wire import Fill

MOST_LEVELS = 10
"""Of each side of a book; `--json` has all."""

_NUMBERS: tuple[Column, ...] = (("Side", "whole"), ("Price", "right"), ("Shares", "right"))
_NAMES: tuple[Column, ...] = (("Window", "whole"), ("Outcome", "whole"))


def show_orders(found: Sequence[LabelledOrder]) -> None:
    """Each order's id has a line of its own: it is needed whole, and is too long for a table."""
    paper = Paper()
    if not found:
        paper.line("no live orders")
    for one in found:
        order = one.order
        paper.line(order.id)
        terms = f"{order.side} {show(order.size)} @ {show(order.price)}"
        paper.line(f"  {_named(one.label)}  {terms}, {show(order.matched)} matched")


def show_story(story: OrderStory) -> None:
    paper = Paper()
    paper.line(story.id)
    pairs = [("status", str(story.status)), ("window", _named(story.label))]
    if (row := story.row) is not None:
        order = row.order
        pairs += [
            ("order", f"{order.side} {show(order.size)} @ {show(order.price)} {row.time_in_force}".rstrip()),
            ("matched", show(order.matched)),
            (
                "placed",
                "not told" if row.created_at is None else f"{moment(row.created_at)[:6]} {clock(row.created_at)}",
            ),
        ]
        if row.expires_at is not None:
            pairs.append(("expires", f"{moment(row.expires_at)[:6]} {clock(row.expires_at)}"))
    paper.pairs(pairs)
    if story.fills:
        columns = (("Time (UTC)", "whole"), *_NUMBERS, ("Role", "whole"), ("Stage", "whole"))
        paper.table(columns, ((_time(fill), *_numbers(fill), _role(fill), fill.stage) for fill in story.fills))
    else:
        paper.line("  no trades")


def show_trades(found: Sequence[LabelledFill]) -> None:
    paper = Paper()
    if not found:
        paper.line("no trades")
        return
    columns = (("Time (UTC)", "whole"), *_NAMES, *_NUMBERS, ("Role", "whole"), ("Stage", "whole"))
    rows = (
        (_time(one.fill), *_names(one.label), *_numbers(one.fill), _role(one.fill), one.fill.stage) for one in found
    )
    paper.table(columns, rows)
    paper.line(counted(len(found), "trade"))


def show_purse(purse: Purse) -> None:
    paper = Paper()
    allowance = purse.allowance
    words = "not told" if allowance is None else "unlimited" if allowance >= UNLIMITED else f"{show(allowance)} USD"
    paper.pairs((("cash", f"{show(purse.cash)} USD"), ("allowance", words)))
    if purse.held:
        paper.table((*_NAMES, ("Shares", "right")), ((*_names(one.label), show(one.shares)) for one in purse.held))
    else:
        paper.pairs((("shares", "none"),))


def show_book(found: MarketBook) -> None:
    paper, book = Paper(), found.book
    spread = "a side is empty" if found.spread is None else show(found.spread)
    paper.pairs(
        (
            ("window", found.market.slug),
            ("time", f"{moment(book.at)[:6]} {clock(book.at)} UTC"),
            ("tick", show(found.tick.size)),
            ("spread", spread),
        )
    )
    bids, asks = book.bids[:MOST_LEVELS], book.asks[:MOST_LEVELS]
    none = ("", "")
    rows = (
        (
            *((show(bids[nth][1]), show(bids[nth][0])) if nth < len(bids) else none),
            *((show(asks[nth][0]), show(asks[nth][1])) if nth < len(asks) else none),
        )
        for nth in range(max(len(bids), len(asks)))
    )
    paper.table((("Shares", "right"), ("Bid Up", "right"), ("Ask Up", "right"), ("Shares", "right")), rows)
    deeper = (len(book.bids) - len(bids)) + (len(book.asks) - len(asks))
    if deeper:
        paper.line(f"and {counted(deeper, 'level')} farther away; --json has all")


def show_fates(fates: Sequence[Fate]) -> None:
    paper = Paper()
    for fate in fates:
        paper.line(fate.order)
        paper.line(f"  {_end(fate)}")


def show_sweep(sweep: Sweep) -> None:
    paper = Paper()
    paper.line(f"cancelled: {counted(len(sweep.cancelled), 'order')}")
    paper.lines(sweep.cancelled)
    if sweep.left is None:
        paper.line(f"what is live now is not known: {sweep.why}")
    elif sweep.left:
        paper.line(f"still live: {counted(len(sweep.left), 'order')}" + (f" ({sweep.why})" if sweep.why else ""))
        paper.lines(sweep.left)
    else:
        paper.line("no order is live")


def _end(fate: Fate) -> str:
    match fate.end:
        case End.CANCELLED:
            return "cancelled"
        case End.TRADED:
            return f"not cancelled: traded {show(fate.traded)} shares and is not live any more ({fate.said})"
        case End.GONE:
            return f"not cancelled: not live, and without trades ({fate.said})"
        case End.RESTS:
            return f"not cancelled: rests still, {show(fate.traded)} shares traded ({fate.said})"
        case End.UNKNOWN:
            return f"not known: {fate.said}"


def _named(label: Label) -> str:
    return " ".join(_names(label))


def _names(label: Label) -> tuple[str, str]:
    return label.slug or "name not told", label.outcome or "?"


def _numbers(fill: Fill) -> tuple[str, str, str]:
    return fill.side, show(fill.price), show(fill.shares)


def _time(fill: Fill) -> str:
    return f"{moment(fill.matched_at)[:6]} {clock(fill.matched_at)}"


def _role(fill: Fill) -> str:
    return fill.liquidity
