"""Bad input ends with one clear line, exit code 2, and nothing damaged."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from polystra.app.demo import DemoOptions, FolderUnusable, run_demo
from polystra.app.run_plan import plan_of
from polystra.app.settings import Settings
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
from tests.edge.cli_cases import Ran, contents, environment, polystra


@pytest.fixture
def folder(kept: tuple[Path, Ran], tmp_path: Path) -> Path:
    """A copy of a run, to be spoilt."""
    return Path(shutil.copytree(kept[0], tmp_path / "run"))


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A copy of the sample's recordings, to be spoilt."""
    place = Path(str(metadata.distribution("resolvedkit").locate_file("resolvedkit"))) / "sample_data"
    return Path(shutil.copytree(place, tmp_path / "sample"))


def refused(*arguments: str | Path, **changes: str) -> str:
    ran = polystra(*arguments, **changes)
    assert (ran.code, ran.out) == (2, "")
    return ran.error


def test_a_missing_folder_of_recordings(tmp_path: Path) -> None:
    assert "there is no such folder" in refused("demo", "--quiet", "--data", tmp_path / "absent")


def test_an_empty_folder_of_recordings(tmp_path: Path) -> None:
    assert "the folder is empty; known layouts are" in refused("demo", "--quiet", "--data", tmp_path)


@pytest.mark.parametrize("spoilt", ["books.parquet", "markets.parquet"])
def test_a_broken_recording_is_refused_before_anything_is_written(sample: Path, tmp_path: Path, spoilt: str) -> None:
    path = sample / spoilt
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    out = tmp_path / "out"
    assert str(path) in refused("demo", "--quiet", "--data", sample, "--out", out)
    assert not out.exists()


def test_a_recording_with_a_part_missing(sample: Path) -> None:
    (sample / "books.parquet").unlink()
    assert "markets.parquet is here, books.parquet is missing" in refused("demo", "--quiet", "--data", sample)


def test_an_unknown_setting_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[limits]\nmax_spreed = 0.1\n")
    line = refused("demo", "--quiet", "--settings", path)
    assert f"{path} line 2: unknown setting limits.max_spreed; known here: max_order_usd" in line


def test_an_unknown_setting_in_the_environment() -> None:
    assert "unknown setting limits.max_spreed" in refused("demo", "--quiet", POLYSTRA__LIMITS__MAX_SPREED="0.1")


def test_a_setting_out_of_its_range(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[stakes]\nbet_percent = 101\n")
    assert "stakes.bet_percent = 101" in refused("demo", "--quiet", "--settings", path)


def test_settings_that_are_not_toml(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[limits\n")
    assert f"{path}: not TOML" in refused("demo", "--quiet", "--settings", path)


def test_settings_that_are_not_there(tmp_path: Path) -> None:
    assert "cannot be read" in refused("replay", tmp_path / "j.plj", "--settings", tmp_path / "absent.toml")


def test_a_folder_that_holds_a_run_is_left_as_it_is(folder: Path) -> None:
    before = contents(folder)
    line = refused("demo", "--quiet", "--out", folder)
    assert "holds a run already" in line
    assert f"polystra report --out {folder}" in line
    assert contents(folder) == before


def test_a_run_from_code_is_refused_there_as_well(folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(FolderUnusable, match="holds a run already"):
        run_demo(DemoOptions(plan=plan_of(Settings(), seed=1), folder=folder))
    assert contents(folder) == before


@pytest.mark.parametrize("left", ["journal-0001.plj", "exchange.jsonl", "recordings.json"])
def test_any_file_of_another_run_is_in_the_way(folder: Path, left: str) -> None:
    for path in folder.iterdir():
        if path.name != left:
            path.unlink()
    before = contents(folder)
    assert f"({left})" in refused("demo", "--quiet", "--out", folder)
    assert contents(folder) == before


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "cannot be made (File exists)" in refused("demo", "--quiet", "--windows", "1", "--out", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_second_demo_in_the_same_folder_leaves_the_first_alone(tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = subprocess.Popen(
        [sys.executable, "-m", "polystra", "demo", "--windows", "2", "--out", str(out)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with first:
        assert first.stdout is not None
        assert any("new: entry" in line for line in first.stdout)
        first.send_signal(signal.SIGSTOP)
        try:
            assert "perhaps one that still goes on" in refused("demo", "--quiet", "--out", out)
            assert f"in use by process {first.pid}" in refused("db", "migrate", "--out", out)
            going = polystra("status", "--json", "--out", out)
            assert going.json["process"] == f"going on, process {first.pid}"
        finally:
            first.send_signal(signal.SIGCONT)
        told, _ = first.communicate(timeout=120)
    assert first.returncode == 0
    assert "ledger = exchange, to the millionth" in told
    assert polystra("replay", out / "journal-0001.plj").code == 0


def test_two_demos_that_begin_at_the_same_moment_do_not_share_a_folder(tmp_path: Path) -> None:
    """Whoever comes second to the lock is told so, and has not touched the exchange's log of the first."""
    with open_database(tmp_path / "ledger.sqlite", durable=Durability.NORMAL) as _:
        (tmp_path / "ledger.sqlite").unlink()
        line = refused("demo", "--quiet", "--windows", "1", "--out", tmp_path)
    assert "in use by process" in line
    assert not (tmp_path / "exchange.jsonl").exists()


def newer(folder: Path) -> None:
    connection = sqlite3.connect(folder / "ledger.sqlite")
    with connection:
        connection.execute("insert into schema_version (number, name, applied_at) values (99, 'of the future', 1)")
    connection.close()


@pytest.mark.parametrize("command", [["status"], ["report"], ["db", "migrate"], ["db", "check"]])
def test_a_newer_ledger_is_refused_and_unchanged(folder: Path, command: list[str]) -> None:
    newer(folder)
    before = contents(folder)["ledger.sqlite"]
    line = refused(*command, "--out", folder)
    assert "has schema 99 (of the future), this version knows" in line
    assert contents(folder)["ledger.sqlite"] == before


def test_db_status_shows_a_newer_schema_and_refuses_it(folder: Path) -> None:
    newer(folder)
    ran = polystra("db", "status", "--json", "--out", folder)
    assert ran.code == 2
    assert ran.json["schema"] == 99
    assert "newer than this version knows" in ran.error


@pytest.mark.parametrize("command", [["status"], ["report"], ["db", "status"], ["db", "migrate"], ["db", "check"]])
def test_a_folder_without_a_ledger(tmp_path: Path, command: list[str]) -> None:
    assert "ledger.sqlite does not exist" in refused(*command, "--out", tmp_path)
    assert contents(tmp_path) == {}


def test_a_journal_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("dear diary")
    assert "is not a journal" in refused("replay", tmp_path / "notes.txt")
    assert "cannot be read" in refused("replay", tmp_path / "absent.plj")


@pytest.mark.parametrize(
    "arguments",
    [["demo", "--windows", "0"], ["demo", "--seed", "-1"], ["demo", "--nonsense"], ["nonsense"], ["replay"]],
)
def test_wrong_usage(arguments: list[str]) -> None:
    ran = polystra(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err
