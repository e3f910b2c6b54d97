"""The pretend exchange's own log: what it was asked and what it did about money, a line of JSON each.

Written by the world around the exchange, never by the trader, so that anybody can recompute the totals without
believing either. The recorded background and the public stream are left out: they are in the recordings.
"""

from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from polystra.core.units import Instant
from polystra.sim import messages as sim
from polystra.sim.records import Truth

_BACKGROUND = (sim.SetBook, sim.ChangeLevels, sim.PrintTrade, sim.SetTick, sim.Publish)
_PUBLIC = (sim.PublicBook, sim.PublicLevels, sim.PublicTrade, sim.PublicTick)


class ExchangeLog:
    """Appends to a file; with no path it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file: IO[bytes] | None = path.open("wb") if path is not None else None
        self._encode = msgspec.json.Encoder().encode

    def asked(self, request: sim.Request, at: Instant) -> None:
        if not isinstance(request, _BACKGROUND):
            self._write({"at": at, "asked": request})

    def did(self, output: sim.Output) -> None:
        if not isinstance(output, _PUBLIC):
            self._write({"at": output.at, "did": output})

    def ended(self, truth: Truth, at: Instant) -> None:
        """The last line: everything as it stands."""
        self._write({"at": at, "truth": truth})
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> "ExchangeLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _write(self, line: dict[str, object]) -> None:
        if self._file is not None:
            self._file.write(self._encode(line) + b"\n")
