"""Acceptance conditions of a start that reads the account: what the venue's trades say stands in the row."""

import sqlite3

import pytest

from polystra.app.session import LEDGER
from polystra.core.engine import Step
from polystra.core.events import AnyEvent, OrderFilled, Started
from polystra.core.fees import FeeSchedule
from polystra.core.terms import Outcome, Side
from polystra.core.units import Shares, price, shares, usd
from polystra.exchange.faults import Fault, Switch
from polystra.sim import messages as sim
from tests.edge.execution_cases import AT_ONCE, Scheduled, Told, befall, befell
from tests.edge.wire_stage import Floor, Killed, WireStage, exchange_truth
from tests.truth import after, steady, tape_file, window, wish

__all__ = ["exchange_truth"]


@pytest.mark.spec("H2.A1")
@pytest.mark.parametrize("fails", [True, False], ids=["another trade", "one more trade"])
def test_after_a_start_the_row_says_what_the_trades_of_the_venue_say(exchange_truth: WireStage, fails: bool) -> None:
    """The ledger knows 10.0 @ 0.50 of an order whose first trade alone was heard of, at its first stage, before the
    trader died; the order's own answer had told of 19.87. That trade fails on the chain, the second one does not: the
    wallet has 9.87 @ 0.51, and so says the row as soon as the next life has read the account. A market without fees,
    or the cost would have them in it."""
    market = window(fees=FeeSchedule(rate=0))
    rows: list[tuple[str, list[tuple[int, int]]]] = []

    def before(floor: Floor) -> None:
        if fails:
            befall(floor, sim.Mishap.TRADE_FAILED, only="BUY")
        floor.faults.switch_on(Switch(fault=Fault.FRAME_LOST, where="user", times=None, only='"price":"0.51"'))

    def row(when: str) -> None:
        connection = sqlite3.connect(exchange_truth.folder / LEDGER)
        found = connection.execute("select shares_micro, paid_micro from positions").fetchall()
        connection.close()
        rows.append((when, found))

    def meddle(floor: Floor, event: AnyEvent, step: Step) -> None:
        if isinstance(event, OrderFilled) and not rows:
            row("bought")
            floor.fail(Fault.STREAM_FROZEN, "user", times=None)
        elif event.at >= after(40) and len(rows) == 1:
            row("killed")
            floor.faults.switch_off()
            raise Killed
        elif isinstance(event, Started) and len(rows) == 2:
            row("started")

    tape = tape_file(market, steady(market, "0.48x500", "0.50x10 0.51x9.87 0.53x500"))
    told = (Told(10, 12, 0, wish(Outcome.UP, "0.52")),)
    run = exchange_truth.play_on_wire([tape], Scheduled(told, AT_ONCE), before=before, meddle=meddle, lives=2)
    run.agree()
    assert befell(run, sim.Mishap.TRADE_FAILED) == fails
    assert run.floor.hits(Fault.FRAME_LOST) == 1
    assert run.floor.hits(Fault.STREAM_FROZEN) > 0
    known, kept, total = (shares(10), usd(5)), (shares("9.87"), usd("5.0337")), (shares("19.87"), usd("10.0337"))
    assert rows == [("bought", [known]), ("killed", [known]), ("started", [kept if fails else total])]
    assert run.held(market, Outcome.UP) == (kept if fails else total)[0]
    assert kept[1] * 10**6 // kept[0] == price("0.51")
    assert run.sql("select count(*) from adjustments") == [(0,)]
    ((at, terms),) = run.placed(Side.SELL)
    assert terms.shares == Shares((kept if fails else total)[0])
    assert at > after(40)
