"""The loopback guard and the marks by folder, which every other test relies on."""

from __future__ import annotations

import socket

import pytest

from tests.conftest import is_local

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost"])
def test_loopback_is_local(host: str) -> None:
    assert is_local(socket.AF_INET, (host, 80))


def test_loopback_is_local_in_every_family() -> None:
    assert is_local(socket.AF_INET6, ("::1", 80, 0, 0))
    assert is_local(socket.AF_UNIX, "control.sock")


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "clob.example"])
def test_any_other_address_is_not_local(host: str) -> None:
    assert not is_local(socket.AF_INET, (host, 80))


def test_a_connection_on_loopback_works() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


CONNECTS_AND_HIDES_IT = """
import asyncio
import socket
import pytest

def test_plain():
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)

def test_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(ConnectionRefusedError):
        sock.connect_ex(("192.0.2.1", 53))

def test_asyncio():
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(asyncio.open_connection("192.0.2.1", 80))

def test_harmless(): pass
"""


def test_a_stray_connection_fails_the_test_that_hides_it(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from tests.conftest import loopback_only as loopback_only")
    pytester.makepyfile(CONNECTS_AND_HIDES_IT)
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=4, errors=3)


def test_a_test_is_marked_with_its_folder(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("unit")
    assert not request.node.get_closest_marker("edge")
