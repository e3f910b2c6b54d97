"""Where we stand in line at one price level, seen pessimistically.

All background that was at the level when we joined is served before us. It gets less only by what is seen to go there:
trades at the level, and what our own takers take. Cancels ahead of us are invisible in a recording, so a smaller level
only caps what can still be ahead: never more than the smallest size stated since we joined. Background that joins
later stands behind us.
"""

from collections.abc import Iterator, Sequence

from polystra.core.units import Shares
from polystra.sim.orders import Order


def line(orders: Sequence[Order], street: Shares) -> Iterator[tuple[Order | None, Shares]]:
    """Who is served in turn and how much of it there is; None stands for the background, of which there is `street`."""
    served = 0
    for order in orders:
        before = min(order.ahead, street) - served
        if before > 0:
            yield None, Shares(before)
            served += before
        yield order, order.remaining
    if street > served:
        yield None, Shares(street - served)


def step_forward(orders: Sequence[Order], served: Shares) -> None:
    """So much background at the level was served."""
    for order in orders:
        order.ahead = Shares(max(0, order.ahead - served))


def cap(orders: Sequence[Order], stated: Shares) -> None:
    """The level was stated anew. The smallest statement counts, so a driver may leave out all others between trades."""
    for order in orders:
        order.ahead = min(order.ahead, stated)
