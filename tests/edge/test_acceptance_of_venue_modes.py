"""Acceptance conditions of a venue that takes less than everything, of a heart that stops, and of a forbidden place."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import Struct

from polystra.app.connection import Place, TradingBlocked, connected
from polystra.app.exchange_clock import TimeMode
from polystra.app.throwaway import throwaway_wallet
from polystra.core import commands as cm
from polystra.core import notes as nt
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import Instant, price, seconds
from polystra.exchange.faults import Fault
from polystra.sim import messages as sim
from tests.edge.execution_cases import MARKET, Scheduled, Told, at_seconds, commanded, logged, noted
from tests.edge.wire_stage import Floor, WireOutcomes, WireStage, exchange_truth
from tests.truth import after, steady, tape_file, wish

__all__ = ["exchange_truth"]

BEGIN, END = 60, 100
LONGEST_REST = 33
"""Seconds after a mode's end by which we find out, where the venue did not say when."""

OPEN = tape_file(MARKET, steady(MARKET, "0.50x500", "0.52x500"))

BUSY = Scheduled(
    told=(
        Told(10, 300, 0, wish(Outcome.UP, "0.52")),
        Told(20, 80, 1, wish(Outcome.DOWN, "0.40", rests=True)),
        Told(70, 300, 1, wish(Outcome.UP, "0.52")),
    ),
    exits=ExitPolicy(target=price("0.99"), min_age=seconds(55)),
)
"""In the middle of the mode a bid that rests is taken back, an entry is wanted, and the first exit is due."""


class Case(Struct, frozen=True):
    """A mode of the venue, what it still takes, and what it says of the rest."""

    name: str
    begin: Callable[[Floor], None]
    end: Callable[[Floor], None]
    http: int
    cancels: bool = True
    exits: str = "none"


def _mode(mode: sim.Mode) -> Callable[[Floor], None]:
    return lambda floor: floor.standing.venue.feed(sim.SetMode(mode=mode, until=after(END)))


def _rule(restriction: sim.Restriction) -> Callable[[Floor], None]:
    def put(floor: Floor) -> None:
        account = sim.Account(floor.standing.accounts[0].wallet)
        floor.standing.venue.feed(sim.SetRestriction(account=account, restriction=restriction))

    return put


NORMAL = _mode(sim.Mode.NORMAL)
CASES = [
    Case("425", _mode(sim.Mode.DOWN), NORMAL, 425, cancels=False),
    Case("post-only", _mode(sim.Mode.POST_ONLY), NORMAL, 503, exits="post-only"),
    Case("cancel-only", _mode(sim.Mode.CANCEL_ONLY), NORMAL, 503),
    Case("disabled", _mode(sim.Mode.DISABLED), NORMAL, 503, cancels=False),
    Case("closed-only", _rule(sim.Restriction.CLOSED_ONLY), _rule(sim.Restriction.NONE), 400, exits="any"),
]


@pytest.mark.spec("X6.A1")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mode_of_the_venue_is_kept_to_and_outlived(exchange_truth: WireStage, case: Case) -> None:
    ids: dict[int, list[str]] = {}

    def note_at(second: int) -> tuple[float, Callable[[Floor], None]]:
        def look(floor: Floor) -> None:
            ids[second] = [order.id for order in floor.truth().orders]

        return second, look

    deeds = at_seconds((BEGIN, case.begin), (END, case.end), *map(note_at, (59, 99, 180)))
    run = exchange_truth.play_on_wire([OPEN], BUSY, look=deeds)
    run.agree()
    posted = {one["order"]: (one["side"], one["post_only"]) for one in logged(run, "asked", "Submit")}
    live = {second: [posted[order] for order in orders] for second, orders in ids.items()}
    refused = logged(run, "did", "OrderRejected")
    assert {one["http"] for one in refused} == {case.http}
    assert all(after(BEGIN) <= one["at"] <= after(END) for one in refused)
    _entries_stopped(run)
    _cancel_went_on(run, case, live)
    _exits_waited(case, live)
    _trading_resumed(run, live)


def _entries_stopped(run: WireOutcomes) -> None:
    """Nothing was bought in the mode, and a few attempts found out that it lasts: never two of a kind in a second."""
    buys = {one["order"] for one in logged(run, "asked", "Submit") if one["side"] == "BUY"}
    taken = [one["at"] for one in logged(run, "did", "OrderAccepted") if one["order"] in buys]
    assert not [at for at in taken if after(BEGIN) <= at < after(END)]
    for outcome in Outcome:
        tried = [at for at, terms in run.placed(Side.BUY) if terms.outcome is outcome]
        inside = [at for at in tried if after(BEGIN) <= at < after(END)]
        assert len(inside) <= 6
        assert all(later - at >= seconds(1) for at, later in pairwise(inside))
    assert [note for _, note in noted(run, nt.EntryDenied) if note.value.startswith("the venue is")]


def _cancel_went_on(run: WireOutcomes, case: Case, live: dict[int, list[tuple[str, bool]]]) -> None:
    """The bid that rested is taken back when the mode is found out: at once where the venue takes cancels, else when it
    does again."""
    assert ("BUY", True) in live[59]
    assert [at for at in commanded(run, cm.CancelOrder) if after(BEGIN) <= at < after(END)]
    assert (("BUY", True) in live[99]) is not case.cancels
    assert ("BUY", True) not in live[180]


def _exits_waited(case: Case, live: dict[int, list[tuple[str, bool]]]) -> None:
    sells = [post_only for side, post_only in live[99] if side == "SELL"]
    assert sells == {"none": [], "post-only": [True], "any": [False]}[case.exits]


def _trading_resumed(run: WireOutcomes, live: dict[int, list[tuple[str, bool]]]) -> None:
    """By itself: the entry that waited is made, and all that is held is on offer."""
    entries = [trade.matched_at for trade in run.truth.trades]
    assert len([at for at in entries if at < after(BEGIN)]) == 1
    (second,) = [at for at in entries if at >= after(BEGIN)]
    assert after(END) <= second <= after(END + LONGEST_REST)
    assert [side for side, _ in live[180]] == ["SELL"]
    assert [note.after for _, note in noted(run, nt.VenueModeChanged)][-1] == "open"


# --- a forbidden place


@pytest.mark.spec("X6.A1")
def test_no_trader_starts_where_trading_is_blocked(exchange_truth: WireStage) -> None:
    """Refused before anything is asked of the account; where it is allowed, the same start succeeds."""

    async def start(floor: Floor) -> None:
        async with exchange_truth.served(floor) as place:
            await _geoblock(place, blocked=True)
            with pytest.raises(TradingBlocked, match="GB ENG"):
                async with connected(place, throwaway_wallet(1), seed=1):
                    raise AssertionError("a connection from where trading is blocked")
            await _geoblock(place, blocked=False)
            async with connected(place, throwaway_wallet(1), seed=1) as far:
                assert far.opening_cash > 0

    floor = exchange_truth.floor([OPEN])
    asyncio.run(start(floor))
    floor.standing.log.close()
    assert floor.truth().orders == floor.truth().trades == ()


@pytest.mark.spec("X6.A1")
def test_a_trader_that_is_blocked_while_it_trades_takes_back_its_orders_and_places_none(
    exchange_truth: WireStage,
) -> None:
    """Wall clock, as only there a trader asks where it is. Blocked after the connection was made, and before Started:
    the first look around finds it. What is allowed again is traded again."""
    seen = exchange_truth.play_by_the_wall([OPEN], EAGER, begin=_blocked, wait=2.5)
    assert [note.after for _, note in noted(seen, nt.VenueModeChanged)] == ["blocked in GB ENG"]
    assert [note for _, note in noted(seen, nt.EntryDenied) if note.value == "trading is blocked in GB ENG"]
    assert logged(seen, "asked", "Submit") == []
    free = exchange_truth.play_by_the_wall([OPEN], EAGER, begin=_allowed, wait=2.5, folder="free")
    assert len(logged(free, "asked", "Submit")) >= 1


EAGER = Scheduled((Told(1, 300, 0, wish(Outcome.UP, "0.52", rests=False)),))


async def _geoblock(place: Place, *, blocked: bool) -> None:
    form = {"blocked": blocked, "country": "GB", "region": "ENG"}
    async with aiohttp.ClientSession() as session, session.post(f"{place.control}/geoblock", json=form) as answer:
        assert answer.status < 300


async def _blocked(place: Place) -> None:
    await _geoblock(place, blocked=True)


async def _allowed(place: Place) -> None:
    await _geoblock(place, blocked=False)
