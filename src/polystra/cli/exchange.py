"""`polystra exchange`: the pretend exchange alone, for any client of Polymarket's wire."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polystra import __version__
from polystra.cli.errors import clearly, say
from polystra.cli.options import Data, Scenario, SettingsFile, Windows, read_recordings

if TYPE_CHECKING:
    from polystra.app.exchange_host import Hosted, HostOptions
    from polystra.core.units import Nanos
    from polystra.edge.polymarket.wallet import SignatureType
    from polystra.edge.tapes.format import TapeFile
    from polystra.exchange.limits import Tier

THROWAWAY = "throwaway test keys, known to anybody: never send real money to these addresses"

AS_FAST_AS_CAN_BE = "max"


@clearly
def exchange(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON on stdout; money is exact decimals as text.")
    ] = False,
    port: Annotated[int, typer.Option(metavar="N", help="The port on 127.0.0.1; 0 takes any that is free.")] = 0,
    data: Data = None,
    scenario: Scenario = None,
    series: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="With --scenario: series side by side, such as BTC-5m,ETH-15m,SOL-1h,XRP-4h."
        ),
    ] = None,
    windows: Windows = None,
    ahead: Annotated[
        float,
        typer.Option(
            metavar="HOURS",
            help="List windows so long before their start, up to 24; without it, when their recordings begin.",
        ),
    ] = 0,
    settings: SettingsFile = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same API keys and chances.")] = 1,
    speed: Annotated[
        str,
        typer.Option(
            metavar="X",
            help="How fast the recordings play, 0.01 to 1000; 1 is as recorded. max: time moves in lock step with the "
            "trader that attaches.",
        ),
    ] = "1",
    recorded_time: Annotated[
        bool,
        typer.Option("--recorded-time", help="The exchange's clock shows the recordings' time, not now. So does max."),
    ] = False,
    accounts: Annotated[int, typer.Option(metavar="N", help="How many throwaway accounts, funded alike.")] = 2,
    signature_types: Annotated[
        str, typer.Option(metavar="LIST", help="The kinds of wallet, 0 to 3, that take turns among the accounts.")
    ] = "0",
    tier: Annotated[
        str, typer.Option(metavar="NAME", help="The rate limits of every signer: standard to elite, or none.")
    ] = "standard",
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep every input there; if it is there, go on as the exchange was."),
    ] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", help="End when stdin does.")] = False,
) -> None:
    """Put the pretend exchange alone on this machine, behind Polymarket's own HTTP and WebSocket forms.

    Says where it is and which funded throwaway accounts may trade there, then runs until Ctrl-C or SIGTERM (exit code
    0). Recordings play its market: the first recorded row is now, or all is at its recorded time. What can be done to
    it while it runs, and what can be made to go wrong, is below.
    """
    if context.invoked_subcommand is not None:
        return
    from polystra.app.exchange_clock import TimeMode
    from polystra.app.exchange_host import HostOptions, run_host
    from polystra.app.settings import load_settings

    stepped = speed == AS_FAST_AS_CAN_BE
    options = HostOptions(
        settings=load_settings(settings),
        files=_files(data, scenario, series, windows, seed),
        seed=seed,
        mode=TimeMode.LOCK_STEP if stepped else TimeMode.RECORDED if recorded_time else TimeMode.WALL,
        speed=1.0 if stepped else _number(speed),
        accounts=accounts,
        signature_types=_kinds(signature_types),
        port=port,
        log=log,
        with_parent=with_parent,
        ahead=_ahead(ahead),
        tier=_tier(tier),
    )

    def announce(hosted: "Hosted") -> None:
        for note in hosted.notes:
            say(note)
        _tell(_line(options, hosted) if as_json else _text(options, hosted))

    run_host(options, announce)


def _files(
    data: Path | None, scenario: str | None, series: str | None, windows: int | None, seed: int
) -> "list[TapeFile]":
    from polystra.app.exchange_host import HostUnusable
    from polystra.app.run_plan import GENERATED_START, GENERATED_WINDOWS
    from polystra.app.scenarios import BTC_15M, files_of_series, series_named

    if scenario is None:
        if series is not None:
            raise HostUnusable(f"--series {series[:80]}: recordings have series of their own, give --scenario too")
        return read_recordings(data, windows)
    if data is not None:
        raise HostUnusable(f"--scenario {scenario} and --data {data}: give one of them")
    count = GENERATED_WINDOWS if windows is None else windows
    chosen = (BTC_15M,) if series is None else series_named(series)
    return files_of_series(scenario, seed=seed, windows=count, start=GENERATED_START, series=chosen)


def _ahead(hours: float) -> "Nanos":
    from polystra.app.announcements import FURTHEST
    from polystra.app.exchange_host import HostUnusable
    from polystra.core.units import seconds

    if not 0 <= hours * 3_600 <= FURTHEST / seconds(1):
        raise HostUnusable(f"ahead {hours:g}: give 0 to 24 hours")
    return seconds(hours * 3_600)


def _tier(name: str) -> "Tier":
    from polystra.app.exchange_host import HostUnusable
    from polystra.exchange.limits import Tier

    try:
        return Tier(name)
    except ValueError:
        raise HostUnusable(f"tier {name[:40]}: give one of {', '.join(Tier)}") from None


def _number(speed: str) -> float:
    from polystra.app.exchange_host import HostUnusable

    try:
        return float(speed)
    except ValueError:
        raise HostUnusable(f"speed {speed[:40]}: give a number, 1 plays as recorded, or {AS_FAST_AS_CAN_BE}") from None


def _kinds(words: str) -> "list[SignatureType]":
    from polystra.app.exchange_host import HostUnusable
    from polystra.edge.polymarket.wallet import SignatureType

    try:
        return [SignatureType(int(word)) for word in words.split(",")]
    except ValueError:
        raise HostUnusable(f"signature types {words[:40]}: give some of 0, 1, 2, 3 with commas between") from None


def _line(options: "HostOptions", hosted: "Hosted") -> str:
    import msgspec

    from polystra.core.units import show

    clock = {} if hosted.clock is None else {"clock": hosted.clock}
    body: dict[str, Any] = {
        **msgspec.structs.asdict(hosted.urls),
        "accounts": [
            {
                "address": account.address,
                "private_key": account.private_key,
                "wallet": account.wallet,
                "signature_type": account.signature_type,
                "cash_usd": show(account.cash),
            }
            for account in hosted.accounts
        ],
        "warning": THROWAWAY,
        "windows": len(options.files),
        "mode": options.mode,
        "speed": _speed(options),
        **clock,
        "seed": options.seed,
        "pid": os.getpid(),
        "version": __version__,
    }
    return msgspec.json.encode(body).decode()


def _speed(options: "HostOptions") -> float | str:
    from polystra.app.exchange_clock import TimeMode

    return AS_FAST_AS_CAN_BE if options.mode is TimeMode.LOCK_STEP else options.speed


def _text(options: "HostOptions", hosted: "Hosted") -> str:
    import msgspec

    from polystra.app.exchange_clock import TimeMode
    from polystra.app.words import cents, counted

    sources = ", ".join(dict.fromkeys(file.source for file in options.files))
    how = {
        TimeMode.WALL: f"at speed {options.speed:g}",
        TimeMode.RECORDED: f"in recorded time at speed {options.speed:g}",
        TimeMode.LOCK_STEP: "in lock step with the trader that attaches",
    }[options.mode]
    played = f"{counted(len(options.files), 'window')} ({sources}) {how}"
    lines = [
        f"Polystra {__version__}: the exchange, {played}, seed {options.seed}, pretend money",
        "",
        *(f"  {name:<10} {url}" for name, url in msgspec.structs.asdict(hosted.urls).items()),
        "",
    ]
    if hosted.accounts:
        cash = cents(hosted.accounts[0].cash)
        lines += [
            f"{counted(len(hosted.accounts), 'account')} with {cash} USD each: signature type, wallet, private key",
            *(f"  {one.signature_type}  {one.wallet}  {one.private_key}" for one in hosted.accounts),
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
