"""Settlement prices in two processes: what is told, when, and what comes of it is the same as in one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from polystra.app.exchange_accounts import OWN
from polystra.app.exchange_clock import TimeMode
from polystra.app.run_plan import GENERATED_START
from polystra.app.scenarios import scenario_files
from polystra.app.settings import Settings
from polystra.app.standing_exchange import Blueprint, Standing, stand
from polystra.core.events import AnyEvent, MarketListed, PricePrinted
from polystra.core.markets import PriceSource
from polystra.edge.store.journal import Seen, read_journal
from polystra.exchange.pace import SteppedClock
from polystra.exchange.price_feeds import Feed, Print
from tests.edge.demo_cases import demo, kept, kill

OUR_OWN = slice(3, None)
"""The columns of an order that do not say in which run and at which event it was written."""

GENERATED = ("--windows", "2", "--seed", "3", "--scenario")


class Run:
    """What a demo left behind that both ways must give."""

    def __init__(self, folder: Path) -> None:
        left = kept(folder)
        self.orders = [row[OUR_OWN] for row in left.orders]
        self.fills = sorted((*row[:2], *row[4:]) for row in left.fills)
        seen = told(folder / "journal-0001.plj")
        self.prices = [event for event in seen if isinstance(event, PricePrinted)]
        self.settlements = {event.market.settlement for event in seen if isinstance(event, MarketListed)}


def told(journal: Path) -> list[AnyEvent]:
    with read_journal(journal) as records:
        return [one.event for one in records if isinstance(one, Seen)]


def run(folder: Path, *options: str) -> Run:
    with demo(folder, *options) as life:
        code, _, err = life.end()
        assert code == 0, err
    return Run(folder)


@pytest.fixture(scope="module")
def over_wire(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("prices") / "run", *GENERATED, "calm")


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("prices") / "run", *GENERATED, "calm", "--in-process")


def test_generated_windows_give_the_same_orders_and_fills_over_the_wire_as_in_one_process(
    over_wire: Run, in_process: Run
) -> None:
    assert len(over_wire.orders) > 3
    assert len(over_wire.fills) > 3
    assert (over_wire.orders, over_wire.fills) == (in_process.orders, in_process.fills)
    assert over_wire.settlements == in_process.settlements == {PriceSource.CHAINLINK_TWAP_60}


def test_every_price_comes_at_the_same_moment_over_the_wire_as_in_one_process(over_wire: Run, in_process: Run) -> None:
    """Also those of the three minutes in which two windows tell them both."""
    assert over_wire.prices == in_process.prices
    stamps = [(event.source, event.stamped_at) for event in over_wire.prices]
    assert len(stamps) > 2 * 1_800
    assert len(stamps) == len(set(stamps))


def test_a_stop_that_depends_on_the_price_to_beat_is_the_same_on_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYSTRA__EXITS__STOP_PRICE", "0.60")
    ways = [run(tmp_path / "wire", *GENERATED, "whipsaw"), run(tmp_path / "one", *GENERATED, "whipsaw", "--in-process")]
    assert any("stop" in order for order in ways[0].orders)
    assert ways[0].orders == ways[1].orders
    assert ways[0].fills == ways[1].fills


def test_a_trader_that_is_killed_hears_prices_again_when_it_goes_on(over_wire: Run, tmp_path: Path) -> None:
    with demo(tmp_path / "run", *GENERATED, "calm") as life:
        assert life.come_to(400_000)
        kill(life.process.pid)
    with demo(tmp_path / "run", "--resume") as life:
        code, _, err = life.end()
        assert code == 0, err
    again = told(tmp_path / "run" / "journal-0002.plj")
    heard = [event for event in again if isinstance(event, PricePrinted)]
    assert heard
    assert heard[-1] == over_wire.prices[-1]


# --- the exchange that is made again


def standing(log: Path, mode: TimeMode, speed: float) -> Standing:
    return stand(
        Blueprint(
            settings=Settings(),
            files=scenario_files("calm", seed=3, windows=2, start=GENERATED_START),
            recordings="",
            seed=3,
            mode=mode,
            speed=speed,
            accounts=1,
            signature_types=OWN,
            log=log,
        )
    )


@pytest.mark.parametrize(
    ("mode", "speed"), [(TimeMode.LOCK_STEP, 1.0), (TimeMode.RECORDED, 1_000.0), (TimeMode.WALL, 1_000.0)]
)
def test_an_exchange_that_is_made_again_knows_the_prices_of_before(
    tmp_path: Path, mode: TimeMode, speed: float
) -> None:
    first = standing(tmp_path / "exchange.jsonl", mode, speed)
    play(first, 3_000)
    first.log.close()
    again = standing(tmp_path / "exchange.jsonl", mode, speed)
    again.log.close()
    assert known(first)
    assert known(again) == known(first)


def play(standing: Standing, steps: int) -> None:
    """So many steps of the recordings, due or not."""
    for _ in range(steps):
        due = standing.playback.next_due()
        assert due is not None
        if isinstance(standing.clock, SteppedClock):
            standing.clock.move_to(max(due, standing.clock.now()))
        standing.playback.step()


def known(standing: Standing) -> Sequence[Print]:
    return [one for feed in Feed for one in standing.prices.recent(feed, "BTC")]
