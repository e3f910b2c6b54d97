"""`polystra exchange` as a child of a test."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polystra.edge.clock import stopwatch
from tests.edge.cli_cases import environment

PATIENCE = 20.0


class Command:
    """The exchange as a child, what it said on stdout in a file."""

    def __init__(self, said: Path, *arguments: str, stdin: int | None = None, changes: Mapping[str, str] = {}) -> None:
        self._said = said
        with said.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "polystra", "exchange", *arguments],
                stdin=stdin,
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(**changes),
            )

    def line(self) -> Any:
        """Its one line, once it is there."""
        until = stopwatch() + PATIENCE
        while not self._said.read_bytes().endswith(b"\n"):
            assert self.process.poll() is None, self.process.communicate()
            assert stopwatch() < until
            time.sleep(0.02)
        (line,) = self._said.read_text().splitlines()
        return json.loads(line)

    def stop(self, by: signal.Signals = signal.SIGINT) -> tuple[int, str, float]:
        """Exit code, stderr, and the seconds it took to end."""
        began = stopwatch()
        self.process.send_signal(by)
        _, told = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, told, stopwatch() - began

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return json.load(answer)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
