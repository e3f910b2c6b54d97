"""Runs the benchmarks: `python -m benchmarks [--only NAME ...] [--quick] [--out FOLDER]`.

A whole run writes its results beside this file. A part of one, or a quick one, is printed and not written, unless a
folder is named. Exit code 1 when something could not be measured, 2 for a name that is none.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

from msgspec.structs import replace

from benchmarks import (
    demo_window,
    duplicates,
    engine_events,
    feed,
    hot_path,
    imports,
    intent_commit,
    journal,
    loopback,
    signing,
)
from benchmarks.harness import Benchmark, Effort, NotMeasured, measure
from benchmarks.results import (
    FoundRatio,
    FoundSide,
    Results,
    found_ratios,
    found_sides,
    machine,
    ratio_table,
    side_table,
    versions,
    write,
)

HERE = Path(__file__).parent
BENCHMARKS = (
    engine_events.BENCHMARK,
    demo_window.BENCHMARK,
    intent_commit.BENCHMARK,
    journal.BENCHMARK,
    imports.BENCHMARK,
    signing.BENCHMARK,
    hot_path.BENCHMARK,
    loopback.BENCHMARK,
    feed.BENCHMARK,
)
QUICK = Effort(rounds=2, warm_up=0, part=0.05)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    known = {one.name: one for one in BENCHMARKS}
    unknown = [name for name in options.only if name not in known]
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}: there are {', '.join(known)}", file=sys.stderr)
        return 2
    chosen = [known[name] for name in options.only] or list(BENCHMARKS)
    results = run(chosen, QUICK if options.quick else Effort())
    whole = not options.only and not options.quick
    if options.out or whole:
        folder = options.out or HERE
        folder.mkdir(parents=True, exist_ok=True)
        write(replace(results, duplicates=duplicates.found()) if whole else results, chosen, folder)
    return 1 if results.not_measured else 0


def run(benchmarks: Sequence[Benchmark], effort: Effort) -> Results:
    """One after the other, so that nothing else of ours runs while one is timed; prints as it goes."""
    ratios: dict[str, FoundRatio] = {}
    sides: dict[str, FoundSide] = {}
    missing: dict[str, str] = {}
    for benchmark in benchmarks:
        begun = perf_counter()
        try:
            with ExitStack() as stack:
                found = benchmark.sides(stack.enter_context(_folder()), effort)
                ours = stack.enter_context(found) if isinstance(found, AbstractContextManager) else found
                timings = measure(ours, effort)
        except NotMeasured as why:
            missing[benchmark.name] = str(why)
            print(f"\n{benchmark.name}: not measured: {why}", flush=True)
            continue
        new_ratios = found_ratios(benchmark, ours, timings)
        new_sides = found_sides(benchmark, ours, timings)
        print(f"\n{benchmark.name}, {perf_counter() - begun:.0f} s\n", flush=True)
        print("\n".join([*ratio_table(new_ratios), "", *side_table(new_sides, benchmark)]), flush=True)
        ratios |= new_ratios
        sides |= new_sides
    return Results(versions=versions(), machine=machine(), ratios=ratios, sides=sides, not_measured=missing)


@contextmanager
def _folder() -> Iterator[Path]:
    """On the disk of the project, not in a /tmp that may be memory: a commit must meet a real disk."""
    build = HERE.parent / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as name:
        yield Path(name)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="one benchmark; may be given more than once"
    )
    parser.add_argument("--quick", action="store_true", help="a small part of the work, for a look")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write the results there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
