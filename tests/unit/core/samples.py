"""One window, its orders and fills, in as few words as the tests of the core's values need."""

from __future__ import annotations

from itertools import count
from typing import Any

from polystra.core.fees import FeeSchedule
from polystra.core.ids import MarketId, OrderId, TokenId, TradeId
from polystra.core.markets import Generation, Market, PriceSource, Series
from polystra.core.orders import Fill, Order, OrderState
from polystra.core.positions import FLAT
from polystra.core.terms import Liquidity, OrderTerms, Outcome, Purpose, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, Price, Shares, Tick, price, seconds, shares
from polystra.core.view import MarketView

NOON = Instant(1_790_000_000 * 10**9 // 86_400_000_000_000 * 86_400_000_000_000 + 43_200 * 10**9)
"""A noon UTC, on a whole minute."""

GRIDS = tuple(price(size) for size in ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"))
"""Every tick the venue has (`PROTOCOL.md` E.1)."""

CRYPTO = FeeSchedule(rate=70_000, rebate_rate=200_000)
OLD_CRYPTO = FeeSchedule(rate=250_000, exponent=2, in_shares_on_buys=True)

WINDOW = Market(
    id=MarketId("0x01"),
    slug="btc-updown-15m",
    series=Series("BTC", seconds(900)),
    up_token=TokenId("11"),
    down_token=TokenId("12"),
    start=NOON,
    end=Instant(NOON + seconds(900)),
    tick=Tick(price("0.01")),
    min_shares=shares(5),
    fees=CRYPTO,
    generation=Generation.CLOB_V2,
    settlement=PriceSource.CHAINLINK_TWAP_60,
)

_trades = count(1)


def terms(at: str = "0.55", size: str = "6", **changes: Any) -> OrderTerms:
    """A resting BUY of Up unless told otherwise."""
    known: dict[str, Any] = {
        "market": WINDOW.id,
        "outcome": Outcome.UP,
        "side": Side.BUY,
        "purpose": Purpose.ENTRY,
        "price": price(at),
        "shares": shares(size),
    }
    return OrderTerms(**(known | changes))


def selling(at: str = "0.60", size: str = "6", **changes: Any) -> OrderTerms:
    return terms(at, size, **({"side": Side.SELL, "purpose": Purpose.TARGET} | changes))


def taking(at: str = "0.55", size: str = "6", **changes: Any) -> OrderTerms:
    return terms(at, size, **({"time_in_force": TimeInForce.FAK} | changes))


def order(wanted: OrderTerms | None = None, number: int = 41, **changes: Any) -> Order:
    known: dict[str, Any] = {"state": OrderState.WORKING, "decided_at": NOON, "state_at": NOON}
    return Order(id=OrderId(number), terms=wanted or terms(), **(known | changes))


def fill(each: str = "0.55", size: str = "6", stage: TradeStage = TradeStage.MATCHED, **changes: Any) -> Fill:
    """A maker's trade at noon with a number of its own."""
    known: dict[str, Any] = {
        "trade": TradeId(f"t{next(_trades)}"),
        "price": price(each),
        "shares": shares(size),
        "liquidity": Liquidity.MAKER,
        "stage": stage,
        "at": NOON,
    }
    return Fill(**(known | changes))


def view(bid: str = "0.52", ask: str = "0.54", **changes: Any) -> MarketView:
    known: dict[str, Any] = {
        "market": WINDOW,
        "at": Instant(NOON + seconds(60)),
        "bid": price(bid),
        "ask": price(ask),
        "trouble": None,
        "position": FLAT,
    }
    return MarketView(**(known | changes))


def levels(**sides: str) -> tuple[tuple[Price, Shares], ...]:
    """`levels(p53="10")` is ten shares at 0.53: the digits behind the point name the price."""
    return tuple((price(f"0.{name[1:]}"), shares(size)) for name, size in sides.items())
