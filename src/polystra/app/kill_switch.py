"""What a person allows a run to do: files in its folder, which need neither the ledger nor a trader that still moves.

`stop` is the kill switch: while it is there no order leaves, whatever is in it; `touch stop` does. `state` says
`paused`, `reduce-only` or `stopped`; what cannot be read, or says anything else, means stopped. Both stand until
`polystra arm` takes them away, which leaves a word of its own, the file `arm`: a file that got lost arms nobody. The
trader takes that word when it arms itself. `stop` wins over `state`, and either takes back an `arm` beside it.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from polystra.core.errors import PolystraError
from polystra.core.events import TradingState, TradingStateSet
from polystra.core.units import Instant

STOP = "stop"
ARM = "arm"
STATE = "state"

BY_FILE: Final = (TradingState.PAUSED, TradingState.REDUCE_ONLY, TradingState.STOPPED)
"""What the file `state` may say. Nobody is armed by a file that stands."""

LOOK_EVERY: Final = 0.5
"""Seconds of the machine's time between two looks for the files; the outbox looks before each placement besides."""

MOST_WORDS = 2_000
"""Bytes of a file that are read and kept in the ledger."""

_QUOTED = 60
"""Characters that are repeated of a file that nobody understands."""


class SwitchStuck(PolystraError):
    """A file by which a person commands could not be written or taken away."""


class StillStopped(PolystraError):
    """A person asked for something milder while a stop holds, which only arming lifts."""


class Instruction(Struct, frozen=True, kw_only=True):
    """Who wants trading to stop or to go on, why, and since when by the machine's clock."""

    who: str
    why: str
    at: Instant = Instant(0)


class Word(Struct, frozen=True, kw_only=True):
    """What the files say that holds, by whom and why."""

    state: TradingState
    who: str
    why: str
    at: Instant = Instant(0)


class KillSwitch:
    """The files of one folder."""

    def __init__(self, folder: Path) -> None:
        self._stop = folder / STOP
        self._arm = folder / ARM
        self._state = folder / STATE

    @property
    def thrown(self) -> bool:
        """Also where the folder cannot be looked into any more: whoever cannot see the file must not trade."""
        try:
            self._stop.stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def throw(self, given: Instruction) -> bool:
        """False when it was thrown already: the first words stay. A word to arm that nobody heard is taken back either
        way. On a full disk the file may be empty, which stops as well. Raises `SwitchStuck`."""
        try:
            file = os.open(self._stop, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            with suppress(OSError):
                self._arm.unlink(missing_ok=True)
            return False
        except OSError as error:
            raise _unwritten(self._stop, error) from None
        try:
            with suppress(OSError):
                os.write(file, msgspec.json.encode(given) + b"\n")
                os.fsync(file)
                self._arm.unlink(missing_ok=True)
                self._state.unlink(missing_ok=True)
        finally:
            os.close(file)
        return True

    def stop_word(self) -> Instruction | None:
        """What the file `stop` says; None when there is none."""
        return _read(self._stop) if self.thrown else None

    def word(self) -> Word | None:
        """What holds by the files; None when a person forbids nothing."""
        stop = self.stop_word()
        if stop is not None:
            return Word(state=TradingState.STOPPED, who=stop.who, why=stop.why, at=stop.at)
        return _read_state(self._state)

    def commanded(self) -> Word | None:
        """What holds by the files, or will once a trader has read the word to arm; None when they say nothing."""
        said = self.word()
        if said is not None or not self._arm.exists():
            return said
        given = _read(self._arm)
        return Word(state=TradingState.ARMED, who=given.who, why=given.why, at=given.at)

    def restrict(self, word: Word) -> Word | None:
        """From now on `word` holds, and nothing that was said before; says what that was. Where the same held already
        the first words stay. Raises `StillStopped` for something milder than a stop that holds, and `SwitchStuck`."""
        before = self.word()
        if before is not None and before.state is TradingState.STOPPED and word.state is not before.state:
            path = self._stop if self.thrown else self._state
            why = f"{path}: stopped by {before.who} ({before.why})"
            raise StillStopped(f"{why}: {word.state} would lift that. polystra arm first, then say it again")
        if before is None or before.state is not word.state:
            _put_in_place(_prepare(self._state, word), self._state)
        _take_away(self._arm)
        return before

    def arm(self, given: Instruction) -> Word | None:
        """Takes the files `stop` and `state` away, and says what held by them; None when neither was there.

        The word to arm is ready before they go, and there after them: beside them it would count as an older one.
        Raises `SwitchStuck`."""
        before = self.word()
        ready = _prepare(self._arm, given)
        _take_away(self._stop)
        _take_away(self._state)
        _put_in_place(ready, self._arm)
        return before

    def take_arm_word(self) -> Instruction | None:
        """What the file `arm` says, which is taken away by this; None when there is none, or it stays."""
        if not self._arm.exists():
            return None
        said = _read(self._arm)
        try:
            self._arm.unlink()
        except OSError:
            return None
        return said


class Watch:
    """Tells the engine what holds by the files, each change once. Mutable. `state` is what the trader starts from."""

    def __init__(self, switch: KillSwitch, put: Callable[[TradingStateSet], None], state: TradingState) -> None:
        self._switch = switch
        self._put = put
        self._told = state

    def look(self) -> None:
        """A word to arm is taken before the others are read: one beside them is older, and arms nobody."""
        given = self._switch.take_arm_word()
        said = self._switch.word()
        if said is not None:
            if said.state is not self._told:
                self._tell(said)
        elif given is not None:
            self._tell(Word(state=TradingState.ARMED, who=given.who, why=given.why))

    async def keep_looking(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()

    def _tell(self, said: Word) -> None:
        self._told = said.state
        self._put(TradingStateSet(at=Instant(0), state=said.state, who=said.who, why=said.why))


def _read(path: Path) -> Instruction:
    """Whatever a person wrote into the file is the reason; a file that is empty or unreadable says enough."""
    words = b""
    with suppress(OSError), path.open("rb") as file:
        words = file.read(MOST_WORDS)
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(words, type=Instruction)
    text = words.decode("utf-8", "replace").strip()
    return Instruction(who=f"file {path.name}", why=text or f"the file {path.name} is there")


def _read_state(path: Path) -> Word | None:
    """As `polystra pause` writes it, or by hand: one of the words, and behind it why."""
    try:
        with path.open("rb") as file:
            words = file.read(MOST_WORDS)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _not_understood(path, f"cannot be read ({error.strerror})")
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        word = msgspec.json.decode(words, type=Word)
        return word if word.state in BY_FILE else _not_understood(path, f"says {word.state}")
    text = words.decode("utf-8", "replace").strip()
    first, *rest = text.split(maxsplit=1) or [""]
    if first not in BY_FILE:
        return _not_understood(path, f'says "{text[:_QUOTED]}"')
    return Word(state=TradingState(first), who=f"file {path.name}", why=" ".join(rest) or f"the file says {first}")


def _not_understood(path: Path, what: str) -> Word:
    why = f"the file {path.name} {what}, which is none of {', '.join(BY_FILE)}: stopped until polystra arm"
    return Word(state=TradingState.STOPPED, who=f"file {path.name}", why=why)


def _prepare(path: Path, said: Instruction | Word) -> Path:
    """Writes it whole beside `path`, where it says nothing yet. Raises `SwitchStuck`."""
    written = path.with_name(f"{path.name}.new")
    try:
        with written.open("wb") as file:
            file.write(msgspec.json.encode(said) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unwritten(path, error) from None
    return written


def _put_in_place(written: Path, path: Path) -> None:
    try:
        written.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from None


def _unwritten(path: Path, error: OSError) -> SwitchStuck:
    return SwitchStuck(f"{path}: cannot be written ({error.strerror}): name the folder of a run")


def _take_away(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SwitchStuck(f"{path}: cannot be taken away ({error.strerror}): remove it by hand, then again") from None
