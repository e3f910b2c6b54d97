"""Mishaps on the chain and in the cache, switched on from outside. Nothing is drawn for them, so that a run in which
one is switched on late has the same beginning as one without it."""

from polystra.core.units import Instant
from polystra.sim.floor import Floor
from polystra.sim.messages import Mishap, SetMishap


def set_mishap(floor: Floor, request: SetMishap, now: Instant) -> None:
    """Raises ValueError for a number below zero."""
    if request.times is not None and request.times < 0:
        raise ValueError(f"mishap {request.mishap}: times {request.times}, want 0 or more, or null for always")
    if request.times == 0:
        floor.mishaps.pop(request.mishap, None)
    else:
        floor.mishaps[request.mishap] = request.times


def strikes(floor: Floor, mishap: Mishap) -> bool:
    """Whether it happens now; counted."""
    if mishap not in floor.mishaps:
        return False
    left = floor.mishaps[mishap]
    floor.mishap_hits[mishap] += 1
    if left == 1:
        del floor.mishaps[mishap]
    elif left is not None:
        floor.mishaps[mishap] = left - 1
    return True
