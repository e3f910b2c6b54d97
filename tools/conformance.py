"""Prints every acceptance condition with the tests that prove it: `python -m tools.conformance`.

Runs the tests that carry the mark `spec` (tools/spec_plugin.py), or with `--from build` takes the results that
tools/check.py left there. A condition *passes* when it has tests and all of them passed, *fails* when one of them
failed, and is *open* while it has no test or one that was skipped. Exit code 1 when one fails, when a test names an
unknown id, or when docs/acceptance.md and ../shared/ids.txt differ; open conditions alone are no failure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.acceptance import acceptance_ids

NOTHING_COLLECTED = 5


@dataclass(frozen=True)
class Proof:
    """One marked test: how it knows ("truth" or "pure") and how it ended ("passed", "skipped" or "failed")."""

    test: str
    how: str
    outcome: str


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    root: Path = options.root.resolve()
    build = root / "build"
    faults = differing_ids(root)
    if options.results is None:
        faults += run_marked_tests(root, build)
    tests = recorded_tests(options.results or build)

    ids = acceptance_ids(root)
    faults += [f"{test} names {id_}, which is not a condition" for id_, test in unknown_ids(tests, ids)]
    proofs = {id_: proofs_of(id_, tests) for id_ in ids}
    build.mkdir(exist_ok=True)
    (build / "conformance.json").write_text(json.dumps(as_json(proofs), indent=1) + "\n", encoding="utf-8")
    print_table(proofs)
    for fault in faults:
        print(f"conformance: {fault}")
    print(totals(proofs))
    return 1 if faults or any(result(found) == "FAIL" for found in proofs.values()) else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.conformance", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="results", type=Path, metavar="DIR", help="take the results of a finished run")
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent, help="the project (default: this)")
    return parser.parse_args(arguments)


def differing_ids(root: Path) -> list[str]:
    """The document is the project's own copy; where the original list lies beside the project, they must agree."""
    original = root.parent / "shared" / "ids.txt"
    if not original.exists():
        return []
    theirs, ours = set(original.read_text(encoding="utf-8").split()), set(acceptance_ids(root))
    faults = [f"docs/acceptance.md lacks {id_}" for id_ in sorted(theirs - ours)]
    return faults + [f"docs/acceptance.md has {id_}, which ids.txt lacks" for id_ in sorted(ours - theirs)]


def run_marked_tests(root: Path, build: Path) -> list[str]:
    for stale in build.glob("spec-*.json"):
        stale.unlink()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", "-m", "spec"]
    command.append(f"--spec-results={build / 'spec-marked.json'}")
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode in (0, NOTHING_COLLECTED):
        return []
    print(done.stdout + done.stderr)
    return [f"the marked tests ended with exit code {done.returncode}"]


def recorded_tests(folder: Path) -> dict[str, dict[str, Any]]:
    tests: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("spec-*.json")):
        tests |= json.loads(path.read_text(encoding="utf-8"))
    return tests


def unknown_ids(tests: dict[str, dict[str, Any]], ids: list[str]) -> list[tuple[str, str]]:
    known = set(ids)
    return [(id_, test) for test, kept in sorted(tests.items()) for id_ in kept["ids"] if id_ not in known]


def proofs_of(id_: str, tests: dict[str, dict[str, Any]]) -> list[Proof]:
    return [Proof(test, kept["how"], kept["outcome"]) for test, kept in sorted(tests.items()) if id_ in kept["ids"]]


def result(proofs: list[Proof]) -> str:
    outcomes = {proof.outcome for proof in proofs}
    if "failed" in outcomes:
        return "FAIL"
    return "pass" if outcomes == {"passed"} else "open"


def as_json(proofs: dict[str, list[Proof]]) -> dict[str, dict[str, Any]]:
    return {
        id_: {"tests": [proof.test for proof in found], "passed": result(found) == "pass"}
        for id_, found in proofs.items()
    }


def print_table(proofs: dict[str, list[Proof]]) -> None:
    for id_, found in proofs.items():
        lines = [f"{how:6}{outcome:8}{test}" for (test, how, outcome) in grouped(found)]
        print(f"{id_:8}{result(found):6}{lines[0] if lines else ''}".rstrip())
        for line in lines[1:]:
            print(f"{'':14}{line}")


def grouped(proofs: list[Proof]) -> list[tuple[str, str, str]]:
    """One row for all parameters of a test, with their number."""
    rows = Counter((proof.test.partition("[")[0], proof.how, proof.outcome) for proof in proofs)
    return [(f"{test} ({n} cases)" if n > 1 else test, how, outcome) for (test, how, outcome), n in rows.items()]


def totals(proofs: dict[str, list[Proof]]) -> str:
    results = Counter(result(found) for found in proofs.values())
    tests = {(proof.test, proof.how) for found in proofs.values() for proof in found}
    hows = Counter(how for _, how in tests)
    return (
        f"conformance: {len(proofs)} conditions, {results['pass']} pass, {results['FAIL']} fail, "
        f"{results['open']} open (tests on the exchange's truth {hows['truth']}, pure {hows['pure']})"
    )


if __name__ == "__main__":
    sys.exit(main())
