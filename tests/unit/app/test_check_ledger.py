"""Ledger and exchange are equal after a real run, and every kind of difference is seen when it is planted."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from polystra.app.check import Difference, ExchangeLogDamaged, differences, last_truth
from polystra.app.exchange_log import ExchangeLog
from polystra.app.session import LEDGER
from polystra.app.world import TRADER
from polystra.core.ids import VenueOrderId
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome, TradeStage
from polystra.core.units import Instant, Usd, price, seconds
from polystra.edge.store.queries import LedgerReader
from polystra.sim.records import OpenOrder, Truth
from tests.truth import Outcomes, Stage, book, scripted, steady, tape_file, window, wish

MARKET = window()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """An entry that fills twice, and a target that is reached."""
    rows = [*steady(MARKET, "0.50x500", "0.52x40 0.53x500", end=120)]
    rows += [book(MARKET, second, "0.99x5000", "") for second in range(120, 290)]
    target = ExitPolicy(target=price("0.98"), min_age=seconds(60))
    stage = Stage(tmp_path_factory.mktemp("played"))
    return stage.play([tape_file(MARKET, rows)], scripted({10: wish(Outcome.UP, "0.53")}, target))


@pytest.fixture
def ledger(played: Outcomes, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copy(played.folder / LEDGER, tmp_path / LEDGER))


def spoil(ledger: Path, *statements: str) -> None:
    connection = sqlite3.connect(ledger)
    with connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0
    connection.close()


def found(ledger: Path, truth: Truth) -> tuple[Difference, ...]:
    with LedgerReader(ledger) as reader:
        return differences(reader, truth)


def subjects(ledger: Path, truth: Truth) -> Iterator[str]:
    return (one.subject.split()[0] for one in found(ledger, truth))


def test_an_honest_ledger_differs_in_nothing(played: Outcomes, ledger: Path) -> None:
    assert len(played.truth.trades) >= 3
    assert found(ledger, played.truth) == ()


def test_a_millionth_of_cash_is_seen(played: Outcomes, ledger: Path) -> None:
    spoil(ledger, "update deposits set amount_micro = amount_micro + 1")
    (one,) = found(ledger, played.truth)
    assert one.subject == "cash"
    assert Usd(int(one.ledger.removesuffix(" USD").replace(".", ""))) == played.cash + 1


@pytest.mark.parametrize("column", ["price_micro", "shares_micro", "fee_micro", "fee_shares_micro", "cash_micro"])
def test_a_fill_with_another_number_is_seen(played: Outcomes, ledger: Path, column: str) -> None:
    first = "where rowid = (select min(rowid) from fills)"
    spoil(ledger, f"update fills set {column} = {column} + 1 {first}")
    assert "trade" in subjects(ledger, played.truth)


@pytest.mark.parametrize(
    "change", ["side = 'SELL'", "outcome = 'DOWN'", "liquidity = 'maker'", "order_id = 2, trade = trade || 'x'"]
)
def test_a_fill_told_otherwise_is_seen(played: Outcomes, ledger: Path, change: str) -> None:
    spoil(ledger, f"update fills set {change} where rowid = (select min(rowid) from fills)")
    assert "trade" in subjects(ledger, played.truth)


def test_a_missed_fill_costs_cash_fee_shares_and_a_trade(played: Outcomes, ledger: Path) -> None:
    spoil(
        ledger,
        "delete from fill_stages where trade = (select min(trade) from fills where side = 'BUY')",
        "delete from fills where trade = (select min(trade) from fills where side = 'BUY')",
    )
    assert sorted(subjects(ledger, played.truth)) == ["cash", "fees", "shares", "trade"]


def test_a_fill_booked_under_two_orders_is_seen(played: Outcomes, ledger: Path) -> None:
    copied = "run, seq, at, market, outcome, side, price_micro, shares_micro, liquidity, fee_micro, fee_shares_micro"
    spoil(
        ledger,
        f"insert into fills (trade, order_id, {copied}, cash_micro, late) select trade, 2, {copied}, cash_micro, late "
        "from fills where side = 'BUY' limit 1",
        "insert into fill_stages (run, seq, at, trade, order_id, stage) "
        "select run, seq, at, trade, order_id, 'MATCHED' from fills where order_id = 2 and side = 'BUY'",
    )
    twice = [one for one in found(ledger, played.truth) if "booked 2 times" in one.ledger]
    assert [(one.subject.split()[-1], one.exchange) for one in twice] == [("o2", "nothing")]


def test_a_trade_that_failed_on_chain_and_still_counts_here_is_seen(played: Outcomes, ledger: Path) -> None:
    first, *others = played.truth.trades
    failed = replace(played.truth, trades=(replace(first, stage=TradeStage.FAILED), *others))
    seen = {one.subject.split()[0]: one for one in found(ledger, failed)}
    assert set(seen) == {"fees", "trade"}
    assert seen["trade"].exchange == seen["trade"].ledger + ", failed"


def test_shares_moved_by_hand_are_seen(played: Outcomes, ledger: Path) -> None:
    spoil(
        ledger,
        "insert into adjustments (run, seq, at, market, outcome, cause, before_micro, after_micro) "
        f"values (1, 1, 1, '{MARKET.id}', 'DOWN', 'a slip', 0, 1)",
    )
    assert found(ledger, played.truth) == (Difference(f"shares of {MARKET.slug} DOWN", "0.000001", "0"),)


def test_an_order_that_is_open_here_alone_is_seen(played: Outcomes, ledger: Path) -> None:
    spoil(ledger, "delete from order_steps where order_id = 2 and after = 'FILLED'")
    (one,) = found(ledger, played.truth)
    assert (one.subject, one.exchange) == ("open order o2", "nothing")


def test_an_order_that_is_open_there_alone_is_seen(played: Outcomes, ledger: Path) -> None:
    leg = played.truth.trades[0].taker
    stray = OpenOrder(
        id=VenueOrderId("0xstray"),
        account=TRADER,
        market=MARKET.id,
        token=leg.token,
        outcome=leg.outcome,
        side=leg.side,
        price=leg.price,
        size=leg.shares,
        matched=leg.shares,
        remaining=leg.shares,
        time_in_force="GTC",  # type: ignore[arg-type]
        expiration=0,
        created_at=Instant(0),
    )
    (one,) = found(ledger, replace(played.truth, orders=(*played.truth.orders, stray)))
    assert (one.subject, one.ledger) == ("open order 0xstray", "nothing")


def test_a_trade_the_ledger_never_heard_of_is_seen(played: Outcomes, ledger: Path) -> None:
    first = played.truth.trades[0]
    more = replace(played.truth, trades=(*played.truth.trades, replace(first, id="unheard")))
    assert any(one.subject.startswith("trade unheard") and one.ledger == "nothing" for one in found(ledger, more))


def test_the_truth_comes_back_from_the_exchanges_log(played: Outcomes, tmp_path: Path) -> None:
    path = tmp_path / "exchange.jsonl"
    with ExchangeLog(path) as log:
        log.ended(played.truth, Instant(1))
    assert last_truth(path) == played.truth


def test_a_log_without_an_end_has_no_truth(tmp_path: Path) -> None:
    path = tmp_path / "exchange.jsonl"
    assert last_truth(path) is None
    path.write_bytes(b"")
    assert last_truth(path) is None
    path.write_bytes(b'{"at":1,"asked":{"type":"CancelAll","account":"me"}}\n')
    assert last_truth(path) is None


def test_a_log_that_was_cut_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "exchange.jsonl"
    path.write_bytes(b'{"at":1,"truth":{"acc')
    with pytest.raises(ExchangeLogDamaged, match=r"exchange\.jsonl: .*: restore it, or delete it"):
        last_truth(path)
