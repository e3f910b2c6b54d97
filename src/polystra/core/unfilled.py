"""Says what becomes of a resting entry that is not filled (SPEC S15).

It is given up when its token has become cheaper by a part since it was placed, or when it has rested too long: it is
simply not wanted any more, for the rest of the window, so the planner cancels it. What filled of it, also during the
cancel, is held like any other position.

One that rested too long may be tried again, once, at the market: only if nothing of it filled, its token has become
dearer and the underlying is on its side. That is decided at the look at which its end is known, and never later; the
new order is sized and reviewed like any other. A wish of another kind in the same slot is not placed either.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.exits import losing
from polystra.core.ids import OrderId
from polystra.core.orders import Order, OrderState
from polystra.core.risk import Denied
from polystra.core.strategy import Tolerance, Wish
from polystra.core.terms import TimeInForce
from polystra.core.units import MICRO, Instant, Nanos, Price, seconds
from polystra.core.view import ANYTHING, MarketView, Wait


class UnfilledRules(Struct, frozen=True, gc=False, kw_only=True):
    """`timeout` is meant for a window of 15 minutes and in proportion in others. `threshold` is the fall of the token's
    price since the order was placed that ends it, `retry_above` the rise that one new try needs, both in millionths;
    without `retries` there is none."""

    timeout: Nanos = seconds(300)
    threshold: int = 150_000
    retries: bool = True
    retry_above: int = 100_000


class Why(StrEnum):
    """Why an entry was given up."""

    FELL = "price fell"
    AGED = "too old"
    RESTORED = "before the restart"


class GivenUp(Struct, frozen=True, gc=False, kw_only=True):
    """An entry whose slot is done for this window; `second` is the order that it was tried again with."""

    order: OrderId
    why: Why
    second: OrderId | None = None


class Patience(Struct, frozen=True, gc=False, kw_only=True):
    """What is left of a wish, None when nothing is; whether its entry is given up now, or denied a second try."""

    wish: Wish | None = None
    given_up: GivenUp | None = None
    denied: Denied | None = None
    wait: Wait = ANYTHING


def patience_for(wish: Wish, order: Order, given: GivenUp | None, view: MarketView, rules: UnfilledRules) -> Patience:
    """`order` is the entry that rests for the wish or, once it was `given` up, that one."""
    if given is None:
        why = why_give_up(order, view, rules)
        if why is not None:
            return Patience(given_up=GivenUp(order=order.id, why=why))
        return Patience(wish=wish, wait=view.pinned(until=deadline(order, view, rules)))
    ends_now = not order.live and order.state_at == view.at
    if not ends_now or given.why is not Why.AGED or given.second is not None or not rules.retries:
        return Patience()
    ask, denied = view.ask_of(wish.outcome), why_no_retry(order, view, rules)
    if denied is not None or ask is None:
        return Patience(denied=denied or _no_second_try("nobody offers", "an offer"))
    return Patience(wish=at_market(wish, ask))


def why_give_up(order: Order, view: MarketView, rules: UnfilledRules) -> Why | None:
    """None while the entry may go on resting. A price that nobody can be sure of ends nothing."""
    if order.state not in (OrderState.WORKING, OrderState.UNKNOWN):
        return None
    if view.at >= deadline(order, view, rules):
        return Why.AGED
    change = change_of(order, view)
    return Why.FELL if change is not None and change <= -rules.threshold else None


def deadline(order: Order, view: MarketView, rules: UnfilledRules) -> Instant:
    """The first moment at which it is too old."""
    return Instant(order.decided_at + view.market.in_proportion(rules.timeout) + 1)


def change_of(order: Order, view: MarketView) -> int | None:
    """How much the token's price moved since the order was placed, in millionths; None while the price is unknown.

    The price at placement is not kept over a restart; the limit then stands for it, which a bid that rests is below.
    """
    now = view.mid_of(order.terms.outcome) if view.trouble is None else None
    before = order.quoted or order.terms.price
    return None if now is None else (now - before) * MICRO // before


def why_no_retry(first: Order, view: MarketView, rules: UnfilledRules) -> Denied | None:
    """None when an entry that was too old and has ended may be tried again at the market."""
    if first.matched or first.awaited:
        return _no_second_try("filled in part", "nothing filled")
    if losing(view, first.terms.outcome):
        return _no_second_try("losing side", "winning side")
    change = change_of(first, view)
    if change is None or change <= rules.retry_above:
        value = "unknown price" if change is None else f"price {percent(change)}"
        return _no_second_try(value, f"above {percent(rules.retry_above)}")
    return None


def _no_second_try(value: str, allowed: str) -> Denied:
    return Denied(limit="second try", value=value, allowed=allowed, wait=ANYTHING)


def percent(part: int) -> str:
    """A part in millionths, for people."""
    return f"{part / 10_000:+.1f} %"


def at_market(wish: Wish, ask: Price) -> Wish:
    """The wish as one that is filled at the present best price or not at all."""
    return replace(wish, price=ask, time_in_force=TimeInForce.FAK, tolerance=Tolerance(), good_for=None)
