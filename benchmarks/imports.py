"""What it costs to start: nobody likes a command line that thinks before it helps."""

import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

from benchmarks.harness import Benchmark, Effort, Ratio, Side, Work

_HELP = "import sys; sys.argv = ['polystra', '--help']; from polystra.cli.main import app; app()"


def sides(folder: Path, effort: Effort) -> Mapping[str, Side]:
    return {
        "bare": Side("the interpreter with nothing to do", 1, lambda: nullcontext(_start("pass"))),
        "engine": Side("import polystra.core.engine", 1, lambda: nullcontext(_start("import polystra.core.engine"))),
        "help": Side("polystra --help", 1, lambda: nullcontext(_start(_HELP))),
    }


def _start(code: str) -> Work:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


BENCHMARK = Benchmark(
    name="imports",
    unit="start",
    about="""Whole processes, from start to end. What a bare interpreter takes is the floor; an engine in a backtest
must start quickly in every worker, and a command line must answer `--help` at once.""",
    ratios=(
        Ratio("imports.engine_vs_bare", "engine", "bare", "a process that imports the engine"),
        Ratio("imports.help_vs_bare", "help", "bare", "the command line, to its help"),
    ),
    sides=sides,
)
