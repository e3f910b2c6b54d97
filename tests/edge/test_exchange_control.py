"""The operator's side: time, truth, faults with their counters, accounts, the world; and how replies leave."""

import asyncio
import contextlib
import socket
from random import Random

import aiohttp
import msgspec
import pytest

from polystra.core.units import Instant, seconds, usd
from polystra.edge.clock import ScaledClock, WallClock
from polystra.edge.polymarket.wallet import SignatureType
from polystra.exchange.control import local_only
from polystra.exchange.members import Members
from polystra.exchange.replies import Refused
from polystra.exchange.server import serve
from polystra.exchange.venue import Venue
from polystra.sim import messages as sim
from tests.edge.exchange_cases import BOOK, CONDITION, LISTING, QUICK, START, UP, Running, Trader, exchange, terms


@pytest.fixture
def trader(running: Running) -> Trader:
    trader = Trader(running)
    running.fund(trader.account)
    return trader


def refused(running: Running, method: str, path: str, body: object) -> tuple[int, str]:
    status, answer = running.call(method, running.urls.control + path, body=msgspec.json.encode(body))
    return status, answer["error"]


# --- time ------------------------------------------------------------------------------------------------------------


def test_stepped_time_stands_still_until_it_is_moved() -> None:
    with exchange(stepped=True) as running:
        assert running.get("/time") == START // 10**9
        assert running.control("POST", "/time", {"by": seconds(5)})["now"] == START + seconds(5)
        assert running.control("POST", "/time", {"to": START + seconds(60)})["now"] == START + seconds(60)
        assert running.get("/time") == START // 10**9 + 60
        status, text = refused(running, "POST", "/time", {"to": START})
        assert (status, "time does not go back" in text) == (400, True)
        assert refused(running, "POST", "/time", {})[0] == 400
        assert refused(running, "POST", "/time", {"jump": 1})[0] == 400


def test_the_wall_clock_is_not_moved(running: Running) -> None:
    status, text = refused(running, "POST", "/time", {"by": 1})
    assert (status, text[:29]) == (409, "time goes with the wall clock")


def test_a_venue_whose_clock_runs_faster_wakes_sooner_by_the_wall() -> None:
    """Five minutes of its time are 0.3 seconds of the wall's, and nobody waits for more than ten."""

    async def wait_five_minutes() -> bool:
        clock = ScaledClock(START, 1_000.0)
        venue = Venue(rules=QUICK, rng=Random(1), clock=clock, members=Members("seed"))
        async with serve(venue, speed=clock.speed):
            await asyncio.wait_for(venue.until(Instant(START + seconds(300))), 10)
        return venue.now() >= START + seconds(300)

    assert asyncio.run(wait_five_minutes())


def test_a_jump_stops_at_everything_that_falls_due_on_the_way() -> None:
    with exchange(stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        stream = running.stream(running.urls.user_ws, trader.user_frame())
        trader.start("POST", "/order", trader.body(terms(at="0.51")))
        running.control("POST", "/time", {"by": seconds(60)})
        told = [stream.hear() for _ in range(5)]
        assert [one["timestamp"] for one in told] == [
            str((START + at) // 10**6) for at in (30_000_000, 30_000_000, 30_000_000, 50_000_000, 70_000_000)
        ]


# --- truth, accounts, world ------------------------------------------------------------------------------------------


def test_the_truth_is_told_exactly(running: Running, trader: Trader) -> None:
    trader.place(terms())
    truth = running.control("GET", "/truth")
    mine = next(account for account in truth["accounts"] if account["account"] == trader.account)
    assert (mine["cash"], mine["reserved"]) == (1_000_000_000, 4_500_000)
    assert [order["price"] for order in truth["orders"]] == [450_000]
    assert truth["deposited"] == 1_000_000_000


def test_an_account_is_opened_and_funded_from_outside(running: Running) -> None:
    trader = Trader(running, kind=SignatureType.GNOSIS_SAFE)
    wallet = trader.account
    body = {"owner": trader.key.address, "kind": 2, "wallet": wallet.lower(), "cash": usd("25")}
    assert running.control("POST", "/accounts", body) == {"account": wallet}
    assert trader.get("/balance-allowance", "?asset_type=COLLATERAL&signature_type=2")["balance"] == "25000000"
    other = dict(body, wallet="0x" + "22" * 20)
    assert refused(running, "POST", "/accounts", other)[0] == 400
    assert refused(running, "POST", "/accounts", dict(body, owner="me"))[0] == 400


def test_the_world_is_played_from_outside() -> None:
    with Running() as running:
        for news in (LISTING, BOOK):
            assert running.control("POST", "/world", msgspec.to_builtins(news)) == "OK"
        assert running.get(f"/midpoint?token_id={UP}") == {"mid": "0.5"}
        status, text = refused(running, "POST", "/world", LISTING)
        assert (status, "is listed already" in text) == (400, True)
        assert refused(running, "POST", "/world", sim.ListMarket(market=LISTING.facts))[0] == 400


def test_only_this_machine_controls() -> None:
    class Far:
        remote = "203.0.113.7"

    async def handler(_: object) -> None:
        raise AssertionError("let through")

    with pytest.raises(Refused, match="ask from the machine it runs on"):
        asyncio.run(local_only(Far(), handler))  # type: ignore[arg-type]


# --- faults ----------------------------------------------------------------------------------------------------------


def switch_on(running: Running, fault: str, **more: object) -> None:
    running.control("POST", "/faults", {"fault": fault, **more})


def hits(running: Running, fault: str) -> int:
    found: int = running.control("GET", "/faults")["hits"][fault]
    return found


def test_a_lost_reply_leaves_the_order_in_the_book(running: Running, trader: Trader) -> None:
    switch_on(running, "reply-lost", where="POST /order")
    signed = trader.sign(terms())
    with pytest.raises(aiohttp.ClientConnectionError):
        trader.call("POST", "/order", trader.body(terms(), signed))
    assert trader.get(f"/data/order/{signed.id}")["status"] == "LIVE"
    assert hits(running, "reply-lost") == 1
    assert trader.place(terms())[0] == 200


def test_a_lost_reply_waits_for_something_that_was_done(running: Running, trader: Trader) -> None:
    switch_on(running, "reply-lost", where="POST /order")
    assert trader.place(terms(size="4"))[0] == 400
    assert hits(running, "reply-lost") == 0
    with pytest.raises(aiohttp.ClientConnectionError):
        trader.place(terms())


def test_a_reset_leaves_nothing(running: Running, trader: Trader) -> None:
    switch_on(running, "reset", where="POST /order", times=2)
    for _ in range(2):
        with pytest.raises(aiohttp.ClientConnectionError):
            trader.place(terms())
    assert trader.get("/data/orders")["count"] == 0
    assert hits(running, "reset") == 2
    assert running.control("GET", "/faults")["on"] == []


def test_a_late_reply_comes_when_its_time_has_passed() -> None:
    with exchange(stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        switch_on(running, "reply-late", where="POST /order", delay=seconds(5))
        asking = trader.start("POST", "/order", trader.body(terms()))
        assert trader.get("/data/orders")["count"] == 1
        running.control("POST", "/time", {"by": seconds(5) - 1})
        assert not asking.done()
        running.control("POST", "/time", {"by": 1})
        assert asking.result(5)[1]["status"] == "live"
        assert hits(running, "reply-late") == 1


def test_a_late_reply_by_the_wall_clock(running: Running, trader: Trader) -> None:
    switch_on(running, "reply-late", where="GET /data/order/{order}", delay=20_000_000)
    placed = trader.place(terms())[1]["orderID"]
    assert trader.get(f"/data/order/{placed}")["id"] == placed
    assert hits(running, "reply-late") == 1


def test_a_stream_is_closed_in_place_of_its_next_frame(running: Running, trader: Trader) -> None:
    first, second = (running.stream(running.urls.user_ws, trader.user_frame()) for _ in range(2))
    for stream in (first, second):
        stream.say("PING")
        assert stream.hear() == "PONG"
    switch_on(running, "stream-closed", where="user")
    trader.place(terms())
    assert first.hear() is None
    assert second.hear()["type"] == "PLACEMENT"
    assert hits(running, "stream-closed") == 1


def test_a_frozen_stream_swallows_news_while_pong_goes_on(running: Running) -> None:
    stream = running.stream(running.urls.market_ws, {"assets_ids": [UP], "type": "market"})
    stream.hear()
    switch_on(running, "stream-frozen", where="market", times=None)
    for size in (1_000_000, 2_000_000):
        running.feed(sim.ChangeLevels(market=CONDITION, changes=(sim.LevelChange("BUY", 400_000, size),)))  # type: ignore[arg-type]
    stream.say("PING")
    assert stream.hear() == "PONG"
    assert hits(running, "stream-frozen") == 2
    assert running.control("DELETE", "/faults/stream-frozen")["on"] == []
    running.feed(sim.ChangeLevels(market=CONDITION, changes=(sim.LevelChange("BUY", 400_000, 3_000_000),)))  # type: ignore[arg-type]
    assert stream.hear()["price_changes"][0]["size"] == "3"


def test_a_fault_everywhere_spares_the_control_surface(running: Running, trader: Trader) -> None:
    switch_on(running, "reset", times=None)
    with pytest.raises(aiohttp.ClientConnectionError):
        running.get("/ok")
    with pytest.raises(aiohttp.ClientConnectionError):
        running.call("GET", f"{running.urls.gamma}/markets")
    running.control("DELETE", "/faults")
    assert running.get("/ok") == "OK"
    assert trader.place(terms())[0] == 200


@pytest.mark.parametrize("body", [{"fault": "fire"}, {"fault": "reset", "times": 0}, {"fault": "reset", "delay": -1}])
def test_a_fault_that_cannot_be_is_refused(running: Running, body: dict[str, object]) -> None:
    assert refused(running, "POST", "/faults", body)[0] == 400
    assert refused(running, "DELETE", "/faults/fire", {})[0] == 404


# --- how replies leave -----------------------------------------------------------------------------------------------


def test_a_reply_is_one_write_that_waits_for_no_other(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writes and Nagle made every order of an official client 50 ms late (`PROTOCOL.md` A.6)."""
    port = int(running.urls.clob.rsplit(":", 1)[1])
    writes: list[tuple[bytes, int]] = []

    def send(sock: socket.socket, data: bytes) -> int:
        if sock.family == socket.AF_INET and sock.getsockname()[1] == port:
            writes.append((bytes(data), sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        return _send(sock, data)

    _send = socket.socket.send
    monkeypatch.setattr(socket.socket, "send", send)
    assert running.get(f"/book?token_id={UP}")["asset_id"] == UP
    ((written, without_delay),) = writes
    assert written.startswith(b"HTTP/1.1 200 OK")
    assert written.endswith(b"}")
    assert without_delay


def test_streams_are_closed_when_the_exchange_ends() -> None:
    async def watch_the_end() -> aiohttp.WSMessage:
        venue = Venue(rules=QUICK, rng=Random(1), clock=WallClock(), members=Members("seed"))
        async with aiohttp.ClientSession() as session, contextlib.AsyncExitStack() as stack:
            async with serve(venue) as urls:
                socket = await stack.enter_async_context(session.ws_connect(urls.user_ws))
                ending = asyncio.create_task(socket.receive())
                await asyncio.sleep(0.01)
            return await ending

    last = asyncio.run(watch_the_end())
    assert (last.type, last.data) == (aiohttp.WSMsgType.CLOSE, 1001)
