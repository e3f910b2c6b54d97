"""The same seed and requests give the same outputs, byte for byte, under any hash seed of the interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from random import Random

import msgspec
import pytest

from polystra.core.ids import VenueOrderId
from polystra.core.units import Instant
from tests.property.test_exchange_truth import BUSY, SECOND, opened, pause, step_of

ROOT = Path(__file__).parents[2]


def digest(seed: int, steps: int = 400) -> str:
    """The hash of all outputs and of the truth of one run."""
    chance, said = Random(seed), sha256()
    exchange = opened(seed, BUSY, fee_rate=70_000)
    now, known = 1_000_000 * SECOND, list[VenueOrderId]()
    for _ in range(steps):
        now += pause(chance)
        said.update(msgspec.json.encode(exchange.handle(step_of(chance, known, 10_000, now), Instant(now))))
    said.update(msgspec.json.encode(exchange.truth()))
    return said.hexdigest()


@pytest.mark.spec("X26.A3", pure="the history of the exchange itself, on its own truth")
def test_the_same_seed_gives_the_same_history_under_any_hash_seed() -> None:
    program = "from tests.property.test_exchange_same_seed import digest; print(digest(7))"
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for hash_seed in ("0", "1", "4242")
    }
    assert runs == {digest(7)}


def test_another_seed_gives_another_history() -> None:
    assert digest(7) != digest(8)
