"""Questions to a ledger: the answers of a small day, to the micro-unit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from polystra.core.ids import OrderId, TradeId
from polystra.core.markets import Payout
from polystra.core.notes import AdjustmentBooked, EntryDenied, MarketSettled, TradeStageMoved
from polystra.core.terms import Outcome, Side, TradeStage
from polystra.core.units import Instant, Usd, seconds, shares, usd
from polystra.edge.store.answers import ActionCount
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
from polystra.edge.store.errors import FolderMissing, SchemaBehind
from polystra.edge.store.queries import LedgerReader
from tests.edge.store_cases import BTC, HEAD, NOON, booked, born, decided, followed, intent, moved, open_ledger, window

NEXT = window(2, start=Instant(NOON + seconds(900)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def reader(path: Path) -> Iterator[LedgerReader]:
    """Two windows: one bought, partly sold and won; one only looked at. One trade failed."""
    with open_ledger(path) as ledger:
        ledger.deposit(NOON, usd(100), "paper")
        ledger.record(1, NOON, [], [followed(), decided("wait", "too early")])
        ledger.record(2, Instant(NOON + 1), [intent(1)], [decided("enter", "edge 6 %"), born(1)])
        ledger.record(3, Instant(NOON + 2), [], [
            moved(1, "SUBMITTING", "FILLED"), booked(1, "t1", "10", "0.50", fee="0.10", stage=TradeStage.MATCHED),
            booked(1, "t2", "3", "0.50", stage=TradeStage.MATCHED), decided("wait", "holding"),
        ])  # fmt: skip
        failed = TradeStageMoved(order=OrderId(1), trade=TradeId("t2"), stage=TradeStage.FAILED)
        ledger.record(4, Instant(NOON + 3), [intent(2, side=Side.SELL)], [failed, born(2)])
        ledger.record(5, Instant(NOON + 4), [], [
            booked(2, "t3", "4", "0.60", side=Side.SELL, fee="0.02"),
            AdjustmentBooked(market=BTC.id, outcome=Outcome.UP, cause="drift", before=shares(6), after=shares("5.9")),
            MarketSettled(market=BTC.id, payout=Payout(usd(1)), up_shares=shares("5.9"), down_shares=shares(0),
                          redeemable=usd("5.9"), pnl=usd("3.18")),
        ])  # fmt: skip
        ledger.begin_run(Instant(NOON + 5), HEAD, "second.journal")
        denied = EntryDenied(market=NEXT.id, outcome=Outcome.DOWN, limit="daily loss", value="12", allowed="10")
        ledger.record(1, Instant(NOON + 6), [], [followed(NEXT), decided("wait", "too early", NEXT), denied])
    with LedgerReader(path) as reader:
        yield reader


def test_a_window_tells_why_it_was_entered_and_what_it_brought(reader: LedgerReader) -> None:
    won, seen = reader.windows()
    assert (won.slug, won.asset, won.assumptions) == (BTC.slug, "BTC", ("settlement source",))
    assert (won.decisions, won.denials, won.orders, won.fills) == (3, 0, 2, 2)
    assert won.decision is not None
    assert (won.decision.action, won.decision.reason) == ("enter", "edge 6 %")
    assert won.decision.signals == {"flow": 0.25, "spot": None}
    assert (won.fees, won.cash, won.redeemable) == (usd("0.12"), -usd("2.72"), usd("5.9"))
    assert won.pnl == usd("3.18")
    assert (seen.orders, seen.fills, seen.denials, seen.cash, seen.pnl) == (0, 0, 1, 0, None)
    assert seen.decision is not None
    assert seen.decision.reason == "too early"


def test_windows_of_one_run(reader: LedgerReader) -> None:
    assert [window.market for window in reader.windows(run=2)] == [NEXT.id]


def test_orders_are_told_with_their_lives_and_what_really_traded(reader: LedgerReader) -> None:
    bought, sold = reader.orders()
    assert (bought.order, bought.state, bought.filled) == (1, "FILLED", shares(10))
    assert [(step.before, step.after) for step in bought.steps] == [("", "SUBMITTING"), ("SUBMITTING", "FILLED")]
    assert (sold.side, sold.state, sold.filled) == (Side.SELL, "SUBMITTING", shares(4))
    assert reader.orders(market=NEXT.id) == []


def test_fills_are_told_with_their_latest_stage(reader: LedgerReader) -> None:
    assert [(fill.trade, fill.stage) for fill in reader.fills()] == [
        ("t1", TradeStage.MATCHED),
        ("t2", TradeStage.FAILED),
        ("t3", TradeStage.CONFIRMED),
    ]
    assert reader.fills(market=NEXT.id) == []


def test_positions_add_up_fills_and_adjustments(reader: LedgerReader) -> None:
    (up,) = reader.positions()
    assert (up.bought, up.sold, up.adjusted, up.shares) == (shares(10), shares(4), -shares("0.1"), shares("5.9"))
    assert (up.paid, up.received, up.fee) == (usd("5.10"), usd("2.38"), usd("0.12"))


def test_totals_sum_to_the_micro_unit(path: Path, reader: LedgerReader) -> None:
    totals = reader.totals()
    assert totals.cash == totals.deposited + totals.traded + totals.redeemed == usd("97.28")
    assert (totals.redeemable, totals.realised, totals.fees) == (usd("5.9"), usd("3.18"), usd("0.12"))
    assert (totals.orders, totals.fills, totals.windows, totals.settled) == (2, 2, 2, 1)
    with open_ledger(path) as ledger:
        ledger.redeem(Instant(NOON + 9), BTC.id, usd("5.9"))
    after = reader.totals()
    assert (after.cash, after.redeemable, after.realised) == (usd("103.18"), Usd(0), usd("3.18"))


def test_decisions_are_counted_by_reason(reader: LedgerReader) -> None:
    assert reader.decision_counts() == [
        ActionCount("momentum", "wait", "too early", 2),
        ActionCount("momentum", "enter", "edge 6 %", 1),
        ActionCount("momentum", "wait", "holding", 1),
    ]
    assert [decision.reason for decision in reader.decisions(BTC.id)] == ["too early", "edge 6 %", "holding"]
    (denial,) = reader.denials(market=NEXT.id)
    assert (denial.limit, denial.value, denial.allowed) == ("daily loss", "12", "10")
    assert reader.denials() == [denial]


def test_runs_are_told_in_order(reader: LedgerReader) -> None:
    assert [(run.id, run.journal, run.mode, run.ended_at) for run in reader.runs()] == [
        (1, "run.journal", "paper", None),
        (2, "second.journal", "paper", None),
    ]


def test_an_empty_ledger_has_answers_too(path: Path) -> None:
    open_ledger(path).close()
    with LedgerReader(path) as reader:
        assert not any((reader.windows(), reader.orders(), reader.fills(), reader.positions()))
        assert reader.totals().cash == reader.totals().realised == 0


def test_a_reader_refuses_a_ledger_of_another_schema_and_a_missing_one(path: Path) -> None:
    open_database(path, durable=Durability.NORMAL).close()
    with pytest.raises(SchemaBehind, match="schema 0, this version needs 4: migrate it first"):
        LedgerReader(path)
    with pytest.raises(FolderMissing):
        LedgerReader(path.with_name("other.db"))
