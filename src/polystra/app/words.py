"""How times, windows and amounts are written for people. Times are UTC."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from polystra.core.account import Equity
from polystra.core.units import Instant, Usd, decimal
from polystra.edge.store.answers import Transition

_MINUTE = 60 * 10**9


def clock(at: Instant) -> str:
    """`13:31:05`"""
    return _utc(at).strftime("%H:%M:%S")


def moment(at: Instant) -> str:
    """`28 Sep 13:31`"""
    return _utc(at).strftime("%d %b %H:%M")


def day(at: Instant) -> str:
    """`28 Sep`"""
    return _utc(at).strftime("%d %b")


def window_name(asset: str, start: Instant, end: Instant) -> str:
    """`BTC 15m 13:30`: a window by its asset, its length and the time its slug names."""
    minutes = (end - start) // _MINUTE
    length = f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
    return f"{asset} {length} {_utc(start):%H:%M}"


def rounded(quantity: int, places: int) -> str:
    """A quantity with a fixed number of decimals, for reading only."""
    return f"{_to(quantity, places):f}"


def signed(quantity: int, places: int) -> str:
    """The same with its sign, also a plus; a zero has none."""
    value = _to(quantity, places)
    return f"{value:+f}" if value else f"{abs(value):f}"


def counted(count: int, thing: str, things: str | None = None) -> str:
    """`1 window`, `3 windows`"""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {things or thing + 's'}"


def cents(amount: Usd) -> str:
    """`-13.92`"""
    return rounded(amount, 2)


def transition_words(one: Transition) -> str:
    """`28 Sep 13:31  paused, was armed: lunch (ann, polystra pause)`"""
    return f"{moment(one.at)}  {one.after}, was {one.before}: {one.why} ({one.who})"


def equity_words(worth: Equity) -> str:
    """`1003.10 USD: cash 940.00, held 8.00 at the last bids, held 5.00 at cost, no bid known, to redeem 50.10`"""
    parts = [f"cash {cents(worth.cash)}"]
    if worth.at_bid:
        parts.append(f"held {cents(worth.at_bid)} at the last bids")
    if worth.at_cost:
        parts.append(f"held {cents(worth.at_cost)} at cost, no bid known")
    if worth.redeemable:
        parts.append(f"to redeem {cents(worth.redeemable)}")
    return f"{cents(worth.total)} USD: {', '.join(parts)}"


def _to(quantity: int, places: int) -> Decimal:
    return decimal(quantity).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)


def _utc(at: Instant) -> datetime:
    return datetime.fromtimestamp(at // 10**9, UTC)
