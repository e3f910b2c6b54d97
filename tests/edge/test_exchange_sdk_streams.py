"""A busy window with both official clients in it: what their streams hear is what the exchange sends, to the frame.

`py-clob-client-v2` has no streams of its own; its orders are of the same account, so the other's user stream tells of
them. A plain socket beside each stream of the client hears the same frames and counts them.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from random import Random
from typing import Any

import pytest

from polystra.core.markets import PriceSource
from polystra.core.terms import Side
from polystra.core.units import Instant, price, seconds, shares, usd
from polystra.edge.polymarket.wallet import SignatureType
from polystra.sim import messages as sim
from tests.edge.exchange_cases import CONDITION, DOWN, NEW_CONDITION, NEW_UP, START, UP, Running, Stream
from tests.edge.signing_cases import official
from tests.edge.test_exchange_sdks import SECRET, dropped, environment, funded, shown

ROUNDS = 40
PRICES = 70
"""More than an average needs."""

PROVES = "what two clients read is compared with what a third connection hears"


def kind_of(event: Any) -> str:
    """Of an event of the client, in the words of the wire."""
    payload = event.payload
    if event.type == "order":
        return str(payload.order_event_type)
    return str(payload.status if event.type == "trade" else event.type)


def kinds(frame: Any) -> list[str]:
    """Of a frame of the wire, which may be a list of events."""
    found = []
    for event in frame if isinstance(frame, list) else [frame]:
        name = event["event_type"]
        found.append({"order": event.get("type"), "trade": event.get("status")}.get(name) or name)
    return found


def heard_until(stream: Stream, last: Any) -> Counter[str]:
    """Everything on a plain socket, up to the frame that is the last."""
    found = Counter[str]()
    while True:
        frame = stream.hear()
        found.update(kinds(frame))
        if not isinstance(frame, list) and last(frame):
            return found


async def taken(handle: Any, wanted: int) -> list[Any]:
    """So many events, and whatever else comes within a tenth of a second."""
    async with asyncio.timeout(10):
        found = [await anext(handle) for _ in range(wanted)]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            found += [event async for event in handle]
    return found


def moves(running: Running, random: Random) -> None:
    """Levels come and go around the middle, and somebody trades."""
    for market in (CONDITION, NEW_CONDITION):
        changes = tuple(
            sim.LevelChange(side, price(f"0.{middle + random.randrange(6)}"), shares(str(random.randrange(1, 300))))
            for side, middle in ((Side.BUY, 43), (Side.SELL, 51))
        )
        running.feed(sim.ChangeLevels(market=market, changes=changes))
    side = random.choice(list(Side))
    at = price("0.51" if side is Side.BUY else "0.48")
    running.feed(sim.PrintTrade(market=CONDITION, price=at, size=shares("3"), taker=side))


async def trades(client: Any, old: Any, number: int) -> None:
    """Each way to trade in turn, with either client and in either generation."""
    clob = official("py_clob_client_v2")
    token = (UP, DOWN, NEW_UP)[number % 3]
    resting = await client.place_limit_order(token_id=token, price="0.42", size="5", side="BUY")
    args = clob.OrderArgs(token_id=UP, price=0.41, size=5, side="BUY")
    placed = await asyncio.to_thread(old.create_and_post_order, args)
    await client.place_market_order(token_id=token, side="BUY", amount="3", order_type="FAK")
    if number % 2:
        await client.cancel_order(order_id=resting.order_id)
        await asyncio.to_thread(old.cancel_order, clob.OrderPayload(orderID=placed["orderID"]))
    if number % 10 == 9:
        await client.cancel_all()


@pytest.mark.spec("X26.A1", pure=PROVES)
def test_what_both_clients_do_in_a_busy_window_is_heard_to_the_frame(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    polymarket, streams, clob = official("polymarket"), official("polymarket.streams"), official("py_clob_client_v2")
    caplog.set_level(logging.DEBUG)
    _, wallet = funded(running, SignatureType.EOA)
    old = clob.ClobClient(running.urls.clob, 137, key=SECRET, signature_type=0, funder=wallet)
    old.set_api_creds(old.create_or_derive_api_key())
    tokens = [UP, DOWN, NEW_UP]
    twin_frame = {"assets_ids": tokens, "type": "market", "custom_feature_enabled": True}
    twins = (
        running.stream(running.urls.market_ws, twin_frame),
        running.stream(running.urls.user_ws, {"type": "user", "auth": shown(old.creds)}),
    )

    async def window() -> None:
        random = Random(5)
        async with await polymarket.AsyncSecureClient.create(
            private_key=SECRET, wallet=wallet, environment=environment(running)
        ) as client:
            specs = (streams.MarketSpec(token_ids=tokens, custom_feature_enabled=True), streams.UserSpec())
            handles = [await client.subscribe(spec) for spec in specs]
            for number in range(ROUNDS):
                await asyncio.to_thread(moves, running, random)
                await trades(client, old, number)
            await client.cancel_all()
            await asyncio.sleep(0.2)
            last = (await client.place_limit_order(token_id=NEW_UP, price="0.01", size="5", side="BUY")).order_id
            running.feed(sim.CloseMarket(market=CONDITION), sim.Resolve(market=CONDITION, up_payout=usd(1)))

            sent = (
                await asyncio.to_thread(heard_until, twins[0], lambda one: one["event_type"] == "market_resolved"),
                await asyncio.to_thread(heard_until, twins[1], lambda one: one.get("id") == last),
            )
            for handle, wanted in zip(handles, sent, strict=True):
                assert Counter(map(kind_of, await taken(handle, wanted.total()))) == wanted
            assert {"book", "price_change", "last_trade_price", "best_bid_ask", "market_resolved"} <= sent[0].keys()
            assert {"PLACEMENT", "UPDATE", "CANCELLATION", "MATCHED", "MINED", "CONFIRMED"} <= sent[1].keys()
            assert min(sent[0]["price_change"], sent[1].total()) > 2 * ROUNDS
            assert (dropped(client), sum(handle.dropped for handle in handles)) == (0, 0)

    asyncio.run(window())
    assert [record for record in caplog.records if "malformed" in record.getMessage()] == []


@pytest.mark.spec("X26.A1", pure=PROVES)
def test_both_price_streams_lose_nothing_on_the_way_to_the_client(running: Running) -> None:
    polymarket, streams = official("polymarket"), official("polymarket.streams")
    _, wallet = funded(running, SignatureType.EOA)

    def print_all() -> None:
        for second in range(PRICES):
            at = Instant(START + seconds(second))
            for source in (PriceSource.CHAINLINK_SPOT, PriceSource.BINANCE_SPOT):
                running.prices.print(source, "BTC", 61_035_860_000 + second, at)

    async def listen() -> None:
        async with await polymarket.AsyncSecureClient.create(
            private_key=SECRET, wallet=wallet, environment=environment(running)
        ) as client:
            specs = (
                streams.CryptoPricesSpec(topic="prices.crypto.chainlink"),
                streams.CryptoPricesSpec(topic="prices.crypto.binance"),
                streams.CryptoTwapPriceSpec(symbols=["btcusd"]),
            )
            handles = [await client.subscribe(spec) for spec in specs]
            await asyncio.sleep(0.2)
            running.on_loop(print_all)
            # An average needs 60 prices and is told 3 seconds later; the first second is 0.
            counts = (PRICES, PRICES, PRICES - 62)
            *_, averages = heard = [await taken(*pair) for pair in zip(handles, counts, strict=True)]
            assert tuple(map(len, heard)) == counts
            assert [event.seq for event in averages] == list(range(1, len(averages) + 1))
            assert sum(handle.dropped for handle in handles) == client._rtds_manager.dropped_events == 0

    asyncio.run(listen())
