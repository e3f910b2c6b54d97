"""Options that several commands share, and the object that `--json` promises."""

from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[
    bool,
    typer.Option("--json", help="One JSON object on stdout; money, prices and shares are exact decimals as text."),
]
Folder = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder of a run.", show_default=False)]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", metavar="FILE", help="A TOML file; POLYSTRA__SECTION__KEY overrides it."),
]


def print_json(value: dict[str, Any]) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
