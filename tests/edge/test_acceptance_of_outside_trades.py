"""Acceptance conditions of trades that no order of ours made: sold or bought by hand while the trader runs."""

import pytest

from polystra.core import notes as nt
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import price, seconds, shares
from tests.edge.execution_cases import AT_ONCE, MARKET, Scheduled, Told, at_seconds, noted
from tests.edge.outside_cases import cancel_by_hand, trade_by_hand
from tests.edge.wire_stage import Floor, WireStage, exchange_truth
from tests.truth import after, steady, tape_file, wish

__all__ = ["exchange_truth"]

ONE = (Told(10, 300, 0, wish(Outcome.UP, "0.52")),)
RISE = [
    *steady(MARKET, "0.50x500", "0.52x20", end=50),
    *steady(MARKET, "0.80x500", "0.82x20", begin=50),
]


@pytest.mark.spec("C2.A1")
def test_a_holding_sold_by_hand_is_closed_with_what_the_sale_brought(exchange_truth: WireStage) -> None:
    """All 20, bought at 0.52, are sold at 0.80 by another client of the account, who first takes our exit out of the
    way: the exchange holds its shares back."""

    def sell(floor: Floor) -> None:
        cancel_by_hand(floor)
        trade_by_hand(floor, Side.SELL, "20", "0.80")

    run = exchange_truth.play_on_wire(
        [tape_file(MARKET, RISE, payout_up="0")], Scheduled(ONE, AT_ONCE), look=at_seconds((60, sell))
    )
    run.agree()
    bought, sold = run.truth.trades
    assert sold.taker.price == price("0.80")
    orders = run.sql("select id, purpose, side from orders order by id")
    assert orders == [(1, "entry", "BUY"), (2, "target", "SELL"), (3, "outside", "SELL")], "nothing after the sale"
    assert run.held(MARKET, Outcome.UP) == 0
    (settled,) = run.notes(nt.MarketSettled)
    brought = sold.taker.cash - sold.taker.fee - bought.taker.cash - bought.taker.fee
    assert (settled.up_shares, settled.redeemable, settled.pnl) == (0, 0, brought)
    assert run.notes(nt.DriftFound) == run.notes(nt.MarketHalted) == []
    assert run.sql("select count(*) from adjustments") == [(0,)]
    ((at, seen),) = noted(run, nt.OutsideOrderSeen)
    assert at < after(62)
    assert (seen.terms.side, seen.terms.shares) == (Side.SELL, shares(20))
