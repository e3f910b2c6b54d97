"""The exchange's own taker fee (`PROTOCOL.md` F.1): shares x rate x (p (1 - p)) ^ exponent, half up to 0.00001.

Written from the protocol alone, on purpose not shared with the engine: the two are compared by tests.
"""

from polystra.core.terms import Side
from polystra.core.units import MICRO, Price, Shares, Usd
from polystra.sim.messages import MarketFacts

_STEP = 10


def taker_fee(market: MarketFacts, at: Price, shares: Shares) -> Usd:
    """What taking `shares` at `at` (the price of the traded outcome) costs, in collateral."""
    curve = (at * (MICRO - at)) ** market.fee_exponent
    exact = shares * market.fee_rate * curve
    unit = MICRO * MICRO ** (2 * market.fee_exponent) * _STEP
    whole, rest = divmod(exact, unit)
    return Usd((whole + (2 * rest >= unit)) * _STEP)


def charged(market: MarketFacts, side: Side, at: Price, shares: Shares) -> tuple[Usd, Shares]:
    """The fee of one taker fill in collateral and in shares, one of them zero.

    A SELL never pays more than it brings. In the era of fees in shares a BUY got that much less, rounded down.
    """
    fee = taker_fee(market, at, shares)
    if side is Side.SELL:
        return Usd(min(fee, at * shares // MICRO)), Shares(0)
    if market.fee_in_shares:
        return Usd(0), Shares(fee * MICRO // at)
    return fee, Shares(0)
