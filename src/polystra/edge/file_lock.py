"""The right to something that only one process may have: a file that the operating system locks while its owner lives.

What the owner writes into it tells others who it is. The file is emptied on release but never deleted, or two processes
could each lock a file of that name. Words in a file that nobody locks were left by a process that died.
"""

import fcntl
import os
from pathlib import Path

from polystra.core.errors import PolystraError

MOST_BYTES = 8192
"""Of the words: room for a path of the greatest length."""


class Held(PolystraError):
    """Another process, or this one, has the lock; `words` are its own, empty when it has not written them yet."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class FileLock:
    """A lock that is held from now on until `release`, or the end of the process however it ends. Mutable.

    `left` is what an owner that died had written, empty when the last one let go in order. Raises `Held`, and `OSError`
    where the file cannot be made.
    """

    def __init__(self, path: Path, words: str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Held(self._read()) from None
            self.left = self._read()
            self._write(words)
        except BaseException:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Released again does nothing."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1

    def _read(self) -> str:
        return os.pread(self._file, MOST_BYTES, 0).decode("utf-8", "replace").strip()

    def _write(self, words: str) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{words}\n".encode(), 0)
