"""A strategy that says all the time what it thinks of Up, and questions to the exchange, for tests of what is added to
a holding or bought against it."""

from msgspec.structs import replace

from polystra.core.strategy import Decision
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import Instant, Shares
from polystra.core.view import MarketView
from polystra.sim import messages as sim
from polystra.sim.records import Leg
from tests.edge.execution_cases import Scheduled, legs
from tests.edge.wire_stage import Floor, WireOutcomes
from tests.truth import after


class Estimating(Scheduled, frozen=True):
    """Wishes by the clock, and estimates the chance of Up, in millionths: None where it does not know."""

    up: int | None = 900_000

    def decide(self, view: MarketView, memory: object) -> Decision:
        decision = super().decide(view, memory)
        return decision if self.up is None else replace(decision, outcome=Outcome.UP, probability=self.up)


def estimating(strategy: Scheduled, up: int | None = 900_000) -> Estimating:
    return Estimating(strategy.told, strategy.exits, up)


class Live:
    """Our live orders at the exchange, looked at before every recorded row: side and what is left, whenever it
    changed, and since when."""

    def __init__(self) -> None:
        self.seen: list[tuple[Instant, list[tuple[Side, Shares]]]] = []

    def __call__(self, floor: Floor) -> None:
        now = self.of(floor)
        if not self.seen or self.seen[-1][1] != now:
            self.seen.append((floor.now, now))

    def of(self, floor: Floor) -> list[tuple[Side, Shares]]:
        account = sim.Account(floor.standing.accounts[0].wallet)
        orders = floor.standing.venue.current().open_orders(account)
        return sorted((Side(order.side), Shares(order.size - order.matched)) for order in orders)

    def at(self, second: float) -> list[tuple[Side, Shares]]:
        """What was live at a second of the window."""
        return next(live for at, live in reversed(self.seen) if at <= after(second))


def orders_of(run: WireOutcomes, purpose: Purpose) -> list[tuple[int, Shares, str]]:
    """Price, size and present state of each order of a purpose, by the ledger."""
    return run.sql(
        "select o.price_micro, o.shares_micro, s.state from orders o join order_states s on s.order_id = o.id"
        " where o.purpose = ? order by o.id",
        purpose,
    )


def bought(run: WireOutcomes, outcome: Outcome) -> list[Leg]:
    return [leg for leg in legs(run, Side.BUY) if leg.outcome.value == outcome.value]
