"""Takes orders back on a person's word, straight at the venue, and says what became of each."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from polystra.core.ids import VenueOrderId
from polystra.core.terms import TradeStage
from polystra.core.units import Shares
from polystra.edge.polymarket.client import Client
from polystra.edge.polymarket.outcomes import Cancelled, CancelUnknown, NotCancelled
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.venue import NoSuchOrder
from polystra.edge.polymarket.wire import OpenOrder

ROUNDS = 5
ROUND_WAIT = 0.5
"""Seconds of the machine's time between two rounds of `cancel_all`."""


class End(StrEnum):
    """What became of an order. TRADED: it is not live, and has trades. GONE: it is not live, and has none: it was
    cancelled or expired before, or never arrived. RESTS: the venue has it still. UNKNOWN: nobody told."""

    CANCELLED = "cancelled"
    TRADED = "traded"
    GONE = "gone"
    RESTS = "rests"
    UNKNOWN = "unknown"

    @property
    def over(self) -> bool:
        """Whether it is certain that the order is not live."""
        return self not in (End.RESTS, End.UNKNOWN)


class Fate(Struct, frozen=True, gc=False):
    """`traded` are the shares of its trades that did not fail; `said` is what the venue said when it did not cancel."""

    order: VenueOrderId
    end: End
    traded: Shares = Shares(0)
    said: str = ""


class Sweep(Struct, frozen=True, gc=False):
    """What `cancel_all` came to. `left` are orders that were live at the end, None when the venue did not tell; `why`
    are its words for what failed last."""

    cancelled: tuple[VenueOrderId, ...]
    left: tuple[VenueOrderId, ...] | None
    why: str = ""

    @property
    def clear(self) -> bool:
        """Whether it is certain that nothing is live."""
        return self.left == ()


async def cancel(client: Client, orders: Sequence[VenueOrderId]) -> tuple[Fate, ...]:
    """One for each different order. Those that the venue did not cancel are looked up."""
    return tuple([await _fate(client, outcome) for outcome in await client.cancel(*orders)])


async def _fate(client: Client, outcome: Cancelled | NotCancelled | CancelUnknown) -> Fate:
    if isinstance(outcome, Cancelled):
        return Fate(outcome.order, End.CANCELLED)
    said = outcome.text if isinstance(outcome, NotCancelled) else outcome.why
    found = await client.venue.fate(outcome.order)
    if isinstance(found, ReadingFailed):
        return Fate(outcome.order, End.UNKNOWN, said=f"{said}; {found.why}")
    traded = Shares(sum(fill.shares for fill in found.trades if fill.stage is not TradeStage.FAILED))
    return Fate(outcome.order, _end(found.order, traded), traded, said)


def _end(found: OpenOrder | NoSuchOrder, traded: Shares) -> End:
    if isinstance(found, OpenOrder):
        return End.RESTS
    return End.TRADED if traded else End.GONE


async def cancel_all(client: Client) -> Sweep:
    """Everything under the API key, again until the venue says that nothing is live, a few times at most."""
    sweep = await _sweep(client, ())
    for _ in range(ROUNDS - 1):
        if sweep.clear:
            break
        await asyncio.sleep(ROUND_WAIT)
        sweep = await _sweep(client, sweep.cancelled)
    return sweep


async def _sweep(client: Client, before: Sequence[VenueOrderId]) -> Sweep:
    """What is live is asked for after the cancel was answered, or was not."""
    answer, live = await client.cancel_all(), await client.venue.open_orders()
    gone = () if isinstance(answer, ReadingFailed) else answer.gone
    return Sweep(
        cancelled=tuple(dict.fromkeys((*before, *gone))),
        left=None if isinstance(live, ReadingFailed) else tuple(one.id for one in live),
        why="; ".join(one.why for one in (answer, live) if isinstance(one, ReadingFailed)),
    )
