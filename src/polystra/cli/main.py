"""The command line. Commands import what they need when they run, so that `--help` is quick."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polystra import __version__
from polystra.cli.db import db
from polystra.cli.errors import INTERRUPTED, WRONG_RESULT, clearly, say
from polystra.cli.exchange import exchange
from polystra.cli.options import Data, Folder, Json, SettingsFile, Windows, print_json, read_recordings

if TYPE_CHECKING:
    from polystra.app.demo import DemoOptions, DemoResult
    from polystra.app.settings import Settings

app = typer.Typer(
    name="polystra",
    help="Trades Polymarket's short-term crypto up/down markets.",
    epilog="Exit codes: 0 good; 1 wrong result; 2 bad input; 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(db)
app.command()(exchange)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"polystra {__version__}")
        raise typer.Exit


@app.callback()
def polystra(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Trades Polymarket's short-term crypto up/down markets."""


@app.command()
@clearly
def demo(
    as_json: Json = False,
    data: Data = None,
    windows: Windows = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same run, to the byte.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep ledger, journal and the exchange's own log here: an empty folder."),
    ] = None,
    settings: SettingsFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only the result.")] = False,
) -> None:
    """Trade recorded windows in virtual time, with pretend money, and check the ledger against the exchange.

    Exit code 1 when ledger and exchange differ or the journal does not replay. Progress goes to stdout; with --json it
    goes to stderr, and stdout holds one object whose *_usd values are exact decimals as text.
    """
    from tempfile import TemporaryDirectory

    from polystra.app.demo import DemoOptions
    from polystra.app.settings import demo_settings, load_settings

    chosen: Settings = demo_settings() if settings is None else load_settings(settings)
    files = read_recordings(data, windows)
    progress = None if quiet else sys.stderr if as_json else sys.stdout
    try:
        if out is not None:
            result = _play(DemoOptions(settings=chosen, files=files, seed=seed, folder=out), progress)
        else:
            with TemporaryDirectory(prefix="polystra-") as folder:
                result = _play(DemoOptions(settings=chosen, files=files, seed=seed, folder=Path(folder)), progress)
    except KeyboardInterrupt:
        say("interrupted; " + ("nothing was kept" if out is None else f"the run until here is kept in {out}"))
        raise typer.Exit(INTERRUPTED) from None
    _show_demo(result, as_json=as_json, kept=out)
    raise typer.Exit(0 if result.good else WRONG_RESULT)


@app.command()
@clearly
def replay(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="A journal, such as journal-0001.plj.")],
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Feed a journal to a new engine: "identical", or the first event at which it decides otherwise (exit code 1)."""
    from polystra.app.replay import replay as replayed
    from polystra.app.settings import load_settings

    result = replayed(journal, None if settings is None else load_settings(settings))
    if as_json:
        from polystra.app.report_json import of_replay

        print_json(of_replay(result))
    else:
        from polystra.cli.show_run import show_replay

        show_replay(journal, result)
    raise typer.Exit(0 if result.identical else WRONG_RESULT)


@app.command()
@clearly
def status(out: Folder, as_json: Json = False) -> None:
    """How the latest run in a folder stands: open orders, positions, cash, state, last decisions."""
    from polystra.app.status import read_status

    found = read_status(out)
    if as_json:
        from polystra.app.report_json import of_status

        print_json(of_status(found))
    else:
        from polystra.cli.show_run import show_status

        show_status(found)


@app.command()
@clearly
def report(out: Folder, as_json: Json = False) -> None:
    """What a run came to, window by window, from its ledger; exit code 1 when ledger and exchange differ."""
    from polystra.app.report import read_report

    found = read_report(out)
    if as_json:
        from polystra.app.report_json import of_report

        print_json(of_report(found))
    else:
        from polystra.cli.show_report import show_report

        show_report(found)
    raise typer.Exit(WRONG_RESULT if found.checked is not None and found.checked.differences else 0)


def _play(options: "DemoOptions", progress: Any) -> "DemoResult":
    from polystra.app.console import Console
    from polystra.app.demo import refuse_used, run_demo

    refuse_used(options.folder)
    if progress is None:
        return run_demo(options)
    sources = dict.fromkeys(file.source for file in options.files)
    print(
        f"Polystra {__version__}: {len(options.files)} recorded windows ({', '.join(sources)}), seed {options.seed}, "
        "pretend money, virtual time in UTC\n",
        file=progress,
    )

    def write(line: str) -> None:
        print(line, file=progress, flush=True)

    return run_demo(options, Console(write, len(options.files)).tell)


def _show_demo(result: "DemoResult", *, as_json: bool, kept: Path | None) -> None:
    if as_json:
        from polystra.app.report_json import of_demo

        print_json(of_demo(result))
    else:
        from polystra.cli.show_report import show_demo

        show_demo(result, kept)
