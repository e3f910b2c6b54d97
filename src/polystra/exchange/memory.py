"""What the wire must remember of a venue's life from its first input on, as the venue itself does not.

Whoever makes a venue again from its inputs makes this first, so that it hears all of them.
"""

from polystra.exchange.deeds import Deeds
from polystra.exchange.notices import Notices
from polystra.exchange.venue import Venue


class Memory:
    """Mutable."""

    def __init__(self, venue: Venue) -> None:
        self.notices = Notices(venue)
        self.deeds = Deeds(venue)
