"""Ties tests to the acceptance conditions of docs/acceptance.md (a pytest plugin).

    @pytest.mark.spec("L1.A1", "L3.A2")
    def test_it(exchange_truth): ...

    @pytest.mark.spec("L3.A1", pure="rounding involves no exchange")
    def test_rounding(): ...

A bot that is tested on its own view of the world agrees with itself whatever it does. So a marked test reads the truth
of the exchange through the fixture `exchange_truth`, or says why it needs none; anything else, and an id that the
document does not list, is a collection error.

`--spec-results FILE` keeps the ids and the outcome of each marked test for tools/conformance.py. The marks travel in
the reports' user properties, which pytest-xdist carries from its workers to the controller.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tools.acceptance import acceptance_ids

TRUTH = "exchange_truth"
SEVERITY = ("passed", "skipped", "failed")
KNOWN_IDS = pytest.StashKey[frozenset[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("spec").addoption(
        "--spec-results", type=Path, metavar="FILE", help="write ids and outcome of the marked tests to this JSON file"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[KNOWN_IDS] = frozenset(acceptance_ids(config.rootpath))
    results = config.getoption("--spec-results")
    is_worker = hasattr(config, "workerinput")
    if results and not is_worker:
        config.pluginmanager.register(SpecResults(results))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    marked = [node for node in report.result or [] if isinstance(node, pytest.Item) and node.get_closest_marker("spec")]
    faults = [fault for item in marked for fault in spec_faults(item)]
    if faults:
        report.outcome = "failed"
        report.longrepr = "\n".join(faults)
        report.result = []
    else:
        for item in marked:
            item.user_properties += [("spec", " ".join(spec_ids(item))), ("spec_how", spec_how(item))]
    return report


def spec_ids(item: pytest.Item) -> list[str]:
    return [id_ for mark in item.iter_markers("spec") for id_ in mark.args]


def spec_how(item: pytest.Item) -> str:
    return "truth" if reads_truth(item) else "pure"


def reads_truth(item: pytest.Item) -> bool:
    return TRUTH in getattr(item, "fixturenames", ())


def spec_faults(item: pytest.Item) -> list[str]:
    known = item.config.stash[KNOWN_IDS]
    faults = [f"{id_!r} is not an id of docs/acceptance.md" for id_ in spec_ids(item) if id_ not in known]
    for mark in item.iter_markers("spec"):
        if not mark.args:
            faults.append("the mark `spec` names no id")
        if set(mark.kwargs) - {"pure"}:
            faults.append(f"the mark `spec` takes `pure` only, not {sorted(mark.kwargs)}")
        if not reads_truth(item) and not is_reason(mark.kwargs.get("pure")):
            faults.append(f'{" ".join(map(str, mark.args))} needs the fixture `{TRUTH}`, or pure="why it needs none"')
    return [f"{item.nodeid}: {fault}" for fault in faults]


def is_reason(pure: object) -> bool:
    return isinstance(pure, str) and bool(pure.strip())


class SpecResults:
    """Collects, on the controller, the worst outcome of each marked test over set-up, call and tear-down."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties = dict(report.user_properties)
        if "spec" not in properties:
            return
        test = self.tests.setdefault(
            report.nodeid,
            {"ids": str(properties["spec"]).split(), "how": properties["spec_how"], "outcome": "passed"},
        )
        test["outcome"] = max(test["outcome"], report.outcome, key=SEVERITY.index)

    def pytest_sessionfinish(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.tests, indent=1, sort_keys=True) + "\n", encoding="utf-8")
