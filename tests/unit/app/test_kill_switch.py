"""The file that stops a run: who may throw it, what it says, and what the trader tells its engine of it."""

import json
from pathlib import Path

import pytest

from polystra.app import kill_switch
from polystra.app.kill_switch import Instruction, KillSwitch, StillStopped, SwitchStuck, Watch, Word
from polystra.core.events import TradingState, TradingStateSet
from polystra.core.units import Instant

ARMED, STOPPED, PAUSED = TradingState.ARMED, TradingState.STOPPED, TradingState.PAUSED
STOP = Instruction(who="ann", why="enough", at=Instant(7))
GO_ON = Instruction(who="bob", why="looked at it", at=Instant(9))


def watched(switch: KillSwitch, state: TradingState = ARMED) -> tuple[Watch, list[TradingStateSet]]:
    told: list[TradingStateSet] = []
    return Watch(switch, told.append, state), told


def states(told: list[TradingStateSet]) -> list[tuple[TradingState, str, str]]:
    return [(event.state, event.who, event.why) for event in told]


# --- the files


def test_a_switch_is_not_thrown_until_its_file_is_there(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    assert (switch.thrown, switch.stop_word()) == (False, None)
    assert switch.throw(STOP)
    assert (switch.thrown, switch.stop_word()) == (True, STOP)
    assert json.loads((tmp_path / "stop").read_text()) == {"who": "ann", "why": "enough", "at": 7}


def test_the_first_words_stay_when_it_is_thrown_again(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.throw(STOP)
    assert not switch.throw(Instruction(who="cem", why="me too"))
    assert switch.stop_word() == STOP


@pytest.mark.parametrize(
    ("text", "why"),
    [(b"", "the file stop is there"), (b"fed meeting\n", "fed meeting"), (b'{"who": 3}', '{"who": 3}')],
)
def test_whatever_a_person_puts_there_stops(tmp_path: Path, text: bytes, why: str) -> None:
    (tmp_path / "stop").write_bytes(text)
    switch = KillSwitch(tmp_path)
    assert switch.thrown
    assert switch.stop_word() == Instruction(who="file stop", why=why)


def test_bytes_that_are_no_text_stop_as_well(tmp_path: Path) -> None:
    (tmp_path / "stop").write_bytes(b"\xff\xfe" * 10_000)
    word = KillSwitch(tmp_path).stop_word()
    assert word is not None
    assert len(word.why) <= kill_switch.MOST_WORDS


def test_a_folder_in_place_of_the_file_stops(tmp_path: Path) -> None:
    (tmp_path / "stop").mkdir()
    assert KillSwitch(tmp_path).stop_word() == Instruction(who="file stop", why="the file stop is there")


def test_who_cannot_look_takes_it_as_thrown(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no folder")
    assert KillSwitch(tmp_path / "run").thrown


def test_a_folder_that_is_not_there_cannot_be_stopped_or_armed(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path / "absent")
    with pytest.raises(SwitchStuck, match="cannot be written"):
        switch.throw(STOP)
    with pytest.raises(SwitchStuck, match="cannot be written"):
        switch.arm(GO_ON)


def test_arming_takes_the_file_away_and_says_what_it_said(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.throw(STOP)
    assert switch.arm(GO_ON) == Word(state=STOPPED, who="ann", why="enough", at=Instant(7))
    assert not switch.thrown
    assert switch.arm(GO_ON) is None


def test_the_word_to_arm_is_taken_once(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.arm(GO_ON)
    assert switch.take_arm_word() == GO_ON
    assert switch.take_arm_word() is None
    assert list(tmp_path.iterdir()) == []


def test_a_stop_takes_back_a_word_to_arm_that_nobody_heard_yet(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.arm(GO_ON)
    switch.throw(STOP)
    assert switch.take_arm_word() is None
    assert switch.thrown


# --- the milder states


LUNCH = Word(state=PAUSED, who="ann", why="lunch", at=Instant(8))
CLOSE = Word(state=TradingState.REDUCE_ONLY, who="bob", why="odd fills", at=Instant(9))


def test_a_pause_stands_until_somebody_arms(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    assert switch.restrict(LUNCH) is None
    assert (switch.word(), switch.thrown) == (LUNCH, False)
    assert json.loads((tmp_path / "state").read_text()) == {"state": "paused", "who": "ann", "why": "lunch", "at": 8}
    assert switch.arm(GO_ON) == LUNCH
    assert switch.word() is None
    assert [path.name for path in tmp_path.iterdir()] == ["arm"], "nothing half written is left"


def test_a_later_word_replaces_an_earlier_one_and_a_word_to_arm(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.arm(GO_ON)
    switch.restrict(LUNCH)
    assert switch.take_arm_word() is None
    assert switch.restrict(CLOSE) == LUNCH
    assert switch.word() == CLOSE


def test_the_first_words_stay_where_the_same_held_already(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.restrict(LUNCH)
    assert switch.restrict(Word(state=PAUSED, who="cem", why="me too")) == LUNCH
    assert switch.word() == LUNCH


def test_a_stop_wins_over_a_pause_and_no_pause_lifts_it(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.restrict(LUNCH)
    (tmp_path / "stop").touch()
    said = switch.word()
    assert said is not None
    assert (said.state, said.who) == (STOPPED, "file stop")
    for milder in (LUNCH, CLOSE):
        with pytest.raises(StillStopped, match=rf"stop: stopped by file stop .*{milder.state} would .*polystra arm"):
            switch.restrict(milder)
    assert (switch.word(), switch.thrown) == (said, True)
    switch.arm(GO_ON)
    switch.restrict(LUNCH)
    assert switch.word() == LUNCH
    switch.throw(STOP)
    assert not (tmp_path / "state").exists(), "or it would hold again once `stop` is gone"


@pytest.mark.parametrize("text", ["stopped", "slow down"])
def test_a_pause_lifts_no_stop_by_the_file_state_either(tmp_path: Path, text: str) -> None:
    (tmp_path / "state").write_text(text)
    switch = KillSwitch(tmp_path)
    with pytest.raises(StillStopped, match="state: stopped by file state"):
        switch.restrict(LUNCH)
    assert (tmp_path / "state").read_text() == text


@pytest.mark.parametrize(
    ("text", "state", "why"),
    [
        ("paused", PAUSED, "the file says paused"),
        ("reduce-only  odd fills\n", TradingState.REDUCE_ONLY, "odd fills"),
        ("stopped", STOPPED, "the file says stopped"),
    ],
)
def test_a_person_may_write_the_word_by_hand(tmp_path: Path, text: str, state: TradingState, why: str) -> None:
    (tmp_path / "state").write_text(text)
    assert KillSwitch(tmp_path).word() == Word(state=state, who="file state", why=why)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", 'says ""'),
        (b"pausd", 'says "pausd"'),
        (b"armed", 'says "armed"'),
        (b'{"state": "armed", "who": "x", "why": "y"}', "says armed"),
        (b'{"state": "frozen", "who": "x", "why": "y"}', "frozen"),
        (b'{"state": "paused"}', "paused"),
        (b'{"state": "paused", "who": "\xff", "why": "y"}', "says"),
        (b"\xff\xfe" * 5_000, "says"),
    ],
)
def test_what_nobody_understands_means_stopped(tmp_path: Path, text: bytes, words: str) -> None:
    (tmp_path / "state").write_bytes(text)
    said = KillSwitch(tmp_path).word()
    assert said is not None
    assert (said.state, said.who) == (STOPPED, "file state")
    assert words in said.why
    assert "none of paused, reduce-only, stopped: stopped until polystra arm" in said.why
    assert len(said.why) < 300


def test_a_file_that_cannot_be_read_means_stopped(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    said = KillSwitch(tmp_path).word()
    assert said is not None
    assert said.state is STOPPED
    assert "the file state cannot be read (Is a directory)" in said.why


def test_what_will_hold_is_known_before_a_trader_has_read_it(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    assert switch.commanded() is None
    switch.arm(GO_ON)
    assert switch.commanded() == Word(state=ARMED, who="bob", why="looked at it", at=Instant(9))
    assert switch.take_arm_word() == GO_ON, "the question took nothing"
    switch.restrict(CLOSE)
    assert switch.commanded() == CLOSE


def test_a_folder_that_is_not_there_cannot_be_paused(tmp_path: Path) -> None:
    with pytest.raises(SwitchStuck, match="cannot be written"):
        KillSwitch(tmp_path / "absent").restrict(LUNCH)


def test_what_cannot_be_taken_away_is_told(tmp_path: Path) -> None:
    (tmp_path / "stop").mkdir()
    with pytest.raises(SwitchStuck, match="stop: cannot be taken away"):
        KillSwitch(tmp_path).arm(GO_ON)
    assert not (tmp_path / "arm").exists(), "or it would arm once `stop` is taken away by hand"


def test_a_word_to_arm_that_cannot_be_taken_back_is_told(tmp_path: Path) -> None:
    (tmp_path / "arm").mkdir()
    with pytest.raises(SwitchStuck, match="arm: cannot be taken away"):
        KillSwitch(tmp_path).restrict(LUNCH)
    with pytest.raises(SwitchStuck, match="arm: cannot be written"):
        KillSwitch(tmp_path).arm(GO_ON)


def test_each_change_is_heard_once(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    watch, told = watched(switch)
    for deed in (
        lambda: switch.restrict(LUNCH),
        lambda: switch.restrict(CLOSE),
        lambda: switch.throw(STOP),
        lambda: switch.arm(GO_ON),
        lambda: switch.restrict(LUNCH),
    ):
        deed()
        watch.look()
        watch.look()
    assert [event.state for event in told] == [PAUSED, TradingState.REDUCE_ONLY, STOPPED, ARMED, PAUSED]
    assert [event.who for event in told] == ["ann", "bob", "ann", "bob", "ann"]


def test_a_file_state_that_got_lost_arms_nobody(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.restrict(LUNCH)
    watch, told = watched(switch)
    watch.look()
    (tmp_path / "state").unlink()
    watch.look()
    again, retold = watched(switch, PAUSED)
    again.look()
    assert ([event.state for event in told], retold) == ([PAUSED], [])
