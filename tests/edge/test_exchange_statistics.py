"""What the Data API says about markets, traders and builders, with the sums done by hand."""

from collections.abc import Iterator
from typing import Any

import pytest

from polystra.core.terms import Side, TimeInForce
from polystra.core.units import seconds, usd
from polystra.sim import messages as sim
from tests.edge.exchange_cases import (
    CONDITION,
    DOWN,
    LISTING,
    NEW_CONDITION,
    NEW_LISTING,
    NEW_UP,
    START,
    UP,
    Running,
    Trader,
    exchange,
    terms,
)

NOBODY = "0x" + "11" * 20
EVENT = LISTING.number // 4


@pytest.fixture
def running() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        yield running


@pytest.fixture
def trader(running: Running) -> Trader:
    """Split 50 pairs for 50 USD, and sold 10 Up at 0.49 for 4.9 less a fee of 10 x 0.07 x 0.49 x 0.51 = 0.17493."""
    trader = Trader(running)
    running.fund(trader.account)
    running.shares(trader.account, "50")
    sale = terms(Side.SELL, at="0.49", size="10", tif=TimeInForce.FAK)
    asking = trader.start("POST", "/order", trader.body(sale))
    running.control("POST", "/time", {"by": seconds(10)})
    assert asking.result(10)[1]["status"] == "matched"
    return trader


def data(running: Running, path: str) -> Any:
    status, body = running.call("GET", f"{running.urls.data}/v2{path}")
    assert status == 200, body
    return body["data"]


def refused(running: Running, path: str) -> str:
    status, body = running.call("GET", f"{running.urls.data}/v2{path}")
    assert status == 400, body
    return str(body["error"])


def resolve(running: Running, up: int) -> None:
    running.feed(sim.CloseMarket(market=CONDITION), sim.Resolve(market=CONDITION, up_payout=usd(up)))


# --- markets


def test_a_token_is_named_with_its_market_and_family(running: Running) -> None:
    (up,) = data(running, f"/tokens?token_id={UP}")
    assert (up["condition_id"], up["module"], up["outcome"], up["opposite_token_id"]) == (
        CONDITION,
        "v1_ctf",
        "Up",
        DOWN,
    )
    (new,) = data(running, f"/tokens?token_id={NEW_UP}")
    assert (new["module"], new["market_slug"], new["resolved"]) == ("binary", NEW_LISTING.slug, False)
    assert [one["outcome"] for one in data(running, f"/tokens?condition={CONDITION}")] == ["Up", "Down"]
    assert data(running, "/tokens?token_id=5") == []


def test_what_a_token_paid_is_known_once_its_market_is_resolved(running: Running) -> None:
    assert data(running, f"/resolutions?condition_id={CONDITION}") == []
    resolve(running, 0)
    assert [one["final_price"] for one in data(running, f"/tokens?condition={CONDITION}")] == [0, 1]
    (one,) = data(running, f"/resolutions?event_id={EVENT}")
    assert (one["status"], one["payouts"], one["resolved_at"]) == ("resolved", [0, 1_000_000], START // 10**9)
    assert data(running, f"/resolutions?condition_id={NEW_CONDITION}") == []
    assert "name what is asked about" in refused(running, "/resolutions")


def test_holders_open_interest_and_volume_are_those_of_the_truth(running: Running, trader: Trader) -> None:
    up, down = data(running, f"/holders?condition_id={CONDITION}")
    assert [(one["token_id"], one["holders"][0]["amount"]) for one in (up, down)] == [(UP, 40), (DOWN, 50)]
    assert {one["holders"][0]["proxy_wallet"] for one in (up, down)} == {trader.account}
    assert data(running, "/oi") == [{"condition_id": "GLOBAL", "value": 50}]
    both = data(running, f"/oi?condition_id={CONDITION},{NEW_CONDITION}")
    assert [one["value"] for one in both] == [50, 0]
    volume = data(running, f"/live-volume?event_id={EVENT}")
    assert volume == {"taker_volume_total": 10, "conditions": [{"condition_id": CONDITION, "taker_volume": 10}]}
    assert "name what is asked about" in refused(running, "/live-volume")
    assert "name what is asked about" in refused(running, "/holders")


# --- traders


def test_profit_is_what_was_realised_and_what_is_not(running: Running, trader: Trader) -> None:
    (point,) = data(running, f"/user-pnl?user={trader.account}")["points"]
    assert (point["realized_pnl"], point["volume"], point["volume_usdc"], point["trade_count"]) == (
        -0.27493,
        10,
        4.9,
        1,
    )
    assert point["unrealized_pnl"] == 0
    resolve(running, 1)
    stats = data(running, f"/user-stats?user={trader.account}")
    assert (stats["trades"], stats["biggest_win"], stats["join_date"]) == (1, 19.72507, START // 10**9)
    assert stats["all_time_pnl"]["unrealized_pnl"] == -5


def test_who_never_traded_has_no_statistics(running: Running) -> None:
    assert data(running, f"/user-stats?user={NOBODY}") is None
    assert data(running, f"/leaderboard?user={NOBODY}") is None
    assert data(running, f"/user-volume?user={NOBODY}") == {"volume": 0, "volume_usdc": 0, "trade_count": 0}
    assert data(running, "/leaderboard") == data(running, "/biggest-winners") == []


def test_volume_counts_between_two_moments(running: Running, trader: Trader) -> None:
    at = START // 10**9
    own = f"/user-volume?user={trader.account}"
    for span, wanted in ((f"&start={at}&end={at}", 10), (f"&start={at + 1}", 0), (f"&end={at - 1}", 0)):
        assert data(running, own + span)["volume"] == wanted


def test_the_winner_leads(running: Running, trader: Trader) -> None:
    other = Trader(running, seed=2)
    running.fund(other.account)
    asking = other.start("POST", "/order", other.body(terms(at="0.51", size="20", tif=TimeInForce.FAK)))
    running.control("POST", "/time", {"by": seconds(10)})
    assert asking.result(10)[1]["status"] == "matched"
    resolve(running, 1)
    by_profit, by_volume = (data(running, f"/leaderboard?sort_by={one}") for one in ("PNL", "VOLUME"))
    assert [one["user_id"] for one in by_profit] == [other.account, trader.account]
    assert [(one["rank"], one["volume"]) for one in by_volume] == [(1, 20), (2, 10)]
    standing = data(running, f"/leaderboard?user={trader.account}")
    assert (standing["rank_pnl"], standing["rank_volume"]) == (2, 2)
    wins = data(running, "/biggest-winners")
    assert [(one["win_rank"], one["user_id"], one["position_id"]) for one in wins] == [
        (1, trader.account, UP),
        (2, other.account, UP),
    ]


def test_unknown_orders_and_intervals_are_refused(running: Running) -> None:
    assert refused(running, "/leaderboard?sort_by=age") == "sort_by AGE: known are PNL, VOLUME"
    assert refused(running, f"/user-pnl?user={NOBODY}&interval=2d").startswith("interval 2d: known are max, all")
    assert refused(running, f"/user-pnl?user={NOBODY}&fidelity=1s").startswith("fidelity 1s: known are 1d, 18h")
    assert refused(running, "/user-stats?user=me").startswith("user: ")


# --- the catalogue's groups


def gamma(running: Running, path: str) -> tuple[int, Any]:
    return running.call("GET", running.urls.gamma + path)


def test_markets_are_found_by_series_tag_and_words(running: Running) -> None:
    _, every = gamma(running, "/series")
    assert [one["slug"] for one in every] == ["btc-up-or-down-15m", "eth-up-or-down-15m"]
    for query in (f"series_id={every[1]['id']}", f"tag_id=21&slug={NEW_LISTING.slug}"):
        (found,) = gamma(running, f"/events?{query}")[1]
        assert found["slug"] == NEW_LISTING.slug
    assert len(gamma(running, "/markets?tag_slug=crypto")[1]) == 2
    assert gamma(running, "/markets?tag_id=1")[1] == gamma(running, "/markets?series_id=1")[1] == []
    (found,) = gamma(running, "/public-search?q=ethereum")[1]["events"]
    assert found["slug"] == NEW_LISTING.slug
    assert gamma(running, "/public-search?q=bitcoin+ethereum")[1]["events"] == []


def test_a_market_and_its_event_are_found_by_their_ids(running: Running) -> None:
    assert gamma(running, f"/markets/{LISTING.number}")[1]["slug"] == LISTING.slug
    assert gamma(running, f"/events/{EVENT}")[1]["slug"] == LISTING.slug
    for path in ("/markets/5", "/events/5", "/series/5", "/tags/5", "/tags/slug/sports"):
        assert gamma(running, path) == (404, {"type": "not found error", "error": "id not found"})
