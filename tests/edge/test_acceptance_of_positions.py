"""Acceptance conditions of the exit plan: exits that follow what is really there, and holdings that are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from polystra.app.console import Console
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
from tests.truth import Observed, after, steady, tape_file, window, wish

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
    live: list[tuple[int, ...]] = []

    def look(world: Observed) -> None:
        if after(60) < world.clock.now() < after(295):
            live.append(world.selling())

    strategy = Scheduled((Told(10, 12, 0, wish(Outcome.UP, "0.40")),), AT_ONCE)
    run = exchange_truth.play([tape], strategy, look=look)
    run.agree()
    assert set(live) == {(shares("5.90"),)}
    assert run.sql("select shares_micro from fills") == [(shares("6"),)]
    assert run.held(market, Outcome.UP) == shares("5.9075")
    ((at, terms),) = run.placed(Side.SELL)
    assert terms.shares == shares("5.90")
    assert at <= run.truth.trades[0].matched_at + seconds(30)


@pytest.mark.spec("C1.A1")
def test_a_wallet_with_less_than_the_ledger_is_offered_as_it_is(exchange_truth: WireStage) -> None:
    """Over the wire, whose forms have no word for that era: the exchange takes its fee in shares, the trader expects it
    in cash. Ledger 6, wallet 5.9075: 5.90 are offered as soon as the wallet shows them, and the rest is written off by
    two readings. The cash that the trader believes it paid is there, which no trade explains: entries stop."""
    market = window(fees=FeeSchedule(rate=25_694, in_shares_on_buys=True))
    tape = tape_file(market, steady(market, "0.38x500", "0.40x6"))
    told = (Told(10, 12, 0, wish(Outcome.UP, "0.40")), Told(100, 290, 1, wish(Outcome.DOWN, "0.62")))
    seen = Seen()
    run = exchange_truth.play_on_wire([tape], Scheduled(told, AT_ONCE), look=seen)
    assert seen.last == [shares("5.90")]
    assert len(run.placed(Side.BUY)) == 1
    denied = [(note.limit, note.value) for note in run.notes(nt.EntryDenied) if note.outcome is Outcome.DOWN]
    assert {limit for limit, _ in denied} == {"market halted"}
    assert denied[-1][1] == "cash differs from the venue's"
    assert run.sql("select shares_micro from fills") == [(shares("6"),)]
    assert run.held(market, Outcome.UP) == shares("5.9075")
    ((at, terms),) = run.placed(Side.SELL)
    assert terms.shares == shares("5.90")
    assert at <= run.truth.trades[0].matched_at + seconds(30)
    rows = run.sql("select before_micro, after_micro from adjustments")
    assert rows == [(shares(6), shares("5.9075"))]
    assert run.sql("select shares_micro from positions") == [(shares("5.9075"),)]
    assert [note.subject for note in run.notes(nt.DriftFound)] == ["cash"]


@pytest.mark.spec("C1.A3")
def test_each_placement_that_is_not_made_says_once_what_is_known(exchange_truth: WireStage) -> None:
    """Settling, too young, refused: one line each, with wallet, ledger, the seconds left and the age. Of 90
    s that are meant for 15 minutes five have 30."""

    exits = ExitPolicy(target=price("0.99"), min_age=seconds(90))
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
    assert [(line.ledger, line.wallet) for line in (first, second)] == [(shares(20), shares(20))] * 2
    assert len(run.placed(Side.SELL)) == 3
    written: list[str] = []
    console = Console(written.append)
    for event, step in run.steps:
        console.tell(event, step)
    said = [line for line in written if "without an exit" in line]
    assert run.sql("select count(*) from notes where kind = 'ExitUncovered'") == [(4,)]
    assert [line.split("without an exit: ")[1] for line in said] == [
        "settling (ledger 20, wallet 0, 0 s old)",
        f"too young (ledger 20, wallet 20, {young.age / seconds(1):.0f} s old, for {young.left / seconds(1):.0f} s)",
        "rests: post-only would cross (ledger 20, wallet 20, 30 s old, for 1 s)",
    ], "the second refusal repeats the first within a minute: a row, and no line of its own"


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


def send_away(floor: Floor) -> None:
    """All twenty go to another wallet by hand: no trade says why."""
    account = sim.Account(floor.standing.accounts[0].wallet)
    away = sim.Account("0x00000000000000000000000000000000000000aa")
    floor.standing.venue.feed(sim.Transfer(account=account, to=away, token=MARKET.up_token, shares=shares(20)))


@pytest.mark.spec("H2.A2")
@pytest.mark.parametrize("sent", [190, 100, 20], ids=["three minutes", "a minute and a half", "ten seconds"])
def test_a_holding_that_is_gone_at_the_start_is_closed_as_missing_once_it_is_two_minutes_old(
    exchange_truth: WireStage, sent: int
) -> None:
    """Sent to another wallet by hand just before the trader died: no trade says why nothing is there, no order is live,
    and the cash is as the ledger has it. The exit plan asks for a target at four minutes of age alone. Nothing more is
    opened."""

    def send(floor: Floor) -> None:
        send_away(floor)
        gone.append(floor.now)

    gone: list[int] = []
    started: list[int] = []

    def die(floor: Floor, event: AnyEvent, step: Step) -> None:
        if isinstance(event, ev.LedgerLoaded):
            started.append(event.at)
        if gone and len(started) == 1:
            raise Killed

    tape = tape_file(MARKET, steady(MARKET, "0.50x20 0.49x500", "0.52x20 0.53x500"))
    exits = ExitPolicy(target=price("0.99"), min_age=seconds(720))
    told = (*ONE, Told(250, 290, 1, wish(Outcome.DOWN, "0.50")))
    engine = exchange_truth.settings.engine.model_copy(update={"reading_every_seconds": 20.0})
    exchange_truth.settings = exchange_truth.settings.model_copy(update={"engine": engine})
    run = exchange_truth.play_on_wire(
        [tape], Scheduled(told, exits), meddle=die, look=at_seconds((sent, send)), lives=2
    )
    assert run.held(MARKET, Outcome.UP) == 0
    assert run.sql("select cash_micro from cash") == [(run.cash,)]
    (bought,) = run.truth.trades
    ((outcome, cause, was, now),) = run.sql("select outcome, cause, before_micro, after_micro from adjustments")
    assert (outcome, cause.split(":")[0], was, now) == ("UP", "missing", shares(20), 0)
    ((at, _),) = noted(run, nt.AdjustmentBooked)
    assert at > bought.matched_at + seconds(120), "younger than two minutes, nothing is closed"
    assert started[1] < at < max(started[1], bought.matched_at + seconds(120)) + seconds(95), (
        "two readings half a minute apart show it, one a minute"
    )
    assert run.notes(nt.MarketHalted), "a person is called"
    assert len(run.placed(Side.BUY)) == 1
    denied = {note.limit for when, note in noted(run, nt.EntryDenied) if when >= after(250)}
    assert denied == {"market halted"}
    (settled,) = run.notes(nt.MarketSettled)
    paid = bought.taker.cash + bought.taker.fee
    assert (settled.redeemable, settled.pnl) == (0, -paid), "what the trades say, and no payout"
    assert run.placed(Side.SELL) == []


MANY = 1_000
"""More often than anything is asked, so that what is left says how often each was."""

EMPTY = {
    "no balance": (BALANCE,),
    "no trades": ("GET /data/trades",),
    "no orders": ("GET /data/orders",),
    "nothing at all": (BALANCE, "GET /data/trades", "GET /data/orders"),
}


@pytest.mark.spec("H2.A3")
@pytest.mark.parametrize("how", ["an error", *EMPTY])
def test_a_start_that_cannot_see_what_is_held_changes_nothing_and_opens_nothing(
    exchange_truth: WireStage, how: str
) -> None:
    """Twenty are held, and an exit for them rests, when the trader starts again. For a minute and a half the balance of
    their token cannot be read; or an answer is there, well formed and empty, while others say otherwise. No row
    changes. Where balance and ledger differ nothing is opened, and a person hears of it; lists that are empty
    contradict no row, since the ledger keeps its trades and asks after its order. H2.A2 is about a balance that says
    nothing for longer than two minutes."""

    def fail(floor: Floor) -> None:
        if how == "an error":
            floor.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where=BALANCE, times=None, skip=1))
        for where in EMPTY.get(how, ()):
            floor.fail(Fault.ANSWER_EMPTY, where, times=MANY)

    def die(floor: Floor, event: AnyEvent, step: Step) -> None:
        if not killed and isinstance(event, ev.OrderFilled) and event.stage is TradeStage.CONFIRMED:
            killed.append(event.at)
            fail(floor)
            raise Killed

    killed: list[int] = []
    seen = Seen()
    struck: dict[str, int] = {}

    def mend(floor: Floor) -> None:
        struck.update({one.where: MANY - one.times for one in floor.faults.switches() if one.times is not None})
        floor.faults.switch_off()

    heal = at_seconds((110, mend))

    def look(floor: Floor) -> None:
        heal(floor)
        seen(floor)

    told = (*ONE, Told(60, 200, 1, wish(Outcome.DOWN, "0.50")))
    tape = tape_file(MARKET, steady(MARKET, "0.50x20 0.49x500", "0.52x20 0.53x500"))
    run = exchange_truth.play_on_wire([tape], Scheduled(told, AT_ONCE), meddle=die, look=look, lives=2)
    run.agree()
    assert killed
    assert run.floor.hits(Fault.ERROR_BEFORE) > 2 if how == "an error" else set(struck) == set(EMPTY[how])
    assert all(count > 1 for count in struck.values()), struck
    assert run.sql("select count(*) from adjustments") == [(0,)]
    held = run.sql("select shares_micro from positions where outcome = 'UP'")
    assert held == [(shares(20),)]
    bought = [at for at, _ in run.placed(Side.BUY) if at > killed[0]]
    assert all(at > after(110) for at in bought) or how in ("no trades", "no orders")
    halts = how in ("no balance", "nothing at all")
    assert len(bought) == (not halts), "once, and never where a person is called"
    if how == "an error":
        assert after(110) < bought[0] < after(115), "as soon as it can be read"
        assert run.notes(nt.ReadingFailed)
    assert bool(run.notes(nt.DriftFound)) is bool(run.notes(nt.MarketHalted)) is halts
    assert seen.last == [shares(20)] * len(run.placed(Side.BUY))
