"""Reads markets as Gamma and the CLOB list them, and books (`PROTOCOL.md` B.2, B.3, B.8). Pure translation.

Gamma leaves out what it does not know, writes lists as JSON inside texts, and switches between whole and broken
numbers. A fact that is absent is None here. Whatever does not fit raises `Unreadable`.
"""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import msgspec
from msgspec import Struct

from polystra.core.events import OwnPrice
from polystra.core.ids import MarketId, TokenId
from polystra.core.markets import Payout, RewardTerms
from polystra.core.units import MICRO, Instant, Nanos, Price, Shares, Usd
from polystra.edge.polymarket.wire import (
    MILLISECOND,
    SECOND,
    Unreadable,
    instant_of,
    price_of,
    quantity_of,
    read,
    shares_of,
    whole_of,
)

_MINUTE = 60 * SECOND
_RESOLVED = "resolved"
_SETTLED = (None, "", _RESOLVED)
"""What Gamma says of markets whose payout stands; up/down markets settle without UMA, so mostly nothing."""


class FeeTerms(Struct, frozen=True, gc=False, kw_only=True):
    """A fee schedule as a service states it, all in millionths; `rebate` is None where it says nothing of one."""

    rate: int
    exponent: int
    takers_only: bool
    rebate: int | None = None


class CatalogueEntry(Struct, frozen=True, gc=False, kw_only=True):
    """What Gamma says of a market; `tokens` by the outcome's name."""

    condition: MarketId
    slug: str
    tokens: dict[str, TokenId]
    start: Instant | None
    end: Instant | None
    version: str | None
    has_fees: bool | None
    fees: FeeTerms | None
    resolution_source: str
    neg_risk: bool | None
    daily_rewards: Usd | None = None


class MarketState(Struct, frozen=True, gc=False, kw_only=True):
    """Where a market stands on its way to the payout, which is None until it is certain."""

    market: MarketId
    slug: str
    accepting: bool
    closed: bool
    payout: Payout | None


class TradingTerms(Struct, frozen=True, gc=False, kw_only=True):
    """What the CLOB says of a market; `tokens` by the outcome's name."""

    condition: MarketId
    tokens: dict[str, TokenId]
    tick: int
    min_shares: Shares
    fees: FeeTerms | None
    version: str | None
    neg_risk: bool
    rewards: RewardTerms | None


class MarketName(Struct, frozen=True, gc=False):
    """What a market is called, and the name of each of its tokens' outcomes."""

    slug: str
    outcomes: dict[TokenId, str]


class RestBook(Struct, frozen=True, gc=False, kw_only=True):
    """One token's book in that token's own terms, best level first. `at` is the venue's time of it, `hash` its name of
    this state of it."""

    market: MarketId
    token: TokenId
    bids: tuple[tuple[Price, Shares], ...]
    asks: tuple[tuple[Price, Shares], ...]
    at: Instant
    hash: str


def read_catalogue_entry(raw: bytes) -> CatalogueEntry:
    row = read(raw, _gamma)
    names, tokens = _inner("outcomes", row.outcomes), _inner("clobTokenIds", row.clobTokenIds)
    return CatalogueEntry(
        condition=row.conditionId,
        slug=row.slug,
        tokens=_paired(names, tokens),
        start=_moment("eventStartTime", row.eventStartTime),
        end=_moment("endDate", row.endDate),
        version=row.version,
        has_fees=row.feesEnabled,
        fees=None if row.feeSchedule is None else _gamma_fees(row.feeSchedule),
        resolution_source=row.resolutionSource or "",
        neg_risk=row.negRisk,
        daily_rewards=_daily_rewards(row.clobRewards),
    )


def read_market_state(raw: bytes) -> MarketState:
    """Raises `Unreadable` also for an open market that does not say whether it takes orders, and for a closed one with
    prices that no outcome can end at."""
    row = read(raw, _state)
    if row.acceptingOrders is None and not row.closed:
        raise Unreadable(f"market {row.slug[:80]!r}: it has no acceptingOrders")
    return MarketState(
        market=row.conditionId,
        slug=row.slug,
        accepting=bool(row.acceptingOrders) and not row.closed,
        closed=row.closed,
        payout=_payout(row) if row.closed and row.umaResolutionStatus in _SETTLED else None,
    )


def _payout(row: "_State") -> Payout | None:
    """Half and half is also what Gamma shows of a market that nobody traded, so it takes the word `resolved` too."""
    names, prices = _inner("outcomes", row.outcomes), _inner("outcomePrices", row.outcomePrices)
    if sorted(names) != ["Down", "Up"] or len(prices) != len(names):
        raise Unreadable(f"prices {prices!r:.100} of outcomes {names!r:.100}: a closed market has one for Up and Down")
    ends = {name: quantity_of("outcomePrices", price) for name, price in zip(names, prices, strict=True)}
    if sum(ends.values()) != MICRO or ends["Up"] not in (0, MICRO // 2, MICRO):
        raise Unreadable(f"outcomePrices {prices!r:.100}: a closed market ends at 1 and 0, or at 0.5 and 0.5")
    certain = ends["Up"] != MICRO // 2 or row.umaResolutionStatus == _RESOLVED
    return Payout(Usd(ends["Up"])) if certain else None


def read_trading_terms(raw: bytes) -> TradingTerms:
    row = read(raw, _compact)
    return TradingTerms(
        condition=row.c,
        tokens=_paired([one.o for one in row.t], [one.t for one in row.t]),
        tick=quantity_of("mts", row.mts),
        min_shares=shares_of("mos", row.mos),
        fees=None if row.fd is None else _fees(row.fd.r, row.fd.e, row.fd.to),
        version=row.v,
        neg_risk=row.nr,
        rewards=None if row.r is None else _reward_terms(row.r),
    )


def read_market_name(raw: bytes) -> MarketName:
    row = read(raw, _named)
    return MarketName(row.market_slug, {one.token_id: one.outcome for one in row.tokens})


def _daily_rewards(programmes: "list[_Programme] | None") -> Usd | None:
    """All programmes together. None where none is told, which does not say that there is none, or one without rate."""
    rates = [one.rewardsDailyRate for one in programmes or ()]
    stated = [quantity_of("rewardsDailyRate", rate) for rate in rates if rate is not None]
    return Usd(sum(stated)) if stated and len(stated) == len(rates) else None


def _reward_terms(row: "_R") -> RewardTerms | None:
    """The venue says the spread in cents; None for a market that rewards nobody."""
    spread = quantity_of("ma", row.ma) // 100
    if not spread:
        return None
    age = Nanos(quantity_of("moas", row.moas) * (SECOND // MICRO))
    return RewardTerms(min_shares=shares_of("mi", row.mi), max_spread=Price(spread), min_age=age)


def read_book(raw: bytes) -> RestBook:
    """The venue sends the best level last; raises `Unreadable` for any other order, or for a level of nothing."""
    row = read(raw, _book)
    bids, asks = _best_first("bids", row.bids), _best_first("asks", row.asks)
    if any(worse >= better for (better, _), (worse, _) in pairwise(bids)):
        raise Unreadable(f"bids of {row.asset_id[:100]}: they rise up to the best, which is last")
    if any(worse <= better for (better, _), (worse, _) in pairwise(asks)):
        raise Unreadable(f"asks of {row.asset_id[:100]}: they fall down to the best, which is last")
    at = instant_of("timestamp", row.timestamp, MILLISECOND)
    return RestBook(market=row.market, token=row.asset_id, bids=bids, asks=asks, at=at, hash=row.hash)


def read_price_history(raw: bytes) -> tuple[OwnPrice, ...]:
    """A price is that of the minute in which it was taken, the first of several; raises `Unreadable` unless they come
    oldest first. The newest point may come twice, word for word (recorded)."""
    found: dict[Instant, Price] = {}
    stated = [(instant_of("t", one.t, SECOND), price_of("p", one.p)) for one in read(raw, _history).history]
    if any(later[0] <= earlier[0] and later != earlier for earlier, later in pairwise(stated)):
        raise Unreadable("history: its prices are not in the order of their times")
    for at, price in stated:
        found.setdefault(Instant(at // _MINUTE * _MINUTE), price)
    return tuple(OwnPrice(minute, price) for minute, price in found.items())


def _best_first(side: str, levels: "list[_Level]") -> tuple[tuple[Price, Shares], ...]:
    read_levels = tuple((price_of(side, one.price), shares_of(side, one.size)) for one in reversed(levels))
    if any(size == 0 for _, size in read_levels):
        raise Unreadable(f"{side}: a level of size 0")
    return read_levels


def _paired(names: list[str], tokens: list[str]) -> dict[str, TokenId]:
    if len(names) != len(tokens) or len(set(names)) != len(names) or len(set(tokens)) != len(tokens):
        raise Unreadable(f"outcomes {names!r:.200} do not pair with {len(set(tokens))} tokens")
    for token in tokens:
        whole_of("token", token)
    return {name: TokenId(token) for name, token in zip(names, tokens, strict=True)}


def _inner(field: str, text: str | None) -> list[str]:
    """A list that is JSON inside a text; a market that the CLOB does not know yet has none."""
    try:
        return read(text.encode(), _texts) if text else []
    except UnicodeEncodeError:
        raise Unreadable(f"{field}: not a text") from None


def _gamma_fees(schedule: "_FeeSchedule") -> FeeTerms:
    rebate = None if schedule.rebateRate is None else quantity_of("rebateRate", schedule.rebateRate)
    return _fees(schedule.rate, schedule.exponent, schedule.takerOnly, rebate)


def _fees(rate: Decimal, exponent: Decimal, takers_only: bool, rebate: int | None = None) -> FeeTerms:
    return FeeTerms(
        rate=quantity_of("fee rate", rate),
        exponent=quantity_of("fee exponent", exponent),
        takers_only=takers_only,
        rebate=rebate,
    )


def _moment(field: str, text: str | None) -> Instant | None:
    """An RFC 3339 time, UTC where it says no zone."""
    if not text:
        return None
    try:
        stated = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable(f"{field} {text[:80]!r}: it takes an RFC 3339 time") from None
    stated = stated if stated.tzinfo else stated.replace(tzinfo=UTC)
    return instant_of(field, round(stated.timestamp()), SECOND)


# --- forms, spelled as the services do -------------------------------------------------------------------------------


class _FeeSchedule(Struct):
    rate: Decimal
    exponent: Decimal
    takerOnly: bool  # noqa: N815
    rebateRate: Decimal | None = None  # noqa: N815


class _Programme(Struct):
    rewardsDailyRate: Decimal | None = None  # noqa: N815


class _Gamma(Struct):
    conditionId: MarketId  # noqa: N815
    slug: str
    outcomes: str | None = None
    clobTokenIds: str | None = None  # noqa: N815
    eventStartTime: str | None = None  # noqa: N815
    endDate: str | None = None  # noqa: N815
    version: str | None = None
    feesEnabled: bool | None = None  # noqa: N815
    feeSchedule: _FeeSchedule | None = None  # noqa: N815
    resolutionSource: str | None = None  # noqa: N815
    negRisk: bool | None = None  # noqa: N815
    clobRewards: list[_Programme] | None = None  # noqa: N815


class _State(Struct):
    conditionId: MarketId  # noqa: N815
    slug: str
    outcomes: str | None = None
    outcomePrices: str | None = None  # noqa: N815
    acceptingOrders: bool | None = None  # noqa: N815
    closed: bool = False
    umaResolutionStatus: str | None = None  # noqa: N815


class _Token(Struct):
    t: str
    o: str


class _NamedToken(Struct):
    token_id: TokenId
    outcome: str


class _Named(Struct):
    market_slug: str
    tokens: list[_NamedToken]


class _Fd(Struct):
    r: Decimal
    e: Decimal
    to: bool = False


class _R(Struct):
    mi: Decimal = Decimal(0)
    ma: Decimal = Decimal(0)
    moas: Decimal = Decimal(0)


class _Compact(Struct):
    c: MarketId
    t: list[_Token]
    mts: Decimal
    mos: Decimal
    fd: _Fd | None = None
    v: str | None = None
    nr: bool = False
    r: _R | None = None


class _Level(Struct):
    price: Decimal
    size: Decimal


class _Point(Struct):
    t: int
    p: Decimal


class _History(Struct):
    history: list[_Point]


class _Book(Struct):
    market: MarketId
    asset_id: TokenId
    timestamp: str
    bids: list[_Level]
    asks: list[_Level]
    hash: str = ""


_gamma = msgspec.json.Decoder(_Gamma)
_state = msgspec.json.Decoder(_State)
_compact = msgspec.json.Decoder(_Compact)
_named = msgspec.json.Decoder(_Named)
_texts = msgspec.json.Decoder(list[str])
_history = msgspec.json.Decoder(_History)
_book = msgspec.json.Decoder(_Book)
