"""The market stream as our client keeps it: what is subscribed to, and what becomes of each frame."""

import asyncio

import pytest
from msgspec.structs import replace

from polystra.core.events import (
    BookChanged,
    BookSnapshot,
    MarketResolved,
    StreamLost,
    StreamRestored,
    TickSizeChanged,
    TradePrinted,
)
from polystra.core.ids import TokenId
from polystra.core.markets import Payout
from polystra.core.terms import Side
from polystra.core.units import Instant, Price, Shares, Tick, Usd, price, shares
from polystra.edge.clock import Time, WallClock
from polystra.edge.market_channel import OTHER_MARKET, UNKNOWN_TYPE
from polystra.edge.polymarket.dialing import SocketDialer
from polystra.edge.polymarket.market_feed import NO_SLUG, NO_WINNER, MarketFeed
from polystra.exchange.faults import Fault, Switch
from polystra.sim import messages as sim
from tests.edge.exchange_cases import CONDITION, DOWN, FACTS, LISTING, START, UP, Running, Trader, terms
from tests.edge.feed_cases import MARKET, HandTime, Told, in_loop, running_feed
from tests.edge.market_feed_cases import (
    CHANGED,
    OTHER,
    SNAPSHOT,
    STAMP,
    Case,
    book,
    change,
    first_frame,
    resolved,
    subscription,
    trade,
)

# --- subscriptions ---------------------------------------------------------------------------------------------------


@in_loop
async def test_the_first_message_is_sent_although_nothing_is_followed() -> None:
    case = Case()
    assert not case.feed.connected
    async with running_feed(case.feed):
        await case.feed.wait_connected()
        assert case.dialer.dialled == [("market", "ws://venue")]
        assert case.sent == [first_frame()]
        assert case.told.take() == []
        assert (case.feed.connected, case.feed.trouble) == (True, "")
    assert case.dialer.line.closed
    assert (case.feed.connected, case.told.take()) == (False, [])


@in_loop
async def test_what_is_followed_before_the_connection_stands_is_in_the_first_message() -> None:
    case = Case()
    case.feed.follow(MARKET)
    case.feed.follow(OTHER)
    case.feed.unfollow(OTHER.id)
    async with running_feed(case.feed):
        assert case.sent == [first_frame(UP, DOWN)]


@in_loop
async def test_following_and_unfollowing_are_said_at_once_and_once() -> None:
    case = Case()
    async with running_feed(case.feed):
        case.feed.follow(MARKET)
        case.feed.follow(MARKET)
        case.feed.unfollow(OTHER.id)
        case.feed.unfollow(CONDITION)
        case.feed.unfollow(CONDITION)
        assert case.sent[1:] == [subscription("subscribe", UP, DOWN), subscription("unsubscribe", UP, DOWN)]
        assert case.say([book()], change(), trade()) == []
        assert case.feed.skipped == {OTHER_MARKET: 3}


# --- frames ----------------------------------------------------------------------------------------------------------


@in_loop
async def test_the_first_array_of_both_books_is_one_snapshot() -> None:
    case = Case()
    case.feed.follow(MARKET)
    async with running_feed(case.feed):
        assert case.say([book(), book(DOWN)]) == [SNAPSHOT]
        assert case.say(book(DOWN)) == []
        assert case.say(book()) == [SNAPSHOT]
        assert case.feed.skipped == {}


@in_loop
async def test_changes_and_trades_are_told_in_up_terms() -> None:
    case = Case()
    case.feed.follow(MARKET)
    printed = TradePrinted(at=START, market=CONDITION, price=price("0.53"), size=shares("4"), taker=Side.BUY)
    async with running_feed(case.feed):
        assert case.say(change()) == [CHANGED]
        assert case.say(trade()) == [printed]
        assert case.say(trade(DOWN)) == [replace(printed, price=price("0.47"), taker=Side.SELL)]


@in_loop
async def test_a_finer_tick_is_told_once_though_it_is_said_of_each_token() -> None:
    case = Case()
    case.feed.follow(MARKET)
    finer = [
        {"event_type": "tick_size_change", "asset_id": token, "old_tick_size": "0.01", "new_tick_size": "0.001"}
        for token in (UP, DOWN)
    ]
    async with running_feed(case.feed):
        assert case.say(*finer) == [TickSizeChanged(at=START, market=CONDITION, tick=Tick(price("0.001")))]
        assert case.say(book(tick_size="0.001")) == [SNAPSHOT]


@pytest.mark.parametrize(("winner", "up"), [(UP, 1_000_000), (DOWN, 0)])
@in_loop
async def test_a_resolution_pays_the_winner(winner: str, up: int) -> None:
    case = Case()
    case.feed.follow(MARKET)
    async with running_feed(case.feed):
        told = case.say(resolved(winning_asset_id=winner))
        assert told == [MarketResolved(at=START, market=CONDITION, payout=Payout(Usd(up)))]


@in_loop
async def test_a_resolution_without_a_winner_or_of_another_market_is_no_event() -> None:
    case = Case()
    case.feed.follow(MARKET)
    async with running_feed(case.feed):
        assert case.say(resolved(), resolved(winning_asset_id=""), resolved(winning_asset_id="21")) == []
        assert case.feed.skipped == {NO_WINNER: 2, OTHER_MARKET: 1}


@in_loop
async def test_every_new_market_is_named_by_its_slug() -> None:
    case = Case()
    async with running_feed(case.feed):
        listed = {"event_type": "new_market", "market": "0x1", "timestamp": str(STAMP)}
        assert case.say(listed | {"slug": "sol-updown-15m-1795432200"}, listed, listed | {"slug": ""}) == []
        assert (case.slugs, case.feed.skipped) == (["sol-updown-15m-1795432200"], {NO_SLUG: 2})


@in_loop
async def test_best_prices_are_passed_over_alone_and_among_others() -> None:
    case = Case()
    case.feed.follow(MARKET)
    best = {"event_type": "best_bid_ask", "asset_id": UP, "best_bid": "0.5", "best_ask": "0.52"}
    spaced = b'{"event_type" : "best_bid_ask", "asset_id": "1"}'
    async with running_feed(case.feed):
        assert case.say(best, spaced) == []
        assert case.say([best, change()]) == [CHANGED]
        assert case.feed.skipped == {}


@in_loop
async def test_a_market_whose_question_quotes_a_frame_is_listed_all_the_same() -> None:
    case = Case()
    async with running_feed(case.feed):
        case.say({"event_type": "new_market", "question": '"event_type":"best_bid_ask"', "slug": "odd"})
        assert case.slugs == ["odd"]


@in_loop
async def test_nonsense_is_counted_and_what_follows_is_heard() -> None:
    case = Case()
    case.feed.follow(MARKET)
    async with running_feed(case.feed):
        for junk in (
            b"",
            b"{",
            b"[1",
            b"PING",
            b"\xff",
            b"[" * 5_000,
            7,
            [],
            [3],
            {"event_type": 1},
            change() | book(),
        ):
            case.say(junk)
        told = case.say({"event_type": "weather"}, book(bids=None), change())
        assert told == [CHANGED]
        assert case.feed.skipped[UNKNOWN_TYPE] == 1
        assert case.feed.skipped.total() == 11


# --- against the exchange --------------------------------------------------------------------------------------------


def bid(at: str, size: str) -> sim.ChangeLevels:
    return sim.ChangeLevels(market=CONDITION, changes=(sim.LevelChange(Side.BUY, price(at), shares(size)),))


class Live:
    """A feed of the running exchange."""

    def __init__(self, running: Running, time: Time | None = None) -> None:
        self._running = running
        self.told = Told()
        self.slugs: list[str] = []
        self.feed = MarketFeed(
            SocketDialer(),
            running.urls.market_ws,
            time=time or WallClock(),
            put=self.told.put,
            on_new_market=self.slugs.append,
            newest_book=self.newest_book,
        )

    async def newest_book(self, token: TokenId) -> Instant | None:
        return Instant(int(self._running.get(f"/book?token_id={token}")["timestamp"]) * 1_000_000)


@in_loop
async def test_the_exchanges_book_changes_and_trades_arrive(running: Running, trader: Trader) -> None:
    live = Live(running)
    async with running_feed(live.feed):
        await live.feed.wait_connected()
        live.feed.follow(MARKET)
        first = await live.told.next(BookSnapshot)
        assert first.asks[0] == (price("0.51"), shares("80.5"))
        trader.place(terms(at="0.51"))
        traded = await live.told.next(TradePrinted)
        assert (traded.price, traded.size, traded.taker) == (price("0.51"), shares("10"), Side.BUY)
        assert (await live.told.next(BookChanged)).best_ask == price("0.51")
        assert (await live.told.next(BookSnapshot)).asks[0] == (price("0.51"), shares("70.5"))
        other = replace(FACTS, id="0x" + "ee" * 32, up_token=str(int(UP) + 2), down_token=str(int(DOWN) + 2))
        running.feed(replace(LISTING, facts=other, slug="sol-updown-15m-1795432200"))
        running.feed(sim.Resolve(market=CONDITION, up_payout=Usd(0)))
        assert (await live.told.next(MarketResolved)).payout == Payout(Usd(0))
        assert live.slugs == ["sol-updown-15m-1795432200"]
        assert live.feed.skipped == {}


@in_loop
async def test_a_stream_that_the_exchange_closes_comes_back_with_the_book(running: Running) -> None:
    live = Live(running)
    live.feed.follow(MARKET)
    async with running_feed(live.feed):
        await live.told.next(BookSnapshot)
        running.faults.switch_on(Switch(fault=Fault.STREAM_CLOSED, where="market"))
        running.feed(bid("0.50", "12"))
        await live.told.next(StreamLost)
        await live.told.next(StreamRestored)
        assert (await live.told.next(BookSnapshot)).bids[0] == (price("0.50"), shares("12"))
        assert live.feed.connected


@in_loop
async def test_a_frozen_stream_is_found_out_and_subscribed_to_anew(running: Running) -> None:
    time = HandTime()
    live = Live(running, time)
    live.feed.follow(MARKET)
    async with running_feed(live.feed):
        await live.told.next(BookSnapshot)
        running.faults.switch_on(Switch(fault=Fault.STREAM_FROZEN, where="market", times=None))
        await asyncio.sleep(0.002)
        running.feed(bid("0.50", "12"))
        running.faults.switch_off()
        await time.go(7)
        assert live.feed.resyncs == 1
        assert (await live.told.next(BookSnapshot)).bids[0] == (price("0.50"), shares("12"))
        assert live.told.take() == []


@in_loop
async def test_a_quiet_exchange_is_left_alone(running: Running) -> None:
    time = HandTime()
    live = Live(running, time)
    live.feed.follow(MARKET)
    async with running_feed(live.feed):
        await live.told.next(BookSnapshot)
        running.feed(bid("0.50", "12"))
        await live.told.next(BookChanged)
        await time.go(60)
        assert live.feed.resyncs == 0


@in_loop
async def test_the_stream_applied_to_a_fresh_book_is_the_exchanges_book(running: Running) -> None:
    live = Live(running)
    live.feed.follow(MARKET)
    sides: dict[Side, dict[Price, Shares]] = {}
    async with running_feed(live.feed):
        first = await live.told.next(BookSnapshot)
        sides = {Side.BUY: dict(first.bids), Side.SELL: dict(first.asks)}
        for step in range(1, 49):
            running.feed(bid(f"0.{step:02}", str(step % 5)))
        while sides[Side.BUY].get(price("0.48")) != shares("3"):
            for one in (await live.told.next(BookChanged)).changes:
                sides[one.side][one.price] = one.size
        held = {at: size for at, size in sides[Side.BUY].items() if size}
        truth = running.get(f"/book?token_id={UP}")["bids"]
        assert held == {price(level["price"]): shares(level["size"]) for level in truth}
