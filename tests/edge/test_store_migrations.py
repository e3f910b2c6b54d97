"""From every schema there ever was to the newest one, and what happens when a step fails."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect

from polystra.core.units import Instant
from polystra.edge.store.db import Database, open_database, open_readonly
from polystra.edge.store.durability import Durability
from polystra.edge.store.errors import MigrationFailed, NotALedger, SchemaBehind, SchemaTooNew
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.migrations import FOLDER, AppliedStep, migrate, status
from polystra.edge.store.migrations import _run as run_step
from polystra.edge.store.migrations import _steps as steps_of
from polystra.edge.store.tables import METADATA
from tests.edge.store_cases import DAWN, NOON, open_ledger

HISTORIC = Path(__file__).parent / "schemas"
"""`ledger_<n>.sql`: a small ledger exactly as version n left it. Made once, never edited."""

HEAD = 4

FAILING = '''"""a step that fails half way"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("orders", sa.Column("colour", sa.Text))
    op.execute("UPDATE orders SET price_micro = 0")
    op.execute("DROP VIEW positions")
    op.execute("{statement}")
'''

MIGRATE = """
import resource, sys
from pathlib import Path
from polystra.core.units import Instant
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
from polystra.edge.store.migrations import migrate
with open_database(Path(sys.argv[1]), durable=Durability.NORMAL) as db:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), -1))
    migrate(db, Instant(1), folder=Path(sys.argv[2]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def historic(path: Path, number: int) -> dict[str, list[Any]]:
    """Puts a ledger of schema `number` at `path`, and returns its rows by table."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript((HISTORIC / f"ledger_{number}.sql").read_text())
    return contents(path)


def contents(path: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in tables if name != "schema_version"}


def kept(path: Path, rows: dict[str, list[Any]]) -> bool:
    """Whether all these rows are there still, and the tables that later steps brought are empty."""
    return contents(path) == {"claim_steps": [], "merge_steps": [], "merges": [], **rows}


def opened(path: Path) -> Database:
    return open_database(path, durable=Durability.NORMAL)


def steps_with(tmp_path: Path, statement: str) -> Path:
    """The real steps and a fifth one that ends with `statement`."""
    folder = tmp_path / "steps"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "0005_later.py").write_text(FAILING.format(statement=statement))
    return folder


def in_another_process(path: Path, folder: Path, *, room: int = -1) -> subprocess.Popen[str]:
    """`room`: the largest file that the system lets the process write, in bytes."""
    return subprocess.Popen(
        [sys.executable, "-c", MIGRATE, str(path), str(folder), str(room)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def shape(url: str) -> dict[str, Any]:
    """Everything that can be read back about the tables of a database."""
    engine = create_engine(url)
    look = inspect(engine)
    found = {
        name: (
            [(one["name"], str(one["type"]), one["nullable"]) for one in look.get_columns(name)],
            look.get_pk_constraint(name)["constrained_columns"],
            sorted((str(one["constrained_columns"]), one["referred_table"]) for one in look.get_foreign_keys(name)),
            sorted(str(one["column_names"]) for one in look.get_unique_constraints(name)),
            sorted((str(one["name"]), str(one["column_names"])) for one in look.get_indexes(name)),
        )
        for name in look.get_table_names()
    }
    engine.dispose()
    return found


def test_a_fresh_file_reaches_the_newest_schema_and_tells_each_step(path: Path) -> None:
    with opened(path) as db:
        before = status(db)
        assert (before.current, before.head, [number for number, _ in before.pending]) == (0, HEAD, [1, 2, 3, 4])
        after = migrate(db, NOON)
    assert after.history == (
        AppliedStep(1, "core tables", NOON),
        AppliedStep(2, "views of orders, fills, holdings and cash; indexes for reports", NOON),
        AppliedStep(3, "how far each redemption is", NOON),
        AppliedStep(4, "how far each merge of pairs is, and what it brought", NOON),
    )
    assert (after.current, after.pending) == (HEAD, ())
    assert [file.name for file in path.parent.glob("*.bak*")] == []


def test_every_schema_that_was_has_a_ledger_here() -> None:
    assert {file.name for file in HISTORIC.iterdir()} == {f"ledger_{number}.sql" for number in range(1, HEAD + 1)}


@pytest.mark.spec("S5.A1", pure="schemas and rows; the exchange has no part in it")
@pytest.mark.parametrize("number", range(1, HEAD + 1))
def test_every_historic_ledger_reaches_the_newest_schema_with_all_its_rows(path: Path, number: int) -> None:
    rows = historic(path, number)
    assert rows["fills"]
    assert rows["order_steps"]
    with opened(path) as db:
        assert status(db).current == number
        assert migrate(db, NOON).current == HEAD
        with Ledger(db) as ledger:
            loaded = ledger.load(NOON)
    assert kept(path, rows)
    assert (loaded.next_order, loaded.cash, len(loaded.fills)) == (3, 97_500_000, 2)


@pytest.mark.spec("S5.A2", pure="schemas and rows; the exchange has no part in it")
def test_a_second_start_changes_nothing(path: Path) -> None:
    open_ledger(path).close()
    with opened(path) as db:
        before = list(db.driver.iterdump())
        assert migrate(db, Instant(NOON + 1)).history[-1].applied_at == DAWN
        assert list(db.driver.iterdump()) == before


@pytest.mark.spec("S5.A3", pure="schemas and rows; the exchange has no part in it")
@pytest.mark.parametrize(
    "statement",
    ["SELECT no_such_function()", "INSERT INTO redemptions VALUES ('unknown', 1, 1)"],
    ids=["an error in the step", "rows that refer to nothing"],
)
def test_a_failing_step_leaves_the_version_before_and_the_process_fails(
    path: Path, tmp_path: Path, statement: str
) -> None:
    rows = historic(path, 1)
    process = in_another_process(path, steps_with(tmp_path, statement))
    _, said = process.communicate()
    assert process.returncode != 0
    assert "MigrationFailed" in said
    assert "step 5 (a step that fails half way) failed and was undone, the schema is 4" in said
    with opened(path) as db:
        assert [step.number for step in status(db).history] == [1, 2, 3, 4]
        Ledger(db)
    assert kept(path, rows)


def test_a_process_killed_in_the_middle_of_a_step_leaves_the_version_before(path: Path, tmp_path: Path) -> None:
    rows = historic(path, 1)
    folder = steps_with(tmp_path, "SELECT 1")
    step = folder / "versions" / "0005_later.py"
    step.write_text(step.read_text() + "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    process = in_another_process(path, folder)
    process.communicate()
    assert process.returncode == -9
    with opened(path) as db:
        assert status(db).current == HEAD
        Ledger(db)
    assert kept(path, rows)


def test_a_step_that_succeeds_after_it_failed_is_told_once(path: Path, tmp_path: Path) -> None:
    historic(path, 2)
    folder = steps_with(tmp_path, "SELECT no_such_function()")
    with opened(path) as db, pytest.raises(MigrationFailed):
        migrate(db, NOON, folder=folder)
    mended = steps_with(tmp_path / "mended", "SELECT 1")
    with opened(path) as db:
        assert [step.number for step in migrate(db, NOON, folder=mended).history] == [1, 2, 3, 4, 5]
        assert db.driver.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_ledger_newer_than_the_code_is_refused_and_not_touched(path: Path, tmp_path: Path) -> None:
    historic(path, 2)
    with opened(path) as db:
        migrate(db, NOON, folder=steps_with(tmp_path, "SELECT 1"))
    before = path.read_bytes()
    with opened(path) as db:
        with pytest.raises(SchemaTooNew, match=r"has schema 5 .* this version knows 4: install"):
            migrate(db, NOON)
        with pytest.raises(SchemaTooNew):
            Ledger(db)
    assert path.read_bytes() == before


def test_a_ledger_with_pending_steps_is_refused_until_migrated(path: Path) -> None:
    historic(path, 1)
    with opened(path) as db, pytest.raises(SchemaBehind, match="schema 1, this version needs 4"):
        Ledger(db)


def test_somebody_elses_database_is_refused_and_not_touched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE trades (id INTEGER)")
    with opened(path) as db, pytest.raises(NotALedger, match=r"something else \(table trades\)"):
        migrate(db, NOON)
    assert contents(path) == {"trades": []}


def test_the_copy_made_before_a_step_is_the_ledger_as_it_was(path: Path) -> None:
    rows = historic(path, 1)
    with opened(path) as db:
        migrate(db, NOON)
    copy = path.with_name("ledger.db.before-2.bak")
    assert contents(copy) == rows
    with open_readonly(copy) as db:
        assert status(db).current == 1


def test_without_room_for_the_copy_nothing_is_migrated(path: Path) -> None:
    rows = historic(path, 1)
    process = in_another_process(path, FOLDER, room=16 * 1024)
    _, said = process.communicate()
    assert process.returncode != 0
    assert "MigrationFailed" in said
    assert "nothing was changed" in said
    assert contents(path) == rows
    with opened(path) as db:
        assert status(db).current == 1
    assert [file.name for file in path.parent.glob("*.bak*")] == []


def test_two_processes_that_migrate_at_once_run_each_step_once(path: Path) -> None:
    rows = historic(path, 1)
    pair = [in_another_process(path, FOLDER) for _ in range(2)]
    for process in pair:
        _, said = process.communicate()
        assert process.returncode == 0 or "LedgerInUse" in said
    assert 0 in [process.returncode for process in pair]
    with opened(path) as db:
        assert [step.number for step in status(db).history] == [1, 2, 3, 4]
    assert kept(path, rows)


def test_a_step_that_another_process_made_meanwhile_is_not_made_again(path: Path) -> None:
    with opened(path) as db:
        history = migrate(db, DAWN).history
        for step in steps_of(FOLDER):
            run_step(db, step, NOON)
        assert status(db).history == history


def test_the_steps_lead_to_the_tables_the_code_describes(path: Path, tmp_path: Path) -> None:
    open_ledger(path).close()
    described = tmp_path / "described.db"
    engine = create_engine(f"sqlite:///{described}")
    METADATA.create_all(engine)
    engine.dispose()
    assert shape(f"sqlite:///{path}") == shape(f"sqlite:///{described}")
