"""The one place that reads time."""

import datetime

from polystra.edge.clock import WallClock, stopwatch


def test_the_wall_clock_is_in_nanoseconds_utc() -> None:
    after_2026, before_2100 = (
        int(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC).timestamp()) for year in (2026, 2100)
    )
    assert after_2026 < WallClock().now() // 10**9 < before_2100


def test_the_wall_clock_goes_on() -> None:
    clock = WallClock()
    before = clock.now()
    while clock.now() == before:
        pass
    assert clock.now() > before


def test_the_stopwatch_runs_in_seconds_and_never_back() -> None:
    readings = [stopwatch() for _ in range(1_000)]
    assert readings == sorted(readings)
    clock = WallClock()
    begun, until = stopwatch(), clock.now() + 20_000_000
    while clock.now() < until:
        pass
    assert 0.01 < stopwatch() - begun < 5
