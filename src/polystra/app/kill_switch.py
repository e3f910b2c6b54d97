"""The kill switch of a run: a file `stop` in its folder. While it is there no order leaves.

Whoever throws it needs neither the ledger nor a trader that still moves: a file is enough, and `touch stop` does. It is
taken away by `polystra arm`, which leaves a word of its own, the file `arm`: a file that got lost arms nobody. The
trader takes that word when it arms itself. While both are there, `stop` wins.
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

LOOK_EVERY: Final = 0.5
"""Seconds of the machine's time between two looks for the files; the outbox looks before each placement besides."""

MOST_WORDS = 500
"""Bytes of a file that are read and kept in the ledger."""


class SwitchStuck(PolystraError):
    """A file of the kill switch could not be written or taken away."""


class Instruction(Struct, frozen=True, kw_only=True):
    """Who wants trading to stop or to go on, why, and since when by the machine's clock."""

    who: str
    why: str
    at: Instant = Instant(0)


class KillSwitch:
    """The files of one folder."""

    def __init__(self, folder: Path) -> None:
        self._stop = folder / STOP
        self._arm = folder / ARM

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
        """False when it was thrown already: the first words stay. On a full disk the file may be empty, which stops as
        well. Raises `SwitchStuck`."""
        try:
            file = os.open(self._stop, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        except OSError as error:
            raise SwitchStuck(f"{self._stop}: cannot be written ({error.strerror}): name the folder of a run") from None
        try:
            with suppress(OSError):
                os.write(file, msgspec.json.encode(given) + b"\n")
                os.fsync(file)
                self._arm.unlink(missing_ok=True)
        finally:
            os.close(file)
        return True

    def stop_word(self) -> Instruction | None:
        """What the file `stop` says; None when there is none."""
        return _read(self._stop) if self.thrown else None

    def arm(self, given: Instruction) -> Instruction | None:
        """Takes the file `stop` away, and says what it said; None when it was not there. Raises `SwitchStuck`."""
        said = self.stop_word()
        try:
            written = self._arm.with_name(f"{ARM}.new")
            written.write_bytes(msgspec.json.encode(given) + b"\n")
            written.replace(self._arm)
            self._stop.unlink(missing_ok=True)
        except OSError as error:
            raise SwitchStuck(f"{self._arm}: cannot be written ({error.strerror}): name the folder of a run") from None
        return said

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
    """Tells the engine of the switch, each change once. Mutable. `state` is what the trader starts from."""

    def __init__(self, switch: KillSwitch, put: Callable[[TradingStateSet], None], state: TradingState) -> None:
        self._switch = switch
        self._put = put
        self._stopped = state is TradingState.STOPPED

    def look(self) -> None:
        said = self._switch.stop_word()
        if said is not None:
            if not self._stopped:
                self._tell(TradingState.STOPPED, said)
        elif (said := self._switch.take_arm_word()) is not None:
            self._tell(TradingState.ARMED, said)

    async def keep_looking(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()

    def _tell(self, state: TradingState, said: Instruction) -> None:
        self._stopped = state is TradingState.STOPPED
        self._put(TradingStateSet(at=Instant(0), state=state, who=said.who, why=said.why))


def _read(path: Path) -> Instruction:
    """Whatever a person wrote into the file is the reason; a file that is empty or unreadable says enough."""
    words = b""
    with suppress(OSError), path.open("rb") as file:
        words = file.read(MOST_WORDS)
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(words, type=Instruction)
    text = words.decode("utf-8", "replace").strip()
    return Instruction(who=f"file {path.name}", why=text or f"the file {path.name} is there")
