"""Our client places and cancels at the running exchange, and says no more than an answer proves."""

import asyncio

import pytest

from polystra.core.ids import VenueOrderId
from polystra.core.reasons import RefusalReason as Why
from polystra.core.terms import OrderTerms, Side, TimeInForce
from polystra.core.units import Instant, price, seconds, shares, usd
from polystra.edge.polymarket.outcomes import (
    Accepted,
    Cancelled,
    CancelUnknown,
    NotCancelled,
    NotSent,
    OutcomeUnknown,
    Refused,
)
from polystra.edge.polymarket.venue import Deadlines, NoSuchOrder
from polystra.edge.polymarket.wallet import SignatureType
from polystra.edge.polymarket.wire import Fill, OpenOrder
from polystra.exchange.faults import Fault, Switch
from polystra.sim import messages as sim
from tests.edge.exchange_cases import CONDITION, UP, Running, Trader, terms
from tests.edge.venue_cases import Client, http

REASONS = {
    sim.Mode.DOWN: Why.RESTARTING,
    sim.Mode.CANCEL_ONLY: Why.CANCEL_ONLY_MODE,
    sim.Mode.POST_ONLY: Why.POST_ONLY_MODE,
    sim.Mode.DISABLED: Why.TRADING_DISABLED,
}


FOK, FAK = TimeInForce.FOK, TimeInForce.FAK
GONE = VenueOrderId("0x" + "00" * 32)


# --- what is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SignatureType.EOA, SignatureType.POLY_1271])
def test_an_order_is_placed_found_and_cancelled_under_the_hash_known_before(
    running: Running, ours: Client, kind: SignatureType
) -> None:
    trader = Trader(running, seed=5, kind=kind)
    running.fund(trader.account)
    venue, signed = ours.venue(trader), trader.sign(terms())
    placed = ours.run(venue.place(signed.id, trader.body(terms(), signed)))
    assert placed == Accepted(order=signed.id, matched=False, making=0, taking=0, trades=())
    (resting,) = trader.get("/data/orders")["data"]
    assert resting["id"] == signed.id
    assert ours.run(venue.order(signed.id)) == OpenOrder(
        id=signed.id,
        market=CONDITION,
        token=UP,
        account=trader.account,
        side=Side.BUY,
        price=price("0.45"),
        size=shares("10"),
        matched=shares("0"),
    )
    assert ours.run(venue.cancel([signed.id])) == (Cancelled(signed.id),)
    assert ours.run(venue.order(signed.id)) == NoSuchOrder(signed.id)


def test_what_matched_at_once_is_told_with_its_trades(trader: Trader, ours: Client) -> None:
    venue, (taking, body) = ours.venue(trader), taking_order(trader)
    placed = ours.run(venue.place(taking, body))
    assert isinstance(placed, Accepted)
    assert (placed.matched, placed.making, placed.taking) == (True, usd("5.1"), shares("10"))
    assert [(fill.trade, fill.shares) for fill in fills_of(ours, trader)] == [(placed.trades[0], shares("10"))]


REFUSALS = [
    (terms(size="4"), Why.TOO_SMALL),
    (terms(at="0.515"), Why.OFF_TICK),
    (terms(size="3000"), Why.NOT_ENOUGH_BALANCE),
    (terms(Side.SELL, "0.60", "51"), Why.NOT_ENOUGH_BALANCE),
    (terms(at="0.51", post_only=True), Why.WOULD_CROSS),
    (terms(at="0.51", size="1", tif=FOK), Why.TOO_SMALL),
    (terms(at="0.51", size="100", tif=FOK), Why.NOT_FILLED),
    (terms(at="0.50", size="100", tif=FAK), Why.NOT_FILLED),
]


@pytest.mark.parametrize(("wanted", "reason"), REFUSALS, ids=[f"{why} {n}" for n, (_, why) in enumerate(REFUSALS)])
def test_a_refusal_is_a_reason_and_the_venues_words(
    trader: Trader, ours: Client, wanted: OrderTerms, reason: Why
) -> None:
    signed = trader.sign(wanted)
    refused = ours.run(ours.venue(trader).place(signed.id, trader.body(wanted, signed)))
    assert isinstance(refused, Refused)
    assert (refused.order, refused.reason) == (signed.id, reason)
    assert refused.text


def test_the_same_bytes_twice_are_refused_as_a_duplicate_of_what_landed(trader: Trader, ours: Client) -> None:
    venue, signed = ours.venue(trader), trader.sign(terms())
    body = trader.body(terms(), signed)
    assert isinstance(ours.run(venue.place(signed.id, body)), Accepted)
    again = ours.run(venue.place(signed.id, body))
    assert isinstance(again, Refused)
    assert again.reason is Why.DUPLICATED
    assert isinstance(ours.run(venue.order(signed.id)), OpenOrder)


@pytest.mark.parametrize("mode", [mode for mode in sim.Mode if mode is not sim.Mode.NORMAL])
def test_a_venue_that_takes_no_orders_refuses_them(
    running: Running, trader: Trader, ours: Client, mode: sim.Mode
) -> None:
    running.feed(sim.SetMode(mode=mode))
    signed = trader.sign(terms())
    refused = ours.run(ours.venue(trader).place(signed.id, trader.body(terms(), signed)))
    assert isinstance(refused, Refused)
    assert refused.reason is REASONS[mode]


def test_a_cancel_says_for_each_order_what_became_of_it(trader: Trader, ours: Client) -> None:
    venue, signed = ours.venue(trader), trader.sign(terms())
    ours.run(venue.place(signed.id, trader.body(terms(), signed)))
    missing, cancelled = ours.run(venue.cancel([GONE, signed.id, GONE]))
    assert cancelled == Cancelled(signed.id)
    assert isinstance(missing, NotCancelled)
    assert (missing.order, missing.text) == (GONE, "Order not found or already canceled")


def test_cancels_go_in_hundreds(running: Running, trader: Trader, ours: Client) -> None:
    relay = ours.relay(running.urls.clob)
    venue = ours.venue(trader, clob=relay.url)
    asked = [VenueOrderId(f"0x{number:064x}") for number in range(201)]
    assert [one.order for one in ours.run(venue.cancel(asked))] == asked
    assert relay.requests == ["DELETE /orders"] * 3
    assert ours.run(venue.cancel([])) == ()
    assert len(relay.requests) == 3


# --- what is not said ------------------------------------------------------------------------------------------------


def test_a_lost_reply_is_unknown_and_the_order_is_found_by_its_hash(
    running: Running, trader: Trader, ours: Client
) -> None:
    running.faults.switch_on(Switch(fault=Fault.REPLY_LOST, where="POST /order"))
    venue, signed = ours.venue(trader), trader.sign(terms())
    assert isinstance(ours.run(venue.place(signed.id, trader.body(terms(), signed))), OutcomeUnknown)
    found = ours.run(venue.order(signed.id))
    assert isinstance(found, OpenOrder)
    assert found.id == signed.id
    assert running.faults.hits[Fault.REPLY_LOST] == 1


def test_a_lost_reply_of_an_order_that_traded_is_found_among_the_trades(
    running: Running, trader: Trader, ours: Client
) -> None:
    running.faults.switch_on(Switch(fault=Fault.REPLY_LOST, where="POST /order"))
    venue, wanted = ours.venue(trader), terms(at="0.51")
    signed = trader.sign(wanted)
    assert isinstance(ours.run(venue.place(signed.id, trader.body(wanted, signed))), OutcomeUnknown)
    assert ours.run(venue.order(signed.id)) == NoSuchOrder(signed.id)
    (fill,) = fills_of(ours, trader)
    assert (fill.order, fill.price, fill.shares) == (signed.id, price("0.51"), shares("10"))


def test_a_reset_before_the_venue_read_it_is_unknown_too_and_nothing_is_found(
    running: Running, trader: Trader, ours: Client
) -> None:
    running.faults.switch_on(Switch(fault=Fault.RESET, where="POST /order"))
    relay = ours.relay(running.urls.clob)
    venue, signed = ours.venue(trader, clob=relay.url), trader.sign(terms())
    assert isinstance(ours.run(venue.place(signed.id, trader.body(terms(), signed))), OutcomeUnknown)
    assert relay.requests == ["POST /order"]
    assert ours.run(venue.order(signed.id)) == NoSuchOrder(signed.id)
    assert fills_of(ours, trader) == ()


def test_an_answer_after_the_deadline_is_unknown_and_the_order_is_there(
    running: Running, trader: Trader, ours: Client
) -> None:
    running.faults.switch_on(Switch(fault=Fault.REPLY_LATE, where="POST /order", delay=seconds(30)))
    venue, signed = ours.venue(trader, deadlines=Deadlines(place=0.3)), trader.sign(terms())
    unknown = ours.run(venue.place(signed.id, trader.body(terms(), signed)))
    assert isinstance(unknown, OutcomeUnknown)
    assert "no reply within 0.3 s" in unknown.why
    assert isinstance(ours.run(venue.order(signed.id)), OpenOrder)


def test_an_order_that_found_no_connection_was_not_sent(trader: Trader, ours: Client) -> None:
    venue, signed = ours.venue(trader, clob=ours.run(deaf_address())), trader.sign(terms())
    assert isinstance(ours.run(venue.place(signed.id, trader.body(terms(), signed))), NotSent)
    (cancel,) = ours.run(venue.cancel([signed.id]))
    assert isinstance(cancel, CancelUnknown)


def test_a_cancel_without_an_answer_is_unknown(running: Running, trader: Trader, ours: Client) -> None:
    running.faults.switch_on(Switch(fault=Fault.RESET, where="DELETE /orders", times=None))
    venue, signed = ours.venue(trader), trader.sign(terms())
    ours.run(venue.place(signed.id, trader.body(terms(), signed)))
    (outcome,) = ours.run(venue.cancel([signed.id]))
    assert isinstance(outcome, CancelUnknown)
    running.faults.switch_off()
    assert isinstance(ours.run(venue.order(signed.id)), OpenOrder)


NONSENSE = [
    http(200, ""),
    http(200, "<html>ok</html>", "text/html"),
    http(200, '{"success":true,"errorMsg":"","orderID":"0xother","status":"live"}'),
    http(403, "<html>blocked</html>", "text/html"),
    http(429, "<html>slow down</html>", "text/html"),
    http(500, '{"error":"could not run the execution"}'),
    http(502, "<html>bad gateway</html>", "text/html"),
    http(302, ""),
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    b"\x00\xff garbage\r\n\r\n",
    b"",
]


@pytest.mark.parametrize("reply", NONSENSE, ids=range(len(NONSENSE)))
def test_bytes_that_prove_nothing_leave_the_outcome_open(trader: Trader, ours: Client, reply: bytes) -> None:
    script = ours.scripted(reply, http(200, "{}"))
    signed = trader.sign(terms())
    outcome = ours.run(ours.venue(trader, clob=script.url).place(signed.id, trader.body(terms(), signed)))
    assert isinstance(outcome, OutcomeUnknown), outcome
    assert len(script.heard) == 1


# --- how it is sent --------------------------------------------------------------------------------------------------


def test_after_discovery_the_first_order_is_one_request_on_a_warm_connection(
    running: Running, trader: Trader, ours: Client
) -> None:
    relay = ours.relay(running.urls.clob)
    found = ours.run(
        ours.catalogue(f"{relay.url}/gamma", relay.url).market("btc-updown-15m-1795432200"),
    )
    ours.run(ours.rest.warm(f"{relay.url}/time"))
    assert relay.requests[:2] == ["GET /gamma/markets/slug/btc-updown-15m-1795432200", f"GET /clob-markets/{CONDITION}"]
    assert relay.requests[2:] == ["GET /time"] * 4
    assert relay.connections == 4
    assert getattr(found, "up_token", None) == UP
    relay.requests.clear()
    signed = trader.sign(terms())
    assert isinstance(
        ours.run(ours.venue(trader, clob=relay.url).place(signed.id, trader.body(terms(), signed))), Accepted
    )
    assert (relay.requests, relay.connections) == (["POST /order"], 4)


def test_a_cancel_does_not_wait_for_an_order_that_is_held(running: Running, trader: Trader, ours: Client) -> None:
    resting = trader.sign(terms())
    venue = ours.venue(trader)
    ours.run(venue.place(resting.id, trader.body(terms(), resting)))
    taking, body = taking_order(trader)
    running.faults.switch_on(Switch(fault=Fault.REPLY_LATE, where="POST /order", delay=seconds(30)))

    async def both() -> tuple[object, bool]:
        placing = asyncio.create_task(venue.place(taking, body))
        await asyncio.sleep(0)
        cancelled = await venue.cancel([resting.id])
        waiting = not placing.done()
        placing.cancel()
        await asyncio.gather(placing, return_exceptions=True)
        return cancelled, waiting

    assert ours.run(both()) == ((Cancelled(resting.id),), True)


def taking_order(trader: Trader) -> tuple[VenueOrderId, bytes]:
    wanted = terms(at="0.51")
    signed = trader.sign(wanted)
    return signed.id, trader.body(wanted, signed)


def fills_of(ours: Client, trader: Trader) -> tuple[Fill, ...]:
    fills = ours.run(ours.venue(trader).trades(after=Instant(0)))
    assert isinstance(fills, tuple), fills
    return fills


async def deaf_address() -> str:
    """An address at which nobody listens."""
    server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return f"http://127.0.0.1:{port}"
