"""Every public method of py-clob-client-v2, unmodified: what it was called with. A new one fails the first test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.edge.exchange_cases import CONDITION, DOWN, UP, exchange
from tests.edge.sdk_cases import CODE, DAY, PAID, PAID_UP, Called, Stage, public, staged
from tests.edge.signing_cases import official
from tests.edge.test_exchange_sdks import SECRET

PROVES = "the client itself is asked what it could not read"


@pytest.fixture
def stage() -> Iterator[Stage]:
    with exchange() as running:
        yield staged(running)


def types() -> Any:
    return official("py_clob_client_v2.clob_types")


def order(client: Any) -> Any:
    return client.create_order(types().OrderArgs(token_id=UP, price=0.45, size=5, side="BUY"))


def in_two(client: Any, _: Stage) -> Any:
    return client.post_order(order(client))


def in_batch(client: Any, _: Stage) -> Any:
    (answer,) = client.post_orders([types().PostOrdersV2Args(order=order(client))])
    assert answer["status"] == "live"


def at_market(client: Any, _: Stage) -> Any:
    signed = client.create_market_order(types().MarketOrderArgs(token_id=UP, amount=5, side="SELL", order_type="FAK"))
    return client.post_order(signed, "FAK")


def brought(client: Any, _: Stage) -> Any:
    sale = types().MarketOrderArgs(token_id=UP, amount=5, side="SELL", order_type="FAK", builder_code=CODE)
    sold = client.create_and_post_market_order(sale, order_type="FAK")
    shown = client.get_builder_trades(types().BuilderTradeParams(builder_code=CODE))
    assert [trade["id"] for trade in shown["trades"]] == sold["tradeIDs"]


def drop(client: Any, _: Stage) -> Any:
    client.cancel_all()
    told = client.get_notifications()
    assert told
    client.drop_notifications(types().DropNotificationParams(ids=[str(row["id"]) for row in told]))
    assert client.get_notifications() == []


def builder_keys(client: Any, _: Stage) -> None:
    made = client.create_builder_api_key()
    assert client.get_builder_api_keys() == [{"key": made["key"]}]
    assert client.revoke_builder_api_key() == "OK"
    assert client.get_builder_api_keys() == []


def reading_keys(client: Any, _: Stage) -> None:
    made = client.create_readonly_api_key()["apiKey"]
    assert client.get_readonly_api_keys() == {"readonlyApiKeys": [made]}
    assert client.delete_readonly_api_key(made) == "OK"
    with pytest.raises(official("py_clob_client_v2").exceptions.PolyApiException, match="not found"):
        client.delete_readonly_api_key(made)


def book_params() -> Any:
    return [types().BookParams(token_id=UP, side="BUY"), types().BookParams(token_id=DOWN, side="SELL")]


def cash() -> Any:
    return types().BalanceAllowanceParams(asset_type="COLLATERAL")


def hashed(client: Any, _: Stage) -> Any:
    book = client.get_order_book(UP)
    assert client.get_order_book_hash(dict(book)) == book["hash"]


CALLS: dict[str, Callable[[Any, Stage], Any]] = {
    # orders
    "create_order": in_two,
    "post_order": in_two,
    "post_orders": in_batch,
    "create_market_order": at_market,
    "create_and_post_order": lambda c, _: c.create_and_post_order(
        types().OrderArgs(token_id=UP, price=0.45, size=5, side="BUY")
    ),
    "create_and_post_market_order": brought,
    "cancel_order": lambda c, s: c.cancel_order(types().OrderPayload(orderID=s.order)),
    "cancel_orders": lambda c, s: c.cancel_orders([s.order]),
    "cancel_all": lambda c, _: c.cancel_all(),
    "cancel_market_orders": lambda c, _: c.cancel_market_orders(types().OrderMarketCancelParams(asset_id=PAID_UP)),
    "post_heartbeat": lambda c, _: c.post_heartbeat(),
    # the account
    "get_open_orders": lambda c, _: c.get_open_orders(types().OpenOrderParams(market=PAID)),
    "get_pre_migration_orders": lambda c, _: c.get_pre_migration_orders(),
    "get_order": lambda c, s: c.get_order(s.order),
    "get_trades": lambda c, s: c.get_trades(types().TradeParams(maker_address=s.wallet, after=1)),
    "get_trades_paginated": lambda c, _: c.get_trades_paginated(types().TradeParams(market=CONDITION)),
    "get_balance_allowance": lambda c, _: c.get_balance_allowance(cash()),
    "update_balance_allowance": lambda c, _: c.update_balance_allowance(cash()),
    "get_notifications": drop,
    "drop_notifications": drop,
    "create_api_key": lambda c, _: c.create_api_key(nonce=7),
    "derive_api_key": lambda c, _: c.derive_api_key(),
    "create_or_derive_api_key": lambda c, _: c.create_or_derive_api_key(),
    "get_api_keys": lambda c, _: c.get_api_keys(),
    "delete_api_key": lambda c, _: c.delete_api_key(),
    "get_closed_only_mode": lambda c, _: c.get_closed_only_mode(),
    # rewards and builders
    "is_order_scoring": lambda c, s: c.is_order_scoring(types().OrderScoringParams(orderId=s.order)),
    "are_orders_scoring": lambda c, s: c.are_orders_scoring(types().OrdersScoringParams(orderIds=[s.order])),
    "get_current_rewards": lambda c, _: c.get_current_rewards(),
    "get_raw_rewards_for_market": lambda c, _: c.get_raw_rewards_for_market(PAID),
    "get_earnings_for_user_for_day": lambda c, _: c.get_earnings_for_user_for_day(DAY),
    "get_total_earnings_for_user_for_day": lambda c, _: c.get_total_earnings_for_user_for_day(DAY),
    "get_user_earnings_and_markets_config": lambda c, _: c.get_user_earnings_and_markets_config(DAY),
    "get_reward_percentages": lambda c, _: c.get_reward_percentages(),
    "get_builder_trades": brought,
    # markets
    "get_markets": lambda c, _: c.get_markets(),
    "get_simplified_markets": lambda c, _: c.get_simplified_markets(),
    "get_sampling_markets": lambda c, _: c.get_sampling_markets(),
    "get_sampling_simplified_markets": lambda c, _: c.get_sampling_simplified_markets(),
    "get_market": lambda c, _: c.get_market(CONDITION),
    "get_clob_market_info": lambda c, _: c.get_clob_market_info(CONDITION),
    "get_market_trades_events": lambda c, _: c.get_market_trades_events(CONDITION),
    "create_builder_api_key": builder_keys,
    "get_builder_api_keys": builder_keys,
    "revoke_builder_api_key": builder_keys,
    "create_readonly_api_key": reading_keys,
    "get_readonly_api_keys": reading_keys,
    "delete_readonly_api_key": reading_keys,
    # prices
    "get_order_book": lambda c, _: c.get_order_book(UP),
    "get_order_books": lambda c, _: c.get_order_books(book_params()),
    "get_order_book_hash": hashed,
    "get_tick_size": lambda c, _: c.get_tick_size(UP),
    "get_neg_risk": lambda c, _: c.get_neg_risk(UP) or True,
    "get_fee_rate_bps": lambda c, _: c.get_fee_rate_bps(UP),
    "get_fee_exponent": lambda c, _: c.get_fee_exponent(UP),
    "get_midpoint": lambda c, _: c.get_midpoint(UP),
    "get_midpoints": lambda c, _: c.get_midpoints(book_params()),
    "get_price": lambda c, _: c.get_price(UP, "BUY"),
    "get_prices": lambda c, _: c.get_prices(book_params()),
    "get_spread": lambda c, _: c.get_spread(UP),
    "get_spreads": lambda c, _: c.get_spreads(book_params()),
    "get_last_trade_price": lambda c, _: c.get_last_trade_price(UP),
    "get_last_trades_prices": lambda c, _: c.get_last_trades_prices(book_params()),
    "get_prices_history": lambda c, _: c.get_prices_history(types().PricesHistoryParams(market=UP, interval="1h")),
    "calculate_market_price": lambda c, _: c.calculate_market_price(UP, "BUY", 5),
    # itself
    "get_ok": lambda c, _: c.get_ok(),
    "get_version": lambda c, _: c.get_version(),
    "get_server_time": lambda c, _: c.get_server_time(),
    "get_address": lambda c, _: c.get_address(),
    "set_api_creds": lambda c, _: c.set_api_creds(c.creds),
    "assert_level_1_auth": lambda c, _: c.assert_level_1_auth(),
    "assert_level_2_auth": lambda c, _: c.assert_level_2_auth(),
}


@pytest.mark.spec("X26.A1", pure=PROVES)
def test_every_method_of_py_clob_client_is_called() -> None:
    known = public(official("py_clob_client_v2").ClobClient)
    assert known == CALLS.keys()


@pytest.mark.spec("X26.A1", pure=PROVES)
@pytest.mark.parametrize("name", CALLS)
def test_py_clob_client(stage: Stage, name: str) -> None:
    clob = official("py_clob_client_v2")
    made = clob.ClobClient(stage.running.urls.clob, 137, key=SECRET, signature_type=0, funder=stage.wallet)
    made.set_api_creds(made.create_or_derive_api_key())
    placed = made.create_and_post_order(clob.OrderArgs(token_id=PAID_UP, price=0.49, size=60, side="BUY"))
    stage.order = placed["orderID"]
    client = Called(made)
    CALLS[name](client, stage)
    assert name in client.names
