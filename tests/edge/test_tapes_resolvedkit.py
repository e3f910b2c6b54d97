"""The sample that comes with the extra: 18 whole BTC 15m windows with official payouts."""

import sys
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest

from polystra.core.events import BookSnapshot, TickSizeChanged
from polystra.core.markets import PriceSource
from polystra.core.terms import Outcome
from polystra.edge.tapes.format import RecordingError, Tape
from polystra.edge.tapes.library import bundled, discover

MINUTE = 60_000_000_000


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    return [file.load() for file in bundled()]


def snapshots(tape: Tape) -> Iterator[BookSnapshot]:
    return (event for event in tape.events() if isinstance(event, BookSnapshot))


def test_eighteen_windows_of_one_morning_thirteen_of_them_up(tapes: list[Tape]) -> None:
    starts = [tape.market.start for tape in tapes]

    assert len(tapes) == 18
    gaps = Counter((after - before) // MINUTE for before, after in pairwise(starts))
    assert gaps == {15: 16, 30: 1}, "one window of the morning was not recorded"
    assert Counter(tape.payout.winner for tape in tapes if tape.payout) == {Outcome.UP: 13, Outcome.DOWN: 5}
    assert {tape.payout_source for tape in tapes} == {"official"}


def test_every_snapshot_is_kept_and_the_crossed_ones_are_counted(tapes: list[Tape]) -> None:
    kept = [snapshot for tape in tapes for snapshot in snapshots(tape)]
    crossed = [s for s in kept if s.bids and s.asks and s.bids[0][0] >= s.asks[0][0]]

    assert len(kept) == 38_333
    assert len(crossed) == 22
    assert sum(tape.noted.get("crossed or locked", 0) for tape in tapes) == 22
    assert sum(tape.noted.get("empty side", 0) for tape in tapes) == 3_246


def test_both_tokens_show_the_same_book_when_seen_as_up(tapes: list[Tape]) -> None:
    at_once = [(a, b) for tape in tapes for a, b in pairwise(snapshots(tape)) if a.at == b.at]
    two_sided = [(a, b) for a, b in at_once if a.bids and a.asks and b.bids and b.asks]

    assert len(two_sided) == 17_170
    assert all((a.bids[0][0], a.asks[0][0]) == (b.bids[0][0], b.asks[0][0]) for a, b in two_sided)


def test_the_last_quote_of_the_window_agrees_with_the_payout(tapes: list[Tape]) -> None:
    for tape in tapes:
        inside = [s for s in snapshots(tape) if s.at < tape.market.end and s.bids and s.asks]
        middle = (inside[-1].bids[0][0] + inside[-1].asks[0][0]) // 2
        assert tape.payout is not None
        assert (middle > 500_000) is (tape.payout.winner is Outcome.UP), tape.market.slug


def test_levels_stand_best_first_and_on_the_tick_of_the_moment(tapes: list[Tape]) -> None:
    for tape in tapes:
        tick = tape.market.tick.size
        for event in tape.events():
            if isinstance(event, TickSizeChanged):
                tick = event.tick.size
            elif isinstance(event, BookSnapshot):
                bids, asks = [p for p, _ in event.bids], [p for p, _ in event.asks]
                assert bids == sorted(set(bids), reverse=True)
                assert asks == sorted(set(asks))
                assert not any(price % tick for price in bids + asks)


def test_moments_never_go_back_and_the_span_is_stated(tapes: list[Tape]) -> None:
    for tape in tapes:
        moments = [event.at for event in tape.events()]
        assert moments == sorted(moments)
        assert (tape.first_at, tape.last_at) == (moments[0], moments[-1])
        assert tape.first_at < tape.market.start < tape.market.end < tape.last_at


def test_what_the_recording_lacks_is_named_and_not_invented(tapes: list[Tape]) -> None:
    tape = tapes[0]
    words = "\n".join(tape.market.assumptions)

    for fact in ("Up token id", "Down token id", "tick: 0.01", "minimum size: 5", "fees: rate 0.07", "generation"):
        assert fact in words
    assert tape.market.settlement is PriceSource.CHAINLINK_TWAP_60
    assert (tape.strike, tape.official, tape.has_trades, tape.has_sizes) == (None, None, False, True)
    assert tape.market.up_token.isdecimal()
    assert tape.market.up_token != tape.market.down_token
    assert tape.source == f"resolvedkit {metadata.version('resolvedkit')}"
    assert tape.attribution == "Resolved Markets sample data, CC BY 4.0"


def test_the_same_window_from_another_copy_has_the_same_digest(tapes: list[Tape], recordings: Path) -> None:
    copies = [file.load() for file in discover(recordings / "resolvedkit_btc15m_l2")]

    assert [copy.digest for copy in copies] == [tape.digest for tape in tapes[:12]]
    assert sum(len(list(snapshots(copy))) for copy in copies) == 25_256


def test_listing_runs_no_code_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resolvedkit", None)
    assert len(bundled()) == 18


def test_a_missing_reader_of_parquet_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(RecordingError, match=r"needs the package pyarrow.*polystra\[recordings\]"):
        bundled()


def test_a_missing_sample_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> NoReturn:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(RecordingError, match=r"resolvedkit: .*not installed.*polystra\[recordings\]"):
        bundled()
