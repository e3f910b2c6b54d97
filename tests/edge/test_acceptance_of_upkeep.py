"""Acceptance conditions of what is read beside trading: notifications, the referee's book, listings, trade history.

The trader is whole, the exchange is behind its own HTTP and WebSockets, and what counts is what the exchange has.
"""

from fractions import Fraction

import pytest
from msgspec.structs import replace

from polystra.app.connection import Habits, Place
from polystra.app.throwaway import throwaway_wallet
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.commands import DropNotifications, PlaceOrder, QueryOrder
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.ids import OrderId, VenueOrderId
from polystra.core.notices import NoticeKind
from polystra.core.strategy import ExitPolicy, StopPolicy, Tolerance
from polystra.core.terms import Liquidity, Outcome, Purpose, Side
from polystra.core.units import MICRO, Instant, Nanos, price, seconds, shares
from polystra.edge.polymarket.client import VenueAddresses, open_client
from polystra.edge.polymarket.wire import Fill
from polystra.exchange.faults import Fault, Switch
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.wire_stage import Floor, Killed, WireOutcomes, WireStage, exchange_truth
from tests.edge.wish_cases import changed, steady_stakes
from tests.truth import after, printed, scripted, steady, tape_file, window, wish

__all__ = ["exchange_truth"]

MARKET = window()
RESTS = wish(Outcome.UP, "0.50", rests=True)
TAKES = wish(Outcome.UP, "0.52")
QUIET = tape_file(MARKET, steady(MARKET, "0.50x100", "0.52x100"))
PARTLY = tape_file(MARKET, [*steady(MARKET, "0.50x100", "0.52x100"), printed(MARKET, 40, "0.50", "120", Side.SELL)])
"""A part of what rests at 0.50 trades at second 40."""

DROP = "DELETE /notifications"
EVERY_30 = Habits(notifications_every=seconds(30))


def deaf(floor: Floor) -> None:
    """The user stream tells nothing."""
    floor.fail(Fault.STREAM_FROZEN, "user", times=None)


def read(run: WireOutcomes) -> list[tuple[ev.NotificationsRead, Step]]:
    return [(event, step) for event, step in run.steps if isinstance(event, ev.NotificationsRead)]


def by_notices_alone(stage: WireStage) -> WireStage:
    """The account itself is read too seldom to tell anything."""
    stage.settings = changed(stage.settings, engine={"reading_every_seconds": 3_600.0})
    stage.habits = EVERY_30
    return stage


# --- S18: notifications


@pytest.mark.spec("S18.A1")
def test_a_notice_that_is_told_twice_counts_once(exchange_truth: WireStage) -> None:
    """It could not be dropped. The order is live all the time, a part of it has traded."""

    def before(floor: Floor) -> None:
        deaf(floor)
        floor.fail(Fault.ERROR_BEFORE, DROP, times=2)

    stays = replace(RESTS, tolerance=Tolerance(shares=shares("1000")))
    strategy = scripted({20.0: stays, 30.0: stays})
    run = by_notices_alone(exchange_truth).play_on_wire([PARTLY], strategy, before=before)
    assert run.floor.hits(Fault.ERROR_BEFORE) == 2
    assert len(run.taken()) == 1
    fills = [
        (notice, event.at) for event, _ in read(run) for notice in event.notices if notice.kind is NoticeKind.FILLED
    ]
    assert len(fills) == 3
    assert len({notice.id for notice, _ in fills}) == 1
    asked = [QueryOrder(order=OrderId(1)) in step.commands for _, step in read(run)]
    assert asked[:3] == [True, False, False]
    booked = run.sql("select at, shares_micro from fills")
    assert len(booked) == len(run.truth.trades) == 1
    assert booked[0][0] < after(62), "the notice told, and nothing else did"
    run.agree()


@pytest.mark.spec("S18.A2")
def test_killed_before_a_notice_was_dropped_nothing_is_booked_twice(exchange_truth: WireStage) -> None:
    """The next life reads it again."""
    killed: list[Instant] = []

    def meddle(floor: Floor, event: AnyEvent, step: Step) -> None:
        if not killed and any(isinstance(one, DropNotifications) for one in step.commands):
            killed.append(event.at)
            raise Killed

    run = by_notices_alone(exchange_truth).play_on_wire(
        [PARTLY], scripted({20.0: RESTS}), before=deaf, meddle=meddle, lives=2
    )
    assert len(killed) == 1
    told = [notice.id for event, _ in read(run) for notice in event.notices if notice.kind is NoticeKind.FILLED]
    assert len(told) == 2
    assert len(set(told)) == 1
    assert run.sql("select count(*) from runs") == [(2,)]
    assert run.sql("select count(*) from fills") == [(len(run.truth.trades),)] == [(1,)]
    run.agree()


@pytest.mark.spec("S18.A3")
def test_a_notice_of_an_order_that_is_not_ours_changes_nothing_and_is_not_spoken_of(exchange_truth: WireStage) -> None:
    """Somebody uses the same wallet by hand: places an order and takes it back."""
    strange = VenueOrderId("0x" + "5a" * 32)

    def meddle(floor: Floor, event: AnyEvent, step: Step) -> None:
        if any(isinstance(one, PlaceOrder) for one in step.commands):
            account = Account(floor.standing.accounts[0].wallet)
            by_hand = sim.Submit(
                account=account,
                order=strange,
                token=MARKET.up_token,
                side=Side.BUY,
                maker_amount=2_000_000,
                taker_amount=10_000_000,
            )
            floor.standing.venue.ask(by_hand)
            floor.standing.venue.ask(sim.Cancel(account=account, orders=(strange,)))

    run = by_notices_alone(exchange_truth).play_on_wire([QUIET], scripted({20.0: RESTS}), meddle=meddle)
    assert strange in run.taken()
    untracked = [(event, step) for event, step in read(run) if any(one.order is None for one in event.notices)]
    event, step = untracked[0]
    assert [notice.kind for notice in event.notices] == [NoticeKind.CANCELLED]
    assert step == Step(commands=(DropNotifications(ids=(event.notices[0].id,)),))
    assert run.sql("select count(*) from orders") == [(1,)]
    assert run.notes(nt.ForeignOrderSeen) == []


# --- S16: without any price


LOW = [*steady(MARKET, "0.50x500", "0.52x500", end=40), *steady(MARKET, "0.20x500", "0.22x500", begin=40)]
STOP = ExitPolicy(stop=StopPolicy(price=price("0.30"), min_age=seconds(60)))


@pytest.mark.spec("S16.A2")
def test_a_holding_without_any_price_is_said_to_be_unpriced_and_no_old_price_stops_it(
    exchange_truth: WireStage,
) -> None:
    """The last price is below the stop when stream and book fall silent; the stop may hold from second 70 on."""

    def before(floor: Floor) -> None:
        silent = Switch(fault=Fault.STREAM_FROZEN, where="market", times=None)
        floor.standing.venue.later(Nanos(after(55) - floor.now), lambda: floor.faults.switch_on(silent))
        floor.fail(Fault.ERROR_BEFORE, "GET /book", times=None)

    def meddle(floor: Floor, event: AnyEvent, step: Step) -> None:
        if event.at >= after(150):
            floor.faults.switch_off()

    run = exchange_truth.play_on_wire(
        [tape_file(MARKET, LOW)], scripted({10.0: TAKES}, STOP), before=before, meddle=meddle
    )
    assert run.floor.hits(Fault.STREAM_FROZEN) > 30
    assert run.floor.hits(Fault.ERROR_BEFORE) > 30
    told = [
        (event.at, note) for event, step in run.steps for note in step.notes if isinstance(note, nt.PositionUnpriced)
    ]
    at, unpriced = told[0]
    assert len(told) == 1
    assert (unpriced.market, seconds(15) <= at - unpriced.since <= seconds(16)) == (MARKET.id, True)
    stops = [at for at, terms in run.placed(Side.SELL) if terms.purpose is Purpose.STOP]
    assert stops[0] >= after(150)
    assert run.held(MARKET, Outcome.UP) == 0, "as soon as there was a price the stop held"
    run.agree()


# --- T4: before an exit


AT_ONCE = ExitPolicy(target=price("0.99"))
RESTING_SIZE = shares("20")
"""What 10 USD buy at 0.50."""


@pytest.mark.spec("T4.A2")
def test_an_exit_found_too_small_after_a_restart_becomes_one_of_the_whole_holding(exchange_truth: WireStage) -> None:
    """What was taken is on offer when the process dies; what rested is filled by the time it lives again."""
    live: list[tuple[int, ...]] = []
    killed: list[int] = []

    def meddle(floor: Floor, event: AnyEvent, step: Step) -> None:
        sells, buys = (
            tuple(order.size for order in floor.truth().orders if order.side is side) for side in (Side.SELL, Side.BUY)
        )
        live.append(sells)
        if sells and any(size == RESTING_SIZE for size in buys) and not killed:
            killed.extend(sells)
            sold_into = sim.PrintTrade(market=MARKET.id, price=price("0.50"), size=shares("500"), taker=Side.SELL)
            floor.standing.venue.feed(sold_into)
            raise Killed

    exchange_truth.settings = steady_stakes(exchange_truth.settings)
    two = scripted({20.0: TAKES, 30.0: RESTS}, AT_ONCE)
    run = exchange_truth.play_on_wire([QUIET], two, meddle=meddle, lives=2)
    held = run.held(MARKET, Outcome.UP)
    assert run.sql("select count(*) from runs") == [(2,)]
    assert held == killed[0] + RESTING_SIZE
    assert max(map(len, live)) == 1, "never two at once"
    assert {sells for sells in live if sells} == {(killed[0],), (held,)}
    assert run.sql("select count(*) from orders where side = 'SELL'") == [(2,)]
    run.agree()


@pytest.mark.spec("T4.A3")
@pytest.mark.parametrize(("until", "within"), [(30, 2), (60, 60)])
def test_while_the_listing_fails_no_exit_is_placed_and_it_is_tried_again(
    exchange_truth: WireStage, until: float, within: float
) -> None:
    """From the entry on. The account is read every second for the first half minute, then once a minute."""
    failing: list[Instant] = []

    def meddle(floor: Floor, event: AnyEvent, step: Step) -> None:
        if any(isinstance(one, PlaceOrder) for one in step.commands) and not failing:
            failing.append(event.at)
            floor.fail(Fault.ERROR_BEFORE, "GET /data/orders", times=None)
        if event.at >= after(until):
            floor.faults.switch_off()

    run = exchange_truth.play_on_wire([QUIET], scripted({10.0: TAKES}, AT_ONCE), meddle=meddle)
    assert run.floor.hits(Fault.ERROR_BEFORE) > 5, "it is tried again and again"
    (placed, terms), *more = run.placed(Side.SELL)
    assert not more
    assert after(until) <= placed <= after(until + within)
    assert terms.shares == run.held(MARKET, Outcome.UP) > 0
    run.agree()


# --- S19: trade history


def profit(fills: list[Fill], fee_rate: int, exponent: int, payout_up: int) -> Fraction:
    """Of one window, in USD, recomputed from the venue's list of our trades alone: cash in and out, fees, what is left
    at settlement. Fees are paid by takers, p x (1 - p) to the exponent for each share."""
    total = Fraction(0)
    for fill in fills:
        at, size = Fraction(fill.price, MICRO), Fraction(fill.shares, MICRO)
        worth = Fraction(payout_up if fill.token == MARKET.up_token else 1 - payout_up)
        fee = (
            Fraction(fee_rate, MICRO) * (at * (1 - at)) ** exponent * size
            if fill.liquidity is Liquidity.TAKER
            else Fraction(0)
        )
        total += size * (worth - at) if fill.side is Side.BUY else size * (at - worth)
        total -= fee
    return total


FALLS = [*steady(MARKET, "0.50x500", "0.52x77", end=60), *steady(MARKET, "0.20x500", "0.22x500", begin=60)]
RISES = [*steady(MARKET, "0.50x500", "0.52x77", end=60), *steady(MARKET, "0.90x30 0.80x500", "0.92x500", begin=60)]


@pytest.mark.spec("S19.A1")
@pytest.mark.parametrize(
    ("rows", "policy", "payout"),
    [
        pytest.param(FALLS, ExitPolicy(stop=StopPolicy(price=price("0.30"), min_age=seconds(5))), 0, id="stopped"),
        pytest.param(RISES, ExitPolicy(target=price("0.90"), min_age=seconds(5)), 1, id="at its target"),
        pytest.param(RISES, ExitPolicy(), 1, id="held and won"),
        pytest.param(FALLS, ExitPolicy(), 0, id="held and lost"),
    ],
)
def test_the_profit_of_a_closed_window_is_that_of_its_trade_history(
    exchange_truth: WireStage, rows: list[ev.BookSnapshot], policy: ExitPolicy, payout: int
) -> None:
    history: list[Fill] = []

    async def afterwards(place: Place) -> None:
        addresses = VenueAddresses(clob=place.clob, gamma=place.gamma, market_ws=place.market_ws, user_ws=place.user_ws)
        async with open_client(addresses, throwaway_wallet(1)) as client:
            told = await client.venue.trades(market=MARKET.id)
            assert isinstance(told, tuple)
            history.extend(told)

    tape = tape_file(MARKET, list(rows), payout_up=str(payout))
    run = exchange_truth.play_on_wire([tape], scripted({10.0: TAKES}, policy), afterwards=afterwards)
    assert {fill.trade for fill in history} == {trade.id for trade in run.truth.trades}
    assert history
    (kept,) = run.sql("select pnl_micro from settlements where market = ?", MARKET.id)[0]
    assert MARKET.fees is not None
    expected = profit(history, MARKET.fees.rate, MARKET.fees.exponent, payout)
    assert abs(Fraction(kept, MICRO) - expected) <= Fraction(1, 100)
    assert kept != 0
    run.agree()
