"""Names windows as the venue does (`PROTOCOL.md` B.8), and reads such names. Pure.

Windows of 5 minutes, 15 minutes and 4 hours are named by the second at which they start. Those of an hour are named by
the clock of New York, so that in the night when its clocks go back two of them share a name.
"""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from polystra.core.markets import Series
from polystra.core.units import Instant, Nanos

_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE

_LENGTHS = {5 * _MINUTE: "5m", 15 * _MINUTE: "15m", 4 * _HOUR: "4h"}
_COINS = {"BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "HYPE", "ZEC"}
_WORDS = {
    "BTC": "bitcoin",
    "ETH": "ethereum",
    "SOL": "solana",
    "XRP": "xrp",
    "DOGE": "dogecoin",
    "BNB": "bnb",
    "HYPE": "hyperliquid",
}
"""What coins are called in the names of hours."""

_ASSETS = {word: asset for asset, word in _WORDS.items()}
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
"""Written out, as the system's own names depend on its language."""

_TIMED = re.compile(r"([a-z]{2,8})-updown-([1-9]\d{0,2})([mh])-(\d{9,10})", re.ASCII)
_HOURLY = re.compile(rf"([a-z]+)-up-or-down-(?:{'|'.join(_MONTHS)})-\d{{1,2}}(?:-\d{{4}})?-\d{{1,2}}[ap]m-et", re.ASCII)
_NEW_YORK = ZoneInfo("America/New_York")


def expected_slugs(series: Series, at: Instant) -> tuple[str, ...]:
    """The window that is open at `at`, and the next one; none for a series that the venue does not have."""
    current = Instant(at // series.length * series.length)
    names = (_slug(series, start) for start in (current, Instant(current + series.length)))
    return tuple(dict.fromkeys(name for name in names if name is not None))


def series_of(slug: str) -> Series | None:
    """Whose window it is; None for whatever is not the name of one."""
    if timed := _TIMED.fullmatch(slug):
        return Series(timed[1].upper(), Nanos(int(timed[2]) * (_HOUR if timed[3] == "h" else _MINUTE)))
    if (hourly := _HOURLY.fullmatch(slug)) and hourly[1] in _ASSETS:
        return Series(_ASSETS[hourly[1]], Nanos(_HOUR))
    return None


def start_of(slug: str) -> Instant | None:
    """When the window starts, where its name alone says so: that of an hour does not."""
    timed = _TIMED.fullmatch(slug)
    return Instant(int(timed[4]) * _SECOND) if timed else None


def _slug(series: Series, start: Instant) -> str | None:
    if series.length == _HOUR and series.asset in _WORDS:
        return f"{_WORDS[series.asset]}-up-or-down-{_hour(start)}-et"
    if series.length in _LENGTHS and series.asset in _COINS:
        return f"{series.asset.lower()}-updown-{_LENGTHS[series.length]}-{start // _SECOND}"
    return None


def _hour(start: Instant) -> str:
    """`april-20-2026-10am`."""
    there = datetime.fromtimestamp(start // _SECOND, tz=UTC).astimezone(_NEW_YORK)
    half = "am" if there.hour < 12 else "pm"
    return f"{_MONTHS[there.month - 1]}-{there.day}-{there.year}-{there.hour % 12 or 12}{half}"
