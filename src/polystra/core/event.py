"""What every event is: something that we learned at a moment."""

from msgspec import Struct

from polystra.core.units import Instant


class Event(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Something that we learned at `at`."""

    at: Instant
