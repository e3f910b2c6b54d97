"""Recording: a step is kept wholly or not at all, and a stored fill is never written over."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import replace

from polystra.core.commands import CancelAll
from polystra.core.events import TradingState
from polystra.core.ids import OrderId, TradeId, VenueOrderId
from polystra.core.markets import Payout
from polystra.core.notes import (
    AnyNote,
    MarketHalted,
    MarketSettled,
    MemoryKept,
    SlotSuspended,
    StateChanged,
    TradeStageMoved,
)
from polystra.core.terms import Outcome, Purpose, Side, Slot, TradeStage
from polystra.core.units import Instant, Usd, shares, usd
from polystra.edge.ready import Ready
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
from polystra.edge.store.errors import LedgerContradiction, LedgerUnavailable
from polystra.edge.store.ledger import FOLD_EVERY, Ledger
from polystra.edge.store.migrations import migrate
from polystra.edge.store.rows import ROWS
from tests.edge.store_cases import BTC, DAWN, HEAD, NOON, booked, born, decided, followed, intent, moved, open_ledger

LATER = Instant(NOON + 1)
ROOT = Path(__file__).parents[2]

SAVE = """
import sys
from pathlib import Path
from tests.edge.store_cases import *
with open_ledger(Path(sys.argv[1])) as ledger:
    ledger.record(1, NOON, [intent(1)], [followed(), born(1)])
    if sys.argv[2] == "killed":
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
"""

FILL_THE_DISK = """
import resource, sys
from pathlib import Path
from polystra.edge.store.errors import LedgerUnavailable
from tests.edge.store_cases import *
ledger = open_ledger(Path(sys.argv[1]))
ledger.record(1, NOON, [intent(1)], [followed(), born(1)])
wal = Path(sys.argv[1] + "-wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (wal + 5000, wal + 5000))
try:
    ledger.record(2, NOON, [intent(n) for n in range(2, 500)], [])
except LedgerUnavailable as error:
    print(error)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with open_ledger(path, busy_milliseconds=20) as ledger:
        ledger.record(1, NOON, [], [followed()])
        yield ledger


def rows(path: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as look:
        return look.execute(question).fetchall()


def count(path: Path, table: str) -> object:
    return rows(path, f"SELECT COUNT(*) FROM {table}")[0][0]


def in_another_process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.spec("L1.A1", pure="a row and a process that reads it; no order is sent")
@pytest.mark.parametrize("end", ["closed", "killed"])
def test_an_intent_saved_by_one_process_is_there_for_another(path: Path, end: str) -> None:
    in_another_process(SAVE, str(path), end)
    with open_ledger(path) as ledger:
        assert ledger.venue_orders() == {VenueOrderId("0xhash1"): OrderId(1)}
        (order,) = ledger.load(LATER).orders
    assert (order.order, order.terms, order.ended) == (1, intent(1).command.terms, False)  # type: ignore[union-attr]


@pytest.mark.spec("L1.A2", pure="a unit of work that fails before anything is sent")
def test_an_error_in_the_unit_leaves_nothing(path: Path, ledger: Ledger) -> None:
    def unit_that_fails() -> None:
        with ledger.unit():
            ledger.record(2, NOON, [intent(1)], [born(1)])
            ledger.deposit(NOON, usd(5), "gift")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        unit_that_fails()
    assert (count(path, "orders"), count(path, "order_steps"), count(path, "deposits")) == (0, 0, 0)
    ledger.record(3, NOON, [intent(1)], [born(1)])
    assert count(path, "orders") == 1


def test_a_unit_inside_a_unit_can_fail_alone(path: Path, ledger: Ledger) -> None:
    with ledger.unit():
        ledger.deposit(NOON, usd(5), "gift")
        with pytest.raises(LedgerContradiction):
            ledger.record(2, NOON, [intent(1), intent(1)], [born(1)])
    assert (count(path, "deposits"), count(path, "orders"), count(path, "order_steps")) == (1, 0, 0)


def test_a_step_with_nothing_to_keep_opens_no_transaction(path: Path, ledger: Ledger) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger.record(2, NOON, [Ready(command=CancelAll())], [])
        with pytest.raises(LedgerUnavailable):
            ledger.record(3, NOON, [intent(1)], [])


def test_a_market_followed_and_an_order_placed_in_one_step_are_kept(path: Path) -> None:
    with open_ledger(path) as ledger:
        ledger.record(1, NOON, [intent(1)], [born(1), followed()])
    assert count(path, "orders") == 1


def test_an_order_of_a_market_nobody_followed_is_refused(path: Path) -> None:
    with open_ledger(path) as ledger, pytest.raises(LedgerContradiction, match="FOREIGN KEY"):
        ledger.record(1, NOON, [intent(1)], [born(1)])
    assert count(path, "order_steps") == 0


def test_an_order_number_is_never_used_twice(path: Path, ledger: Ledger) -> None:
    ledger.record(2, NOON, [intent(1)], [])
    other = replace(intent(1), venue_order=VenueOrderId("0xother"))
    with pytest.raises(LedgerContradiction, match=r"orders\.id"):
        ledger.record(3, NOON, [other], [born(1)])
    with pytest.raises(LedgerContradiction, match=r"orders\.venue_order"):
        ledger.record(4, NOON, [replace(intent(2), venue_order=VenueOrderId("0xhash1"))], [])
    assert rows(path, "SELECT id, venue_order FROM orders") == [(1, "0xhash1")]
    assert count(path, "order_steps") == 0


def test_the_same_fill_heard_twice_is_kept_once(path: Path, ledger: Ledger) -> None:
    ledger.record(2, NOON, [intent(1)], [])
    fill = booked(1, "t1", "5.62", "0.53", fee="0.01")
    ledger.record(3, NOON, [], [fill])
    ledger.record(4, LATER, [], [replace(fill, late=True)])
    assert rows(path, "SELECT trade, order_id, at, cash_micro, late FROM fills") == [("t1", 1, NOON, -2_988_600, 0)]
    assert rows(path, "SELECT stage FROM fill_stages") == [("CONFIRMED",)]


def test_one_trade_that_fills_two_orders_is_two_fills(path: Path, ledger: Ledger) -> None:
    ledger.record(2, NOON, [intent(1), intent(2)], [])
    ledger.record(3, NOON, [], [booked(1, "t1", "1", "0.53"), booked(2, "t1", "2", "0.53")])
    assert count(path, "fills") == 2


def test_a_fill_that_comes_back_with_other_numbers_is_refused(path: Path, ledger: Ledger) -> None:
    ledger.record(2, NOON, [intent(1)], [])
    ledger.record(3, NOON, [], [booked(1, "t1", "5.62", "0.53")])
    with pytest.raises(LedgerContradiction, match="o1: trade t1: shares_micro 5620000 is now 5000000"):
        ledger.record(4, NOON, [], [moved(1, "WORKING", "FILLED"), booked(1, "t1", "5", "0.53")])
    assert rows(path, "SELECT shares_micro FROM fills") == [(5_620_000,)]
    assert count(path, "order_steps") == 0


def test_a_trade_that_fails_leaves_positions_and_cash(path: Path, ledger: Ledger) -> None:
    ledger.deposit(NOON, usd(100), "paper")
    ledger.record(2, NOON, [intent(1)], [])
    ledger.record(3, NOON, [], [booked(1, "t1", "5", "0.50", stage=TradeStage.MATCHED)])
    assert rows(path, "SELECT shares_micro, paid_micro FROM positions") == [(5_000_000, 2_500_000)]
    assert rows(path, "SELECT cash_micro FROM cash") == [(97_500_000,)]
    failed = TradeStageMoved(order=OrderId(1), trade=TradeId("t1"), stage=TradeStage.FAILED)
    ledger.record(4, NOON, [], [failed])
    assert rows(path, "SELECT * FROM positions") == []
    assert rows(path, "SELECT cash_micro FROM cash") == [(100_000_000,)]
    assert count(path, "fills") == 1


def test_a_trade_retried_after_it_was_mined_stands_at_its_last_stage(path: Path, ledger: Ledger) -> None:
    ledger.record(2, NOON, [intent(1)], [])
    ledger.record(3, NOON, [], [booked(1, "t1", "5", "0.50", stage=TradeStage.MINED)])
    for seq, stage in enumerate((TradeStage.RETRYING, TradeStage.MINED), start=4):
        ledger.record(seq, NOON, [], [TradeStageMoved(order=OrderId(1), trade=TradeId("t1"), stage=stage)])
    assert rows(path, "SELECT stage FROM live_fills") == [("MINED",)]


def test_a_settlement_told_twice_counts_once_and_the_other_one_stays_readable(path: Path, ledger: Ledger) -> None:
    settled = MarketSettled(market=BTC.id, payout=Payout(usd(1)), up_shares=shares(5), down_shares=shares(0),
                            redeemable=usd(5), pnl=usd(2))  # fmt: skip
    ledger.record(2, NOON, [], [settled])
    ledger.record(3, NOON, [], [settled])
    assert count(path, "notes") == 0
    ledger.record(4, NOON, [], [replace(settled, up_shares=shares(0), redeemable=usd(0), pnl=usd(-3))])
    assert rows(path, "SELECT seq, redeemable_micro, pnl_micro FROM settlements") == [(2, 5_000_000, 2_000_000)]
    assert rows(path, "SELECT kind, seq FROM notes") == [("MarketSettled", 4)]


def test_what_was_redeemed_is_cash_once(path: Path, ledger: Ledger) -> None:
    settled = MarketSettled(market=BTC.id, payout=Payout(usd(1)), up_shares=shares(5), down_shares=shares(0),
                            redeemable=usd(5), pnl=usd(2))  # fmt: skip
    with pytest.raises(LedgerContradiction):
        ledger.redeem(NOON, BTC.id, usd(5))
    ledger.record(2, NOON, [], [settled])
    assert ledger.load(LATER).cash == 0
    ledger.redeem(LATER, BTC.id, usd(5))
    with pytest.raises(LedgerContradiction):
        ledger.redeem(LATER, BTC.id, usd(5))
    assert ledger.load(LATER).cash == usd(5)


def test_every_kind_of_note_is_kept() -> None:
    assert set(ROWS) == set(get_args(AnyNote))


def test_notes_without_a_table_of_their_own_keep_their_words(path: Path, ledger: Ledger) -> None:
    slot = Slot(BTC.id, Outcome.UP, Side.SELL, Purpose.TARGET)
    ledger.record(2, NOON, [], [SlotSuspended(slot=slot, cause="off tick", until=None),
                                MarketHalted(market=BTC.id, why="drift")])  # fmt: skip
    kept = rows(path, "SELECT kind, market, json_extract(body, '$.cause') FROM notes")
    assert kept == [("SlotSuspended", BTC.id, "off tick"), ("MarketHalted", BTC.id, None)]


def test_decisions_keep_their_numbers_and_unknown_signals(path: Path, ledger: Ledger) -> None:
    ledger.record(2, NOON, [], [decided("wait", "edge too small")])
    (row,) = rows(path, "SELECT probability_micro, price_micro, fee_micro, edge_micro, signals FROM decisions")
    assert row == (610_000, 530_000, None, 60_000, '{"flow":0.25,"spot":null}')


def test_a_change_of_state_is_kept_with_who_and_why(path: Path, ledger: Ledger) -> None:
    ledger.record(
        2, NOON, [], [StateChanged(before=TradingState.ARMED, after=TradingState.STOPPED, who="cli", why="x")]
    )
    assert rows(path, "SELECT before, after, who, why FROM states") == [("armed", "stopped", "cli", "x")]


def test_the_newest_memory_of_a_strategy_replaces_the_one_before(ledger: Ledger) -> None:
    for seq, value in ((2, b"\x00one"), (3, b"two")):
        ledger.record(seq, NOON, [], [MemoryKept(market=BTC.id, strategy="momentum", value=value)])
    (memory,) = ledger.load(LATER).memories
    assert memory.value == b"two"


def test_nothing_is_recorded_outside_a_run(path: Path) -> None:
    with open_database(path, durable=Durability.NORMAL) as db:
        migrate(db, DAWN)
        with pytest.raises(LedgerContradiction, match="begin_run"):
            Ledger(db).record(1, NOON, [], [followed()])


def test_a_run_that_ended_names_its_journal_and_a_killed_one_has_no_end(path: Path, ledger: Ledger) -> None:
    ledger.end_run(LATER, "ff" * 32)
    assert ledger.begin_run(LATER, HEAD, "second.journal") == 2
    kept = rows(path, "SELECT id, journal, seed, settings_digest, ended_at, journal_sha256 FROM runs")
    assert kept == [(1, "run.journal", 7, "ab" * 32, LATER, "ff" * 32), (2, "second.journal", 7, "ab" * 32, None, None)]


def test_no_order_waits_until_the_log_is_folded_into_the_file(path: Path, ledger: Ledger) -> None:
    """A checkpoint takes milliseconds: the first step without an order pays it, and everything is there before too."""
    before = path.read_bytes()
    placed = 2 * FOLD_EVERY
    for number in range(1, placed + 1):
        ledger.record(number, NOON, [intent(number)], [born(number)])
    assert path.read_bytes() == before
    assert count(path, "orders") == placed
    ledger.record(placed + 1, NOON, [], [moved(1, "SUBMITTING", "WORKING")])
    assert path.read_bytes() != before
    folded = path.read_bytes()
    ledger.record(placed + 2, NOON, [], [moved(2, "SUBMITTING", "WORKING")])
    assert path.read_bytes() == folded, "not at every step"


def test_a_log_that_cannot_be_folded_keeps_everything(path: Path, ledger: Ledger) -> None:
    """Inside a unit there is no folding, and a reader holds it up: neither is an error of the step."""
    with closing(sqlite3.connect(path, isolation_level=None)) as reader, ledger.unit():
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM orders").fetchone()
        for number in range(1, FOLD_EVERY + 2):
            ledger.record(number, NOON, [], [decided("wait", "edge too small")])
    assert count(path, "decisions") == FOLD_EVERY + 1


# --- a write that fails --------------------------------------------------------------------------------------------


def test_a_busy_database_refuses_the_step_and_takes_the_next(path: Path, ledger: Ledger) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match=r"nothing of this step was recorded .*locked"):
            ledger.record(2, NOON, [intent(1)], [born(1)])
    ledger.record(3, NOON, [intent(1)], [born(1)])
    assert (count(path, "orders"), count(path, "order_steps")) == (1, 1)


def test_a_full_disk_leaves_no_half_of_a_step(path: Path, ledger: Ledger) -> None:
    driver = ledger._db.driver
    (pages,) = driver.execute("PRAGMA page_count").fetchone()
    driver.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(LedgerUnavailable, match=r"full.*free space"):
        ledger.record(2, NOON, [intent(n) for n in range(1, 500)], [born(n) for n in range(1, 500)])
    assert (count(path, "orders"), count(path, "order_steps")) == (0, 0)
    driver.execute(f"PRAGMA max_page_count = {pages + 1000}")
    ledger.record(3, NOON, [intent(1)], [born(1)])
    assert count(path, "orders") == 1


def test_a_ledger_turned_readonly_refuses_the_step(path: Path, ledger: Ledger) -> None:
    ledger._db.driver.execute("PRAGMA query_only = ON")
    with pytest.raises(LedgerUnavailable, match="read-only"):
        ledger.record(2, NOON, [intent(1)], [])
    ledger._db.driver.execute("PRAGMA query_only = OFF")
    ledger.record(3, NOON, [intent(1)], [])
    assert count(path, "orders") == 1


def test_a_write_that_the_system_cuts_short_leaves_no_half_of_a_step(path: Path) -> None:
    process = in_another_process(FILL_THE_DISK, str(path))
    assert "nothing of this step was recorded" in process.stdout, process.stderr
    assert count(path, "orders") == 1


def test_negative_deposits_are_withdrawals(ledger: Ledger) -> None:
    ledger.deposit(NOON, usd(100), "first")
    ledger.deposit(NOON, Usd(-usd(30)), "withdrawn")
    assert ledger.load(LATER).cash == usd(70)
