"""The import contracts of pyproject.toml catch what they are there for: one offence of each kind, planted and seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


@dataclass(frozen=True)
class Offence:
    """`importer` gets the line `import imported`; modules that do not exist yet are made, empty."""

    contract: str
    importer: str
    imported: str


OFFENCES = [
    Offence("layers", "core.units", "polystra.sim.exchange"),
    Offence("layers", "sim.exchange", "polystra.edge.clock"),
    Offence("layers", "edge.clock", "polystra.app.settings"),
    Offence("layers", "exchange.rest", "polystra.app.settings"),
    Offence("layers", "app.runtime", "polystra.ops.metrics"),
    Offence("layers", "ops.metrics", "polystra.cli.main"),
    Offence("core-layers", "core.ids", "polystra.core.units"),
    Offence("core-layers", "core.orders", "polystra.core.view"),
    Offence("core-layers", "core.strategy", "polystra.core.strategies.maker"),
    Offence("core-layers", "core.signals.momentum", "polystra.core.risk"),
    Offence("core-layers", "core.planner", "polystra.core.engine"),
    Offence("pure", "core.orders", "time"),
    Offence("pure", "core.book", "asyncio"),
    Offence("pure", "core.fees", "sqlalchemy"),
    Offence("pure", "sim.exchange", "logging"),
    Offence("pure", "sim.scenario", "numpy"),
    Offence("no-chance", "core.signals.momentum", "random"),
    Offence("sim-users", "edge.tapes.importers", "polystra.sim.scenario"),
    Offence("sim-users", "cli.main", "polystra.sim.exchange"),
    Offence("sim-truth", "sim.exchange", "polystra.core.fees"),
    Offence("sim-truth", "sim.exchange", "polystra.core.orders"),
    Offence("adapters", "edge.store.ledger", "polystra.edge.polymarket.wire"),
    Offence("adapters", "edge.prices.binance", "polystra.edge.tapes.recorder"),
    Offence("adapters", "edge.transport", "polystra.edge.prices.wire"),
    Offence("wire", "edge.prices.wire", "socket"),
    Offence("wire", "edge.polymarket.wire", "polystra.edge.clock"),
]

ALLOWED = [
    Offence("no-chance", "sim.scenario", "random"),
    Offence("sim-users", "app.modes", "polystra.sim.exchange"),
    Offence("sim-users", "exchange.rest", "polystra.sim.exchange"),
    Offence("sim-truth", "sim.exchange", "polystra.core.ids"),
    Offence("sim-truth", "sim.exchange", "polystra.core.units"),
    Offence("sim-truth", "sim.exchange", "polystra.core.terms"),
    Offence("adapters", "edge.store.ledger", "polystra.edge.clock"),
    Offence("pure", "core.orders", "msgspec"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the source and of its contracts."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("offence", OFFENCES, ids=lambda o: f"{o.contract}:{o.importer}->{o.imported}")
def test_an_offence_is_caught_by_its_contract(tree: Path, offence: Offence) -> None:
    plant(tree, offence)
    checked = lint_imports(tree, "--contract", offence.contract)
    assert checked.returncode == 1, checked.stdout
    assert f"polystra.{offence.importer} -> {offence.imported} (l." in checked.stdout


@pytest.mark.parametrize("permitted", ALLOWED, ids=lambda o: f"{o.contract}:{o.importer}->{o.imported}")
def test_what_is_allowed_is_not_reported(tree: Path, permitted: Offence) -> None:
    plant(tree, permitted)
    checked = lint_imports(tree, "--contract", permitted.contract)
    assert "Contracts: " in checked.stdout
    assert f"polystra.{permitted.importer} -> {permitted.imported} (l." not in checked.stdout


def test_a_core_module_without_a_place_in_the_order_is_caught(tree: Path) -> None:
    (tree / "src/polystra/core/utils.py").touch()
    checked = lint_imports(tree, "--contract", "core-layers")
    assert checked.returncode == 1
    assert "polystra.core.utils" in checked.stdout


def test_the_source_keeps_every_contract(tree: Path) -> None:
    checked = lint_imports(tree)
    assert checked.returncode == 0, checked.stdout


def test_core_and_sim_need_no_package_but_msgspec() -> None:
    """The contract `pure` forbids packages by name; this finds the ones it does not name."""
    graph = grimp.build_graph("polystra", include_external_packages=True, cache_dir=None)
    pure = [m for m in graph.modules if m.startswith(("polystra.core", "polystra.sim"))]
    used = {imported for module in pure for imported in graph.find_modules_directly_imported_by(module)}
    third_party = {module.partition(".")[0] for module in used} - set(sys.stdlib_module_names) - {"polystra"}
    assert third_party <= {"msgspec"}


READS_TIME_OR_CHANCE = [
    ("import time", "time.time()"),
    ("from time import monotonic", "monotonic()"),
    ("from datetime import UTC, datetime", "datetime.now(UTC)"),
    ("import random", "random.random()"),
    ("from random import choice", "choice([1])"),
    ("import uuid", "uuid.uuid4()"),
    ("import secrets", "secrets.token_hex()"),
]


@pytest.mark.parametrize(("imports", "call"), READS_TIME_OR_CHANCE)
def test_ruff_bans_time_and_chance_outside_the_clock(imports: str, call: str) -> None:
    line = f"{imports}\n\n{call}\n"
    assert "TID251" in ruff("src/polystra/core/planted.py", line)
    assert "TID251" in ruff("src/polystra/sim/planted.py", line)
    assert "TID251" not in ruff("src/polystra/edge/clock.py", line)


def test_ruff_lets_sim_use_a_seeded_random() -> None:
    assert "TID251" not in ruff(
        "src/polystra/sim/planted.py", "import random\n\nrng = random.Random(7)\nrng.random()\n"
    )


def plant(tree: Path, offence: Offence) -> None:
    if offence.imported.startswith("polystra."):
        module_file(tree, offence.imported.removeprefix("polystra."))
    importer = module_file(tree, offence.importer)
    importer.write_text(f"{importer.read_text()}\nimport {offence.imported}\n")


def module_file(tree: Path, module: str) -> Path:
    """The file of a module, made with its packages when it is missing."""
    *packages, name = module.split(".")
    folder = tree / "src" / "polystra"
    for package in packages:
        folder /= package
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
    path = folder / name / "__init__.py" if (folder / name).is_dir() else folder / f"{name}.py"
    path.touch()
    return path


def lint_imports(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(LINT_IMPORTS), "--no-logo", "--no-cache", "--config", "pyproject.toml", *options]
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "COLUMNS": "200"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def ruff(filename: str, source: str) -> str:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise"]
    checked = subprocess.run(
        [*command, "--stdin-filename", filename, "-"],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    return checked.stdout
