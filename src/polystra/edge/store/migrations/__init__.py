"""Brings a ledger's schema to the newest version, one numbered step after the other, each whole or not at all.

The steps are Alembic revisions in `versions/`, run as a library: no ini file, no environment script. One table,
`schema_version`, is both the readable history and the only record of where a file stands; it is written in the same
transaction as its step. `MIGRATIONS.md` tells how to add one.
"""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from msgspec import Struct
from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from polystra.core.errors import PolystraError
from polystra.core.units import Instant
from polystra.edge.store.db import Database
from polystra.edge.store.errors import LedgerDamaged, MigrationFailed, NotALedger, SchemaBehind, SchemaTooNew
from polystra.edge.store.tables import METADATA, VIEWS, schema_version

FOLDER = Path(__file__).parent

Pending: TypeAlias = tuple[int, str]


class AppliedStep(Struct, frozen=True):
    number: int
    name: str
    applied_at: Instant


class SchemaStatus(Struct, frozen=True, kw_only=True):
    """Where a ledger stands. `current` is 0 for a file without tables; `pending` are numbers and names, in order."""

    current: int
    head: int
    pending: tuple[Pending, ...]
    history: tuple[AppliedStep, ...]


def status(db: Database, *, folder: Path = FOLDER) -> SchemaStatus:
    """Reads the history; raises `NotALedger` for a database that is not ours."""
    history = _history(db)
    current = history[-1].number if history else 0
    steps = [(_number(step), step.doc) for step in _steps(folder)]
    return SchemaStatus(
        current=current,
        head=steps[-1][0],
        pending=tuple(step for step in steps if step[0] > current),
        history=history,
    )


def migrate(db: Database, now: Instant, *, folder: Path = FOLDER) -> SchemaStatus:
    """Runs every pending step and returns where the ledger stands then.

    A ledger that has rows is copied to `<file>.before-<number>.bak` first. Raises `SchemaTooNew` (nothing changed),
    `MigrationFailed` (the steps before the failing one stay, the failing one left nothing) and `LedgerDamaged`.
    """
    before = status(db, folder=folder)
    if before.pending and before.current:
        _back_up(db, before.pending[0][0])
    for step in _steps(folder):
        if _number(step) > before.current:
            _run(db, step, now)
    after = status(db, folder=folder)
    if folder == FOLDER:
        check_schema(db)
    return after


def check_schema(db: Database) -> None:
    """Refuses a ledger this version cannot use: too new, too old, or with a table, view or column missing."""
    found = status(db)
    _refuse_newer(db, found)
    if found.pending:
        raise SchemaBehind(f"{db.path} has schema {found.current}, this version needs {found.head}: migrate it first")
    inspector = inspect(db.connection)
    present = set(inspector.get_table_names()) | set(inspector.get_view_names())
    lost = []
    for wanted in (*METADATA.sorted_tables, *VIEWS):
        if wanted.name not in present:
            lost.append(wanted.name)
            continue
        columns = {one["name"] for one in inspector.get_columns(wanted.name)}
        lost += [f"{wanted.name}.{one.name}" for one in wanted.columns if one.name not in columns]
    if lost:
        raise LedgerDamaged(f"{db.path} lacks {', '.join(lost)} although its schema is {found.current}: "
                            "restore the newest backup")  # fmt: skip


def _run(db: Database, step: Script, now: Instant) -> None:
    """One step and its line in the history, in one transaction, unless another process was quicker.

    Foreign keys are off while tables are rebuilt, and all checked before the step is kept. An error that is not the
    database's is undone too, and passes as it is.
    """
    number, connection = _number(step), db.connection
    context = MigrationContext.configure(connection, opts={"transactional_ddl": True})
    db.driver.execute("PRAGMA foreign_keys = OFF")
    try:
        with db.unit():
            schema_version.create(connection, checkfirst=True)
            if connection.scalar(select(schema_version.c.number).where(schema_version.c.number == number)) is not None:
                return
            with Operations.context(context):
                step.module.upgrade()
            _refuse_orphans(connection)
            row = {"number": number, "name": step.doc, "applied_at": now}
            connection.execute(schema_version.insert(), row)
    except (PolystraError, SQLAlchemyError, sqlite3.Error, ValueError) as error:
        raise MigrationFailed(
            f"{db.path}: step {number} ({step.doc}) failed and was undone, the schema is {number - 1} "
            f"with all its rows: {error}"
        ) from error
    finally:
        db.driver.execute("PRAGMA foreign_keys = ON")


def _refuse_orphans(connection: Connection) -> None:
    orphan = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if orphan is not None:
        raise LedgerDamaged(f"a row of {orphan[0]} refers to a missing row of {orphan[2]}")


def _refuse_newer(db: Database, found: SchemaStatus) -> None:
    if found.current > found.head:
        raise SchemaTooNew(
            f"{db.path} has schema {found.current} ({found.history[-1].name}), this version knows {found.head}: "
            "install the version that wrote it, or restore the backup made before that step"
        )


def _history(db: Database) -> tuple[AppliedStep, ...]:
    present = inspect(db.connection).get_table_names()
    if schema_version.name not in present:
        if present:
            raise NotALedger(f"{db.path} is a database of something else (table {present[0]}): name another file")
        return ()
    rows = db.connection.execute(select(schema_version).order_by(schema_version.c.number))
    return tuple(AppliedStep(row.number, row.name, Instant(row.applied_at)) for row in rows)


def _steps(folder: Path) -> list[Script]:
    """All steps there are, first to last."""
    return list(ScriptDirectory(str(folder)).walk_revisions())[::-1]


def _number(step: Script) -> int:
    return int(step.revision)


def _back_up(db: Database, number: int) -> Path:
    """A whole copy of the file, made under another name first, so that a half-written one is never taken for it."""
    target = db.path.with_name(f"{db.path.name}.before-{number}.bak")
    unfinished = target.with_name(target.name + ".part")
    try:
        copy = sqlite3.connect(unfinished)
        try:
            db.driver.backup(copy)
        finally:
            copy.close()
        unfinished.replace(target)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            unfinished.unlink()
        raise MigrationFailed(
            f"{db.path}: the copy before step {number} could not be written, so nothing was changed ({error}): "
            f"make room in {target.parent}"
        ) from error
    return target
