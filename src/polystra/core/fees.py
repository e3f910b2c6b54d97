"""Computes the taker fee from a market's own schedule (`PROTOCOL.md` F.1).

    fee = shares x rate x (p (1 - p)) ^ exponent        in USD, rounded half up to five decimals

Takers only. The venue does not document the direction of that rounding; half up is this project's assumption, and a
fee below 0.00001 is zero. Today's venue charges in collateral: on top of a BUY, out of the proceeds of a SELL. Until
April 2026 a BUY paid in shares: it received fewer (`in_shares_on_buys`).
"""

from msgspec import Struct

from polystra.core.errors import NotSupported
from polystra.core.terms import Liquidity, OrderTerms, Side
from polystra.core.units import MICRO, Price, Shares, Usd

_FEE_STEP = 10
"""Five decimals of a USD, in millionths."""

_SCALES = {1: MICRO**3 * _FEE_STEP, 2: MICRO**5 * _FEE_STEP}
"""What shares x rate x (p (1 - p)) ^ exponent is divided by, all in millionths, to count fee steps."""

_ROUNDED_UP = 5_000
"""Half a step on each of a thousand fills."""


class FeeSchedule(Struct, frozen=True, gc=False, kw_only=True):
    """One market's fees. `rate` and `rebate_rate` are millionths (0.07 is 70,000); `exponent` is 1 or 2."""

    rate: int
    exponent: int = 1
    rebate_rate: int = 0
    in_shares_on_buys: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.rate < MICRO or not 0 <= self.rebate_rate <= MICRO or self.exponent not in (1, 2):
            raise NotSupported(
                f"fee schedule rate {self.rate}, rebate {self.rebate_rate}, exponent {self.exponent}: "
                "known are rates from 0 to 1 in millionths and exponents 1 and 2; this market is not traded"
            )


class Fee(Struct, frozen=True, gc=False):
    """What one fill costs: collateral, or shares in the older era; one of the two is zero."""

    usd: Usd
    shares: Shares


NO_FEE = Fee(Usd(0), Shares(0))


def taker_fee(schedule: FeeSchedule, at: Price, amount: Shares) -> Usd:
    """The fee of taking `amount` shares at a price, in USD."""
    spread = at * (MICRO - at)
    exponent = schedule.exponent
    raised = spread if exponent == 1 else spread * spread
    return Usd(_half_up(amount * schedule.rate * raised, _SCALES[exponent]) * _FEE_STEP)


def fee_of_fill(schedule: FeeSchedule, side: Side, liquidity: Liquidity, at: Price, amount: Shares) -> Fee:
    """What this fill of ours costs. In the older era a BUY pays the fee's worth in shares, rounded down."""
    if liquidity is Liquidity.MAKER:
        return NO_FEE
    fee = taker_fee(schedule, at, amount)
    if schedule.in_shares_on_buys and side is Side.BUY:
        return Fee(Usd(0), Shares(fee * MICRO // at))
    return Fee(fee, Shares(0))


def worst_fee(schedule: FeeSchedule, terms: OrderTerms) -> Usd:
    """The most collateral this order can cost in fees, at whatever price it fills.

    A taker BUY may fill below its limit, where a dollar buys more shares and the fee per dollar is higher. It is
    rate x (1 - p), so rate x spend is never too little (exponent 2 charges less). Each fill rounds for itself, up by
    half a step at most; half a cent covers a thousand of them.
    """
    if terms.side is Side.SELL or terms.post_only or schedule.in_shares_on_buys:
        return Usd(0)
    return Usd(-(-terms.spend * schedule.rate // MICRO) + _ROUNDED_UP)


def spend_within(schedule: FeeSchedule | None, cost: Usd) -> Usd:
    """The most that a taker BUY may spend so that it costs no more than `cost`, its worst fee included."""
    if schedule is None or schedule.in_shares_on_buys:
        return cost
    return Usd(max(cost - _ROUNDED_UP, 0) * MICRO // (MICRO + schedule.rate))


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
