"""The exchange that a trader brings along: a process of its own, which ends when its parent does."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from polystra.app.connection import Place
from polystra.app.settings import PREFIX
from polystra.core.errors import PolystraError

_SECONDS_TO_END = 20.0


class NoExchange(PolystraError):
    """The embedded exchange could not be started, or did not end as it should."""


class EmbeddedOptions(Struct, frozen=True, kw_only=True):
    """`market` are the options that say what plays (`--data`, `--scenario`, `--windows`), `speed` a number or `max`;
    `log` is the file from which the exchange rebuilds itself."""

    market: Sequence[str]
    seed: int
    speed: str
    log: Path
    settings: Path

    @property
    def arguments(self) -> list[str]:
        return [
            "exchange",
            "--json",
            "--with-parent",
            *self.market,
            *("--seed", str(self.seed)),
            *("--speed", self.speed, "--recorded-time"),
            *("--log", str(self.log)),
            *("--settings", str(self.settings)),
            *("--accounts", "1"),
        ]


@contextlib.asynccontextmanager
async def embedded(options: EmbeddedOptions) -> AsyncIterator[Place]:
    """Where the exchange is, once clients can attach. When the block ends, the exchange writes its last word and ends.

    Raises `NoExchange`; what the exchange itself says of the reason is on stderr.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "polystra", *options.arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
        start_new_session=True,  # Ctrl-C is for the trader, which ends the exchange itself
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield _place(await process.stdout.readline())
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _SECONDS_TO_END)
        except TimeoutError:
            process.kill()
            await process.wait()


def _place(line: bytes) -> Place:
    try:
        return msgspec.json.decode(line, type=Place)
    except msgspec.DecodeError:
        raise NoExchange("the embedded exchange did not start: see above for why") from None
