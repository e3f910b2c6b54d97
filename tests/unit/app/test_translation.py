"""From the pretend exchange's words to the engine's, each on its own. Whole orders: `test_translation_of_orders`."""

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from polystra.app.outbox import OrderNames
from polystra.app.translation import (
    answer_events,
    background,
    fill_event,
    fill_of,
    live_order,
    market_facts,
    public_event,
    told_fill,
    user_event,
)
from polystra.app.world_batch import Batch
from polystra.core import events as ev
from polystra.core.fees import FeeSchedule
from polystra.core.ids import OrderId, TradeId, VenueOrderId
from polystra.core.markets import Payout, PriceSource
from polystra.core.reasons import CancelReason, RefusalReason
from polystra.core.terms import Liquidity, Outcome, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, Tick, Usd, price, seconds, shares, usd
from polystra.edge.polymarket.wire import Fill
from polystra.sim import messages as sim
from polystra.sim.records import Account, Leg, OpenOrder, Trade
from tests.truth import CRYPTO_FEES, OLD_FEES, window
from tests.unit.sim.bench import ANN, DOWN, MARKET, UP

NOW = Instant(0)
MATCHED = Instant(5_999_999_999)
OURS, FOREIGN = VenueOrderId("o1"), VenueOrderId("0xforeign")
BIDS, ASKS = ((price("0.4"), shares(1)),), ((price("0.6"), shares(2)),)
RESTING_BUY = {OrderId(7): (Side.BUY, True)}


def names() -> OrderNames:
    return OrderNames({OURS: OrderId(7)})


def open_order(order: VenueOrderId = OURS, matched: str = "0") -> OpenOrder:
    return OpenOrder(
        id=order,
        account=ANN,
        market=MARKET,
        token=UP,
        outcome=Outcome.UP,
        side=Side.BUY,
        price=price("0.50"),
        size=shares(10),
        matched=shares(matched),
        remaining=shares(10),
        time_in_force=TimeInForce.GTC,
        expiration=0,
        created_at=NOW,
    )


def leg(order: VenueOrderId, outcome: Outcome, at: str, **changes: Any) -> Leg:
    fields: dict[str, Any] = {
        "account": ANN,
        "order": order,
        "token": UP if outcome is Outcome.UP else DOWN,
        "outcome": outcome,
        "side": Side.BUY,
        "price": price(at),
        "shares": shares(10),
        "cash": usd(4),
    }
    return Leg(**(fields | changes))


def trade_update(liquidity: Liquidity, stage: TradeStage = TradeStage.MATCHED, **legs: Leg) -> sim.TradeUpdated:
    fields: dict[str, Any] = {"taker": leg(FOREIGN, Outcome.UP, "0.60"), "maker": leg(OURS, Outcome.DOWN, "0.40")}
    trade = Trade(
        id=TradeId("t1"), market=MARKET, stage=stage, matched_at=MATCHED, updated_at=Instant(9), **(fields | legs)
    )
    return sim.TradeUpdated(at=Instant(9), account=ANN, liquidity=liquidity, trade=trade)


def answered(output: sim.Answer, sides: dict[OrderId, tuple[Side, bool]] | None = None) -> list[ev.AnyEvent]:
    return answer_events(output, names(), RESTING_BUY if sides is None else sides)


def rejected(http: int, text: str, order: VenueOrderId = OURS) -> sim.OrderRejected:
    return sim.OrderRejected(at=Instant(9), account=ANN, order=order, http=http, text=text)


def accepted(status: sim.OrderAnswer, making: str = "0", taking: str = "0", order: VenueOrderId = OURS) -> Any:
    return sim.OrderAccepted(
        at=Instant(9), account=ANN, order=order, status=status, making=usd(making), taking=usd(taking)
    )


# --- a market as the exchange runs it


@pytest.mark.parametrize("fees", [CRYPTO_FEES, OLD_FEES, None], ids=["today", "before 2026-04-28", "unknown"])
def test_a_market_is_run_with_its_own_facts(fees: FeeSchedule | None) -> None:
    market = window(fees=fees, tick=Tick(price("0.001")), min_shares=shares(15))
    facts = market_facts(market, seconds(0.15))
    assert (facts.id, facts.up_token, facts.down_token) == (market.id, market.up_token, market.down_token)
    assert (facts.tick, facts.min_shares, facts.start, facts.end) == (1_000, 15_000_000, market.start, market.end)
    assert facts.taker_hold == seconds(0.15)
    expected = (0, 1, 0, False)
    if fees is not None:
        expected = (fees.rate, fees.exponent, fees.rebate_rate, fees.in_shares_on_buys)
    assert (facts.fee_rate, facts.fee_exponent, facts.rebate_rate, facts.fee_in_shares) == expected


# --- recorded rows


@pytest.mark.parametrize(
    ("row", "request_"),
    [
        (
            ev.BookSnapshot(at=NOW, market=MARKET, bids=BIDS, asks=ASKS),
            sim.SetBook(market=MARKET, bids=BIDS, asks=ASKS),
        ),
        (
            ev.BookChanged(at=NOW, market=MARKET, changes=(ev.LevelChange(Side.SELL, price("0.6"), shares(3)),)),
            sim.ChangeLevels(market=MARKET, changes=(sim.LevelChange(Side.SELL, price("0.6"), shares(3)),)),
        ),
        (
            ev.TradePrinted(at=NOW, market=MARKET, price=price("0.5"), size=shares(4), taker=Side.BUY),
            sim.PrintTrade(market=MARKET, price=price("0.5"), size=shares(4), taker=Side.BUY),
        ),
        (
            ev.TickSizeChanged(at=NOW, market=MARKET, tick=Tick(price("0.001"))),
            sim.SetTick(market=MARKET, tick=price("0.001")),
        ),
        (ev.BestQuoted(at=NOW, market=MARKET, bid=price("0.4"), ask=price("0.6")), None),
        (
            ev.PricePrinted(at=NOW, asset="BTC", source=PriceSource.BINANCE_SPOT, value=1, stamped_at=NOW),
            None,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_recorded_row_is_what_it_does_to_the_exchange(row: ev.AnyEvent, request_: sim.Request | None) -> None:
    assert background(row) == request_


# --- the market stream


AT, WHOLE = Instant(9_999_999), Instant(9_000_000)
"""A moment, and what the market stream says of it."""


def test_every_public_output_is_told_as_the_wire_tells_it() -> None:
    change = sim.LevelChange(Side.BUY, price("0.4"), shares(1))
    told: dict[sim.Public, ev.AnyEvent | None] = {
        sim.PublicBook(at=AT, market=MARKET, bids=BIDS, asks=ASKS, tick=price("0.01")): ev.BookSnapshot(
            at=NOW, market=MARKET, bids=BIDS, asks=ASKS, venue_at=WHOLE
        ),
        sim.PublicLevels(
            at=AT, market=MARKET, changes=(change,), best_bid=price("0.4"), best_ask=price("0.6")
        ): ev.BookChanged(
            at=NOW,
            market=MARKET,
            changes=(ev.LevelChange(Side.BUY, price("0.4"), shares(1)),),
            best_bid=price("0.4"),
            best_ask=price("0.6"),
            venue_at=WHOLE,
        ),
        sim.PublicTrade(at=AT, market=MARKET, price=price("0.5"), size=shares(3), taker=Side.SELL): ev.TradePrinted(
            at=NOW, market=MARKET, price=price("0.5"), size=shares(3), taker=Side.SELL
        ),
        sim.PublicTick(at=AT, market=MARKET, old=price("0.01"), new=price("0.001")): ev.TickSizeChanged(
            at=NOW, market=MARKET, tick=Tick(price("0.001"))
        ),
        sim.PublicClose(at=AT, market=MARKET): None,
        sim.PublicResolution(at=AT, market=MARKET, up_payout=Usd(1_000_000)): ev.MarketResolved(
            at=NOW, market=MARKET, payout=Payout(Usd(1_000_000))
        ),
    }
    assert {type(output) for output in told} == set(get_args(sim.Public)), "every kind is in this table"
    for output, event in told.items():
        assert public_event(output) == event


def test_a_void_market_has_no_winner_and_is_not_told_on_the_stream() -> None:
    assert public_event(sim.PublicResolution(at=AT, market=MARKET, up_payout=Usd(500_000))) is None


def test_a_trade_of_which_nobody_knows_who_took_is_called_a_buy() -> None:
    told = public_event(sim.PublicTrade(at=AT, market=MARKET, price=price("0.5"), size=shares(3), taker=None))
    assert isinstance(told, ev.TradePrinted)
    assert told.taker is Side.BUY


# --- answers


@pytest.mark.parametrize(
    ("output", "sides", "event"),
    [
        (
            accepted(sim.OrderAnswer.LIVE),
            (Side.BUY, True),
            ev.OrderAccepted(at=NOW, order=OrderId(7), rests=True),
        ),
        (
            accepted(sim.OrderAnswer.MATCHED, making="5.2", taking="10"),
            (Side.BUY, False),
            ev.OrderAccepted(at=NOW, order=OrderId(7), rests=False, matched=shares(10), paid=usd("5.2")),
        ),
        (
            accepted(sim.OrderAnswer.MATCHED, making="10", taking="5.2"),
            (Side.SELL, False),
            ev.OrderAccepted(at=NOW, order=OrderId(7), rests=False, matched=shares(10), paid=usd("5.2")),
        ),
        (
            accepted(sim.OrderAnswer.MATCHED, making="2.6", taking="5"),
            (Side.BUY, True),
            ev.OrderAccepted(at=NOW, order=OrderId(7), rests=True, matched=shares(5), paid=usd("2.6")),
        ),
        (
            accepted(sim.OrderAnswer.DELAYED),
            (Side.BUY, False),
            ev.OrderOutcomeUnknown(at=NOW, order=OrderId(7), why="delayed by the venue"),
        ),
    ],
    ids=["rests", "bought", "sold", "bought in part and rests", "delayed says nothing"],
)
def test_an_accepted_order(output: sim.OrderAccepted, sides: tuple[Side, bool], event: ev.AnyEvent) -> None:
    assert answered(output, {OrderId(7): sides}) == [event]


def test_a_refusal_has_its_reason_and_the_venues_words() -> None:
    assert answered(rejected(400, "invalid expiration")) == [
        ev.OrderRefused(at=NOW, order=OrderId(7), reason=RefusalReason.BAD_EXPIRY, text="invalid expiration")
    ]


def test_a_refusal_says_how_long_to_wait_as_it_does_over_the_wire() -> None:
    text = "post-only mode: only post-only orders and cancels are allowed"
    told = replace(rejected(503, text), code="post_only_mode", retry_after=79)
    event = ev.OrderRefused(
        at=NOW, order=OrderId(7), reason=RefusalReason.POST_ONLY_MODE, text=text, retry_after=seconds(79)
    )
    assert answered(told) == [event]


def test_of_a_batch_the_wait_is_said_when_all_of_it_was_refused_and_not_beside_one() -> None:
    refused = ev.OrderRefused(
        at=NOW, order=OrderId(7), reason=RefusalReason.POST_ONLY_MODE, text="no", retry_after=seconds(79)
    )
    taken = ev.OrderAccepted(at=NOW, order=OrderId(8), rests=True)
    batch = Batch([OURS, FOREIGN])
    batch.answers = {OURS: [refused], FOREIGN: [refused]}
    assert batch.told() == [refused, refused]
    batch.answers = {OURS: [taken], FOREIGN: [refused]}
    assert batch.told() == [taken, replace(refused, retry_after=None)]


def test_a_server_error_is_no_refusal() -> None:
    assert answered(rejected(500, "could not run the execution")) == [
        ev.OrderOutcomeUnknown(at=NOW, order=OrderId(7), why="HTTP 500: could not run the execution")
    ]


def test_cancels_are_told_each_on_its_own() -> None:
    output = sim.CancelAnswered(
        at=Instant(9), account=ANN, canceled=(OURS, FOREIGN), not_canceled=((FOREIGN, "Order already matched"),)
    )
    assert answered(output) == [ev.OrderCancelled(at=NOW, order=OrderId(7), reason=CancelReason.ASKED)]
    output = sim.CancelAnswered(
        at=Instant(9), account=ANN, canceled=(), not_canceled=((OURS, "Order already matched"),)
    )
    assert answered(output) == [ev.CancelRefused(at=NOW, order=OrderId(7), text="Order already matched")]


@pytest.mark.parametrize(
    "output",
    [
        accepted(sim.OrderAnswer.LIVE, order=FOREIGN),
        rejected(400, "invalid expiration", order=FOREIGN),
        sim.CancelAnswered(at=NOW, account=ANN, canceled=(FOREIGN,)),
        sim.RequestRejected(at=NOW, account=ANN, http=425, text="service not ready"),
        sim.BeatAnswered(at=NOW, account=ANN, accepted=True, heartbeat=sim.HeartbeatId("h")),
        sim.CashMoved(at=NOW, account=ANN, market=MARKET, cash=usd(1)),
    ],
    ids=lambda output: type(output).__name__,
)
def test_answers_that_are_about_no_order_of_ours_are_no_news(output: sim.Answer) -> None:
    assert answered(output) == []


# --- the user stream


@pytest.mark.parametrize("change", [sim.OrderChange.PLACEMENT, sim.OrderChange.UPDATE])
def test_an_order_on_the_stream_is_reported_with_what_it_matched(change: sim.OrderChange) -> None:
    update = sim.OrderUpdated(at=NOW, account=ANN, change=change, status="LIVE", order=open_order(matched="3"))
    assert user_event(update, names()) == ev.OrderReported(at=NOW, order=OrderId(7), matched=shares(3))


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("CANCELED_EXPIRED_ORDER", ev.OrderExpired(at=NOW, order=OrderId(7))),
        *(
            (status, ev.OrderCancelled(at=NOW, order=OrderId(7), reason=reason, matched=shares(3)))
            for status, reason in (
                ("CANCELED", CancelReason.ASKED),
                ("CANCELED_MARKET_RESOLVED", CancelReason.MARKET_RESOLVED),
                ("INVALID", CancelReason.BY_VENUE),
            )
        ),
    ],
)
def test_an_order_that_ended_on_the_stream(status: str, event: ev.AnyEvent) -> None:
    update = sim.OrderUpdated(
        at=NOW, account=ANN, change=sim.OrderChange.CANCELLATION, status=status, order=open_order(matched="3")
    )
    assert user_event(update, names()) == event


def test_news_of_a_foreign_order_is_none() -> None:
    update = sim.OrderUpdated(
        at=NOW, account=ANN, change=sim.OrderChange.PLACEMENT, status="LIVE", order=open_order(FOREIGN)
    )
    assert user_event(update, names()) is None
    traded = trade_update(Liquidity.TAKER)
    assert user_event(traded, names()) is None
    told = told_fill(traded)
    assert (told.order, told.liquidity, told.shares) == (FOREIGN, Liquidity.TAKER, traded.own.shares)


@pytest.mark.parametrize("stage", TradeStage)
def test_a_fill_is_told_in_the_terms_of_our_own_leg_at_each_stage(stage: TradeStage) -> None:
    """We stand as maker: a BUY of Down at 0.40, met by somebody's BUY of Up at 0.60."""
    update = trade_update(Liquidity.MAKER, stage)
    told = ev.OrderFilled(
        at=NOW,
        order=OrderId(7),
        trade=TradeId("t1"),
        price=price("0.40"),
        shares=shares(10),
        liquidity=Liquidity.MAKER,
        stage=stage,
        traded_at=Instant(5_000_000_000),
    )
    assert user_event(update, names()) == fill_event(OrderId(7), update) == told


def test_shares_of_a_fill_are_before_the_fee_that_a_buy_once_paid_in_shares() -> None:
    """The engine takes the fee off itself, by the market's own schedule; told less, it would take it twice."""
    mine = leg(OURS, Outcome.UP, "0.60", fee_shares=shares("0.07"))
    told = user_event(trade_update(Liquidity.TAKER, taker=mine, maker=leg(FOREIGN, Outcome.UP, "0.60")), names())
    assert isinstance(told, ev.OrderFilled)
    assert (told.shares, told.liquidity) == (shares(10), Liquidity.TAKER)


# --- what an account finds when it reads


@pytest.mark.parametrize(("order", "liquidity"), [("taker", Liquidity.TAKER), ("maker", Liquidity.MAKER)])
def test_a_trade_is_read_as_the_own_leg_of_whoever_reads(order: str, liquidity: Liquidity) -> None:
    """Both legs are at one price in their own token; the moment is a whole second, as on the stream."""
    bob = Account("0xb0b")
    legs = {
        "taker": leg(FOREIGN, Outcome.UP, "0.60", account=bob),
        "maker": leg(FOREIGN, Outcome.DOWN, "0.40", account=bob),
    }
    own = leg(OURS, Outcome.DOWN, "0.40") if order == "maker" else leg(OURS, Outcome.UP, "0.60")
    trade = trade_update(liquidity, TradeStage.MINED, **(legs | {order: own})).trade
    assert fill_of(trade, ANN) == Fill(
        trade=TradeId("t1"),
        order=OURS,
        market=MARKET,
        token=own.token,
        side=Side.BUY,
        price=own.price,
        shares=shares(10),
        liquidity=liquidity,
        stage=TradeStage.MINED,
        matched_at=Instant(5_000_000_000),
    )


def test_a_resting_order_is_read_with_what_it_matched() -> None:
    found = live_order(open_order(matched="3"))
    assert (found.id, found.matched, found.size, found.side) == (OURS, shares(3), shares(10), Side.BUY)
    assert (found.market, found.token, found.account, found.price) == (MARKET, UP, ANN, price("0.50"))
