"""What can be made to go wrong on the wire (`FAULTS.md`), each with a switch and a counter of its hits."""

from collections import Counter
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.units import Nanos


class Fault(StrEnum):
    RESET = "reset"
    """The connection breaks before the venue has read the request: nothing happened."""

    REQUEST_LATE = "request-late"
    """What was asked reaches the venue only after `delay`, whoever has given up waiting meanwhile."""

    REPLY_LOST = "reply-lost"
    """The connection breaks after the venue did what was asked: the client cannot tell this from `RESET`."""

    REPLY_LATE = "reply-late"
    """The answer to what was done comes later by `delay`."""

    STREAM_CLOSED = "stream-closed"
    """A stream is closed in place of its next frame, or of its next PONG."""

    STREAM_FROZEN = "stream-frozen"
    """Frames are swallowed while PONG goes on."""


class Switch(Struct, frozen=True, kw_only=True):
    """A fault that is on. `where` is a route (`POST /order`, `GET /data/order/{order}`) or a stream (`market`, `user`),
    and empty for all; `times` is how often it will still strike, None for always."""

    fault: Fault
    where: str = ""
    times: int | None = 1
    delay: Nanos = Nanos(0)


class Faults:
    """Mutable. A fault has at most one switch for each place."""

    def __init__(self) -> None:
        self._on: dict[tuple[Fault, str], Switch] = {}
        self.hits: Counter[Fault] = Counter(dict.fromkeys(Fault, 0))

    def switch_on(self, switch: Switch) -> None:
        self._on[switch.fault, switch.where] = switch

    def switch_off(self, fault: Fault | None = None) -> None:
        """All of them when none is named; counters stay."""
        self._on = {key: switch for key, switch in self._on.items() if fault not in (None, switch.fault)}

    def switches(self) -> tuple[Switch, ...]:
        return tuple(self._on.values())

    def strikes(self, fault: Fault, where: str) -> Switch | None:
        """The switch that strikes here now, counted; None when there is none."""
        if not self._on:
            return None
        switch = self._on.get((fault, where)) or self._on.get((fault, ""))
        if switch is None:
            return None
        self.hits[fault] += 1
        if switch.times is not None:
            left = replace(switch, times=switch.times - 1)
            self._on[fault, switch.where] = left
            if not left.times:
                del self._on[fault, switch.where]
        return switch
