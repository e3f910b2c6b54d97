"""How a position stands, as a person is told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.strategy import ExitPolicy, StopPolicy
from polystra.core.terms import Outcome
from polystra.core.units import price, seconds, shares, usd
from tests.core_cases import AT_ONCE, EXITS, MATCHED, Bench, covered, holding, moment, with_exits


def stands(bench: Bench, at: float) -> nt.PositionWatched:
    one, worth = bench.engine.positions(moment(at))
    assert isinstance(one, nt.PositionWatched)
    assert isinstance(worth, nt.EquityWatched)
    return one


def test_who_holds_nothing_is_told_nothing() -> None:
    bench = Bench()
    bench.start(0)
    assert bench.engine.positions(moment(1)) == ()


def test_a_position_is_valued_at_the_bid_and_says_how_long_its_exit_waits_still() -> None:
    """Ten shares for 5.40 at 0.54, sold at 0.52 they bring 5.20; the target waits until they are 60 s old."""
    bench = holding(with_exits(EXITS))
    assert stands(bench, 72.5) == nt.PositionWatched(
        market=bench.market.id,
        outcome=Outcome.UP,
        shares=shares(10),
        entry=bench.desk.position.up.entry_price,
        bid=price("0.52"),
        pnl=usd("5.2") - bench.desk.position.up.cost,
        exit="pending, 12 s of 60 s",
    )


def test_an_exit_that_rests_is_said_with_its_price() -> None:
    assert stands(covered(), 70).exit == "target at 0.99"


@pytest.mark.parametrize(
    ("policy", "why"), [(ExitPolicy(), "held to settlement"), (replace(AT_ONCE, hold_last=seconds(900)), "held to")]
)
def test_why_there_is_none_is_said(policy: ExitPolicy, why: str) -> None:
    assert stands(holding(with_exits(policy)), 61).exit.startswith(f"none, {why}")


def test_shares_on_their_way_to_the_chain_have_no_exit_yet() -> None:
    assert stands(holding(with_exits(AT_ONCE), stage=MATCHED), 61).exit == "none, settling"


def test_an_exit_that_is_wanted_and_not_there_yet_is_being_placed() -> None:
    """The target was refused, and its slot rests."""
    bench = holding(with_exits(AT_ONCE))
    bench.refused(60.1, 2)
    assert stands(bench, 60.5).exit == "being placed"


def test_a_book_that_nobody_trusts_gives_no_price() -> None:
    bench = holding(with_exits(replace(AT_ONCE, stop=StopPolicy(price=price("0.30")))))
    bench.hear(61, ev.StreamLost, stream=ev.Stream.MARKET)
    assert (stands(bench, 62).bid, stands(bench, 62).pnl) == (None, None)


def test_a_question_changes_nothing() -> None:
    asked, left_alone = covered(), covered()
    for second in range(61, 120):
        asked.engine.positions(moment(second))
    assert asked.book(120, "0.20", "0.22") == left_alone.book(120, "0.20", "0.22") != []
    assert asked.log == left_alone.log
    assert asked.notes == left_alone.notes
