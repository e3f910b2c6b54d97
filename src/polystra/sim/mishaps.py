"""Mishaps in the engine, on the chain and in the cache, switched on from outside. What they draw is drawn for nothing
else, so that a run in which one is switched on late has the same beginning as one without it."""

from msgspec.structs import replace

from polystra.core.units import Instant
from polystra.sim.chance import ALWAYS, falls
from polystra.sim.floor import Floor
from polystra.sim.messages import Mishap, SetMishap
from polystra.sim.orders import Order
from polystra.sim.records import Trade


def set_mishap(floor: Floor, request: SetMishap, now: Instant) -> None:
    """Raises ValueError for numbers that mean nothing."""
    if request.times is not None and request.times < 0:
        raise ValueError(f"mishap {request.mishap}: times {request.times}, want 0 or more, or null for always")
    if request.skip < 0 or request.delay < 0 or not 0 < request.chance <= ALWAYS:
        raise ValueError(
            f"mishap {request.mishap}: skip {request.skip}, delay {request.delay}, chance {request.chance}: want skip "
            f"and delay 0 or more, chance from 1 to {ALWAYS} parts per thousand"
        )
    if request.times == 0:
        floor.mishaps.pop(request.mishap, None)
    else:
        floor.mishaps[request.mishap] = request


def strikes(floor: Floor, mishap: Mishap, concerned: tuple[str, ...]) -> SetMishap | None:
    """The mishap that happens now, counted; None when it does not. `concerned` is whom `only` may name."""
    switch = floor.mishaps.get(mishap)
    if switch is None or (switch.only and switch.only not in concerned):
        return None
    if switch.skip:
        floor.mishaps[mishap] = replace(switch, skip=switch.skip - 1)
        return None
    if switch.chance < ALWAYS and not _falls(floor, switch):
        return None
    floor.mishap_hits[mishap] += 1
    if switch.times == 1:
        del floor.mishaps[mishap]
    elif switch.times is not None:
        floor.mishaps[mishap] = replace(switch, times=switch.times - 1)
    return switch


def _falls(floor: Floor, switch: SetMishap) -> bool:
    floor.mishap_draws[switch.mishap] += 1
    return falls(floor.seed_for("mishaps"), switch.mishap, floor.mishap_draws[switch.mishap], switch.chance)


def of_order(order: Order) -> tuple[str, ...]:
    return (order.account, order.market, order.token, order.id, order.side)


def of_trade(trade: Trade) -> tuple[str, ...]:
    """Both sides of it."""
    sides = ((leg.account, leg.token, leg.order, leg.side) for leg in (trade.taker, trade.maker))
    return (trade.market, *(name for side in sides for name in side))
