"""The exit plan, scale-ins and reversals over random fills, cancels, failures, prices and settings.

Each example is a short life (`tests.core_lives`) at a venue that is unkind, judged after every step by what really
happened there (`tests.core_judge`). A seed is a life: `lived(seed)` lives a red one again.
"""

from __future__ import annotations

from collections import Counter

from tests.conftest import IN_CI
from tests.core_judge import Judge

LIVES = 10_000 if IN_CI else 1_500

REACHED = {
    "filled entry": 300,
    "filled scale-in": 25,
    "filled reversal": 15,
    "filled target": 100,
    "filled stop": 100,
    "filled sale": 25,
    "partial exit": 75,
    "failed purchase": 5,
    "failed sale": 10,
    "both held": 75,
    "restart": 150,
    "covered": 400,
    "spared": 15,
    "said settling": 100,
    "said too young": 25,
    "said held to settlement": 150,
    "said cancel unresolved": 50,
    "said below the venue's least size": 50,
    "said no stop: nobody bids": 15,
    "said a pair, while the rest is stopped": 10,
    "said the venue takes no orders": 40,
    "said stop waits: the venue takes resting orders alone": 5,
    "said sale waits: the venue takes resting orders alone": 2,
    "said rests: not enough balance": 25,
    "said rests: remainder killed": 30,
    "said cancel failed: not canceled": 1,
}
"""Of a thousand lives, at least so many come to it."""


def lived(seed: int) -> Judge:
    judge = Judge(seed)
    try:
        return judge.live()
    except AssertionError as broken:
        raise AssertionError(f"life {seed}, after {judge.steps} steps: {broken}") from broken


def test_the_exit_plan_keeps_its_promises_and_comes_to_all_that_it_is_about() -> None:
    reached: Counter[str] = Counter()
    for seed in range(LIVES):
        reached.update(lived(seed).reached())
    rare = {kind: reached[kind] for kind, least in REACHED.items() if reached[kind] * 1_000 < least * LIVES}
    assert not rare, f"of {LIVES} lives too few came to: {rare}"
