"""Looks after the ledger in a folder: its schema, and whether what lies there is what was written."""

from collections.abc import Iterator
from pathlib import Path

from polystra.app.check import differences, last_truth
from polystra.app.session import EXCHANGE_LOG, LEDGER
from polystra.edge.clock import WallClock
from polystra.edge.store.db import Database, open_database, open_readonly
from polystra.edge.store.durability import Durability
from polystra.edge.store.errors import FolderMissing, JournalDamaged
from polystra.edge.store.journal import digest, read_journal
from polystra.edge.store.migrations import SchemaStatus, migrate, status
from polystra.edge.store.queries import LedgerReader


def schema_status(folder: Path) -> SchemaStatus:
    """Where the schema stands; reads only, also a ledger that is too new or too old to be used."""
    with open_readonly(folder / LEDGER) as database:
        return status(database)


def bring_forward(folder: Path) -> SchemaStatus:
    """Runs the pending steps, after a backup; raises what `open_database` and `migrate` raise."""
    path = folder / LEDGER
    if not path.is_file():
        raise FolderMissing(f"{path} does not exist: name the folder of a run")
    with open_database(path, durable=Durability.NORMAL) as database:
        return migrate(database, WallClock().now())


def faults(folder: Path) -> tuple[str, ...]:
    """What is wrong with the files of a run; empty when all is well.

    Raises what `LedgerReader` raises: a ledger that cannot be read at all is told by its error.
    """
    return (*_faults_of_database(folder), *_faults_of_journals(folder), *_faults_of_truth(folder))


def _faults_of_database(folder: Path) -> Iterator[str]:
    with open_readonly(folder / LEDGER) as database:
        yield from (f"{LEDGER}: {text}" for text in _integrity(database) if text != "ok")
        for row in database.driver.execute("PRAGMA foreign_key_check"):
            yield f"{LEDGER}: row {row[1]} of {row[0]} refers to a missing row of {row[2]}"


def _integrity(database: Database) -> Iterator[str]:
    yield from (str(row[0]) for row in database.driver.execute("PRAGMA integrity_check(20)"))


def _faults_of_journals(folder: Path) -> Iterator[str]:
    """A run that ended left the digest of its journal in the ledger."""
    with LedgerReader(folder / LEDGER) as ledger:
        runs = ledger.runs()
    for run in runs:
        path = folder / f"journal-{run.id:04}.plj"
        if not path.is_file():
            yield f"{path.name}: missing, run {run.id} cannot be replayed"
        elif run.journal_sha256 not in (None, digest(path)):
            yield f"{path.name}: not the file that run {run.id} wrote; take it from a backup"
        else:
            yield from _damage(path)


def _damage(path: Path) -> Iterator[str]:
    """A torn tail is what a crash leaves, and no fault."""
    try:
        with read_journal(path) as reading:
            for _ in reading:
                pass
    except JournalDamaged as error:
        yield str(error)


def _faults_of_truth(folder: Path) -> Iterator[str]:
    truth = last_truth(folder / EXCHANGE_LOG)
    if truth is not None:
        with LedgerReader(folder / LEDGER) as ledger:
            for one in differences(ledger, truth):
                yield f"{one.subject}: ledger {one.ledger}, exchange {one.exchange}"
