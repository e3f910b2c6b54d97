"""Redeems the claims in the folder of a run that is stopped, and says what waits there."""

import asyncio
from pathlib import Path

from polystra.app.access import Access
from polystra.app.connection import clock_of, relayer_at
from polystra.app.redemption import Fate, Redemption
from polystra.app.session import LEDGER
from polystra.app.stopped_run import PATIENCE, stopped_run
from polystra.core.units import Nanos
from polystra.edge.polymarket.rest import open_rest
from polystra.edge.store.claims import unpaid
from polystra.edge.store.db import open_readonly
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.migrations import check_schema


def claims_of(folder: Path) -> tuple[Fate, ...]:
    """What waits; reads only."""
    with open_readonly(folder / LEDGER) as database:
        check_schema(database)
        return tuple(
            Fate(claim=claim, stage=None if claim.last is None else claim.last.stage)
            for claim in unpaid(database.connection)
        )


def redeemed(folder: Path, exchange: Path | None, account: int, *, most: int) -> tuple[Fate, ...]:
    """Redeems with no more than `most` transactions, and says how every claim stands.

    Raises what `stopped_run` does.
    """
    with stopped_run(folder, exchange, account) as (ledger, access):
        return asyncio.run(_redeem(ledger, access, most=most, patience=PATIENCE))


async def _redeem(ledger: Ledger, access: Access, *, most: int, patience: Nanos) -> tuple[Fate, ...]:
    place = access.place
    async with open_rest() as rest:
        redemption = Redemption(ledger, relayer_at(place, rest, access.wallet), clock_of(place), lambda told: None)
        return await redemption.round(most=most, patience=patience)
