"""A tape's digest says what was replayed: equal in every process, different for different content."""

import os
import pickle
import subprocess
import sys

import msgspec

from polystra.core.markets import Payout
from polystra.core.units import Usd
from polystra.edge.tapes.format import tape_from
from polystra.edge.tapes.library import bundled

PRINT_DIGEST = "from polystra.edge.tapes.library import bundled; print(bundled().files[0].load().digest)"


def digest_in_another_process(seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    run = subprocess.run([sys.executable, "-c", PRINT_DIGEST], env=environment, capture_output=True, check=True)
    return run.stdout.decode().strip()


def test_two_processes_with_different_hash_seeds_agree() -> None:
    here = bundled().files[0].load().digest
    assert len(here) == 64
    assert digest_in_another_process("0") == digest_in_another_process("1") == here


def test_one_event_less_or_another_payout_is_another_tape() -> None:
    file = bundled().files[0]
    tape = file.load()
    shorter = tape_from(file, tape.rows[:-1], skipped={})
    other = tape_from(msgspec.structs.replace(file, payout=Payout(Usd(500_000))), tape.rows, skipped={})

    assert tape_from(file, tape.rows, skipped={}).digest == tape.digest
    assert len({tape.digest, shorter.digest, other.digest}) == 3


def test_the_words_of_an_assumption_and_the_source_do_not_matter() -> None:
    file = bundled().files[0]
    market = msgspec.structs.replace(file.market, assumptions=("said otherwise",))
    again = msgspec.structs.replace(file, market=market, source="a copy").load()
    assert again.digest == file.load().digest


def test_a_file_travels_to_a_worker_process() -> None:
    file = bundled().files[0]
    assert pickle.loads(pickle.dumps(file)) == file
