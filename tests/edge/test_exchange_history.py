"""The price history of the CLOB: the middle of the book at each whole minute, as it stood before that minute."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from polystra.core.ids import VenueOrderId
from polystra.core.terms import Side
from polystra.core.units import Instant, price, seconds, shares
from polystra.sim import messages as sim
from polystra.sim.exchange import Exchange
from polystra.sim.history import KEPT, MINUTE
from polystra.sim.latency import fixed
from polystra.sim.rules import Rules
from tests.edge.exchange_cases import BOOK, CONDITION, DOWN, FACTS, START, UP, Running, Trader, exchange, terms
from tests.edge.signing_cases import official

FIRST = START // MINUTE * MINUTE // 10**9
"""Seconds of the minute in which these markets are listed: a whole one."""


@pytest.fixture
def stepped() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        yield running


def bid(at: str, size: str) -> sim.ChangeLevels:
    return sim.ChangeLevels(market=CONDITION, changes=(sim.LevelChange(Side.BUY, price(at), shares(size)),))


def later(running: Running, by: float) -> None:
    running.control("POST", "/time", {"by": seconds(by)})


def asked(running: Running, query: str, token: str = UP) -> list[tuple[int, Any]]:
    """Minutes since the first one, and prices."""
    body = running.get(f"/prices-history?market={token}&{query}")
    return [((point["t"] - FIRST) / 60, point["p"]) for point in body["history"]]


def test_a_minute_has_the_book_before_anything_happened_in_it(stepped: Running) -> None:
    later(stepped, 59)
    stepped.feed(bid("0.50", "10"))
    later(stepped, 1)
    stepped.feed(bid("0.50", "0"))
    later(stepped, 60)
    assert asked(stepped, "interval=1h") == [(1, 0.505), (2, 0.5)]
    assert asked(stepped, "interval=1h", DOWN) == [(1, 0.495), (2, 0.5)]


def test_a_minute_in_which_nothing_happens_has_the_book_as_it_stands(stepped: Running) -> None:
    later(stepped, 200)
    assert asked(stepped, "interval=max") == [(1, 0.5), (2, 0.5), (3, 0.5)]
    stepped.feed(bid("0.50", "10"))
    later(stepped, 60)
    assert asked(stepped, "interval=max") == [(1, 0.5), (2, 0.5), (3, 0.5), (4, 0.505)]


def test_what_a_client_rests_counts_like_what_is_recorded() -> None:
    with exchange(stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        trader.place(terms(at="0.50"))
        later(running, 60)
        assert asked(running, "interval=1h") == [(1, 0.505)]


def test_an_empty_side_and_a_closed_market_have_no_price(stepped: Running) -> None:
    later(stepped, 60)
    stepped.feed(sim.SetBook(market=CONDITION, bids=BOOK.bids, asks=()))
    later(stepped, 60)
    stepped.feed(BOOK)
    later(stepped, 60)
    stepped.feed(sim.CloseMarket(market=CONDITION))
    later(stepped, 60)
    assert asked(stepped, "interval=1h") == [(1, 0.5), (3, 0.5)]


def test_half_ticks_are_exact(stepped: Running) -> None:
    stepped.feed(sim.SetTick(market=CONDITION, tick=price("0.0001")), bid("0.5001", "7"))
    later(stepped, 60)
    assert asked(stepped, "interval=1h") == [(1, 0.50505)]


def test_a_span_is_cut_to_its_seconds_and_its_fidelity(stepped: Running) -> None:
    later(stepped, 420)
    start, end = FIRST + 120, FIRST + 360
    assert [at for at, _ in asked(stepped, f"startTs={start}&endTs={end}")] == [2, 3, 4, 5, 6]
    assert [at for at, _ in asked(stepped, f"startTs={start + 1}&endTs={end - 1}")] == [3, 4, 5]
    assert [at for at, _ in asked(stepped, f"startTs={start}&fidelity=5")] == [2, 5]
    later(stepped, 3_600)
    assert len(asked(stepped, "interval=1h")) == 61


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("interval=1h", "market: name a token id"),
        (f"market={UP}", "give interval, or startTs and endTs"),
        (f"market={UP}&interval=2h", "interval 2h: known are max, all, 1m, 1w, 1d, 6h, 1h"),
        (f"market={UP}&interval=1m&fidelity=9", "fidelity 9: interval 1m takes 10 minutes or more"),
        (f"market={UP}&interval=1h&fidelity=0", "fidelity 0: give 1 to 1440 minutes"),
        (f"market={UP}&startTs=5&endTs=4", "5 to 4: end at or after the start, at most 1296000 seconds later"),
        (f"market={UP}&startTs=1&endTs=1296002", "1 to 1296002: end at or after the start, at most 1296000 seconds"),
        (f"market={UP}&startTs=soon", "startTs: give a whole number, not 'soon'"),
    ],
)
def test_a_history_that_nobody_keeps_is_refused(running: Running, query: str, text: str) -> None:
    status, body = running.call("GET", f"{running.urls.clob}/prices-history?{query}")
    assert status == 400
    assert body["error"].startswith(text)


def test_several_histories_come_by_token_and_unknown_ones_are_empty(stepped: Running) -> None:
    later(stepped, 60)
    body = {"markets": [UP, DOWN, "123"], "interval": "1h"}
    point = [{"t": FIRST + 60, "p": 0.5}]
    assert stepped.post("/batch-prices-history", body) == (200, {"history": {UP: point, DOWN: point, "123": []}})
    for bad, text in (
        ({"markets": []}, "markets: name 1 to 20 token ids, not 0"),
        ({"markets": ["1"] * 21}, "markets: name 1 to 20 token ids, not 21"),
        ({"markets": UP}, "Invalid payload"),
    ):
        assert stepped.post("/batch-prices-history", bad) == (400, {"error": text})


def test_py_clob_client_reads_the_history(stepped: Running) -> None:
    later(stepped, 60)
    client = official("py_clob_client_v2").ClobClient(stepped.urls.clob, 137)
    params = official("py_clob_client_v2.clob_types").PricesHistoryParams(market=DOWN, interval="1h", fidelity=1)
    assert client.get_prices_history(params) == {"history": [{"t": FIRST + 60, "p": 0.5}]}


# --- the rule alone ---------------------------------------------------------------------------------------------------


def alone(rules: Rules | None = None) -> Exchange:
    """Nobody follows the market: its history does not depend on that."""
    venue = Exchange(rules or Rules(), Random(1))
    venue.handle(sim.ListMarket(market=FACTS), START)
    venue.handle(BOOK, START)
    return venue


def at(minutes: float) -> Instant:
    return Instant(START + round(minutes * MINUTE))


def test_a_reading_keeps_nothing_back_and_changes_nothing() -> None:
    venue = alone()
    assert venue.history(CONDITION, at(1)) == ((at(1), price("0.5")),)
    assert venue.history(CONDITION, at(0.9)) == ()
    venue.handle(bid("0.50", "10"), at(0.99))
    assert venue.history(CONDITION, at(2)) == ((at(1), price("0.505")), (at(2), price("0.505")))


def test_what_falls_due_between_two_minutes_is_in_the_second_alone() -> None:
    """An order that is held takes the only ask when its hold ends, after the minute in which it came."""
    venue = alone()
    account = sim.Account("0x1")
    venue.handle(sim.Deposit(account=account, amount=1_000_000_000), at(1))  # type: ignore[arg-type]
    order = sim.Submit(
        account=account,
        order=VenueOrderId("0x2"),
        token=UP,
        side=Side.BUY,
        maker_amount=41_055_000,
        taker_amount=80_500_000,
    )
    venue.handle(order, Instant(at(1.5) + 1))
    venue.advance(at(3))
    assert venue.history(CONDITION, at(3)) == ((at(1), price("0.5")), (at(2), price("0.505")), (at(3), price("0.505")))


def test_a_jump_of_time_is_filled_for_15_days_at_most() -> None:
    venue = alone(Rules(mined_after=fixed(seconds(1))))
    far = Instant(START + 100 * KEPT)
    venue.handle(bid("0.50", "10"), far)
    found = venue.history(CONDITION, far)
    assert (len(found), found[-1][0]) == (KEPT // MINUTE + 1, far)


def test_a_market_that_is_not_listed_has_no_history() -> None:
    with pytest.raises(ValueError, match="not listed"):
        Exchange(Rules(), Random(1)).history(CONDITION, START)
