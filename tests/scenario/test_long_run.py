"""An hour of eight markets: of a window that is over the exchange keeps what can still be asked for, and no more."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.long_run import Played, Reading, eight_markets, keep, play, row

MOST_OBJECTS = 900
"""Of a closed window: its entry in the catalogue, its price by the minute, and the eight or so orders and trades in it.
600 were measured; the rows of a window that is kept are thousands."""


@pytest.fixture(scope="module")
def quarter() -> Played:
    """Played first: what is made once for all windows is there when the hour begins."""
    return asyncio.run(play(eight_markets(0.25, "thin")))


@pytest.fixture(scope="module")
def hour(quarter: Played) -> Played:
    return asyncio.run(play(eight_markets(1, "thin")))


def test_an_hour_of_eight_markets_is_played_to_its_end(hour: Played) -> None:
    assert hour.windows == hour.readings[-1].closed == 64
    assert hour.steps > 100_000
    assert hour.frames > 50_000, "two subscribers are told"
    assert hour.trades > 50


def test_memory_does_not_grow_with_the_windows_that_are_over(quarter: Played, hour: Played) -> None:
    """But for what can still be asked for."""
    more = hour.readings[-1].blocks - quarter.readings[-1].blocks
    assert more < MOST_OBJECTS * (hour.windows - quarter.windows)


def test_of_a_busy_scenario_four_markets_of_five_minutes_are_played() -> None:
    files = eight_markets(0.5, "busy")
    assert {file.market.series.name for file in files} == {f"{asset}-5m" for asset in ("btc", "eth", "sol", "xrp")}
    assert len(files) == 4 * 6
    assert len({file.market.series for file in eight_markets(0.5, "calm")}) == 8


def test_each_run_has_one_line_and_a_new_one_replaces_it(tmp_path: Path) -> None:
    def run(frames: int) -> Played:
        return Played(
            windows=8,
            steps=100,
            orders=10,
            trades=2,
            frames=frames,
            seconds=2.0,
            cpu=1.0,
            readings=(Reading(closed=0, blocks=7, resident=None), Reading(closed=8, blocks=9, resident=3_000_000)),
        )

    page = tmp_path / "LONG_RUN.md"
    for hours, frames in ((1, 100), (24, 200), (1, 300)):
        keep(page, row(hours, "calm", run(frames)))
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if "calm" in line]
    assert lines == [
        "| 24 h, calm | 8 | 100 | 10 | 2 | 2 | 5.0 | 100 | ? to 3 | 7 to 9 |",
        "| 1 h, calm | 8 | 100 | 10 | 2 | 2 | 5.0 | 150 | ? to 3 | 7 to 9 |",
    ]
