"""Targets that are watched and moved for rewards, through the whole engine."""

from __future__ import annotations

from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.ids import OrderId
from polystra.core.markets import Score
from polystra.core.reasons import RefusalReason
from polystra.core.strategy import ExitPolicy
from polystra.core.units import price, shares
from tests.core_cases import MINED, Bench, moment, with_exits
from tests.unit.core.test_rewards import MARKET, MOVED, TERMS


def bench(policy: ExitPolicy = MOVED) -> Bench:
    """Ten Up at 0.54, their target o2 at rest at 0.99 from the sixtieth second on; ten may score here."""
    market = replace(MARKET, rewards=replace(TERMS, min_shares=shares(10)))
    made = Bench(with_exits(policy), market=market)
    made.start(0)
    assert made.book(60) == ["place o1 entry BUY UP 10 @ 0.54 FAK"]
    made.fill(60, 1, "0.54", "10")
    assert made.fill(60, 1, "0.54", "10", MINED)[-1] == "place o2 target SELL UP 10 @ 0.99 GTC"
    made.accepted(60, 2)
    return made


def test_a_target_is_asked_about_moved_and_asked_about_again() -> None:
    made = bench()
    assert made.book(80, "0.95", "0.96") == []
    assert made.pass_to(100) == [(90, "read scoring o2")]
    assert made.hear(100, ev.ScoringRead, order=OrderId(2), scoring=False) == ["cancel o2"]
    assert made.cancelled(101, 2) == ["place o3 target SELL UP 10 @ 0.97 GTC"]
    made.accepted(101, 3)
    (note,) = made.told(nt.RewardMoved)
    assert (note.order, note.after) == (OrderId(3), price("0.97"))
    assert made.pass_to(140) == [(131, "read scoring o3")]
    assert made.hear(140, ev.ScoringRead, order=OrderId(3), scoring=True) == []
    assert made.book(141, "0.90", "0.92") == []
    assert made.hear(150, ev.ScoringRead, order=OrderId(3), scoring=True) == []
    assert [one.score for one in made.told(nt.ScoreSeen)] == [Score.NOT_SCORING, Score.SCORING]


def test_nobody_asks_unless_rewards_are_watched() -> None:
    made = bench(replace(MOVED, rewards=None))
    assert made.book(80, "0.95", "0.96") == []
    assert made.pass_to(400) == []
    assert made.hear(400, ev.ScoringRead, order=OrderId(2), scoring=False) == []


def test_a_word_of_an_order_that_ended_or_that_nobody_knows_is_no_news() -> None:
    made = bench()
    made.cancelled(70, 2)
    for number in (2, 77):
        made.hear(70, ev.ScoringRead, order=OrderId(number), scoring=False)
    assert made.told(nt.ScoreSeen) == []


def test_while_the_venue_takes_no_orders_nothing_moves() -> None:
    """For a second, as a refusal of another order told; then it is moved."""
    made = bench()
    made.book(80, "0.95", "0.96")
    made.pass_to(90)
    made.known.standing.refused(RefusalReason.CANCEL_ONLY_MODE, moment(90), None)
    assert made.hear(90.5, ev.ScoringRead, order=OrderId(2), scoring=False) == []
    assert made.desk.rewards.moves == {}
    assert made.pass_to(92) == [(91, "cancel o2")]


def score(made: Bench, at: float) -> Score | None:
    (line,) = (one for one in made.engine.positions(moment(at)) if isinstance(one, nt.PositionWatched))
    return line.score


def test_the_minutes_line_says_whether_the_target_scores() -> None:
    made = bench()
    assert score(made, 61) is Score.UNKNOWN
    made.pass_to(90)
    made.hear(100, ev.ScoringRead, order=OrderId(2), scoring=True)
    assert score(made, 101) is Score.SCORING
    assert score(made, 300) is Score.UNKNOWN, "too long ago"
    made.cancelled(120, 2)
    made.refused(120, 3)
    assert score(made, 120) is None
