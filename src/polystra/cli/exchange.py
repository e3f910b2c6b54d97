"""`polystra exchange`: the pretend exchange alone, for any client of Polymarket's wire."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polystra import __version__
from polystra.cli.errors import clearly
from polystra.cli.options import Data, Windows, read_recordings

if TYPE_CHECKING:
    from polystra.app.exchange_host import Hosted, HostOptions

THROWAWAY = "throwaway test keys, made from the seed and known to anybody: never send real money to these addresses"
NOT_THERE = ("data", "prices")
"""Services of Polymarket that this exchange does not have."""


@clearly
def exchange(
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON on stdout; money is exact decimals as text.")
    ] = False,
    port: Annotated[int, typer.Option(metavar="N", help="The port on 127.0.0.1; 0 takes any that is free.")] = 0,
    data: Data = None,
    windows: Windows = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same accounts and API keys.")] = 1,
    speed: Annotated[
        float, typer.Option(metavar="X", help="How fast the recordings play, 0.01 to 1000; 1 is as recorded.")
    ] = 1.0,
    accounts: Annotated[int, typer.Option(metavar="N", help="How many throwaway accounts, funded alike.")] = 2,
) -> None:
    """Put the pretend exchange alone on this machine, behind Polymarket's own HTTP and WebSocket forms.

    Says where it is and which funded throwaway accounts may trade there, then runs until Ctrl-C or SIGTERM (exit code
    0). Recordings play its market: the first recorded row is now.
    """
    from polystra.app.exchange_host import HostOptions, run_host
    from polystra.app.settings import load_settings

    files = read_recordings(data, windows)
    options = HostOptions(settings=load_settings(), files=files, seed=seed, speed=speed, accounts=accounts, port=port)

    def announce(hosted: "Hosted") -> None:
        _tell(_line(options, hosted) if as_json else _text(options, hosted))

    run_host(options, announce)


def _line(options: "HostOptions", hosted: "Hosted") -> str:
    import msgspec

    from polystra.core.units import show

    body: dict[str, Any] = {
        **msgspec.structs.asdict(hosted.urls),
        **dict.fromkeys(NOT_THERE),
        "accounts": [
            {
                "address": account.address,
                "private_key": account.private_key,
                "signature_type": account.signature_type,
                "cash_usd": show(account.cash),
            }
            for account in hosted.accounts
        ],
        "warning": THROWAWAY,
        "windows": len(options.files),
        "speed": options.speed,
        "seed": options.seed,
        "version": __version__,
    }
    return msgspec.json.encode(body).decode()


def _text(options: "HostOptions", hosted: "Hosted") -> str:
    import msgspec

    from polystra.app.words import cents, counted

    sources = ", ".join(dict.fromkeys(file.source for file in options.files))
    played = f"{counted(len(options.files), 'recorded window')} ({sources}) at speed {options.speed:g}"
    lines = [
        f"Polystra {__version__}: the exchange, {played}, seed {options.seed}, pretend money",
        "",
        *(f"  {name:<10} {url}" for name, url in msgspec.structs.asdict(hosted.urls).items()),
        "",
    ]
    if hosted.accounts:
        cash = cents(hosted.accounts[0].cash)
        lines += [
            f"{counted(len(hosted.accounts), 'account')} with {cash} USD each, signature type 0: address, private key",
            *(f"  {account.address}  {account.private_key}" for account in hosted.accounts),
            f"These are {THROWAWAY}.",
            "",
        ]
    return "\n".join([*lines, "Runs until Ctrl-C. How to attach a client: docs/exchange.md"])


def _tell(text: str) -> None:
    """The exchange serves on when nobody reads what it said."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
