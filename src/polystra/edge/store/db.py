"""Opens the ledger's database, for one process alone, and writes to it in units.

One connection is held for all writes. It is in driver-level autocommit, and `unit` says BEGIN IMMEDIATE and COMMIT
itself: that saves a quarter of an intent's time against the library's own transactions (23 against 31 µs), makes a
busy database fail before anything is written, and lets a step of the schema be undone like any other write.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from polystra.core.errors import PolystraError
from polystra.edge.file_lock import FileLock, Held
from polystra.edge.store.durability import Durability
from polystra.edge.store.errors import (
    DiskFull,
    FolderMissing,
    LedgerContradiction,
    LedgerDamaged,
    LedgerInUse,
    LedgerLocked,
    LedgerReadOnly,
    LedgerUnavailable,
    NotALedger,
)

BUSY_MILLISECONDS = 2_000
"""How long a write waits for another program that holds the database."""

LOG_PAGES = 4_000
"""How long SQLite's log may grow, 16 MB, before a commit folds it into the file without being asked."""

_MEANINGS: dict[int, tuple[type[PolystraError], str]] = {
    sqlite3.SQLITE_BUSY: (LedgerLocked, "another program holds it: close database browsers and backups that lock it"),
    sqlite3.SQLITE_LOCKED: (LedgerLocked, "another program holds it: close database browsers and backups"),
    sqlite3.SQLITE_PERM: (LedgerReadOnly, "permission denied: let this user write to the file and its folder"),
    sqlite3.SQLITE_READONLY: (LedgerReadOnly, "it is read-only: let this user write to the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: (LedgerReadOnly, "it cannot be opened: let this user write to the file and its folder"),
    sqlite3.SQLITE_FULL: (DiskFull, "no room left: free space on its disk"),
    sqlite3.SQLITE_IOERR: (LedgerDamaged, "the disk failed: check the disk, then restore the newest backup"),
    sqlite3.SQLITE_CORRUPT: (LedgerDamaged, "its pages are corrupt: restore the newest backup"),
    sqlite3.SQLITE_NOTADB: (NotALedger, "it is not a database: name another file"),
}


class Database:
    """An open ledger file. `connection` is the held one; `crashed` the process that died with this ledger open."""

    def __init__(self, path: Path, connection: Connection, lock: "InstanceLock | None" = None) -> None:
        self.path = path
        self.connection = connection
        self.crashed = lock.crashed if lock else None
        self._lock = lock
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self.driver: sqlite3.Connection = driver

    @contextmanager
    def unit(self) -> Iterator[None]:
        """All that is written inside is kept together, or nothing of it. A unit inside a unit can fail on its own.

        Raises `LedgerUnavailable` when the file could not be written, `LedgerContradiction` when a rule of the schema
        was broken; any other error of the caller's passes through. Nothing is written in any of these cases.
        """
        begin, keep, undo = _INNER if self.driver.in_transaction else _OUTER
        try:
            self.driver.execute(begin)
            yield
            self.driver.execute(keep)
        except BaseException as error:
            self._undo(undo)
            if isinstance(error, DBAPIError | sqlite3.Error):
                raise self._named(error) from error
            raise

    def fold_log(self) -> None:
        """Moves what was committed from the log into the file, which takes milliseconds. What fails is left to the next
        time: the log is as safe as the file."""
        with suppress(sqlite3.Error):
            self.driver.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Gives up the connection and then the lock; closed again does nothing."""
        engine = self.connection.engine
        self.connection.close()
        engine.dispose()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _undo(self, statements: tuple[str, ...]) -> None:
        """After some failures SQLite has rolled back by itself. A rollback that fails is finished at the next open."""
        for statement in statements:
            if self.driver.in_transaction:
                try:
                    self.driver.execute(statement)
                except sqlite3.Error:
                    return

    def _named(self, error: DBAPIError | sqlite3.Error) -> PolystraError:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, sqlite3.IntegrityError):
            return LedgerContradiction(f"{self.path}: {cause}; nothing of this step was recorded")
        _, fix = _meaning(cause)
        return LedgerUnavailable(f"{self.path}: nothing of this step was recorded ({cause}): {fix}")


_OUTER = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_INNER = ("SAVEPOINT inner", "RELEASE inner", ("ROLLBACK TO inner", "RELEASE inner"))


def open_database(path: Path, *, durable: Durability, busy_milliseconds: int = BUSY_MILLISECONDS) -> Database:
    """Opens or creates the ledger file, for this process alone, and checks that it is whole; migrates nothing.

    Raises one of the errors of `polystra.edge.store.errors`, each with its fix; then nothing is left open or locked.
    """
    path = path.resolve()  # one lock for a file, whatever names and links lead to it
    _refuse_place(path)
    lock = InstanceLock(path)
    try:
        return Database(path, _connect(path, "rwc", durable, busy_milliseconds), lock)
    except BaseException:
        lock.release()
        raise


def open_readonly(path: Path) -> Database:
    """Opens an existing ledger for questions, also while a trader owns it. Writes are refused by the database."""
    if not path.is_file():
        raise FolderMissing(f"{path} does not exist: name the ledger of a run")
    return Database(path, _connect(path, "ro", None, BUSY_MILLISECONDS))


class InstanceLock:
    """The right to write one ledger: `<file>.lock`, which holds the owner's pid. `crashed` is the process that died
    with it."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        try:
            self._lock = FileLock(self.path, str(os.getpid()))
        except Held as held:
            raise LedgerInUse(
                f"{path} is in use by process {held.words or 'unknown'}: stop it, or give this one another ledger"
            ) from None
        except OSError as error:
            raise LedgerReadOnly(
                f"{self.path}: {error.strerror}: let this user write to the file and its folder"
            ) from error
        self.crashed = int(self._lock.left) if self._lock.left.isdigit() else None

    def release(self) -> None:
        self._lock.release()


def _refuse_place(path: Path) -> None:
    if not path.parent.is_dir():
        raise FolderMissing(f"folder {path.parent} does not exist: create it, or name another place for the ledger")
    if path.is_dir():
        raise NotALedger(f"{path} is a folder: name a file in it")
    wal = path.with_name(path.name + "-wal")
    if not path.exists() and wal.exists() and wal.stat().st_size:
        raise LedgerDamaged(
            f"{path} is gone but {wal.name} still holds its newest rows: bring the file back (a ledger is moved with "
            f"its -wal, after the trader has stopped), or move {wal.name} away to begin a new one"
        )


def _connect(path: Path, mode: str, durable: Durability | None, busy_milliseconds: int) -> Connection:
    engine = _engine(path, mode, busy_milliseconds)
    try:
        connection = engine.connect()
        try:
            _prepare(connection, path, durable)
        except BaseException:
            connection.close()
            raise
    except (DBAPIError, sqlite3.Error) as error:
        engine.dispose()
        cause = error.orig if isinstance(error, DBAPIError) else error
        kind, fix = _meaning(cause)
        raise kind(f"{path}: {fix} ({cause})") from error
    except BaseException:
        engine.dispose()
        raise
    return connection


def _engine(path: Path, mode: str, busy_milliseconds: int) -> Engine:
    uri = f"{path.resolve().as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=busy_milliseconds / 1_000, isolation_level=None)

    return create_engine("sqlite+pysqlite://", creator=connect, poolclass=StaticPool, isolation_level="AUTOCOMMIT")


def _prepare(connection: Connection, path: Path, durable: Durability | None) -> None:
    """Sets the connection up and checks the file; `durable` is None for a reader."""
    connection.exec_driver_sql("PRAGMA foreign_keys = ON")
    if durable is not None:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql(f"PRAGMA synchronous = {durable.name}")
        connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql("ROLLBACK")
    found = " ".join(str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(5)"))
    if found != "ok":
        raise LedgerDamaged(f"{path}: {' '.join(found.split())}: restore the newest backup")


def _meaning(cause: BaseException | None) -> tuple[type[PolystraError], str]:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return _MEANINGS.get(code, (LedgerDamaged, "unexpected: check the file and its disk"))
