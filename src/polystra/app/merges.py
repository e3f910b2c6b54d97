"""Merges the pairs in the folder of a run that is stopped, and says what could be merged."""

import asyncio
from pathlib import Path

from polystra.app.access import Access
from polystra.app.connection import clock_of, relayer_at
from polystra.app.merging import MergeFate, Merging
from polystra.app.session import LEDGER, build_engine
from polystra.app.settings import Settings
from polystra.app.stopped_run import PATIENCE, stopped_run
from polystra.core.engine import Engine
from polystra.core.events import LedgerLoaded
from polystra.core.units import Shares
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.rest import open_rest
from polystra.edge.store.db import open_readonly
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.merges import open_merges
from polystra.edge.store.migrations import check_schema
from polystra.edge.store.restore import load


def pairs_of(folder: Path, *, least: Shares, only: str | None) -> tuple[MergeFate, ...]:
    """What could be merged, and the merges whose end nobody knows; reads only."""
    with open_readonly(folder / LEDGER) as database:
        check_schema(database)
        on_their_way = open_merges(database.connection)
        books = knowing(load(database.connection, WallClock().now())).pairs()
    waiting = [MergeFate(market=one.market, pairs=one.pairs, merge=one, why=one.why) for one in on_their_way]
    free = (one for one in books if one.free >= least and only in (None, one.market.slug))
    return (*waiting, *(MergeFate(market=one.market, pairs=one.free, merge=None) for one in free))


def merged(
    folder: Path, exchange: Path | None, account: int, *, most: int, least: Shares, only: str | None
) -> tuple[MergeFate, ...]:
    """Merges with no more than `most` transactions, and says how the pairs of every market stand. Raises what
    `stopped_run` does."""
    with stopped_run(folder, exchange, account) as (ledger, access):
        return asyncio.run(_merge(ledger, access, most=most, least=least, only=only))


async def _merge(
    ledger: Ledger, access: Access, *, most: int, least: Shares, only: str | None
) -> tuple[MergeFate, ...]:
    async with open_rest() as rest:
        clock = clock_of(access.place)
        engine = knowing(ledger.load(clock.now()))
        relayer = relayer_at(access.place, rest, access.wallet)
        merging = Merging(ledger, relayer, clock, engine.pairs, engine.handle)
        return await merging.round(most=most, patience=PATIENCE, least=least, only=only)


def knowing(loaded: LedgerLoaded) -> Engine:
    """An engine that knows the ledger and commands nothing."""
    engine = build_engine(Settings(), ())
    engine.handle(loaded)
    return engine
