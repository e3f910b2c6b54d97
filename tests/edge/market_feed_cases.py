"""A market feed on a scripted network, and frames of the market stream as the venue writes them."""

from typing import Any

from msgspec.structs import replace

from polystra.core.events import AnyEvent, BookChanged, BookSnapshot, LevelChange, Stream, StreamLost
from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Side
from polystra.core.units import Instant, price, shares
from polystra.edge.polymarket.market_feed import MarketFeed
from tests.edge.exchange_cases import CONDITION, DOWN, START, UP
from tests.edge.feed_cases import MARKET, HandTime, ScriptedDialer, Told

OTHER = replace(MARKET, id=MarketId("0x" + "ee" * 32), up_token=TokenId("21"), down_token=TokenId("22"))
STAMP = 1_795_432_200_000
"""The venue's milliseconds at START."""

LOST = StreamLost(at=START, stream=Stream.MARKET)


class Case:
    """A feed on a scripted network, by a clock that the test moves."""

    def __init__(self) -> None:
        self.dialer = ScriptedDialer()
        self.time = HandTime()
        self.told = Told()
        self.slugs: list[str] = []
        self.newest: Instant | None = None
        self.asked: list[TokenId] = []
        self.feed = MarketFeed(
            self.dialer,
            "ws://venue",
            time=self.time,
            put=self.told.put,
            on_new_market=self.slugs.append,
            newest_book=self.newest_book,
        )

    async def newest_book(self, token: TokenId) -> Instant | None:
        self.asked.append(token)
        return self.newest

    @property
    def sent(self) -> list[Any]:
        return self.dialer.line.sent

    def say(self, *frames: object) -> list[AnyEvent]:
        self.dialer.line.say(*frames)
        return self.told.take()

    def lose(self) -> None:
        self.dialer.line.ears.lost("closed by the venue: 1001")


def subscription(operation: str, *tokens: str) -> dict[str, Any]:
    return {"operation": operation, "assets_ids": list(tokens), "custom_feature_enabled": True}


def first_frame(*tokens: str) -> dict[str, Any]:
    return {"type": "market", "assets_ids": list(tokens), "custom_feature_enabled": True, "initial_dump": True}


def book(token: str = UP, at: int = STAMP, **more: object) -> dict[str, Any]:
    bids, asks = [{"price": "0.48", "size": "30"}], [{"price": "0.52", "size": "25"}]
    return {"event_type": "book", "asset_id": token, "timestamp": str(at), "bids": bids, "asks": asks, **more}


def change(at: int = STAMP) -> dict[str, Any]:
    """One level of Up, and its echo in Down."""
    up = {"asset_id": UP, "price": "0.5", "size": "12", "side": "BUY", "best_bid": "0.5", "best_ask": "0.52"}
    down = {"asset_id": DOWN, "price": "0.5", "size": "12", "side": "SELL", "best_bid": "0.48", "best_ask": "0.5"}
    return {"event_type": "price_change", "price_changes": [up, down], "timestamp": str(at)}


def trade(token: str = UP) -> dict[str, Any]:
    told = {"price": "0.53", "size": "4", "side": "BUY", "timestamp": str(STAMP)}
    return {"event_type": "last_trade_price", "asset_id": token, **told}


def resolved(**more: object) -> dict[str, Any]:
    return {"event_type": "market_resolved", "market": CONDITION, "assets_ids": [UP, DOWN], **more}


SNAPSHOT = BookSnapshot(
    at=START,
    market=CONDITION,
    bids=((price("0.48"), shares("30")),),
    asks=((price("0.52"), shares("25")),),
    venue_at=START,
)
CHANGED = BookChanged(
    at=START,
    market=CONDITION,
    changes=(LevelChange(Side.BUY, price("0.5"), shares("12")),),
    best_bid=price("0.5"),
    best_ask=price("0.52"),
    venue_at=START,
)
