"""From the tick that decides to the first order in a market nothing is asked but to take the order."""

from collections import Counter

from msgspec import Struct

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.ids import MarketId
from polystra.core.strategy import Decision, ExitPolicy, Needs, Wake, WakesOn
from polystra.core.terms import Outcome, Side
from polystra.core.units import price
from polystra.core.view import ANYTHING, MarketView
from polystra.exchange.faults import Fault, Faults, Switch
from tests.edge.wire_stage import Floor, WireStage, exchange_truth
from tests.truth import book, tape_file, window, wish

__all__ = ["exchange_truth"]

CHEAP = price("0.50")


class AtOffer(Struct, frozen=True):
    """Buys what is offered for CHEAP, at once, in the step that hears of it."""

    @property
    def name(self) -> str:
        return "at offer"

    @property
    def needs(self) -> Needs:
        return Needs(depth=1)

    @property
    def wakes_on(self) -> WakesOn:
        return WakesOn(events=(Wake.BEST_MOVED,))

    @property
    def first_memory(self) -> None:
        return None

    def decide(self, view: MarketView, memory: object) -> Decision:
        due = view.trouble is None and view.ask_of(Outcome.UP) == CHEAP and not view.entries_made
        wishes = (wish(Outcome.UP, "0.50"),) if due else ()
        wait = ANYTHING if view.entries_made else view.pinned(view.market.end)
        return Decision(wishes=wishes, exits=ExitPolicy(), reason="cheap" if due else "dear", wait=wait)


class Asked(Faults):
    """Faults that never strike, and count by route what reaches the exchange. Mutable."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: Counter[str] = Counter()

    def strikes(self, fault: Fault, where: str, frame: bytes = b"") -> Switch | None:
        """Every request passes here once for each fault of requests; a reset is the first."""
        if fault is Fault.RESET:
            self.requests[where] += 1
        return super().strikes(fault, where, frame)


def test_the_first_order_in_a_market_makes_no_request_but_its_own(exchange_truth: WireStage) -> None:
    """Two windows, the second discovered while the first is traded; each is bought at its first cheap offer."""
    first, second = window(0), window(1)
    files = [
        tape_file(one, [book(one, 1, "0.50x100", "0.52x100"), book(one, 7.5, "0.49x100", "0.50x100")])
        for one in (first, second)
    ]
    asked = Asked()
    at_tick: dict[MarketId, Counter[str]] = {}
    market_of: dict[int, MarketId] = {}
    between: dict[MarketId, Counter[str]] = {}

    def before(floor: Floor) -> None:
        floor.faults = asked

    def meddle(floor: Floor, event: AnyEvent, step: Step) -> None:
        for command in step.commands:
            if isinstance(command, cm.PlaceOrder) and command.terms.side is Side.BUY:
                assert isinstance(event, ev.BookSnapshot | ev.BookChanged), "the tick itself decides"
                at_tick[event.market] = asked.requests.copy()
                market_of[command.order] = event.market
        if isinstance(event, ev.OrderAccepted | ev.OrderFilled) and event.order in market_of:
            market = market_of[event.order]
            between.setdefault(market, asked.requests - at_tick[market])

    run = exchange_truth.play_on_wire(files, AtOffer(), before=before, meddle=meddle)
    assert between == {one.id: {"POST /order": 1} for one in (first, second)}
    known = at_tick[first.id]
    assert sum(known.values()) > 5, "what has to be known was asked before, and is counted"
    assert known["POST /order"] == 0
    run.agree()
