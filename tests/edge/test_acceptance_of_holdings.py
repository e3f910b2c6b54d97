"""Acceptance conditions of what is held: the book it is judged by, and trades on their way to the chain."""

from decimal import Decimal

import pytest

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.fees import FeeSchedule
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome, Purpose, Side, TradeStage
from polystra.core.units import Nanos, price, seconds, shares, usd
from polystra.exchange.faults import Fault
from polystra.sim import messages as sim
from tests.edge.execution_cases import (
    AT_ONCE,
    MARKET,
    STOP,
    Scheduled,
    Told,
    at_seconds,
    befall,
    befell,
    commanded,
    happened,
    legs,
    logged,
    noted,
    staking,
    taking,
    then,
    total,
)
from tests.edge.wire_stage import Floor, WireStage, exchange_truth
from tests.truth import after, steady, tape_file, window, wish

__all__ = ["exchange_truth"]

PRICE_CALLS = (
    "GET /book",
    "POST /books",
    "GET /price",
    "GET /prices",
    "POST /prices",
    "GET /midpoint",
    "GET /midpoints",
    "POST /midpoints",
    "GET /spread",
    "GET /last-trade-price",
    "GET /prices-history",
)


# --- the book that a stop goes by


@pytest.mark.spec("H1.A1")
@pytest.mark.parametrize(("bid", "stops"), [("0.30", True), ("0.31", False)], ids=["crosses", "stays above"])
def test_a_book_move_across_the_stop_is_acted_on_within_a_second_without_a_price_call(
    exchange_truth: WireStage, bid: str, stops: bool
) -> None:
    """Every route that tells a price would answer with a block page, counted: none is asked."""

    def before(floor: Floor) -> None:
        for route in PRICE_CALLS:
            floor.fail(Fault.BLOCKED, route, times=None)

    calls: list[int] = []
    count = at_seconds((299, lambda floor: calls.append(floor.hits(Fault.BLOCKED))))
    rows = then(100, f"{bid}x500", "0.33x500", before=("0.50x500", "0.52x20"))
    run = exchange_truth.play_on_wire([tape_file(MARKET, rows)], taking(STOP), before=before, look=count)
    assert calls == [0]
    assert run.floor.hits(Fault.BLOCKED) > 0, "counted: after its last row the stream is silent, and the book asked for"
    assert commanded(run, cm.ReadBook) == []
    decided = [at for at, _ in noted(run, nt.StopTriggered)]
    assert bool(decided) is stops
    if stops:
        assert after(100) < decided[0] < after(101)
        assert total(legs(run, Side.SELL)) == shares("20")
    else:
        assert legs(run, Side.SELL) == []
    run.agree()


@pytest.mark.spec("H1.A3")
def test_a_silent_stream_makes_prices_stale_and_the_venue_is_asked(exchange_truth: WireStage) -> None:
    """Frozen for 40 s while PONG goes on. An entry wished for meanwhile waits for the stream; the stop goes by what the
    venue says when it is asked; and a stream that is there again is believed."""

    def freeze(floor: Floor) -> None:
        floor.fail(Fault.STREAM_FROZEN, "market", times=None)

    def thaw(floor: Floor) -> None:
        floor.faults.switch_off(Fault.STREAM_FROZEN)

    def before(floor: Floor) -> None:
        """A reply that is late by nothing counts the questions."""
        floor.fail(Fault.REPLY_LATE, "GET /book", times=None)

    asked: list[int] = []
    rows = then(70, "0.25x500", "0.27x500", before=("0.50x500", "0.52x20"))
    told = (Told(10, 20, 0, wish(Outcome.UP, "0.52")), Told(75, 300, 1, wish(Outcome.DOWN, "0.75")))
    deeds = at_seconds((60, freeze), (100, thaw), (100, lambda floor: asked.append(floor.hits(Fault.REPLY_LATE))))
    run = exchange_truth.play_on_wire([tape_file(MARKET, rows)], Scheduled(told, STOP), before=before, look=deeds)
    run.agree()
    assert run.floor.hits(Fault.STREAM_FROZEN) > 0
    stale = [at for at, note in noted(run, nt.EntryDenied) if note.limit == "book"]
    assert after(75) <= stale[0] < after(76), "marked stale, and no entry on it"
    bought = [at for at, terms in run.placed(Side.BUY) if at > after(60)]
    assert after(100) <= bought[0] < after(103), "opened once the stream is there again"
    reads = [at for at in commanded(run, cm.ReadBook) if at < after(100)]
    assert len(reads) >= 2
    assert asked[0] >= len(reads)
    stopped = [at for at, _ in noted(run, nt.StopTriggered)]
    assert after(70) < stopped[0] < after(76), "by the venue's word, while the stream showed 0.50"
    sold = [trade.matched_at for trade in run.truth.trades if trade.taker.side is Side.SELL]
    assert sold
    assert all(at < after(100) for at in sold)


# --- trades on their way to the chain


@pytest.mark.spec("X8.A1")
@pytest.mark.parametrize("delay", [0, 40], ids=["as quick as usual", "retried for 40 s"])
def test_a_matched_fill_is_exposure_and_nothing_of_it_is_sold_before_it_settles(
    exchange_truth: WireStage, delay: float
) -> None:
    """It fills the market's limit at once: a second entry is denied. The first sell comes when it is mined."""
    exchange_truth.settings = staking(exchange_truth.settings, max_market_usd=Decimal(60))

    def before(floor: Floor) -> None:
        if delay:
            befall(floor, sim.Mishap.TRADE_RETRIED, delay=Nanos(seconds(delay)), only="BUY")

    told = (Told(10, 300, 0, wish(Outcome.UP, "0.52")), Told(10, 300, 1, wish(Outcome.DOWN, "0.51")))
    tape = tape_file(MARKET, steady(MARKET, "0.50x500", "0.52x500"))
    run = exchange_truth.play_on_wire([tape], Scheduled(told, AT_ONCE), before=before)
    run.agree()
    assert befell(run, sim.Mishap.TRADE_RETRIED) == bool(delay)
    fills = happened(run, ev.OrderFilled)
    mined = [fill.at for fill in fills if fill.stage is TradeStage.MINED]
    denied = [at for at, note in noted(run, nt.EntryDenied) if note.limit == "market exposure"]
    assert fills[0].at <= denied[0] < mined[0]
    assert len(run.placed(Side.BUY)) == 1
    sells = [one["at"] for one in logged(run, "asked", "Submit") if one["side"] == "SELL"]
    assert mined[0] < sells[0] < mined[0] + seconds(6)
    assert mined[0] > after(10 + delay)
    assert logged(run, "did", "OrderRejected") == []


@pytest.mark.spec("X8.A1")
@pytest.mark.spec("C2.A2")
def test_a_trade_that_fails_is_taken_back_and_leaves_no_exit(exchange_truth: WireStage) -> None:
    """Matched, retried, failed: cash and shares are as before, nothing is ever offered."""

    def before(floor: Floor) -> None:
        befall(floor, sim.Mishap.TRADE_FAILED, delay=Nanos(seconds(20)), only="BUY")

    told = (Told(10, 12, 0, wish(Outcome.UP, "0.52")),)
    tape = tape_file(MARKET, steady(MARKET, "0.50x500", "0.52x500"))
    run = exchange_truth.play_on_wire([tape], Scheduled(told, AT_ONCE), before=before)
    run.agree()
    assert befell(run, sim.Mishap.TRADE_FAILED) == 1
    (trade,) = run.truth.trades
    assert trade.stage is TradeStage.FAILED
    assert run.sql("select count(*), max(shares_micro) from fills") == [(1, trade.taker.shares)]
    assert run.placed(Side.SELL) == []
    assert run.held(MARKET, Outcome.UP) == 0
    assert run.notes(nt.DriftFound) == []
    assert [(note.up_shares, note.pnl) for note in run.notes(nt.MarketSettled)] == [(0, 0)]
    assert run.sql("select stage from staged_fills") == [("FAILED",)]
    assert run.sql("select * from positions") == [], "no row is open"
    assert run.cash == run.sql("select deposited_micro from cash")[0][0]


@pytest.mark.spec("X8.A2")
def test_an_order_of_three_fills_one_confirmed_one_failed_and_one_retried_ends_with_exact_books(
    exchange_truth: WireStage,
) -> None:
    """Three levels, a trade each: 20 stay, 30 are taken back, 40 come late. All that stays is offered, and no more."""
    offered: list[list[int]] = []

    def before(floor: Floor) -> None:
        befall(floor, sim.Mishap.TRADE_FAILED, skip=1, delay=Nanos(seconds(15)), only="BUY")
        befall(floor, sim.Mishap.TRADE_RETRIED, skip=1, delay=Nanos(seconds(30)), only="BUY")

    def look(floor: Floor) -> None:
        offered.append([order.size for order in floor.truth().orders])

    exchange_truth.settings = exchange_truth.settings.model_copy(
        update={"stakes": exchange_truth.settings.stakes.model_copy(update={"bet_percent": Decimal(20)})}
    )
    told = (Told(10, 12, 0, wish(Outcome.UP, "0.54")),)
    tape = tape_file(MARKET, steady(MARKET, "0.50x500", "0.52x20 0.53x30 0.54x40"))
    run = exchange_truth.play_on_wire(
        [tape], Scheduled(told, AT_ONCE), before=before, look=at_seconds((22, look), (80, look))
    )
    run.agree()
    assert befell(run, sim.Mishap.TRADE_FAILED) == befell(run, sim.Mishap.TRADE_RETRIED) == 1
    parts = [(trade.taker.shares, trade.stage) for trade in run.truth.trades]
    assert parts == [
        (shares("20"), TradeStage.CONFIRMED),
        (shares("30"), TradeStage.FAILED),
        (shares("40"), TradeStage.CONFIRMED),
    ]
    stages = run.sql("select shares_micro, stage from staged_fills order by shares_micro")
    assert stages == [(size, stage) for size, stage in parts]
    assert offered == [[shares("20")], [shares("60")]]
    assert run.held(MARKET, Outcome.UP) == shares("60")
    assert run.sql("select count(*) from adjustments") == [(0,)]
    assert run.notes(nt.DriftFound) == run.notes(nt.MarketHalted) == []
    (settled,) = run.notes(nt.MarketSettled)
    paid = sum(leg.cash + leg.fee for leg in legs(run, Side.BUY))
    assert (settled.up_shares, settled.pnl) == (shares("60"), shares("60") - paid)


# --- a balance that lags


@pytest.mark.spec("C1.A2")
def test_a_balance_that_shows_nothing_for_a_while_changes_no_ledger_and_only_delays_the_exit(
    exchange_truth: WireStage,
) -> None:
    """The trade is mined 2 to 4 s after the match, and the balance shows nothing for another 3 s."""

    def before(floor: Floor) -> None:
        befall(floor, sim.Mishap.BALANCE_LATE, delay=Nanos(seconds(3)), only="BUY")

    shown: list[tuple[int, int, int]] = []

    def look(floor: Floor) -> None:
        exchange = floor.standing.venue.current()
        account = sim.Account(floor.standing.accounts[0].wallet)
        live = sum(order.side is Side.SELL for order in exchange.open_orders(account))
        shown.append((floor.now, exchange.balances(account).of(MARKET.up_token), live))

    tape = tape_file(MARKET, steady(MARKET, "0.50x500", "0.52x20"))
    run = exchange_truth.play_on_wire(
        [tape], taking(ExitPolicy(target=price("0.99"), min_age=seconds(0))), before=before, look=look
    )
    run.agree()
    assert befell(run, sim.Mishap.BALANCE_LATE) == 1
    matched = run.truth.trades[0].matched_at
    empty = [at for at, balance, _ in shown if at >= matched and not balance]
    assert empty[-1] - matched >= seconds(3)
    read = [at for at in commanded(run, cm.TakeSnapshot) if matched < at < empty[-1]]
    assert len(read) >= 3, "the balance was read while it showed nothing"
    offered = [at for at, _, live in shown if live]
    assert offered[0] <= matched + seconds(10)
    assert [terms.purpose for _, terms in run.placed(Side.SELL)] == [Purpose.TARGET]
    assert run.sql("select count(*) from adjustments") == [(0,)]
    assert run.notes(nt.DriftFound) == []
    assert run.sql("select shares_micro from positions") == [(shares("20"),)]
    assert logged(run, "did", "OrderRejected") == []


@pytest.mark.spec("S28.A3")
def test_a_fee_taken_in_shares_leaves_the_cost_as_it_was(exchange_truth: WireStage) -> None:
    """6 bought at 0.40 in the older fee era: 5.9075 are held, and they cost what 6 did. Played in process: the wire
    knows the present era alone."""
    market = window(fees=FeeSchedule(rate=25_694, in_shares_on_buys=True))
    told = (Told(10, 12, 0, wish(Outcome.UP, "0.40")),)
    tape = tape_file(market, steady(market, "0.38x500", "0.40x6"))
    run = exchange_truth.play([tape], Scheduled(told, AT_ONCE))
    run.agree()
    assert run.sql("select shares_micro, paid_micro from positions") == [(shares("5.9075"), usd("2.40"))]
    assert run.held(market, Outcome.UP) == shares("5.9075")


@pytest.mark.spec("S28.A1")
def test_a_limit_of_55_filled_at_52_and_53_was_bought_at_their_average(exchange_truth: WireStage) -> None:
    """The row says what the exchange's trades cost, fees included, and not the limit of the order."""
    tape = tape_file(MARKET, steady(MARKET, "0.50x500", "0.52x2 0.53x4 0.56x500"))
    run = exchange_truth.play_on_wire([tape], Scheduled((Told(10, 12, 0, wish(Outcome.UP, "0.55")),)))
    run.agree()
    assert run.placed(Side.BUY)[0][1].price == price("0.55")
    bought = legs(run, Side.BUY)
    assert {leg.price for leg in bought} == {price("0.52"), price("0.53")}
    paid = sum(leg.cash + leg.fee for leg in bought)
    assert run.sql("select shares_micro, paid_micro from positions") == [(total(bought), paid)]
    assert total(bought) == run.held(MARKET, Outcome.UP) == shares(6)
    assert run.cash == usd(1_000) - paid
