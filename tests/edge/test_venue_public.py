"""What the running exchange tells anybody, and what is made of answers that are no answers."""

import json

import pytest
from msgspec.structs import replace

from polystra.core.events import OwnPrice
from polystra.core.units import Instant, price, seconds, shares
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.public import PublicReadings
from tests.edge.exchange_cases import BOOK, DOWN, START, UP, Running, exchange
from tests.edge.venue_cases import Client, http

MINUTE = 1_795_432_200 // 60 * 60


def readings(ours: Client, url: str) -> PublicReadings:
    return PublicReadings(ours.rest, url)


def scripted(ours: Client, *replies: bytes) -> PublicReadings:
    return readings(ours, ours.scripted(*replies).url)


# --- is it there -----------------------------------------------------------------------------------------------------


def test_a_venue_that_is_well_says_so(running: Running, ours: Client) -> None:
    assert ours.run(readings(ours, running.urls.clob).ok()) is None


@pytest.mark.parametrize(
    "reply", [http(200, '"NO"'), http(200, "OK"), http(200, ""), http(503, '{"error":"x"}'), b""], ids=range(5)
)
def test_whatever_else_it_says_is_why_it_is_not_well(ours: Client, reply: bytes) -> None:
    failed = ours.run(scripted(ours, reply, reply).ok())
    assert isinstance(failed, ReadingFailed)
    assert failed.why


# --- how fresh is a book ---------------------------------------------------------------------------------------------


def test_a_book_is_as_old_as_its_last_change(running: Running, ours: Client) -> None:
    public = readings(ours, running.urls.clob)
    before = ours.run(public.book_time(UP))
    assert isinstance(before, int)
    assert abs(WallClock().now() - before) < seconds(5)
    assert before == int(running.get(f"/book?token_id={UP}")["timestamp"]) * 10**6
    assert ours.run(public.book_time(DOWN)) == before
    running.feed(BOOK)
    after = ours.run(public.book_time(UP))
    assert isinstance(after, int)
    assert after >= before


def test_the_time_of_a_book_that_is_not_there_is_not_known(running: Running, ours: Client) -> None:
    failed = ours.run(readings(ours, running.urls.clob).book_time(type(UP)("5")))
    assert isinstance(failed, ReadingFailed)
    assert "No orderbook exists" in failed.why


@pytest.mark.parametrize(
    "changed",
    [{"asset_id": DOWN}, {"timestamp": "soon"}, {"timestamp": None}, {"bids": None}, {"asks": [{"price": "0.5"}]}],
)
def test_half_a_book_or_another_ones_has_no_time(running: Running, ours: Client, changed: dict[str, object]) -> None:
    form = running.get(f"/book?token_id={UP}") | changed
    assert isinstance(ours.run(scripted(ours, http(200, json.dumps(form))).book_time(UP)), ReadingFailed)


# --- what did it cost ------------------------------------------------------------------------------------------------


def test_the_history_of_a_token_is_the_middle_of_its_book_at_each_minute(ours: Client) -> None:
    with exchange(stepped=True) as running:
        running.control("POST", "/time", {"by": seconds(90)})
        running.feed(replace(BOOK, bids=((price("0.50"), shares("9")),), asks=((price("0.53"), shares("9")),)))
        running.control("POST", "/time", {"by": seconds(60)})
        public, later = readings(ours, running.urls.clob), Instant(START + seconds(30))
        asked = [public.price_history(token, later, Instant(START + seconds(150))) for token in (UP, DOWN)]
        up, down = (ours.run(one) for one in asked)
        nothing = ours.run(public.price_history(UP, Instant(START - seconds(300)), Instant(START - seconds(1))))
        refused = ours.run(public.price_history(UP, Instant(0), START))
    first, second = (Instant(START + seconds(60 * count)) for count in (1, 2))
    assert up == (OwnPrice(first, price("0.5")), OwnPrice(second, price("0.515")))
    assert down == (OwnPrice(first, price("0.5")), OwnPrice(second, price("0.485")))
    assert nothing == ()
    assert isinstance(refused, ReadingFailed)


def test_a_history_is_asked_for_by_the_minute_and_read_exactly(ours: Client) -> None:
    points = f'{{"t":{MINUTE},"p":0.495}},{{"t":{MINUTE + 63},"p":0.6325}},{{"t":{MINUTE + 180},"p":0.1}}'
    script = ours.scripted(http(200, f'{{"history":[{points}]}}'))
    asked = readings(ours, script.url).price_history(UP, START, Instant(START + seconds(300)))
    assert ours.run(asked) == (
        OwnPrice(Instant(MINUTE * 10**9), price("0.495")),
        OwnPrice(Instant((MINUTE + 60) * 10**9), price("0.6325")),
        OwnPrice(Instant((MINUTE + 180) * 10**9), price("0.1")),
    )
    (heard,) = script.heard
    line = f"GET /prices-history?market={UP}&startTs=1795432200&endTs=1795432500&fidelity=1 HTTP/1.1\r\n"
    assert heard.startswith(line.encode())


def test_of_two_prices_in_a_minute_the_first_is_kept(ours: Client) -> None:
    points = f'{{"t":{MINUTE + 1},"p":0.4}},{{"t":{MINUTE + 59},"p":0.6}}'
    history = ours.run(scripted(ours, http(200, f'{{"history":[{points}]}}')).price_history(UP, START, START))
    assert history == (OwnPrice(Instant(MINUTE * 10**9), price("0.4")),)


def test_the_newest_price_may_come_twice_as_it_once_did(ours: Client) -> None:
    points = f'{{"t":{MINUTE},"p":0.4}},{{"t":{MINUTE + 60},"p":0.5}},{{"t":{MINUTE + 60},"p":0.5}}'
    history = ours.run(scripted(ours, http(200, f'{{"history":[{points}]}}')).price_history(UP, START, START))
    assert isinstance(history, tuple)
    assert [one.mid for one in history] == [price("0.4"), price("0.5")]


def test_a_market_without_a_history_has_an_empty_one(ours: Client) -> None:
    assert ours.run(scripted(ours, http(200, '{"history":[]}')).price_history(UP, START, START)) == ()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[]",
        '{"history":null}',
        '{"history":[{"t":1795432200}]}',
        '{"history":[{"t":"soon","p":0.5}]}',
        '{"history":[{"t":-60,"p":0.5}]}',
        '{"history":[{"t":1795432200,"p":0}]}',
        '{"history":[{"t":1795432200,"p":1.5}]}',
        '{"history":[{"t":1795432200,"p":0.1234567}]}',
        '{"history":[{"t":1795432260,"p":0.5},{"t":1795432200,"p":0.5}]}',
        '{"history":[{"t":1795432200,"p":0.5},{"t":1795432200,"p":0.6}]}',
    ],
)
def test_a_history_that_is_wrong_in_one_point_is_none(ours: Client, body: str) -> None:
    assert isinstance(ours.run(scripted(ours, http(200, body)).price_history(UP, START, START)), ReadingFailed)


def test_a_span_that_the_venue_refuses_is_a_failed_reading(ours: Client) -> None:
    refused = http(400, "{\"error\":\"invalid filters: 'startTs' and 'endTs' interval is too long\"}")
    failed = ours.run(scripted(ours, refused).price_history(UP, START, START))
    assert isinstance(failed, ReadingFailed)
    assert "too long" in failed.why
