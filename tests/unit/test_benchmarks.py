"""The arithmetic of the benchmarks, the names that they promise, and that one of them runs. Nothing here is timed."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from benchmarks.__main__ import BENCHMARKS, HERE, main, run
from benchmarks.engine_events import AtEveryLevel, DictBook, awake_engine, feed, never_enters
from benchmarks.harness import Benchmark, Effort, NotMeasured, Ratio, Side, Work, measure, percentile, ratio, spread
from benchmarks.results import JSON, MARKDOWN, Results, found_ratios, markdown, versions
from benchmarks.streams import delta_stream
from polystra.core.book import OrderBook
from polystra.core.events import BookChanged, BookSnapshot
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.units import seconds
from polystra.edge.market_channel import FrameReader

RATIOS = {
    *(
        f"engine.{stream}.{pair}"
        for stream in ("snapshots", "deltas", "captured")
        for pair in (
            "unowned_vs_decode",
            "asleep_vs_decode",
            "asleep_vs_dict",
            "clock_vs_decode",
            "each_vs_decode",
            "read_vs_decode",
        )
    ),
    "demo.whole_vs_engine",
    "demo.engine_vs_whole",
    "demo.venue_vs_whole",
    "demo.store_vs_whole",
    "demo.load_vs_whole",
    "intent.normal.ledger_vs_bare",
    "intent.normal.ledger_vs_begin",
    "intent.full.ledger_vs_bare",
    "intent.full.ledger_vs_begin",
    "intent.full_vs_normal",
    "journal.append_vs_json",
    "journal.replay_vs_decode",
    "imports.engine_vs_bare",
    "imports.help_vs_bare",
    *(
        f"signing.{wallet}.ours_vs_{peer}"
        for wallet in ("eoa", "deposit")
        for peer in (
            "curve",
            *(
                f"{client}{end}"
                for client in ("polymarket_client", "py_clob_client_v2")
                for end in ("", "_with_coincurve")
            ),
        )
    ),
    *(
        f"hot_path.ours_vs_{client}{end}"
        for client in ("polymarket_client", "py_clob_client_v2")
        for end in ("", "_with_coincurve")
    ),
    "hot_path.given_vs_ours",
    "hot_path.unkept_vs_ours",
    *(f"loopback.ours_vs_{peer}{end}" for peer in ("httpx", "socket", "echo") for end in ("", "_p99")),
    "feed.time_vs_exchange",
}
"""What results are compared by, from version to version: a name is added, never renamed or given another meaning."""

NEEDS_RECORDINGS = {name for name in RATIOS if ".captured." in name}


class Ticking:
    """A clock that moves only when a side works."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def __call__(self) -> float:
        return self.now

    def side(self, name: str, takes: list[float], count: int = 1) -> Side:
        left = iter(takes)

        @contextmanager
        def ready() -> Iterator[Work]:
            self.now += 1_000  # getting ready is off the clock

            def work() -> None:
                self.order.append(name)
                self.now += next(left)

            yield work
            self.now += 1_000

        return Side(name, count, ready)


def test_the_median_and_the_middle_half_are_reported() -> None:
    found = spread([5.0, 1.0, 2.0, 4.0, 100.0])
    assert (found.median, found.low, found.high) == (4.0, 2.0, 5.0)
    assert spread([3.0]) == spread([3.0, 3.0])


def test_no_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        spread([])


def test_a_slow_round_slows_both_sides_and_leaves_the_ratio_alone() -> None:
    timings = {"ours": [2.0, 20.0, 2.0], "theirs": [1.0, 10.0, 1.0]}
    assert ratio(timings, "ours", "theirs") == spread([2.0])
    unsteady = {"ours": [2.0, 30.0, 4.0], "theirs": [1.0, 10.0, 8.0]}
    assert ratio(unsteady, "ours", "theirs").median == 2.0, "not 0.5, the ratio of the medians"


def test_sides_of_different_lengths_are_no_ratio() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio({"ours": [2.0, 2.0], "theirs": [1.0]}, "ours", "theirs")


def test_only_the_work_is_timed_and_divided_by_what_it_did() -> None:
    clock = Ticking()
    timings = measure({"ours": clock.side("ours", [8.0, 4.0], count=4)}, Effort(rounds=2, warm_up=0), clock)
    assert timings == {"ours": [2.0, 1.0]}


def test_the_warm_up_is_thrown_away() -> None:
    clock = Ticking()
    timings = measure({"ours": clock.side("ours", [500.0, 1.0])}, Effort(rounds=1, warm_up=1), clock)
    assert timings == {"ours": [1.0]}


def test_each_round_turns_the_order_round() -> None:
    clock = Ticking()
    sides = {name: clock.side(name, [1.0] * 4) for name in "abc"}
    measure(sides, Effort(rounds=4, warm_up=0), clock)
    assert "".join(clock.order) == "abccbaabccba"


@pytest.mark.parametrize("collecting", [True, False])
def test_the_collector_rests_during_the_work_and_is_left_as_it_was(collecting: bool) -> None:
    seen: list[bool] = []

    @contextmanager
    def ready() -> Iterator[Work]:
        yield lambda: seen.append(gc.isenabled())

    before = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        measure({"ours": Side("ours", 1, ready)}, Effort(rounds=1, warm_up=0))
        assert (seen, gc.isenabled()) == ([False], collecting)
    finally:
        (gc.enable if before else gc.disable)()


class Lapping:
    """A clock, and work that takes the seconds given and notes others for its units."""

    def __init__(self, *laps: list[float]) -> None:
        self.laps: list[float] = []
        self._rounds = iter(laps)

    def side(self, count: int) -> Side:
        @contextmanager
        def ready() -> Iterator[Work]:
            yield lambda: self.laps.extend(next(self._rounds))

        return Side("ours", count, ready, self.laps)


def test_work_that_times_its_units_is_timed_by_them_alone() -> None:
    side = Lapping([3.0, 5.0], [1.0, 1.0]).side(2)
    assert measure({"ours": side}, Effort(rounds=2, warm_up=0)) == {"ours": [4.0, 1.0]}


def test_the_units_of_the_warm_up_are_thrown_away() -> None:
    lapping = Lapping([500.0], [1.0])
    assert measure({"ours": lapping.side(1)}, Effort(rounds=1, warm_up=1)) == {"ours": [1.0]}
    assert lapping.laps == [1.0]


def test_a_unit_that_never_ended_is_no_fast_one() -> None:
    with pytest.raises(RuntimeError, match="1 of 2 units"):
        measure({"ours": Lapping([1.0]).side(2)}, Effort(rounds=1, warm_up=0))


def test_ninety_nine_of_a_hundred_were_done_within_the_percentile() -> None:
    hundred = [float(number) for number in range(1, 101)]
    assert (percentile(hundred, 50), percentile(hundred, 99)) == (51.0, 100.0)
    assert percentile([7.0], 99) == 7.0


def test_the_slowest_are_compared_round_by_round() -> None:
    ours, theirs = Lapping([1.0] * 99 + [9.0], [1.0] * 99 + [3.0]), Lapping([1.0] * 100, [3.0] * 100)
    sides = {"ours": ours.side(100), "theirs": theirs.side(100)}
    benchmark = Benchmark("b", "order", "Two.", (Ratio("b.p99", "ours", "theirs", "worse", 99),), lambda *_: sides)
    found = found_ratios(benchmark, sides, measure(sides, Effort(rounds=2, warm_up=0)))
    assert found["b.p99"].median == 5.0, "9 and 1, not the ratio of all laps together"
    assert found["b.p99"].unit == "times the 99th percentile of the seconds per order"


def test_a_part_of_the_work_is_never_none_of_it() -> None:
    assert (Effort(part=0.05).of(400), Effort(part=0.05).of(3)) == (20, 1)


# --- names ------------------------------------------------------------------------------------------------------------


def test_the_names_of_the_ratios_are_those_that_results_are_compared_by() -> None:
    named = [one.name for benchmark in BENCHMARKS for one in benchmark.ratios]
    assert len(named) == len(set(named))
    assert set(named) == RATIOS


def test_every_ratio_begins_with_its_benchmark_and_says_what_it_means() -> None:
    for benchmark in BENCHMARKS:
        assert benchmark.about.strip()
        for one in benchmark.ratios:
            assert one.name.startswith(f"{benchmark.name}."), one.name
            assert one.says.strip(), one.name


def test_the_results_kept_beside_the_benchmarks_are_whole_and_documented() -> None:
    kept = msgspec.json.decode((HERE / JSON).read_bytes(), type=Results)
    text = (HERE / MARKDOWN).read_text(encoding="utf-8")
    assert RATIOS - NEEDS_RECORDINGS <= set(kept.ratios) <= RATIOS
    assert set(kept.versions) == set(versions())
    assert not kept.not_measured
    for name, found in kept.ratios.items():
        assert f"`{name}`" in text, name
        assert 0 < found.low <= found.median <= found.high, name
        assert found.unit, name


def test_the_results_kept_name_no_machine_and_no_place() -> None:
    for name in (JSON, MARKDOWN):
        text = (HERE / name).read_text(encoding="utf-8")
        assert str(Path.home()) not in text
        assert str(HERE) not in text


# --- what is compared does the same job -------------------------------------------------------------------------------


def test_the_yardstick_book_and_ours_end_with_the_same_best_prices() -> None:
    stream = delta_stream(2_000)
    ours, theirs = OrderBook(stream.market.tick, seconds(10)), DictBook()
    for event in stream.events:
        theirs.apply(event)
        if isinstance(event, BookSnapshot):
            ours.replace(event.bids, event.asks, event.at)
        elif isinstance(event, BookChanged):
            ours.change(event)
        assert ours.trouble(event.at) is None
        assert (ours.bid, ours.ask) == (theirs.bid, theirs.ask)


def test_the_frames_carry_the_events() -> None:
    stream = delta_stream(500)
    reader = FrameReader([stream.market])
    read = [event for frame in stream.frames for event in reader.read(frame, stream.market.start)]
    assert not reader.skipped
    at_start = [msgspec.structs.replace(event, at=stream.market.start, venue_at=None) for event in stream.events]
    assert [msgspec.structs.replace(event, venue_at=None) for event in read] == at_start


def test_the_same_seed_invents_the_same_stream() -> None:
    assert delta_stream(300, seed=7) == delta_stream(300, seed=7)
    assert delta_stream(300, seed=7) != delta_stream(300, seed=8)


class Counting(AtEveryLevel, frozen=True):
    """Counts its calls in a list, which a strategy outside a test must not."""

    calls: list[int] = msgspec.field(default_factory=list)

    def decide(self, view, memory):  # type: ignore[no-untyped-def]
        self.calls.append(view.at)
        return super().decide(view, memory)


def test_the_dearest_strategy_is_asked_at_every_event_and_places_nothing() -> None:
    stream = delta_stream(200)
    strategy = Counting(never_enters())
    engine = awake_engine(stream.market, strategy)
    asked_at_start = len(strategy.calls)
    assert not any(engine.handle(event).commands for event in stream.events)
    assert len(strategy.calls) - asked_at_start == len(stream.events)


def test_a_strategy_that_is_asleep_leads_to_nothing() -> None:
    stream = delta_stream(200)
    engine = awake_engine(stream.market, StandAside())
    feed(engine, stream.events[:1])
    assert not any(engine.handle(event).commands for event in stream.events[1:])


# --- running ----------------------------------------------------------------------------------------------------------


def test_a_quick_run_of_one_benchmark_writes_its_ratios_where_it_is_told(tmp_path: Path) -> None:
    assert main(["--only", "journal", "--quick", "--out", str(tmp_path)]) == 0
    found = msgspec.json.decode((tmp_path / JSON).read_bytes(), type=Results)
    assert set(found.ratios) == {"journal.append_vs_json", "journal.replay_vs_decode"}
    assert found.versions["msgspec"]
    assert "`journal.replay_vs_decode`" in (tmp_path / MARKDOWN).read_text(encoding="utf-8")


def test_a_window_of_the_demo_is_traded_whole_and_by_its_parts(tmp_path: Path) -> None:
    assert main(["--only", "demo", "--quick", "--out", str(tmp_path)]) == 0
    found = msgspec.json.decode((tmp_path / JSON).read_bytes(), type=Results)
    assert found.ratios
    assert all(name.startswith("demo.") for name in found.ratios)


def test_orders_go_to_an_exchange_in_another_process_and_come_back(tmp_path: Path) -> None:
    assert main(["--only", "loopback", "--quick", "--out", str(tmp_path)]) == 0
    found = msgspec.json.decode((tmp_path / JSON).read_bytes(), type=Results)
    assert set(found.sides) == {f"loopback: {side}" for side in ("ours", "httpx", "socket", "echo")}
    for side in found.sides.values():
        assert side.laps is not None
        assert 0 < side.laps.median <= side.laps.p99
    assert "99 of 100 within" in (tmp_path / MARKDOWN).read_text(encoding="utf-8")


def test_four_subscribers_are_told_of_eight_markets_and_how_late_is_noted(tmp_path: Path) -> None:
    assert main(["--only", "feed", "--quick", "--out", str(tmp_path)]) == 0
    found = msgspec.json.decode((tmp_path / JSON).read_bytes(), type=Results)
    assert found.ratios["feed.time_vs_exchange"].median > 0
    assert "frames late in the first half of a burst" in found.sides["feed: exchange"].note
    assert found.sides["feed: exchange"].note in (tmp_path / MARKDOWN).read_text(encoding="utf-8")


def test_a_part_of_the_benchmarks_leaves_the_kept_results_alone() -> None:
    before = [(HERE / name).read_bytes() for name in (JSON, MARKDOWN)]
    assert main(["--only", "journal", "--quick"]) == 0
    assert [(HERE / name).read_bytes() for name in (JSON, MARKDOWN)] == before


def test_an_unknown_benchmark_is_refused_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "journals"]) == 2
    assert "there are engine, demo, intent, journal, imports" in capsys.readouterr().err


def test_what_cannot_be_measured_is_said_and_is_no_number() -> None:
    def missing(folder: Path, effort: Effort) -> dict[str, Side]:
        raise NotMeasured("the recordings are not installed")

    lost = Benchmark("lost", "event", "Nothing.", (Ratio("lost.a_vs_b", "a", "b", "nothing"),), missing)
    found = run([lost], Effort())
    assert (found.ratios, found.not_measured) == ({}, {"lost": "the recordings are not installed"})
    assert "Not measured: the recordings are not installed." in markdown(found, [lost])


def test_of_the_orders_kept_ours_are_there_once_each_and_those_made_anew_are_not() -> None:
    kept = msgspec.json.decode((HERE / JSON).read_bytes(), type=Results)
    ours, *theirs = kept.duplicates
    assert (ours.client, ours.orders, ours.doubles, ours.missing) == ("Polystra", ours.wanted, 0, 0)
    assert {one.client for one in theirs} == {"polymarket-client", "py-clob-client-v2"}
    for one in kept.duplicates:
        assert one.struck > 0, one.client
        assert one.orders == one.wanted - one.missing + one.doubles, one.client
