"""A trader that is told of a high tier, is lowered in the middle of its run, and wants more at once than it may."""

import aiohttp
from msgspec import Struct

from polystra.app.exchange_clock import TimeMode
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.markets import Market
from polystra.core.reasons import RefusalReason as Why
from polystra.core.strategy import Decision, ExitPolicy, Needs, WakesOn, Wish
from polystra.core.terms import Outcome
from polystra.core.units import Instant, Nanos, seconds
from polystra.core.view import ANYTHING, MarketView
from polystra.edge.tapes.format import TapeFile
from polystra.exchange.faults import Fault, Switch
from polystra.exchange.limits import Tier
from tests.edge.execution_cases import MARKET, PLACE, Scheduled, Told, at_seconds, commanded, happened, logged, noted
from tests.edge.running_stage import Run, play_running
from tests.edge.two_hundred_cases import ALL, NOBODYS, SETTINGS
from tests.edge.wire_stage import Floor, WireOutcomes, WireStage, exchange_truth
from tests.truth import after, book, steady, tape_file, wish

__all__ = ["exchange_truth"]

MARKETS = ALL[:50]
WANTED = 2 * len(MARKETS)
FIRST, LOWERED, STORM, END = 4, 6, 8, 14
"""Seconds of the window."""


class Storm(Struct, frozen=True):
    """Wants one order first, and both outcomes of every market, at rest, from one moment on."""

    first: Market
    storm: float

    @property
    def name(self) -> str:
        return "storm"

    @property
    def needs(self) -> Needs:
        return Needs(depth=1)

    @property
    def wakes_on(self) -> WakesOn:
        return WakesOn(events=(), every=seconds(FIRST))

    @property
    def first_memory(self) -> None:
        return None

    def decide(self, view: MarketView, memory: object) -> Decision:
        both = (wish(Outcome.UP, "0.10", rests=True), wish(Outcome.DOWN, "0.10", rests=True))
        wishes: tuple[Wish, ...] = ()
        if view.age >= seconds(self.storm):
            wishes = both
        elif view.market.id == self.first.id:
            wishes = both[:1]
        return Decision(wishes=wishes, exits=ExitPolicy(), reason="by the clock", wait=ANYTHING)


def _tape(market: Market, *at: int) -> TapeFile:
    return tape_file(market, [book(market, second, "0.50x100", "0.52x100") for second in at])


TAPES = (_tape(NOBODYS, 0, END + 10), *(_tape(market, 2) for market in MARKETS))
"""Nobody's begins before the others: it is there so that the trader is connected when the others are listed."""


async def _tier(run: Run, tier: Tier) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{run.place.control}/limits", json={"tier": tier}) as answer,
    ):
        assert (await answer.json())["tier"] == tier


def test_a_tier_that_falls_is_met_waited_out_and_outlived(exchange_truth: WireStage) -> None:
    found: dict[str, int] = {}

    async def connects(run: Run) -> None:
        await _tier(run, Tier.ELITE)

    async def direct(run: Run) -> None:
        await run.until(after(LOWERED))
        found["before"] = len(run.floor.truth().orders)
        await _tier(run, Tier.STANDARD)
        await run.until(after(END))
        found["after"] = len({order.token for order in run.floor.truth().orders})

    run = play_running(
        exchange_truth.folder,
        SETTINGS,
        TAPES,
        Storm(MARKETS[0], STORM),
        mode=TimeMode.RECORDED,
        speed=2,
        connects=connects,
        direct=direct,
    )
    assert found == {"before": 1, "after": WANTED}
    refused = happened(run, ev.OrderRefused)
    assert {(one.reason, one.retry_after) for one in refused} == {(Why.RATE_LIMITED, seconds(1))}
    _waited(run, refused[0].at, seconds(1))
    assert happened(run, ev.OrderNotSent) == []
    submitted = [one["order"] for one in logged(run, "asked", "Submit")]
    assert len(set(submitted)) == len(submitted) == WANTED
    assert commanded(run, cm.CancelOrder) == []


def test_the_wait_that_the_exchange_asks_for_is_kept_and_a_resting_entry_stays(exchange_truth: WireStage) -> None:
    """Seven seconds, where our own first guess is one."""
    live: list[int] = []
    far = Nanos(seconds(7))

    def before(floor: Floor) -> None:
        floor.faults.switch_on(
            Switch(fault=Fault.ERROR_BEFORE, where=PLACE, skip=1, delay=far, http=429, text="rate limited")
        )

    rests = Told(10, 80, 0, wish(Outcome.UP, "0.40", rests=True))
    more = Told(20, 80, 0, wish(Outcome.DOWN, "0.40", rests=True))
    look = at_seconds((25, lambda floor: live.append(len(floor.truth().orders))))
    tape = tape_file(MARKET, steady(MARKET, "0.50x500", "0.52x500"))
    run = exchange_truth.play_on_wire([tape], Scheduled((rests, more)), before=before, look=look)
    assert run.floor.hits(Fault.ERROR_BEFORE) == 1
    (refused,) = happened(run, ev.OrderRefused)
    assert (refused.reason, refused.retry_after) == (Why.RATE_LIMITED, far)
    assert live == [1]
    _waited(run, refused.at, far)
    assert len(logged(run, "did", "OrderAccepted")) == 2
    run.agree()


def _waited(run: WireOutcomes, learned: Instant, wait: int) -> None:
    """Nothing was placed and nothing taken back until the wait was over, and then trading went on by itself."""
    placed = [at for at in commanded(run, cm.PlaceOrder) if at > learned]
    assert placed
    assert learned + wait <= placed[0] <= learned + wait + seconds(4)
    assert [at for at in commanded(run, cm.CancelOrder) if at <= placed[0]] == []
    modes = [(note.before, note.after) for _, note in noted(run, nt.VenueModeChanged)]
    assert modes == [("open", "rate limited"), ("rate limited", "open")]
