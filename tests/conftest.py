"""What every test has: a mark by folder, the loopback guard, the recordings, and the acceptance ids."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

pytest_plugins = ["tools.spec_plugin", "tests.truth"]

TESTS = Path(__file__).parent
LANES = {"unit", "property", "scenario", "replay", "wire", "edge", "browser"}
IN_CI = os.environ.get("CI") == "true"

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100, print_blob=True)
hypothesis.settings.register_profile("dev", deadline=None, max_examples=50)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks a test with its folder, so that `-m unit` and `tests/unit` mean the same."""
    folder = item.path.relative_to(TESTS).parts[0]
    if folder in LANES:
        item.add_marker(folder)


@pytest.fixture(scope="session", autouse=True)
def no_state_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Locks and demos of the tests lie beside their other files, not where this user's programs keep theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def loopback_only() -> Iterator[None]:
    """Fails a test that connects to anything but this machine, even if the code under test swallows the error."""
    strays: list[str] = []

    def guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
        def connect_on_loopback(sock: socket.socket, address: Any) -> Any:
            if not is_local(sock.family, address):
                strays.append(str(address))
                raise ConnectionRefusedError(f"tests may talk to loopback only, not to {address}")
            return connect(sock, address)

        return connect_on_loopback

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
        yield
    if strays:
        pytest.fail(f"connected to {', '.join(strays)}; tests may talk to loopback only")


def is_local(family: int, address: Any) -> bool:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return family == socket.AF_UNIX
    host = address[0]
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings, which lies outside the project: skipped without it, but never in CI."""
    folder = Path(os.environ.get("POLYSTRA_RECORDINGS") or TESTS.parent.parent / "shared" / "data")
    if not folder.is_dir():
        missing = "no recordings (set POLYSTRA_RECORDINGS to their folder)"
        pytest.fail(missing) if IN_CI else pytest.skip(missing)
    return folder
