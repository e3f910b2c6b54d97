"""Keeps the answers to orders that were posted together until the last of them is there."""

from collections.abc import Sequence

from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core.ids import VenueOrderId


class Batch:
    """Orders that were posted together, and what is known of their answers. Mutable."""

    def __init__(self, orders: Sequence[VenueOrderId]) -> None:
        self.orders = tuple(orders)
        self.answers: dict[VenueOrderId, list[ev.AnyEvent]] = {}

    def told(self) -> list[ev.AnyEvent]:
        """The answer to all. How long to wait is said where the request is refused whole, not beside one order."""
        events = [event for order in self.orders for event in self.answers[order]]
        if all(isinstance(event, ev.OrderRefused) and event.retry_after is not None for event in events):
            return events
        return [replace(event, retry_after=None) if isinstance(event, ev.OrderRefused) else event for event in events]
