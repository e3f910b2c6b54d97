"""Runs the real command in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QUICK = ("--windows", "3")


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line that a person gets, and nothing else."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("polystra: ")
        return lines[0]


def environment(**changes: str) -> dict[str, str]:
    """This process's own, without settings that somebody has in theirs."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POLYSTRA__")}
    return {**clean, **changes}


def polystra(*arguments: str | Path, **changes: str) -> Ran:
    done = subprocess.run(
        [sys.executable, "-m", "polystra", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment(**changes),
        timeout=300,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, to see that nothing was touched."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
