"""The pretend exchange's own log, a line of JSON each: what it was asked, what it did about money, and the truth.

Written by the world around the exchange, never by the trader, so that anybody can recompute the totals without
believing either. The recordings are not copied: their rows and the public stream are left out.

An exchange in a process of its own writes more: a header, and *every* input before it acts on it (`exchange.inputs`;
of a recording only that it took its next step). So `app.rebuild` can make it again, and the lines about what it did
prove that it is the same one. Each line is one write to the system: a kill loses nothing that was acted on, and a line
that was torn by it was never acted on.
"""

import errno
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import msgspec
from msgspec import Struct

from polystra.app.exchange_clock import TimeMode
from polystra.core.errors import PolystraError
from polystra.core.units import Instant, Nanos
from polystra.exchange.inputs import Asked, Input
from polystra.sim import messages as sim
from polystra.sim.records import Truth

FORMAT = 1

_BACKGROUND = (sim.SetBook, sim.ChangeLevels, sim.PrintTrade, sim.SetTick, sim.Publish)
_STREAMED = (sim.PublicBook, sim.PublicLevels, sim.PublicTrade, sim.PublicTick)


class LogUnusable(PolystraError):
    """A log on which this exchange cannot go on."""


class Header(Struct, frozen=True, kw_only=True, tag_field="kind", tag="header"):
    """The first line: all that an exchange is made of besides its inputs.

    `begin` is its first moment. `origin` is `edge.clock.monotonic` at that moment where recorded time runs at a speed,
    and `recordings` the digest of the rows that play. `simulation` are the settings of that section. `ahead` is how
    long before its start a window is announced.
    """

    format: int = FORMAT
    version: str
    seed: int
    mode: TimeMode
    speed: float
    begin: Instant
    origin: int
    recordings: str
    accounts: int
    signature_types: tuple[int, ...]
    simulation: Mapping[str, object]
    ahead: Nanos = Nanos(0)


class Did(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="did"):
    at: Instant
    did: sim.Output


class Ended(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="ended"):
    """Everything as it stood when the exchange ended in order."""

    at: Instant
    truth: Truth


Line: TypeAlias = Header | Input | Did | Ended


class ExchangeLog:
    """Appends to a file; with no path it keeps nothing. Mutable. `torn` bytes of a last line were cut off."""

    def __init__(self, path: Path | None) -> None:
        """Empties a file that is there. Raises `LogUnusable` while another process has it."""
        self._path = path
        self._file = -1 if path is None else _opened(path)
        self._length = 0
        self.torn = 0
        self._encode = msgspec.json.Encoder().encode
        self._cut_to(0)

    @classmethod
    def resumed(cls, path: Path) -> "ExchangeLog":
        """A log that goes on behind what is there, without a torn last line. Raises `LogUnusable`."""
        log = cls(None)
        log._path, log._file = path, _opened(path)
        whole = _whole(path)
        log.torn = path.stat().st_size - whole
        log._cut_to(whole)
        return log

    # --- what happens

    def asked(self, request: sim.Request, at: Instant) -> None:
        """A request in a world whose recordings are played beside this log."""
        if not isinstance(request, _BACKGROUND):
            self._write(Asked(at=at, asked=request))

    def took(self, one: Input) -> None:
        self._write(one)

    def did(self, output: sim.Output) -> None:
        if is_kept(output):
            self._write(Did(at=output.at, did=output))

    def ended(self, truth: Truth, at: Instant) -> None:
        """The last line, until the exchange goes on."""
        self._write(Ended(at=at, truth=truth))
        self.close()

    def begin(self, header: Header) -> None:
        self._write(header)

    # --- what is there

    def header(self) -> Header | None:
        """None for a log that is empty. Raises `LogUnusable` for one that no exchange process began."""
        for _, line in self.lines():
            if isinstance(line, Header):
                return line
            break
        else:
            return None
        raise LogUnusable(f"{self._path} line 1: no header, so it is no exchange's input log: give another file")

    def lines(self) -> Iterator[tuple[int, Line]]:
        """All lines, numbered from 1. Raises `LogUnusable` for one that cannot be read."""
        if self._path is None:
            return
        with self._path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                try:
                    line = _line(raw)
                except msgspec.DecodeError as error:
                    raise LogUnusable(f"{self._path} line {number}: {error}: give another file") from None
                yield number, line

    # --- its file

    @property
    def path(self) -> Path | None:
        return self._path

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> "ExchangeLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _cut_to(self, length: int) -> None:
        self._length = length
        if self._file >= 0:
            os.ftruncate(self._file, length)

    def _write(self, line: Line) -> None:
        """Whole or not at all; raises `OSError` when the disk is full, before anything was acted on."""
        if self._file < 0:
            return
        raw = self._encode(line) + b"\n"
        try:
            if os.write(self._file, raw) < len(raw):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        except OSError:
            self._cut_to(self._length)
            raise
        self._length += len(raw)


def is_kept(output: sim.Output) -> bool:
    """Whether an output is about money or about what shares pay, and not just news of the market."""
    return not isinstance(output, _STREAMED)


def _opened(path: Path) -> int:
    """The file to append to, for this process alone."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LogUnusable(f"{path}: {error.strerror}: give a file that can be written") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise LogUnusable(f"{path}: another exchange writes it: stop that one, or give another file") from None
    return file


def _whole(path: Path) -> int:
    """How many bytes are whole lines."""
    with path.open("rb") as file:
        return sum(len(raw) for raw in file if raw.endswith(b"\n"))


_line = msgspec.json.Decoder(Line).decode
