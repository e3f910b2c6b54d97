"""Acceptance conditions of the exit plan: exits that follow what is really there, and holdings that are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.commands import CancelOrder
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.fees import FeeSchedule
from polystra.core.markets import Series
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome, Side, TradeStage
from polystra.core.units import Nanos, price, seconds, shares
from polystra.edge.tapes.format import TapeEvent
from polystra.exchange.faults import Fault, Switch
from polystra.sim import messages as sim
from tests.edge.execution_cases import (
    AT_ONCE,
    MARKET,
    PLACE,
    Scheduled,
    Told,
    at_seconds,
    befall,
    befell,
    noted,
)
from tests.edge.wire_stage import Floor, Killed, WireStage, exchange_truth
from tests.truth import after, steady, tape_file, window, wish

__all__ = ["exchange_truth"]

BALANCE = "GET /balance-allowance"
ONE = (Told(10, 100, 0, wish(Outcome.UP, "0.52")),)
TWO = (*ONE, Told(100, 300, 1, wish(Outcome.UP, "0.52")))


def scaling(second: str = "21", *more: TapeEvent) -> list[TapeEvent]:
    """Twenty Up on offer at 0.52, and so many from the fiftieth second on: another number, or it is the same offer."""
    first = steady(MARKET, "0.50x500", "0.52x20", end=50)
    return [*first, *steady(MARKET, "0.50x500", f"0.52x{second}", begin=50), *more]


def sells_live(floor: Floor) -> list[int]:
    """The sizes of our sells that are live at the exchange."""
    account = sim.Account(floor.standing.accounts[0].wallet)
    orders = floor.standing.venue.current().open_orders(account)
    return [order.size - order.matched for order in orders if order.side is Side.SELL]


class Seen:
    """What was on sale at the exchange, looked at before every recorded row."""

    def __init__(self) -> None:
        self.most = 0
        self.last: list[int] = []

    def __call__(self, floor: Floor) -> None:
        self.last = sells_live(floor) if floor.now < after(295) else self.last
        self.most = max(self.most, len(self.last))


def on_cancel(deed: Callable[[Floor], None]) -> Callable[[Floor, AnyEvent, Step], None]:
    """Does it once, at the moment at which the trader first takes an order back."""
    left = [deed]

    def meddle(floor: Floor, event: AnyEvent, step: Step) -> None:
        if left and any(isinstance(one, CancelOrder) for one in step.commands):
            left.pop()(floor)

    return meddle


def refuse(floor: Floor) -> None:
    """Twice, with words after which the client does not try again by itself."""
    text = "invalid post-only order: order crosses book"
    floor.faults.switch_on(Switch(fault=Fault.ORDER_REFUSED, where=PLACE, times=2, text=text))


# --- the exit is for what is there


@pytest.mark.spec("C1.A1")
def test_an_exit_is_for_what_the_wallet_holds_rounded_down(exchange_truth: WireStage) -> None:
    """6 bought at 0.40 in the older fee era, of which the fee leaves 5.9075: 5.90 are offered. Played in process: the
    wire knows the present era alone."""
    market = window(fees=FeeSchedule(rate=25_694, in_shares_on_buys=True))
    tape = tape_file(market, steady(market, "0.38x500", "0.40x6"))
    run = exchange_truth.play([tape], Scheduled((Told(10, 12, 0, wish(Outcome.UP, "0.40")),), AT_ONCE))
    run.agree()
    assert run.sql("select shares_micro from fills") == [(shares("6"),)]
    assert run.held(market, Outcome.UP) == shares("5.9075")
    ((at, terms),) = run.placed(Side.SELL)
    assert terms.shares == shares("5.90")
    assert at <= run.truth.trades[0].matched_at + seconds(30)


@pytest.mark.spec("C1.A3")
def test_each_placement_that_is_not_made_says_once_what_is_known(exchange_truth: WireStage) -> None:
    """Settling, too young, refused: one line each, with wallet, ledger, the seconds left and the age."""

    exits = ExitPolicy(target=price("0.99"), min_age=seconds(30))
    tape = tape_file(MARKET, steady(MARKET, "0.50x500", "0.52x20"))
    run = exchange_truth.play_on_wire([tape], Scheduled(ONE, exits), look=at_seconds((30, refuse)))
    run.agree()
    assert run.floor.hits(Fault.ORDER_REFUSED) == 2
    lines = run.notes(nt.ExitUncovered)
    settling, young, first, second = lines
    assert [line.why.split(":")[0] for line in lines] == ["settling", "too young", "rests", "rests"]
    assert (settling.ledger, settling.wallet, settling.left) == (shares(20), 0, None)
    assert settling.age < seconds(1)
    assert (young.ledger, young.wallet) == (shares(20), shares(20))
    assert young.age + young.left == seconds(30)
    assert [line.left for line in (first, second)] == [seconds(1), seconds(2)]
    assert seconds(30) < first.age < second.age < seconds(33)
    assert len(run.placed(Side.SELL)) == 3


@pytest.mark.spec("S27.A2")
def test_a_replacement_that_is_refused_twice_is_placed_the_third_time(exchange_truth: WireStage) -> None:
    seen = Seen()
    run = exchange_truth.play_on_wire(
        [tape_file(MARKET, scaling())], Scheduled(TWO, AT_ONCE), meddle=on_cancel(refuse), look=seen
    )
    run.agree()
    assert run.floor.hits(Fault.ORDER_REFUSED) == 2
    assert [terms.shares for _, terms in run.placed(Side.SELL)] == [shares(20), *[shares(41)] * 3]
    assert (seen.most, seen.last) == (1, [shares(41)])
    assert any(line.why.startswith("rests") for line in run.notes(nt.ExitUncovered)), "uncovered meanwhile, and said"


@pytest.mark.spec("S27.A3")
@pytest.mark.parametrize(("more", "offered"), [("21", 21), ("4", 0)], ids=["an exit", "too little"])
def test_an_exit_filled_while_it_is_replaced_leaves_the_rest_an_exit_or_says_why_not(
    exchange_truth: WireStage, more: str, offered: int
) -> None:
    """It was filled just before our cancel; nobody hears of it for two seconds."""

    def before(floor: Floor) -> None:
        befall(floor, sim.Mishap.FILL_AFTER_CANCEL, delay=Nanos(seconds(2)))

    seen = Seen()
    run = exchange_truth.play_on_wire(
        [tape_file(MARKET, scaling(more))], Scheduled(TWO, AT_ONCE), before=before, look=seen
    )
    run.agree()
    assert befell(run, sim.Mishap.FILL_AFTER_CANCEL) == 1
    assert run.held(MARKET, Outcome.UP) == shares(more)
    assert seen.most == 1
    assert seen.last == ([shares(offered)] if offered else [])
    flagged = run.notes(nt.ExitUncovered)[-1]
    assert (flagged.why == "below the venue's least size") is not offered


# --- holdings that are not there


@pytest.mark.spec("C2.A3")
def test_a_balance_that_cannot_be_read_for_ten_minutes_closes_nothing(exchange_truth: WireStage) -> None:
    """A window of 15 minutes; from the thirtieth second on ten minutes without a balance."""
    market = window(series=Series("BTC", seconds(900)), end=after(900), slug=MARKET.slug.replace("-5m-", "-15m-"))

    def fail(floor: Floor) -> None:
        floor.fail(Fault.ERROR_BEFORE, BALANCE, times=None)

    def heal(floor: Floor) -> None:
        floor.faults.switch_off(Fault.ERROR_BEFORE)

    open_then: list[int] = []

    def look(floor: Floor) -> None:
        open_then.extend(sells_live(floor))

    tape = tape_file(market, steady(market, "0.50x500", "0.52x20", end=900))
    deeds = at_seconds((30, fail), (629, look), (630, heal))
    run = exchange_truth.play_on_wire([tape], Scheduled(ONE, AT_ONCE), look=deeds)
    run.agree()
    assert run.floor.hits(Fault.ERROR_BEFORE) > 10
    assert open_then == [shares(20)], "its exit rests all the while"
    assert run.notes(nt.ReadingFailed)
    assert run.sql("select count(*) from adjustments") == [(0,)]
    assert run.sql("select shares_micro from positions") == [(shares(20),)]
    assert run.notes(nt.MarketHalted) == run.notes(nt.DriftFound) == []


@pytest.mark.spec("H2.A2")
def test_a_holding_that_is_gone_at_the_start_is_closed_as_missing(exchange_truth: WireStage) -> None:
    """Twenty Up and twenty Down were merged by hand while the trader was down: nothing is there, no trade says why."""

    def merge(floor: Floor) -> None:
        account = sim.Account(floor.standing.accounts[0].wallet)
        floor.standing.venue.feed(sim.Merge(account=account, market=MARKET.id, shares=shares(20)))
        gone.append(floor.now)

    gone: list[int] = []
    killed: list[int] = []

    def die(floor: Floor, event: AnyEvent, step: Step) -> None:
        if gone and not killed:
            killed.append(event.at)
            raise Killed

    told = (*ONE, Told(10, 100, 1, wish(Outcome.DOWN, "0.50")))
    tape = tape_file(MARKET, steady(MARKET, "0.50x20 0.49x500", "0.52x20 0.53x500"))
    run = exchange_truth.play_on_wire([tape], Scheduled(told), meddle=die, look=at_seconds((60, merge)), lives=2)
    assert gone
    assert killed
    assert [run.held(MARKET, outcome) for outcome in Outcome] == [0, 0]
    rows = run.sql("select outcome, cause, before_micro, after_micro from adjustments order by outcome")
    assert [(one, cause.split(":")[0], was, now) for one, cause, was, now in rows] == [
        ("DOWN", "missing", shares(20), 0),
        ("UP", "missing", shares(20), 0),
    ]
    booked = [at for at, _ in noted(run, nt.AdjustmentBooked)]
    assert all(at - trade.matched_at >= seconds(120) for at in booked for trade in run.truth.trades)
    assert run.notes(nt.MarketHalted), "a person is called"
    (settled,) = run.notes(nt.MarketSettled)
    paid = run.sql("select -sum(cash_micro) from fills")[0][0]
    assert (settled.redeemable, settled.pnl) == (0, -paid), "what the trades say, and no payout"


@pytest.mark.spec("H2.A3")
@pytest.mark.parametrize("how", ["errors", "shows nothing"])
def test_a_start_that_cannot_see_what_is_held_changes_nothing_and_opens_nothing(
    exchange_truth: WireStage, how: str
) -> None:
    """The trades say twenty; the balance cannot be read for a minute, but for the cash without which nothing starts; or
    it shows nothing for so long."""

    def before(floor: Floor) -> None:
        if how == "shows nothing":
            befall(floor, sim.Mishap.BALANCE_LATE, delay=Nanos(seconds(110)), only="BUY")

    def die(floor: Floor, event: AnyEvent, step: Step) -> None:
        if not killed and isinstance(event, ev.OrderFilled) and event.stage is TradeStage.CONFIRMED:
            killed.append(event.at)
            if how == "errors":
                floor.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where=BALANCE, times=None, skip=1))
            raise Killed

    def heal(floor: Floor) -> None:
        floor.faults.switch_off(Fault.ERROR_BEFORE)

    killed: list[int] = []
    told = (*ONE, Told(60, 110, 1, wish(Outcome.DOWN, "0.50")))
    tape = tape_file(MARKET, steady(MARKET, "0.50x20 0.49x500", "0.52x20 0.53x500"))
    run = exchange_truth.play_on_wire(
        [tape], Scheduled(told, AT_ONCE), before=before, meddle=die, look=at_seconds((110, heal)), lives=2
    )
    run.agree()
    assert killed
    if how == "errors":
        assert run.floor.hits(Fault.ERROR_BEFORE) > 3
        assert run.notes(nt.ReadingFailed)
    else:
        assert befell(run, sim.Mishap.BALANCE_LATE) == 1
        assert run.notes(nt.DriftFound)
    assert run.sql("select count(*) from adjustments") == [(0,)]
    assert run.sql("select shares_micro from positions") == [(shares(20),)]
    assert len(run.placed(Side.BUY)) == 1, "nothing was opened on it"
