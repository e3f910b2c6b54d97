"""The pages say what the code does: generated ones are fresh, names and links exist, the example runs."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main
from msgspec.structs import replace

from polystra.app.demo import DemoOptions, run_demo
from polystra.app.run_plan import plan_of
from polystra.app.session import EXCHANGE_LOG
from polystra.app.settings import demo_settings
from polystra.cli.main import app
from polystra.core.strategy import Strategy
from polystra.core.terms import Outcome
from polystra.core.units import Instant, price, seconds
from polystra.edge.store.journal import Seen, read_journal
from tests.unit.core.samples import WINDOW, view
from tools import events_doc, lifecycle_doc, positions_doc, readme_doc, settings_doc, venue_doc

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "polystra"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OURS = [page for page in PAGES if page.name != "acceptance.md"]
GENERATED = [lifecycle_doc, events_doc, positions_doc, settings_doc, readme_doc, venue_doc]

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
FILE = re.compile(r"[\w./-]*\w\.(?:py|md|toml|lock|json)")
NAME = re.compile(r"[A-Za-z_][\w.]*")


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def spans(page: Path) -> list[str]:
    return SPAN.findall(prose(page))


def called(value: Any) -> str:
    return str(value.name if isinstance(value, Path) else value.__name__.rpartition(".")[2])


# --- generated pages


@pytest.mark.parametrize("tool", GENERATED, ids=called)
def test_a_generated_page_is_fresh(tool: Any) -> None:
    written = tool.PAGE.read_text(encoding="utf-8")
    assert written == tool.page(), f"{tool.PAGE.name} is stale: run .venv/bin/python -m {tool.__name__}"


def test_every_setting_has_its_line_and_no_line_lacks_its_setting() -> None:
    assert set(settings_doc.LINES) == set(settings_doc.names())


def test_no_line_is_kept_for_what_has_a_docstring() -> None:
    assert events_doc.needless_lines() == []


def test_every_word_of_an_enumeration_has_its_line() -> None:
    of_events = (events_doc.REFUSALS, events_doc.CANCELS, events_doc.STATES, events_doc.STREAMS)
    for lines in (*of_events, lifecycle_doc.STATES, lifecycle_doc.NEWS):
        kind: type[StrEnum] = type(next(iter(lines)))
        assert list(lines) == list(kind)


def test_a_setting_without_its_line_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "limits.max_order_usd"
    monkeypatch.setattr(settings_doc, "LINES", {key: line for key, line in settings_doc.LINES.items() if key != name})
    with pytest.raises(KeyError, match=name):
        settings_doc.page()


# --- names and links


@pytest.mark.parametrize("page", OURS, ids=called)
def test_no_link_is_dead(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if not link.startswith(("https://", "http://")):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.name} links to {link}"


@pytest.mark.parametrize("page", OURS, ids=called)
def test_every_named_file_exists(page: Path) -> None:
    named = [span for span in spans(page) if FILE.fullmatch(span) and span not in NOT_OURS]
    missing = [
        span for span in named if not any((folder / span).exists() for folder in (ROOT, SOURCE, SOURCE / "edge/store"))
    ]
    assert missing == []


NOT_OURS = {"PROTOCOL.md", "FAULTS.md", "0005_what_it_adds.py"}
"""Documents that lie beside the project, and the example of a new file's name."""


@pytest.mark.parametrize("page", [ROOT / "docs" / name for name in ("tour.md", "strategies.md")], ids=called)
def test_every_named_function_and_value_exists(page: Path) -> None:
    named = [span for span in spans(page) if NAME.fullmatch(span) and not FILE.fullmatch(span)]
    assert named
    assert [span for span in named if not set(span.split(".")) <= known_names() | {"None"}] == []


@pytest.mark.parametrize("page", [ROOT / "docs" / "tour.md"], ids=called)
def test_a_function_named_with_its_file_is_in_it(page: Path) -> None:
    """`Outbox.send` is in the file that is named next to it, in brackets or by "in"."""
    beside = re.findall(r"`([\w.]+)`(?:\s+in\s+|\s+\()`([\w/]+\.py)`", prose(page))
    assert len(beside) > 15
    for name, file in beside:
        here = names_in(SOURCE / file)
        assert set(name.split(".")) <= here | {Path(file).stem}, f"{name} is not in {file}"


def test_the_tour_tells_of_the_order_that_the_readme_shows() -> None:
    """The README's lines are those of a real run; when these change, so must the tour."""
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in (
        "09:01:00  BTC 15m 09:00  enter: edge after fee (UP at 0.64, chance 0.655",
        "o1 new: entry BUY UP 39 @ 0.64",
        "09:01:04  BTC 15m 09:00  39 UP without an exit: too young",
        "09:02:00  BTC 15m 09:00  o2 new: target SELL UP 39 @ 0.99",
        "09:02:22  BTC 15m 09:00  stop: UP is bid 0.3,",
        "09:15:54  BTC 15m 09:00  settled",
    ):
        assert line in shown, f"docs/tour.md tells of {line!r}, which does not happen any more"


def test_the_moments_of_the_tour_are_those_of_the_run(tmp_path: Path) -> None:
    """To the millisecond: of the events as the engine and the exchange had them, and of the books by the venue."""
    run_demo(DemoOptions(plan=plan_of(demo_settings({}), seed=1, windows=1, in_process=True), folder=tmp_path))
    told = re.findall(r"\b\d\d:\d\d:\d\d\.\d{3}\b", (ROOT / "docs" / "tour.md").read_text(encoding="utf-8"))
    assert len(set(told)) > 8
    assert set(told) <= {_milliseconds(at) for at in _moments(tmp_path)}


def _moments(folder: Path) -> Iterator[int]:
    with read_journal(folder / "journal-0001.plj") as journal:
        for record in journal:
            if isinstance(record, Seen):
                yield record.event.at
                yield getattr(record.event, "venue_at", None) or record.event.at
    for line in (folder / EXCHANGE_LOG).read_bytes().splitlines():
        yield json.loads(line)["at"]


def _milliseconds(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 10**9, UTC):%H:%M:%S}.{at % 10**9 // 10**6:03}"


def test_every_module_of_the_map_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:3] for line in text.partition("## The map")[2].partition("## ")[0].splitlines()]
    folder, named = "", list[str]()
    for where, modules in (row for row in rows if len(row) == 2):
        folder = "".join(SPAN.findall(where)) or folder
        named += [f"{folder}/{module}" for module in SPAN.findall(modules)]
    assert len(named) > 50
    assert [one for one in named if not ((SOURCE / one).is_dir() or (SOURCE / f"{one}.py").is_file())] == []


def test_every_command_is_in_the_readme() -> None:
    group = typer.main.get_group(app)
    words = set(spans(ROOT / "README.md"))
    assert {f"polystra {name}" for name in group.commands} <= words
    assert set(group.commands["db"].commands) <= words  # type: ignore[attr-defined]
    parts = group.commands["exchange"].commands  # type: ignore[attr-defined]
    assert {f"polystra exchange {name}" for name in parts} <= words


@cache
def known_names() -> frozenset[str]:
    return frozenset().union(*(names_in(file) | {file.stem} for file in SOURCE.rglob("*.py")))


@cache
def names_in(file: Path) -> frozenset[str]:
    """Classes, functions, fields and constants that a file defines."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return frozenset(found)


# --- the example


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The code of docs/strategies.md, as one module."""
    text = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    module = ModuleType("late_favourite")
    exec(compile("\n".join(blocks), "docs/strategies.md", "exec"), module.__dict__)
    return module


def test_the_example_is_a_strategy(example: ModuleType) -> None:
    assert isinstance(example.LateFavourite(), Strategy)


def test_the_example_says_its_chance_while_it_holds(example: ModuleType) -> None:
    """A favourite is leant on, one that is none any more is not, and a book that nobody can trust says nothing."""
    strategy, up = example.LateFavourite(), example.Favourite(Outcome.UP)
    late = view("0.70", "0.72", at=Instant(WINDOW.end - seconds(60)), entries_made=1)
    chances = [
        strategy.decide(seen, up).probability
        for seen in (late, replace(late, bid=price("0.30"), ask=price("0.32")), replace(late, trouble="silent"))
    ]
    assert chances == [750_000, 310_000, None]


def test_the_example_trades_and_its_ledger_equals_the_exchange(example: ModuleType, tmp_path: Path) -> None:
    assert re.fullmatch(r"[1-9]\d* fills, P&L [+-]\d+\.\d\d USD", example.trade(tmp_path, 4))
