"""Trades that no order of ours made find their market, at once or when it is listed."""

from typing import Any

from msgspec.structs import replace

from polystra.app.outside_trades import KEPT_FOR, OutsideTrades
from polystra.core.ids import MarketId, TokenId, TradeId, VenueOrderId
from polystra.core.markets import Market
from polystra.core.terms import Liquidity, Outcome, Side, TradeStage
from polystra.core.units import Instant, price, seconds, shares
from polystra.edge.polymarket.wire import Fill
from tests.truth import START, window

BTC = window()


class Still:
    def now(self) -> Instant:
        return START


def fill(name: str = "t1", at: float = 0, **changes: Any) -> Fill:
    facts: dict[str, Any] = {
        "trade": TradeId(name),
        "order": VenueOrderId("0xhand"),
        "market": BTC.id,
        "token": BTC.up_token,
        "side": Side.SELL,
        "price": price("0.80"),
        "shares": shares(10),
        "liquidity": Liquidity.TAKER,
        "stage": TradeStage.MATCHED,
        "matched_at": Instant(START + seconds(at)),
    }
    return Fill(**(facts | changes))


def test_a_trade_of_a_known_market_is_told_at_once() -> None:
    trades = OutsideTrades({BTC.id: BTC}, Still())
    told = trades.event(fill())
    assert told is not None
    assert (told.market, told.outcome, told.side, told.venue_order) == (BTC.id, Outcome.UP, Side.SELL, "0xhand")
    assert (told.price, told.shares, told.traded_at) == (price("0.80"), shares(10), START)
    other = trades.event(fill(token=BTC.down_token))
    assert other is not None
    assert other.outcome is Outcome.DOWN
    assert trades.listed(BTC.id) == []


def test_a_trade_of_a_market_that_is_not_known_yet_waits_for_it() -> None:
    """Oldest first, each once, at the stage that was heard of last; and then no more."""
    markets: dict[MarketId, Market] = {}
    trades = OutsideTrades(markets, Still())
    heard = (fill("t2", 5), fill("t1", 1), fill("t2", 5, stage=TradeStage.CONFIRMED))
    assert [trades.event(one) for one in heard] == [None] * 3
    markets[BTC.id] = BTC
    told = trades.listed(BTC.id)
    assert [(one.trade, one.stage) for one in told] == [("t1", TradeStage.MATCHED), ("t2", TradeStage.CONFIRMED)]
    assert trades.listed(BTC.id) == []


def test_a_trade_older_than_any_market_that_is_followed_is_forgotten() -> None:
    markets: dict[MarketId, Market] = {}
    trades = OutsideTrades(markets, Still())
    assert trades.event(replace(fill(), matched_at=Instant(START - KEPT_FOR))) is None
    assert trades.event(fill(market=MarketId("0xother"), token=TokenId("7"))) is None
    markets[BTC.id] = BTC
    assert trades.listed(BTC.id) == []
