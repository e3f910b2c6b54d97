"""Journals of known runs: today's engine gives the same commands, and today's world the same journal, byte for byte."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polystra.app.replay import replay
from polystra.app.settings import stored_settings
from polystra.core.commands import CancelOrder, PlaceOrder
from polystra.core.notes import FillBooked, MarketSettled, StopTriggered
from polystra.edge.store.journal import Decided, digest, read_journal
from tests.replay.recipes import CALM, HERE, RECIPES, make

ROOT = Path(__file__).parent.parent.parent


def golden(name: str) -> Path:
    return HERE / f"{name}.plj"


@pytest.mark.parametrize("name", RECIPES)
def test_a_golden_journal_gives_the_same_commands(name: str) -> None:
    result = replay(golden(name))
    assert result.identical, result.difference
    assert result.steps > 10


@pytest.mark.parametrize("name", RECIPES)
def test_the_same_recipe_gives_the_same_journal_to_the_byte(name: str, tmp_path: Path) -> None:
    assert digest(make(name, tmp_path)) == digest(golden(name))


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_neither_depends_on_the_order_of_hashes(hash_seed: str, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.replay.recipes import RECIPES, make\n"
        "from polystra.edge.store.journal import digest\n"
        "for name in RECIPES:\n"
        "    folder = Path(sys.argv[1]) / name; folder.mkdir(); print(name, digest(make(name, folder)))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "".join(f"{name} {digest(golden(name))}\n" for name in RECIPES)


def test_a_changed_rule_is_shown_where_it_first_matters() -> None:
    """The stop one tick lower: everything up to the first stop is the same, and the stop comes later or not at all."""
    head = replay(golden("rising")).head
    changed = stored_settings(head.settings.replace('"stop_price":"0.35"', '"stop_price":"0.30"'))
    result = replay(golden("rising"), changed)
    assert not result.identical
    assert result.difference is not None
    first_stop = next(
        record.seq
        for record in _steps(golden("rising"))
        if any(isinstance(note, StopTriggered) for note in record.notes)
    )
    assert result.difference.seq == first_stop


def test_the_golden_journals_hold_what_they_are_there_for() -> None:
    """Else a replay could be identical because nothing happens."""
    steps = [record for name in CALM for record in _steps(golden(name))]
    commands = [command for record in steps for command in record.commands]
    notes = [note for record in steps for note in record.notes]
    assert sum(isinstance(command, PlaceOrder) for command in commands) >= 6
    assert any(isinstance(command, CancelOrder) for command in commands)
    assert {note.liquidity for note in notes if isinstance(note, FillBooked)} == {"maker", "taker"}
    assert any(isinstance(note, StopTriggered) for note in notes)
    assert sum(isinstance(note, MarketSettled) for note in notes) == 3


def _steps(path: Path) -> list[Decided]:
    with read_journal(path) as reading:
        return [record for record in reading if isinstance(record, Decided)]
