"""Says before an order is signed what the venue would refuse about it (`PROTOCOL.md` E.1 to E.3). Pure.

A fault is a sentence with the field, its value, the limit and what to do. Balance, restrictions and whether an
immediate order finds somebody to trade with are the venue's to judge.
"""

from typing import TypeAlias

from msgspec import Struct

from polystra.core.markets import Generation, Market
from polystra.core.terms import OrderTerms, Side, TimeInForce, whole_cent_lot
from polystra.core.units import (
    CENT,
    MICRO,
    NO_ASK,
    NO_BID,
    SIZE_STEP,
    Instant,
    Nanos,
    Price,
    Shares,
    Tick,
    Usd,
    cost_of,
    seconds,
    show,
)
from polystra.edge.polymarket.amounts import amounts_of

_SECOND = 1_000_000_000
_CASH_ORDER_STEP = Shares(100)
"""An order in cash states its shares in ten thousandths."""


Faults: TypeAlias = tuple[str, ...]


class OrderRules(Struct, frozen=True, gc=False, kw_only=True):
    """What the venue asks of every order, as it does today. `gtd_least` is how far ahead the stated end of a GTD order
    must be; the venue ends it a minute earlier. `price_slack` is how far the price that the venue computes back from an
    immediate order's rounded amounts may miss the grid."""

    least_marketable_buy: Usd = Usd(1_000_000)
    gtd_least: Nanos = seconds(180)
    price_slack: Price = Price(100)


TODAY = OrderRules()
JANUARY_2026 = OrderRules(gtd_least=seconds(61))


class Present(Struct, frozen=True, gc=False, kw_only=True):
    """What may have changed in a market since it was discovered: its grid, and in the token's own terms the best
    prices, which tell an order that takes from one that rests. Left out they are unknown, and nothing is said of it."""

    tick: Tick
    best_bid: Price = NO_BID
    best_ask: Price = NO_ASK

    def crossed_by(self, terms: OrderTerms) -> bool:
        return terms.price >= self.best_ask if terms.side is Side.BUY else terms.price <= self.best_bid


def faults_of(
    terms: OrderTerms, market: Market, *, present: Present, now: Instant, rules: OrderRules = TODAY
) -> Faults:
    """All that is wrong with an order; nothing when it may go. `now` is by the venue's clock."""
    of_numbers = _of_price(terms, present.tick) + _of_size(terms, market.min_shares)
    of_cash = () if of_numbers else _of_cash(terms, present, rules)
    return (
        _of_market(terms, market) + of_numbers + of_cash + _of_time(terms, now, rules) + _of_post_only(terms, present)
    )


def _of_market(terms: OrderTerms, market: Market) -> Faults:
    found: Faults = ()
    if terms.market != market.id:
        found += (f"market {terms.market}: the facts given are of {market.id}, give those of the order's own market",)
    if market.generation is Generation.UNKNOWN:
        found += (f"market {market.id}: nobody said which contracts settle it, so that no order for it can be signed",)
    return found


def _of_price(terms: OrderTerms, tick: Tick) -> Faults:
    if tick.holds(terms.price):
        return ()
    if not tick.lowest <= terms.price <= tick.highest:
        allowed = f"{show(tick.lowest)} to {show(tick.highest)}"
        return (f"price {show(terms.price)}: at tick {show(tick.size)} a price is from {allowed}",)
    near = f"{show(tick.down(terms.price))} or {show(tick.up(terms.price))}"
    return (f"price {show(terms.price)}: it is no multiple of tick {show(tick.size)}, use {near}",)


def _of_size(terms: OrderTerms, least: Shares) -> Faults:
    found: Faults = ()
    step, decimals = (_CASH_ORDER_STEP, 4) if terms.in_cash else (SIZE_STEP, 2)
    if terms.shares <= 0:
        found += (f"size {show(terms.shares)}: it takes more than 0 shares",)
    elif terms.shares % step:
        rounded = show(terms.shares // step * step)
        found += (f"size {show(terms.shares)}: it takes at most {decimals} decimals, use {rounded}",)
    if 0 < terms.shares < least and not terms.time_in_force.immediate:
        enough = show(least)
        found += (f"size {show(terms.shares)}: an order that may rest has at least {enough} shares in this market",)
    return found


def _of_cash(terms: OrderTerms, present: Present, rules: OrderRules) -> Faults:
    """Of an order whose price and size are right by themselves."""
    found: Faults = ()
    amounts = amounts_of(terms)
    buys, immediate = terms.side is Side.BUY, terms.time_in_force.immediate
    least = rules.least_marketable_buy
    if buys and amounts.maker < least and (immediate or (present.crossed_by(terms) and not terms.post_only)):
        found += (f"cost {show(amounts.maker)} USD: a BUY that takes costs at least {show(least)} USD, buy more",)
    cash, shares = (amounts.maker, amounts.taker) if buys else (amounts.taker, amounts.maker)
    if immediate and (not cash or abs(cash * MICRO - terms.price * shares) > rules.price_slack * shares):
        found += (_too_fine(terms),)
    return found


def _too_fine(terms: OrderTerms) -> str:
    """Of an immediate order whose amounts cannot carry its price."""
    exact, kind = show(cost_of(terms.price, terms.shares)), terms.time_in_force
    if terms.side is Side.SELL:
        return f"proceeds {exact} USD: a {kind} SELL asks for 4 decimals, at another price, sell more"
    lot, step = show(whole_cent_lot(terms.price)), show(CENT)
    return f"cost {exact} USD: a {kind} BUY pays multiples of {step}, at another price, buy a multiple of {lot}"


def _of_time(terms: OrderTerms, now: Instant, rules: OrderRules) -> Faults:
    """The venue reads whole seconds."""
    end = terms.expires_at
    if terms.time_in_force is not TimeInForce.GTD:
        if end is None:
            return ()
        return (f"expires_at {end}: a {terms.time_in_force} order has no end, leave it out or make it GTD",)
    if end is None:
        return ("expires_at is missing: a GTD order says when it ends",)
    ahead = end // _SECOND * _SECOND - now
    if ahead >= rules.gtd_least:
        return ()
    shown, least = show(ahead // 1_000), show(rules.gtd_least // 1_000)
    return (f"expires_at {end}: it is {shown} s ahead by the venue's clock, a GTD order needs {least} s",)


def _of_post_only(terms: OrderTerms, present: Present) -> Faults:
    if not terms.post_only:
        return ()
    if terms.time_in_force.immediate:
        return (f"post_only: a {terms.time_in_force} order never rests, use GTC or GTD",)
    if present.crossed_by(terms):
        best = present.best_ask if terms.side is Side.BUY else present.best_bid
        return (f"price {show(terms.price)}: a post-only {terms.side} would meet {show(best)}, stay behind it",)
    return ()
