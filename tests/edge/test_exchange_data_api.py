"""What anybody reads of an account: positions, trades, activity and value, in both versions of the Data API."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from polystra.core.terms import Outcome, Side
from polystra.core.units import price, seconds, shares
from polystra.edge.polymarket.wallet import SignatureType
from polystra.sim import messages as sim
from polystra.sim.latency import fixed
from polystra.sim.rules import Rules
from tests.edge.exchange_cases import (
    BOOK,
    CONDITION,
    DOWN,
    LISTING,
    NEW_CONDITION,
    START,
    UP,
    Running,
    Trader,
    exchange,
    terms,
)
from tests.edge.signing_cases import official
from tests.edge.test_exchange_sdks import SECRET, environment, funded

SECONDS = START // 10**9
QUICK = Rules(mined_after=fixed(seconds(2)), confirmed_after=fixed(seconds(2)), balance_lag=fixed(seconds(1)))


@pytest.fixture
def running() -> Iterator[Running]:
    """A trade is mined after 2 seconds."""
    with exchange(stepped=True, rules=QUICK) as running:
        yield running


@pytest.fixture
def trader(running: Running) -> Trader:
    trader = Trader(running)
    running.fund(trader.account)
    return trader


def later(running: Running, by: float) -> None:
    running.control("POST", "/time", {"by": seconds(by)})


def take(trader: Trader, order: Any) -> None:
    """Placed, out of its hold, and mined."""
    placing = trader.start("POST", "/order", trader.body(order))
    later(trader.running, 0.1)
    assert placing.result(5)[1]["status"] == "matched"
    later(trader.running, 3)


def read(running: Running, path: str, **query: object) -> Any:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    status, body = running.call("GET", f"{running.urls.data}{path}?{text}")
    assert status == 200, body
    return body


def held(running: Running, account: str, **query: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read(running, "/positions", user=account, **query)
    return rows


# --- positions --------------------------------------------------------------------------------------------------------


def test_a_bought_position_has_its_cost_without_the_fee(running: Running, trader: Trader) -> None:
    take(trader, terms(at="0.51"))
    (row,) = held(running, trader.account)
    assert row == {
        "proxyWallet": trader.account,
        "asset": UP,
        "conditionId": CONDITION,
        "size": 10,
        "avgPrice": 0.51,
        "initialValue": 5.1,
        "currentValue": 5,
        "cashPnl": -0.1,
        "percentPnl": -1.960785,
        "totalBought": 10,
        "realizedPnl": 0,
        "percentRealizedPnl": 0,
        "curPrice": 0.5,
        "redeemable": False,
        "mergeable": False,
        "title": LISTING.question,
        "slug": LISTING.slug,
        "icon": "",
        "eventId": str(LISTING.number // 4),
        "eventSlug": LISTING.slug,
        "outcome": "Up",
        "outcomeIndex": 0,
        "oppositeOutcome": "Down",
        "oppositeAsset": DOWN,
        "endDate": "2026-11-23",
        "negativeRisk": False,
    }
    assert read(running, "/value", user=trader.account) == [{"user": trader.account, "value": 5}]


def test_a_purchase_is_seen_when_it_was_mined_and_not_before(running: Running, trader: Trader) -> None:
    placing = trader.start("POST", "/order", trader.body(terms(at="0.51")))
    later(running, 0.1)
    placing.result(5)
    assert held(running, trader.account) == []
    assert read(running, "/trades", user=trader.account) == []
    later(running, 2)
    assert [row["size"] for row in held(running, trader.account)] == [10]
    assert len(read(running, "/trades", user=trader.account)) == 1


def test_a_sale_realizes_the_difference_to_the_average_after_its_fee(running: Running, trader: Trader) -> None:
    take(trader, terms(at="0.51"))
    running.feed(sim.SetBook(market=CONDITION, bids=((price("0.60"), shares("50")),), asks=()))
    take(trader, terms(Side.SELL, "0.60", "5"))
    (row,) = read(running, "/v2/positions", user=trader.account)["data"]
    assert (row["current_size"], row["avg_price"], row["entry_cost_usdc"]) == (5, 0.51, 2.55)
    assert (row["total_size"], row["total_cost_usdc"], row["entry_fees_usdc"]) == (10, 5.1, 0.17493)
    fee = 0.07 * 5 * 0.6 * 0.4
    assert row["realized_pnl"] == pytest.approx(0.09 * 5 - fee, abs=1e-9)
    assert (row["current_price"], row["current_value"], row["unrealized_pnl"]) == (0.6, 3, 0.45)


def test_split_pairs_cost_half_a_dollar_each_and_can_be_merged(running: Running, trader: Trader) -> None:
    running.shares(trader.account, "50")
    up, down = held(running, trader.account)
    assert [(row["asset"], row["size"], row["avgPrice"], row["mergeable"]) for row in (up, down)] == [
        (UP, 50, 0.5, True),
        (DOWN, 50, 0.5, True),
    ]
    running.feed(sim.Merge(account=sim.Account(trader.account), market=CONDITION, shares=shares("20")))
    assert [row["size"] for row in held(running, trader.account)] == [30, 30]
    take(trader, terms(at="0.51"))
    up, down = held(running, trader.account)
    assert (up["size"], up["avgPrice"], down["size"]) == (40, 0.5025, 30)


def test_a_merge_of_bought_shares_realizes_half_a_dollar_for_each(running: Running, trader: Trader) -> None:
    take(trader, terms(at="0.51"))
    take(trader, terms(at="0.51", outcome=Outcome.DOWN))
    running.feed(sim.Merge(account=sim.Account(trader.account), market=CONDITION, shares=shares("10")))
    assert held(running, trader.account) == []
    rows = read(running, "/v2/positions", user=trader.account, status="CLOSED")["data"]
    assert [(row["status"], row["realized_pnl"]) for row in rows] == [("CLOSED", -0.1), ("CLOSED", -0.1)]


def test_what_won_waits_to_be_redeemed_and_what_lost_too(running: Running, trader: Trader) -> None:
    take(trader, terms(at="0.51"))
    take(trader, terms(at="0.51", size="5", outcome=Outcome.DOWN))
    running.feed(sim.CloseMarket(market=CONDITION), sim.Resolve(market=CONDITION, up_payout=1_000_000))  # type: ignore[arg-type]
    up, down = held(running, trader.account)
    assert [(row["asset"], row["redeemable"], row["mergeable"], row["curPrice"]) for row in (up, down)] == [
        (UP, True, False, 1),
        (DOWN, True, False, 0),
    ]
    assert (up["cashPnl"], down["cashPnl"]) == (4.9, -2.55)
    assert len(held(running, trader.account, redeemable="true")) == 2
    assert held(running, trader.account, redeemable="false") == []

    def by(status: str) -> list[str]:
        rows = read(running, "/v2/positions", user=trader.account, status=status)["data"]
        return [row["outcome"] for row in rows]

    assert (by("REDEEMABLE"), by("REDEEMABLE_LOST"), by("OPEN"), by("CLOSED")) == (["Up", "Down"], ["Down"], [], [])
    running.feed(sim.Redeem(account=sim.Account(trader.account), market=CONDITION))
    assert held(running, trader.account) == []
    rows = read(running, "/v2/positions", user=trader.account, status="CLOSED")["data"]
    assert [(row["outcome"], row["realized_pnl"]) for row in rows] == [("Up", 4.9), ("Down", -2.55)]


def test_split_shares_that_were_redeemed_gained_nothing(running: Running, trader: Trader) -> None:
    running.shares(trader.account, "50")
    running.feed(sim.CloseMarket(market=CONDITION), sim.Resolve(market=CONDITION, up_payout=500_000))  # type: ignore[arg-type]
    assert [row["curPrice"] for row in held(running, trader.account)] == [0.5, 0.5]
    running.feed(sim.Redeem(account=sim.Account(trader.account), market=CONDITION))
    assert held(running, trader.account, sizeThreshold=0) == []


def test_dust_is_hidden_from_version_1_unless_it_is_asked_for(running: Running, trader: Trader) -> None:
    running.shares(trader.account, "0.99")
    assert held(running, trader.account) == []
    assert len(held(running, trader.account, sizeThreshold="0.99")) == 2
    assert len(held(running, trader.account, sizeThreshold=0, limit=1)) == 1
    assert len(read(running, "/v2/positions", user=trader.account)["data"]) == 2


def test_positions_are_narrowed_by_market(running: Running, trader: Trader) -> None:
    running.shares(trader.account, "5")
    running.feed(sim.Split(account=sim.Account(trader.account), market=NEW_CONDITION, shares=shares("7")))
    assert [row["size"] for row in held(running, trader.account)] == [7, 7, 5, 5]
    assert [row["size"] for row in held(running, trader.account, market=CONDITION.upper().replace("X", "x"))] == [5, 5]
    assert read(running, "/value", user=trader.account, market=NEW_CONDITION)[0]["value"] == 7
    assert len(held(running, trader.account, market=f"{CONDITION},{NEW_CONDITION}")) == 4
    assert held(running, trader.account, mergeable="false") == []


def test_a_failed_trade_was_never_there() -> None:
    failing = Rules(mined_after=fixed(seconds(1)), confirmed_after=fixed(seconds(1)), failure_rate=1.0)
    with exchange(stepped=True, rules=failing) as running:
        trader = Trader(running)
        running.fund(trader.account)
        take(trader, terms(at="0.51"))
        assert held(running, trader.account, sizeThreshold=0) == []
        assert [row["type"] for row in read(running, "/v2/activity", user=trader.account)["data"]] == ["DEPOSIT"]


def test_deposits_are_told_in_the_second_version_alone(running: Running, trader: Trader) -> None:
    running.fund(trader.account, "0")
    running.fund(trader.account, "25.5")
    last, first = read(running, "/v2/activity", user=trader.account)["data"]
    assert (last["type"], last["usdc_size"], first["usdc_size"]) == ("DEPOSIT", 25.5, 1_000)
    assert (last["condition_id"], last["token_id"], last["title"], last["side"]) == ("", "", "", "")
    assert last["transaction_hash"] != first["transaction_hash"]
    assert read(running, "/activity", user=trader.account) == []
    assert read(running, "/v2/activity", user=trader.account, condition=CONDITION)["data"] == []


def test_an_account_that_nobody_knows_has_nothing(running: Running) -> None:
    stranger = "0x" + "12" * 20
    assert held(running, stranger) == []
    assert read(running, "/v2/value", user=stranger)["data"]["value"] == 0


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/positions", "user: "),
        ("/value?user=0x12", "user: "),
        ("/positions?user=0x" + "12" * 20 + "&sizeThreshold=much", "sizeThreshold: "),
        ("/v2/positions?user=0x" + "12" * 20 + "&status=LOST", "status LOST: known are OPEN, REDEEMABLE"),
        ("/v2/trades?cursor=x", "cursor: give a whole number"),
        ("/trades?limit=-1", "limit: give a whole number"),
        ("/v2/prices-history?token_id=1", "give interval, or"),
        ("/v2/prices-history?token_id=1&interval=1h&bucket_seconds=59", "fidelity 0"),
    ],
)
def test_a_question_without_sense_is_refused(running: Running, path: str, text: str) -> None:
    status, body = running.call("GET", running.urls.data + path)
    assert (status, body["error"][: len(text)]) == (400, text)


# --- trades and activity ----------------------------------------------------------------------------------------------


def test_a_trade_is_told_in_the_terms_of_who_did_it(running: Running, trader: Trader) -> None:
    maker = Trader(running, seed=2)
    running.fund(maker.account)
    maker.place(terms(at="0.50", outcome=Outcome.DOWN))
    take(trader, terms(at="0.50"))
    (own,) = read(running, "/trades", user=trader.account.lower())
    assert own == {
        "proxyWallet": trader.account,
        "side": "BUY",
        "asset": UP,
        "conditionId": CONDITION,
        "size": 10,
        "price": 0.5,
        "timestamp": SECONDS,
        "title": LISTING.question,
        "slug": LISTING.slug,
        "icon": "",
        "eventSlug": LISTING.slug,
        "outcome": "Up",
        "outcomeIndex": 0,
        "name": "",
        "pseudonym": "",
        "bio": "",
        "profileImage": "",
        "profileImageOptimized": "",
        "transactionHash": own["transactionHash"],
    }
    assert read(running, "/trades", user=maker.account) == []
    (made,) = read(running, "/trades", user=maker.account, takerOnly="false")
    assert (made["asset"], made["side"], made["outcomeIndex"]) == (DOWN, "BUY", 1)
    assert len(read(running, "/trades", market=CONDITION)) == 1
    assert len(read(running, "/trades", market=CONDITION, takerOnly="false")) == 2
    assert len(read(running, "/v2/trades")["data"]) == 2
    assert len(read(running, "/v2/trades", taker_only="true")["data"]) == 1


def test_trades_come_newest_first_in_pages_and_by_time_side_and_market(running: Running, trader: Trader) -> None:
    for size in ("5", "6", "7"):
        take(trader, terms(at="0.51", size=size))
        later(running, 60)
    user = trader.account
    assert [row["size"] for row in read(running, "/trades", user=user, limit=2)] == [7, 6]
    assert [row["size"] for row in read(running, "/trades", user=user, limit=2, offset=2)] == [5]
    first = read(running, "/v2/trades", user=user, limit=2)
    assert ([row["size"] for row in first["data"]], first["pagination"]) == (
        [7, 6],
        {"has_more": True, "next_cursor": "2"},
    )
    last = read(running, "/v2/trades", user=user, limit=2, cursor=first["pagination"]["next_cursor"])
    assert ([row["size"] for row in last["data"]], last["pagination"]) == (
        [5],
        {"has_more": False, "next_cursor": None},
    )
    assert not read(running, "/v2/trades", user=user, limit=3)["pagination"]["has_more"]
    at = [row["timestamp"] for row in reversed(read(running, "/trades", user=user))]
    for query, sizes in (
        ({"start": at[1]}, [7, 6]),
        ({"end": at[1]}, [6, 5]),
        ({"start": at[1] + 1, "end": at[2] - 1}, []),
        ({"side": "SELL"}, []),
        ({"side": "BUY", "condition_id": CONDITION}, [7, 6, 5]),
        ({"condition": NEW_CONDITION}, []),
    ):
        assert [row["size"] for row in read(running, "/v2/trades", user=user, **query)["data"]] == sizes, query


def test_activity_has_pairs_and_redemptions_among_the_trades(running: Running, trader: Trader) -> None:
    account = sim.Account(trader.account)
    running.shares(account, "50")
    later(running, 1)
    running.feed(sim.Merge(account=account, market=CONDITION, shares=shares("20")))
    take(trader, terms(at="0.51"))
    running.feed(sim.CloseMarket(market=CONDITION), sim.Resolve(market=CONDITION, up_payout=1_000_000))  # type: ignore[arg-type]
    running.feed(sim.Redeem(account=account, market=CONDITION))
    rows = read(running, "/activity", user=account)
    assert [(row["type"], row["size"], row["usdcSize"], row["outcomeIndex"]) for row in rows] == [
        ("REDEEM", 40, 40, 0),
        ("TRADE", 10, 5.1, 0),
        ("MERGE", 20, 20, 999),
        ("SPLIT", 50, 50, 999),
    ]
    assert len({row["transactionHash"] for row in rows}) == 4
    some = read(running, "/v2/activity", user=account, type="SPLIT,TRADE")["data"]
    assert [row["type"] for row in some] == ["TRADE", "SPLIT"]


# --- the official client ----------------------------------------------------------------------------------------------


def test_polymarket_client_reads_an_account(running: Running) -> None:
    polymarket = official("polymarket")
    _, wallet = funded(running, SignatureType.EOA)
    running.feed(sim.Merge(account=sim.Account(wallet), market=CONDITION, shares=shares("10")))
    buyer = Trader(running, seed=5)
    running.fund(buyer.account)
    take(buyer, terms(at="0.51"))
    later(running, 60)

    async def listed(pages: Any) -> list[Any]:
        return [row async for row in pages.iter_items()]

    async def look() -> None:
        async with polymarket.AsyncPublicClient(environment=environment(running)) as client:
            up, down = await listed(client.list_positions(user=wallet))
            assert (up.wallet, up.asset_id, up.opposite_asset_id) == (wallet, UP, DOWN)
            assert (up.current_size, up.avg_price, up.current_value) == (40, Decimal("0.5"), 20)
            assert (up.status, up.redeemable, up.mergeable, down.outcome) == ("OPEN", False, True, "Down")
            assert (await client.get_portfolio_value(user=wallet)).value == 40
            (trade,) = await listed(client.list_trades(user=buyer.account))
            assert (trade.side, trade.size, trade.price, trade.asset_id) == ("BUY", 10, Decimal("0.51"), UP)
            assert [row.type for row in await listed(client.list_activity(user=wallet))] == [
                "MERGE",
                "SPLIT",
                "DEPOSIT",
            ]
            bought, _ = await listed(client.list_activity(user=buyer.account, page_size=1))
            assert (bought.type, bought.amount, bought.shares) == ("TRADE", Decimal("5.1"), 10)
            assert len(await listed(client.list_positions(user=wallet, page_size=1))) == 2
            assert await listed(client.list_positions(user=wallet, status="CLOSED")) == []
            (point,) = await listed(client.list_price_history(asset_id=DOWN, interval="1h"))
            assert (point.price, point.resolution_seconds) == (Decimal("0.5"), 60)

    asyncio.run(look())


def test_polymarket_client_reads_its_own_position_after_the_market_resolved(running: Running) -> None:
    polymarket = official("polymarket")
    _, wallet = funded(running, SignatureType.GNOSIS_SAFE)
    running.feed(BOOK, sim.CloseMarket(market=CONDITION), sim.Resolve(market=CONDITION, up_payout=0))  # type: ignore[arg-type]

    async def look() -> None:
        async with await polymarket.AsyncSecureClient.create(
            private_key=SECRET, wallet=wallet, environment=environment(running)
        ) as client:
            rows = [row async for row in client.list_positions(user=wallet).iter_items()]
            assert [(row.outcome, row.status, row.redeemable, row.current_value) for row in rows] == [
                ("Down", "REDEEMABLE", True, 50),
                ("Up", "REDEEMABLE", True, 0),
            ]

    asyncio.run(look())
