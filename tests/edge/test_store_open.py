"""Opening a ledger: what is refused, and that each refusal says how to mend it."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from polystra.core.errors import PolystraError
from polystra.edge.store.db import InstanceLock, open_database, open_readonly
from polystra.edge.store.durability import Durability
from polystra.edge.store.errors import (
    FolderMissing,
    LedgerDamaged,
    LedgerInUse,
    LedgerLocked,
    LedgerReadOnly,
    NotALedger,
)
from polystra.edge.store.ledger import Ledger
from tests.edge.store_cases import NOON, followed, intent, open_ledger

NOBODY = 65534

HOLD = """
import sys
from pathlib import Path
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
db = open_database(Path(sys.argv[1]), durable=Durability.NORMAL)
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the ledger open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


@pytest.fixture
def guarded_folder() -> Iterator[Path]:
    """A folder nobody may write to, looked at by a user who is not root (root may write anywhere)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def refusal(path: Path, kind: type[PolystraError], **options: int) -> str:
    with pytest.raises(kind) as refused:
        open_database(path, durable=Durability.NORMAL, **options)
    return str(refused.value)


def as_nobody(folder: Path, path: Path) -> str:
    if os.geteuid() != 0:
        folder.chmod(0o555)
        return refusal(path, LedgerReadOnly)
    os.seteuid(NOBODY)
    try:
        return refusal(path, LedgerReadOnly)
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(("durable", "level"), [(Durability.NORMAL, 1), (Durability.FULL, 2)])
def test_a_new_ledger_is_in_wal_and_as_durable_as_asked(path: Path, durable: Durability, level: int) -> None:
    with open_database(path, durable=durable) as db:
        assert db.driver.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.driver.execute("PRAGMA synchronous").fetchone() == (level,)
        assert db.driver.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_path_with_odd_signs_is_that_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=memory#%41.db"
    open_ledger(path).close()
    assert path.exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "create it" in refusal(tmp_path / "data" / "ledger.db", FolderMissing)
    assert not (tmp_path / "data").exists()


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    assert "name a file in it" in refusal(tmp_path, NotALedger)


def test_a_text_file_is_no_ledger_and_stays_as_it_is(path: Path) -> None:
    path.write_text("my notes, much longer than a header of a database " * 20)
    before = path.read_bytes()
    assert "name another file" in refusal(path, NotALedger)
    assert path.read_bytes() == before


def test_a_readonly_folder_is_refused_with_the_fix(guarded_folder: Path) -> None:
    assert "let this user write" in as_nobody(guarded_folder, guarded_folder / "ledger.db")


def test_a_readonly_file_is_refused_with_the_fix(guarded_folder: Path) -> None:
    path = guarded_folder / "ledger.db"
    open_ledger(path).close()
    path.with_name("ledger.db.lock").chmod(0o666)
    path.chmod(0o444)
    assert "let this user write" in as_nobody(guarded_folder, path)


def test_a_database_that_another_program_holds_is_refused(path: Path) -> None:
    open_ledger(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as browser:
        browser.execute("BEGIN EXCLUSIVE")
        assert "close database browsers" in refusal(path, LedgerLocked, busy_milliseconds=10)
    open_ledger(path).close()


def test_a_corrupt_page_is_found_at_start(path: Path) -> None:
    with open_ledger(path) as ledger:
        ledger.record(1, NOON, [intent(n) for n in range(1, 400)], [followed()])
    content = bytearray(path.read_bytes())
    content[-4096 + 8 : -4096 + 12] = b"\xff" * 4  # where the last page says its rows are
    path.write_bytes(content)
    assert "restore the newest backup" in refusal(path, LedgerDamaged)


def test_a_file_corrupt_from_its_first_page_is_found_at_start(path: Path) -> None:
    open_ledger(path).close()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)
    assert "restore the newest backup" in refusal(path, LedgerDamaged)


def test_a_ledger_moved_without_its_wal_is_refused(path: Path) -> None:
    """`FAULTS.md` row 29: the database was moved away and its newest rows stayed behind in the -wal."""
    path.with_name("ledger.db-wal").write_bytes(b"rows")
    assert "bring the file back" in refusal(path, LedgerDamaged)
    assert path.with_name("ledger.db-wal").read_bytes() == b"rows"


def test_a_second_process_is_refused_and_told_the_first(path: Path, holder: subprocess.Popen[str]) -> None:
    assert f"in use by process {holder.pid}" in refusal(path, LedgerInUse)


def test_the_same_process_cannot_open_a_ledger_twice(path: Path) -> None:
    with open_ledger(path):
        assert f"in use by process {os.getpid()}" in refusal(path, LedgerInUse)


def test_a_link_to_a_ledger_is_the_same_ledger(path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    with open_ledger(path):
        refusal(link, LedgerInUse)


def test_the_lock_of_a_killed_process_is_recovered(path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with open_database(path, durable=Durability.NORMAL) as db:
        assert db.crashed == holder.pid
    with open_database(path, durable=Durability.NORMAL) as db:
        assert db.crashed is None


def test_a_refused_opening_keeps_no_lock(path: Path) -> None:
    path.write_text("no database " * 20)
    refusal(path, NotALedger)
    InstanceLock(path).release()


def test_a_reader_sees_a_ledger_in_use_and_cannot_write(path: Path) -> None:
    with open_ledger(path) as ledger:
        ledger.record(1, NOON, [intent(1)], [followed()])
        with open_readonly(path) as reader:
            assert reader.driver.execute("SELECT COUNT(*) FROM orders").fetchone() == (1,)
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader.driver.execute("DELETE FROM orders")
        ledger.record(2, NOON, [intent(2)], [])


def test_a_reader_of_nothing_creates_nothing(path: Path) -> None:
    with pytest.raises(FolderMissing, match="name the ledger of a run"):
        open_readonly(path)
    assert not path.exists()


@pytest.mark.spec("L2.A3", pure="the schema is checked before anything reaches the exchange")
@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        ("ALTER TABLE orders DROP COLUMN purpose", "orders.purpose"),
        ("DROP TABLE memories", "memories"),
        ("DROP VIEW positions", "positions"),
    ],
)
def test_a_ledger_that_lacks_something_does_not_start(path: Path, damage: str, lost: str) -> None:
    open_ledger(path).close()
    with open_database(path, durable=Durability.NORMAL) as db:
        db.driver.execute(damage)
        with pytest.raises(LedgerDamaged, match=rf"lacks {lost} although its schema is 4: restore"):
            Ledger(db)
