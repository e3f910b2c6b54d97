"""Acceptance conditions of placing: batches, answers that are late or lost, cash, allowance and liquidity.

The trader is whole, the exchange is behind its own HTTP and WebSockets, and what counts is what the exchange has.
"""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.commands import PlaceOrder, QueryOrder
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.ids import OrderId
from polystra.core.orders import OrderState
from polystra.core.reasons import RefusalReason
from polystra.core.strategy import Wish
from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import seconds, shares, usd
from polystra.edge.polymarket.contracts import COLLATERAL, STANDARD
from polystra.exchange.faults import Fault, Switch
from polystra.exchange.members import SpenderApproved
from polystra.sim.records import Account
from tests.edge.wire_stage import Floor, WireOutcomes, WireStage, exchange_truth
from tests.edge.wish_cases import COINS, changed, coin_window, quiet, steady_stakes, together
from tests.truth import after, scripted, steady, tape_file, window, wish

__all__ = ["exchange_truth"]

ONE, MANY = "POST /order", "POST /orders"
UP = wish(Outcome.UP, "0.50", rests=True)
DOWN = wish(Outcome.DOWN, "0.45", rests=True)
TWO_COINS = [coin_window(0), coin_window(1)]


def count_requests(floor: Floor, where: str = MANY) -> None:
    """Answers that come late by nothing are a counter of requests."""
    floor.fail(Fault.REPLY_LATE, where, times=None)


def first_orders(run: WireOutcomes) -> list[OrderId]:
    """Those of the first step that placed any."""
    return next(
        placed
        for _, step in run.steps
        if (placed := [one.order for one in step.commands if isinstance(one, PlaceOrder)])
    )


def names(run: WireOutcomes) -> dict[OrderId, str | None]:
    """What the exchange calls each order of the ledger, None for one that never left."""
    return {OrderId(number): name for number, name in run.sql("select id, venue_order from orders")}


# --- S7: batches


@pytest.mark.spec("S7.A1")
def test_of_four_orders_the_second_breaks_a_rule_and_the_other_three_are_placed(exchange_truth: WireStage) -> None:
    """A GTD order that ends too soon is refused here, before a byte of it leaves."""
    exchange_truth.settings = steady_stakes(exchange_truth.settings)
    too_short = replace(DOWN, time_in_force=TimeInForce.GTD, good_for=seconds(100))
    told = {"BTC": (UP, too_short), "ETH": (UP, DOWN)}
    run = exchange_truth.play_on_wire(quiet(TWO_COINS), together(told), before=count_requests)
    (why,) = {event.why for event, _ in run.steps if isinstance(event, ev.OrderNotSent) and event.order == 2}
    assert "expir" in why
    assert run.floor.hits(Fault.REPLY_LATE) == 1
    _three_of_four(run)


@pytest.mark.spec("S7.A1")
def test_of_four_orders_the_exchange_refuses_the_second_and_the_other_three_keep_their_answers(
    exchange_truth: WireStage,
) -> None:
    exchange_truth.settings = steady_stakes(exchange_truth.settings)

    def before(floor: Floor) -> None:
        text = "Size (4) lower than the minimum: 5"
        floor.faults.switch_on(Switch(fault=Fault.ORDER_REFUSED, where=MANY, skip=1, text=text))
        floor.faults.switch_on(Switch(fault=Fault.ORDER_REFUSED, where=ONE, times=None, text=text))

    told = {"BTC": (UP, DOWN), "ETH": (UP, DOWN)}
    run = exchange_truth.play_on_wire(quiet(TWO_COINS), together(told), before=before)
    assert run.floor.hits(Fault.ORDER_REFUSED) > 1
    refused = [event for event, _ in run.steps if isinstance(event, ev.OrderRefused) and event.order <= 4]
    assert [(one.order, one.reason) for one in refused] == [(2, RefusalReason.TOO_SMALL)]
    _three_of_four(run)


def _three_of_four(run: WireOutcomes) -> None:
    assert first_orders(run) == [1, 2, 3, 4]
    named, taken = names(run), run.taken()
    assert {named[OrderId(number)] for number in (1, 3, 4)} == set(taken)
    assert len(taken) == len(set(taken)) == 3
    assert named[OrderId(2)] not in taken
    run.agree()


@pytest.mark.spec("S7.A2")
@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.REPLY_LATE])
def test_a_batch_whose_answer_never_came_is_in_the_ledger_once(exchange_truth: WireStage, fault: Fault) -> None:
    exchange_truth.settings = steady_stakes(exchange_truth.settings)

    def before(floor: Floor) -> None:
        floor.fail(fault, MANY, delay=60)
        floor.fail(Fault.STREAM_FROZEN, "user", times=None)

    told = {"BTC": (UP, DOWN), "ETH": (UP, DOWN)}
    run = exchange_truth.play_on_wire(quiet(TWO_COINS), together(told), before=before)
    assert run.floor.hits(fault) == 1
    assert {event.order for event, _ in run.steps if isinstance(event, ev.OrderOutcomeUnknown)} == {1, 2, 3, 4}
    taken = run.taken()
    assert len(taken) == len(set(taken)) == 4
    assert sorted(taken) == sorted(name for name in names(run).values() if name is not None)
    assert {note.order for note in run.notes(nt.OrderMoved) if note.after == OrderState.WORKING} == {1, 2, 3, 4}
    run.agree()


@pytest.mark.spec("S7.A3")
def test_20_orders_of_one_step_leave_in_two_requests(exchange_truth: WireStage) -> None:
    """Fifteen is the most that the exchange takes at once."""
    exchange_truth.settings = steady_stakes(exchange_truth.settings)
    markets = [*(coin_window(nth) for nth in range(8)), *(coin_window(nth, minutes=15) for nth in range(2))]
    told = dict.fromkeys(COINS, (UP, DOWN))
    run = exchange_truth.play_on_wire(quiet(markets), together(told), before=count_requests)
    assert len(first_orders(run)) == 20
    assert run.floor.hits(Fault.REPLY_LATE) == 2
    taken = run.taken()
    assert len(taken) == len(set(taken)) == 20
    assert sorted(taken) == sorted(filter(None, names(run).values()))
    assert run.sql("select count(*) from orders") == [(20,)]
    run.agree()


# --- S13: an order that is not there


MARKET = window()
QUIET = tape_file(MARKET, steady(MARKET, "0.50x100", "0.52x100"))
TAKES = wish(Outcome.UP, "0.52")
ENDS = (OrderState.CANCELLED, OrderState.REFUSED, OrderState.EXPIRED)


@pytest.mark.spec("S13.A2")
@pytest.mark.parametrize("kind", [UP, TAKES], ids=["rests", "takes"])
def test_an_order_that_is_not_there_is_not_declared_dead_within_10_s(exchange_truth: WireStage, kind: Wish) -> None:
    """No answer came, and every second the exchange says that it does not know it: it may be on its way still."""

    def before(floor: Floor) -> None:
        floor.fail(Fault.RESET, ONE, times=3)
        floor.fail(Fault.STREAM_FROZEN, "user", times=None)

    run = exchange_truth.play_on_wire([QUIET], scripted({20.0: kind}), before=before)
    assert run.floor.hits(Fault.RESET) == 3
    decided, _ = run.placed(Side.BUY)[0]
    ends = [
        event.at
        for event, step in run.steps
        for note in step.notes
        if isinstance(note, nt.OrderMoved) and note.order == 1 and note.after in ENDS
    ]
    asked = [event.at for event, step in run.steps if QueryOrder(order=OrderId(1)) in step.commands]
    assert sum(at < decided + seconds(10) for at in asked) > (1 if kind is UP else 8), "it was asked for, and not there"
    assert not [at for at in ends if at < decided + seconds(10)]
    assert len(ends) == 1, "in the end it is"
    run.agree()


# --- S17: cash and allowance


@pytest.mark.spec("S17.A1")
def test_of_three_stakes_of_4_from_10_the_third_is_skipped_with_its_reason(exchange_truth: WireStage) -> None:
    exchange_truth.settings = changed(
        exchange_truth.settings,
        simulation={"starting_cash_usd": Decimal(10)},
        stakes={"bet_percent": Decimal(100), "max_stake_usd": Decimal(4)},
        unfilled={"cancel_orders": False},
    )
    told = dict.fromkeys(COINS[:3], (wish(Outcome.UP, "0.40", rests=True, conviction="1"),))
    run = exchange_truth.play_on_wire(quiet([coin_window(nth) for nth in range(3)]), together(told))
    assert len(run.taken()) == 2
    skipped = run.notes(nt.EntryDenied)[0]
    assert (skipped.market, skipped.limit) == (coin_window(2).id, "free cash")
    assert (skipped.value, skipped.allowed) == ("4", "at most 2")
    run.agree()


@pytest.mark.spec("S17.A2")
def test_nothing_is_bought_while_the_balance_cannot_be_read(exchange_truth: WireStage) -> None:
    """From the second 10 to 60 of the window; the wish is from second 20 on, and is met as soon as it can be."""
    balance = "GET /balance-allowance"
    exchange_truth.settings = changed(exchange_truth.settings, engine={"reading_every_seconds": 5.0})

    def meddle(floor: Floor, event: AnyEvent, step: Step) -> None:
        if after(10) <= event.at < after(60) and not floor.faults.switches():
            floor.fail(Fault.ERROR_BEFORE, balance, times=None)
        if event.at >= after(60):
            floor.faults.switch_off()

    run = exchange_truth.play_on_wire([QUIET], scripted({20.0: TAKES}), meddle=meddle)
    assert run.floor.hits(Fault.ERROR_BEFORE) > 5
    denied = run.notes(nt.EntryDenied)[0]
    assert denied.limit == "market halted"
    assert "reading the venue failed: /balance-allowance" in denied.value
    (trade,) = run.truth.trades
    assert trade.matched_at > after(60)
    run.agree()


@pytest.mark.spec("S17.A3")
def test_without_an_allowance_nothing_is_ordered_and_the_remedy_is_told(exchange_truth: WireStage) -> None:
    def before(floor: Floor) -> None:
        wallet = floor.standing.accounts[0].wallet
        floor.standing.venue.members.approve(SpenderApproved(Account(wallet), COLLATERAL, STANDARD.contract, "0"))

    run = exchange_truth.play_on_wire([QUIET], scripted({20.0: TAKES}), before=before)
    assert "Submit" not in run.asked()
    denied = run.notes(nt.EntryDenied)[0]
    assert (denied.limit, denied.value) == ("allowance", "0")
    assert "approve the exchange's contract with this wallet" in denied.allowed
    assert run.cash == usd("1000")
    run.agree()


# --- S21: liquidity


def _only_denied(run: WireOutcomes, limit: str) -> nt.EntryDenied:
    """Why nothing was ordered at all."""
    assert "Submit" not in run.asked()
    assert run.truth.trades == ()
    denied = run.notes(nt.EntryDenied)[0]
    assert isinstance(denied, nt.EntryDenied)
    assert denied.limit == limit
    return denied


@pytest.mark.spec("S21.A1")
def test_a_spread_above_the_limit_is_no_market_to_enter(exchange_truth: WireStage) -> None:
    exchange_truth.settings = changed(exchange_truth.settings, limits={"max_spread": Decimal("0.10")})
    wide = tape_file(MARKET, steady(MARKET, "0.42x100", "0.53x100"))
    run = exchange_truth.play_on_wire([wide], scripted({20.0: wish(Outcome.UP, "0.53")}))
    denied = _only_denied(run, "spread")
    assert (denied.value, denied.allowed) == ("0.11", "at most 0.1")


def test_a_spread_at_the_limit_is_entered(exchange_truth: WireStage) -> None:
    exchange_truth.settings = changed(exchange_truth.settings, limits={"max_spread": Decimal("0.10")})
    wide = tape_file(MARKET, steady(MARKET, "0.43x100", "0.53x100"))
    run = exchange_truth.play_on_wire([wide], scripted({20.0: wish(Outcome.UP, "0.53")}))
    assert len(run.truth.trades) == 1


@pytest.mark.spec("S21.A2")
@pytest.mark.parametrize(("bids", "asks"), [("", "0.52x100"), ("0.50x100", "")])
def test_half_a_book_has_no_spread_and_is_not_entered(exchange_truth: WireStage, bids: str, asks: str) -> None:
    half = tape_file(MARKET, steady(MARKET, bids, asks))
    run = exchange_truth.play_on_wire([half], scripted({20.0: UP}))
    assert _only_denied(run, "spread").value == "unknown"


@pytest.mark.spec("S21.A2")
def test_the_last_spread_of_a_silent_stream_is_an_unknown_one(exchange_truth: WireStage) -> None:
    def before(floor: Floor) -> None:
        """The first books are heard."""
        floor.faults.switch_on(Switch(fault=Fault.STREAM_FROZEN, where="market", times=None, skip=8))

    run = exchange_truth.play_on_wire([QUIET], scripted({20.0: TAKES}), before=before)
    assert run.floor.hits(Fault.STREAM_FROZEN) > 5
    assert _only_denied(run, "book").allowed == "trusted"


@pytest.mark.spec("S21.A3")
def test_of_a_stake_of_50_shares_only_the_3_on_offer_are_ordered(exchange_truth: WireStage) -> None:
    thin = tape_file(MARKET, steady(MARKET, "0.50x100", "0.52x3 0.60x500"))
    run = exchange_truth.play_on_wire([thin], scripted({20.0: TAKES}))
    assert [leg.shares for leg in (trade.taker for trade in run.truth.trades)] == [shares("3")]
    assert {terms.shares for _, terms in run.placed(Side.BUY)} == {shares("3")}
    run.agree()


@pytest.mark.spec("S21.A3")
def test_where_less_is_on_offer_than_the_least_order_costs_none_is_sent(exchange_truth: WireStage) -> None:
    thin = tape_file(MARKET, steady(MARKET, "0.50x100", "0.52x1 0.60x500"))
    run = exchange_truth.play_on_wire([thin], scripted({20.0: TAKES}))
    assert _only_denied(run, "order value").allowed == "at least 1"
