"""Redeems the claims in the folder of a run that is stopped, and says what waits there."""

import asyncio
import os
from pathlib import Path
from urllib.parse import urlsplit

from polystra.app.access import Access, access_of_run, told_access
from polystra.app.connection import clock_of, relayer_at
from polystra.app.redemption import Fate, Redemption
from polystra.app.session import LEDGER
from polystra.core.units import Nanos, seconds
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.relayer import CannotRedeem
from polystra.edge.polymarket.rest import open_rest
from polystra.edge.store.claims import unpaid
from polystra.edge.store.db import open_database, open_readonly
from polystra.edge.store.durability import Durability
from polystra.edge.store.errors import FolderMissing
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.migrations import check_schema, migrate
from polystra.edge.wallet_lock import WalletLock, lock_folder

PATIENCE = seconds(120)
"""How long one transaction is waited for; after that it is asked after by the next command."""


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

    Raises `CannotRedeem`, `NoExchange`, `WalletBusy`, and what opening a ledger raises.
    """
    path = folder / LEDGER
    if not path.is_file():
        raise FolderMissing(f"{path} does not exist: name the folder of a run")
    access = access_of_run(folder) if exchange is None else told_access(exchange, account)
    host, wallet = urlsplit(access.place.clob).netloc, access.wallet
    with (
        WalletLock(wallet.maker, host, lock_folder(os.environ), data=folder, at=WallClock().now()),
        open_database(path, durable=Durability.NORMAL) as database,
    ):
        migrate(database, WallClock().now())
        return asyncio.run(redeem(Ledger(database), access, most=most, patience=PATIENCE))


async def redeem(ledger: Ledger, access: Access, *, most: int, patience: Nanos) -> tuple[Fate, ...]:
    place = access.place
    if not (place.relayer and place.rpc):
        raise CannotRedeem(f"{place.clob} told of no relayer: give a file with the line of polystra exchange --json")
    async with open_rest() as rest:
        redemption = Redemption(ledger, relayer_at(place, rest, access.wallet), clock_of(place), lambda told: None)
        return await redemption.round(most=most, patience=patience)
