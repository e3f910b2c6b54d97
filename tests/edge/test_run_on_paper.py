"""`polystra run`: paper trading as life goes, stopped and gone on with, one process for each wallet and folder."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from polystra.edge.clock import stopwatch
from tests.edge.cli_cases import Ran, environment, polystra
from tests.edge.demo_cases import PATIENCE, kill

ONE = ("--windows", "1")


@contextmanager
def running(*command: str | Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "polystra", *map(str, command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Path]:
    """A file with the JSON line of an exchange that runs."""
    with running("exchange", "--json", *ONE, "--recorded-time", "--speed", "20", "--accounts", "2") as process:
        assert process.stdout is not None
        told = tmp_path / "exchange.json"
        told.write_text(process.stdout.readline())
        assert json.loads(told.read_text())["mode"] == "recorded"
        yield told


def wait_for(process: "subprocess.Popen[str]", words: str) -> str:
    """Reads its lines until one has these words."""
    assert process.stdout is not None
    give_up, said = stopwatch() + PATIENCE, ""
    while stopwatch() < give_up:
        line = process.stdout.readline()
        said += line
        if words in line:
            return said
        if not line and process.poll() is not None:
            break
    raise AssertionError(f"never said {words!r}: {said} {process.stderr.read() if process.stderr else ''}")


def trades(process: "subprocess.Popen[str]", journal: Path) -> None:
    """Waits until it has learned something in this life."""
    give_up = stopwatch() + PATIENCE
    while not journal.exists() or journal.stat().st_size < 5_000:
        assert process.poll() is None, process.communicate()
        assert stopwatch() < give_up, f"nothing in {journal} after {PATIENCE} s"
        time.sleep(0.02)


def test_a_window_is_traded_as_life_goes_and_ends_with_equal_books(tmp_path: Path) -> None:
    """1,500 recorded seconds at 150 times their speed; the strategy's default gate may well stand aside."""
    done = polystra("run", "--out", tmp_path / "run", *ONE, "--speed", "150", POLYSTRA__LIMITS__MIN_EDGE_USD="-0.05")
    assert done.code == 0, done.err
    assert "settled" in done.out
    assert "ledger = exchange, to the millionth" in done.out


def test_ctrl_c_takes_back_what_rests_and_the_same_command_goes_on(tmp_path: Path) -> None:
    command = ("run", "--out", tmp_path / "run", *ONE, "--speed", "5")
    with running(*command) as process:
        wait_for(process, "followed")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        assert "0 open orders" in out
    with running(*command) as process:
        trades(process, tmp_path / "run" / "journal-0002.plj")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    assert len(list((tmp_path / "run").glob("journal-*.plj"))) == 2


def test_a_folder_with_another_run_is_left_as_it_is(tmp_path: Path) -> None:
    with running("run", "--out", tmp_path / "run", *ONE, "--speed", "5") as process:
        wait_for(process, "followed")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    other = polystra("run", "--out", tmp_path / "run", *ONE, "--speed", "7")
    assert other.code == 2
    assert "holds a run with speed 5, asked is 7" in other.err


def busy(done: Ran) -> str:
    assert done.code == 2, done.out + done.err
    return done.err


@pytest.mark.spec("X10.A1", pure="what is asked is whether a process may start, not what an exchange has")
def test_a_second_process_on_the_same_wallet_or_folder_is_refused_and_told_of_the_first(
    exchange: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with running("run", "--out", first, *ONE, "--exchange", exchange) as process:
        wait_for(process, "followed")
        same_folder = busy(polystra("run", "--out", first, *ONE, "--exchange", exchange, "--account", "2"))
        assert f"in use by process {process.pid}" in same_folder
        same_wallet = busy(polystra("run", "--out", second, *ONE, "--exchange", exchange))
        assert f"is traded by process {process.pid}" in same_wallet
        assert str(first) in same_wallet
        kill(process.pid)
        process.wait()
    for folder in (first, second):
        with running("run", "--out", folder, *ONE, "--exchange", exchange) as again:
            lives = len(list(folder.glob("journal-*.plj")))
            trades(again, folder / f"journal-{lives + 1:04}.plj")
            again.send_signal(signal.SIGTERM)
            _, err = again.communicate(timeout=PATIENCE)
            assert again.returncode == 0, err


def test_an_account_that_the_exchange_did_not_tell_is_refused(exchange: Path, tmp_path: Path) -> None:
    refused = polystra("run", "--out", tmp_path / "run", *ONE, "--exchange", exchange, "--account", "3")
    assert "account 3: that exchange told 2, give 1 to 2" in busy(refused)


def test_a_file_that_is_no_exchange_line_is_refused(tmp_path: Path) -> None:
    told = tmp_path / "exchange.json"
    told.write_text("{}")
    refused = polystra("run", "--out", tmp_path / "run", *ONE, "--exchange", told)
    assert "give a file with the line that polystra exchange --json prints" in busy(refused)


def test_an_exchange_that_moved_its_recordings_to_now_is_refused(tmp_path: Path) -> None:
    told = tmp_path / "exchange.json"
    with running("exchange", "--json", *ONE) as process:
        assert process.stdout is not None
        told.write_text(process.stdout.readline())
        refused = polystra("run", "--out", tmp_path / "run", *ONE, "--exchange", told)
    assert "start it with --recorded-time or --speed max" in busy(refused)
