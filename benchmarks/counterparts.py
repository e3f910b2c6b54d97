"""The other ends of `loopback`, each in a process of its own: the exchange, and a server that knows no protocol.

Run as a program it is that server: `python -m benchmarks.counterparts TAKES GIVES` says on which port it listens, reads
so many bytes and answers with so many, again and again.
"""

import asyncio
import json
import os
import select
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from benchmarks.harness import NotMeasured

_PATIENCE = 10.0


class Hosted(Struct, frozen=True):
    """A running exchange: its CLOB, an open market's Up token, and the private key of a funded account."""

    clob: str
    token: str
    private_key: str


@contextmanager
def exchange() -> Iterator[Hosted]:
    """`polystra exchange` without its rate limits; raises `NotMeasured` when it does not come up."""
    with _child("polystra", "exchange", "--json", "--windows", "1") as said:
        try:
            line = json.loads(said)
        except ValueError:
            raise NotMeasured("polystra exchange did not say where it is: run it by hand to see why") from None
        lift_limits(line["control"])
        yield Hosted(line["clob"], open_token(line["gamma"]), line["accounts"][0]["private_key"])


@contextmanager
def echo(takes: int, gives: int) -> Iterator[int]:
    """The port of a server that answers `takes` bytes with `gives`."""
    with _child("benchmarks.counterparts", str(takes), str(gives)) as said:
        yield int(said)


@contextmanager
def _child(module: str, *arguments: str) -> Iterator[str]:
    """A process while it runs, and the first line it said."""
    with child(module, *arguments) as (_, said):
        yield said


@contextmanager
def child(module: str, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A process while it runs, with pipes to and from it, and the first line it said."""
    environment: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if not name.startswith("POLYSTRA__")
    }
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stdout is not None
            if not select.select([process.stdout], [], [], _PATIENCE)[0]:
                raise NotMeasured(f"{module} said nothing within {_PATIENCE:g} s: run it by hand to see why")
            yield process, process.stdout.readline()
        finally:
            process.terminate()


def lift_limits(control: str) -> None:
    urllib.request.urlopen(f"{control}/limits", data=b'{"tier": "none"}', timeout=_PATIENCE).close()


def open_token(gamma: str) -> str:
    with urllib.request.urlopen(f"{gamma}/markets", timeout=_PATIENCE) as answer:
        markets: list[dict[str, Any]] = json.load(answer)
    tokens: list[str] = json.loads(markets[0]["clobTokenIds"])
    return tokens[0]


async def _serve(takes: int, gives: int) -> None:
    reply = b"x" * gives

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readexactly(takes)
                writer.write(reply)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(*map(int, sys.argv[1:])))
