"""Strategies, recordings and questions to the exchange that the acceptance tests of execution share."""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from polystra.app.settings import Settings
from polystra.core import commands as cm
from polystra.core import notes as nt
from polystra.core.events import AnyEvent
from polystra.core.strategy import Decision, ExitPolicy, Needs, StopPolicy, Tolerance, WakesOn, Wish
from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import Instant, Shares, Usd, price, seconds, shares
from polystra.core.view import ANYTHING, MarketView
from polystra.edge.tapes.format import TapeEvent
from polystra.sim import messages as sim
from polystra.sim.records import Leg
from tests.edge.wire_stage import Floor, Look, WireOutcomes
from tests.truth import after, printed, steady, window, wish

PLACE = "POST /order"
CANCEL = "DELETE /orders"
MARKET = window()
CALM = ("0.50x500", "0.52x500")
AT_ONCE = ExitPolicy(target=price("0.99"))
STOP = ExitPolicy(target=price("0.99"), stop=StopPolicy(price=price("0.30"), min_age=seconds(5)))


class Told(Struct, frozen=True):
    """A wish for a time of the window, in seconds, and for as long as so many entries were made."""

    since: float
    until: float
    made: int
    wish: Wish


class Scheduled(Struct, frozen=True):
    """A strategy that wishes by the clock, and takes a wish back when its time is over."""

    told: tuple[Told, ...]
    exits: ExitPolicy = ExitPolicy()

    @property
    def name(self) -> str:
        return "scheduled"

    @property
    def needs(self) -> Needs:
        return Needs(depth=1)

    @property
    def wakes_on(self) -> WakesOn:
        return WakesOn(events=(), every=seconds(0.5))

    @property
    def first_memory(self) -> None:
        return None

    def decide(self, view: MarketView, memory: object) -> Decision:
        now = [
            one.wish
            for one in self.told
            if seconds(one.since) <= view.age < seconds(one.until) and one.made == view.entries_made
        ]
        return Decision(wishes=tuple(now), exits=self.exits, reason="by the clock", wait=ANYTHING)


def resting(until: float, since: float = 20, exits: ExitPolicy | None = None) -> Scheduled:
    """One bid for Up at 0.50, wished for until then."""
    told = Told(since, until, 0, wish(Outcome.UP, "0.50", rests=True))
    return Scheduled((told,), exits or ExitPolicy())


def taking(exits: ExitPolicy, at: str = "0.52") -> Scheduled:
    """Up bought once, ten seconds into the window."""
    return Scheduled((Told(10, 300, 0, wish(Outcome.UP, at)),), exits)


def kind(at: str, time_in_force: TimeInForce, good_for: float | None = None) -> Wish:
    """Buy Up so. An order that was filled in part stays as it is."""
    return Wish(
        outcome=Outcome.UP,
        price=price(at),
        conviction=0,
        probability=999_999,
        time_in_force=time_in_force,
        good_for=None if good_for is None else seconds(good_for),
        tolerance=Tolerance(shares=shares(1_000)),
    )


def then(second: float, bids: str, asks: str, *more: TapeEvent, before: tuple[str, str] = CALM) -> list[TapeEvent]:
    """Calm until a second, and another book from then on."""
    return [*steady(MARKET, *before, end=int(second)), *steady(MARKET, bids, asks, begin=int(second)), *more]


def sold_into(*at: float, size: str = "150") -> list[TapeEvent]:
    """Others sell Up at 0.50, so that a bid of ours there is met."""
    return [printed(MARKET, second, "0.50", size, Side.SELL) for second in at]


def staking(settings: Settings, **limits: object) -> Settings:
    """The same settings with other limits."""
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=limits)})


# --- what is done to the exchange


def befall(floor: Floor, mishap: sim.Mishap, *, times: int | None = 1, skip: int = 0, **how: Any) -> None:
    floor.standing.venue.feed(sim.SetMishap(mishap=mishap, times=times, skip=skip, **how))


def befell(run: WireOutcomes, mishap: sim.Mishap) -> int:
    """How often it happened."""
    return run.floor.standing.venue.current().mishap_hits().get(mishap, 0)


def at_seconds(*deeds: tuple[float, Look]) -> Look:
    """Does each once, before the first recorded row from its second of the window on."""
    left = sorted(deeds, key=lambda deed: deed[0])

    def look(floor: Floor) -> None:
        while left and floor.now >= after(left[0][0]):
            left.pop(0)[1](floor)

    return look


# --- what the exchange says


def logged(run: WireOutcomes, part: str, kind_of: str) -> list[dict[str, Any]]:
    """What it was `asked` or `did`, of one type, oldest first; `at` is in the line."""
    path = run.folder / "exchange.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = [line for line in lines if line.get(part, {}).get("type") == kind_of]
    return [{**line[part], "at": line["at"]} for line in found]


def legs(run: WireOutcomes, side: Side) -> list[Leg]:
    """Our own part of each trade of a side that did not fail, in order."""
    own = {asked["account"] for asked in logged(run, "asked", "Submit")}
    return [
        leg
        for trade in run.truth.trades
        for leg in (trade.taker, trade.maker)
        if leg.account in own and leg.side is side and trade.stage != "FAILED"
    ]


def total(parts: Sequence[Leg]) -> Shares:
    return Shares(sum(leg.shares for leg in parts))


def brought(parts: Sequence[Leg]) -> Usd:
    """What these sales paid, less what they cost."""
    return Usd(sum(leg.cash - leg.fee for leg in parts))


# --- what the trader did


def commanded(run: WireOutcomes, command: type[cm.AnyCommand]) -> list[Instant]:
    """When a command of this kind was given."""
    return [event.at for event, step in run.steps for one in step.commands if isinstance(one, command)]


def happened(run: WireOutcomes, event: type[AnyEvent]) -> list[Any]:
    return [one for one, _ in run.steps if isinstance(one, event)]


def noted(run: WireOutcomes, note: type[nt.AnyNote]) -> list[tuple[Instant, Any]]:
    return [(event.at, one) for event, step in run.steps for one in step.notes if isinstance(one, note)]


def ends_of(run: WireOutcomes, order: int) -> str:
    """The state in which an order is now, by the ledger."""
    ((state,),) = run.sql("select state from order_states where order_id = ?", order)
    return str(state)
