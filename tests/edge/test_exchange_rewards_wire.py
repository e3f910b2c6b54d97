"""Rewards, scoring orders, rebates, builder trades and the CLOB's list of markets over the wire."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import seconds
from polystra.edge.polymarket.contracts import COLLATERAL
from polystra.sim import messages as sim
from tests.edge.exchange_cases import (
    BOOK,
    CONDITION,
    DOWN,
    LISTING,
    NEW_CONDITION,
    QUICK,
    UP,
    Running,
    Trader,
    exchange,
    terms,
)
from tests.edge.sdk_cases import PAID, PAID_DOWN, PAID_LISTING, PAID_UP
from tests.edge.signing_cases import official

TODAY = "2026-11-23"


@dataclass(frozen=True)
class Paying:
    running: Running
    trader: Trader


@pytest.fixture
def stage() -> Iterator[Paying]:
    """A venue whose time stands still, with a market that pays a dollar a minute to its makers."""
    with exchange(stepped=True) as running:
        running.feed(PAID_LISTING, replace(BOOK, market=PAID))
        trader = Trader(running)
        running.fund(trader.account)
        yield Paying(running, trader)


def pass_time(running: Running, length: float) -> None:
    now = running.on_loop(running.venue.now)
    running.control("POST", "/time", {"to": now + seconds(length)})


def quote(stage: Paying) -> str:
    order = terms(at="0.49", size="100")
    signed = stage.trader.sign(order, token=PAID_UP)
    status, body = stage.trader.call("POST", "/order", stage.trader.body(order, signed))
    assert status == 200, body
    return str(body["orderID"])


# --- lists of markets


def test_every_market_is_listed_with_its_rewards(stage: Paying) -> None:
    whole = stage.running.get("/markets")
    assert (whole["limit"], whole["count"], whole["next_cursor"]) == (1000, 3, "LTE=")
    assert [one["condition_id"] for one in whole["data"]] == [CONDITION, NEW_CONDITION, PAID]
    first = stage.running.get(f"/markets/{CONDITION}")
    assert first == whole["data"][0]
    assert (first["minimum_order_size"], first["minimum_tick_size"], first["taker_base_fee"]) == (5, 0.01, 1000)
    assert first["rewards"] == {"rates": None, "min_size": 50, "max_spread": 4.5}
    assert first["tokens"] == [
        {"token_id": UP, "outcome": "Up", "price": 0.5, "winner": False},
        {"token_id": DOWN, "outcome": "Down", "price": 0.5, "winner": False},
    ]
    short = stage.running.get("/simplified-markets")["data"][0]
    assert short == {key: first[key] for key in short}


def test_sampling_lists_have_only_markets_that_pay_until_they_close(stage: Paying) -> None:
    (paid,) = stage.running.get("/sampling-markets")["data"]
    assert paid["rewards"]["rates"] == [{"asset_address": COLLATERAL, "rewards_daily_rate": 1440}]
    assert [one["condition_id"] for one in stage.running.get("/sampling-simplified-markets")["data"]] == [PAID]
    stage.running.feed(sim.CloseMarket(market=PAID))
    assert stage.running.get("/sampling-markets")["data"] == []
    closed = stage.running.get(f"/markets/{PAID}")
    assert (closed["closed"], closed["accepting_orders"], closed["enable_order_book"]) == (True, False, False)


def test_wrong_cursors_and_markets_are_refused(stage: Paying) -> None:
    clob = stage.running.urls.clob
    beyond = (400, {"error": "next item should be greater than or equal to 0"})
    assert stage.running.call("GET", f"{clob}/markets?next_cursor=LTE=") == beyond
    assert stage.running.call("GET", f"{clob}/simplified-markets?next_cursor=x")[0] == 400
    assert stage.running.call("GET", f"{clob}/markets/0x00") == (404, {"error": "market not found"})
    assert stage.running.get("/markets?next_cursor=MA==")["count"] == 3


# --- rewards


def test_an_order_scores_after_half_a_minute_and_earns(stage: Paying) -> None:
    order = quote(stage)
    assert stage.trader.get("/order-scoring", f"?order_id={order}") == {"scoring": False}
    pass_time(stage.running, 30)
    assert stage.trader.get("/order-scoring", f"?order_id={order}") == {"scoring": True}
    body = json.dumps([order, "0x00"]).encode()
    assert stage.trader.call("POST", "/orders-scoring", body) == (200, {order: True, "0x00": False})
    pass_time(stage.running, 600)
    (row,) = stage.trader.get("/rewards/user", f"?date={TODAY}")["data"]
    assert (row["condition_id"], row["maker_address"], row["date"]) == (
        PAID,
        stage.trader.account,
        f"{TODAY}T00:00:00Z",
    )
    (total,) = stage.trader.get("/rewards/user/total", f"?date={TODAY}")
    assert float(total["earnings"]) == float(row["earnings"]) > 1
    (market,) = stage.trader.get("/rewards/user/markets", f"?date={TODAY}")["data"]
    share = stage.trader.get("/rewards/user/percentages")[PAID]
    assert 0 < share == market["earning_percentage"] < 100
    assert market["earnings"][0]["earnings"] == row["earnings"]
    assert stage.trader.get("/rewards/user/markets", f"?date={TODAY}&no_competition=true")["data"] == []


def test_another_day_and_another_wallet_earned_nothing(stage: Paying) -> None:
    quote(stage)
    pass_time(stage.running, 600)
    assert stage.trader.get("/rewards/user", "?date=2026-11-22")["data"] == []
    assert stage.trader.get("/rewards/user/total", "?date=2026-11-22") == []
    assert stage.trader.get("/rewards/user", f"?date={TODAY}&signature_type=1")["data"] == []
    assert stage.trader.call("GET", "/rewards/user", query="?date=yesterday")[0] == 400
    assert stage.trader.call("GET", "/rewards/user", query=f"?date={TODAY}&signature_type=7")[0] == 400


def test_which_markets_reward_now(stage: Paying) -> None:
    (current,) = stage.running.get("/rewards/markets/current")["data"]
    assert (current["condition_id"], current["total_daily_rate"]) == (PAID, 1440)
    (config,) = current["rewards_config"]
    assert (config["asset_address"], config["rate_per_day"]) == (COLLATERAL, 1440)
    assert stage.running.get(f"/rewards/markets/{PAID}")["data"][0]["market_slug"] == PAID_LISTING.slug
    assert stage.running.get(f"/rewards/markets/{CONDITION}")["data"] == []
    assert len(stage.running.get("/rewards/markets/multi?q=bitcoin&page_size=1")["data"]) == 1
    assert stage.running.get("/rewards/markets/multi?q=dogecoin")["data"] == []


def test_the_catalogue_promises_makers_what_the_reward_pages_do(stage: Paying) -> None:
    running = stage.running
    paid, plain = (running.get(f"/gamma/markets/slug/{one.slug}") for one in (PAID_LISTING, LISTING))
    for market in (paid, plain):
        assert (market["rewardsMinSize"], market["rewardsMaxSpread"]) == (50, 4.5)
    assert "clobRewards" not in plain
    (told,) = paid["clobRewards"]
    (config,) = running.get(f"/rewards/markets/{PAID}")["data"][0]["rewards_config"]
    assert (told["conditionId"], told["id"]) == (PAID, str(config["id"]))
    assert told["assetAddress"] == config["asset_address"] == COLLATERAL
    assert (told["rewardsDailyRate"], told["rewardsAmount"]) == (config["rate_per_day"], config["total_rewards"])
    assert (told["startDate"], told["endDate"]) == (config["start_date"], config["end_date"])
    parsed = official("polymarket.models.gamma.market").ClobReward.model_validate(told)
    assert (parsed.condition_id, parsed.rewards_daily_rate) == (PAID, 1_440)


# --- rebates


def test_a_maker_alone_gets_a_fifth_of_the_fees(stage: Paying) -> None:
    maker = Trader(stage.running, seed=2)
    stage.running.fund(maker.account)
    maker.place(terms(at="0.50", size="100"))
    stage.running.shares(stage.trader.account, "100")
    sale = terms(Side.SELL, at="0.50", size="100", tif=TimeInForce.FAK)
    asking = stage.trader.start("POST", "/order", stage.trader.body(sale))
    pass_time(stage.running, 1)
    assert asking.result(10)[1]["status"] == "matched"
    (row,) = stage.running.get(f"/rebates/current?date={TODAY}&maker_address={maker.account}")
    # 100 x 0.07 x 0.5 x 0.5 = 1.75, of which the pool is 20 percent.
    assert (row["condition_id"], row["rebated_fees_usdc"], row["date"]) == (CONDITION, "0.35", TODAY)
    taker = f"/rebates/current?date={TODAY}&maker_address={stage.trader.account}"
    assert stage.running.get(taker) is None
    assert stage.running.get(f"/rebates/current?date=2026-11-22&maker_address={maker.account}") is None
    clob = stage.running.urls.clob
    assert stage.running.call("GET", f"{clob}/rebates/current?date={TODAY}&maker_address=me")[0] == 400


# --- builders


def test_a_venue_that_pays_tells_of_it_where_the_chain_is_read() -> None:
    """The rewards of a day and its rebates, at midnight."""
    with exchange(stepped=True, rules=replace(QUICK, pays_makers=True)) as running:
        running.feed(PAID_LISTING, replace(BOOK, market=PAID))
        trader = Trader(running)
        running.fund(trader.account)
        stage = Paying(running, trader)
        quote(stage)
        activity = f"{running.urls.data}/v2/activity?type=REWARD,MAKER_REBATE&user={trader.account}"
        pass_time(running, 3_600)
        assert running.call("GET", activity)[1]["data"] == []
        pass_time(running, 86_400)
        (row,) = running.call("GET", activity)[1]["data"]
        (earned,) = trader.get("/rewards/user/total", f"?date={TODAY}")
        assert (row["type"], row["timestamp"] % 86_400, row["condition_id"]) == ("REWARD", 0, "")
        assert row["usdc_size"] == row["size"] == float(earned["earnings"]) > 1
        (old,) = running.call("GET", f"{running.urls.data}/activity?user={trader.account}")[1]
        assert (old["type"], old["usdcSize"]) == ("REWARD", row["usdc_size"])
        truth = running.control("GET", "/truth")
        held = next(one for one in truth["accounts"] if one["account"] == trader.account)
        assert held["cash"] == 1_000_000_000 + truth["paid"] > 1_001_000_000
        parsed = official("polymarket.models.data.activity").RewardActivity.model_validate(row)
        assert float(parsed.amount) == row["usdc_size"]


def test_a_code_that_is_no_code_is_refused(stage: Paying) -> None:
    clob = stage.running.urls.clob
    for code in ("", "0x12", "0x" + "0" * 64, "zz" * 33):
        assert stage.running.call("GET", f"{clob}/builder/trades?builder_code={code}")[0] == 400
    assert stage.running.get(f"/builder/trades?builder_code=0x{'b1' * 32}")["data"] == []
    assert stage.running.get(f"/fees/builder-fees/0x{'b1' * 32}") == {
        "builder_maker_fee_rate_bps": 0,
        "builder_taker_fee_rate_bps": 0,
    }


def test_no_orders_are_left_of_the_first_version(stage: Paying) -> None:
    assert stage.trader.get("/data/pre-migration-orders")["data"] == []
    assert stage.running.call("GET", f"{stage.running.urls.clob}/data/pre-migration-orders")[0] == 401


def test_the_other_outcome_sees_the_same_market(stage: Paying) -> None:
    """Down's middle is the mirror of Up's, so an order for it scores alike."""
    order = terms(at="0.49", size="100", outcome=Outcome.DOWN)
    signed = stage.trader.sign(order, token=PAID_DOWN)
    placed = stage.trader.call("POST", "/order", stage.trader.body(order, signed))[1]["orderID"]
    pass_time(stage.running, 30)
    assert stage.trader.get("/order-scoring", f"?order_id={placed}") == {"scoring": True}
