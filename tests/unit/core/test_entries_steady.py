"""A resting entry is left alone while its size is near what it would be: orders that share the cash do not dance."""

from __future__ import annotations

from msgspec.structs import replace

from polystra.core.sizing import StakeRules
from polystra.core.terms import Outcome, TimeInForce
from polystra.core.units import usd
from tests.core_cases import RULES, Bench, Wanting, wish

GTC = TimeInForce.GTC
TENTH = replace(RULES, stakes=StakeRules(fraction=100_000, max_stake=usd(500)))
"""Each entry takes a tenth of the free cash, and nothing caps it."""


def resting_pair() -> Bench:
    wishes = (wish("0.50", time_in_force=GTC), wish("0.44", Outcome.DOWN, time_in_force=GTC))
    bench = Bench(Wanting(wishes=wishes), TENTH)
    bench.start(0, cash="100")
    assert len(bench.book(60)) == 2
    bench.accepted(60.1, 1)
    bench.accepted(60.2, 2)
    return bench


def test_two_resting_entries_do_not_resize_one_another() -> None:
    """Each one's reservation makes the other's stake a tenth smaller."""
    bench = resting_pair()
    for second in range(61, 120):
        assert bench.book(second) == []
    assert {bench.state(1), bench.state(2)} == {"WORKING"}


def test_an_entry_that_became_far_too_large_is_made_anew() -> None:
    bench = resting_pair()
    bench.reading(61, "100", live=(1, 2))
    bench.known.treasury.move(-usd(40))
    assert sorted(bench.book(62)) == ["cancel o1", "cancel o2"]
