"""Acceptance conditions of trades that no order of ours made: sold or bought by hand while the trader runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from polystra.app.world import TRADER
from polystra.core import notes as nt
from polystra.core.commands import PlaceOrder
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import Instant, price, seconds, shares
from polystra.sim import messages as sim
from tests.edge.execution_cases import (
    AT_ONCE,
    MARKET,
    STOP,
    Scheduled,
    Told,
    at_seconds,
    legs,
    logged,
    noted,
    taking,
    then,
)
from tests.edge.outside_cases import account_of, cancel_by_hand, order_by_hand, trade_by_hand
from tests.edge.wire_stage import Floor, Killed, Look, WireStage, exchange_truth
from tests.truth import Outcomes, after, printed, steady, tape_file, wish

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


class Offered:
    """What was on sale at the exchange before each recorded row, by the second of the window."""

    def __init__(self, deed: Look) -> None:
        self._deed = deed
        self.at: dict[int, list[int]] = {}

    def __call__(self, floor: Floor) -> None:
        self._deed(floor)
        orders = floor.standing.venue.current().open_orders(account_of(floor))
        second = (floor.now - after(0)) // seconds(1)
        self.at[second] = [order.size - order.matched for order in orders if order.side is Side.SELL]


@pytest.mark.spec("C2.A1")
def test_a_part_sold_by_hand_leaves_an_exit_for_the_rest_at_once(exchange_truth: WireStage) -> None:
    def sell(floor: Floor) -> None:
        cancel_by_hand(floor)
        trade_by_hand(floor, Side.SELL, "8", "0.80")

    seen = Offered(at_seconds((60, sell)))
    run = exchange_truth.play_on_wire([tape_file(MARKET, RISE)], Scheduled(ONE, AT_ONCE), look=seen)
    run.agree()
    assert run.held(MARKET, Outcome.UP) == shares(12)
    assert [terms.shares for _, terms in run.placed(Side.SELL)] == [shares(20), shares(12)]
    assert seen.at[59] == [shares(20)]
    assert all(seen.at[second] == [shares(12)] for second in range(63, 290))
    assert run.notes(nt.DriftFound) == run.notes(nt.MarketHalted) == []
    assert run.sql("select shares_micro, adjusted_micro from positions") == [(shares(12), 0)]


@pytest.mark.spec("C2.A1")
def test_a_sale_by_hand_while_our_stop_is_in_flight_sells_nothing_twice(exchange_truth: WireStage) -> None:
    """Twelve of twenty are sold by hand when our stop for twenty has left and not arrived: it is refused, and the eight
    that are left are sold."""
    left = [True]

    def sell(floor: Floor, event: AnyEvent, step: Step) -> None:
        placed = (one.terms.purpose for one in step.commands if isinstance(one, PlaceOrder))
        if left and Purpose.STOP in placed:
            left.pop()
            trade_by_hand(floor, Side.SELL, "12", "0.25")

    rows = then(100, "0.25x500", "0.27x500", before=("0.50x500", "0.52x20"))
    run = exchange_truth.play_on_wire([tape_file(MARKET, rows)], taking(STOP), meddle=sell)
    run.agree()
    assert not left
    sold = legs(run, Side.SELL)
    assert sorted(leg.shares for leg in sold) == [shares(8), shares(12)]
    assert run.held(MARKET, Outcome.UP) == 0
    assert run.notes(nt.DriftFound) == run.notes(nt.MarketHalted) == []
    assert logged(run, "did", "OrderRejected"), "the stop for all of it"


def test_a_sale_while_the_trader_is_down_is_booked_when_it_starts(exchange_truth: WireStage) -> None:
    def sell(floor: Floor) -> None:
        cancel_by_hand(floor)
        trade_by_hand(floor, Side.SELL, "20", "0.80")

    def die(floor: Floor, event: AnyEvent, step: Step) -> None:
        if not killed and event.at >= after(60):
            killed.append(event.at)
            sell(floor)
            raise Killed

    killed: list[int] = []
    run = exchange_truth.play_on_wire([tape_file(MARKET, RISE)], Scheduled(ONE, AT_ONCE), meddle=die, lives=2)
    run.agree()
    assert killed
    assert len(run.placed(Side.SELL)) == 1
    assert run.sql("select count(*) from orders where purpose = 'outside'") == [(1,)]
    assert run.notes(nt.DriftFound) == run.notes(nt.MarketHalted) == []


# --- bought by hand


@pytest.mark.parametrize("before_the_start", [True, False], ids=["before the first start", "while it runs"])
def test_shares_bought_by_hand_are_managed_and_marked(exchange_truth: WireStage, before_the_start: bool) -> None:
    """They get an exit, nothing is bought beside them, and the books agree. What was paid before the first balance was
    read is in that balance already."""

    def buy(floor: Floor) -> None:
        trade_by_hand(floor, Side.BUY, "10", "0.52")

    def die(floor: Floor, event: AnyEvent, step: Step) -> None:
        """The first life keeps no ledger: the second is a first start."""
        if before_the_start and not killed and event.at >= after(25):
            killed.append(event.at)
            for one in exchange_truth.folder.glob("ledger.sqlite*"):
                one.unlink()
            raise Killed

    killed: list[int] = []
    wishes = (Told(40, 300, 0, wish(Outcome.UP, "0.52")), Told(40, 300, 0, wish(Outcome.DOWN, "0.50")))
    run = exchange_truth.play_on_wire(
        [tape_file(MARKET, steady(MARKET, "0.50x500", "0.52x500"))],
        Scheduled(wishes, AT_ONCE),
        meddle=die,
        look=at_seconds((20, buy)),
        lives=2 if before_the_start else 1,
    )
    run.agree()
    assert bool(killed) is before_the_start
    (trade,) = run.truth.trades
    assert run.placed(Side.BUY) == []
    assert any("bought outside" in f"{one.value} {one.allowed}" for one in run.notes(nt.EntryDenied))
    assert {terms.shares for _, terms in run.placed(Side.SELL)} == {shares(10)}
    paid = trade.taker.cash + trade.taker.fee
    corrections = run.sql("select amount_micro from deposits where cause like 'trade %'")
    assert corrections == ([(paid,)] if before_the_start else [])
    settled = run.notes(nt.MarketSettled)[-1]
    assert (settled.up_shares, settled.pnl) == (shares(10), shares(10) - paid)
    assert run.notes(nt.DriftFound) == run.notes(nt.MarketHalted) == []


def test_shares_that_are_left_alone_are_neither_offered_nor_settled_nor_a_drift(exchange_truth: WireStage) -> None:
    """Ten of ours, then ten by hand, of which four are sold by hand again: our exit stays as it is."""
    exchange_truth.settings = exchange_truth.settings.model_copy(
        update={"engine": exchange_truth.settings.engine.model_copy(update={"outside_positions": "leave"})}
    )

    def buy(floor: Floor) -> None:
        trade_by_hand(floor, Side.BUY, "10", "0.52")

    def sell(floor: Floor) -> None:
        trade_by_hand(floor, Side.SELL, "4", "0.50")

    rows = [
        *steady(MARKET, "0.50x500", "0.52x20", end=50),
        *steady(MARKET, "0.50x500", "0.52x500", begin=50),
    ]
    seen = Offered(at_seconds((60, buy), (120, sell)))
    run = exchange_truth.play_on_wire([tape_file(MARKET, rows)], Scheduled(ONE, AT_ONCE), look=seen)
    run.agree()
    assert run.held(MARKET, Outcome.UP) == shares(26)
    assert len(run.placed(Side.SELL)) == 1
    assert all(seen.at[second] == [shares(20)] for second in range(20, 290))
    (settled,) = run.notes(nt.MarketSettled)
    assert settled.up_shares == shares(20)
    assert settled.pnl == shares(20) - legs(run, Side.BUY)[0].cash - legs(run, Side.BUY)[0].fee
    assert run.notes(nt.DriftFound) == run.notes(nt.MarketHalted) == []


def test_an_order_that_rests_by_another_hand_is_told_once_and_never_cancelled(exchange_truth: WireStage) -> None:
    """It fills in part while it rests, and the trader is killed and starts again."""
    rests: list[bool] = []

    def put(floor: Floor) -> None:
        orders.append(trade_by_hand(floor, Side.BUY, "30", "0.45", rests=True))

    def look(floor: Floor) -> None:
        live = floor.standing.venue.current().open_orders(account_of(floor))
        rests.append(any(order.id == orders[0] for order in live))

    def die(floor: Floor, event: AnyEvent, step: Step) -> None:
        if not killed and event.at >= after(150):
            killed.append(event.at)
            raise Killed

    killed: list[int] = []
    orders: list[str] = []
    sold = printed(MARKET, 100, "0.45", "10", Side.SELL)
    rows = [*steady(MARKET, "0.50x500", "0.52x500"), sold]
    run = exchange_truth.play_on_wire(
        [tape_file(MARKET, rows)], Scheduled((), AT_ONCE), meddle=die, look=at_seconds((20, put), (295, look)), lives=2
    )
    run.agree()
    assert killed
    assert rests == [True]
    assert run.held(MARKET, Outcome.UP) == shares(10)
    told = [note.venue_order for note in run.notes(nt.ForeignOrderSeen)]
    assert told == [orders[0], orders[0]], "once in each life"
    assert len(run.notes(nt.OutsideOrderSeen)) == 1


class ByHand:
    """Buys ten, and later sells four, in whatever way orders get to the exchange."""

    def __init__(self) -> None:
        self._left = [(20, Side.BUY, "10", "0.52"), (60, Side.SELL, "4", "0.80")]

    def __call__(self, now: Instant, give: Callable[[sim.Request], object], account: sim.Account) -> None:
        while self._left and now >= after(self._left[0][0]):
            _, side, size, at = self._left.pop(0)
            give(sim.CancelAll(account=account))
            give(order_by_hand(account, side, size, at))


def test_in_process_and_over_the_wire_another_hand_is_booked_alike(tmp_path: Path) -> None:
    """The rows of both ledgers are the same, number by number."""
    tape, nobody = tape_file(MARKET, RISE), Scheduled((), AT_ONCE)
    stages = {way: WireStage(tmp_path / way) for way in ("process", "wire")}
    for stage in stages.values():
        stage.folder.mkdir()
    wire, process = ByHand(), ByHand()
    runs: list[Outcomes] = [
        stages["wire"].play_on_wire(
            [tape], nobody, look=lambda floor: wire(floor.now, floor.standing.venue.feed, account_of(floor))
        ),
        stages["process"].play([tape], nobody, look=lambda world: process(world.clock.now(), world._ask, TRADER)),
    ]
    rows = []
    for run in runs:
        run.agree()
        rows.append(run.sql("select order_id, side, shares_micro, cash_micro, late from fills order by run, seq"))
    assert rows[0] == rows[1]
    assert [(side, size, late) for _, side, size, _, late in rows[0]] == [
        ("BUY", shares(10), 0),
        ("SELL", shares(4), 0),
    ]
