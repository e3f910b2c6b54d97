"""What a run found, as `results.json` for programs and `RESULTS.md` for people. Neither names a machine or a path."""

import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.harness import Benchmark, Effort, Side, Spread, Timings, ratio, spread

JSON = "results.json"
MARKDOWN = "RESULTS.md"


class FoundRatio(Struct, frozen=True, kw_only=True):
    """`median`, and the middle half of the rounds from `low` to `high`."""

    median: float
    low: float
    high: float
    unit: str
    rounds: int
    subject: str
    yardstick: str
    says: str


class FoundSide(Struct, frozen=True, kw_only=True):
    """What one side took in this run on this machine: seconds of one whole run of its work, and units a second."""

    what: str
    unit: str
    count: int
    seconds: Spread
    per_second: float


class Results(Struct, frozen=True, kw_only=True):
    versions: dict[str, str]
    machine: str
    ratios: dict[str, FoundRatio]
    sides: dict[str, FoundSide]
    not_measured: dict[str, str]


def versions() -> dict[str, str]:
    """Of everything that was compared."""
    return {
        "polystra": version("polystra"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "msgspec": version("msgspec"),
        "sqlalchemy": version("sqlalchemy"),
    }


def machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def found_ratios(benchmark: Benchmark, sides: Mapping[str, Side], timings: Timings) -> dict[str, FoundRatio]:
    """Every ratio whose two sides were there."""
    found = {}
    for one in benchmark.ratios:
        if one.subject in sides and one.yardstick in sides:
            between = ratio(timings, one.subject, one.yardstick)
            found[one.name] = FoundRatio(
                median=_short(between.median),
                low=_short(between.low),
                high=_short(between.high),
                unit=f"times the seconds per {benchmark.unit}",
                rounds=len(timings[one.subject]),
                subject=sides[one.subject].what,
                yardstick=sides[one.yardstick].what,
                says=one.says,
            )
    return found


def found_sides(benchmark: Benchmark, sides: Mapping[str, Side], timings: Timings) -> dict[str, FoundSide]:
    found = {}
    for name, side in sides.items():
        each = spread([seconds * side.count for seconds in timings[name]])
        found[f"{benchmark.name}: {name}"] = FoundSide(
            what=side.what,
            unit=benchmark.unit,
            count=side.count,
            seconds=Spread(_short(each.median), _short(each.low), _short(each.high)),
            per_second=_short(side.count / each.median),
        )
    return found


def write(results: Results, benchmarks: Sequence[Benchmark], folder: Path) -> None:
    encoded = msgspec.json.format(msgspec.json.encode(results), indent=1)
    (folder / JSON).write_bytes(encoded + b"\n")
    (folder / MARKDOWN).write_text(markdown(results, benchmarks), encoding="utf-8")


def ratio_table(ratios: Mapping[str, FoundRatio]) -> list[str]:
    rows = ["| ratio | median | middle half | means |", "|---|---:|---|---|"]
    rows += [
        f"| `{name}` | **{one.median:.3g}** | {one.low:.3g} to {one.high:.3g} | {one.says} |"
        for name, one in ratios.items()
    ]
    return rows


def side_table(sides: Mapping[str, FoundSide], benchmark: Benchmark) -> list[str]:
    rows = [f"| what was timed | {benchmark.unit}s | seconds | {benchmark.unit}s a second |", "|---|---:|---:|---:|"]
    rows += [
        f"| {one.what} | {one.count:,} | {one.seconds.median:.3g} | {one.per_second:,.0f} |" for one in sides.values()
    ]
    return rows


def markdown(results: Results, benchmarks: Sequence[Benchmark]) -> str:
    lines = [_HEAD, f"Run with {_listed(results.versions)}, on {results.machine}."]
    for benchmark in benchmarks:
        names = [one.name for one in benchmark.ratios]
        ratios = {name: found for name, found in results.ratios.items() if name in names}
        sides = {name: found for name, found in results.sides.items() if name.startswith(f"{benchmark.name}: ")}
        lines += ["", f"## {benchmark.name}", "", benchmark.about.strip(), ""]
        if benchmark.name in results.not_measured:
            lines += [f"Not measured: {results.not_measured[benchmark.name]}."]
            continue
        lines += [*ratio_table(ratios), "", *side_table(sides, benchmark)]
    return "\n".join(lines) + "\n"


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _short(number: float) -> float:
    return float(f"{number:.4g}")


_HEAD = f"""# How fast it is

Written by `make bench`, in under three minutes; `python -m benchmarks --only NAME` runs one of them, `--quick` a small
part of each, and neither touches this file. The same numbers are in `{JSON}`.

A **ratio** is the time of one thing over the time of another that was timed in turn with it, in the same process:
2 means twice as long, and lower is better. Its name never changes its meaning, so ratios can be compared between
versions. Beside the median stands the middle half of the {Effort().rounds} rounds. Seconds and rates are those of one
run on one machine and move by a factor of two: read them as a size, not as a result.
"""
