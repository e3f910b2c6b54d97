"""Makes an exchange again from its log: every input at its moment, every output compared with what was logged.

So a killed exchange goes on where it was, with the orders in their taker hold and the trades on their way to
settlement, and each restart proves anew that the same inputs give the same exchange. Streams and requests that were
open are gone, as with any server that dies.
"""

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from polystra.app.exchange_log import Did, Ended, ExchangeLog, Header, Line, LogUnusable, is_kept
from polystra.app.playback import Playback
from polystra.core.errors import PolystraError
from polystra.core.units import Instant
from polystra.exchange.inputs import Input, Played
from polystra.exchange.pace import SteppedClock
from polystra.exchange.venue import Venue
from polystra.sim import messages as sim

_HOUR = 3_600_000_000_000

_FIX = "the program or a recording is another one than the log was written with; go on with those, or give another file"


class LogDiffers(PolystraError):
    """The same inputs gave something else than what was logged."""


def check_header(path: Path, kept: Header, ours: Header) -> None:
    """Raises `LogUnusable` naming the first thing in which an exchange to be put up differs from the logged one."""
    fixes = {
        "format": "go on with the version that wrote it",
        "seed": f"give --seed {kept.seed}",
        "mode": "give --recorded-time and --speed as before",
        "speed": f"give --speed {kept.speed:g}",
        "recordings": "give --data, --windows, --scenario or --series as before",
        "ahead": f"give --ahead {kept.ahead / _HOUR:g}",
        "accounts": f"give --accounts {kept.accounts}",
        "signature_types": f"give --signature-types {','.join(str(one) for one in kept.signature_types)}",
    }
    pairs: dict[str, tuple[Any, Any, str]] = {
        name: (getattr(kept, name), getattr(ours, name), fix) for name, fix in fixes.items()
    }
    for name in sorted({*kept.simulation, *ours.simulation}):
        then, now = kept.simulation.get(name), ours.simulation.get(name)
        pairs[f"simulation.{name}"] = (then, now, f"set it to {then}, or leave it out if it is null")
    for name, (then, now, fix) in pairs.items():
        if then != now:
            raise LogUnusable(f"{path}: {name} is {then} in the log and {now} now: {fix}, or give another file")


def rebuild(log: ExchangeLog, venue: Venue, playback: Playback, clock: SteppedClock) -> None:
    """Acts on all that is in the log, and leaves the clock, which must be the venue's, at its last moment.

    What a killed exchange had done but not said yet is said in the log now, where the venue's record is from now on.
    Raises `LogDiffers` and `LogUnusable`.
    """
    redone = _Redone()
    venue.keep(redone)
    for number, line in log.lines():
        if number == 1:
            continue
        clock.move_to(max(clock.now(), line_at(line)))
        try:
            _redo(line, venue, playback, redone)
        except _Differs as differs:
            raise LogDiffers(f"{log.path} line {number}: {differs}: {_FIX}") from None
    venue.keep(log)
    for output in redone.made:
        log.did(output)


def line_at(line: Line) -> Instant:
    return line.begin if isinstance(line, Header) else line.at


class _Differs(Exception):
    """In words."""


class _Redone:
    """The record of a venue that is made again: what it says must be in the log."""

    def __init__(self) -> None:
        self.made: deque[sim.Output] = deque()

    def took(self, one: Input) -> None:
        """The log has it already."""

    def did(self, output: sim.Output) -> None:
        if is_kept(output):
            self.made.append(output)


def _redo(line: Line, venue: Venue, playback: Playback, redone: _Redone) -> None:
    match line:
        case Header():
            raise _Differs("a second header")
        case Did():
            if not redone.made:
                venue.advance()
            made = redone.made.popleft() if redone.made else None
            if made != line.did:
                raise _Differs(f"logged is {_shown(line.did)}, made again {_shown(made)}")
        case Ended():
            truth = venue.current().truth()
            _refuse_unlogged(redone.made)
            if truth != line.truth:
                raise _Differs("the truth is another one when made again")
        case Played():
            _refuse_unlogged(redone.made)
            if playback.over:
                raise _Differs("the recordings take a step, but they are over")
            playback.step()
        case _:
            _refuse_unlogged(redone.made)
            venue.redo(line)


def _refuse_unlogged(made: Iterable[sim.Output]) -> None:
    for output in made:
        raise _Differs(f"before it {_shown(output)} is missing, which was made again")


def _shown(output: sim.Output | None) -> str:
    return "nothing" if output is None else msgspec.json.encode(output).decode()
