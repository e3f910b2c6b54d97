"""A command made ready to leave: signed where it must be, known by its venue id, not yet sent."""

from msgspec import Struct

from polystra.core.commands import AnyCommand
from polystra.core.ids import VenueOrderId


class Ready(Struct, frozen=True, gc=False, kw_only=True):
    """`venue_order` and `body` are set for placements alone: the hash that will be the venue's id, and the bytes."""

    command: AnyCommand
    venue_order: VenueOrderId | None = None
    body: bytes = b""
