"""What the exchange lets through, as a whole and of one account (`PROTOCOL.md` E.7, E.10)."""

from functools import partial

from polystra.core.units import Instant
from polystra.sim.floor import Floor
from polystra.sim.messages import Mode, Restart, SetMode, SetRestriction


def set_mode(floor: Floor, request: SetMode, now: Instant) -> None:
    floor.mode, floor.mode_until = request.mode, request.until


def set_restriction(floor: Floor, request: SetRestriction, now: Instant) -> None:
    floor.restrictions[request.account] = request.restriction


def restart(floor: Floor, request: Restart, now: Instant) -> None:
    """Raises ValueError for a length below zero."""
    if request.down < 0 or request.post_only < 0:
        raise ValueError(f"restart: down {request.down}, post_only {request.post_only} nanoseconds: want 0 or more")
    up = Instant(now + request.down)
    _begin(floor, Mode.DOWN, up)
    floor.set_alarm(up, partial(_come_up, floor, Instant(up + request.post_only)))


def _come_up(floor: Floor, normal: Instant, now: Instant) -> None:
    if _stands(floor, Mode.DOWN, now):
        _begin(floor, Mode.POST_ONLY, normal)
        floor.set_alarm(normal, partial(_be_normal, floor))


def _be_normal(floor: Floor, now: Instant) -> None:
    if _stands(floor, Mode.POST_ONLY, now):
        floor.mode, floor.mode_until = Mode.NORMAL, None


def _begin(floor: Floor, mode: Mode, until: Instant) -> None:
    floor.mode, floor.mode_until = mode, until


def _stands(floor: Floor, mode: Mode, now: Instant) -> bool:
    """Whether the restart is where it was: nobody has set another mode, or begun another restart."""
    return floor.mode is mode and floor.mode_until == now
