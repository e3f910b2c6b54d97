"""Marked tests are tied to the acceptance conditions, and `make conformance` tells the state of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools import conformance
from tools.acceptance import acceptance_ids

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]

DOCUMENT = """\
# Acceptance conditions

### L1 Auto-commit

- **L1.A1** Save, reopen from another process → row
  present.
- **L1.A2** Exception in the unit → nothing written.
- **X1.A1** A price.
"""

TRUTH = """\
import pytest

@pytest.fixture
def exchange_truth():
    return {}

@pytest.fixture
def session(exchange_truth):
    return exchange_truth
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.mkdir("docs").joinpath("acceptance.md").write_text(DOCUMENT, encoding="utf-8")
    pytester.makeini("[pytest]\npythonpath = .\n")
    pytester.makeconftest(TRUTH)
    return pytester


def run(project: pytest.Pytester, test_source: str, *options: str) -> pytest.RunResult:
    project.makepyfile(test_it=f"import pytest\n\n{test_source}\n")
    return project.runpytest(
        "-p", "tools.spec_plugin", "-p", "no:cacheprovider", "--spec-results=build/spec-x.json", *options
    )


def recorded(project: pytest.Pytester) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((project.path / "build/spec-x.json").read_text())
    return found


# the mark


def test_a_marked_test_that_reads_the_truth_is_recorded(project: pytest.Pytester) -> None:
    run(project, "@pytest.mark.spec('L1.A1', 'X1.A1')\ndef test_a(exchange_truth): pass").assert_outcomes(passed=1)
    assert recorded(project) == {"test_it.py::test_a": {"ids": ["L1.A1", "X1.A1"], "how": "truth", "outcome": "passed"}}


def test_the_truth_may_come_through_another_fixture(project: pytest.Pytester) -> None:
    run(project, "@pytest.mark.spec('L1.A1')\ndef test_a(session): pass").assert_outcomes(passed=1)
    assert recorded(project)["test_it.py::test_a"]["how"] == "truth"


def test_a_pure_test_says_why(project: pytest.Pytester) -> None:
    run(project, "@pytest.mark.spec('X1.A1', pure='arithmetic')\ndef test_a(): pass").assert_outcomes(passed=1)
    assert recorded(project)["test_it.py::test_a"]["how"] == "pure"


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("'L1.A1'", "L1.A1 needs the fixture `exchange_truth`, or pure="),
        ("'L1.A1', pure=''", "L1.A1 needs the fixture `exchange_truth`, or pure="),
        ("'L1.A1', pure=True", "L1.A1 needs the fixture `exchange_truth`, or pure="),
        ("'L9.A1', pure='arithmetic'", "'L9.A1' is not an id of docs/acceptance.md"),
        ("pure='arithmetic'", "the mark `spec` names no id"),
        ("'L1.A1', why='arithmetic'", "the mark `spec` takes `pure` only"),
    ],
)
def test_a_wrong_mark_is_a_collection_error(project: pytest.Pytester, mark: str, message: str) -> None:
    ended = run(project, f"@pytest.mark.spec({mark})\ndef test_a(): pass")
    ended.assert_outcomes(errors=1)
    ended.stdout.fnmatch_lines([f"*test_it.py::test_a: {message.replace('[', '[[]')}*"])


def test_a_wrong_mark_on_one_parameter_is_a_collection_error(project: pytest.Pytester) -> None:
    source = "@pytest.mark.parametrize('n', [1, pytest.param(2, marks=pytest.mark.spec('L9.A1'))])\ndef test_a(n): pass"
    run(project, source).assert_outcomes(errors=1)


def test_a_failing_fixture_counts_as_failed_and_a_skip_as_skipped(project: pytest.Pytester) -> None:
    source = """
@pytest.fixture
def broken_afterwards():
    yield
    raise RuntimeError

@pytest.mark.spec('L1.A1', pure='arithmetic')
def test_a(broken_afterwards): pass

@pytest.mark.spec('L1.A2', pure='arithmetic')
def test_b(): pytest.skip('later')
"""
    run(project, source)
    assert {test: result["outcome"] for test, result in recorded(project).items()} == {
        "test_it.py::test_a": "failed",
        "test_it.py::test_b": "skipped",
    }


def test_results_come_through_parallel_workers(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    project.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.spec('L1.A1')
        @pytest.mark.parametrize('n', range(3))
        def test_a(exchange_truth, n):
            assert n < 2
        """
    )
    project.runpytest_subprocess("-p", "tools.spec_plugin", "-n", "1", "--spec-results=build/spec-x.json")
    assert [result["outcome"] for _, result in sorted(recorded(project).items())] == ["passed", "passed", "failed"]


# the table


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the document and no results, beside an empty folder `shared`."""
    for folder in ("project/docs", "project/build", "shared"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "project/docs/acceptance.md").write_text(DOCUMENT, encoding="utf-8")
    return tmp_path / "project"


def kept(*ids: str, how: str = "truth", outcome: str = "passed") -> dict[str, Any]:
    return {"ids": list(ids), "how": how, "outcome": outcome}


def conform(root: Path, **lanes: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    for lane, tests in lanes.items():
        (root / f"build/spec-{lane}.json").write_text(json.dumps(tests))
    code = conformance.main(["--root", str(root), "--from", str(root / "build")])
    return code, json.loads((root / "build/conformance.json").read_text())


def test_conditions_pass_or_are_open(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, table = conform(
        root,
        unit={"t.py::a[1]": kept("L1.A1", how="pure"), "t.py::a[2]": kept("L1.A1", how="pure")},
        edge={"t.py::b": kept("L1.A1", "X1.A1")},
    )
    assert code == 0
    assert table == {
        "L1.A1": {"tests": ["t.py::a[1]", "t.py::a[2]", "t.py::b"], "passed": True},
        "L1.A2": {"tests": [], "passed": False},
        "X1.A1": {"tests": ["t.py::b"], "passed": True},
    }
    assert capsys.readouterr().out.splitlines() == [
        "L1.A1   pass  pure  passed  t.py::a (2 cases)",
        "              truth passed  t.py::b",
        "L1.A2   open",
        "X1.A1   pass  truth passed  t.py::b",
        "conformance: 3 conditions, 2 pass, 0 fail, 1 open (tests on the exchange's truth 1, pure 2)",
    ]


def test_one_failing_test_fails_its_condition_and_the_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, table = conform(root, unit={"t.py::a": kept("L1.A1"), "t.py::b": kept("L1.A1", outcome="failed")})
    assert code == 1
    assert not table["L1.A1"]["passed"]
    assert "L1.A1   FAIL  truth passed  t.py::a" in capsys.readouterr().out


def test_a_condition_with_a_skipped_test_is_open(root: Path) -> None:
    code, table = conform(root, unit={"t.py::a": kept("L1.A1"), "t.py::b": kept("L1.A1", outcome="skipped")})
    assert code == 0
    assert not table["L1.A1"]["passed"]


def test_an_unknown_id_fails_the_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = conform(root, unit={"t.py::a": kept("L9.A1")})
    assert code == 1
    assert "t.py::a names L9.A1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ids", "message"),
    [("L1.A1 L1.A2 X1.A1 X2.A1", "docs/acceptance.md lacks X2.A1"), ("L1.A1 L1.A2", "docs/acceptance.md has X1.A1")],
)
def test_the_document_has_the_ids_of_the_list(
    root: Path, capsys: pytest.CaptureFixture[str], ids: str, message: str
) -> None:
    (root.parent / "shared/ids.txt").write_text(ids.replace(" ", "\n"))
    code, _ = conform(root)
    assert code == 1
    assert message in capsys.readouterr().out


def test_without_results_the_marked_tests_are_run(project: pytest.Pytester, capfd: pytest.CaptureFixture[str]) -> None:
    """The stale result is dropped, and a test without a mark is not run."""
    project.makeini("[pytest]\naddopts = -p tools.spec_plugin\n")
    project.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.spec('L1.A1')
        def test_a(exchange_truth): pass

        def test_b(): raise RuntimeError
        """
    )
    project.mkdir("build").joinpath("spec-old.json").write_text(json.dumps({"t.py::gone": kept("X1.A1")}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        assert conformance.main(["--root", str(project.path)]) == 0
    assert json.loads((project.path / "build/conformance.json").read_text()) == {
        "L1.A1": {"tests": ["test_it.py::test_a"], "passed": True},
        "L1.A2": {"tests": [], "passed": False},
        "X1.A1": {"tests": [], "passed": False},
    }


def test_every_condition_of_the_project_is_read() -> None:
    ids = acceptance_ids(ROOT)
    assert len(ids) == len(set(ids)) == 159
