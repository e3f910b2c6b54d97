"""141 recorded BTC 5m windows of full books, mostly of the Down token alone."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from polystra.core.events import BookSnapshot, TickSizeChanged
from polystra.core.markets import PriceSource
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Tick, price
from polystra.edge.tapes.format import Tape, TapeEvent, TapeFile
from polystra.edge.tapes.library import discover

FIRST = "btc-updown-5m-1776081600"
FINER = "btc-updown-5m-1776087600"


@pytest.fixture(scope="module")
def files(recordings: Path) -> dict[str, TapeFile]:
    return {file.market.slug: file for file in discover(recordings / "cronos_btc5m_book")}


@pytest.fixture(scope="module")
def first(files: dict[str, TapeFile]) -> Tape:
    return files[FIRST].load()


def test_all_windows_are_listed_by_their_start(files: dict[str, TapeFile]) -> None:
    starts = [file.market.start for file in files.values()]

    assert len(files) == 141
    assert starts == sorted(starts)
    assert {file.market.settlement for file in files.values()} == {PriceSource.CHAINLINK_SPOT}
    assert {file.has_trades for file in files.values()} == {False}


def test_every_message_of_the_index_becomes_a_snapshot(files: dict[str, TapeFile], recordings: Path) -> None:
    with (recordings / "cronos_btc5m_book" / "windows.csv").open() as table:
        counts = {row["slug"]: int(row["n_msgs"]) for row in csv.DictReader(table)}

    for slug in list(files)[::28]:
        tape = files[slug].load()
        snapshots = [event for event in tape.events() if isinstance(event, BookSnapshot)]
        assert len(snapshots) == counts[slug]
        assert "crossed or locked" not in tape.noted
        assert not tape.skipped


def test_the_first_message_is_turned_into_up_terms_and_keeps_both_times(first: Tape) -> None:
    event = next(first.events())

    assert isinstance(event, BookSnapshot)
    assert event.at == 1_776_081_409_871_941_800
    assert event.venue_at == 1_776_081_408_433_000_000
    assert event.bids[0] == (price("0.5"), 685_030_000), "the Down token's best ask was 685.03 at 0.50"
    assert event.asks[0] == (price("0.51"), 1_355_050_000), "and its best bid 1,355.05 at 0.49"
    assert len(first) == 4_362


def test_moments_never_go_back_while_venue_times_stay_as_they_were(first: Tape) -> None:
    moments = [event.at for event in first.events()]
    ahead = [e for e in first.events() if isinstance(e, BookSnapshot) and e.venue_at and e.venue_at > e.at]

    assert moments == sorted(moments)
    assert ahead, "the collector's clock ran behind the server's"


def test_a_proven_outcome_is_no_assumption_and_an_assumed_one_is_named(files: dict[str, TapeFile]) -> None:
    proven, assumed = files[FIRST], files["btc-updown-5m-1776081900"]

    assert not any("token outcome" in words for words in proven.market.assumptions)
    assert any("token outcome" in words for words in assumed.market.assumptions)
    assert proven.market.down_token.startswith("7674965393")
    assert proven.market.up_token.startswith("8324278356")
    assert not any("token id" in words for words in proven.market.assumptions)
    assert any(words.startswith("Up token id") for words in files[FINER].market.assumptions)


def test_the_payout_is_inferred_and_says_so_or_stays_unknown(files: dict[str, TapeFile]) -> None:
    down_won = files[FIRST]
    down_lost = files["btc-updown-5m-1776081900"]
    undecided = [file for file in files.values() if file.payout is None]

    assert down_won.payout is not None
    assert down_won.payout.winner is Outcome.DOWN
    assert down_lost.payout is not None
    assert down_lost.payout.winner is Outcome.UP
    assert down_won.payout_source.startswith("inferred: ")
    assert down_lost.payout_source.endswith("token outcome assumed")
    assert len(undecided) == 15
    assert {file.payout_source for file in undecided} == {"unknown"}


def test_a_level_off_the_grid_proves_the_finer_tick_before_it(files: dict[str, TapeFile]) -> None:
    events = list(files[FINER].load().events())
    changes = [(number, event) for number, event in enumerate(events) if isinstance(event, TickSizeChanged)]

    ((number, change),) = changes
    before, after = events[:number], events[number + 1]
    assert change.tick == Tick(price("0.001"))
    assert not off_grid(before)
    assert off_grid([after])
    assert change.at == after.at


def off_grid(events: Sequence[TapeEvent]) -> bool:
    levels = [level for e in events if isinstance(e, BookSnapshot) for level in e.bids + e.asks]
    assert all(0 < at < MICRO and size > 0 for at, size in levels)
    return any(at % 10_000 for at, _ in levels)
