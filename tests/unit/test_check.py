"""`make check` says what failed, and counts what ran."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from tools import check
from tools.check import Lane

JUNIT = """\
<testsuites><testsuite tests="6">
<testcase name="a"/>
<testcase name="b"><failure message="no"/></testcase>
<testcase name="c"><error message="no"/></testcase>
<testcase name="d"><skipped message="no recordings (set POLYSTRA_RECORDINGS to their folder)"/></testcase>
<testcase name="e"><skipped message="needs a browser"/></testcase>
<testcase name="f"/>
</testsuite></testsuites>
"""


def python(source: str) -> list[str]:
    return [sys.executable, "-c", source]


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(check, "BUILD", tmp_path)
    return tmp_path


def test_a_lane_ends_at_its_first_failing_command() -> None:
    ending = check.run(Lane("x", (python("print('one')"), python("raise SystemExit('two')"), python("print('three')"))))
    assert ending.failed
    assert ending.output.split() == ["one", "two"]


def test_a_failed_lane_shows_its_output_and_a_good_one_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.passes(Lane("good", (python("print('quiet')"),)))
    assert not check.passes(Lane("bad", (python("print('loud'); raise SystemExit(3)"),)))
    shown = capsys.readouterr().out
    assert "quiet" not in shown
    assert "loud" in shown
    assert "bad            FAILED" in shown


def test_tests_are_counted_by_outcome(build: Path) -> None:
    (build / "junit-x.xml").write_text(JUNIT)
    counts = check.test_counts(Lane("x", (), ("tests/x",)))
    assert counts == Counter(passed=2, failed=2, skipped=2, **{"no recordings": 1})
    assert check.plain_counts(counts) == "2 passed, 2 failed, 2 skipped"


def test_a_lane_that_wrote_no_results_counts_nothing() -> None:
    assert check.plain_counts(check.test_counts(Lane("x", (), ("tests/x",)))) == "0 passed, 0 failed"


def test_a_failing_lane_fails_the_run_and_the_next_still_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lanes = (Lane("bad", (python("raise SystemExit(1)"),)), Lane("good", (python(""),)))
    monkeypatch.setattr(check, "all_lanes", lambda: iter(lanes))
    assert check.main([]) == 1
    assert check.main(["good"]) == 0
    assert check.main(["unheard-of"]) == 2
    assert "FAILED: bad\n0 passed, 0 failed\n" in capsys.readouterr().out


def test_the_core_and_sim_are_held_to_full_coverage() -> None:
    lane = next(lane for lane in check.all_lanes() if lane.name == "unit+property")
    assert lane.commands[-1][-2:] == ["--include=src/polystra/core/*,src/polystra/sim/*", "--fail-under=100"]
