"""One process trades a wallet: the second is told who the first is, and a dead one is in nobody's way."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from polystra.core.units import Instant
from polystra.edge.polymarket.addresses import Address, address_of
from polystra.edge.wallet_lock import Holder, LocksUnavailable, WalletBusy, WalletLock, lock_folder

WALLET, OTHER = address_of(b"\xab" * 20), address_of(b"\x22" * 20)
VENUE = "clob.polymarket.com"
AT = Instant(1_790_586_060_000_000_000)
NOBODY = 65534

HOLD = """
import sys
from pathlib import Path
from polystra.core.units import Instant
from polystra.edge.wallet_lock import WalletLock
wallet, venue, folder, data, at, end = sys.argv[1:]
lock = WalletLock(wallet, venue, Path(folder), data=Path(data), at=Instant(int(at)))
print("held", flush=True)
sys.stdin.read()
if end == "release":
    lock.release()
"""


def hold(folder: Path, data: Path, wallet: Address = WALLET, end: str = "release") -> subprocess.Popen[str]:
    """Another process that has the wallet."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, wallet, VENUE, str(folder), str(data), str(AT), end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "locks"


@pytest.fixture
def first(folder: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with hold(folder, tmp_path / "first") as process:
        yield process
        process.kill()


def take(folder: Path, wallet: Address = WALLET, venue: str = VENUE) -> WalletLock:
    return WalletLock(wallet, venue, folder, data=folder / "second", at=AT)


def busy(folder: Path) -> str:
    with pytest.raises(WalletBusy) as refused:
        take(folder)
    return str(refused.value)


# --- two processes ----------------------------------------------------------------------------------------------------


def test_a_second_process_is_refused_and_told_who_has_the_wallet_and_where(
    first: subprocess.Popen[str], folder: Path, tmp_path: Path
) -> None:
    said = busy(folder)
    assert f"wallet {WALLET} at {VENUE} is traded by process {first.pid} on {socket.gethostname()}" in said
    assert "started 2026-09-28 09:01:00 UTC" in said
    assert f"data folder {tmp_path / 'first'}" in said
    assert "stop that process, or trade another wallet" in said


def test_being_refused_takes_nothing_from_the_first(first: subprocess.Popen[str], folder: Path) -> None:
    assert f"process {first.pid} " in busy(folder)
    assert f"process {first.pid} " in busy(folder), "the first refusal left the words of the holder alone"


def test_another_wallet_and_another_venue_are_free(first: subprocess.Popen[str], folder: Path) -> None:
    with take(folder, wallet=OTHER), take(folder, venue="127.0.0.1:8137"), take(folder, venue="127.0.0.1:8138"):
        busy(folder)


def test_the_same_process_cannot_take_a_wallet_twice(folder: Path) -> None:
    with take(folder):
        assert f"process {os.getpid()} " in busy(folder)


def test_a_process_that_ended_in_order_leaves_the_wallet_free_and_nothing_to_say(
    first: subprocess.Popen[str], folder: Path
) -> None:
    first.communicate("")
    with take(folder) as lock:
        assert lock.crashed is None


# --- a process that died ----------------------------------------------------------------------------------------------


def test_a_wallet_is_free_after_kill_9_and_the_dead_process_is_named(
    first: subprocess.Popen[str], folder: Path, tmp_path: Path
) -> None:
    first.send_signal(signal.SIGKILL)
    first.wait()
    with take(folder) as lock:
        dead = Holder(pid=first.pid, host=socket.gethostname(), data=str(tmp_path / "first"), started_at=AT)
        assert lock.crashed == dead
        assert f"process {os.getpid()} " in busy(folder), "the words of the dead one are replaced"


def test_a_crash_is_said_once(first: subprocess.Popen[str], folder: Path) -> None:
    first.kill()
    first.wait()
    take(folder).release()
    with take(folder) as lock:
        assert lock.crashed is None


def test_a_process_that_ends_without_letting_go_counts_as_dead(folder: Path, tmp_path: Path) -> None:
    with hold(folder, tmp_path, end="forget") as process:
        process.communicate("")
    with take(folder) as lock:
        assert lock.crashed is not None
        assert lock.crashed.pid == process.pid


@pytest.mark.parametrize("left", [b"", b"123\n", b'{"pid": 1', b"\xff\xfe\x00", b"[]" * 9_000])
def test_a_stale_file_that_nobody_can_read_is_taken_over(folder: Path, left: bytes) -> None:
    take(folder).release()
    (file,) = folder.iterdir()
    file.write_bytes(left)
    with take(folder) as lock:
        assert lock.crashed is None
        assert f"process {os.getpid()} " in busy(folder)


def test_a_lock_that_is_held_but_cannot_be_read_is_still_held(first: subprocess.Popen[str], folder: Path) -> None:
    (file,) = folder.iterdir()
    file.write_bytes(b"gone")
    assert "traded by an unknown process" in busy(folder)


def test_released_again_does_nothing(folder: Path) -> None:
    lock = take(folder)
    lock.release()
    with take(folder):
        lock.release()
        busy(folder)


# --- the folder -------------------------------------------------------------------------------------------------------


def test_the_folder_of_locks_is_for_this_user_alone(folder: Path) -> None:
    with take(folder) as lock:
        assert folder.stat().st_mode & 0o077 == 0
        assert lock.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("venue", ["../../ledger", "/etc/passwd", "[::1]:80", "a b"])
def test_a_venue_of_any_name_stays_inside_the_folder(folder: Path, venue: str) -> None:
    with take(folder, venue=venue) as lock:
        assert lock.path.parent == folder
        assert list(folder.iterdir()) == [lock.path]


def test_an_address_is_the_same_wallet_however_it_is_written(folder: Path) -> None:
    with take(folder), pytest.raises(WalletBusy):
        take(folder, wallet=Address(WALLET.lower()))


def test_a_folder_that_cannot_be_made_is_refused_with_the_variable_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocksUnavailable, match="set XDG_STATE_HOME to a folder where it may"):
        take(tmp_path / "file" / "locks")


def test_a_folder_that_may_not_be_written_is_refused_with_the_variable_to_set() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        if os.geteuid() == 0:  # root may write anywhere
            os.seteuid(NOBODY)
        try:
            with pytest.raises(LocksUnavailable, match="Permission denied: let this user write there, or set XDG"):
                take(folder)
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
            folder.chmod(0o755)


def test_locks_lie_where_the_user_keeps_state() -> None:
    default = Path("/home/trader/.local/state/polystra/locks")
    assert lock_folder({"XDG_STATE_HOME": "/var/state", "HOME": "/home/trader"}) == Path("/var/state/polystra/locks")
    assert lock_folder({"HOME": "/home/trader"}) == default
    assert lock_folder({"XDG_STATE_HOME": "relative", "HOME": "/home/trader"}) == default
    assert lock_folder({"XDG_STATE_HOME": "", "HOME": "/home/trader"}) == default


def test_a_user_without_a_home_is_told_what_to_set() -> None:
    with pytest.raises(LocksUnavailable, match="set XDG_STATE_HOME"):
        lock_folder({})
