"""Acceptance conditions of a venue that takes less than everything, of a heart that stops, and of a forbidden place."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import aiohttp
import pytest
from msgspec import Struct

from polystra.app.connection import Place, TradingBlocked, connected
from polystra.app.exchange_clock import TimeMode
from polystra.app.throwaway import throwaway_wallet
from polystra.app.wire_upkeep import BEAT_EVERY
from polystra.core import commands as cm
from polystra.core import notes as nt
from polystra.core.markets import Market, Series
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome, Side
from polystra.core.units import Instant, price, seconds
from polystra.edge.clock import WallClock
from polystra.sim import messages as sim
from tests.edge.execution_cases import MARKET, Scheduled, Told, at_seconds, commanded, logged, noted
from tests.edge.running_stage import Run, hosted, play_running, put_up
from tests.edge.wire_stage import Floor, WireOutcomes, WireStage, exchange_truth
from tests.truth import after, book, steady, tape_file, window, wish

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
    exits=ExitPolicy(target=price("0.99"), min_age=seconds(165)),
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
    assert [note for _, note in noted(run, nt.VenueModeChanged) if note.before == "open"]


def _cancel_went_on(run: WireOutcomes, case: Case, live: dict[int, list[tuple[str, bool]]]) -> None:
    """The bid that rests stays for as long as it is wanted, 80 s, and is then taken back: at once where the venue takes
    cancels, else when it does again."""
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


# --- a heart that stops


@pytest.mark.spec("X7.A1")
def test_the_heart_beats_before_the_first_order(exchange_truth: WireStage) -> None:
    """Also where an order is wanted at once: the window is open already when the trader comes."""
    tape = tape_file(MARKET, steady(MARKET, "0.50x500", "0.52x500", begin=11, end=100))
    run = exchange_truth.play_on_wire([tape], Scheduled((Told(10, 300, 0, wish(Outcome.UP, "0.52")),)))
    run.agree()
    (order,) = logged(run, "asked", "Submit")
    assert order["at"] < after(15), "before the next whole five seconds"
    assert logged(run, "asked", "Beat")[0]["at"] < order["at"]


@pytest.mark.spec("X7.A1")
def test_a_hung_engine_stops_the_heart_and_places_its_order_anew_when_it_recovers(exchange_truth: WireStage) -> None:
    """A bid rests when the engine hangs for 25 s, while sockets and tasks of the trader live on."""
    live: dict[str, int] = {}

    async def direct(run: Run) -> None:
        def look(name: str) -> None:
            live[name] = len(run.floor.truth().orders)

        await run.until(after(25))
        look("before")
        run.lives.clear()
        await run.until(after(50))
        look("hung")
        run.lives.set()
        await run.until(after(60))
        look("after")

    run = play_running(
        exchange_truth.folder,
        exchange_truth.settings,
        [tape_file(MARKET, steady(MARKET, "0.50x100", "0.52x100", end=100))],
        Scheduled((Told(10, 300, 0, wish(Outcome.UP, "0.50", rests=True)),)),
        mode=TimeMode.RECORDED,
        speed=10,
        direct=direct,
    )
    assert live == {"before": 1, "hung": 0, "after": 1}
    beats = [one["at"] for one in logged(run, "asked", "Beat")]
    orders = logged(run, "asked", "Submit")
    assert beats[0] < orders[0]["at"], "the heart beats before the first order"
    still = [(one, other) for one, other in pairwise(beats) if other - one > seconds(10)]
    assert len(still) == 1, "the heart stopped once"
    (last, again) = still[0]
    assert after(25) <= last <= after(25) + 2 * BEAT_EVERY
    assert again >= after(50)
    ended = [one for one in logged(run, "did", "OrderUpdated") if one["change"] == "CANCELLATION"]
    assert last + seconds(10) <= ended[0]["at"] <= last + seconds(16), "the exchange cancelled by itself"
    assert not [one for one in logged(run, "asked", "Cancel") if one["at"] <= again]
    assert len({one["order"] for one in orders}) == len(orders) == 2
    assert after(50) <= orders[1]["at"] <= after(55)
    run.agree()


# --- a forbidden place


@pytest.mark.spec("X6.A1")
def test_no_trader_starts_where_trading_is_blocked(exchange_truth: WireStage) -> None:
    """Where it is allowed again, the same start succeeds."""

    async def start(run: Run) -> None:
        await _geoblock(run.place, blocked=True)
        with pytest.raises(TradingBlocked, match="GB ENG"):
            async with connected(run.place, throwaway_wallet(1), seed=1):
                raise AssertionError("connected from where trading is blocked")
        await _geoblock(run.place, blocked=False)
        async with connected(run.place, throwaway_wallet(1), seed=1) as far:
            assert far.opening_cash > 0

    standing = put_up(exchange_truth.folder, exchange_truth.settings, [OPEN], mode=TimeMode.RECORDED)
    asyncio.run(hosted(standing, TimeMode.RECORDED, start))
    standing.log.close()


@pytest.mark.spec("X6.A1")
@pytest.mark.parametrize("blocked", [True, False], ids=["blocked", "allowed"])
def test_a_trader_that_is_blocked_after_its_start_places_nothing(exchange_truth: WireStage, blocked: bool) -> None:
    """By the wall clock, for only there a trader looks around. What is there to buy is bought where that is allowed."""
    market, now = _open_now()
    start = market.start
    rows = [book(market, (now - start) / 1e9 + second, "0.50x500", "0.52x500") for second in range(20)]

    async def connects(run: Run) -> None:
        await _geoblock(run.place, blocked=blocked)

    async def direct(run: Run) -> None:
        await run.until(Instant(now + seconds(4)))

    run = play_running(
        exchange_truth.folder,
        exchange_truth.settings,
        [tape_file(market, rows)],
        Scheduled((Told(0, FOUR_HOURS.length / 1e9, 0, wish(Outcome.UP, "0.52")),), ExitPolicy(target=price("0.99"))),
        mode=TimeMode.WALL,
        connects=connects,
        direct=direct,
    )
    told = [note.after for _, note in noted(run, nt.VenueModeChanged)]
    assert told == (["blocked in GB ENG"] if blocked else [])
    assert bool(logged(run, "asked", "Submit")) is not blocked
    assert bool(run.truth.trades) is not blocked
    denied = {note.value for _, note in noted(run, nt.EntryDenied)}
    assert ("trading is blocked in GB ENG" in denied) is blocked


FOUR_HOURS = Series("BTC", seconds(14_400))


def _open_now() -> tuple[Market, Instant]:
    """The window of four hours that is open; the next one where this one is about to end."""
    now = WallClock().now()
    start = Instant(now // FOUR_HOURS.length * FOUR_HOURS.length)
    end = Instant(start + FOUR_HOURS.length)
    if end - now < seconds(30):
        asyncio.run(WallClock().until(end))
        return _open_now()
    return window(series=FOUR_HOURS, start=start, end=end, slug=f"btc-updown-4h-{start // 10**9}"), now


async def _geoblock(place: Place, *, blocked: bool) -> None:
    form = {"blocked": blocked, "country": "GB", "region": "ENG"}
    async with aiohttp.ClientSession() as session, session.post(f"{place.control}/geoblock", json=form) as answer:
        assert answer.status < 300
