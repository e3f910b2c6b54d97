"""The Data API behind its cache: with the fault on it repeats what it said, as long as the real one does."""

from collections.abc import Iterator
from typing import Any

import pytest

from polystra.core.units import seconds
from tests.edge.exchange_cases import Running, Trader, exchange


@pytest.fixture
def trader() -> Iterator[Trader]:
    with exchange(stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        yield trader


def late(running: Running, where: str = "", times: int | None = None) -> None:
    running.control("POST", "/faults", {"fault": "data-late", "where": where, "times": times})


def wait(running: Running, by: float) -> None:
    running.control("POST", "/time", {"by": seconds(by)})


def rows(trader: Trader, page: str) -> Any:
    status, body = trader.running.call("GET", f"{trader.running.urls.data}/v2/{page}?user={trader.account}")
    assert status == 200, body
    return body["data"]


@pytest.mark.parametrize(("page", "age"), [("positions", 5), ("activity", 15)])
def test_what_happened_meanwhile_is_not_told_before_the_answer_is_too_old(trader: Trader, page: str, age: int) -> None:
    late(trader.running)
    before = rows(trader, page)
    trader.running.shares(trader.account, "20")
    wait(trader.running, age - 0.1)
    assert rows(trader, page) == before
    wait(trader.running, 0.2)
    assert len(rows(trader, page)) > len(before)


def test_trades_are_five_minutes_old_at_most(trader: Trader) -> None:
    late(trader.running)
    for length in (0, 299, 2):
        wait(trader.running, length)
        rows(trader, "trades")
    assert trader.running.faults.hits["data-late"] == 1


def test_without_the_fault_and_on_another_route_every_answer_is_fresh(trader: Trader) -> None:
    late(trader.running, "GET /data-api/v2/activity")
    assert rows(trader, "positions") == []
    trader.running.shares(trader.account, "20")
    assert len(rows(trader, "positions")) == 2
    assert trader.running.faults.hits["data-late"] == 0


def test_what_was_never_told_cannot_be_late_and_a_used_up_fault_repeats_nothing(trader: Trader) -> None:
    late(trader.running, times=1)
    assert len(rows(trader, "activity")) == 1
    trader.running.shares(trader.account, "20")
    assert [len(rows(trader, "activity")) for _ in range(2)] == [1, 2]
