"""Our client asks the running exchange for all of an account at once, sweeps its orders, and keeps them alive."""

import asyncio

import pytest

from polystra.core.ids import VenueOrderId
from polystra.core.terms import Outcome
from polystra.core.units import Instant, seconds, shares, usd
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.answer_wire import Cancels, HeartbeatId
from polystra.edge.polymarket.private_rest import PrivateRest, ReadingFailed
from polystra.edge.polymarket.rest import Answer
from polystra.edge.polymarket.venue import (
    UNLIMITED,
    AccountReading,
    Balances,
    Deadlines,
    Mismatch,
    NoSuchOrder,
    OrderFate,
    Venue,
)
from polystra.edge.polymarket.wire import Fill, OpenOrder
from polystra.exchange.faults import Fault, Switch
from tests.edge.exchange_cases import CONDITION, DOWN, NEW_CONDITION, UP, Running, Trader, terms
from tests.edge.venue_cases import Client, http

GONE = VenueOrderId("0x" + "00" * 32)
FIRST = HeartbeatId("")


def rest(trader: Trader, **how: object) -> VenueOrderId:
    """The name of an order that rests at 0.45, or as said."""
    status, answer = trader.place(terms(**how))  # type: ignore[arg-type]
    assert status == 200, answer
    return VenueOrderId(answer["orderID"])


def live(trader: Trader) -> set[str]:
    return {row["id"] for row in trader.get("/data/orders")["data"]}


# --- all of it -------------------------------------------------------------------------------------------------------


def test_a_reading_has_orders_trades_and_balances(running: Running, trader: Trader, ours: Client) -> None:
    resting, taken = rest(trader), rest(trader, at="0.51", size="20")
    read = ours.run(ours.venue(trader).reading([UP, DOWN]))
    assert not isinstance(read, ReadingFailed)
    assert [order.id for order in read.orders] == [resting]
    assert [(fill.order, fill.shares) for fill in read.trades] == [(taken, shares("20"))]
    assert set(read.balances.shares) == {UP, DOWN}
    assert read.balances.shares[DOWN] == shares("50")


class Silent:
    """Carries requests to nobody and notes them."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, method: str, url: str, **how: object) -> Answer:
        self.asked.append(f"{method} {url} {how['query']}")
        return await asyncio.Future()


@pytest.mark.parametrize("question", ["reading", "fate"])
def test_all_parts_of_a_question_leave_at_one_moment_in_their_order(
    trader: Trader, ours: Client, question: str
) -> None:
    """Before any of them is answered."""
    silent = Silent()
    private = PrivateRest(silent, "", credentials=trader.credentials, account=trader.key.address, clock=WallClock())
    venue = Venue(private, wallet=trader.wallet, api_key=trader.credentials.api_key)

    async def ask() -> list[str]:
        asking = asyncio.ensure_future(venue.reading([UP, DOWN]) if question == "reading" else venue.fate(GONE))
        for _ in range(5):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return silent.asked

    kind = {"signature_type": "0"}
    parts = {
        "reading": [
            "GET /data/orders {}",
            "GET /data/trades {}",
            f"GET /balance-allowance { {'asset_type': 'COLLATERAL', **kind} }",
            f"GET /balance-allowance { {'asset_type': 'CONDITIONAL', 'token_id': UP, **kind} }",
            f"GET /balance-allowance { {'asset_type': 'CONDITIONAL', 'token_id': DOWN, **kind} }",
        ],
        "fate": [f"GET /data/order/{GONE} None", "GET /data/trades {}"],
    }
    assert ours.run(ask()) == parts[question]


def test_a_reading_begins_with_the_trades_since_a_moment(trader: Trader, ours: Client) -> None:
    rest(trader, at="0.51")
    venue = ours.venue(trader)
    (fill,) = all_trades(ours.run(venue.reading([])))
    assert len(all_trades(ours.run(venue.reading([], since=fill.matched_at)))) == 1
    assert all_trades(ours.run(venue.reading([], since=Instant(fill.matched_at + seconds(1))))) == ()


def all_trades(read: AccountReading | ReadingFailed) -> tuple[Fill, ...]:
    assert isinstance(read, AccountReading), read
    return read.trades


@pytest.mark.parametrize("broken", ["GET /data/orders", "GET /data/trades", "GET /balance-allowance"])
def test_a_reading_that_fails_in_one_part_is_none(running: Running, trader: Trader, ours: Client, broken: str) -> None:
    running.faults.switch_on(Switch(fault=Fault.RESET, where=broken, times=None))
    assert isinstance(ours.run(ours.venue(trader).reading([UP])), ReadingFailed)


# --- one order -------------------------------------------------------------------------------------------------------


def test_the_fate_of_an_order_that_rests_and_of_one_that_traded(trader: Trader, ours: Client) -> None:
    resting, taken = rest(trader), rest(trader, at="0.51")
    venue = ours.venue(trader)
    rests, traded = ours.run(venue.fate(resting)), ours.run(venue.fate(taken))
    assert isinstance(rests, OrderFate)
    assert isinstance(rests.order, OpenOrder)
    assert (rests.order.id, rests.trades) == (resting, ())
    assert isinstance(traded, OrderFate)
    assert traded.order == NoSuchOrder(taken)
    assert [(fill.order, fill.shares) for fill in traded.trades] == [(taken, shares("10"))]


def test_the_fate_of_an_order_that_traded_in_part_and_rests(trader: Trader, ours: Client) -> None:
    partly = rest(trader, at="0.51", size="100")
    fate = ours.run(ours.venue(trader).fate(partly))
    assert isinstance(fate, OrderFate)
    assert isinstance(fate.order, OpenOrder)
    assert (fate.order.size, fate.order.matched) == (shares("100"), shares("80.5"))
    assert [fill.shares for fill in fate.trades] == [shares("80.5")]


def test_an_order_that_never_arrived_has_neither_rest_nor_trades(trader: Trader, ours: Client) -> None:
    rest(trader, at="0.51")
    never = trader.sign(terms()).id
    assert ours.run(ours.venue(trader).fate(never)) == OrderFate(order=NoSuchOrder(never), trades=())


@pytest.mark.parametrize("broken", ["GET /data/order/{order}", "GET /data/trades"])
def test_half_a_fate_is_none(running: Running, trader: Trader, ours: Client, broken: str) -> None:
    resting = rest(trader)
    running.faults.switch_on(Switch(fault=Fault.RESET, where=broken, times=None))
    assert isinstance(ours.run(ours.venue(trader).fate(resting)), ReadingFailed)


# --- sweeps ----------------------------------------------------------------------------------------------------------


def test_cancel_all_takes_back_everything_and_names_it(trader: Trader, ours: Client) -> None:
    orders = {rest(trader), rest(trader, at="0.40"), rest(trader, at="0.30", outcome=Outcome.DOWN)}
    swept = ours.run(ours.venue(trader).cancel_all())
    assert isinstance(swept, Cancels)
    assert (set(swept.gone), swept.kept, live(trader)) == (orders, {}, set())
    assert ours.run(ours.venue(trader).cancel_all()) == Cancels((), {})


def test_a_market_or_one_of_its_tokens_is_swept_alone(trader: Trader, ours: Client) -> None:
    venue = ours.venue(trader)
    up, down = rest(trader), rest(trader, at="0.30", outcome=Outcome.DOWN)
    assert ours.run(venue.cancel_market(NEW_CONDITION)) == Cancels((), {})
    assert ours.run(venue.cancel_market(CONDITION, UP)) == Cancels((up,), {})
    assert live(trader) == {down}
    assert ours.run(venue.cancel_market(CONDITION)) == Cancels((down,), {})
    assert live(trader) == set()


def test_a_sweep_leaves_other_members_orders_alone(running: Running, trader: Trader, ours: Client) -> None:
    other = Trader(running, seed=8)
    running.fund(other.account)
    theirs = rest(other)
    assert ours.run(ours.venue(trader).cancel_all()) == Cancels((), {})
    assert live(other) == {theirs}


def test_a_sweep_whose_answer_is_lost_is_not_known_to_have_happened(
    running: Running, trader: Trader, ours: Client
) -> None:
    rest(trader)
    running.faults.switch_on(Switch(fault=Fault.REPLY_LOST, where="DELETE /cancel-all", times=None))
    assert isinstance(ours.run(ours.venue(trader).cancel_all()), ReadingFailed)
    assert live(trader) == set()


@pytest.mark.parametrize(
    "reply",
    [
        http(200, ""),
        http(200, "{}"),
        http(200, '{"canceled":null}'),
        http(200, '{"canceled":["0x01"],"not_canceled":{"0x01":"already canceled or matched"}}'),
        http(425, '{"error":"service not ready"}'),
        http(502, "<html>", "text/html"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    ],
    ids=range(7),
)
def test_a_sweep_that_is_half_answered_is_not_known_to_have_happened(
    trader: Trader, ours: Client, reply: bytes
) -> None:
    for market in (None, CONDITION):
        venue = ours.venue(trader, clob=ours.scripted(reply, reply).url)
        swept = ours.run(venue.cancel_all() if market is None else venue.cancel_market(market))
        assert isinstance(swept, ReadingFailed)


def test_orders_that_a_sweep_could_not_take_back_are_named_with_why(trader: Trader, ours: Client) -> None:
    reply = http(200, '{"canceled":["0x01"],"not_canceled":{"0x02":"already canceled or matched"}}')
    swept = ours.run(ours.venue(trader, clob=ours.scripted(reply).url).cancel_all())
    assert swept == Cancels((VenueOrderId("0x01"),), {VenueOrderId("0x02"): "already canceled or matched"})


# --- the heart -------------------------------------------------------------------------------------------------------


def test_each_heartbeat_names_the_one_before(trader: Trader, ours: Client) -> None:
    venue = ours.venue(trader)
    first = ours.run(venue.heartbeat(FIRST))
    assert isinstance(first, str)
    second = ours.run(venue.heartbeat(first))
    assert isinstance(second, str)
    assert len({FIRST, first, second}) == 3


def test_a_wrong_heartbeat_is_told_the_right_one(trader: Trader, ours: Client) -> None:
    venue = ours.venue(trader)
    assert ours.run(venue.heartbeat(HeartbeatId("wrong"))) == Mismatch(FIRST)
    first = ours.run(venue.heartbeat(FIRST))
    assert ours.run(venue.heartbeat(HeartbeatId("wrong"))) == Mismatch(first)  # type: ignore[arg-type]
    assert isinstance(ours.run(venue.heartbeat(first)), str)  # type: ignore[arg-type]


def test_a_heartbeat_whose_answer_was_lost_is_found_again(running: Running, trader: Trader, ours: Client) -> None:
    running.faults.switch_on(Switch(fault=Fault.REPLY_LOST, where="POST /v1/heartbeats"))
    venue = ours.venue(trader)
    assert isinstance(ours.run(venue.heartbeat(FIRST)), ReadingFailed)
    mismatch = ours.run(venue.heartbeat(FIRST))
    assert isinstance(mismatch, Mismatch)
    assert isinstance(ours.run(venue.heartbeat(mismatch.expected)), str)


def test_a_heartbeat_is_given_up_in_time_for_another_one(running: Running, trader: Trader, ours: Client) -> None:
    assert Deadlines().beat < 5
    running.faults.switch_on(Switch(fault=Fault.REPLY_LATE, where="POST /v1/heartbeats", delay=seconds(30)))
    failed = ours.run(ours.venue(trader, deadlines=Deadlines(beat=0.2)).heartbeat(FIRST))
    assert isinstance(failed, ReadingFailed)
    assert "no reply within 0.2 s" in failed.why


@pytest.mark.parametrize(
    "reply",
    [
        http(200, "{}"),
        http(200, '{"heartbeat_id":""}'),
        http(200, '{"heartbeat_id":5}'),
        http(200, '{"status":"ok"}'),
        http(400, '{"error":"Invalid payload"}'),
        http(400, '{"error_msg":"Invalid Heartbeat ID","heartbeat_id":null}'),
        http(401, '{"error":"Unauthorized/Invalid api key","heartbeat_id":"x"}'),
        http(500, '{"heartbeat_id":"x"}'),
        b"",
    ],
    ids=range(9),
)
def test_a_heartbeat_that_was_not_surely_taken_did_not_happen(trader: Trader, ours: Client, reply: bytes) -> None:
    script = ours.scripted(reply)
    assert isinstance(ours.run(ours.venue(trader, clob=script.url).heartbeat(FIRST)), ReadingFailed)
    assert len(script.heard) == 1


# --- the picture of the chain ----------------------------------------------------------------------------------------


def test_a_refresh_makes_the_venue_look_at_cash_and_each_token(running: Running, trader: Trader, ours: Client) -> None:
    relay = ours.relay(running.urls.clob)
    venue = ours.venue(trader, clob=relay.url)
    assert ours.run(venue.refresh_balances([UP, DOWN, UP])) is None
    assert relay.requests == ["GET /balance-allowance/update"] * 3
    assert ours.run(venue.balances([UP])) == Balances(usd("950"), {UP: shares("50")}, UNLIMITED)


@pytest.mark.parametrize("body", ["", '""'])
def test_a_refresh_is_answered_with_nothing(trader: Trader, ours: Client, body: str) -> None:
    assert ours.run(ours.venue(trader, clob=ours.scripted(http(200, body)).url).refresh_balances()) is None


@pytest.mark.parametrize("bad", [http(200, "<html>"), http(400, '{"error":"Invalid asset type"}'), http(503, ""), b""])
def test_a_refresh_that_was_heard_in_part_failed(trader: Trader, ours: Client, bad: bytes) -> None:
    script = ours.scripted(http(200, '""'), bad, bad)
    assert isinstance(ours.run(ours.venue(trader, clob=script.url).refresh_balances([UP])), ReadingFailed)
