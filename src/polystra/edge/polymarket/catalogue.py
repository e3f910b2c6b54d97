"""Finds a window's market: by slug at Gamma, then its terms of trade at the CLOB (`PROTOCOL.md` B.3, B.8).

After this nothing about the market is asked again before an order. Where the two services contradict each other, or
one is silent, the fact stays unknown: fees None, generation UNKNOWN, settlement None; such a market is not traded.
Ids and times that contradict each other are no market at all.
"""

import re
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.errors import InvalidQuantity, NotSupported
from polystra.core.fees import FeeSchedule
from polystra.core.markets import Generation, Market, PriceSource
from polystra.core.units import MICRO, Instant, Price, Tick
from polystra.edge.polymarket.market_wire import (
    CatalogueEntry,
    FeeTerms,
    MarketState,
    TradingTerms,
    read_catalogue_entry,
    read_market_state,
    read_trading_terms,
)
from polystra.edge.polymarket.private_rest import READ_DEADLINE, ReadingFailed, reading
from polystra.edge.polymarket.rest import Asking, Reply
from polystra.edge.polymarket.slugs import series_of, start_of

_SECOND = 1_000_000_000
_NOT_FOUND = 404
_GENERATIONS = {"v1": Generation.CLOB_V2, "v2": Generation.PROTOCOL_V2}
_OUTCOMES = {"Up", "Down"}
_TWAP_FROM = Instant(1_786_665_600 * _SECOND)
"""2026-08-14 00:00 UTC: since then all of Chainlink's windows settle by its TWAP of 60 s (`PROTOCOL.md` G)."""


class NotListed(Struct, frozen=True, gc=False):
    """One of the services does not know the market, maybe not yet: ask again."""

    why: str


_T = TypeVar("_T")

Found: TypeAlias = Market | NotListed | ReadingFailed


class Catalogue:
    def __init__(self, rest: Asking, *, gamma: str, clob: str) -> None:
        self._rest = rest
        self._gamma = gamma.rstrip("/")
        self._clob = clob.rstrip("/")

    async def market(self, slug: str) -> Found:
        """All about one window, in two requests."""
        entry = await self._said_of(slug, read_catalogue_entry)
        return await self._with_terms(slug, entry) if isinstance(entry, CatalogueEntry) else entry

    async def state(self, slug: str) -> MarketState | NotListed | ReadingFailed:
        """Whether the window takes orders and what it pays, in one request. Gamma may be minutes late."""
        state = await self._said_of(slug, read_market_state)
        if isinstance(state, MarketState) and state.slug != slug:
            return ReadingFailed(f"{slug}: the catalogue answers about {state.slug[:80]!r}")
        return state

    async def _said_of(self, slug: str, translate: Callable[[bytes], _T]) -> _T | NotListed | ReadingFailed:
        """The slug goes into a path: only what names a window is asked for."""
        if series_of(slug) is None:
            return ReadingFailed(f"slug {slug[:80]!r}: it is no up/down slug such as btc-updown-15m-1790586000")
        path = f"/markets/slug/{slug}"
        answer = await self._rest.ask("GET", self._gamma + path, deadline=READ_DEADLINE)
        if isinstance(answer, Reply) and answer.status == _NOT_FOUND:
            return NotListed(f"{slug}: unknown to the catalogue")
        return reading(path, answer, translate)

    async def _with_terms(self, slug: str, entry: CatalogueEntry) -> Found:
        if not re.fullmatch(r"0x[0-9a-f]{64}", entry.condition, re.ASCII):
            return ReadingFailed(f"{slug}: condition {entry.condition[:80]!r} is not 0x and 64 hex digits")
        path = f"/clob-markets/{entry.condition}"
        answer = await self._rest.ask("GET", self._clob + path, deadline=READ_DEADLINE)
        if isinstance(answer, Reply) and answer.status == _NOT_FOUND:
            return NotListed(f"{slug}: not yet known to the CLOB")
        terms = reading(path, answer, read_trading_terms)
        if isinstance(terms, ReadingFailed):
            return terms
        return market_of(slug, entry, terms)


def market_of(slug: str, entry: CatalogueEntry, terms: TradingTerms) -> Found:
    """The market that both descriptions agree on."""
    if not entry.tokens or not terms.tokens:
        return NotListed(f"{slug}: its tokens are not there yet")
    if (entry.slug, entry.condition) != (slug, terms.condition) or entry.tokens != terms.tokens:
        return ReadingFailed(f"{slug}: catalogue and CLOB name different markets or tokens")
    if set(terms.tokens) != _OUTCOMES:
        return ReadingFailed(f"{slug}: outcomes {sorted(terms.tokens)!r:.100} are not Up and Down")
    series, start, end = series_of(slug), _start(slug, entry), entry.end
    if series is None or start is None or end is None or end - start != series.length:
        return ReadingFailed(f"{slug}: window from {start} to {end}, or the two services and the slug disagree on it")
    try:
        tick = Tick(Price(terms.tick))
    except InvalidQuantity as error:
        return ReadingFailed(f"{slug}: {error}")
    settlement, taken_on_trust = _settlement(entry, start)
    return Market(
        id=terms.condition,
        slug=slug,
        series=series,
        up_token=terms.tokens["Up"],
        down_token=terms.tokens["Down"],
        start=start,
        end=end,
        tick=tick,
        min_shares=terms.min_shares,
        fees=_fees(entry, terms),
        generation=_generation(entry, terms),
        settlement=settlement,
        rewards=None if terms.rewards is None else replace(terms.rewards, daily=entry.daily_rewards),
        assumptions=taken_on_trust,
    )


def _start(slug: str, entry: CatalogueEntry) -> Instant | None:
    """What the catalogue states and the slug states; None when they differ, or neither states it."""
    named = start_of(slug)
    if named is None or entry.start is None:
        return entry.start if named is None else named
    return named if named == entry.start else None


def _fees(entry: CatalogueEntry, terms: TradingTerms) -> FeeSchedule | None:
    """The CLOB's schedule with the catalogue's rebate; no fees only where both say so."""
    stated, also = terms.fees, entry.fees
    if stated is None:
        return FeeSchedule(rate=0) if entry.has_fees is False and also is None else None
    if entry.has_fees is False or (also is not None and _curve(also) != _curve(stated)) or not stated.takers_only:
        return None
    exponent, broken = divmod(stated.exponent, MICRO)
    if broken:
        return None
    rebate = 0 if also is None or also.rebate is None else also.rebate
    try:
        return FeeSchedule(rate=stated.rate, exponent=exponent, rebate_rate=rebate)
    except NotSupported:
        return None


def _curve(fees: FeeTerms) -> tuple[object, ...]:
    return fees.rate, fees.exponent, fees.takers_only


def _generation(entry: CatalogueEntry, terms: TradingTerms) -> Generation:
    """What both say, or the one that says something. A neg-risk window would settle elsewhere, and there is none."""
    said = {version for version in (entry.version, terms.version) if version is not None}
    if len(said) != 1 or terms.neg_risk or entry.neg_risk:
        return Generation.UNKNOWN
    return _GENERATIONS.get(said.pop(), Generation.UNKNOWN)


def _settlement(entry: CatalogueEntry, start: Instant) -> tuple[PriceSource | None, tuple[str, ...]]:
    source = entry.resolution_source.lower()
    if "binance.com" in source:
        return PriceSource.BINANCE_CANDLE, ()
    if "data.chain.link" not in source:
        return None, ()
    if "twap" in source:
        return PriceSource.CHAINLINK_TWAP_60, ()
    if start < _TWAP_FROM:
        return None, ()
    return PriceSource.CHAINLINK_TWAP_60, ("settlement: chainlink-twap-60, by date (PROTOCOL.md G)",)
