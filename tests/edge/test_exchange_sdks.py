"""Both official clients, unmodified, against the exchange server."""

import asyncio
import dataclasses
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from polystra.core.units import usd
from polystra.edge.polymarket.addresses import address
from polystra.edge.polymarket.wallet import SignatureType
from tests.edge.exchange_cases import CONDITION, DOWN, LISTING, NEW_UP, UP, Running
from tests.edge.signing_cases import official

KINDS = list(SignatureType)
SECRET = "0x" + Random(99).randrange(1, 2**255).to_bytes(32, "big").hex()


def wallet_of(kind: SignatureType, owner: str) -> str:
    """The wallet that the chain gives this owner, by the official client's own derivation."""
    wallets = official("polymarket._internal.wallet")
    config = official("polymarket._internal.environment").PRODUCTION_CONFIG.wallet_derivation
    derive = {
        SignatureType.EOA: lambda signer, _: signer,
        SignatureType.POLY_PROXY: wallets.derive_proxy_wallet_address,
        SignatureType.GNOSIS_SAFE: wallets.derive_safe_wallet_address,
        SignatureType.POLY_1271: wallets.derive_uups_deposit_wallet_address,
    }[kind]
    return str(address(derive(owner, config)))


def funded(running: Running, kind: SignatureType) -> tuple[str, str]:
    """Owner and wallet, with cash and shares."""
    account = official("eth_account").Account.from_key(SECRET)
    wallet = wallet_of(kind, account.address)
    running.control(
        "POST", "/accounts", {"owner": account.address, "kind": int(kind), "wallet": wallet, "cash": usd("1000")}
    )
    running.shares(wallet, "50")
    return account.address, wallet


# --- polymarket-client -----------------------------------------------------------------------------------------------


def environment(running: Running) -> Any:
    """The official client has no public way to another host; this is the one of `PROTOCOL.md` A.5."""
    module = official("polymarket._internal.environment")
    urls = running.urls
    nowhere = dict.fromkeys(
        ("rfq_url", "rpc_url", "builder_gateway_url", "collateral_return_url", "perps_url"),
        "http://127.0.0.1:9",
    ) | dict.fromkeys(("sports_ws_url", "rfq_quoter_ws_url", "perps_ws_url"), "ws://127.0.0.1:9")
    config = dataclasses.replace(
        module.PRODUCTION_CONFIG,
        clob_url=urls.clob,
        clob_market_ws_url=urls.market_ws,
        clob_user_ws_url=urls.user_ws,
        gamma_url=urls.gamma,
        relayer_url=urls.relayer,
        data_url=urls.data,
        rtds_ws_url=urls.prices,
        realtime_ws_url=urls.realtime,
        **nowhere,
    )
    return module.create_environment(name="loopback", config=config)


async def wait_for(stream: Any, wanted: Any) -> Any:
    """The next event that is wanted."""
    async with asyncio.timeout(10):
        async for event in stream:
            if wanted(event):
                return event
    raise AssertionError("the stream ended")


def dropped(client: Any) -> int:
    """Events that the client could not read, on both streams."""
    return sum(stream.dropped_events for stream in (client._market_manager, client._user_manager) if stream)


@pytest.mark.parametrize("token", [UP, NEW_UP], ids=["domain 2", "domain 3"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_polymarket_client_places_sees_and_cancels_an_order(running: Running, kind: SignatureType, token: str) -> None:
    polymarket = official("polymarket")
    streams = official("polymarket.streams")
    _, wallet = funded(running, kind)

    async def trade() -> None:
        async with await polymarket.AsyncSecureClient.create(
            private_key=SECRET, wallet=wallet, environment=environment(running)
        ) as client:
            assert client.wallet == wallet
            user = await client.subscribe(streams.UserSpec())
            market = await client.subscribe(streams.MarketSpec(token_ids=[token], custom_feature_enabled=True))
            book = await wait_for(market, lambda event: event.type == "book")
            assert book.payload.bids[-1].price == Decimal("0.49")

            placed = await client.place_limit_order(token_id=token, price="0.45", size="10", side="BUY")
            assert placed.ok, placed
            assert placed.status == "live"
            seen = await wait_for(user, lambda event: event.type == "order")
            assert (seen.payload.id, seen.payload.order_event_type) == (placed.order_id, "PLACEMENT")
            changed = await wait_for(market, lambda event: event.type == "price_change")
            assert changed.payload.price_changes[0].size == Decimal(10)

            open_orders = [order async for order in client.list_open_orders().iter_items()]
            assert [order.id for order in open_orders] == [placed.order_id]
            assert (await client.get_order(order_id=placed.order_id)).original_size == Decimal(10)

            cancelled = await client.cancel_order(order_id=placed.order_id)
            assert cancelled.canceled == (placed.order_id,)
            gone = await wait_for(user, lambda event: event.type == "order")
            assert (gone.payload.order_event_type, gone.payload.status) == ("CANCELLATION", "CANCELED")
            assert (await client.cancel_order(order_id=placed.order_id)).not_canceled
            assert dropped(client) == 0

    asyncio.run(trade())


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_polymarket_client_takes_and_reads_its_trade_back(running: Running, kind: SignatureType) -> None:
    polymarket = official("polymarket")
    streams = official("polymarket.streams")
    _, wallet = funded(running, kind)

    async def trade() -> None:
        async with await polymarket.AsyncSecureClient.create(
            private_key=SECRET, wallet=wallet, environment=environment(running)
        ) as client:
            user = await client.subscribe(streams.UserSpec())
            market = await client.subscribe(streams.MarketSpec(token_ids=[UP], custom_feature_enabled=True))
            bought = await client.place_market_order(token_id=UP, side="BUY", amount="5.10", order_type="FOK")
            assert bought.ok, bought
            assert (bought.status, bought.making_amount, bought.taking_amount) == ("matched", Decimal("5.1"), 10)
            for status in ("MATCHED", "MINED", "CONFIRMED"):
                event = await wait_for(user, lambda event: event.type == "trade")
                assert (event.payload.id, event.payload.status) == (bought.trade_ids[0], status)
            printed = await wait_for(market, lambda event: event.type == "last_trade_price")
            assert (printed.payload.price, printed.payload.side) == (Decimal("0.51"), "BUY")
            assert await client.wait_for_order_fill_settlement(bought)
            trades = [trade async for trade in client.list_account_trades().iter_items()]
            assert [(trade.id, trade.trader_side, trade.status) for trade in trades] == [
                (bought.trade_ids[0], "TAKER", "CONFIRMED")
            ]
            await asyncio.sleep(0.1)
            held = await client.get_balance_allowance(asset_type="CONDITIONAL", token_id=UP)
            assert held.balance == 60_000_000
            assert dropped(client) == 0

    asyncio.run(trade())


def test_polymarket_client_reads_everything_public(running: Running) -> None:
    polymarket = official("polymarket")

    async def read() -> None:
        async with polymarket.AsyncPublicClient(environment=environment(running)) as client:
            market = await client.get_market(slug=LISTING.slug)
            assert (market.condition_id, market.outcomes.yes.token_id) == (CONDITION, UP)
            assert market.trading.fee_schedule.rate == Decimal("0.07")
            event = await client.get_event(slug=LISTING.slug)
            assert event.slug == LISTING.slug
            pages = client.list_markets(slug=[LISTING.slug])
            assert [one.condition_id async for one in pages.iter_items()] == [CONDITION]
            book = await client.get_order_book(token_id=DOWN)
            assert (book.bids[-1].price, book.asks[-1].price) == (Decimal("0.49"), Decimal("0.51"))
            assert len(await client.get_order_books(token_ids=[UP, DOWN])) == 2
            assert await client.get_midpoint(token_id=UP) == Decimal("0.5")
            assert await client.get_midpoints(token_ids=[UP, DOWN]) == {UP: Decimal("0.5"), DOWN: Decimal("0.5")}
            assert await client.get_price(token_id=UP, side="BUY") == Decimal("0.49")
            assert await client.get_spread(token_id=UP) == Decimal("0.02")
            assert await client.get_last_trade_price(token_id=UP) is None

    asyncio.run(read())


def test_polymarket_client_hears_the_venues_refusals_as_codes(running: Running) -> None:
    polymarket = official("polymarket")
    _, wallet = funded(running, SignatureType.EOA)

    async def trade() -> None:
        async with await polymarket.AsyncSecureClient.create(
            private_key=SECRET, wallet=wallet, environment=environment(running)
        ) as client:
            with pytest.raises(polymarket.RequestRejectedError, match="lower than the minimum: 5"):
                await client.place_limit_order(token_id=UP, price="0.45", size="4", side="BUY")
            small = await client.create_limit_order(token_id=UP, price="0.45", size="4", side="BUY")
            good = await client.create_limit_order(token_id=UP, price="0.45", size="5", side="BUY")
            rejected, accepted = await client.post_orders([small, good])
            assert (rejected.ok, accepted.ok) == (False, True)
            beat = await client.send_order_heartbeat()
            assert await client.send_order_heartbeat(heartbeat_id=beat.heartbeat_id)
            with pytest.raises(polymarket.OrderHeartbeatMismatchError):
                await client.send_order_heartbeat(heartbeat_id=beat.heartbeat_id)
            assert await client.get_closed_only_mode() is False
            assert await client.get_order_scoring(order_id=accepted.order_id) is False
            assert (await client.cancel_all()).canceled == (accepted.order_id,)

    asyncio.run(trade())


def test_polymarket_client_without_a_wallet_finds_its_deposit_wallet(running: Running) -> None:
    polymarket = official("polymarket")
    _, wallet = funded(running, SignatureType.POLY_1271)

    async def begin() -> None:
        created = polymarket.AsyncSecureClient.create(private_key=SECRET, environment=environment(running))
        async with await created as client:
            assert (client.wallet, client.wallet_type) == (wallet, "DEPOSIT_WALLET")
            again = polymarket.AsyncSecureClient.create(
                private_key=SECRET, environment=environment(running), credentials=client.credentials
            )
            async with await again as second:
                assert second.credentials == client.credentials

    asyncio.run(begin())


# --- py-clob-client-v2 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_py_clob_client_places_reads_and_cancels_an_order(running: Running, kind: SignatureType) -> None:
    clob = official("py_clob_client_v2")
    owner, wallet = funded(running, kind)
    client = clob.ClobClient(running.urls.clob, 137, key=SECRET, signature_type=int(kind), funder=wallet)
    client.set_api_creds(client.create_or_derive_api_key())
    assert client.derive_api_key() == client.creds
    assert client.get_api_keys() == {"apiKeys": [client.creds.api_key]}
    stream = running.stream(running.urls.user_ws, {"type": "user", "auth": shown(client.creds)})

    placed = client.create_and_post_order(clob.OrderArgs(token_id=UP, price=0.45, size=10, side="BUY"))
    assert (placed["success"], placed["status"]) == (True, "live")
    assert stream.hear_kind("order")["id"] == placed["orderID"]
    found = client.get_open_orders()
    assert [(order["id"], order["maker_address"]) for order in found] == [(placed["orderID"], wallet)]
    assert client.get_order(placed["orderID"])["original_size"] == "10"
    assert client.cancel_order(clob.OrderPayload(orderID=placed["orderID"]))["canceled"] == [placed["orderID"]]
    assert stream.hear_kind("order")["type"] == "CANCELLATION"
    assert client.get_open_orders() == []

    sold = client.create_and_post_market_order(clob.MarketOrderArgs(token_id=UP, amount=10, side="SELL"))
    assert (sold["status"], sold["makingAmount"], sold["takingAmount"]) == ("matched", "10", "4.9")
    assert sold["transactionsHashes"]
    assert [trade["id"] for trade in client.get_trades()] == sold["tradeIDs"]
    assert owner == client.get_address()


def test_py_clob_client_signs_a_protocol_v2_position_for_domain_3(running: Running) -> None:
    clob = official("py_clob_client_v2")
    _, wallet = funded(running, SignatureType.EOA)
    client = clob.ClobClient(running.urls.clob, 137, key=SECRET, signature_type=0, funder=wallet)
    client.set_api_creds(client.create_or_derive_api_key())
    args = clob.OrderArgs(token_id=None, position_id=NEW_UP, price=0.45, size=10, side="BUY")
    assert client.create_and_post_order(args)["status"] == "live"
    as_if_old = clob.OrderArgs(token_id=NEW_UP, price=0.45, size=10, side="BUY")
    with pytest.raises(clob.exceptions.PolyApiException, match="invalid signature"):
        client.create_and_post_order(as_if_old)


def test_py_clob_client_is_told_that_version_1_orders_are_over(running: Running) -> None:
    clob = official("py_clob_client_v2")
    _, wallet = funded(running, SignatureType.EOA)
    client = clob.ClobClient(running.urls.clob, 137, key=SECRET, signature_type=0, funder=wallet)
    client.set_api_creds(client.create_or_derive_api_key())
    args = official("py_clob_client_v2.clob_types").OrderArgsV1(token_id=UP, price=0.45, size=10, side="BUY")
    order = client.create_order(args, clob.PartialCreateOrderOptions(version=1))
    with pytest.raises(clob.exceptions.PolyApiException, match="invalid order version, please use the latest"):
        client.post_order(order)


def test_py_clob_client_reads_everything_public(running: Running) -> None:
    clob = official("py_clob_client_v2")
    client = clob.ClobClient(running.urls.clob, 137)
    assert client.get_ok() == "OK"
    assert client.get_version() == 2
    assert isinstance(client.get_server_time(), int)
    assert client.get_tick_size(UP) == "0.01"
    assert client.get_neg_risk(UP) is False
    assert client.get_fee_rate_bps(UP) == 1000
    assert client.get_fee_exponent(UP) == 1
    book = client.get_order_book(UP)
    assert client.get_order_book_hash(dict(book)) == book["hash"]
    assert client.get_midpoint(UP) == {"mid": "0.5"}
    assert client.get_price(UP, "SELL") == {"price": "0.51"}
    assert client.get_spread(UP) == {"spread": "0.02"}
    assert client.get_last_trade_price(UP) == {"price": "0.5", "side": ""}
    asked = [clob.BookParams(token_id=UP, side="BUY"), clob.BookParams(token_id=DOWN, side="SELL")]
    assert client.get_prices(asked) == {UP: {"BUY": "0.49"}, DOWN: {"SELL": "0.51"}}
    assert client.get_spreads(asked) == {UP: "0.02", DOWN: "0.02"}
    assert client.get_midpoints(asked) == {UP: "0.5", DOWN: "0.5"}
    assert len(client.get_order_books(asked)) == 2
    assert client.get_clob_market_info(CONDITION)["fd"] == {"r": 0.07, "e": 1, "to": True}


def shown(credentials: Any) -> dict[str, str]:
    return {
        "apiKey": credentials.api_key,
        "secret": credentials.api_secret,
        "passphrase": credentials.api_passphrase,
    }
