"""What was heard of the assets, and a market's strike in it."""

from __future__ import annotations

from msgspec.structs import replace

from polystra.core.events import Candle, PricePrinted
from polystra.core.markets import PriceSource
from polystra.core.prices import MINUTE
from polystra.core.underlying import Underlying
from polystra.core.units import Instant, seconds
from tests.unit.core.samples import NOON, WINDOW

TWAP, SPOT, BINANCE = PriceSource.CHAINLINK_TWAP_60, PriceSource.CHAINLINK_SPOT, PriceSource.BINANCE_SPOT
UNNAMED = replace(WINDOW, settlement=None)


def printed(value: int, source: PriceSource = TWAP, stamped: float = 0, asset: str = "BTC") -> PricePrinted:
    at = Instant(NOON + seconds(stamped))
    return PricePrinted(at=at, asset=asset, source=source, value=value, stamped_at=at)


def heard(*prices: PricePrinted) -> Underlying:
    known = Underlying()
    for one in prices:
        known.add(one)
    return known


def test_nothing_heard_is_nothing_known() -> None:
    known = heard()
    assert known.settlement_price(WINDOW) is None
    assert known.strike(WINDOW) is None
    assert known.references(WINDOW, NOON) == ()
    assert known.candles("BTC") == ()


def test_the_strike_is_the_settlement_feeds_own_value_at_the_start() -> None:
    known = heard(printed(8, SPOT), printed(7, stamped=-1), printed(9), printed(10, stamped=1))
    assert known.strike(WINDOW) == 9


def test_the_strike_stays_unknown_without_that_stamp() -> None:
    """A neighbouring second is 9 to 52 USD off near the strike: no guess."""
    assert heard(printed(7, stamped=-1), printed(10, stamped=1), printed(8, SPOT)).strike(WINDOW) is None


def test_a_market_that_names_no_settlement_source_has_no_strike() -> None:
    """X1.A3: fail closed."""
    known = heard(printed(9), printed(8, SPOT))
    assert known.strike(UNNAMED) is None
    assert known.settlement_price(UNNAMED) is None
    assert known.references(UNNAMED, NOON) == ()


def test_the_settlement_source_comes_first_among_the_references() -> None:
    known = heard(printed(3, BINANCE), printed(2, SPOT), printed(1))
    spot_settled = replace(WINDOW, settlement=SPOT)
    assert [one.source for one in known.references(WINDOW, NOON)] == [TWAP, SPOT, BINANCE]
    assert [one.source for one in known.references(spot_settled, NOON)] == [SPOT, TWAP, BINANCE]
    assert [one.value for one in known.references(WINDOW, NOON)] == [1, 2, 3]


def test_each_reference_has_its_own_age() -> None:
    known = heard(printed(1, stamped=5), printed(3, BINANCE, stamped=2))
    at = Instant(NOON + seconds(6))
    assert [one.age for one in known.references(WINDOW, at)] == [seconds(1), seconds(4)]


def test_without_the_settlement_price_there_is_no_reference_at_all() -> None:
    """Another feed in its place would be measured as if it were the one that settles."""
    assert heard(printed(3, BINANCE), printed(2, SPOT)).references(WINDOW, NOON) == ()


def test_assets_are_kept_apart() -> None:
    known = heard(printed(9, asset="ETH"))
    assert known.settlement_price(WINDOW) is None
    assert known.strike(WINDOW) is None


def test_candles_are_kept_by_asset() -> None:
    known = Underlying()
    one = Candle(opened_at=NOON, length=MINUTE, open=1, high=2, low=1, close=2, volume=5)
    known.add_candle("BTC", one)
    known.add_candle("BTC", replace(one, opened_at=NOON + MINUTE, length=15 * MINUTE))
    assert known.candles("BTC") == (one,), "fifteen minutes are another series"
    assert known.candles("ETH") == ()
