"""Options that several commands share, the recordings they name, and the object that `--json` promises."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polystra.cli.errors import say
from polystra.core.errors import PolystraError

if TYPE_CHECKING:
    from polystra.edge.tapes.format import TapeFile


class BadChoice(PolystraError):
    """Options that contradict each other."""


Json = Annotated[
    bool,
    typer.Option("--json", help="One JSON object on stdout; money, prices and shares are exact decimals as text."),
]
Folder = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder of a run.", show_default=False)]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", metavar="FILE", help="A TOML file; POLYSTRA__SECTION__KEY overrides it."),
]
Data = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="A folder of recordings; without it, the sample that comes along."),
]
Windows = Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N windows.")]
Scenario = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Generated windows instead of recorded ones: calm, volatile, trend, whipsaw, thin, busy."
    ),
]


def found_windows(data: Path | None, scenario: str | None, windows: int | None) -> int | None:
    """How many windows play, None for all; says what of it is not there. Raises `RecordingError`, and `BadChoice` where
    both recordings and a scenario are asked for."""
    if scenario is not None:
        if data is not None:
            raise BadChoice(f"--data {data} with --scenario {scenario}: give one of them")
        return windows
    found = len(read_recordings(data, windows))
    return None if windows is None else found


def read_recordings(data: Path | None, count: int | None) -> "list[TapeFile]":
    """What `--data` and `--windows` name; says what of it is not there. Raises `RecordingError`."""
    from polystra.edge.tapes.library import bundled, discover

    library = bundled() if data is None else discover(data)
    for name in library.unread:
        say(f"{data}/{name}: not read, no known layout")
    if count is not None and count > len(library):
        say(f"only {len(library)} windows are recorded there, {count} were asked for")
    return list(library)[:count]


def print_json(value: dict[str, Any]) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
