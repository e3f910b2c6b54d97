"""A report adds up to the ledger's cash, says what is unknown, and counts what it is asked to count."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from polystra.app.demo import changed_settings
from polystra.app.recordings import Recording, RecordingsDamaged, digest_of, examine, keep, kept
from polystra.app.report import Report, report_of
from polystra.app.report_json import iso, of_report
from polystra.app.session import LEDGER
from polystra.app.settings import Settings
from polystra.app.words import cents, counted, moment, rounded, signed, window_name
from polystra.core.strategy import ExitPolicy, StopPolicy
from polystra.core.terms import Outcome
from polystra.core.units import Instant, Usd, price, seconds, usd
from polystra.edge.store.queries import LedgerReader
from polystra.edge.tapes.format import RecordingError, TapeFile
from tests.truth import START, Outcomes, Stage, scripted, steady, tape_file, window, wish

MARKETS = [window(number, assumptions=("tick: assumed", f"fee of {number}")) for number in range(5)]


def recordings() -> list[TapeFile]:
    """Held and won, held and lost, stopped, held without a payout, and never entered."""
    flat = ("0.50x500", "0.52x200")
    stopped = steady(MARKETS[2], *flat, end=120) + steady(MARKETS[2], "0.20x500", "0.22x500", begin=120)
    return [
        tape_file(MARKETS[0], steady(MARKETS[0], *flat), "1"),
        tape_file(MARKETS[1], steady(MARKETS[1], *flat), "0"),
        tape_file(MARKETS[2], stopped, "0"),
        tape_file(MARKETS[3], steady(MARKETS[3], *flat), None),
        tape_file(MARKETS[4], steady(MARKETS[4], "0.50x500", "0.60x200"), "1"),
    ]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    stage = Stage(tmp_path_factory.mktemp("played"))
    stops = ExitPolicy(stop=StopPolicy(price=price("0.30")))
    return stage.play(recordings(), scripted({10: wish(Outcome.UP, "0.52")}, stops))


@pytest.fixture(scope="module")
def report(played: Outcomes) -> Report:
    with LedgerReader(played.folder / LEDGER) as ledger:
        return report_of(ledger, examine(recordings()), played.truth)


def test_what_was_deposited_and_earned_is_what_is_there(report: Report) -> None:
    totals = report.totals
    assert totals.cash + totals.redeemable == totals.deposited + totals.realised + report.unsettled


def test_the_windows_add_up_to_the_totals(report: Report) -> None:
    windows = [line.window for line in report.lines]
    assert sum(window.fees for window in windows) == report.totals.fees
    assert sum(window.pnl for window in windows if window.pnl is not None) == report.totals.realised
    assert sum(window.redeemable for window in windows) == report.totals.redeemable
    assert sum(window.cash for window in windows) == report.totals.traded


def test_entries_exits_and_settlements_are_counted_by_what_became_of_them(report: Report) -> None:
    counts = report.counts
    assert (counts.windows, counts.traded, counts.entries, counts.exits, counts.stops) == (5, 4, 4, 1, 1)
    assert (counts.settlements, counts.held_won, counts.held_lost) == (4, 1, 1)


def test_a_window_without_a_payout_has_no_profit_and_no_winner(report: Report) -> None:
    line = report.lines[3]
    assert line.window.pnl is None
    assert line.winner is None
    assert report.unsettled == line.window.cash < 0
    assert "payout of 1 window: never settled, profit unknown" in report.unknown


def test_a_claim_is_kept_apart_from_cash(report: Report, played: Outcomes) -> None:
    (won,) = [line for line in report.lines if line.window.redeemable]
    ((outcome, held),) = won.held
    assert outcome is Outcome.UP
    assert int(held) == int(won.window.redeemable), "a share that won is worth one USD"
    assert report.totals.redeemable == won.window.redeemable
    assert report.totals.cash == played.cash


def test_an_assumption_is_named_once_with_its_windows(report: Report) -> None:
    named = dict(report.assumptions)
    assert named["tick: assumed"] == 5
    assert named["fee of 3"] == 1
    assert len(report.assumptions) == len(named)


def test_what_a_recording_lacks_is_said(report: Report) -> None:
    assert any(text.startswith("trades of others in 5 windows") for text in report.unknown)
    assert any(text.startswith("price to beat of 5 windows") for text in report.unknown)


def test_an_inferred_payout_is_never_passed_off_as_official(played: Outcomes) -> None:
    inferred = [replace(one, payout_source="inferred: by a rule") for one in examine(recordings()[:1])]
    with LedgerReader(played.folder / LEDGER) as ledger:
        texts = report_of(ledger, inferred, None).unknown
    assert texts[0] == "payout of 1 window is not the venue's own but inferred: by a rule"


def test_without_the_exchanges_truth_nothing_is_claimed(played: Outcomes) -> None:
    with LedgerReader(played.folder / LEDGER) as ledger:
        unchecked = report_of(ledger, (), None)
    assert unchecked.checked is None
    assert of_report(unchecked)["ledger_matches_exchange"] is None


def test_with_it_ledger_and_exchange_are_compared(report: Report, played: Outcomes) -> None:
    assert report.checked is not None
    assert report.checked.differences == ()
    assert report.checked.cash == played.cash
    body = of_report(report)
    assert body["ledger_matches_exchange"] is True
    assert body["ledger_cash_usd"] == body["exchange_cash_usd"]


def test_sources_are_named_with_their_attribution() -> None:
    named = examine([replace_attribution(file) for file in recordings()])
    assert {(one.source, one.attribution) for one in named} == {("a test", "somebody, CC BY 4.0")}


def replace_attribution(file: TapeFile) -> TapeFile:
    return replace(file, attribution="somebody, CC BY 4.0")


def test_the_list_of_recordings_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    listed = examine(recordings())
    assert kept(tmp_path) is None
    keep(tmp_path, listed)
    back = kept(tmp_path)
    assert back is not None
    assert [as_plain(one) for one in back] == [as_plain(one) for one in listed]
    assert digest_of(back) == digest_of(listed) != digest_of(listed[:-1])


def as_plain(one: Recording) -> Mapping[str, object]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


def test_a_spoilt_list_of_recordings_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "recordings.json").write_text("[{}]")
    with pytest.raises(RecordingsDamaged, match=r"recordings\.json: .*: restore it, or delete it"):
        kept(tmp_path)


def test_a_window_given_twice_is_refused_before_anything_is_played() -> None:
    files = recordings()
    with pytest.raises(RecordingError, match="recorded more than once"):
        examine([files[0], files[1], files[0]])


def test_settings_that_differ_from_the_defaults_are_named() -> None:
    assert list(changed_settings(Settings())) == []
    (one,) = changed_settings(Settings.model_validate({"limits": {"min_edge_usd": "-0.01"}}))
    assert (one.name, one.value, one.default) == ("limits.min_edge_usd", "-0.01", "0.02")


def test_words_for_times_windows_and_amounts() -> None:
    end = Instant(START + seconds(900))
    assert window_name("BTC", START, end) == "BTC 15m 09:00"
    assert window_name("ETH", START, Instant(START + seconds(7_200))) == "ETH 2h 09:00"
    assert moment(START) == "28 Sep 09:00"
    assert iso(Instant(START + 1_234_567)) == "2026-09-28T09:00:00.001234Z"
    assert (cents(usd("-13.915")), signed(usd("0.004"), 2), signed(usd("1.5"), 2)) == ("-13.92", "0.00", "+1.50")
    assert rounded(Usd(612_345), 3) == "0.612"
    assert (counted(1, "window"), counted(1_200, "window"), counted(0, "entry", "entries")) == (
        "1 window",
        "1,200 windows",
        "0 entries",
    )
