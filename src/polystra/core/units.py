"""Holds quantities and the only rounding.

Price, shares and money are whole numbers of millionths (the venue's own base unit has six decimals), so sums are exact
and equal on every machine. `Decimal` and text appear at the border only; a float never becomes a quantity. The one
place where a price is rounded is `Tick`; the one place where money is rounded is `cost_of`.
"""

from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import NewType

from msgspec import Struct

from polystra.core.errors import InvalidQuantity

MICRO = 1_000_000

Price = NewType("Price", int)
"""Millionths of a USD for one share; inside a market more than 0 and less than 1,000,000."""

Shares = NewType("Shares", int)
"""Millionths of one share."""

Usd = NewType("Usd", int)
"""Millionths of a USD of collateral."""

Instant = NewType("Instant", int)
"""Nanoseconds since 1970-01-01 00:00 UTC."""

Nanos = NewType("Nanos", int)
"""A length of time in nanoseconds."""

NO_BID = Price(0)
"""Stands for the best bid of a side without bids; below every real price."""

NO_ASK = Price(MICRO)
"""Stands for the best ask of a side without asks; above every real price."""

SIZE_STEP = Shares(10_000)
"""Orders are sized in hundredths of a share (`PROTOCOL.md` E.1)."""

CENT = Usd(10_000)

_MOST = 2**63
"""What a journal or a database cell cannot hold any more."""

_EXACT = Context(prec=40, traps=[Inexact, InvalidOperation])
"""Raises instead of rounding; the default context drops what stands behind 28 digits."""


def seconds(count: float) -> Nanos:
    """A length of time from seconds, rounded to the nanosecond."""
    return Nanos(round(count * 1_000_000_000))


def micro(number: str | int | Decimal) -> int:
    """Millionths from a decimal number.

    Raises `InvalidQuantity` for a float, NaN, infinity, a seventh decimal, or more than 64 bits hold.
    """
    if isinstance(number, bool) or not isinstance(number, str | int | Decimal):
        raise InvalidQuantity(f"{number!r}: a quantity is a decimal number, never a {type(number).__name__}")
    try:
        scaled = _EXACT.multiply(Decimal(number), Decimal(MICRO))
    except InvalidOperation:
        raise InvalidQuantity(f"{number!r} is not a decimal number") from None
    except Inexact:
        raise InvalidQuantity(f"{number!r} has more digits than a quantity can have") from None
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise InvalidQuantity(f"{number!r} is not a finite number of at most six decimals")
    if not -_MOST < scaled < _MOST:
        raise InvalidQuantity(f"{number!r} is larger than a quantity can be, {show(_MOST)}")
    return int(scaled)


def price(number: str | int | Decimal) -> Price:
    """A price from a decimal number, `price("0.53")`."""
    return Price(micro(number))


def shares(number: str | int | Decimal) -> Shares:
    """A number of shares from a decimal number, `shares("5.62")`."""
    return Shares(micro(number))


def usd(number: str | int | Decimal) -> Usd:
    """An amount of collateral from a decimal number, `usd("3.39")`."""
    return Usd(micro(number))


def decimal(quantity: int) -> Decimal:
    """The decimal number of a price, of shares or of money: `Decimal("0.53")` of 530,000."""
    return Decimal(quantity).scaleb(-6).normalize() + 0


def show(quantity: int) -> str:
    """The shortest exact text of a quantity, `0.53`."""
    whole, part = divmod(abs(quantity), MICRO)
    sign = "-" if quantity < 0 else ""
    return f"{sign}{whole}.{part:06}".rstrip("0") if part else f"{sign}{whole}"


def mirror(one: Price) -> Price:
    """The same price seen from the other outcome: Up at 0.53 is Down at 0.47, and no bid there is no ask here."""
    return Price(MICRO - one)


def cost_of(at: Price, amount: Shares) -> Usd:
    """What `amount` shares cost or bring at a price, a remainder below a millionth dropped.

    The exchange contract divides whole base units and drops the remainder; two-decimal sizes never have one.
    """
    return Usd(at * amount // MICRO)


def whole_steps(amount: int) -> Shares:
    """`amount` shares rounded down to what an order can carry, hundredths of a share; never negative."""
    return Shares(max(amount, 0) // SIZE_STEP * SIZE_STEP)


class Tick(Struct, frozen=True, gc=False):
    """A market's price grid: the multiples of `size` from `lowest` to `highest`.

    Raises `InvalidQuantity` for a size that does not divide 1: its grid would not be the same seen from Down.
    """

    size: Price

    def __post_init__(self) -> None:
        if not 0 < self.size <= MICRO // 2 or MICRO % self.size:
            raise InvalidQuantity(f"tick {show(self.size)}: a grid's step divides 1 and is at most 0.5")

    def down(self, wanted: int) -> Price:
        """The highest grid price at or below `wanted`, kept on the grid's ends."""
        return self._within(wanted // self.size * self.size)

    def up(self, wanted: int) -> Price:
        """The lowest grid price at or above `wanted`, kept on the grid's ends."""
        return self._within(-(-wanted // self.size) * self.size)

    def holds(self, candidate: int) -> bool:
        """Whether an order may carry this price."""
        return self.lowest <= candidate <= self.highest and candidate % self.size == 0

    @property
    def lowest(self) -> Price:
        return self.size

    @property
    def highest(self) -> Price:
        return Price(MICRO - self.size)

    def _within(self, candidate: int) -> Price:
        return Price(min(max(candidate, self.lowest), self.highest))
