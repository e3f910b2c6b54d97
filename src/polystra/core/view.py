"""Freezes what a strategy may see about one market, and says what could change its mind."""

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.events import Candle, Level, OwnPrice
from polystra.core.markets import Market, Phase, PriceSource
from polystra.core.positions import MarketPosition
from polystra.core.referee import Referee
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, Nanos, Price, Shares, Usd, mirror

NEVER = Instant(2**62)
"""Later than any time that comes."""

_FAR = 2**62


def middle_of(bid: Price, ask: Price, outcome: Outcome) -> Price | None:
    """The middle of an outcome's book by the best prices of Up; None while one side is empty."""
    if bid == NO_BID or ask == NO_ASK:
        return None
    middle = Price((bid + ask) // 2)
    return middle if outcome is Outcome.UP else mirror(middle)


class Wait(Struct, frozen=True, gc=False, kw_only=True):
    """The closed bands of best prices (Up terms) and of the underlying, and the time, outside which a decision could
    change. While all hold, deciding again would give the same answer, and need not be done.

    A band that is too wide is a wrong answer that nobody sees; `Wait()` waits for nothing and suits those alone who
    read nothing. When in doubt, `pinned` holds everything at what the view shows. The band of the underlying binds risk
    and exits; a strategy hears of the underlying by declaring the oracle tick (`strategy.Wake`).
    """

    bid_lo: Price = NO_BID
    bid_hi: Price = NO_ASK
    ask_lo: Price = NO_BID
    ask_hi: Price = NO_ASK
    spot_lo: int = -_FAR
    spot_hi: int = _FAR
    until: Instant = NEVER

    def both(self, other: "Wait") -> "Wait":
        """What two waits have in common: leaving either wakes."""
        if other is ANYTHING:
            return self
        if self is ANYTHING:
            return other
        return Wait(
            bid_lo=max(self.bid_lo, other.bid_lo),
            bid_hi=min(self.bid_hi, other.bid_hi),
            ask_lo=max(self.ask_lo, other.ask_lo),
            ask_hi=min(self.ask_hi, other.ask_hi),
            spot_lo=max(self.spot_lo, other.spot_lo),
            spot_hi=min(self.spot_hi, other.spot_hi),
            until=min(self.until, other.until),
        )

    def ending(self, until: Instant) -> "Wait":
        """The same bands, and over at `until` at the latest."""
        return self if self.until <= until else replace(self, until=until)

    def lasting(self, until: Instant) -> "Wait":
        """The same bands, and no alarm before `until`."""
        return self if self.until >= until else replace(self, until=until)

    def best_holds(self, bid: Price, ask: Price) -> bool:
        return self.bid_lo <= bid <= self.bid_hi and self.ask_lo <= ask <= self.ask_hi

    def spot_holds(self, spot: int | None) -> bool:
        return spot is None or self.spot_lo <= spot <= self.spot_hi


ANYTHING = Wait()


class Reference(Struct, frozen=True, gc=False, kw_only=True):
    """A price of the underlying and its age; `value` in millionths of a USD."""

    source: PriceSource
    value: int
    age: Nanos


class Surroundings(Struct, frozen=True, gc=False, kw_only=True):
    """What a market's view shows that is not the market's own: the underlying, and our cash."""

    references: tuple[Reference, ...] = ()
    candles: tuple[Candle, ...] = ()
    strike: int | None = None
    free_cash: Usd = Usd(0)


class MarketView(Struct, frozen=True, gc=False, kw_only=True):
    """One market at one moment. What is not known is None or empty, never a default.

    `bid`, `ask` and the depth are those of Up; `NO_BID` and `NO_ASK` stand for an empty side. `trouble` says why the
    book is not to be trusted; `referee` is what the venue said instead, where two readings agree.
    """

    market: Market
    at: Instant
    bid: Price
    ask: Price
    trouble: str | None
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    own_prices: tuple[OwnPrice, ...] = ()
    references: tuple[Reference, ...] = ()
    candles: tuple[Candle, ...] = ()
    strike: int | None = None
    position: MarketPosition
    entries_working: int = 0
    entries_made: int = 0
    free_cash: Usd = Usd(0)
    referee: Referee | None = None

    @property
    def phase(self) -> Phase:
        return self.market.phase(self.at)

    @property
    def age(self) -> Nanos:
        """Time since the window began; negative before it."""
        return Nanos(self.at - self.market.start)

    @property
    def left(self) -> Nanos:
        """Time to the window's end."""
        return Nanos(self.market.end - self.at)

    @property
    def mid(self) -> Price | None:
        """The middle of the Up book; None while one side is empty."""
        return self.mid_of(Outcome.UP)

    def mid_of(self, outcome: Outcome) -> Price | None:
        """The middle of an outcome's own book; None while one side is empty."""
        return middle_of(self.bid, self.ask, outcome)

    def ask_of(self, outcome: Outcome) -> Price | None:
        """The best price at which `outcome` can be bought; None when nobody offers it."""
        best = self.ask if outcome is Outcome.UP else mirror(self.bid)
        return best if 0 < best < MICRO else None

    def bid_of(self, outcome: Outcome) -> Price | None:
        """The best price at which `outcome` can be sold; None when nobody bids."""
        best = self.bid if outcome is Outcome.UP else mirror(self.ask)
        return best if 0 < best < MICRO else None

    def sure_bid_of(self, outcome: Outcome) -> Price | None:
        """The bid that a stop may go by: the book's while it is trusted, else what the venue says when it is asked
        (`referee`); None when nobody can say."""
        if self.trouble is None:
            return self.bid_of(outcome)
        if self.referee is None:
            return None
        best = self.referee.bid if outcome is Outcome.UP else mirror(self.referee.ask)
        return best if 0 < best < MICRO else None

    def offered(self, outcome: Outcome) -> Shares:
        """Shares of `outcome` on offer at its best ask, within the depth the strategy asked for."""
        levels = self.asks if outcome is Outcome.UP else self.bids
        return levels[0][1] if levels else Shares(0)

    def pinned(self, until: Instant = NEVER) -> Wait:
        """The wait that promises nothing: any change of a best price or of the underlying wakes.

        While the underlying is unknown its band is empty: the first price heard wakes.
        """
        spot = self.references[0].value if self.references else None
        return Wait(
            bid_lo=self.bid,
            bid_hi=self.bid,
            ask_lo=self.ask,
            ask_hi=self.ask,
            spot_lo=_FAR if spot is None else spot,
            spot_hi=-_FAR if spot is None else spot,
            until=until,
        )
