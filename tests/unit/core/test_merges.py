"""Pairs on their way to become cash: not ours to sell, no drift, and 1 USD each once they are paid."""

from typing import Any

from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.claims import ClaimStage
from polystra.core.cover import uncovered
from polystra.core.exits import ExitPlan
from polystra.core.ids import MergeId, OrderId, VenueOrderId
from polystra.core.positions import Merged, position_of
from polystra.core.restored import RestoredFill, RestoredMerge, RestoredOrder
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Liquidity, Outcome, Side
from polystra.core.units import Instant, shares, usd
from tests.core_cases import AT_ONCE, CONFIRMED, MATCHED, RULES, UP_WON, Bench, Wanting, holding, moment, wish
from tests.unit.core.samples import WINDOW
from tests.unit.core.test_outside_trades import by_hand
from tests.unit.core.test_positions import bought

BOTH = Wanting(wishes=(wish(), wish("0.48", Outcome.DOWN)), exits=ExitPolicy())


def with_pairs(exits: ExitPolicy | None = None) -> Bench:
    """Ten shares of each outcome, bought at 0.54 and 0.48, all confirmed and shown."""
    strategy = BOTH if exits is None else Wanting(wishes=BOTH.wishes, exits=exits)
    bench = Bench(strategy)
    bench.start(0)
    assert [line.split(" FAK")[0] for line in bench.book(60)] == [
        "place o1 entry BUY UP 10 @ 0.54",
        "place o2 entry BUY DOWN 11.25 @ 0.48",
    ]
    bench.fill(60, 1, "0.54", "10", CONFIRMED, trade="t1")
    bench.fill(60, 2, "0.48", "11.25", CONFIRMED, trade="t2")
    return bench


def test_what_was_merged_has_left_the_wallet_before_any_reading_says_so() -> None:
    """Else shares that are bought next would pass for shown before they are there."""
    bench = with_pairs()
    for stage in (ClaimStage.WANTED, ClaimStage.SENT, ClaimStage.PAID):
        report(bench, 100, stage)
    assert {outcome: bench.desk.in_wallet(outcome) for outcome in Outcome} == {
        Outcome.UP: 0,
        Outcome.DOWN: shares("1.25"),
    }


def report(bench: Bench, at: float, stage: ClaimStage, pairs: str = "10", merge: int = 1) -> list[str]:
    return bench.hear(
        at,
        ev.MergeReported,
        market=WINDOW.id,
        merge=MergeId(merge),
        stage=stage,
        pairs=shares(pairs),
        stepped_at=moment(at),
    )


def held(bench: Bench) -> Any:
    (one,) = bench.engine.pairs()
    return one


# --- the fold


def test_a_merge_takes_pairs_out_with_their_cost_and_realises_the_difference() -> None:
    both = [bought("0.54", "10"), _as_down(bought("0.50", "4", 2))]
    before = position_of(both)
    after = position_of(both, merges=[Merged(pairs=shares("3"), at=moment(90))])
    assert (after.up.shares, after.down.shares) == (shares(7), shares(1))
    assert (after.up.settled, after.down.settled) == (before.up.settled - shares(3), before.down.settled - shares(3))
    cost = before.up.cost + before.down.cost - after.up.cost - after.down.cost
    assert after.realised == usd(3) - cost
    assert after.up.entry_price == before.up.entry_price


def test_the_last_pairs_take_whatever_cost_is_left() -> None:
    both = [bought("0.54", "10"), _as_down(bought("0.50", "10", 2))]
    paid = position_of(both).up.cost + position_of(both).down.cost
    merges = [Merged(pairs=shares("3.333333"), at=moment(90)), Merged(pairs=shares("6.666667"), at=moment(91))]
    after = position_of(both, merges=merges)
    assert (after.flat, after.up.cost, after.down.cost) == (True, 0, 0)
    assert after.realised == usd(10) - paid


def _as_down(order: Any) -> Any:
    return replace(order, terms=replace(order.terms, outcome=Outcome.DOWN))


# --- what is free


def test_what_both_outcomes_have_settled_is_free() -> None:
    bench = with_pairs()
    assert (held(bench).up, held(bench).down, held(bench).free) == (shares(10), shares("11.25"), shares(10))
    assert held(bench).quiet
    assert held(bench).of(Outcome.UP) == shares(10)
    assert held(bench).of(Outcome.DOWN) == shares("11.25")


def test_one_outcome_alone_is_no_pair() -> None:
    assert held(holding()).free == 0


def test_a_trade_on_its_way_is_neither_free_nor_quiet() -> None:
    bench = holding(stage=MATCHED)
    assert (held(bench).up, held(bench).quiet) == (0, False)


def test_an_order_whose_life_is_unknown_leaves_nothing_quiet() -> None:
    bench = with_pairs(AT_ONCE)
    assert not held(bench).quiet
    bench.accepted(60, 3)
    bench.accepted(60, 4)
    assert held(bench).quiet


def test_what_is_on_sale_is_not_free() -> None:
    bench = with_pairs(AT_ONCE)
    assert held(bench).free == 0


def test_what_a_cancelled_order_sold_by_the_venues_word_is_not_free() -> None:
    bench = with_pairs(AT_ONCE)
    for order in (3, 4):
        bench.accepted(60, order)
    bench.cancelled(61, 3, matched="4")
    bench.cancelled(61, 4, matched="0")
    assert held(bench).free <= shares(6)


def test_no_more_is_free_than_the_balance_showed() -> None:
    bench = Bench(BOTH)
    bench.start(0)
    bench.book(60)
    bench.fill(60, 1, "0.54", "10", CONFIRMED, trade="t1", shown=False)
    bench.fill(60, 2, "0.48", "11.25", CONFIRMED, trade="t2", shown=False)
    assert (held(bench).up, held(bench).free) == (shares(10), 0)


def test_a_balance_that_shows_only_what_is_left_alone_frees_nothing() -> None:
    bench = Bench(BOTH, replace(RULES, adopts=False))
    bench.start(0)
    for number, outcome in enumerate(Outcome, start=1):
        by_hand(bench, 50, Side.BUY, "0.50", "12", outcome=outcome, venue_order=VenueOrderId(f"0x{number}"))
    assert (held(bench).up, held(bench).alone(Outcome.UP), held(bench).free) == (0, shares(12), 0)
    bench.book(60)
    bench.fill(60, 3, "0.54", "10", CONFIRMED, trade="t1", shown=False)
    bench.fill(60, 4, "0.48", "11.25", CONFIRMED, trade="t2", shown=False)
    assert (held(bench).up, held(bench).alone(Outcome.DOWN), held(bench).free) == (shares(10), shares(12), 0)


def test_nothing_is_free_in_a_closed_market() -> None:
    bench = with_pairs()
    bench.hear(61, ev.MarketClosed, market=WINDOW.id)
    assert held(bench).free < 0


# --- while it is on its way


def test_a_merge_that_is_wanted_takes_its_pairs_from_what_may_be_sold() -> None:
    bench = with_pairs()
    assert report(bench, 61, ClaimStage.WANTED) == []
    assert (held(bench).free, held(bench).merging) == (0, (MergeId(1),))
    assert bench.desk.shown_position.up.settled == 0
    assert bench.desk.shown_position.down.settled == shares("1.25")
    (why,) = {one.why for one in _bare(bench, "settling")}
    assert why == "being merged"
    report(bench, 62, ClaimStage.FAILED)
    assert bench.desk.shown_position.up.settled == shares(10)
    assert {one.why for one in _bare(bench, "settling")} == {"settling"}


def _bare(bench: Bench, why: str) -> Any:
    view = bench.desk.view(moment(70), bench.known.surroundings(WINDOW, usd(0)))
    return uncovered(bench.desk, view, ExitPlan(uncovered=((Outcome.UP, shares(10), why),)))


def test_a_balance_below_what_is_reserved_leaves_nothing_to_sell() -> None:
    bench = with_pairs()
    bench.desk.wallet[Outcome.UP] = shares(3)
    report(bench, 61, ClaimStage.WANTED)
    assert bench.desk.shown_position.up.settled == 0


def test_a_sale_that_came_in_between_shows_as_less_than_nothing() -> None:
    bench = with_pairs(AT_ONCE)
    report(bench, 61, ClaimStage.WANTED)
    assert held(bench).free < 0


def test_a_paid_merge_is_cash_and_profit_once() -> None:
    bench = with_pairs()
    cash, cost = bench.known.cash, bench.desk.position.up.cost + bench.desk.position.down.cost
    for at, stage in ((61, ClaimStage.WANTED), (62, ClaimStage.SENT), (63, ClaimStage.PAID), (64, ClaimStage.PAID)):
        report(bench, at, stage)
    report(bench, 65, ClaimStage.SENT)
    assert bench.known.cash == cash + usd(10)
    left = bench.desk.position.up.cost + bench.desk.position.down.cost
    assert bench.known.account.realised_today == bench.desk.position.realised == usd(10) - (cost - left)
    assert [note.stage for note in bench.told(nt.MergeMoved)] == ["wanted", "sent", "paid"]
    assert (held(bench).up, held(bench).merging) == (0, ())


def test_shares_and_cash_that_differ_meanwhile_are_no_drift() -> None:
    bench = with_pairs()
    cash = bench.known.cash
    report(bench, 61, ClaimStage.SENT)
    for at in (62, 100):
        _read(bench, at, cash + usd(10), "0", "1.25")
    assert bench.told(nt.DriftFound) == bench.told(nt.AdjustmentBooked) == []
    report(bench, 101, ClaimStage.PAID)
    for at in (102, 140):
        _read(bench, at, cash + usd(10), "0", "1.25")
    assert bench.told(nt.DriftFound) == bench.told(nt.AdjustmentBooked) == []


def test_the_same_after_a_merge_that_failed_is_drift() -> None:
    bench = with_pairs()
    cash = bench.known.cash
    report(bench, 61, ClaimStage.SENT)
    report(bench, 61.5, ClaimStage.FAILED)
    for at in (62, 100):
        _read(bench, at, cash + usd(10), "0", "1.25")
    assert {note.subject for note in bench.told(nt.DriftFound)} == {"cash", "UP", "DOWN"}


def _read(bench: Bench, at: float, cash: int, up: str, down: str) -> None:
    settled = tuple(
        ev.HeldShares(WINDOW.id, outcome, shares(count)) for outcome, count in ((Outcome.UP, up), (Outcome.DOWN, down))
    )
    bench.hear(at, ev.SnapshotTaken, cash=cash, settled=settled, live=())


def test_a_market_is_settled_only_when_its_merge_has_ended() -> None:
    bench = with_pairs()
    report(bench, 61, ClaimStage.SENT)
    bench.hear(300, ev.MarketResolved, market=WINDOW.id, payout=UP_WON)
    assert bench.told(nt.MarketSettled) == []
    report(bench, 301, ClaimStage.PAID)
    (settled,) = bench.told(nt.MarketSettled)
    assert (settled.up_shares, settled.down_shares, settled.redeemable) == (0, shares("1.25"), 0)
    assert settled.pnl == bench.known.cash - usd(1_000)
    assert bench.known.account.realised_today == settled.pnl


# --- a restart


def test_merges_of_an_earlier_life_count_and_an_open_one_is_reserved() -> None:
    before = with_pairs()
    orders = [before.desk.orders[OrderId(number)] for number in (1, 2)]
    bench = Bench(BOTH)
    bench.hear(
        100,
        ev.LedgerLoaded,
        next_order=OrderId(3),
        cash=usd(1_000),
        markets=(WINDOW,),
        orders=tuple(RestoredOrder(order=one.id, terms=one.terms, decided_at=moment(60), ended=True) for one in orders),
        fills=tuple(
            RestoredFill(
                order=one.id,
                trade=fill.trade,
                price=fill.price,
                shares=fill.shares,
                liquidity=Liquidity.TAKER,
                stage=CONFIRMED,
                filled_at=moment(60),
            )
            for one in orders
            for fill in one.fills
        ),
        merges=(
            RestoredMerge(market=WINDOW.id, merge=MergeId(1), pairs=shares(4), at=moment(61), open=False),
            RestoredMerge(market=WINDOW.id, merge=MergeId(2), pairs=shares(5), at=Instant(moment(62)), open=True),
        ),
    )
    assert not bench.engine.awake
    assert (held(bench).up, held(bench).free, held(bench).merging) == (shares(6), shares(1), (MergeId(2),))
    report(bench, 101, ClaimStage.PAID, "4", merge=1)
    assert (bench.known.cash, held(bench).up) == (usd(1_000), shares(6))
    report(bench, 102, ClaimStage.PAID, "5", merge=2)
    assert (bench.known.cash, held(bench).up, held(bench).down) == (usd(1_005), shares(1), shares("2.25"))
