"""Runs of the demo in processes of its own, killed wherever a test likes, and what ledger and exchange have then."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from polystra.app.check import last_truth
from polystra.edge.clock import stopwatch
from polystra.sim.records import Truth
from tests.edge.cli_cases import environment

PATIENCE = 120.0
"""Seconds of the machine after which a process that should have come that far has failed."""


class Life(Struct, frozen=True):
    """One process that trades, and the folder of its run."""

    process: "subprocess.Popen[str]"
    folder: Path

    @property
    def written(self) -> int:
        """Bytes of all journals of the run: how far it has come."""
        return sum(path.stat().st_size for path in self.folder.glob("journal-*.plj"))

    @property
    def exchange(self) -> int:
        """The process of its exchange."""
        return int(json.loads((self.folder / "exchange.json").read_bytes())["pid"])

    def come_to(self, written: int) -> bool:
        """Waits until so much is written; false when the process ended before."""
        give_up = stopwatch() + PATIENCE
        while self.process.poll() is None and self.written < written:
            assert stopwatch() < give_up, f"{self.written} of {written} bytes after {PATIENCE} s"
            time.sleep(0.002)
        return self.process.poll() is None

    def accepted(self, nth: int) -> str:
        """The id of the nth order that the exchange took, as soon as it has written that down."""
        give_up = stopwatch() + PATIENCE
        log, found = self.folder / "exchange.jsonl", list[bytes]()
        while stopwatch() < give_up:
            assert self.process.poll() is None, self.process.communicate()
            found = (
                [line for line in log.read_bytes().splitlines() if b'"OrderAccepted"' in line] if log.exists() else []
            )
            if len(found) >= nth:
                return str(json.loads(found[nth - 1])["did"]["order"])
            time.sleep(0.001)
        raise AssertionError(f"{len(found)} of {nth} orders after {PATIENCE} s")

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[Life]:
    """Begins, or goes on with, a demo; whatever is left of it at the end is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "polystra", "demo", "--json", "--quiet", "--out", str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield Life(process, folder)
    finally:
        process.kill()
        process.communicate()


def kill(*processes: int) -> None:
    """SIGKILL for all of them at one go."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def wait_for_end(process: int) -> None:
    """Of a process that is not ours to wait for."""
    give_up = stopwatch() + PATIENCE
    while Path(f"/proc/{process}").exists() and _state(process) != "Z":
        assert stopwatch() < give_up, f"process {process} did not end"
        time.sleep(0.005)


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def intents(folder: Path) -> set[str]:
    """The venue ids of all intents in the ledger."""
    return {row[0] for row in _rows(folder, "SELECT venue_order FROM orders")}


def states(folder: Path) -> dict[str, str]:
    """The state of each order by its venue id."""
    return dict(_rows(folder, "SELECT o.venue_order, s.state FROM orders o JOIN order_states s ON s.order_id = o.id"))


def _rows(folder: Path, question: str) -> list[Any]:
    connection = sqlite3.connect(f"file:{folder / 'ledger.sqlite'}?mode=ro", uri=True)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


class Kept(Struct, frozen=True):
    """What a run left: the ledger's rows by plain SQL, and the exchange's truth."""

    orders: Sequence[tuple[Any, ...]]
    fills: Sequence[tuple[Any, ...]]
    truth: Truth


def kept(folder: Path) -> Kept:
    truth = last_truth(folder / "exchange.jsonl")
    assert truth is not None
    orders = _rows(folder, "SELECT * FROM orders ORDER BY id")
    fills = _rows(folder, "SELECT * FROM fills ORDER BY trade, order_id")
    return Kept(orders, fills, truth)
