"""Prices of the underlying as recordings have them."""

from polystra.core.events import PricePrinted
from polystra.core.markets import PriceSource
from polystra.core.units import MICRO, Instant, seconds
from tests.truth import after

SPOT = PriceSource.CHAINLINK_SPOT
AVERAGE = PriceSource.CHAINLINK_TWAP_60


def price_row(
    second: float, usd: float = 64_000, source: PriceSource = AVERAGE, asset: str = "BTC", stamp: Instant | None = None
) -> PricePrinted:
    """Heard at a second of the first window, and stamped by its source a second before."""
    stamped = Instant(after(second) - seconds(1)) if stamp is None else stamp
    return PricePrinted(at=after(second), asset=asset, source=source, value=round(usd * MICRO), stamped_at=stamped)
