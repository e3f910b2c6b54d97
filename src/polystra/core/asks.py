"""What may become a purchase once it is sized and reviewed: a strategy's wish, or what a rule adds to what is held."""

from msgspec import Struct

from polystra.core.risk import Denied
from polystra.core.strategy import Tolerance, Wish
from polystra.core.terms import Purpose
from polystra.core.units import MICRO, Price, Shares, Usd
from polystra.core.view import ANYTHING, MarketView, Wait


class Ask(Struct, frozen=True, gc=False, kw_only=True):
    """A wish with its purpose. `shares` is the size that is asked for, None where the stake rules say; it never costs
    more than `most`, fee included."""

    wish: Wish
    purpose: Purpose = Purpose.ENTRY
    shares: Shares | None = None
    most: Usd | None = None


class Asked(Struct, frozen=True, gc=False, kw_only=True):
    """What a rule asks for, what it would ask for if it knew more, and what could change that."""

    asks: tuple[Ask, ...] = ()
    denied: tuple[tuple[Wish, Denied], ...] = ()
    wait: Wait = ANYTHING

    def and_(self, other: "Asked") -> "Asked":
        return Asked(asks=self.asks + other.asks, denied=self.denied + other.denied, wait=self.wait.both(other.wait))


NOTHING_ASKED = Asked()

AS_IT_RESTS = Tolerance(price=Price(MICRO), shares=Shares(2**62))
"""An order that rests stays, whatever its price and however little of it is left."""


def best_holds(view: MarketView) -> Wait:
    """Until a best price moves."""
    return Wait(bid_lo=view.bid, bid_hi=view.bid, ask_lo=view.ask, ask_hi=view.ask)


def without_chance(wish: Wish, purpose: Purpose) -> tuple[Wish, Denied]:
    """Nothing is added on a chance that nobody knows."""
    return wish, Denied(
        limit=f"{purpose} chance", value="unknown", allowed="an estimate of the strategy", wait=ANYTHING
    )
