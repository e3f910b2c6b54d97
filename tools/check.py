"""Runs everything that must hold before a commit, lane by lane: `make check`.

Every lane runs even when an earlier one failed, so that one run shows all there is to mend; what a failed lane printed
follows its line. Names of lanes as arguments run only those: `make check ARGS="types unit+property"`. The lanes of
pytest leave JUnit files and the results of marked tests in build/, where tools/conformance.py finds them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
PYTHON = sys.executable
LINT_IMPORTS = str(Path(PYTHON).parent / "lint-imports")
FULLY_COVERED = ("src/polystra/core", "src/polystra/sim")
PARALLEL = ["-n", "2", "--dist", "worksteal"]


@dataclass(frozen=True)
class Lane:
    """Commands that run one after the other until one fails. `folders` are the tests that a pytest lane runs."""

    name: str
    commands: tuple[list[str], ...]
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ending:
    failed: bool
    seconds: float
    output: str


def main(wanted: list[str]) -> int:
    began = time.monotonic()
    lanes = [lane for lane in all_lanes() if not wanted or lane.name in wanted]
    if not lanes or set(wanted) - {lane.name for lane in lanes}:
        print(f"check: the lanes are {' '.join(lane.name for lane in all_lanes())}")
        return 2
    forget_earlier_results()
    failed = [lane.name for lane in lanes if not passes(lane)]
    counts = sum((test_counts(lane) for lane in lanes), Counter[str]())
    print_missing_recordings(counts)
    print(f"check: {time.monotonic() - began:.1f} s, " + (f"FAILED: {' '.join(failed)}" if failed else "all is well"))
    print(plain_counts(counts))
    return 1 if failed else 0


def all_lanes() -> Iterator[Lane]:
    yield Lane("format", ([PYTHON, "-m", "ruff", "format", "--check"],))
    yield Lane("lint", ([PYTHON, "-m", "ruff", "check"],))
    yield Lane("types", ([PYTHON, "-m", "mypy"],))
    yield Lane("contracts", ([LINT_IMPORTS, "--no-logo"],))
    yield from pytest_lane("unit+property", ("tests/unit", "tests/property"), covered=True)
    for name in ("scenario", "replay", "wire", "edge", "browser"):
        yield from pytest_lane(name, (f"tests/{name}",), covered=False)
    yield Lane("conformance", ([PYTHON, "-m", "tools.conformance", "--from", str(BUILD)],))


def pytest_lane(name: str, folders: tuple[str, ...], *, covered: bool) -> Iterator[Lane]:
    """No lane while its folders have no tests."""
    present = tuple(folder for folder in folders if any((ROOT / folder).rglob("test_*.py")))
    if not present:
        return
    command = [PYTHON, "-m", "pytest", "-q", *PARALLEL, *present]
    command += [f"--junitxml={junit_file(name)}", f"--spec-results={BUILD / f'spec-{name}.json'}"]
    if not covered:
        yield Lane(name, (command,), present)
        return
    yield Lane(name, ([*command, "--cov", "--cov-report="], *full_coverage()), present)


def full_coverage() -> Iterator[list[str]]:
    """The core and sim decide about money: every branch of theirs is run. The report names the lines that are not."""
    include = ",".join(f"{folder}/*" for folder in FULLY_COVERED)
    yield [PYTHON, "-m", "coverage", "report", f"--include={include}", "--fail-under=100"]


def junit_file(name: str) -> Path:
    return BUILD / f"junit-{name}.xml"


def forget_earlier_results() -> None:
    BUILD.mkdir(exist_ok=True)
    for stale in (*BUILD.glob("junit-*.xml"), *BUILD.glob("spec-*.json"), *BUILD.glob(".coverage*")):
        stale.unlink()


def passes(lane: Lane) -> bool:
    ending = run(lane)
    print(f"{lane.name:14} {'FAILED' if ending.failed else 'ok':7}{ending.seconds:7.1f} s  {summary(lane, ending)}")
    if ending.failed:
        print(ending.output)
    sys.stdout.flush()
    return not ending.failed


def run(lane: Lane) -> Ending:
    began = time.monotonic()
    # The tests are the same in every run: the random search of hypothesis is for `make test`.
    environment = os.environ | {"HYPOTHESIS_PROFILE": "ci"}
    output = ""
    failed = False
    for command in lane.commands:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        output += done.stdout
        failed = done.returncode != 0
        if failed:
            break
    return Ending(failed, time.monotonic() - began, output)


def summary(lane: Lane, ending: Ending) -> str:
    if lane.folders:
        return plain_counts(test_counts(lane))
    if lane.name == "conformance" and ending.output:
        return ending.output.rstrip().splitlines()[-1].removeprefix("conformance: ")
    return ""


def test_counts(lane: Lane) -> Counter[str]:
    """Tests by outcome, and how many were skipped for want of the recordings, from the lane's JUnit file."""
    counts = Counter[str]()
    if lane.folders and junit_file(lane.name).exists():
        for case in ElementTree.parse(junit_file(lane.name)).iter("testcase"):
            skipped = case.find("skipped")
            broken = case.find("failure") is not None or case.find("error") is not None
            counts["failed" if broken else "passed" if skipped is None else "skipped"] += 1
            if skipped is not None and "no recordings" in skipped.get("message", ""):
                counts["no recordings"] += 1
    return counts


def print_missing_recordings(counts: Counter[str]) -> None:
    if counts["no recordings"]:
        print(f"check: not run without the recordings (POLYSTRA_RECORDINGS): {counts['no recordings']} tests")


def plain_counts(counts: Counter[str]) -> str:
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    return f"{counts['passed']} passed, {counts['failed']} failed{skipped}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
