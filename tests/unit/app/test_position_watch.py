"""Once a minute a person hears how each position stands."""

import pytest
from msgspec.structs import replace

from polystra.app.console import line_of
from polystra.app.position_watch import PositionWatch
from polystra.core import notes as nt
from polystra.core.ids import MarketId, OrderId
from polystra.core.markets import Score
from polystra.core.terms import Outcome
from polystra.core.units import Usd, price, seconds, shares, usd
from tests.core_cases import covered, moment


def test_each_minute_is_told_once_with_its_first_event() -> None:
    watch = PositionWatch(covered().engine)
    told = [second for second in range(60, 300) if watch.look(moment(second))]
    assert told == [60, 120, 180, 240]
    assert watch.look(moment(299.9)) == ()
    assert len(watch.look(moment(305.5))) == 2, "late, when nothing happened before"
    assert watch.look(moment(359.9)) == ()
    assert len(watch.look(moment(360))) == 2


STANDS = nt.PositionWatched(
    market=MarketId("0x01"),
    outcome=Outcome.UP,
    shares=shares(10),
    entry=price("0.54"),
    bid=price("0.52"),
    pnl=usd("-0.20"),
    exit="pending, 12 s of 60 s",
)


def test_the_line_says_what_is_held_what_it_is_worth_and_what_the_exit_does() -> None:
    assert line_of(STANDS) == "holds 10 UP from 0.5400, bid 0.52, P&L -0.20 USD, exit: pending, 12 s of 60 s"


def test_what_nobody_knows_is_not_made_up() -> None:
    unknown = nt.PositionWatched(
        market=STANDS.market,
        outcome=Outcome.DOWN,
        shares=shares(1),
        entry=None,
        bid=None,
        pnl=None,
        exit="none, settling",
    )
    assert line_of(unknown) == "holds 1 DOWN, no price, exit: none, settling"


def test_an_entry_that_is_given_up_says_why_and_the_second_try_names_both() -> None:
    given_up = nt.EntryGivenUp(
        market=STANDS.market, order=OrderId(3), outcome=Outcome.UP, why="too old", age=seconds(301), change=-12_345
    )
    assert line_of(given_up) == "o3 given up unfilled: too old, 301 s old, price -1.2 % since it was placed"
    retried = nt.EntryRetried(market=STANDS.market, first=OrderId(3), second=OrderId(4))
    assert line_of(retried) == "o3 is tried again at the market as o4"


@pytest.mark.parametrize(
    ("score", "words"),
    [(Score.SCORING, "SCORING"), (Score.NOT_SCORING, "NOT SCORING"), (Score.UNKNOWN, "unknown")],
)
def test_the_line_says_whether_the_target_scores_where_that_is_watched(score: Score, words: str) -> None:
    assert line_of(replace(STANDS, exit="target at 0.99", score=score)).endswith(f"target at 0.99, rewards: {words}")
    assert line_of(nt.ScoreSeen(market=STANDS.market, order=OrderId(2), score=score)) == f"o2 rewards: {words}"


@pytest.mark.parametrize(("estimate", "words"), [(usd("0.5"), "0.5000 USD estimated"), (None, "unknown")])
def test_a_move_says_what_it_concedes_and_what_is_known_of_its_reward(estimate: Usd | None, words: str) -> None:
    moved = nt.RewardMoved(
        order=OrderId(3),
        market=STANDS.market,
        outcome=Outcome.UP,
        before=price("0.99"),
        after=price("0.97"),
        shares=shares(60),
        conceded=usd("1.20"),
        estimate=estimate,
    )
    assert line_of(moved) == f"o3 rests at 0.97, not 0.99, for rewards: concedes 1.2 USD, earns {words}"
