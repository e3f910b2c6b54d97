"""Lets an order through or says why not. `Approved` is made here and nowhere else; a test reads the tree for it.

Entries fail closed: what is unknown denies. Every verdict names the limit, the value that met it and what is allowed,
and carries the `Wait` within which it would be the same, also when it approves.
"""

from typing import TypeAlias

from msgspec import Struct

from polystra.core.account import Account
from polystra.core.events import TradingState
from polystra.core.fees import FeeSchedule, taker_fee, worst_fee
from polystra.core.markets import Generation, Market, Phase
from polystra.core.strategy import Tolerance, Wish
from polystra.core.terms import OrderTerms
from polystra.core.units import CENT, MICRO, Instant, Nanos, Price, Shares, Usd, seconds, show
from polystra.core.view import MarketView, Wait

MARKETABLE_MINIMUM = Usd(100 * CENT)
"""The venue's least amount for an immediate BUY, 1 USD (`PROTOCOL.md` E.2)."""

LOOK_AGAIN = seconds(1)
"""A verdict may rest on what no best price shows (cash, depth, other markets, silence), so it is looked at again."""


class Limits(Struct, frozen=True, gc=False, kw_only=True):
    """What one operator allows. Money in USD millionths, worst case: resting and unknown orders count in full."""

    max_order: Usd
    max_market: Usd
    max_total: Usd
    max_open_positions: int
    max_daily_loss: Usd
    max_spread: Price
    min_edge: int
    min_time_left: Nanos


class Situation(Struct, frozen=True, gc=False, kw_only=True):
    """What risk looks at besides the wish: reservations of the order under review itself are left out of `account`."""

    view: MarketView
    account: Account
    market_stake: Usd
    state: TradingState
    halted: str | None = None
    unknown_need: str | None = None
    offered: Shares = Shares(0)


class Approved(Struct, frozen=True, gc=False, kw_only=True):
    """An entry that may be placed. `edge` is USD millionths a share after fee."""

    terms: OrderTerms
    tolerance: Tolerance
    edge: int
    wait: Wait


class Denied(Struct, frozen=True, gc=False, kw_only=True):
    limit: str
    value: str
    allowed: str
    wait: Wait


Verdict: TypeAlias = Approved | Denied

_Breach: TypeAlias = tuple[str, str, str]


def review(wish: Wish, terms: OrderTerms, limits: Limits, now: Situation) -> Verdict:
    """Judge one wish, sized as `terms`. Pure; the first limit that is broken answers."""
    edge = edge_of(wish, terms, now.view)
    breach = (
        _closed(now, limits)
        or _unknowns(now)
        or _beyond(wish, terms)
        or _value(edge, limits, now.view)
        or _too_small(terms, now.view.market)
        or _money(terms, limits, now)
    )
    again = Instant(now.view.at + LOOK_AGAIN)
    if breach is None and edge is not None:
        until = min(again, _too_late(now.view.market, limits))
        return Approved(terms=terms, tolerance=wish.tolerance, edge=edge, wait=now.view.pinned(until))
    limit, value, allowed = breach or ("edge", "unknown", "known")
    return Denied(limit=limit, value=value, allowed=allowed, wait=now.view.pinned(again))


def edge_of(wish: Wish, terms: OrderTerms, view: MarketView) -> int | None:
    """probability - price - fee of one share, in USD millionths; None while a part of it is unknown.

    An immediate order pays the best ask and the taker's fee, a resting one its own price and none.
    """
    fees = view.market.fees
    ask = view.ask_of(wish.outcome)
    if fees is None or (terms.time_in_force.immediate and ask is None):
        return None
    if not terms.time_in_force.immediate or ask is None:
        return wish.probability - terms.price
    return wish.probability - ask - taker_fee(fees, ask, Shares(MICRO))


def cost_of_worst(terms: OrderTerms, fees: FeeSchedule | None) -> Usd:
    """The most an order can cost, the fee included where it is known."""
    return Usd(terms.spend + (worst_fee(fees, terms) if fees is not None else 0))


def _too_late(market: Market, limits: Limits) -> Instant:
    """The first moment at which too little time is left."""
    return Instant(market.end - limits.min_time_left + 1) if limits.min_time_left else market.end


def _closed(now: Situation, limits: Limits) -> _Breach | None:
    view = now.view
    if now.state is not TradingState.ARMED:
        return "trading state", now.state, TradingState.ARMED
    if now.halted is not None:
        return "market halted", now.halted, "not halted"
    if view.phase is not Phase.OPEN:
        return "phase", view.phase, Phase.OPEN
    if view.left < limits.min_time_left:
        return "time left", f"{view.left // 10**9} s", f"at least {limits.min_time_left // 10**9} s"
    return None


def _unknowns(now: Situation) -> _Breach | None:
    view = now.view
    if view.market.generation is Generation.UNKNOWN:
        return "contract generation", "unknown", "known"
    if view.market.fees is None:
        return "fee schedule", "unknown", "known"
    if view.trouble is not None:
        return "book", view.trouble, "trusted"
    if now.unknown_need is not None:
        return "need", f"{now.unknown_need} unknown", "known"
    return None


def _beyond(wish: Wish, terms: OrderTerms) -> _Breach | None:
    """The grid's lowest price may be above what the strategy is willing to pay."""
    if terms.price > wish.price:
        return "limit price", show(wish.price), f"at least {show(terms.price)}"
    return None


def _value(edge: int | None, limits: Limits, view: MarketView) -> _Breach | None:
    spread = view.ask - view.bid
    if view.mid is None:
        return "spread", "unknown", "known"
    if spread > limits.max_spread:
        return "spread", show(spread), f"at most {show(limits.max_spread)}"
    if edge is None or edge < limits.min_edge:
        return "edge", "unknown" if edge is None else show(edge), f"at least {show(limits.min_edge)}"
    return None


def _too_small(terms: OrderTerms, market: Market) -> _Breach | None:
    if terms.time_in_force.immediate:
        if terms.spend < MARKETABLE_MINIMUM:
            return "order value", show(terms.spend), f"at least {show(MARKETABLE_MINIMUM)}"
    elif terms.shares < market.min_shares:
        return "order size", show(terms.shares), f"at least {show(market.min_shares)}"
    return None


def _money(terms: OrderTerms, limits: Limits, now: Situation) -> _Breach | None:
    cost = cost_of_worst(terms, now.view.market.fees)
    account = now.account
    if terms.time_in_force.immediate and terms.shares > now.offered:
        return "depth", show(now.offered), f"at least {show(terms.shares)}"
    opening = 0 if now.market_stake else 1
    if account.allowance is not None and account.reserved + cost > account.allowance:
        needed = f"at least {show(Usd(account.reserved + cost))}: approve the exchange's contract with this wallet"
        return "allowance", show(account.allowance), needed
    checks = (
        ("order cost", cost, limits.max_order),
        ("free cash", cost, account.free),
        ("market exposure", now.market_stake + cost, limits.max_market),
        ("total exposure", account.at_stake + account.reserved + cost, limits.max_total),
        ("daily loss", -account.realised_today, limits.max_daily_loss),
    )
    for limit, value, allowed in checks:
        if value > allowed:
            return limit, show(value), f"at most {show(allowed)}"
    if account.open_positions + opening > limits.max_open_positions:
        return "open positions", str(account.open_positions + opening), f"at most {limits.max_open_positions}"
    return None
