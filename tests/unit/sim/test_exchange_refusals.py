"""Every refusal that a client can provoke, with the status and the words of the venue (`PROTOCOL.md` E.6)."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from polystra.core.ids import TokenId, VenueOrderId
from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import Instant, Nanos, Price, Usd, usd
from polystra.sim import messages as m
from polystra.sim.exchange import ACTS
from polystra.sim.rules import Rules
from tests.unit.sim.bench import ANN, BOB, DOWN, MARKET, MS, OTHER, SECOND, UP, Bench, of, only

BUY, SELL = Side.BUY, Side.SELL
GTC, GTD, FOK, FAK = TimeInForce.GTC, TimeInForce.GTD, TimeInForce.FOK, TimeInForce.FAK

NOT_READY = "the market is not yet ready to process new orders"
NO_BOOK = "No orderbook exists for the requested token id"
PRICE = "invalid price, price must be greater than 0 and less than 1"
FOK_KILL = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILL = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
MARKET_BUY = (
    "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
    "taker amount a max of 4 decimals"
)
SELL_AMOUNTS = (
    "invalid amounts, the sell orders maker amount supports a max accuracy of 2 decimals, "
    "taker amount a max of 4 decimals"
)
BUY_AMOUNTS = (
    "invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals, "
    "taker amount a max of 2 decimals"
)
POOR = "not enough balance / allowance: the balance is not enough -> "


def order(side: Side, maker: int, taker: int, tif: TimeInForce = GTC, **how: Any) -> m.Submit:
    known: dict[str, Any] = {"account": ANN, "order": VenueOrderId("0xf00"), "token": UP, "side": side}
    amounts: dict[str, Any] = {"maker_amount": maker, "taker_amount": taker, "time_in_force": tif}
    return m.Submit(**(known | amounts | how))


REFUSED = [
    ("unknown token", order(BUY, 5_000_000, 10_000_000, token=TokenId("999")), 404, NO_BOOK),
    ("no shares", order(BUY, 5_000_000, 0), 400, "Invalid order payload"),
    ("shares below zero", order(SELL, -5_000_000, 5_000_000), 400, "Invalid order payload"),
    ("cash below zero", order(BUY, -1, 5_000_000), 400, "Invalid order payload"),
    (
        "post-only that cannot rest",
        order(BUY, 5_000_000, 10_000_000, FAK, post_only=True),
        400,
        "Invalid order payload",
    ),
    ("price zero", order(SELL, 10_000_000, 0), 400, PRICE),
    ("price one", order(BUY, 10_000_000, 10_000_000), 400, PRICE),
    ("price above one", order(SELL, 10_000_000, 11_000_000), 400, PRICE),
    (
        "off tick",
        order(BUY, 5_250_000, 10_000_000),
        400,
        "order 0xf00 is invalid. Price (0.525) breaks minimum tick size rule: 0.01",
    ),
    (
        "price without end",
        order(BUY, 1_000_000, 3_000_000),
        400,
        "order 0xf00 is invalid. Price (0.333333) breaks minimum tick size rule: 0.01",
    ),
    (
        "between 0.99 and 1",
        order(BUY, 9_950_000, 10_000_000),
        400,
        "order 0xf00 is invalid. Price (0.995) breaks minimum tick size rule: 0.01",
    ),
    (
        "below the lowest",
        order(BUY, 50_000, 10_000_000),
        400,
        "order 0xf00 is invalid. Price (0.005) breaks minimum tick size rule: 0.01",
    ),
    (
        "market order further than 0.0001 from the grid",
        order(BUY, 1_000_000, 1_923_800, FAK),
        400,
        "order 0xf00 is invalid. Price (0.519804) breaks minimum tick size rule: 0.01",
    ),
    ("shares of a BUY in thousandths", order(BUY, 2_600_520, 5_001_000), 400, BUY_AMOUNTS),
    ("shares of a SELL in thousandths", order(SELL, 5_001_000, 2_600_520), 400, SELL_AMOUNTS),
    ("market BUY of a tenth of a cent", order(BUY, 1_001_000, 2_002_000, FAK), 400, MARKET_BUY),
    ("market BUY with five decimals of shares", order(BUY, 10_000_000, 19_230_760, FOK), 400, MARKET_BUY),
    ("market SELL of a thousandth", order(SELL, 5_001_000, 2_500_500, FAK), 400, SELL_AMOUNTS),
    (
        "too small",
        order(BUY, 910_000, 1_750_000),
        400,
        "order 0xf00 is invalid. Size (1.75) lower than the minimum: 5",
    ),
    ("GTC with an expiration", order(BUY, 5_000_000, 10_000_000, expiration=1_000_500), 400, "invalid expiration"),
    ("GTD without one", order(BUY, 5_000_000, 10_000_000, GTD), 400, "invalid expiration"),
    ("GTD in less than 180 s", order(BUY, 5_000_000, 10_000_000, GTD, expiration=1_000_179), 400, "invalid expiration"),
    (
        "post-only that would take",
        order(BUY, 5_200_000, 10_000_000, post_only=True),
        400,
        "invalid post-only order: order crosses book",
    ),
    (
        "market BUY below 1 USD",
        order(BUY, 990_000, 1_900_000, FAK, maker_amount=980_000, taker_amount=1_960_000),
        400,
        "invalid amount for a marketable BUY order ($0.98), min size: $1",
    ),
    (
        "more than the cash",
        order(BUY, 100_440_000, 200_880_000),
        400,
        POOR + "balance: 100000000, order amount: 100440000",
    ),
    ("shares that one has not", order(SELL, 5_000_000, 4_000_000), 400, POOR + "balance: 0, order amount: 5000000"),
    ("FOK for more than there is", order(BUY, 52_000_000, 100_000_000, FOK), 400, FOK_KILL),
    ("FAK that meets nothing", order(BUY, 5_000_000, 10_000_000, FAK), 400, FAK_KILL),
]


@pytest.mark.parametrize(
    ("request_", "http", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_the_exchange_refuses_in_the_words_of_the_venue(request_: m.Submit, http: int, text: str) -> None:
    bench = Bench()
    bench.book({"0.50": "50", "0.51": "20"}, {"0.52": "30", "0.80": "10"})
    before = bench.exchange.truth()

    rejected = only(bench.tell(request_), m.OrderRejected)

    assert (rejected.http, rejected.text, rejected.order) == (http, text, request_.order)
    assert bench.exchange.truth().supply == before.supply
    assert bench.exchange.order(request_.order) is None
    assert bench.exchange.open_orders(ANN) == ()


def test_a_resting_buy_that_would_take_less_than_a_dollar_is_refused_with_the_recorded_words() -> None:
    bench = Bench()
    bench.book({"0.83": "50"}, {})
    rejected = only(bench.buy("0.17", "5.88", outcome=Outcome.DOWN), m.OrderRejected)
    assert rejected.text == "invalid amount for a marketable BUY order ($0.9996), min size: $1"
    assert of(bench.buy("0.16", "5.88", outcome=Outcome.DOWN), m.OrderAccepted)


def test_each_refused_order_has_a_neighbour_that_passes() -> None:
    bench = Bench()
    bench.book({"0.50": "50", "0.51": "20"}, {"0.52": "30", "0.80": "10"})
    bench.split("40")
    passing = [
        order(BUY, 50_000, 5_000_000, order=VenueOrderId("lowest price")),
        order(SELL, 5_000_000, 4_950_000, order=VenueOrderId("highest price")),
        order(BUY, 2_500_000, 5_000_000, order=VenueOrderId("smallest size")),
        order(BUY, 1_000_000, 1_923_000, FAK, order=VenueOrderId("0.520021 is 0.52")),
        order(BUY, 1_000_000, 1_923_000, FOK, order=VenueOrderId("1 USD")),
        order(SELL, 10_000, 5_000, FAK, order=VenueOrderId("a hundredth of a share")),
        order(BUY, 2_500_000, 5_000_000, GTD, expiration=1_000_180, order=VenueOrderId("180 s")),
        order(BUY, 2_550_000, 5_000_000, post_only=True, order=VenueOrderId("behind the ask")),
    ]
    for request in passing:
        assert of(bench.tell(request), m.OrderAccepted), request.order


def test_a_duplicate_of_a_live_a_held_or_an_ended_order_is_named_as_such() -> None:
    bench = Bench()
    request = bench.request(BUY, "0.50", "10")
    bench.tell(request)
    text = f"order {request.order} is invalid. Duplicated."
    assert only(bench.tell(request), m.OrderRejected).text == text
    bench.cancel(request.order)
    assert only(bench.tell(request), m.OrderRejected).text == text

    held = Bench(taker_hold=Nanos(150 * MS))
    held.book({}, {"0.52": "30"})
    request = held.request(BUY, "0.52", "10")
    assert held.tell(request) == []
    assert only(held.tell(request), m.OrderRejected).text == f"order {request.order} is invalid. Duplicated."


def test_a_refused_or_killed_order_may_be_sent_again_with_the_same_bytes() -> None:
    bench = Bench()
    killed = bench.request(BUY, "0.50", "10", time_in_force=FOK)
    assert only(bench.tell(killed), m.OrderRejected).text == FOK_KILL
    bench.book({}, {"0.50": "10"})
    assert only(bench.tell(killed), m.OrderAccepted).status is m.OrderAnswer.MATCHED


def test_the_long_balance_text_adds_up_what_is_bound() -> None:
    bench = Bench()
    bench.book({}, {"0.50": "10"})
    bench.buy("0.50", "10")
    bench.buy("0.30", "100")
    text = only(bench.buy("0.30", "300"), m.OrderRejected).text
    assert text == (
        POOR + "balance: 100000000, sum of active orders: 30000000, sum of matched orders: 5000000, "
        "order amount: 90000000"
    )


# --- markets and accounts


def test_a_market_takes_orders_from_its_time_on() -> None:
    bench = Bench(accepts_from=Instant(1_000_010 * SECOND))
    assert only(bench.buy("0.50", "10"), m.OrderRejected).text == NOT_READY
    bench.wait(10)
    assert of(bench.buy("0.50", "10"), m.OrderAccepted)


def test_a_closed_market_is_not_ready_and_a_resolved_one_has_no_book() -> None:
    bench = Bench()
    bench.tell(m.CloseMarket(market=MARKET))
    rejected = only(bench.buy("0.50", "10"), m.OrderRejected)
    assert (rejected.http, rejected.text) == (400, NOT_READY)
    bench.tell(m.Resolve(market=MARKET, up_payout=usd(1)))
    rejected = only(bench.buy("0.50", "10"), m.OrderRejected)
    assert (rejected.http, rejected.text) == (404, NO_BOOK)


def test_a_closed_only_account_sells_but_does_not_buy() -> None:
    bench = Bench()
    bench.split("10")
    bench.tell(m.SetRestriction(account=ANN, restriction=m.Restriction.CLOSED_ONLY))
    assert only(bench.buy("0.50", "10"), m.OrderRejected).text == "'0xann' address in closed only mode"
    assert of(bench.sell("0.60", "10"), m.OrderAccepted)
    assert of(bench.buy("0.50", "10", account=BOB), m.OrderAccepted)


def test_a_banned_account_does_nothing() -> None:
    bench = Bench()
    bench.split("10")
    bench.tell(m.SetRestriction(account=ANN, restriction=m.Restriction.BANNED))
    assert only(bench.sell("0.60", "10"), m.OrderRejected).text == "'0xann' address banned"
    bench.tell(m.SetRestriction(account=ANN, restriction=m.Restriction.NONE))
    assert of(bench.sell("0.60", "10"), m.OrderAccepted)


# --- modes


@pytest.mark.parametrize(
    ("mode", "http", "text", "cancels"),
    [
        (m.Mode.DOWN, 425, "service not ready", False),
        (m.Mode.DISABLED, 503, "Trading is currently disabled. Check polymarket.com for updates", False),
        (
            m.Mode.CANCEL_ONLY,
            503,
            "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.",
            True,
        ),
        (m.Mode.POST_ONLY, 503, "post-only mode: only post-only orders and cancels are allowed", True),
    ],
)
def test_a_mode_refuses_orders_and_perhaps_cancels(mode: m.Mode, http: int, text: str, cancels: bool) -> None:
    bench = Bench()
    bench.buy("0.50", "10")
    bench.tell(m.SetMode(mode=mode))
    rejected = only(bench.buy("0.40", "10"), m.OrderRejected)
    assert (rejected.http, rejected.text, rejected.retry_after) == (http, text, None)
    outputs = bench.cancel("o1")
    if cancels:
        assert only(outputs, m.CancelAnswered).canceled == ("o1",)
    else:
        refused = only(outputs, m.RequestRejected)
        assert (refused.http, refused.text) == (http, text)
        assert bench.exchange.order(VenueOrderId("o1")) is not None
    bench.tell(m.SetMode(mode=m.Mode.NORMAL))
    assert of(bench.buy("0.40", "10"), m.OrderAccepted)


def test_post_only_mode_lets_post_only_through_and_says_when_to_come_back() -> None:
    bench = Bench()
    bench.tell(m.SetMode(mode=m.Mode.POST_ONLY, until=Instant(bench.now + 78 * SECOND + 1)))
    rejected = only(bench.buy("0.40", "10"), m.OrderRejected)
    assert (rejected.code, rejected.retry_after) == ("post_only_mode", 79)
    assert of(bench.buy("0.40", "10", post_only=True), m.OrderAccepted)
    bench.wait(100)
    assert only(bench.buy("0.40", "10"), m.OrderRejected).retry_after == 0


# --- cancels


def test_too_many_cancels_at_once() -> None:
    bench = Bench(rules=Rules(most_cancels=2))
    bench.buy("0.50", "10")
    refused = only(bench.cancel("o1", "o2", "o3"), m.RequestRejected)
    assert (refused.http, refused.text) == (400, "Too many orders in payload, max allowed: 2")
    assert only(bench.cancel("o1", "o2"), m.CancelAnswered).canceled == ("o1",)


def test_a_market_cancel_names_a_market_or_a_token() -> None:
    bench = Bench()
    refused = only(bench.tell(m.CancelMarket(account=ANN)), m.RequestRejected)
    assert (refused.http, refused.text) == (400, "Invalid payload")


# --- mistakes of whoever plays the world


@pytest.mark.parametrize(
    "request_",
    [
        m.SetBook(market=OTHER.id, bids=(), asks=()),
        m.ListMarket(market=replace(OTHER, id=MARKET)),
        m.ListMarket(market=replace(OTHER, up_token=UP)),
        m.ListMarket(market=replace(OTHER, down_token=DOWN)),
        m.ListMarket(market=replace(OTHER, tick=Price(20_000))),
        m.ListMarket(market=replace(OTHER, fee_exponent=3)),
        m.SetTick(market=MARKET, tick=Price(10_000)),
        m.SetTick(market=MARKET, tick=Price(100_000)),
        m.SetTick(market=MARKET, tick=Price(3_000)),
        m.Resolve(market=MARKET, up_payout=Usd(1_000_001)),
        m.Deposit(account=ANN, amount=Usd(-1)),
    ],
    ids=lambda request: type(request).__name__,
)
def test_a_world_that_contradicts_itself_is_our_own_mistake(request_: m.Request) -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="0x"):
        bench.tell(request_)


def test_ticks_that_do_not_contain_the_old_grid_are_refused() -> None:
    bench = Bench(tick=Price(5_000))
    with pytest.raises(ValueError, match="only get finer"):
        bench.tell(m.SetTick(market=MARKET, tick=Price(10_000)))
    bench.tell(m.SetTick(market=MARKET, tick=Price(2_500)))
    with pytest.raises(ValueError, match="only get finer"):
        bench.tell(m.SetTick(market=MARKET, tick=Price(1_000)))


def test_a_market_closes_and_resolves_once() -> None:
    bench = Bench()
    bench.tell(m.CloseMarket(market=MARKET))
    with pytest.raises(ValueError, match="close it once"):
        bench.tell(m.CloseMarket(market=MARKET))
    bench.tell(m.Resolve(market=MARKET, up_payout=usd(1)))
    with pytest.raises(ValueError, match="resolve once"):
        bench.tell(m.Resolve(market=MARKET, up_payout=usd(0)))


def test_time_does_not_go_back() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="moments in order"):
        bench.exchange.advance(Instant(bench.now - 1))


def test_the_table_of_requests_is_whole() -> None:
    assert set(ACTS) == set(get_args(m.Request))
