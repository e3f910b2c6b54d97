"""What a person allows a run to do: armed, paused, reduce-only or stopped. Needs no ledger and no trader that moves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polystra.cli.errors import clearly
from polystra.cli.options import BadChoice, Folder, Json, print_json

if TYPE_CHECKING:
    from polystra.app.kill_switch import Instruction, Word
    from polystra.core.events import TradingState

LONGEST_WHY = 300
LONGEST_WHO = 60

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the record.")]
Who = Annotated[
    str | None,
    typer.Option("--who", metavar="NAME", help="Who says so; without it, the login name.", show_default=False),
]


@clearly
def pause(out: Folder, why: Why = "paused by hand", who: Who = None, as_json: Json = False) -> None:
    """Let a run open nothing: entries that rest are taken back, exits go on. Holds until polystra arm."""
    from polystra.core.events import TradingState

    _restrict(out, TradingState.PAUSED, instruction("pause", why, who), as_json=as_json)


@clearly
def reduce_only(out: Folder, why: Why = "reduce-only by hand", who: Who = None, as_json: Json = False) -> None:
    """Let a run sell what it holds, and nothing else. Holds until polystra arm."""
    from polystra.core.events import TradingState

    _restrict(out, TradingState.REDUCE_ONLY, instruction("reduce-only", why, who), as_json=as_json)


@clearly
def stop(out: Folder, why: Why = "stopped by hand", who: Who = None, as_json: Json = False) -> None:
    """Let a run place nothing, also no exit: the trader takes back all that rests. Holds until polystra arm.

    Nothing is asked of the exchange: where the trader may hang, cancel-all does the same and takes everything back
    itself.
    """
    from polystra.app.kill_switch import KillSwitch, Word
    from polystra.core.events import TradingState

    if not out.is_dir():
        raise BadChoice(f"{out} is no folder: name the folder of a run")
    given, switch = instruction("stop", why, who), KillSwitch(out)
    before = switch.word()
    switch.throw(given)
    word = Word(state=TradingState.STOPPED, who=given.who, why=given.why, at=given.at)
    _say(out, word, before, as_json=as_json)


@clearly
def arm(out: Folder, why: Why = "armed by hand", who: Who = None, as_json: Json = False) -> None:
    """Let a run trade again, whoever forbade it: a command, a file `stop` or `state`, or a broken disk."""
    from polystra.app.kill_switch import KillSwitch

    switch = KillSwitch(out)
    if not switch.thrown:
        _check_run(out)
    lifted = switch.arm(instruction("arm", why, who))
    at_work = _at_work(out)
    if as_json:
        print_json(
            {
                "was": lifted and lifted.state.value,
                "stopped_by": lifted and lifted.who,
                "stopped_why": lifted and lifted.why,
                "at_work": at_work,
            }
        )
        return
    was = "nothing was forbidden by a file" if lifted is None else f"taken away: {_told(lifted)}"
    print(f"{was}; the run is armed {'within a second' if at_work else 'when it is gone on with'}")


def instruction(command: str, why: str, who: str | None = None) -> "Instruction":
    """Who says what, now. Raises `BadChoice` for words that no record would show."""
    from polystra.app.kill_switch import Instruction
    from polystra.edge.clock import WallClock

    name = _user() if who is None else _checked("--who", who, LONGEST_WHO)
    return Instruction(who=f"{name}, polystra {command}", why=_checked("--why", why, LONGEST_WHY), at=WallClock().now())


def _restrict(out: Path, state: "TradingState", given: "Instruction", *, as_json: bool) -> None:
    from polystra.app.kill_switch import KillSwitch, Word

    _check_run(out)
    word = Word(state=state, who=given.who, why=given.why, at=given.at)
    _say(out, word, KillSwitch(out).restrict(word), as_json=as_json)


def _check_run(out: Path) -> None:
    from polystra.app.session import LEDGER

    if not (out / LEDGER).exists():
        raise BadChoice(f"{out} holds no run: name the folder of one")


def _say(out: Path, word: "Word", before: "Word | None", *, as_json: bool) -> None:
    """What holds now. The first words stay where the same held already."""
    again = before is not None and before.state is word.state
    holds, at_work = before if before is not None and again else word, _at_work(out)
    if as_json:
        print_json(
            {
                "state": holds.state.value,
                "who": holds.who,
                "why": holds.why,
                "was": before and before.state.value,
                "at_work": at_work,
            }
        )
        return
    was = "" if before is None or again else f", after {_told(before)}"
    when = "within a second" if at_work else "from its next start on: no trader is at work there"
    print(f"{holds.state}{' already' if again else ''}, by {holds.who} ({holds.why}){was}")
    print(f"this holds {when}, until polystra arm --out {out}")


def _told(word: "Word") -> str:
    from polystra.core.events import TradingState

    noun = "the stop" if word.state is TradingState.STOPPED else word.state.value
    return f"{noun} by {word.who} ({word.why})"


def _at_work(out: Path) -> bool:
    from polystra.app.status import is_at_work

    return is_at_work(out)


def _checked(option: str, text: str, longest: int) -> str:
    words = text.strip()
    if not words:
        raise BadChoice(f"{option} is empty: say it in words, or leave it out")
    if len(words) > longest:
        raise BadChoice(f"{option}: {len(words)} characters, at most {longest}: say it shorter")
    if not words.isprintable():
        raise BadChoice(f"{option} {words[:LONGEST_WHO]!r}: one line of plain text")
    return words


def _user() -> str:
    import os
    import pwd

    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
