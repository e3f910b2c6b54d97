"""Keeps what the engine saw and what it decided, in one append-only file.

    file    = magic (8 bytes) . format (u16) . record of the head . records
    record  = length (u32) . crc32 of the payload (u32) . payload (msgpack)          all numbers little-endian

An event is a record of its own; a step that commanded or noted something is another, with the sequence number of its
event. There is no wall-clock time, path or process id in it: the same run writes the same bytes, so a journal's
`digest` names the run.

A crash can cut the file anywhere. What is lost then is the record that was being written, and the reader says so
(`torn`). A bad record with a whole one after it is no crash but damage, and is refused.
"""

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TypeAlias

import msgspec
from msgspec import Struct

from polystra.core.commands import AnyCommand
from polystra.core.events import AnyEvent
from polystra.core.notes import AnyNote
from polystra.edge.store.durability import Durability
from polystra.edge.store.errors import JournalDamaged, JournalExists, JournalTooNew, JournalUnavailable, NotAJournal

MAGIC = b"PLYSTRA\n"
FORMAT = 1
FLUSH_BYTES = 64 * 1024

_PREFIX = struct.Struct("<8sH")
_FRAME = struct.Struct("<II")


class JournalHead(Struct, frozen=True, gc=False, kw_only=True):
    """What a replay must have alike to give the same commands. Digests are hex text, empty where there is none."""

    version: str
    mode: str
    strategy: str
    seed: int = 0
    settings_digest: str = ""
    strategy_digest: str = ""
    calibration_digest: str = ""
    tape_digest: str = ""
    settings: str = ""


class Seen(Struct, frozen=True, gc=False, array_like=True, tag="e"):
    """An event as the engine got it."""

    seq: int
    event: AnyEvent


class Decided(Struct, frozen=True, gc=False, array_like=True, tag="s"):
    """What the engine made of event `seq`."""

    seq: int
    commands: tuple[AnyCommand, ...]
    notes: tuple[AnyNote, ...]


Record: TypeAlias = Seen | Decided

_encode = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(Record).decode  # type: ignore[arg-type, unused-ignore]
_decode_head = msgspec.msgpack.Decoder(JournalHead).decode


class Journal:
    """An open journal; mutable, with one owner. Sequence numbers count events from 1.

    Records are buffered: 64 KiB, `flush` or `close` hands them to the operating system, which is enough to survive the
    death of the process. Flush before an intent is committed, and at least every 50 ms. With FULL each flush also
    reaches the disk.
    """

    path: Path
    seq: int
    _file: int

    def __init__(self, path: Path, head: JournalHead, *, durable: Durability = Durability.NORMAL) -> None:
        """Begins a new journal; raises `JournalExists`, and `JournalUnavailable` where it cannot be written."""
        self._open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, seq=0, size=0, durable=durable)
        self._buffer += _PREFIX.pack(MAGIC, FORMAT)
        self._add(head)
        self.flush()

    @classmethod
    def reopen(cls, path: Path, *, durable: Durability = Durability.NORMAL) -> "Journal":
        """Goes on where a journal ended. A torn tail is cut off first, and kept in `<name>.torn`."""
        last = 0
        with read_journal(path) as reading:
            for record in reading:
                last = record.seq
        if reading.torn is not None:
            _cut(path, reading.end)
        journal = cls.__new__(cls)
        journal._open(path, os.O_WRONLY, seq=last, size=reading.end, durable=durable)
        return journal

    def append(self, event: AnyEvent) -> int:
        """Keeps an event, and returns its sequence number.

        Raises `JournalUnavailable` when a full buffer cannot be handed over; the event is in the buffer even so, its
        number is `seq`, and it must not be appended again.
        """
        self.seq += 1
        self._add(Seen(self.seq, event))
        return self.seq

    def append_step(self, seq: int, commands: Sequence[AnyCommand], notes: Sequence[AnyNote]) -> None:
        """Keeps what event `seq` led to; nothing, when it led to nothing."""
        if commands or notes:
            self._add(Decided(seq, tuple(commands), tuple(notes)))

    def flush(self) -> None:
        """Hands over everything appended so far; raises `JournalUnavailable` and keeps it buffered when that fails."""
        if not self._buffer:
            return
        try:
            self._write(self._buffer)
            if self._durable is Durability.FULL:
                os.fsync(self._file)
        except OSError as error:
            self._take_back()
            raise JournalUnavailable(
                f"{self.path}: could not write {len(self._buffer)} bytes ({error.strerror}): "
                "make room or repair the disk; nothing was lost yet"
            ) from error
        self._size += len(self._buffer)
        self._buffer.clear()

    def close(self) -> None:
        """Flushes and closes; closed again does nothing."""
        if self._file < 0:
            return
        try:
            self.flush()
        finally:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _open(self, path: Path, flags: int, *, seq: int, size: int, durable: Durability) -> None:
        self.path, self.seq = path, seq
        self._size, self._durable, self._buffer = size, durable, bytearray()
        try:
            self._file = os.open(path, flags, 0o600)
        except FileExistsError:
            raise JournalExists(f"{path} exists: reopen it, or begin the journal under another name") from None
        except OSError as error:
            raise JournalUnavailable(
                f"{path}: {error.strerror}: create the folder, or let this user write to it"
            ) from error

    def _add(self, record: Record | JournalHead) -> None:
        payload = _encode(record)
        self._buffer += _FRAME.pack(len(payload), zlib.crc32(payload))
        self._buffer += payload
        if len(self._buffer) >= FLUSH_BYTES:
            self.flush()

    def _write(self, data: bytearray) -> None:
        """Always from the end of what is whole, so that a half-written record is overwritten by the next try."""
        at = self._size
        with memoryview(data) as left:
            while at - self._size < len(left):
                at += os.pwrite(self._file, left[at - self._size :], at)

    def _take_back(self) -> None:
        """Cuts the file back to where it was whole. Where even that fails, it has a torn tail and no worse."""
        with suppress(OSError):
            os.ftruncate(self._file, self._size)


class Reading:
    """A journal being read, record by record.

    Known when the records are exhausted: `end`, the offset behind the last whole record, and `torn`, what a crash cut
    off there, in words; None when the file ends whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _opened(path)
        try:
            self._size = self._file.seek(0, os.SEEK_END)
            self._file.seek(0)
            self.torn: str | None = None
            self.head = self._read_head()
            self.end = self._file.tell()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Record]:
        """Whole records in order. Raises `JournalDamaged` at the first one that is bad but not the end of the file."""
        last = 0
        while self.end < self._size:
            payload = self._payload()
            if payload is None:
                self._take_as_torn()
                return
            try:
                record = _decode_record(payload)
            except msgspec.DecodeError as error:
                raise self._damaged(f"the record there is whole but unknown to this version ({error})") from error
            if record.seq != last + (1 if type(record) is Seen else 0):
                raise self._damaged(f"event {record.seq} follows event {last}")
            last = record.seq
            yield record
            self.end = self._file.tell()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _read_head(self) -> JournalHead:
        if self._size == 0:
            raise NotAJournal(f"{self.path} is empty: the run died before it began; delete the file")
        prefix = self._file.read(_PREFIX.size)
        magic, version = _PREFIX.unpack(prefix) if len(prefix) == _PREFIX.size else (prefix[:8], FORMAT)
        if magic != MAGIC:
            raise NotAJournal(f"{self.path} is not a journal: it begins with {magic!r}, not {MAGIC!r}")
        if version != FORMAT:
            raise JournalTooNew(f"{self.path} has format {version}, this version reads {FORMAT}: use a newer Polystra")
        self.end = len(prefix)
        payload = self._payload()
        if payload is None:
            raise self._damaged("the head is not whole")
        return _decode_head(payload)

    def _payload(self) -> bytes | None:
        """The next record's payload; None when it is not whole."""
        frame = self._file.read(_FRAME.size)
        if len(frame) < _FRAME.size:
            return None
        length, crc = _FRAME.unpack(frame)
        if length == 0 or length > self._size - self.end - _FRAME.size:
            return None
        payload = self._file.read(length)
        return payload if zlib.crc32(payload) == crc else None

    def _take_as_torn(self) -> None:
        self._file.seek(self.end)
        tail = self._file.read()
        later = _whole_record_in(tail)
        if later is not None:
            raise self._damaged(f"a whole record follows at byte {self.end + later}")
        self.torn = f"{self.path}: torn at byte {self.end}, {len(tail)} bytes of an unfinished record dropped"

    def _damaged(self, why: str) -> JournalDamaged:
        return JournalDamaged(
            f"{self.path}: damaged at byte {self.end} of {self._size}: {why}; take the file from a backup"
        )


def read_journal(path: Path) -> Reading:
    """Opens a journal for reading: `reading.head`, then iterate, then `reading.torn`.

    Raises `NotAJournal`, `JournalTooNew` and, for a damaged head, `JournalDamaged`.
    """
    return Reading(path)


def digest(path: Path) -> str:
    """The sha256 of the whole file in hex: the name of the run."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise NotAJournal(f"{path} cannot be read ({error.strerror}): name the journal of a run") from error


def _whole_record_in(tail: bytes) -> int | None:
    """Where in a tail that begins with a bad record a whole one begins, which a mere crash cannot leave behind."""
    for start in range(1, len(tail) - _FRAME.size):
        length, crc = _FRAME.unpack_from(tail, start)
        end = start + _FRAME.size + length
        if length > 0 and end <= len(tail) and zlib.crc32(tail[start + _FRAME.size : end]) == crc:
            return start
    return None


def _cut(path: Path, end: int) -> None:
    """Moves everything from `end` on to `<name>.torn`, behind what an earlier crash left there."""
    with path.open("r+b") as file, path.with_name(path.name + ".torn").open("ab") as kept:
        file.seek(end)
        kept.write(file.read())
        kept.flush()
        file.truncate(end)
