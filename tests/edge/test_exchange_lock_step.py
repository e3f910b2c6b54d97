"""Lock step: time that waits for one trader, and what it lets happen in which order."""

from collections.abc import Iterator

import pytest

from polystra.core.errors import PolystraError
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Instant, price, seconds, shares
from polystra.exchange.lives import InvalidNumber, read_number
from polystra.exchange.lock_step import GRACE
from polystra.exchange.steps import NUMBER
from polystra.sim import messages as sim
from polystra.sim.latency import Delays, Latency
from tests.edge.exchange_cases import CONDITION, DOWN, HOLD, PATIENCE, START, UP, Trader, terms
from tests.edge.lock_step_cases import (
    ANSWER,
    MARKET,
    MS,
    SUBMIT,
    USER,
    Follower,
    Stepped,
    funded,
    market,
    status_of,
    stepped,
    truth,
)


class Torn(PolystraError):
    """A recording that cannot be read on."""


class TornWorld:
    over = False

    def next_due(self) -> Instant:
        return Instant(START + 1)

    def step(self) -> None:
        raise Torn("window.jsonl, line 8: not JSON")


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


# --- one request -----------------------------------------------------------------------------------------------------


def test_a_request_arrives_and_is_answered_when_the_ways_say(follower: Follower) -> None:
    asking = follower.ask("GET", "/time")
    assert follower.step() == {"now": START + SUBMIT + ANSWER, "answer": 1}
    assert asking.result(PATIENCE) == (200, (START + SUBMIT) // 10**9)


def test_the_ways_are_those_of_the_seed() -> None:
    ways = Latency(Delays(), "seed")
    with stepped(ways=Latency(Delays(), "seed")) as running, running.attach() as follower:
        for _ in range(5):
            follower.ask("GET", "/ok")
            answered = ways.answer(ways.submit(Instant(follower.now)))
            assert follower.step() == {"now": answered, "answer": follower.sent}


def test_nothing_is_answered_before_its_step(follower: Follower) -> None:
    first, second = follower.ask("GET", "/time"), follower.ask("GET", "/ok")
    assert follower.step()["answer"] == 1
    first.result(PATIENCE)
    assert not second.done()
    assert follower.step() == {"now": START + SUBMIT + ANSWER, "answer": 2}
    assert second.result(PATIENCE)[1] == "OK"


def test_requests_of_one_moment_are_done_in_the_order_of_their_numbers(
    running: Stepped, follower: Follower, member: Trader
) -> None:
    first, second = follower.decide(), follower.decide()
    cheap, dear = (member.sign(terms(at="0.10", size=size)) for size in ("10", "20"))
    for number, signed, size in ((second, dear, "20"), (first, cheap, "10")):
        body = member.body(terms(at="0.10", size=size), signed)
        follower.ask("POST", "/order", number=number, body=body, signed=member.headers("POST", "/order", body))
    assert [follower.step()["answer"] for _ in range(2)] == [first, second]
    assert [order["order"]["id"] if "order" in order else order["id"] for order in truth(running)["orders"]] == [
        cheap.id,
        dear.id,
    ]


def test_time_stands_still_while_a_request_is_missing(running: Stepped, follower: Follower) -> None:
    missing, other = follower.decide(), follower.decide()
    follower.ask("GET", "/ok", number=other)
    follower.report()
    waiting = running.time()
    assert (waiting["now"], waiting["waits_for"]) == (START, "requests: 1 of 2 are here, number 1 is not")
    follower.ask("GET", "/time", number=missing)
    assert follower.control.hear() == {"now": START + SUBMIT + ANSWER, "answer": missing}


def test_time_stands_still_until_a_report(running: Stepped, follower: Follower) -> None:
    asking = follower.ask("GET", "/ok")
    assert running.time() == {"now": START, "next_due": None, "waits_for": "the trader's report"}
    assert not asking.done()


def test_a_repetition_by_the_transport_is_answered_and_not_told(follower: Follower) -> None:
    number = follower.decide()
    follower.ask("GET", "/ok", number=number)
    again = follower.ask("GET", "/ok", number=number)
    assert again.result(PATIENCE) == (200, "OK")
    assert follower.step()["answer"] == number
    assert follower.step(alarm=START + seconds(1)) == {"now": START + seconds(1)}


def test_an_error_comes_as_late_as_an_answer(follower: Follower) -> None:
    for path, status in (("/nowhere", 404), ("/book?token_id=1", 404), ("/data/orders", 401)):
        before = follower.now
        label, url = follower.label(follower.decide()), follower.running.urls.clob + path
        asking = follower.running.in_the_back(status_of(url, label))
        follower.await_receipt(follower.sent, asking)
        assert follower.step() == {"now": before + SUBMIT + ANSWER, "answer": follower.sent}
        assert asking.result(PATIENCE) == status


@pytest.mark.parametrize("label", ["1", "1-0", "0-1", "one-1", "1-2-3", "-1-1", "1-" + "9" * 30])
def test_a_label_that_is_none_is_refused(follower: Follower, label: str) -> None:
    status, answer = follower.running.call("GET", follower.running.urls.clob + "/ok", headers={NUMBER: label})
    assert (status, "want life-number" in answer["error"]) == (400, True)
    with pytest.raises(InvalidNumber):
        read_number(label)


def test_a_life_that_has_not_begun_sends_nothing(running: Stepped) -> None:
    status, answer = running.call("GET", running.urls.clob + "/ok", headers={NUMBER: "1-1"})
    assert (status, answer["error"]) == (409, f"{NUMBER} 1-1: the last life is 0, attach first")


# --- alarms and the end ----------------------------------------------------------------------------------------------


def test_the_alarm_comes_before_all_else_of_its_moment(follower: Follower) -> None:
    follower.ask("GET", "/ok")
    answered = START + SUBMIT + ANSWER
    assert follower.step(alarm=answered) == {"now": answered}
    assert follower.step(alarm=answered + 1) == {"now": answered, "answer": 1}


def test_an_alarm_that_is_over_is_due_at_once(follower: Follower) -> None:
    assert follower.step(alarm=START - seconds(5)) == {"now": START}


def test_the_world_is_over_when_nothing_is_due_and_nobody_waits(follower: Follower) -> None:
    assert follower.step() == {"now": START, "over": True}


def test_the_trader_has_its_time_to_notice_the_end() -> None:
    with stepped(moments=[MS]) as running, running.attach() as follower:
        last = START + MS + GRACE
        assert follower.step(alarm=last) == {"now": last}
        assert follower.step(alarm=last + 1) == {"now": last, "over": True}


def test_a_broken_recording_ends_the_run_with_its_reason() -> None:
    with Stepped() as running, running.attach() as follower:
        broken: list[PolystraError] = []
        running.steps._world = TornWorld()
        running.steps.on_broken = broken.append
        follower.report()
        assert follower.control.reason() == "window.jsonl, line 8: not JSON"
        assert [str(one) for one in broken] == ["window.jsonl, line 8: not JSON"]


# --- streams ---------------------------------------------------------------------------------------------------------


def test_frames_come_one_step_at_a_time_and_in_order() -> None:
    with stepped(moments=[100 * MS, 200 * MS, 201 * MS]) as running, running.attach() as follower:
        stream = market(follower)
        told = [follower.step() for _ in range(3)]
        assert told == [
            {"now": START + moment + MARKET, "stream": "market", "frames": 1}
            for moment in (100 * MS, 200 * MS, 201 * MS)
        ]
        assert [stream.hear()["price_changes"][0]["size"] for _ in range(3)] == ["3", "2", "1"]


def test_frames_of_one_moment_come_in_one_step() -> None:
    with stepped(moments=[100 * MS, 100 * MS]) as running, running.attach() as follower:
        market(follower)
        assert follower.step() == {"now": START + 100 * MS + MARKET, "stream": "market", "frames": 2}


def test_much_that_nobody_hears_of_is_passed_over() -> None:
    moments = [n * MS for n in range(1, 301)]
    with stepped(moments=moments) as running, running.attach() as follower:
        assert follower.step(alarm=START + seconds(1)) == {"now": START + seconds(1)}
        assert running.time()["next_due"] is None


def test_a_subscription_is_on_its_way_and_so_is_its_answer(follower: Follower) -> None:
    stream = follower.open(follower.running.urls.market_ws, "market", {"assets_ids": [UP, DOWN], "type": "market"})
    opened = follower.now
    assert follower.step() == {"now": opened + SUBMIT + MARKET, "stream": "market", "frames": 1}
    assert [book["asset_id"] for book in stream.hear()] == [UP, DOWN]


def test_a_text_is_heard_before_a_request_of_its_moment(running: Stepped, follower: Follower, member: Trader) -> None:
    stream = market(follower)
    follower.send(member, "POST", "/order", member.body(terms(at="0.50")))
    follower.say(stream, "market", {"operation": "unsubscribe", "assets_ids": [UP]})
    assert "answer" in follower.step()
    assert follower.step() == {"now": follower.now, "over": True}


def test_time_stands_still_while_a_text_is_missing(running: Stepped, follower: Follower) -> None:
    stream = market(follower)
    follower.messages["market"] += 1
    follower.report()
    assert running.time()["waits_for"] == "messages: 1 of 2 on stream market are here"
    stream.say({"operation": "unsubscribe", "assets_ids": [UP]})
    assert follower.control.hear()["over"]


def test_ping_is_answered_by_the_wall_and_counted_nowhere(follower: Follower) -> None:
    stream = market(follower)
    stream.say("PING")
    assert stream.hear() == "PONG"
    assert follower.step(alarm=follower.now + 1) == {"now": follower.now}


def test_the_user_stream_is_told_after_the_answer_that_is_quicker(follower: Follower, member: Trader) -> None:
    stream = follower.open(follower.running.urls.user_ws, "user", member.user_frame())
    opened = follower.now
    asking = follower.send(member, "POST", "/order", member.body(terms(at="0.10")))
    assert follower.step() == {"now": opened + SUBMIT + ANSWER, "answer": 2}
    assert asking.result(PATIENCE)[1]["status"] == "live"
    assert follower.step() == {"now": opened + SUBMIT + USER, "stream": "user", "frames": 1}
    assert stream.hear()["type"] == "PLACEMENT"


def test_a_stranger_on_the_user_stream_is_shown_out_in_a_step(follower: Follower) -> None:
    stream = follower.open(follower.running.urls.user_ws, "user", {"type": "user"})
    opened = follower.now
    assert follower.step() == {"now": opened + SUBMIT + USER, "stream": "user", "closed": True}
    assert stream.hear() is None


def test_a_stream_dialled_anew_ends_the_one_before() -> None:
    with stepped(moments=[500 * MS]) as running, running.attach() as follower:
        left = market(follower)
        market(follower)
        assert left.hear() is None
        assert follower.step() == {"now": START + 500 * MS + MARKET, "stream": "market", "frames": 1}


def test_a_stream_that_the_trader_closed_is_told_nothing() -> None:
    """Neither what is on its way nor what would come later."""
    with stepped(moments=[500 * MS, 600 * MS]) as running, running.attach() as follower:
        stream = market(follower)
        follower.step(alarm=START + 500 * MS + 1)
        stream.close()
        assert follower.step() == {"now": START + 600 * MS, "over": True}


# --- orders ----------------------------------------------------------------------------------------------------------


def test_an_order_in_its_hold_is_answered_when_the_hold_is_over(follower: Follower, member: Trader) -> None:
    asking = follower.send(member, "POST", "/order", member.body(terms(at="0.51")))
    looking = follower.ask("GET", "/ok")
    assert follower.step() == {"now": START + SUBMIT + ANSWER, "answer": 2}
    looking.result(PATIENCE)
    assert follower.step() == {"now": START + SUBMIT + HOLD + ANSWER, "answer": 1}
    assert asking.result(PATIENCE)[1]["status"] == "matched"


def test_a_batch_is_answered_when_its_last_hold_is_over(follower: Follower, member: Trader) -> None:
    bodies = [member.body(terms(at=at, tif=tif)) for at, tif in (("0.51", TimeInForce.GTC), ("0.10", TimeInForce.GTC))]
    asking = follower.send(member, "POST", "/orders", b"[" + b",".join(bodies) + b"]")
    assert follower.step() == {"now": START + SUBMIT + HOLD + ANSWER, "answer": 1}
    assert [one["status"] for one in asking.result(PATIENCE)[1]] == ["matched", "live"]


def test_strangers_are_served_at_once(running: Stepped, follower: Follower, member: Trader) -> None:
    follower.ask("GET", "/ok")
    assert member.place(terms(at="0.10"))[1]["status"] == "live"
    stranger = running.stream(running.urls.market_ws, {"assets_ids": [UP], "type": "market"})
    assert stranger.hear()[0]["asset_id"] == UP
    running.feed(sim.ChangeLevels(market=CONDITION, changes=(sim.LevelChange(Side.BUY, price("0.50"), shares("1")),)))
    assert stranger.hear()["event_type"] == "price_change"
    assert running.time()["now"] == START
    assert follower.step()["answer"] == 1
