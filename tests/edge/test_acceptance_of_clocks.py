"""Acceptance conditions of a machine whose clock is wrong: the whole trader at an exchange that runs by the wall.

Which of the two clocks is the wrong one nobody can tell, so here the exchange's is set apart from the machine's.
"""

import asyncio
import contextlib

import pytest
from msgspec.structs import replace

from polystra.app.connection import Place, connected
from polystra.app.exchange_accounts import OWN
from polystra.app.exchange_clock import TimeMode
from polystra.app.session import EXCHANGE_LOG, Trader
from polystra.app.standing_exchange import Blueprint, Standing, stand
from polystra.app.throwaway import throwaway_wallet
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.engine import Step
from polystra.core.events import AnyEvent
from polystra.core.ids import MarketId
from polystra.core.markets import Market, Series
from polystra.core.strategy import Wish
from polystra.core.terms import Outcome, TimeInForce
from polystra.core.units import Instant, seconds
from polystra.edge.clock import WallClock
from polystra.exchange.faults import Faults
from polystra.exchange.server import serve
from polystra.sim.records import OpenOrder
from tests.edge.test_client_clock import WrongClock
from tests.edge.wire_stage import Floor, WireOutcomes, WireStage, exchange_truth
from tests.truth import book, scripted, tape_file, window, wish

__all__ = ["exchange_truth"]

LONG = Series("BTC", seconds(4 * 3_600))
GTD = replace(wish(Outcome.UP, "0.50", rests=True), time_in_force=TimeInForce.GTD, good_for=seconds(182))
"""The venue allows 180 s at least."""

PATIENCE = 20.0


def present_window(ahead: float) -> Market:
    """The one that is open by the exchange's clock, which is so many seconds ahead of the machine's."""
    now = WallClock().now() + seconds(ahead)
    start = Instant(now // LONG.length * LONG.length)
    return window(
        id=MarketId(f"0x{77:064x}"),
        series=LONG,
        slug=f"btc-updown-4h-{start // 10**9}",
        start=start,
        end=Instant(start + LONG.length),
    )


class Run(WireOutcomes):
    """What a run by the wall came to. `seen` are the orders that ever rested at the exchange."""

    seen: list[OpenOrder]


def play_by_the_wall(stage: WireStage, ahead: float, wanted: Wish) -> Run:
    """Four seconds."""
    market = present_window(ahead)
    age = (WallClock().now() + seconds(ahead) - market.start) // seconds(1)
    file = tape_file(market, [book(market, age + second, "0.50x100", "0.52x100") for second in range(-5, 60)])
    standing = stand(
        Blueprint(
            settings=stage.settings,
            files=[file],
            recordings="",
            seed=1,
            mode=TimeMode.RECORDED,
            speed=1.0,
            accounts=1,
            signature_types=OWN,
            log=stage.folder / EXCHANGE_LOG,
        )
    )
    standing.venue.go_by(WrongClock(seconds(ahead)))
    run = Run(Floor(standing, Faults()), stage.folder, [])
    run.seen = []
    with (
        contextlib.closing(standing.log),
        Trader(stage.folder, stage.settings, seed=1, strategy=scripted({0.0: wanted})) as trader,
    ):
        asyncio.run(asyncio.wait_for(_trade(standing, trader, run), PATIENCE))
        standing.end()
    return run


async def _trade(standing: Standing, trader: Trader, run: Run) -> None:
    stopped = asyncio.Event()

    def tell(event: AnyEvent, step: Step) -> None:
        run.steps.append((event, step))
        run.seen += [order for order in run.floor.truth().orders if order.id not in {one.id for one in run.seen}]
        if isinstance(event, ev.Started):
            asyncio.get_running_loop().call_later(4, stopped.set)

    async with serve(standing.venue, faults=run.floor.faults, prices=standing.prices) as urls:
        playing = asyncio.create_task(_play(standing))
        place = Place(
            clob=urls.clob,
            market_ws=urls.market_ws,
            user_ws=urls.user_ws,
            gamma=urls.gamma,
            prices=urls.prices,
            control=urls.control,
            mode=TimeMode.WALL,
        )
        async with connected(place, throwaway_wallet(1), seed=1) as far:
            await trader.trade(far, {LONG}, tell, stopped=stopped)
        playing.cancel()


async def _play(standing: Standing) -> None:
    while (due := standing.playback.next_due()) is not None:
        await standing.venue.until(due)
        standing.playback.step()


@pytest.mark.spec("S22.A1")
@pytest.mark.parametrize("ahead", [-5, 5])
def test_a_clock_that_is_5_s_off_trades_the_present_window_with_a_valid_gtd_order(
    exchange_truth: WireStage, ahead: float
) -> None:
    run = play_by_the_wall(exchange_truth, ahead, GTD)
    (order,) = run.seen
    assert run.taken() == [order.id]
    assert order.time_in_force is TimeInForce.GTD
    assert order.market == present_window(ahead).id
    left = order.expiration - order.created_at / 10**9
    assert 180 <= left <= 184, "by the exchange's clock"
    assert run.notes(nt.ClockDrifted) == []


@pytest.mark.spec("S22.A2")
@pytest.mark.parametrize("ahead", [-12, 12])
def test_a_clock_that_is_12_s_off_stops_entries_and_is_told(exchange_truth: WireStage, ahead: float) -> None:
    """The limit is 10 s."""
    run = play_by_the_wall(exchange_truth, ahead, GTD)
    assert "Submit" not in run.asked()
    assert run.seen == []
    drifted = run.notes(nt.ClockDrifted)
    assert len(drifted) == 1
    assert abs(drifted[0].ahead + seconds(ahead)) < seconds(1.5)
    denied = run.notes(nt.EntryDenied)
    assert denied[0].limit == "market halted"
    assert "off the venue's" in denied[0].value
