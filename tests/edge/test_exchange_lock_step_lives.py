"""Lock step when things go wrong: faults, traders that die or contradict themselves; and the same run again."""

import concurrent.futures
import socket
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from polystra.core.units import price, seconds
from polystra.exchange.steps import NUMBER
from polystra.sim.latency import Delays, Latency
from tests.edge.exchange_cases import DOWN, PATIENCE, START, UP, Trader, terms
from tests.edge.lock_step_cases import (
    ANSWER,
    MARKET,
    MS,
    SUBMIT,
    Follower,
    Stepped,
    funded,
    market,
    stepped,
    switch_on,
    truth,
)


@pytest.fixture
def running() -> Iterator[Stepped]:
    with stepped() as running:
        yield running


@pytest.fixture
def member(running: Stepped) -> Trader:
    """Its keys were made by a stranger's requests, which move nothing."""
    return funded(running)


@pytest.fixture
def follower(running: Stepped) -> Iterator[Follower]:
    with running.attach() as follower:
        yield follower


# --- faults ----------------------------------------------------------------------------------------------------------


def broken(asking: "concurrent.futures.Future[Any]") -> bool:
    return isinstance(asking.exception(PATIENCE), aiohttp.ClientConnectionError)


def unbroken(asking: "concurrent.futures.Future[Any]") -> bool:
    """Also after a moment in which a break would be noticed."""
    with pytest.raises(TimeoutError):
        asking.exception(0.05)
    return True


def test_a_reset_is_an_answer_that_never_comes(running: Stepped, follower: Follower, member: Trader) -> None:
    switch_on(running, "reset", where="POST /order")
    asking = follower.send(member, "POST", "/order", member.body(terms(at="0.10")))
    follower.step(alarm=START + SUBMIT + 1)
    assert unbroken(asking)
    assert follower.step() == {"now": START + SUBMIT + ANSWER, "answer": 1}
    assert broken(asking)
    assert truth(running)["orders"] == []


def test_a_lost_reply_breaks_when_it_would_have_come(running: Stepped, follower: Follower, member: Trader) -> None:
    switch_on(running, "reply-lost", where="POST /order")
    asking = follower.send(member, "POST", "/order", member.body(terms(at="0.10")))
    follower.step(alarm=START + SUBMIT + 1)
    assert unbroken(asking)
    assert follower.step() == {"now": START + SUBMIT + ANSWER, "answer": 1}
    assert broken(asking)
    assert len(truth(running)["orders"]) == 1


def test_a_late_reply_is_late_in_the_venues_time(running: Stepped, follower: Follower) -> None:
    switch_on(running, "reply-late", where="GET /ok", delay=seconds(7))
    late, other = follower.ask("GET", "/ok"), follower.ask("GET", "/time")
    assert follower.step() == {"now": START + SUBMIT + ANSWER, "answer": 2}
    assert follower.step() == {"now": START + SUBMIT + seconds(7) + ANSWER, "answer": 1}
    assert (late.result(PATIENCE)[0], other.result(PATIENCE)[0]) == (200, 200)


def test_a_closed_stream_is_told_and_says_no_more() -> None:
    with stepped(moments=[100 * MS, 200 * MS]) as running, running.attach() as follower:
        stream = market(follower)
        switch_on(running, "stream-closed", where="market")
        stream.say("PING")
        assert stream.hear() == "PONG"
        assert follower.step() == {"now": START + 100 * MS + MARKET, "stream": "market", "closed": True}
        assert stream.hear() is None
        assert follower.step()["over"]


def test_a_frozen_stream_swallows_what_leaves_then() -> None:
    with stepped(moments=[100 * MS, 200 * MS]) as running, running.attach() as follower:
        stream = market(follower)
        switch_on(running, "stream-frozen", where="market")
        assert follower.step() == {"now": START + 200 * MS + MARKET, "stream": "market", "frames": 1}
        assert stream.hear()["price_changes"][0]["size"] == "1"


def test_a_handshake_can_be_broken_too(running: Stepped, follower: Follower) -> None:
    """`aiohttp` repeats a request whose connection broke, once: so it breaks twice."""
    switch_on(running, "reset", where="GET /ws/market", times=2)
    dialling = follower.dial(running.urls.market_ws)
    assert follower.step() == {"now": START + SUBMIT + ANSWER, "answer": 1}
    assert broken(dialling)


def test_a_stream_of_a_repeated_handshake_is_the_traders(running: Stepped, follower: Follower) -> None:
    switch_on(running, "reset", where="GET /ws/market")
    dialling = follower.dial(running.urls.market_ws)
    assert follower.step() == {"now": START + SUBMIT + ANSWER, "answer": 1}
    stream = dialling.result(PATIENCE)
    follower.say(stream, "market", {"assets_ids": [UP], "type": "market"})
    assert follower.step() == {"now": START + SUBMIT + ANSWER + SUBMIT + MARKET, "stream": "market", "frames": 1}


# --- lives -----------------------------------------------------------------------------------------------------------


def test_a_second_trader_is_refused_while_one_is_attached(running: Stepped, follower: Follower) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        running.attach()
    assert refused.value.status == 409
    assert follower.step(alarm=START + 1) == {"now": START + 1}
    status, answer = running.call("GET", f"{running.urls.control}/lock-step")
    assert (status, answer["error"]) == (409, "life 1 of the trader is attached: lock step is with one at a time")


def test_what_a_killed_trader_sent_arrives_and_what_was_for_it_is_lost(running: Stepped, member: Trader) -> None:
    with running.attach() as killed:
        stream = market(killed)
        known = killed.send(member, "POST", "/order", member.body(terms(at="0.10")))
        killed.step(alarm=killed.now + 1)
        unreported = killed.send(member, "POST", "/order", member.body(terms(at="0.11")))
        stood = killed.now
    assert running.time() == {"now": stood, "next_due": stood - 1 + SUBMIT, "waits_for": "a trader to attach"}
    assert stream.hear() is None
    with running.attach() as heir:
        assert (heir.life, heir.began) == (2, stood)
        assert heir.step(alarm=stood + seconds(1)) == {"now": stood + seconds(1)}
        assert broken(known)
        assert broken(unreported)
    assert [order["price"] for order in truth(running)["orders"]] == [price("0.10"), price("0.11")]


def test_an_answer_on_its_way_to_a_killed_trader_is_lost(running: Stepped) -> None:
    """Here that nothing is posted to `/ok`; `aiohttp` repeats no POST."""
    with running.attach() as killed:
        asking = killed.ask("POST", "/ok")
        killed.step(alarm=START + SUBMIT + 1)
    assert broken(asking)
    assert running.time()["next_due"] is None


def test_a_trader_killed_in_the_middle_of_a_request_leaves_nothing_hanging(running: Stepped) -> None:
    with running.attach() as killed:
        host, port = running.urls.clob.removeprefix("http://").split(":")
        half = socket.create_connection((host, int(port)))
        half.sendall(f"POST /order HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n{NUMBER}: 1-1\r\n\r\n{{".encode())
        killed.sent = 1
        killed.report()
        while running.time()["waits_for"] != "requests: 0 of 1 are here, number 1 is not":
            pass
        half.close()
    with running.attach() as heir:
        assert heir.step(alarm=START + 1) == {"now": START + 1}
    assert running.time()["next_due"] is None


def test_an_order_in_its_hold_outlives_its_trader(running: Stepped, member: Trader) -> None:
    with running.attach() as killed:
        asking = killed.send(member, "POST", "/order", member.body(terms(at="0.51")))
        assert killed.step(alarm=START + SUBMIT + 1) == {"now": START + SUBMIT + 1}
    with running.attach() as heir:
        assert heir.step(alarm=START + seconds(1)) == {"now": START + seconds(1)}
    assert broken(asking)
    assert len(truth(running)["trades"]) == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("nonsense", "report: JSON is malformed"),
        ({"requests": 0, "speed": 3}, "report: Object contains unknown field `speed`"),
        ({"requests": "none"}, "report: Expected `int`"),
        ({"requests": 0}, "report: requests 0: number 1 was received"),
        ({"requests": -1}, "report: requests -1: number 1 was received"),
        ({"requests": 1, "messages": {"market": 0}}, ""),
    ],
)
def test_a_report_that_cannot_be_true_ends_the_life(
    running: Stepped, follower: Follower, said: object, reason: str
) -> None:
    follower.ask("GET", "/ok")
    follower.control.say(said)
    if not reason:
        assert follower.control.hear()["answer"] == 1
        return
    assert follower.control.reason().startswith(reason)
    assert running.time()["waits_for"] == "a trader to attach"


def test_fewer_texts_than_were_received_end_the_life(follower: Follower) -> None:
    market(follower)
    follower.messages = {}
    follower.report()
    assert follower.control.reason() == "report: messages market 0: 1 were received"


def test_a_request_after_the_report_ends_the_life(follower: Follower) -> None:
    missing, late = follower.decide(), follower.decide()
    follower.sent = missing
    follower.report()
    follower.ask("GET", "/ok", number=late)
    assert follower.control.reason() == f"report: requests {missing}: number {late} was received"


def test_two_reports_without_a_step_end_the_life(follower: Follower) -> None:
    follower.decide()
    follower.report()
    follower.report()
    assert follower.control.reason() == "report: a second report, and no step between them"


def test_time_is_not_moved_from_outside(running: Stepped) -> None:
    status, answer = running.call("POST", f"{running.urls.control}/time", body=b'{"by": 1}')
    assert (status, answer["error"][:33]) == (409, "time goes in lock step with a tra")


def test_the_exchange_ends_while_requests_are_on_their_way() -> None:
    with stepped() as running:
        member = funded(running)
        follower = running.attach()
        market(follower)
        answered, late = follower.ask("GET", "/ok"), follower.ask("GET", "/time")
        assert follower.step()["answer"] == 2
        held = follower.send(member, "POST", "/order", member.body(terms(at="0.10")))
    assert answered.result(PATIENCE) == (200, "OK")
    assert broken(late)
    assert broken(held)


# --- the same again --------------------------------------------------------------------------------------------------


def transcript() -> list[Any]:
    """Steps and answers of a trader that does everything at once, on ways where things overtake."""
    with stepped(ways=Latency(Delays(), "seed"), moments=[n * 7 * MS for n in range(1, 30)]) as running:
        member = funded(running)
        with running.attach() as follower:
            told: list[Any] = []
            opened = follower.dial(running.urls.market_ws), follower.dial(running.urls.user_ws)
            told += [follower.step() for _ in range(2)]
            streams = {"market": opened[0].result(PATIENCE), "user": opened[1].result(PATIENCE)}
            follower.say(streams["user"], "user", member.user_frame())
            follower.say(streams["market"], "market", {"assets_ids": [UP, DOWN], "type": "market"})
            asked: dict[int, Any] = {}
            while len(told) < 60:
                if len(told) % 4 == 0 and len(asked) < 20:
                    order = member.body(terms(at="0.51" if len(asked) % 3 else "0.10", size="5"))
                    for method, path, body in (("POST", "/order", order), ("GET", "/data/orders", b"")):
                        asking = follower.send(member, method, path, body)
                        asked[follower.sent] = asking
                step = follower.step(alarm=follower.now + 50 * MS)
                told.append(step)
                if step.get("answer") in asked:
                    told.append(asked[step["answer"]].result(PATIENCE))
                told += [streams[step["stream"]].hear() for _ in range(step.get("frames", 0))]
            return told


def test_the_same_seed_gives_the_same_transcript() -> None:
    first, second = transcript(), transcript()
    assert len({str(one) for one in first}) > 30
    assert first == second
