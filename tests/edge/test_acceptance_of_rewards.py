"""Acceptance conditions of exits that mind liquidity rewards (SPEC H3), over the wire."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from polystra.app.console import line_of
from polystra.app.report import read_report
from polystra.app.report_json import of_report
from polystra.cli.show_report import show_report
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.markets import Market, RewardTerms, Score
from polystra.core.strategy import ExitPolicy, RewardPolicy, RewardRule
from polystra.core.terms import Outcome, Side
from polystra.core.units import Price, price, seconds, shares, usd
from polystra.edge.tapes.format import TapeEvent
from polystra.exchange.faults import Fault
from polystra.sim import messages as sim
from tests.edge.execution_cases import AT_ONCE, MARKET, Scheduled, Told, commanded, happened, logged
from tests.edge.wire_stage import Floor, Killed, Look, Meddle, WireOutcomes, WireStage, exchange_truth
from tests.truth import Outcomes, steady, tape_file, wish

__all__ = ["exchange_truth"]

TERMS = RewardTerms(min_shares=shares(50), max_spread=price("0.03"), min_age=seconds(30), daily=usd(1_440))
"""A target at 0.99 is too far from a middle of 0.955 to score, one at 0.97 is near enough."""

REWARDING = replace(MARKET, rewards=TERMS)
WATCHED = replace(AT_ONCE, rewards=RewardPolicy())
MOVED = replace(AT_ONCE, rewards=RewardPolicy(rule=RewardRule.ORIGINAL))
IF_WORTH_IT = replace(AT_ONCE, rewards=RewardPolicy(rule=RewardRule.WORTH_IT))


def offered(size: str = "60", at: str = "0.60") -> list[TapeEvent]:
    """So many Up on offer at first; from the fortieth second on the middle is 0.955."""
    first = steady(MARKET, "0.58x500", f"{at}x{size} 0.98x500", end=40)
    return [*first, *steady(MARKET, "0.95x500", "0.96x500", begin=40)]


def taking(exits: ExitPolicy, at: str = "0.60", *more: Told) -> Scheduled:
    return Scheduled((Told(10, 12, 0, wish(Outcome.UP, at)), *more), exits)


def quiet(floor: Floor, event: AnyEvent, step: Step) -> None:
    """Nobody meddles."""


def nobody(floor: Floor) -> None:
    """Nobody looks."""


def play(
    stage: WireStage,
    strategy: Scheduled,
    rows: Sequence[TapeEvent] | None = None,
    *,
    market: Market = REWARDING,
    before: Look = nobody,
    look: Look = nobody,
    meddle: Meddle = quiet,
    lives: int = 1,
) -> WireOutcomes:
    tape = tape_file(market, offered() if rows is None else rows)
    run = stage.play_on_wire([tape], strategy, before=before, look=look, meddle=meddle, lives=lives)
    run.agree()
    return run


def sales(run: Outcomes) -> list[Price]:
    return [terms.price for _, terms in run.placed(Side.SELL)]


def scores(run: Outcomes) -> list[Score]:
    return [note.score for note in run.notes(nt.ScoreSeen)]


def most_live(run: WireOutcomes) -> int:
    """How many sells of ours were live at one moment at most, by the exchange's own log."""
    live: set[str] = set()
    most = 0
    for told in logged(run, "did", "OrderUpdated"):
        order = told["order"]
        gone = told["change"] == "CANCELLATION" or order["matched"] == order["size"]
        if order["side"] == "SELL":
            (live.discard if gone else live.add)(order["id"])
        most = max(most, len(live))
    return most


# --- off


@pytest.mark.spec("H3.A1")
@pytest.mark.parametrize("exits", [AT_ONCE, WATCHED], ids=["off", "watched alone"])
def test_with_the_flag_off_the_price_never_changes(exchange_truth: WireStage, exits: ExitPolicy) -> None:
    """Sixty at 0.60, a target that does not score, a middle of 0.955: nothing moves. Unless it is watched nobody even
    asks."""
    run = play(exchange_truth, taking(exits))
    assert sales(run) == [price("0.99")]
    assert not run.notes(nt.RewardMoved)
    watched = exits is WATCHED
    assert len(commanded(run, cm.ReadScoring)) == (5 if watched else 0), "once a minute, from an age of 30 s on"
    assert scores(run) == ([Score.NOT_SCORING] if watched else [])
    lines = [line_of(note) for note in run.notes(nt.PositionWatched)]
    assert any(line.endswith("rewards: NOT SCORING") for line in lines) is watched
    assert any("rewards" in line for line in lines) is watched


# --- the original's rule


@pytest.mark.spec("H3.A2")
def test_a_target_that_does_not_score_is_moved_once(
    exchange_truth: WireStage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sixty Up at 0.60, middle 0.955 on the 0.01 grid: 0.965 is rounded up to 0.97. The old one is gone first, by the
    exchange's log, and the new one, which scores, stays."""
    run = play(exchange_truth, taking(MOVED))
    assert sales(run) == [price("0.99"), price("0.97")]
    assert most_live(run) == 1
    (_, moved) = [one["at"] for one in logged(run, "asked", "Submit") if one["side"] == "SELL"]
    changes = [one for one in logged(run, "did", "OrderUpdated") if one["order"]["side"] == "SELL"]
    told = [(one["change"], one["order"]["price"]) for one in changes[:3]]
    old, new = price("0.99"), price("0.97")
    assert told == [("PLACEMENT", old), ("CANCELLATION", old), ("PLACEMENT", new)]
    assert logged(run, "asked", "Cancel")[0]["at"] <= changes[1]["at"] < moved, "gone before the new one is asked for"
    (known_gone, *_) = [event.at for event in happened(run, ev.OrderCancelled)]
    assert run.placed(Side.SELL)[1][0] >= known_gone
    (move,) = run.notes(nt.RewardMoved)
    assert (move.before, move.after) == (price("0.99"), price("0.97"))
    assert (move.shares, move.conceded) == (shares(60), usd("1.20"))
    assert line_of(move).endswith("rests at 0.97, not 0.99, for rewards: concedes 1.2 USD, earns 0.0000 USD estimated")
    assert move.estimate == 0, "above 0.90 a maker on one side alone earns nothing"
    assert scores(run) == [Score.NOT_SCORING, Score.SCORING]
    show_report(read_report(run.folder))
    said = capsys.readouterr().out
    assert "1 SCORING, 1 NOT SCORING, 0 unknown; earned: unknown" in said
    assert of_report(read_report(run.folder))["rewards"] == {
        "exits": {"SCORING": 1, "NOT SCORING": 1, "unknown": 0},
        "moves": 1,
        "conceded_usd": "1.2",
        "estimated_usd": "0",
        "earned_usd": None,
    }
    assert "1 exit, conceding 1.2 USD if filled; estimate: earns 0 USD" in said


@pytest.mark.spec("H3.A2")
def test_below_the_least_size_that_is_rewarded_nothing_moves(exchange_truth: WireStage) -> None:
    """49 of 50."""
    run = play(exchange_truth, taking(MOVED), offered("49"))
    assert sales(run) == [price("0.99")]
    assert scores(run) == [Score.NOT_SCORING]


def test_a_target_that_scores_stays_where_it_is(exchange_truth: WireStage) -> None:
    """The usual terms reward 4.5 cents from the middle: 0.99 scores."""
    run = play(exchange_truth, taking(MOVED), market=MARKET)
    assert sales(run) == [price("0.99")]
    assert scores(run) == [Score.SCORING]


@pytest.mark.spec("H3.A2")
def test_no_answer_is_not_the_answer_that_it_does_not_score(exchange_truth: WireStage) -> None:
    def before(floor: Floor) -> None:
        floor.fail(Fault.ERROR_BEFORE, "GET /order-scoring", times=None)

    run = play(exchange_truth, taking(MOVED), before=before)
    assert run.floor.hits(Fault.ERROR_BEFORE) >= 5
    assert sales(run) == [price("0.99")]
    assert scores(run) == [Score.UNKNOWN]
    lines = [line_of(note) for note in run.notes(nt.PositionWatched)]
    assert any(line.endswith("exit: target at 0.99, rewards: unknown") for line in lines)
    report = read_report(run.folder).rewards
    assert report is not None
    assert report.scores == ((Score.SCORING, 0), (Score.NOT_SCORING, 0), (Score.UNKNOWN, 1))


def test_a_target_filled_while_it_is_moved_is_not_placed_again(exchange_truth: WireStage) -> None:
    """All sixty are bought while our cancel is on its way."""

    def buy(floor: Floor, event: AnyEvent, step: Step) -> None:
        if any(isinstance(one, cm.CancelOrder) for one in step.commands):
            all_of_it = sim.PrintTrade(market=MARKET.id, price=price("0.99"), size=shares(60), taker=Side.BUY)
            floor.standing.venue.feed(all_of_it)

    run = play(exchange_truth, taking(MOVED), meddle=buy)
    assert commanded(run, cm.CancelOrder)
    assert run.held(MARKET, Outcome.UP) == 0
    assert sales(run) == [price("0.99")]
    assert not run.notes(nt.RewardMoved), "nothing was conceded"


@pytest.mark.spec("H3.A3")
@pytest.mark.parametrize(("entry", "moves"), [("0.97", False), ("0.96", True)])
def test_no_target_is_moved_below_cost_and_fees(exchange_truth: WireStage, entry: str, moves: bool) -> None:
    """At 0.97 a taker gets 0.967963: less than 0.97 and its fee, more than 0.96 and its fee of 0.002688."""
    rows = [
        *steady(MARKET, "0.95x500", f"{entry}x50 0.98x500", end=40),
        *steady(MARKET, "0.95x500", "0.96x500", begin=40),
    ]
    run = play(exchange_truth, taking(MOVED, entry), rows)
    assert Score.NOT_SCORING in scores(run)
    assert sales(run) == [price("0.99")] + [price("0.97")] * moves


def test_a_moved_target_is_not_moved_back_by_a_restart(exchange_truth: WireStage) -> None:
    def die(floor: Floor, event: AnyEvent, step: Step) -> None:
        account = sim.Account(floor.standing.accounts[0].wallet)
        orders = floor.standing.venue.current().open_orders(account)
        if not killed and any(order.price == price("0.97") for order in orders):
            killed.append(event.at)
            raise Killed

    killed: list[int] = []
    run = play(exchange_truth, taking(MOVED), meddle=die, lives=2)
    assert killed
    assert sales(run) == [price("0.99"), price("0.97")]


# --- worth it


@pytest.mark.parametrize(
    ("bids", "daily", "moves"),
    [(False, 1_000_000, False), (True, 1_440, False), (True, 100_000, True), (True, None, False)],
    ids=["one side alone", "two sides, too little", "two sides, enough", "nobody knows the rate"],
)
def test_worth_it_moves_only_what_earns_more_than_it_concedes(
    exchange_truth: WireStage, bids: bool, daily: int | None, moves: bool
) -> None:
    """Sixty to sell, and maybe a bid of some fifty at 0.94. Moved, they count for a part in thirty of the market, for
    four minutes; 1.20 USD are conceded."""
    more = (Told(50, 300, 1, wish(Outcome.UP, "0.94", rests=True)),) if bids else ()
    terms = replace(TERMS, min_shares=shares(40), daily=None if daily is None else usd(daily))
    run = play(exchange_truth, taking(IF_WORTH_IT, "0.60", *more), market=replace(MARKET, rewards=terms))
    assert sales(run) == [price("0.99")] + [price("0.97")] * moves
    if moves:
        (move,) = run.notes(nt.RewardMoved)
        assert move.estimate is not None
        assert move.estimate > move.conceded == usd("1.20")


# --- the twin in one process


@pytest.mark.parametrize("exits", [WATCHED, MOVED], ids=["watched", "moved"])
def test_in_process_the_same_is_asked_answered_and_moved(tmp_path: Path, exits: ExitPolicy) -> None:
    runs: list[Outcomes] = []
    for name in ("wire", "process"):
        (tmp_path / name).mkdir()
        stage, files = WireStage(tmp_path / name), [tape_file(REWARDING, offered())]
        play_it = stage.play_on_wire if name == "wire" else stage.play
        runs.append(play_it(files, taking(exits)))
    wire, process = runs
    assert wire.placed(Side.SELL) == process.placed(Side.SELL)
    for kind in (nt.ScoreSeen, nt.RewardMoved):
        assert told(wire, kind) == told(process, kind)


def told(run: Outcomes, kind: type[nt.AnyNote]) -> list[tuple[int, nt.AnyNote]]:
    return [(event.at, note) for event, step in run.steps for note in step.notes if isinstance(note, kind)]
