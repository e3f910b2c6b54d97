"""Turns conviction and stake rules into shares (SPEC 2, *Sizing*)."""

from msgspec import Struct

from polystra.core.terms import TimeInForce, whole_cent_lot
from polystra.core.units import MICRO, SIZE_STEP, Price, Shares, Usd


class StakeRules(Struct, frozen=True, gc=False, kw_only=True):
    """`fraction` of the free cash in millionths (5 % is 50,000), scaled by conviction, at most `max_stake`."""

    fraction: int
    max_stake: Usd


def stake_for(rules: StakeRules, conviction: int, free_cash: Usd) -> Usd:
    """Free cash x fraction x (0.5 + 3.5 x conviction), capped; conviction is 0..1 in millionths."""
    scale = MICRO // 2 + 7 * conviction // 2
    return Usd(min(max(free_cash, 0) * rules.fraction // MICRO * scale // MICRO, rules.max_stake))


def size_for(stake: Usd, limit: Price, time_in_force: TimeInForce) -> Shares:
    """The most shares that the stake buys at `limit`, in steps the venue takes; may be zero.

    Immediate orders cost whole cents (`terms.whole_cent_lot`), resting ones are sized in hundredths of a share.
    """
    step = whole_cent_lot(limit) if time_in_force.immediate else SIZE_STEP
    return Shares(stake * MICRO // limit // step * step)
