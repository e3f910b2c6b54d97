"""The user stream as our client keeps it: every form of frame as an event of our order, and nobody else's orders."""

from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.events import (
    AnyEvent,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderReported,
    Stream,
    StreamLost,
    StreamRestored,
)
from polystra.core.ids import OrderId, TradeId, VenueOrderId
from polystra.core.reasons import CancelReason
from polystra.core.terms import Liquidity, Side, TradeStage
from polystra.core.units import Instant, Shares, price, seconds, shares
from polystra.edge.polymarket.auth import Credentials
from polystra.edge.polymarket.user_feed import UNKNOWN_ORDER, UNREADABLE, UserFeed
from polystra.edge.polymarket.wire import Fill
from tests.edge.exchange_cases import CONDITION, DOWN, START, UP
from tests.edge.feed_cases import HandTime, ScriptedDialer, Told, in_loop, running_feed

OURS = {VenueOrderId("0xaa"): OrderId(1), VenueOrderId("0xbb"): OrderId(2)}
CREDENTIALS = Credentials(api_key="our-key", secret="c2hoLXF1aWV0", passphrase="never-told")
FOK_KILL = "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILL = (
    "CANCELED_no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
)


class Case:
    """A feed on a scripted network, by a clock that the test moves."""

    def __init__(self) -> None:
        self.dialer = ScriptedDialer()
        self.time = HandTime()
        self.told = Told()
        self.outside: list[Fill] = []
        self.feed = UserFeed(
            self.dialer,
            "ws://venue",
            credentials=CREDENTIALS,
            time=self.time,
            put=self.told.put,
            names=OURS.get,
            account="0xdd0",
            outside=self.outside.append,
        )

    def say(self, *frames: object) -> list[AnyEvent]:
        self.dialer.line.say(*frames)
        return self.told.take()


def order(**more: object) -> dict[str, Any]:
    frame = {
        "event_type": "order",
        "id": "0xaa",
        "owner": "our-key",
        "order_owner": "our-key",
        "market": CONDITION,
        "asset_id": UP,
        "side": "BUY",
        "original_size": "10",
        "size_matched": "0",
        "price": "0.45",
        "associate_trades": None,
        "outcome": "Up",
        "type": "PLACEMENT",
        "created_at": "1795432200",
        "expiration": "0",
        "order_type": "GTC",
        "status": "LIVE",
        "timestamp": "1795432200000",
    }
    return frame | more


def maker(**more: object) -> dict[str, Any]:
    """Somebody's part, which says nothing of its side."""
    part = {"order_id": "0xcc", "owner": "their-key", "matched_amount": "4", "price": "0.55", "asset_id": DOWN}
    return part | {"maker_address": "0xee", "outcome": "Down", "fee_rate_bps": "0"} | more


def trade(*makers: dict[str, Any], **more: object) -> dict[str, Any]:
    frame = {
        "event_type": "trade",
        "type": "TRADE",
        "id": "trade-1",
        "taker_order_id": "0xaa",
        "market": CONDITION,
        "asset_id": UP,
        "side": "BUY",
        "size": "10",
        "fee_rate_bps": "0",
        "price": "0.45",
        "status": "MATCHED",
        "match_time": "1795432201",
        "last_update": "1795432202",
        "outcome": "Up",
        "bucket_index": 0,
        "owner": "our-key",
        "trade_owner": "our-key",
        "maker_address": "0xdd",
        "transaction_hash": "",
        "trader_side": "TAKER",
        "maker_orders": list(makers),
        "timestamp": "1795432201500",
    }
    return frame | more


TAKEN = OrderFilled(
    at=START,
    order=OrderId(1),
    trade=TradeId("trade-1"),
    price=price("0.45"),
    shares=shares("10"),
    liquidity=Liquidity.TAKER,
    stage=TradeStage.MATCHED,
    traded_at=Instant(START + seconds(1)),
)


# --- who we are ------------------------------------------------------------------------------------------------------


@in_loop
async def test_the_key_is_shown_first_and_no_markets_with_it() -> None:
    case = Case()
    async with running_feed(case.feed):
        await case.feed.wait_connected()
        auth = {"apiKey": "our-key", "secret": "c2hoLXF1aWV0", "passphrase": "never-told"}
        assert case.dialer.dialled == [("user", "ws://venue")]
        assert case.dialer.line.sent == [{"auth": auth, "type": "user"}]
        assert case.told.take() == []
        assert case.feed.connected


@in_loop
async def test_each_new_connection_shows_the_key_before_the_return_is_told() -> None:
    case = Case()
    async with running_feed(case.feed):
        case.dialer.line.ears.lost("closed by the venue: 1001")
        assert case.told.take() == [StreamLost(at=START, stream=Stream.USER)]
        assert (case.feed.connected, case.feed.trouble) == (False, "closed by the venue: 1001")
        await case.time.go(0.5)
        assert case.told.take() == [StreamRestored(at=Instant(START + seconds(0.5)), stream=Stream.USER)]
        assert len(case.dialer.line.sent) == 1
        assert case.feed.trouble == ""


@in_loop
async def test_secret_and_passphrase_are_in_no_text_that_a_person_sees(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    case = Case()
    case.dialer.refuse = "nobody there"
    async with running_feed(case.feed):
        case.dialer.refuse = ""
        await case.time.go(0.5)
        case.say(b"{", order(id=1))
        seen = [repr(case.feed), str(vars(case.feed)), case.feed.trouble, case.feed.unread, caplog.text]
        assert not any("c2hoLXF1aWV0" in text or "never-told" in text for text in seen)


# --- orders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "matched"),
    [
        (order(), "0"),
        (order(type="UPDATE", size_matched="2.5", associate_trades=["trade-1"]), "2.5"),
        (order(type="UPDATE", status="MATCHED", size_matched="10"), "10"),
    ],
)
@in_loop
async def test_a_live_order_is_reported_with_what_it_matched(frame: dict[str, Any], matched: str) -> None:
    case = Case()
    async with running_feed(case.feed):
        assert case.say(frame) == [OrderReported(at=START, order=OrderId(1), matched=shares(matched))]


@pytest.mark.parametrize(
    ("more", "reason", "matched"),
    [
        ({"status": "CANCELED"}, CancelReason.ASKED, "0"),
        ({"status": "CANCELED", "size_matched": "2.5"}, CancelReason.ASKED, "2.5"),
        ({"status": "CANCELED", "order_type": "GTD"}, CancelReason.ASKED, "0"),
        ({"status": "CANCELED", "order_type": "FAK", "size_matched": "3"}, CancelReason.REMAINDER_KILLED, "3"),
        ({"status": "CANCELED_MARKET_RESOLVED"}, CancelReason.MARKET_RESOLVED, "0"),
        ({"status": "CANCELED_MARKET_RESOLVED", "order_type": "FAK"}, CancelReason.MARKET_RESOLVED, "0"),
        ({"status": "CANCELED_NOT_ENOUGH_BALANCE"}, CancelReason.BY_VENUE, "0"),
        ({"status": "INVALID"}, CancelReason.BY_VENUE, "0"),
        ({"status": FOK_KILL, "order_type": "FOK", "size_matched": ""}, CancelReason.REMAINDER_KILLED, "0"),
        ({"status": FAK_KILL, "order_type": "FAK", "size_matched": ""}, CancelReason.REMAINDER_KILLED, "0"),
    ],
)
@in_loop
async def test_a_cancelled_order_says_why_and_what_it_had_matched(
    more: dict[str, object], reason: CancelReason, matched: str
) -> None:
    case = Case()
    async with running_feed(case.feed):
        (told,) = case.say(order(type="CANCELLATION", **more))
        assert told == OrderCancelled(at=START, order=OrderId(1), reason=reason, matched=shares(matched))


@in_loop
async def test_an_expired_order_is_expired() -> None:
    case = Case()
    async with running_feed(case.feed):
        told = case.say(order(type="CANCELLATION", status="CANCELED_EXPIRED_ORDER"))
        assert told == [OrderExpired(at=START, order=OrderId(1))]


# --- trades ----------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_taker_is_filled_by_what_stands_on_top() -> None:
    case = Case()
    async with running_feed(case.feed):
        assert case.say(trade(maker())) == [TAKEN]


@in_loop
async def test_a_maker_is_filled_at_its_own_price_and_size_whoever_is_on_top() -> None:
    """The maker's part is of the other token, and the top names our key although the taker is somebody else."""
    case = Case()
    async with running_feed(case.feed):
        frame = trade(maker(), maker(order_id="0xbb", owner="our-key"), taker_order_id="0xff", trader_side="MAKER")
        made = replace(TAKEN, order=OrderId(2), price=price("0.55"), shares=shares("4"), liquidity=Liquidity.MAKER)
        assert case.say(frame) == [made]
        assert case.feed.skipped == {}


@in_loop
async def test_an_order_of_ours_that_meets_another_of_ours_fills_both() -> None:
    case = Case()
    async with running_feed(case.feed):
        taken, made = case.say(trade(maker(order_id="0xbb", owner="our-key")))
        assert taken == TAKEN
        assert isinstance(made, OrderFilled)
        assert (made.order, made.trade, made.liquidity) == (OrderId(2), TradeId("trade-1"), Liquidity.MAKER)


@pytest.mark.parametrize("prefix", ["", "TRADE_STATUS_"])
@in_loop
async def test_every_stage_is_read_plain_and_prefixed(prefix: str) -> None:
    case = Case()
    async with running_feed(case.feed):
        for stage in TradeStage:
            assert case.say(trade(status=prefix + stage)) == [replace(TAKEN, stage=stage)]
        assert case.say(trade(status=f"{prefix}MATCHED_NOT_BROADCASTED")) == [TAKEN]


# --- what is left out ------------------------------------------------------------------------------------------------


@in_loop
async def test_orders_that_are_not_ours_are_counted_and_give_no_event() -> None:
    case = Case()
    async with running_feed(case.feed):
        theirs = trade(maker(), taker_order_id="0xff", trade_owner="their-key")
        foreign = (order(id="0xff"), order(id="0xff", type="CANCELLATION"), theirs)
        assert case.say(*foreign) == []
        assert case.feed.skipped == {UNKNOWN_ORDER: 3}
        assert case.outside == []


@in_loop
async def test_a_trade_of_the_account_by_another_hand_is_told_as_what_it_did() -> None:
    """As taker under our key; as maker with nothing but our wallet: of the taker's token on the other side, of the
    other token on the same."""
    case = Case()
    async with running_feed(case.feed):
        mine = maker(order_id="0xfe", owner="website", maker_address="0xDD0")
        frames = (
            trade(taker_order_id="0xff"),
            trade(mine, taker_order_id="0xfd", trade_owner="their-key"),
            trade(mine | {"asset_id": UP, "price": "0.45"}, taker_order_id="0xfd", trade_owner="their-key"),
        )
        assert case.say(*frames) == []
        taken, other, same = case.outside
        assert (taken.order, taken.token, taken.side, taken.liquidity) == ("0xff", UP, Side.BUY, Liquidity.TAKER)
        assert (taken.price, taken.shares, taken.stage) == (price("0.45"), shares(10), TradeStage.MATCHED)
        assert (other.order, other.token, other.side, other.price) == ("0xfe", DOWN, Side.BUY, price("0.55"))
        assert (same.token, same.side, same.price, same.shares) == (UP, Side.SELL, price("0.45"), shares(4))
        assert case.feed.skipped == {}


@in_loop
async def test_a_trade_between_an_order_of_ours_and_another_hand_is_told_both_ways() -> None:
    case = Case()
    async with running_feed(case.feed):
        assert case.say(trade(maker(order_id="0xfe", owner="our-key"))) == [TAKEN]
        assert [fill.order for fill in case.outside] == ["0xfe"]


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 5_000,
        b"7",
        [7],
        {},
        {"event_type": "weather"},
        order(type="RUMOUR"),
        order(size_matched=""),
        order(size_matched="-1"),
        order(size_matched="much"),
        order(type="CANCELLATION", status="CANCELED", size_matched=""),
        trade(status="SETTLED"),
        trade(match_time="2026-11-23T11:10:01Z"),
        trade(price="1"),
        trade(price="0"),
        trade(size="-1"),
        trade(maker_orders=None),
        trade(maker(order_id="0xbb", matched_amount=None)),
    ],
)
@in_loop
async def test_nonsense_is_counted_and_what_follows_is_heard(junk: object) -> None:
    case = Case()
    async with running_feed(case.feed):
        assert case.say(junk) == []
        assert case.feed.skipped == {UNREADABLE: 1}
        assert case.feed.unread
        assert case.say([trade(), {}, order(id="0xff"), order(id="0xbb")]) == [
            TAKEN,
            OrderReported(at=START, order=OrderId(2), matched=Shares(0)),
        ]
