"""Finds where a recording's tick became finer, when it has the levels but not the message that says so.

A tick only gets finer (`PROTOCOL.md` C.1), so the first level off the grid proves that the change came before it.
"""

from collections.abc import Iterable, Iterator, Sequence

from polystra.core.events import BookChanged, BookSnapshot, TickSizeChanged
from polystra.core.markets import Market
from polystra.core.units import Price, Tick
from polystra.edge.tapes.format import TapeEvent

FINER = (Price(1_000), Price(100))


def with_finer_ticks(market: Market, rows: Iterable[TapeEvent]) -> Iterator[TapeEvent]:
    """The same events, with a `TickSizeChanged` before the first level that the tick of the moment does not hold."""
    tick = market.tick
    for row in rows:
        if isinstance(row, TickSizeChanged):
            tick = row.tick
        elif isinstance(row, BookSnapshot | BookChanged):
            finer = _tick_for(tick, _prices(row))
            if finer != tick:
                tick = finer
                yield TickSizeChanged(at=row.at, market=market.id, tick=tick)
        yield row


def _tick_for(tick: Tick, prices: Sequence[Price]) -> Tick:
    for size in (tick.size, *(finer for finer in FINER if finer < tick.size)):
        if not any(price % size for price in prices):
            return Tick(size)
    return tick


def _prices(row: BookSnapshot | BookChanged) -> list[Price]:
    if isinstance(row, BookChanged):
        return [change.price for change in row.changes]
    return [price for price, _ in row.bids] + [price for price, _ in row.asks]
