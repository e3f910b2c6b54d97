"""What it costs to keep what the engine saw, and to read it back."""

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec

from benchmarks.demo_window import HEAD, Window, traded_window
from benchmarks.harness import Benchmark, Effort, Ratio, Side, Work
from benchmarks.streams import delta_stream
from polystra.app.replay import replay
from polystra.edge.store.journal import Journal, read_journal

EVENTS = 10_000


def sides(folder: Path, effort: Effort) -> Mapping[str, Side]:
    stream = delta_stream(effort.of(EVENTS))
    events, count = stream.events, len(stream.events)
    files = (folder / f"journal-{number}" for number in itertools.count())
    plain = msgspec.to_builtins(list(events))
    (folder / "window").mkdir()
    window = traded_window(folder / "window")

    @contextmanager
    def append() -> Iterator[Work]:
        with Journal(next(files), HEAD) as journal:

            def work() -> None:
                for event in events:
                    journal.append(event)
                journal.flush()

            yield work

    @contextmanager
    def dump() -> Iterator[Work]:
        with next(files).open("w", encoding="utf-8") as file:

            def work() -> None:
                for one in plain:
                    file.write(json.dumps(one))
                    file.write("\n")
                file.flush()

            yield work

    replayed = len(window.events)
    return {
        "append": Side("Journal.append of an event", count, append),
        "json": Side("json.dumps and write of the same event, a dict already", count, dump),
        "decode": Side("reading the journal of a traded window", replayed, lambda: nullcontext(_read(window))),
        "replay": Side("replaying it", replayed, lambda: nullcontext(_replay(window))),
    }


def _read(window: Window) -> Work:
    def work() -> None:
        with read_journal(window.journal) as reading:
            for _ in reading:
                pass

    return work


def _replay(window: Window) -> Work:
    def work() -> None:
        if not replay(window.journal).identical:
            raise RuntimeError("the journal just written does not replay: measure nothing before that is mended")

    return work


BENCHMARK = Benchmark(
    name="journal",
    unit="event",
    about="""Ten thousand changes of a book written to a journal, which gives each record a checksum and buffers 64 KiB,
against a line of JSON each into a buffered file. And the journal of a traded window replayed as `polystra replay` does
it, every step compared with the recorded one, against reading the records alone.""",
    ratios=(
        Ratio("journal.append_vs_json", "append", "json", "writing an event, checksum included"),
        Ratio(
            "journal.replay_vs_decode",
            "replay",
            "decode",
            "a replay, which reads the file twice, against reading it once",
        ),
    ),
    sides=sides,
)
