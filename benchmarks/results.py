"""What a run found, as `results.json` for programs and `RESULTS.md` for people. Neither names a machine or a path."""

import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.harness import (
    Benchmark,
    Effort,
    Ratio,
    Side,
    Spread,
    Timings,
    lap_percentile,
    percentile,
    ratio,
    spread,
)

JSON = "results.json"
MARKDOWN = "RESULTS.md"

_PACKAGES = ("msgspec", "sqlalchemy", "coincurve", "aiohttp", "httpx", "polymarket-client", "py-clob-client-v2")


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


class FoundLaps(Struct, frozen=True):
    """Microseconds of single units, over all rounds: the median, and within what 99 of 100 were done."""

    median: float
    p99: float


class FoundSide(Struct, frozen=True, kw_only=True):
    """What one side took in this run on this machine: seconds of one whole run of its work, and units a second."""

    what: str
    unit: str
    count: int
    seconds: Spread
    per_second: float
    laps: FoundLaps | None = None
    note: str = ""


class FoundOrders(Struct, frozen=True, kw_only=True):
    """Of so many orders wanted from one client: what the exchange had in the end, how often it failed, and how long the
    client took."""

    client: str
    wanted: int
    orders: int
    doubles: int
    missing: int
    struck: int
    seconds: float


class Results(Struct, frozen=True, kw_only=True):
    versions: dict[str, str]
    machine: str
    ratios: dict[str, FoundRatio]
    sides: dict[str, FoundSide]
    not_measured: dict[str, str]
    duplicates: tuple[FoundOrders, ...] = ()


def versions() -> dict[str, str]:
    """Of everything that was compared."""
    return {
        "polystra": version("polystra"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        **{name: _version(name) for name in _PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def found_ratios(benchmark: Benchmark, sides: Mapping[str, Side], timings: Timings) -> dict[str, FoundRatio]:
    """Every ratio whose two sides were there."""
    found = {}
    for one in benchmark.ratios:
        if one.subject in sides and one.yardstick in sides:
            between = _between(one, sides, timings)
            found[one.name] = FoundRatio(
                median=_short(between.median),
                low=_short(between.low),
                high=_short(between.high),
                unit=f"times the {_counted(one)} per {benchmark.unit}",
                rounds=len(timings[one.subject]),
                subject=sides[one.subject].what,
                yardstick=sides[one.yardstick].what,
                says=one.says,
            )
    return found


def _between(one: Ratio, sides: Mapping[str, Side], timings: Timings) -> Spread:
    if one.percentile is None:
        return ratio(timings, one.subject, one.yardstick)
    both = {name: lap_percentile(sides[name], one.percentile) for name in (one.subject, one.yardstick)}
    return ratio(both, one.subject, one.yardstick)


def _counted(one: Ratio) -> str:
    return "seconds" if one.percentile is None else f"{one.percentile}th percentile of the seconds"


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
            laps=_laps(side.laps),
            note=side.note(),
        )
    return found


def _laps(laps: list[float] | None) -> FoundLaps | None:
    return FoundLaps(_short(percentile(laps, 50) * 1e6), _short(percentile(laps, 99) * 1e6)) if laps else None


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
    """With the times of single units where they were taken."""
    lapped = any(one.laps for one in sides.values())
    head = ["what was timed", f"{benchmark.unit}s", "seconds", f"{benchmark.unit}s a second"]
    head += [f"median of one {benchmark.unit}", "99 of 100 within"] if lapped else []
    rows = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for one in sides.values():
        cells = [one.what, f"{one.count:,}", f"{one.seconds.median:.3g}", f"{one.per_second:,.0f}"]
        if lapped:
            cells += [f"{one.laps.median:,.0f} µs", f"{one.laps.p99:,.0f} µs"] if one.laps else ["", ""]
        rows.append(f"| {' | '.join(cells)} |")
    notes = [f"{one.what}: {one.note}." for one in sides.values() if one.note]
    return [*rows, *(["", *notes] if notes else [])]


def duplicates_table(rows: Sequence[FoundOrders]) -> list[str]:
    head = ["| client | wanted | orders | doubles | missing | POSTs struck | seconds |", "|---|" + "---:|" * 6]
    return head + [
        f"| {one.client} | {one.wanted} | {one.orders} | **{one.doubles}** | **{one.missing}** | {one.struck} "
        f"| {one.seconds:.1f} |"
        for one in rows
    ]


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
    if results.duplicates:
        lines += ["", "## duplicates", "", _DUPLICATES, "", *duplicates_table(results.duplicates)]
    return "\n".join(lines) + "\n"


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _short(number: float) -> float:
    return float(f"{number:.4g}")


_HEAD = f"""# How fast it is

Written by `make bench`, in under four minutes; `python -m benchmarks --only NAME` runs one of them, `--quick` a small
part of each, and neither touches this file. The same numbers are in `{JSON}`.

A **ratio** is the time of one thing over the time of another that was timed in turn with it, in the same process:
2 means twice as long, and lower is better, unless it says otherwise. Its name never changes its meaning, so ratios can
be compared between versions. Beside the median stands the middle half of the {Effort().rounds} rounds. Seconds
and rates are those of one run on one machine and move by a factor of two: read them as a size, not as a result.
"""

_DUPLICATES = """Counts, not times: two hundred orders wanted from an exchange that does 200 of 1,000 POSTs without an
answer, answers 50 too late, and breaks 50 off before anything happened. The official clients make and post an order
again on an exception, up to three times, as most programs do; ours asks what became of it, and sends the same bytes
again only where the venue does not know it. `python -m benchmarks.duplicates` repeats it."""
