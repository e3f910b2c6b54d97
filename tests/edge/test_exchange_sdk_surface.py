"""Every public method of polymarket-client, unmodified: what it was called with here, or why it was not.

A method that is neither in the table of calls nor excused fails `test_every_method...`, so a new version
cannot bring one unseen.
"""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from polystra.core.terms import Side, TimeInForce
from polystra.core.units import seconds, usd
from polystra.sim import messages as sim
from tests.edge.exchange_cases import (
    CONDITION,
    DOWN,
    LISTING,
    PATIENCE,
    UP,
    Trader,
    exchange,
    terms,
)
from tests.edge.sdk_cases import CODE, DAY, PAID, PAID_UP, Called, Stage, came, public, staged
from tests.edge.signing_cases import official
from tests.edge.test_exchange_sdk_chain import ON_CHAIN
from tests.edge.test_exchange_sdks import SECRET, environment

PROVES = "the clients themselves are asked what they could not read"
EVENT = str(LISTING.number // 4)
OPENED = "2026-11-23"
"""The day on which the clock of a stepped exchange stands."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with exchange() as running:
        yield staged(running)


async def heartbeats(client: Any, _: Stage) -> None:
    beat = await came(client.send_order_heartbeat())
    assert await came(client.send_order_heartbeat(heartbeat_id=beat.heartbeat_id))


async def posts_one(client: Any, _: Stage) -> None:
    signed = await came(client.create_limit_order(token_id=UP, price="0.45", size="5", side="BUY"))
    assert (await came(client.post_order(signed))).ok


async def posts_many(client: Any, _: Stage) -> None:
    signed = await came(client.create_limit_order(token_id=UP, price="0.45", size="5", side="BUY"))
    market = await came(client.create_market_order(token_id=UP, side="SELL", shares="5", order_type="FAK"))
    assert [answer.ok for answer in await came(client.post_orders([signed, market]))] == [True, True]


async def notices(client: Any, stage: Stage) -> None:
    await settles(client, stage)
    await came(client.cancel_all())
    told = await came(client.get_notifications())
    assert stage.order in [row.payload.order_id for row in told]
    await came(client.drop_notifications(ids=[row.id for row in told]))
    assert await came(client.get_notifications()) == ()


async def builds(client: Any, stage: Stage) -> None:
    sold = await came(
        client.place_market_order(token_id=UP, side="SELL", shares="5", order_type="FAK", builder_code=CODE)
    )
    trades = await came(client.list_builder_trades(builder_code=CODE))
    assert [trade.id for trade in trades] == list(sold.trade_ids)


async def rewards_markets(client: Any, _: Stage) -> None:
    assert [one.condition_id for one in await came(client.list_reward_markets(query="bitcoin"))] == [PAID]


async def settles(client: Any, stage: Stage) -> None:
    assert await came(client.wait_for_order_fill_settlement(stage.taken))


async def leaves(client: Any, _: Stage) -> None:
    after = await came(client.end_authentication())
    await came(after.close())


async def builder_keys(client: Any, stage: Stage) -> None:
    made = [await came(client.create_builder_api_key()) for _ in range(2)]
    assert [key.key for key in await came(client.fetch_builder_api_keys())] == [key.key for key in made]
    how = {"private_key": SECRET, "wallet": stage.wallet, "environment": environment(stage.running)}
    builder = await came(type(client.client).create(**how, api_key=made[0]))
    try:
        await came(builder.revoke_builder_api_key())
    finally:
        await came(builder.close())
    assert [key.key for key in await came(client.fetch_builder_api_keys())] == [made[1].key]
    client.names.add("revoke_builder_api_key")


async def series(client: Any, _: Stage) -> None:
    (event,) = [one for one in await came(client.list_events()) if one.slug == LISTING.slug]
    (named,) = event.series
    assert (await came(client.get_series(named.id))).slug == "btc-up-or-down-15m"


async def searches(client: Any, _: Stage) -> None:
    (found,) = await came(client.search(q="btc-updown Bitcoin"))
    assert [event.slug for event in found.events] == [LISTING.slug]


def price_requests() -> Any:
    ask = official("polymarket.models.clob.requests").PriceRequest
    return [ask(asset_id=UP, side="BUY"), ask(asset_id=DOWN, side="SELL")]


CALLS: dict[str, Callable[[Any, Stage], Any]] = {
    # orders
    "create_limit_order": posts_one,
    "post_order": posts_one,
    "create_market_order": posts_many,
    "post_orders": posts_many,
    "place_limit_order": lambda c, _: c.place_limit_order(token_id=DOWN, price="0.4", size="6", side="BUY"),
    "place_market_order": builds,
    "wait_for_order_fill_settlement": settles,
    "cancel_order": lambda c, s: c.cancel_order(order_id=s.order),
    "cancel_orders": lambda c, s: c.cancel_orders(order_ids=[s.order]),
    "cancel_all": lambda c, _: c.cancel_all(),
    "cancel_market_orders": lambda c, _: c.cancel_market_orders(market=PAID),
    "send_order_heartbeat": heartbeats,
    # the account
    "list_open_orders": lambda c, _: c.list_open_orders(market=PAID),
    "get_order": lambda c, s: c.get_order(order_id=s.order),
    "list_account_trades": lambda c, s: c.list_account_trades(maker_address=s.wallet, after="1"),
    "get_balance_allowance": lambda c, _: c.get_balance_allowance(asset_type="COLLATERAL"),
    "get_notifications": notices,
    "drop_notifications": notices,
    "fetch_api_keys": lambda c, _: c.fetch_api_keys(),
    "delete_api_key": lambda c, _: c.delete_api_key(),
    "end_authentication": leaves,
    "get_closed_only_mode": lambda c, _: c.get_closed_only_mode(),
    # rewards and rebates
    "get_order_scoring": lambda c, s: c.get_order_scoring(order_id=s.order),
    "get_orders_scoring": lambda c, s: c.get_orders_scoring(order_ids=[s.order]),
    "list_reward_markets": rewards_markets,
    "list_current_rewards": lambda c, _: c.list_current_rewards(sponsored=False),
    "list_market_rewards": lambda c, _: c.list_market_rewards(condition_id=PAID),
    "list_user_earnings_for_day": lambda c, _: c.list_user_earnings_for_day(date=DAY),
    "get_total_earnings_for_user_for_day": lambda c, _: c.get_total_earnings_for_user_for_day(date=DAY),
    "list_user_earnings_and_markets_config": lambda c, _: c.list_user_earnings_and_markets_config(date=DAY),
    "get_reward_percentages": lambda c, _: c.get_reward_percentages(),
    "get_current_rebates": lambda c, s: c.get_current_rebates(date=DAY, maker_address=s.wallet),
    # builders
    "list_builder_trades": builds,
    "get_builder_fee_rates": lambda c, _: c.get_builder_fee_rates(CODE),
    "create_builder_api_key": builder_keys,
    "fetch_builder_api_keys": builder_keys,
    "revoke_builder_api_key": builder_keys,
    # prices
    "get_midpoint": lambda c, _: c.get_midpoint(token_id=UP),
    "get_midpoints": lambda c, _: c.get_midpoints(token_ids=[UP, DOWN]),
    "get_price": lambda c, _: c.get_price(token_id=UP, side="BUY"),
    "get_prices": lambda c, _: c.get_prices(requests=price_requests()),
    "get_order_book": lambda c, _: c.get_order_book(token_id=UP),
    "get_order_books": lambda c, _: c.get_order_books(token_ids=[UP, DOWN]),
    "get_spread": lambda c, _: c.get_spread(token_id=UP),
    "get_spreads": lambda c, _: c.get_spreads(token_ids=[UP, DOWN]),
    "get_last_trade_price": lambda c, _: c.get_last_trade_price(token_id=UP),
    "get_last_trade_prices": lambda c, _: c.get_last_trade_prices(token_ids=[UP]),
    "estimate_market_price": lambda c, _: c.estimate_market_price(token_id=UP, side="BUY", amount="5"),
    # Gamma and Data API, as far as the exchange has them
    "get_market": lambda c, _: c.get_market(slug=LISTING.slug),
    "list_markets": lambda c, _: c.list_markets(slug=[LISTING.slug]),
    "get_event": lambda c, _: c.get_event(slug=LISTING.slug),
    "list_events": lambda c, _: c.list_events(slug=[LISTING.slug]),
    "list_trades": lambda c, s: c.list_trades(user=s.wallet),
    "list_activity": lambda c, s: c.list_activity(user=s.wallet),
    "list_positions": lambda c, s: c.list_positions(user=s.wallet),
    "get_portfolio_value": lambda c, s: c.get_portfolio_value(user=s.wallet),
    "list_price_history": lambda c, _: c.list_price_history(asset_id=UP, interval="1h"),
    "get_event_tags": lambda c, _: c.get_event_tags(EVENT),
    "get_market_tags": lambda c, _: c.get_market_tags(str(LISTING.number)),
    "list_tags": lambda c, _: c.list_tags(),
    "get_tag": lambda c, _: c.get_tag(slug="crypto"),
    "list_series": lambda c, _: c.list_series(),
    "get_series": series,
    "search": searches,
    # what the Data API says about markets, traders and builders
    "get_token_references": lambda c, _: c.get_token_references(asset_ids=[UP, DOWN]),
    "list_market_holders": lambda c, _: c.list_market_holders(condition_ids=[CONDITION]),
    "get_open_interests": lambda c, _: c.get_open_interests(condition_ids=[CONDITION, PAID]),
    "get_event_live_volume": lambda c, _: c.get_event_live_volume(event_ids=[int(EVENT)]),
    "get_resolutions": lambda c, _: c.get_resolutions(condition_ids=[CONDITION]),
    "get_user_stats": lambda c, s: c.get_user_stats(user=s.wallet),
    "get_user_pnl": lambda c, s: c.get_user_pnl(user=s.wallet, interval="1d", fidelity="1h"),
    "get_user_volume": lambda c, s: c.get_user_volume(user=s.wallet),
    "list_trader_leaderboard": lambda c, _: c.list_trader_leaderboard(sort_by="VOLUME"),
    "get_trader_leaderboard_standing": lambda c, s: c.get_trader_leaderboard_standing(user=s.wallet),
    "list_biggest_winners": lambda c, _: c.list_biggest_winners(window="day"),
    "list_builder_leaderboard": lambda c, _: c.list_builder_leaderboard(),
    "get_builder_volumes": lambda c, _: c.get_builder_volumes(interval="day"),
    # itself
    "create": lambda c, _: c.wallet,
    "close": lambda c, _: c.close(),
    "environment": lambda c, _: c.environment,
    "wallet": lambda c, _: c.wallet,
    "signer": lambda c, _: c.signer,
    "wallet_type": lambda c, _: c.wallet_type,
    "credentials": lambda c, _: c.credentials,
}

STREAMED = {"subscribe"}
"""In test_exchange_sdk_streams, as streams need a longer story."""

EXCUSED: dict[str, str] = {
    name: why
    for why, names in {
        "perpetuals are another venue": "deposit_to_perps fetch_perps_book fetch_perps_builder_status fetch_perps_fees "
        "fetch_perps_instruments fetch_perps_position_snapshots fetch_perps_registration fetch_perps_ticker "
        "fetch_perps_tickers list_perps_candles list_perps_funding_history list_perps_trades open_perps_session "
        "revoke_perps_credentials withdraw_from_perps",
        "combos and requests for quotes are another product, on hosts of its own": "accept_combo_quote "
        "fetch_rfq_status list_combo_activity list_combo_markets list_combo_positions open_rfq_session "
        "request_combo_quote wait_for_combo_fill execute_collateral_return_plan plan_collateral_return",
        "sports are other markets": "get_sports get_sports_market_types list_teams",
        "people and their talk are no part of trading": "get_comment_thread get_public_profile "
        "get_related_tag_resources get_related_tags list_comments list_comments_by_user_address",
        "keys that sign for a wallet in its owner's place: the exchange believes owners alone": "authorize_session_key "
        "fetch_session_keys revoke_session_key",
        "an archive whose form nobody has recorded": "download_accounting_snapshot",
    }.items()
    for name in names.split()
}


@pytest.mark.spec("X26.A1", pure=PROVES)
def test_every_method_of_polymarket_client_is_called_or_excused() -> None:
    polymarket = official("polymarket")
    clients = (polymarket.AsyncSecureClient, polymarket.SecureClient, polymarket.AsyncPublicClient)
    known = {name for client in (*clients, polymarket.PublicClient) for name in public(client)}
    tables = (CALLS, ON_CHAIN, STREAMED, EXCUSED)
    assert known == set().union(*tables)
    assert len(known) == sum(len(table) for table in tables)


async def prepare(client: Any, stage: Stage) -> None:
    """An order at rest in the market with rewards, and one that took in the other."""
    placed = await came(client.place_limit_order(token_id=PAID_UP, price="0.49", size="60", side="BUY"))
    stage.order = placed.order_id
    stage.taken = await came(client.place_market_order(token_id=UP, side="SELL", shares="5", order_type="FAK"))


@pytest.mark.spec("X26.A1", pure=PROVES)
@pytest.mark.parametrize("name", CALLS)
def test_polymarket_client_async(stage: Stage, name: str) -> None:
    create = official("polymarket").AsyncSecureClient.create

    async def call() -> None:
        made = await create(private_key=SECRET, wallet=stage.wallet, environment=environment(stage.running))
        try:
            await prepare(made, stage)
            client = Called(made)
            await came(CALLS[name](client, stage))
            assert name in client.names | {"create"}
        finally:
            await made.close()

    asyncio.run(call())


@pytest.mark.spec("X26.A1", pure=PROVES)
@pytest.mark.parametrize("name", CALLS)
def test_polymarket_client_sync(stage: Stage, name: str) -> None:
    create = official("polymarket").SecureClient.create
    made = create(private_key=SECRET, wallet=stage.wallet, environment=environment(stage.running))

    async def call() -> None:
        await prepare(made, stage)
        client = Called(made)
        await came(CALLS[name](client, stage))
        assert name in client.names | {"create"}

    try:
        asyncio.run(call())
    finally:
        made.close()


@pytest.mark.parametrize("name", ["list_reward_markets", "list_market_rewards", "get_prices", "list_price_history"])
def test_polymarket_client_without_a_key(stage: Stage, name: str) -> None:
    with official("polymarket").PublicClient(environment=environment(stage.running)) as client:
        asyncio.run(came(CALLS[name](client, stage)))


def test_polymarket_client_reads_what_a_day_brought() -> None:
    """Rows where the other tests find none: earnings, a rebate, a fill and a resolution."""
    with exchange(stepped=True) as running:
        wallet = staged(running).wallet
        taker = Trader(running)
        running.fund(taker.account)
        create = official("polymarket").SecureClient.create
        with create(private_key=SECRET, wallet=wallet, environment=environment(running)) as client:
            for price, token in (("0.49", PAID_UP), ("0.50", UP)):
                client.place_limit_order(token_id=token, price=price, size="60", side="BUY")
            running.shares(taker.account, "60")
            sale = terms(Side.SELL, at="0.50", size="60", tif=TimeInForce.FAK)
            asking = taker.start("POST", "/order", taker.body(sale))
            running.control("POST", "/time", {"by": seconds(600)})
            assert asking.result(PATIENCE)[1]["status"] == "matched"
            running.feed(sim.Resolve(market=CONDITION, up_payout=usd(1)))

            (earned,) = client.list_user_earnings_for_day(date=OPENED).iter_items()
            (total,) = client.get_total_earnings_for_user_for_day(date=OPENED)
            assert (earned.condition_id, earned.earnings) == (PAID, total.earnings)
            assert earned.earnings > 0
            (row,) = client.list_user_earnings_and_markets_config(date=OPENED).iter_items()
            assert row.earning_percentage == client.get_reward_percentages()[PAID] > 0
            (rebate,) = client.get_current_rebates(date=OPENED, maker_address=wallet)
            # 60 x 0.07 x 0.5 x 0.5 = 1.05, of which makers get a fifth.
            assert (rebate.condition_id, rebate.rebated_fees_usdc) == (CONDITION, Decimal("0.21"))
            resolved, filled = client.get_notifications()
            assert [one.type.name for one in (resolved, filled)] == ["MARKET_RESOLVED", "ORDER_FILL"]
            assert [token.winner for token in resolved.payload.tokens] == [True, False]
            assert (filled.payload.matched_size, filled.payload.side) == (60, "BUY")
