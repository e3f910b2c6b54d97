"""What can be had by name.

The numbers were set by eye against recordings (docs/scenarios.md); none is a measurement.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from polystra.core.units import Price
from polystra.sim.scenario.flow import Flow
from polystra.sim.scenario.makers import MakerKind
from polystra.sim.scenario.path import Weather


class Recipe(Struct, frozen=True, gc=False, kw_only=True):
    """A scenario: how the price moves, who quotes, who takes."""

    about: str
    weather: Weather
    makers: tuple[MakerKind, ...]
    flow: Flow


_TIGHT = MakerKind(every=0.8, half_width=Price(4_000), levels=3, size=60, growth=1.5, spread_of_sizes=0.9)
_WIDE = MakerKind(every=2.5, half_width=Price(13_000), levels=8, size=220, error=0.004)
_DEEP = MakerKind(every=9.0, half_width=Price(45_000), levels=20, size=320, late=1, error=0.01, growth=1.05)
_SLOW = MakerKind(every=6.0, half_width=Price(8_000), levels=2, size=40, late=3, error=0.006)
_STREET = (_TIGHT, _TIGHT, _WIDE, _WIDE, _DEEP, _SLOW)

_SPARSE = (
    MakerKind(every=2.5, half_width=Price(16_000), levels=2, size=20, error=0.006, restless=0.5),
    MakerKind(every=6.0, half_width=Price(28_000), levels=4, size=45, late=2, error=0.012, apart=2),
    MakerKind(every=15.0, half_width=Price(20_000), levels=1, size=25, late=6, error=0.015),
)

_FAST = MakerKind(
    every=0.022, half_width=Price(4_000), levels=3, size=42, error=0.0005, restless=1.0, leaves=0.957, early=10.0
)
_BROAD = MakerKind(
    every=0.03, half_width=Price(12_000), levels=8, size=75, error=0.001, restless=1.0, leaves=0.957, early=10.0
)
_FLOOR = (_FAST, _FAST, _FAST, _FAST, _BROAD, _BROAD, _BROAD, _BROAD)

_BUSY = Flow(rate=0.7, size=7.5)
_HECTIC = Flow(rate=1.2, size=9.0, alert=0.7)
_CROWD = Flow(rate=10.0, size=7.5)
_QUIET = Flow(rate=0.08, size=6.0, alert=0.3)

SCENARIOS: Mapping[str, Recipe] = MappingProxyType(
    {
        "calm": Recipe(
            about="an even price without jumps, a full book",
            weather=Weather(volatility=4e-5, regimes=0.15, gusts=0.1),
            makers=_STREET,
            flow=_BUSY,
        ),
        "volatile": Recipe(
            about="gusts and jumps that quotes are late for",
            weather=Weather(volatility=1.1e-4, regimes=0.5, gusts=0.6, jumps=6.0, jump=0.0012),
            makers=_STREET,
            flow=_HECTIC,
        ),
        "trend": Recipe(
            about="one direction for hours, of which the quotes know nothing",
            weather=Weather(volatility=6e-5, drift=0.8),
            makers=_STREET,
            flow=_BUSY,
        ),
        "whipsaw": Recipe(
            about="moves that come back, taken by the quotes for lasting ones",
            weather=Weather(volatility=6e-5, swing=0.0012, swing_every=150),
            makers=_STREET,
            flow=_BUSY,
        ),
        "thin": Recipe(
            about="few small quotes far apart, hardly any trades",
            weather=Weather(volatility=5e-5),
            makers=_SPARSE,
            flow=_QUIET,
        ),
        "busy": Recipe(
            about="as many messages and trades as 5m windows of August 2026 have; the price rests, and leaps",
            weather=Weather(volatility=6e-6, jumps=25.0, jump=0.0005),
            makers=_FLOOR,
            flow=_CROWD,
        ),
    }
)
