"""What can be redeemed is worth something and buys nothing: the whole trader, judged by what the exchange would pay."""

from pathlib import Path

import pytest

from polystra.app.report import read_report
from polystra.app.session import LEDGER
from polystra.app.settings import Settings
from polystra.cli.show_report import show_report
from polystra.core import notes as nt
from polystra.core.account import Equity
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Usd, price
from polystra.edge.store.queries import LedgerReader
from polystra.sim import messages as sim
from tests.edge.execution_cases import MARKET, Scheduled, Told, noted
from tests.edge.wire_stage import Floor, WireStage, exchange_truth
from tests.truth import steady, tape_file, window, wish

__all__ = ["exchange_truth"]

NEXT = window(1)
FILES = [
    tape_file(MARKET, steady(MARKET, "0.50x5000", "0.52x5000")),
    tape_file(NEXT, steady(NEXT, "0.58x5000", "0.60x5000")),
]
TOLD = (
    Told(10, 20, 0, wish(Outcome.UP, "0.52", conviction="0.885714")),
    Told(120, 150, 0, wish(Outcome.UP, "0.60", conviction="1")),
    Told(180, 290, 0, wish(Outcome.UP, "0.60")),
)
"""Nine tenths of the cash in the first window, which wins; then more than is left, then an eighth of that."""

SETTINGS = Settings.model_validate(
    {
        "stakes": {"bet_percent": 25, "max_stake_usd": 950},
        "limits": {
            "min_edge_usd": "-0.99",
            "max_spread": "0.99",
            "max_order_usd": 5_000,
            "max_market_usd": 5_000,
            "max_total_usd": 5_000,
        },
    }
)


class Compared:
    """Each line about the equity, beside the exchange's own cash and shares at that moment."""

    def __init__(self) -> None:
        self.lines: list[tuple[nt.EquityWatched, Usd, int, int]] = []

    def __call__(self, floor: Floor, event: AnyEvent, step: Step) -> None:
        for note in step.notes:
            if isinstance(note, nt.EquityWatched):
                own = floor.truth().account(sim.Account(floor.standing.accounts[0].wallet))
                won, held = own.of(MARKET.token(Outcome.UP)), own.of(NEXT.token(Outcome.UP))
                self.lines.append((note, own.cash, won, held))


@pytest.mark.spec("S24.A2")
def test_what_can_be_redeemed_counts_in_the_equity_and_not_as_cash(exchange_truth: WireStage) -> None:
    exchange_truth.settings = SETTINGS
    compared = Compared()
    run = exchange_truth.play_on_wire(FILES, Scheduled(TOLD, ExitPolicy()), meddle=compared)
    run.agree()
    first, second = (shares_of for (shares_of,) in run.sql("select shares_micro from fills order by at"))
    assert run.held(MARKET, Outcome.UP) == first
    assert run.held(NEXT, Outcome.UP) == second

    # denied for want of cash, which claims would be: an entry of 950 USD and its fee
    denied = {(note.limit, note.market) for _, note in noted(run, nt.EntryDenied)}
    assert ("free cash", NEXT.id) in denied
    ((_, short),) = noted(run, nt.CashShort)
    assert short.redeemable == first, "a dollar a share"
    assert short.free < Usd(80 * MICRO)

    # the stake is a part of the cash alone
    assert second * price("0.60") // MICRO <= short.free // 8

    # each line adds up to what the exchange has
    both = [line for line in compared.lines if line[0].redeemable]
    assert both
    for note, cash, won, held in compared.lines:
        assert (note.cash, note.free) == (cash, cash)
        assert note.at_cost == 0
        if note.redeemable:
            assert note.redeemable == won
            assert note.at_bid == held * price("0.58") // MICRO
        else:
            assert note.at_bid == won * price("0.50") // MICRO

    # the ledger's equity is what the exchange has once it paid
    with LedgerReader(run.folder / LEDGER) as ledger:
        worth = ledger.equity()
    assert worth == Equity(cash=run.cash, redeemable=Usd(first + second))
    account = run.trader
    for market in (MARKET, NEXT):
        run.floor.standing.venue.feed(sim.Redeem(account=account, market=market.id))
    assert run.cash == worth.total


def test_a_position_whose_market_never_settled_counts_at_its_last_bid(
    exchange_truth: WireStage, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange_truth.settings = SETTINGS
    tape = tape_file(MARKET, steady(MARKET, "0.50x5000", "0.52x5000"), payout_up=None)
    run = exchange_truth.play_on_wire([tape], Scheduled(TOLD[:1], ExitPolicy()))
    found = read_report(run.folder)
    held = run.held(MARKET, Outcome.UP)
    assert found.equity.at_bid == held * price("0.50") // MICRO
    assert found.equity.priced_at is not None
    assert found.equity.total == run.cash + found.equity.at_bid
    assert not run.sql("select 1 from settlements")
    show_report(found)
    assert "at the last bids" in capsys.readouterr().out


def test_without_any_bid_it_counts_at_cost_and_is_called_so(
    exchange_truth: WireStage, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange_truth.settings = SETTINGS
    tape = tape_file(MARKET, steady(MARKET, "0.50x5000", "0.52x5000"), payout_up=None)
    run = exchange_truth.play_on_wire([tape], Scheduled(TOLD[:1], ExitPolicy()))
    forget_bids(run.folder / LEDGER)
    found = read_report(run.folder)
    (paid,) = run.sql("select -sum(cash_micro) from fills")[0]
    assert (found.equity.at_bid, found.equity.at_cost, found.equity.priced_at) == (0, paid, None)
    assert found.equity.total == Usd(1_000 * MICRO), "what was paid for it, with its fee"
    show_report(found)
    assert "at cost, no bid known" in capsys.readouterr().out


def forget_bids(ledger: Path) -> None:
    """As if the trader had died before its first full minute."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(ledger)) as connection, connection:
        assert connection.execute("delete from notes where kind = 'PositionWatched'").rowcount
