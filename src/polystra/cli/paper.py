"""The sheet that results are printed on: tables, and pairs of a name and a value. Readable without colour."""

import sys
from collections.abc import Iterable
from typing import TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 112
WIDEST = 120

Column: TypeAlias = tuple[str, str]
"""A heading, and how its column stands: `right` and `whole` (left) never wrap, `left` does where it must."""


class Paper:
    def __init__(self) -> None:
        shown = Console()
        width = min(shown.width, WIDEST) if sys.stdout.isatty() else WIDTH
        self._console = Console(width=width, highlight=False, emoji=False, markup=False)

    def heading(self, text: str) -> None:
        self._console.print(Text(f"\n{text}", style="bold"))

    def line(self, text: str = "") -> None:
        self._console.print(text)

    def lines(self, texts: Iterable[str]) -> None:
        """Each on its own, wrapped under itself."""
        table = Table.grid(padding=(0, 1))
        table.add_column()
        table.add_column(overflow="fold")
        for text in texts:
            table.add_row(" -", text)
        self._console.print(table)

    def table(
        self, columns: Iterable[Column], rows: Iterable[Iterable[str]], total: Iterable[str] | None = None
    ) -> None:
        table = Table(box=SIMPLE_HEAD, padding=(0, 1), show_edge=False, header_style="bold")
        for heading, side in columns:
            table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=side != "left")
        for row in rows:
            table.add_row(*row)
        if total is not None:
            table.add_section()
            table.add_row(*total)
        self._console.print(table)

    def pairs(self, pairs: Iterable[tuple[str, str]]) -> None:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in pairs:
            table.add_row(f"  {name}", value)
        self._console.print(table)
