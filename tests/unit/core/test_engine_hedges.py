"""Money that a hedge must not cost, through the whole engine."""

from __future__ import annotations

from msgspec.structs import replace

from polystra.core.scale_in import ScaleInRules
from polystra.core.units import micro
from tests.core_cases import FAILED, MINED
from tests.unit.core.test_engine_reversal import HEDGE, HEDGED, STOP_ORDER, falling, hedging, paired
from tests.unit.core.test_engine_scale_in import denials


def test_no_hedge_leaves_beside_a_stop_that_is_on_its_way() -> None:
    """The book was too wide for the hedge, so the stop left. Then the book is narrow again: both would fill."""
    bench = falling(HEDGED)
    assert bench.book(100, "0.30", "0.48") == ["cancel o2"]
    assert denials(bench) == ["reversal spread"]
    assert bench.cancelled(100.1, 2) == [f"place o3 {STOP_ORDER}"]
    assert bench.book(100.2, "0.30", "0.32") == []
    bench.killed(100.3, 3, "0", "0")
    assert bench.pass_to(101.3) == [(101.3, f"place o4 {STOP_ORDER}")], "nor beside what is left of it"


def test_where_little_is_on_offer_the_hedge_is_small_and_the_rest_is_stopped_at_once() -> None:
    bench = falling(HEDGED)
    assert bench.book(100, "0.30", "0.32", size="2") == ["cancel o2", "place o3 reversal BUY DOWN 2 @ 0.7 FAK"]
    assert bench.cancelled(100.1, 2) == ["place o4 stop SELL UP 8 @ 0.25 FAK"]


def test_a_hedge_that_was_sold_again_spares_nothing() -> None:
    bench = paired()
    bench.accepted(101.1, 4)
    assert bench.book(135, "0.70", "0.72") == ["cancel o4"]
    assert bench.cancelled(135.1, 4) == ["place o5 stop SELL DOWN 10 @ 0.23 FAK"]
    bench.killed(135.2, 5, "10", "2.8")
    bench.fill(135.3, 5, "0.28", "10", MINED, trade="t9")
    assert bench.book(150, "0.28", "0.30") == ["cancel o2"], "a fall again: the stop of Up"
    assert bench.cancelled(150.1, 2) == ["place o6 stop SELL UP 10 @ 0.23 FAK"]


def test_a_part_of_a_hedge_that_failed_on_the_chain_spares_nothing() -> None:
    bench = hedging()
    bench.fill(100.2, 3, "0.70", "6", trade="a")
    bench.fill(100.2, 3, "0.70", "4", trade="b")
    assert bench.fill(102, 3, "0.70", "6", FAILED, trade="a") == ["cancel o2"]
    assert bench.cancelled(102.1, 2) == ["place o4 stop SELL UP 6 @ 0.25 FAK"]


def test_where_a_hedge_was_bought_nothing_is_added_any_more() -> None:
    """The loser has recovered, and late in its window its price says that it wins."""
    bench = falling(replace(HEDGED, scale_in=ScaleInRules()))
    assert bench.book(440, "0.30", "0.32") == [HEDGE]
    bench.fill(440.2, 3, "0.70", "10", MINED, trade="t3")
    bench.desk.strategy = replace(bench.desk.strategy, chance=micro("0.95"))
    assert not [line for line in bench.book(460, "0.70", "0.72") if "scale-in" in line]
    assert not [line for _, line in bench.pass_to(500) if "scale-in" in line]
