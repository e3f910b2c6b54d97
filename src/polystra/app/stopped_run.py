"""Opens the folder of a run that is stopped, for what moves its wallet's shares without the trader."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from polystra.app.access import Access, access_of_run, told_access
from polystra.app.session import LEDGER
from polystra.core.units import seconds
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.relayer import CannotRedeem
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
from polystra.edge.store.errors import FolderMissing
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.migrations import migrate
from polystra.edge.wallet_lock import WalletLock, lock_folder

PATIENCE = seconds(120)
"""How long one transaction is waited for; after that it is asked after by the next command."""


@contextmanager
def stopped_run(folder: Path, exchange: Path | None, account: int) -> Iterator[tuple[Ledger, Access]]:
    """The run's ledger and the account that it trades, its wallet locked. With `exchange`, the account of that number
    there.

    Raises `CannotRedeem`, `NoExchange`, `WalletBusy`, and what opening a ledger raises.
    """
    path = folder / LEDGER
    if not path.is_file():
        raise FolderMissing(f"{path} does not exist: name the folder of a run")
    access = access_of_run(folder) if exchange is None else told_access(exchange, account)
    place, wallet = access.place, access.wallet
    with (
        WalletLock(
            wallet.maker, urlsplit(place.clob).netloc, lock_folder(os.environ), data=folder, at=WallClock().now()
        ),
        open_database(path, durable=Durability.NORMAL) as database,
    ):
        migrate(database, WallClock().now())
        if not (place.relayer and place.rpc):
            raise CannotRedeem(
                f"{place.clob} told of no relayer: give a file with the line of polystra exchange --json"
            )
        yield Ledger(database), access
