"""`polystra pause | reduce-only | stop | arm` where no trader is at work, and what `status` and `report` say of it."""

import os
import pwd
import shutil
from pathlib import Path

import pytest

from polystra.app.kill_switch import KillSwitch
from polystra.core.events import TradingState
from tests.edge.cli_cases import Ran, contents, polystra

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def folder(kept: tuple[Path, Ran], tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept[0], tmp_path / "run"))


@pytest.mark.parametrize(
    ("command", "state"),
    [("pause", TradingState.PAUSED), ("reduce-only", TradingState.REDUCE_ONLY), ("stop", TradingState.STOPPED)],
)
def test_without_a_trader_it_holds_from_the_next_start_on(folder: Path, command: str, state: TradingState) -> None:
    said = polystra(command, "--out", folder, "--why", "fed meeting")
    assert said.code == 0, said.err
    assert f"{state}, by {ME}, polystra {command} (fed meeting)" in said.out
    assert "this holds from its next start on: no trader is at work there, until polystra arm" in said.out
    word = KillSwitch(folder).word()
    assert word is not None
    assert (word.state, word.why) == (state, "fed meeting")
    again = polystra(command, "--out", folder, "--who", "cem", "--why", "me too")
    assert f"{state} already, by {ME}" in again.out
    found = polystra("status", "--out", folder)
    assert f"{state}, which no trader has read yet, by {ME}" in found.out
    told = polystra("status", "--out", folder, "--json").json
    assert told["state"] == "armed"
    assert told["state_by_file"] == {"state": str(state), "who": word.who, "why": "fed meeting"}
    armed = polystra("arm", "--out", folder, "--json").json
    assert (armed["was"], armed["stopped_why"], armed["at_work"]) == (str(state), "fed meeting", False)
    assert polystra("status", "--out", folder, "--json").json["state_by_file"]["state"] == "armed"


def test_the_words_of_a_person_are_kept(folder: Path) -> None:
    said = polystra("pause", "--out", folder, "--who", "ann", "--why", "lunch", "--json").json
    expected = {"state": "paused", "who": "ann, polystra pause", "why": "lunch", "was": None, "at_work": False}
    assert said == expected
    after = polystra("stop", "--out", folder, "--who", "bob", "--json").json
    assert (after["state"], after["was"]) == ("stopped", "paused")
    assert polystra("arm", "--out", folder).out.startswith(
        "taken away: the stop by bob, polystra stop (stopped by hand)"
    )


@pytest.mark.parametrize("by_hand", [False, True], ids=["polystra stop", "touch stop"])
@pytest.mark.parametrize("command", ["pause", "reduce-only"])
def test_a_stop_is_lifted_by_arming_alone(folder: Path, command: str, by_hand: bool) -> None:
    if by_hand:
        (folder / "stop").touch()
    else:
        assert polystra("stop", "--out", folder).code == 0
    before = contents(folder)
    ran = polystra(command, "--out", folder)
    assert ran.code == 2
    assert f"{folder / 'stop'}: stopped by" in ran.error
    assert "polystra arm first" in ran.error
    assert contents(folder) == before
    assert polystra("stop", "--out", folder).code == 0
    assert polystra("arm", "--out", folder).code == 0
    assert polystra(command, "--out", folder).code == 0


def test_a_file_stop_is_shown_although_no_trader_runs(folder: Path) -> None:
    (folder / "stop").touch()
    told = polystra("status", "--out", folder).out
    assert "stopped, which no trader has read yet, by file stop: the file stop is there" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--why", " "), "--why is empty: say it in words, or leave it out"),
        (("--why", "x" * 301), "--why: 301 characters, at most 300: say it shorter"),
        (("--who", "y" * 61), "--who: 61 characters, at most 60: say it shorter"),
        (("--who", "a\nb"), "one line of plain text"),
        (("--why", "\x1b[2J"), "one line of plain text"),
    ],
)
@pytest.mark.parametrize("command", ["pause", "reduce-only", "stop", "arm"])
def test_words_that_no_record_would_show_are_refused(
    folder: Path, command: str, arguments: tuple[str, str], words: str
) -> None:
    before = contents(folder)
    ran = polystra(command, "--out", folder, *arguments)
    assert ran.code == 2
    assert words in ran.error
    assert contents(folder) == before


@pytest.mark.parametrize("command", ["pause", "reduce-only", "stop", "arm"])
def test_a_folder_that_is_not_there_is_bad_input(tmp_path: Path, command: str) -> None:
    ran = polystra(command, "--out", tmp_path / "absent")
    assert ran.code == 2
    assert "name the folder of" in ran.error
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_ledger_can_be_stopped_and_nothing_else(tmp_path: Path) -> None:
    for command in ("pause", "reduce-only", "arm"):
        assert "holds no run" in polystra(command, "--out", tmp_path).error
    assert polystra("stop", "--out", tmp_path).code == 0
    assert KillSwitch(tmp_path).thrown


def test_a_state_that_nobody_understands_is_shown_as_stopped(folder: Path) -> None:
    (folder / "state").write_text("slow")
    told = polystra("status", "--out", folder, "--json").json["state_by_file"]
    assert told["state"] == "stopped"
    assert 'the file state says "slow", which is none of paused, reduce-only, stopped' in told["why"]


def test_equity_of_a_run_that_ended_is_its_cash_and_its_claims(folder: Path, kept: tuple[Path, Ran]) -> None:
    for command in ("status", "report"):
        worth = polystra(command, "--out", folder, "--json").json["equity"]
        assert (worth["held_at_bid_usd"], worth["held_at_cost_usd"], worth["bids_of"]) == ("0", "0", None)
        assert worth["cash_usd"] == kept[1].json["ledger_cash_usd"]
        assert "equity" in polystra(command, "--out", folder).out
