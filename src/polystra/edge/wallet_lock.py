"""Keeps two processes from trading one wallet: each would count the other's orders and fills as drift.

The lock is a file for each wallet and venue in one folder of the user, wherever the ledgers are. It holds for this
machine only: a second machine with the same key is not seen.
"""

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import msgspec
from msgspec import Struct

from polystra.core.errors import PolystraError
from polystra.core.units import Instant
from polystra.edge.file_lock import FileLock, Held
from polystra.edge.polymarket.addresses import Address

_VARIABLE = "XDG_STATE_HOME"


class WalletBusy(PolystraError):
    """Another process trades this wallet; the message names it."""


class LocksUnavailable(PolystraError):
    """The folder of locks cannot be used, so that nobody knows who else trades the wallet."""


class Holder(Struct, frozen=True, kw_only=True):
    """The process that has, or had, a wallet. `data` is the folder of its ledger."""

    pid: int
    host: str
    data: str
    started_at: Instant

    def __str__(self) -> str:
        began = datetime.fromtimestamp(self.started_at // 10**9, UTC)
        return f"process {self.pid} on {self.host}, started {began:%Y-%m-%d %H:%M:%S} UTC, data folder {self.data}"


class WalletLock:
    """The right to trade a wallet at a venue, until `release`; a process that is killed gives it up. A context manager.

    `venue` is the host of its CLOB, with the port where that tells two apart. `crashed` is the process that died with
    this lock, None when the last one ended in order or its words cannot be read. Raises `WalletBusy` and
    `LocksUnavailable`.
    """

    def __init__(self, wallet: Address, venue: str, folder: Path, *, data: Path, at: Instant) -> None:
        _make(folder)
        self.path = folder / f"{wallet.lower()}@{quote(venue, safe='')}.lock"
        place = os.fsencode(data.resolve()).decode("utf-8", "replace")
        me = Holder(pid=os.getpid(), host=socket.gethostname(), data=place, started_at=at)
        try:
            self._lock = FileLock(self.path, msgspec.json.encode(me).decode())
        except Held as held:
            raise WalletBusy(
                f"wallet {wallet} at {venue} is traded by {_holder(held.words) or 'an unknown process'}: "
                "stop that process, or trade another wallet"
            ) from None
        except OSError as error:
            raise _unavailable(self.path, error) from error
        self.crashed = _holder(self._lock.left)

    def release(self) -> None:
        """Released again does nothing."""
        self._lock.release()

    def __enter__(self) -> "WalletLock":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def lock_folder(environment: Mapping[str, str]) -> Path:
    """`polystra/locks` where this user's programs keep their state; one folder for all data folders.

    Raises `LocksUnavailable` when the environment does not say where that is.
    """
    state, home = environment.get(_VARIABLE, ""), environment.get("HOME", "")
    if Path(state).is_absolute():  # the XDG specification: a relative one is ignored
        return Path(state, "polystra", "locks")
    if not home:
        raise LocksUnavailable(f"neither {_VARIABLE} nor HOME is set: set {_VARIABLE} to a folder of this user")
    return Path(home, ".local", "state", "polystra", "locks")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unavailable(folder, error) from error


def _unavailable(path: Path, error: OSError) -> LocksUnavailable:
    return LocksUnavailable(
        f"{path}: {error.strerror}: let this user write there, or set {_VARIABLE} to a folder where it may"
    )


def _holder(words: str) -> Holder | None:
    try:
        return msgspec.json.decode(words, type=Holder)
    except msgspec.DecodeError:
        return None
