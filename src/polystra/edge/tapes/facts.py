"""Fills in what a recording does not say about its window, from `PROTOCOL.md`, and names each such fact.

Every window is traded as if it were listed today: CLOB V2, today's fee schedule, fees in collateral.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from polystra.core.fees import FeeSchedule
from polystra.core.ids import MarketId, TokenId
from polystra.core.markets import Generation, Market, PriceSource, Series
from polystra.core.terms import Outcome
from polystra.core.units import Instant, Nanos, Price, Shares, Tick, show

_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE

FEES = FeeSchedule(rate=70_000, exponent=1, rebate_rate=200_000)
MIN_SHARES = Shares(5_000_000)
TICK = Price(10_000)

_SLUG = re.compile(r"([a-z]{2,8})-updown-(\d{1,3})(m|h)-(\d{9,10})", re.ASCII)


def _utc(year: int, month: int, day: int, hour: int = 0) -> Instant:
    return Instant(int(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) * _SECOND)


CLOB_V2_FROM = _utc(2026, 4, 28, 11)
TWAP_FROM = _utc(2026, 8, 7)
FIVE_MINUTE_TWAP_60_FROM = _utc(2026, 8, 14)


def window_of(slug: str) -> tuple[Series, Instant, Instant]:
    """The series, start and end that a window's slug states; raises `ValueError` for any other text."""
    found = _SLUG.fullmatch(slug)
    if found is None:
        raise ValueError(f"{slug[:80]!r} is no up/down slug such as btc-updown-15m-1790586000")
    asset, count, unit, start = found.groups()
    length = Nanos(int(count) * (_HOUR if unit == "h" else _MINUTE))
    opened = Instant(int(start) * _SECOND)
    if length == 0 or opened % length:
        raise ValueError(f"{slug!r}: a window of {count}{unit} cannot start at {start}")
    return Series(asset.upper(), length), opened, Instant(opened + length)


def window_market(
    slug: str,
    *,
    condition: str | None,
    tokens: Mapping[Outcome, str],
    tick: Price | None = None,
    min_shares: Shares | None = None,
    assumed: tuple[str, ...] = (),
) -> Market:
    """The market of a slug; what is None or absent comes from `PROTOCOL.md` and is named in its assumptions.

    Raises `ValueError` for a slug that is no up/down window.
    """
    series, start, end = window_of(slug)
    settlement, why = _settlement(series, start)
    names = [*assumed]
    if condition is None:
        names.append("condition id: derived from the slug")
    names += [f"{o.capitalize()} token id: derived from the slug" for o in Outcome if o not in tokens]
    if tick is None:
        names.append(f"tick: {show(TICK)}, finer from the first level that needs it (PROTOCOL.md B.8, C.1)")
    if min_shares is None:
        names.append(f"minimum size: {show(MIN_SHARES)} shares (PROTOCOL.md B.8)")
    names += [_fee_words(start), "generation: clob-v2, traded as if today", why]
    return Market(
        id=MarketId(condition or "0x" + hashlib.sha256(slug.encode()).hexdigest()),
        slug=slug,
        series=series,
        up_token=TokenId(tokens.get(Outcome.UP) or _derived_token(slug, Outcome.UP)),
        down_token=TokenId(tokens.get(Outcome.DOWN) or _derived_token(slug, Outcome.DOWN)),
        start=start,
        end=end,
        tick=Tick(tick or TICK),
        min_shares=min_shares or MIN_SHARES,
        fees=FEES,
        generation=Generation.CLOB_V2,
        settlement=settlement,
        assumptions=tuple(names),
    )


def _derived_token(slug: str, outcome: Outcome) -> str:
    return str(int.from_bytes(hashlib.sha256(f"{slug} {outcome}".encode()).digest(), "big"))


def _fee_words(start: Instant) -> str:
    words = f"fees: rate {show(FEES.rate)}, exponent {FEES.exponent}, rebate {show(FEES.rebate_rate)} (PROTOCOL.md F.1)"
    if start < CLOB_V2_FROM:
        words += ", today's in place of an uncertain one; BUYs then paid in shares, here in collateral"
    return words


def _settlement(series: Series, start: Instant) -> tuple[PriceSource | None, str]:
    """Which source settled windows of that day (`PROTOCOL.md` G); None for the 30 s TWAP of one week of August."""
    if series.length == _HOUR:
        source: PriceSource | None = PriceSource.BINANCE_CANDLE
    elif start < TWAP_FROM:
        source = PriceSource.CHAINLINK_SPOT
    elif series.length == 5 * _MINUTE and start < FIVE_MINUTE_TWAP_60_FROM:
        source = None
    else:
        source = PriceSource.CHAINLINK_TWAP_60
    return source, f"settlement: {source or 'unknown, a 30 s TWAP'}, by date (PROTOCOL.md G)"
