"""Opens nothing and looks after what is held: the guardian of positions whose strategy is gone."""

from msgspec import Struct

from polystra.core.strategy import Decision, ExitPolicy, Needs, WakesOn
from polystra.core.view import ANYTHING, MarketView


class StandAside(Struct, frozen=True):
    exits: ExitPolicy = ExitPolicy()

    @property
    def name(self) -> str:
        return "stand_aside"

    @property
    def needs(self) -> Needs:
        return Needs()

    @property
    def wakes_on(self) -> WakesOn:
        return WakesOn(events=())

    @property
    def first_memory(self) -> Struct | None:
        return None

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        return Decision(exits=self.exits, reason="looks after what is held", wait=ANYTHING)
