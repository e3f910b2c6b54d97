"""Our own orders on the user stream of the running exchange, placed by REST and followed to their ends."""

import asyncio
import contextlib
import json
import logging

import pytest

from polystra.core.events import OrderCancelled, OrderFilled, OrderReported, Stream, StreamLost, StreamRestored
from polystra.core.ids import OrderId, VenueOrderId
from polystra.core.reasons import CancelReason
from polystra.core.terms import Liquidity, OrderTerms, Outcome, Side, TimeInForce, TradeStage
from polystra.core.units import Usd, price, seconds, shares
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.auth import Credentials
from polystra.edge.polymarket.dialing import SocketDialer
from polystra.edge.polymarket.user_feed import UserFeed
from polystra.exchange.faults import Fault, Switch
from polystra.sim import messages as sim
from polystra.sim.rules import Rules
from tests.edge.exchange_cases import CONDITION, Running, Trader, exchange, terms
from tests.edge.feed_cases import Told, in_loop, running_feed


class Live:
    """A feed of the running exchange, for a trader that places over REST; its orders are known before they leave."""

    def __init__(self, running: Running, trader: Trader, credentials: Credentials | None = None) -> None:
        self._trader = trader
        self.names: dict[VenueOrderId, OrderId] = {}
        self.told = Told()
        self.feed = UserFeed(
            SocketDialer(),
            running.urls.user_ws,
            credentials=credentials or trader.credentials,
            time=WallClock(),
            put=self.told.put,
            names=self.names.get,
        )

    def place(self, wanted: OrderTerms) -> VenueOrderId:
        signed = self._trader.sign(wanted)
        self.names[signed.id] = OrderId(len(self.names) + 1)
        self._trader.call("POST", "/order", self._trader.body(wanted, signed))
        return signed.id


async def listening(live: Live) -> None:
    """Returns once the exchange has heard who we are."""
    await live.feed.wait_connected()
    while True:
        live.place(terms(at="0.01"))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(live.told.next(OrderReported), 0.5)
            return


@in_loop
async def test_an_order_that_takes_is_followed_to_its_last_stage(running: Running, trader: Trader) -> None:
    live = Live(running, trader)
    async with running_feed(live.feed):
        await listening(live)
        taken = live.names[live.place(terms(at="0.51"))]
        stages: list[TradeStage] = []
        while TradeStage.CONFIRMED not in stages:
            fill = await live.told.next(OrderFilled)
            stages.append(fill.stage)
            assert (fill.order, fill.price, fill.shares, fill.liquidity) == (
                taken,
                price("0.51"),
                shares("10"),
                Liquidity.TAKER,
            )
        assert stages == [TradeStage.MATCHED, TradeStage.MINED, TradeStage.CONFIRMED]
        assert live.feed.skipped == {}


@in_loop
async def test_a_maker_in_down_is_filled_in_its_own_terms(running: Running, trader: Trader) -> None:
    other = Trader(running, seed=2)
    running.fund(other.account)
    live = Live(running, other)
    async with running_feed(live.feed):
        await listening(live)
        resting = live.names[live.place(terms(at="0.50", outcome=Outcome.DOWN))]
        trader.place(terms(at="0.50"))
        fill = await live.told.next(OrderFilled)
        assert (fill.order, fill.price, fill.liquidity) == (resting, price("0.50"), Liquidity.MAKER)
        assert fill.traded_at is not None
        assert fill.traded_at % seconds(1) == 0


@in_loop
async def test_cancels_kills_and_resolution_are_told_apart(running: Running, trader: Trader) -> None:
    live = Live(running, trader)
    async with running_feed(live.feed):
        await listening(live)
        asked = live.place(terms())
        trader.call("DELETE", "/orders", json.dumps([asked]).encode())
        cancelled = await live.told.next(OrderCancelled)
        assert (cancelled.order, cancelled.reason, cancelled.matched) == (live.names[asked], CancelReason.ASKED, 0)
        for tif, at, size in ((TimeInForce.FOK, "0.51", "100"), (TimeInForce.FAK, "0.40", "10")):
            killed = live.place(terms(at=at, size=size, tif=tif))
            cancelled = await live.told.next(OrderCancelled)
            assert (cancelled.order, cancelled.reason, cancelled.matched) == (
                live.names[killed],
                CancelReason.REMAINDER_KILLED,
                0,
            )
        live.place(terms())
        running.feed(sim.Resolve(market=CONDITION, up_payout=Usd(0)))
        assert (await live.told.next(OrderCancelled)).reason is CancelReason.MARKET_RESOLVED
        assert live.feed.skipped == {}


@in_loop
async def test_a_trade_that_fails_is_told_as_failed() -> None:
    with exchange(rules=Rules(failure_rate=1.0), stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        live = Live(running, trader)
        async with running_feed(live.feed):
            await listening(live)
            wanted = terms(at="0.51")
            signed = trader.sign(wanted)
            live.names[signed.id] = OrderId(9)
            trader.start("POST", "/order", trader.body(wanted, signed))
            running.control("POST", "/time", {"by": seconds(30)})
            stages = [(await live.told.next(OrderFilled)).stage for _ in range(3)]
            assert stages == [TradeStage.MATCHED, TradeStage.RETRYING, TradeStage.FAILED]


@in_loop
async def test_a_stream_that_the_exchange_closes_comes_back_and_hears_again(running: Running, trader: Trader) -> None:
    live = Live(running, trader)
    async with running_feed(live.feed):
        await listening(live)
        running.faults.switch_on(Switch(fault=Fault.STREAM_CLOSED, where="user"))
        missed = live.place(terms())
        assert (await live.told.next(StreamLost)).stream is Stream.USER
        await live.told.next(StreamRestored)
        await listening(live)
        trader.call("DELETE", "/orders", json.dumps([missed]).encode())
        assert (await live.told.next(OrderCancelled)).order == live.names[missed]


@in_loop
async def test_a_wrong_secret_is_shown_out_again_and_again_without_being_told(
    running: Running, trader: Trader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = trader.credentials
    wrong = Credentials(api_key=shown.api_key, secret="bm90IHRoaXMgb25l", passphrase=shown.passphrase)
    live = Live(running, trader, wrong)
    async with running_feed(live.feed):
        await live.told.next(StreamLost)
        assert live.feed.trouble == "closed by the venue: 1008"
        await live.told.next(StreamRestored)
        await live.told.next(StreamLost)
    assert shown.passphrase not in caplog.text
    assert "bm90IHRoaXMgb25l" not in caplog.text + live.feed.trouble


@in_loop
async def test_a_sale_is_filled_like_a_purchase(running: Running, trader: Trader) -> None:
    live = Live(running, trader)
    async with running_feed(live.feed):
        await listening(live)
        sold = live.names[live.place(terms(Side.SELL, at="0.49"))]
        fill = await live.told.next(OrderFilled)
        assert (fill.order, fill.price, fill.shares) == (sold, price("0.49"), shares("10"))
