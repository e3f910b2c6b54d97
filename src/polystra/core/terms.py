"""Says what an order asks for.

Prices and shares of an order are those of its own outcome: a BUY of Down at 0.47 says 0.47, although the same order
stands in the market's one book as an offer of Up at 0.53 (`book`).
"""

from enum import StrEnum
from math import gcd

from msgspec import Struct

from polystra.core.ids import MarketId
from polystra.core.units import MICRO, SIZE_STEP, Instant, Price, Shares, Usd, cost_of


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def other(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class Outcome(StrEnum):
    UP = "UP"
    DOWN = "DOWN"

    @property
    def other(self) -> "Outcome":
        return Outcome.DOWN if self is Outcome.UP else Outcome.UP


class TimeInForce(StrEnum):
    """GTC rests; GTD rests until its time; FOK fills whole or not at all; FAK fills what it can and ends."""

    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"

    @property
    def immediate(self) -> bool:
        return self in _IMMEDIATE


_IMMEDIATE = frozenset({TimeInForce.FOK, TimeInForce.FAK})


class Purpose(StrEnum):
    """Why an order exists. With market, outcome and side it names the slot that one order at a time may hold. An entry
    opens, a scale-in adds to what is held, a reversal buys the other side of what was stopped. A target rests; a stop
    protects, also what was gained; a sale takes the bids for profit or by value. The last two are orders that somebody
    else made for the account: what they trade is ours to manage, or left alone as a setting says."""

    ENTRY = "entry"
    SCALE_IN = "scale-in"
    REVERSAL = "reversal"
    TARGET = "target"
    STOP = "stop"
    SALE = "sale"
    OUTSIDE = "outside"
    LEFT_ALONE = "left alone"

    @property
    def ours(self) -> bool:
        return self not in _OUTSIDE

    @property
    def ends_it(self) -> bool:
        """Whether it sells a position at once, for good."""
        return self in _ENDS_IT


_OUTSIDE = frozenset({Purpose.OUTSIDE, Purpose.LEFT_ALONE})
_ENDS_IT = frozenset({Purpose.STOP, Purpose.SALE})


class Liquidity(StrEnum):
    """Which side of a trade we were: takers pay the fee, makers do not."""

    TAKER = "taker"
    MAKER = "maker"


class TradeStage(StrEnum):
    """How far a trade is on its way to the chain. FAILED takes the shares back."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    RETRYING = "RETRYING"
    FAILED = "FAILED"

    @property
    def settled(self) -> bool:
        """Whether the shares are really there and can be sold."""
        return self in (TradeStage.MINED, TradeStage.CONFIRMED)


class OrderTerms(Struct, frozen=True, gc=False, kw_only=True):
    """One order as we want it. `price` is the limit; `shares` the size at that limit.

    An immediate BUY is an order in cash, as on the venue: it spends at most `spend`, and a better price brings more
    shares, not change. Every other order is an order in shares.
    """

    market: MarketId
    outcome: Outcome
    side: Side
    purpose: Purpose
    price: Price
    shares: Shares
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    expires_at: Instant | None = None

    @property
    def in_cash(self) -> bool:
        return self.side is Side.BUY and self.time_in_force.immediate

    @property
    def spend(self) -> Usd:
        """The most collateral a BUY pays before fees."""
        return cost_of(self.price, self.shares)


class Slot(Struct, frozen=True, gc=False):
    """The place of at most one live order: an outcome of a market, a side and a purpose."""

    market: MarketId
    outcome: Outcome
    side: Side
    purpose: Purpose


def slot_of(terms: OrderTerms) -> Slot:
    return Slot(terms.market, terms.outcome, terms.side, terms.purpose)


def whole_cent_lot(limit: Price) -> Shares:
    """The smallest size whose cost at `limit` is whole cents.

    The venue accepts an immediate BUY only when its cash has two decimals and its shares at most four (`PROTOCOL.md`
    E.1); multiples of this lot always pass.
    """
    return Shares(SIZE_STEP * (MICRO // gcd(limit, MICRO)))
