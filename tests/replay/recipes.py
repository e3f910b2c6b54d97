"""How the golden journals beside this file were made: `.venv/bin/python -m tests.replay.recipes` makes them anew.

A golden journal changes when the engine decides otherwise, or when what a journal says is said otherwise. Make it anew
only when that is what the change is about, and read the difference that `polystra replay` shows first.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from polystra.app.exchange_log import ExchangeLog
from polystra.app.session import Trader
from polystra.app.settings import Settings
from polystra.app.world import World
from polystra.app.world_rules import world_rules
from polystra.core.markets import Market
from polystra.core.terms import Side
from polystra.edge.tapes.format import TapeEvent, TapeFile
from tests.replay.incidents import INCIDENTS
from tests.truth import book, printed, tape_file, window

HERE = Path(__file__).parent
SEED = 7

SETTINGS = Settings.model_validate(
    {
        "limits": {"min_edge_usd": "-0.05", "max_spread": "0.20"},
        "strategy": {"tilted_prior": {"min_edge_usd": "-0.05", "earliest_seconds": 20, "latest_seconds": 60}},
        "exits": {"min_age_seconds": 20, "target": "0.90", "stop_price": "0.35"},
    }
)


def wandering(market: Market, chance: random.Random, drift: int) -> list[TapeEvent]:
    """A book that wanders by a cent or two every two seconds, thin enough that orders fill in parts, with prints."""
    rows: list[TapeEvent] = []
    bid = 50
    for second in range(-400, 330, 2):
        bid = min(max(bid + chance.randint(-2, 2) + (drift if second > 60 and second % 10 == 0 else 0), 2), 97)
        size = chance.randint(800, 6_000) / 100
        rows.append(book(market, second, f"0.{bid:02}x{size} 0.01x400", f"0.{bid + 1:02}x{size}"))
        if chance.random() < 0.1:
            rows.append(printed(market, second + 0.5, f"0.{bid:02}", "3.5", Side.SELL))
    return rows


def rising() -> list[TapeFile]:
    """Down is bought at the second try, the price rises, and the stop sells it."""
    market = window(3)
    return [tape_file(market, wandering(market, random.Random("rising"), 2), "1")]


def falling() -> list[TapeFile]:
    """Down is bought, the price falls, and the target sells it but for the dust of an order in cash."""
    market = window(5)
    return [tape_file(market, wandering(market, random.Random("falling"), -2), "0")]


def unsettled() -> list[TapeFile]:
    """Two windows in a row; the first never resolves."""
    first, second = window(10), window(11)
    return [
        tape_file(first, wandering(first, random.Random("first"), 1), None),
        tape_file(second, wandering(second, random.Random("second"), -1), "0"),
    ]


class Recipe(Protocol):
    """The settings of a run, its recordings, and the venue that plays them."""

    @property
    def settings(self) -> Settings: ...

    @property
    def files(self) -> list[TapeFile]: ...

    def world(self, seed: int) -> World: ...


class Calm(Struct, frozen=True):
    """Recordings at a venue where nothing goes wrong."""

    recordings: Callable[[], list[TapeFile]]

    @property
    def settings(self) -> Settings:
        return SETTINGS

    @property
    def files(self) -> list[TapeFile]:
        return self.recordings()

    def world(self, seed: int) -> World:
        return World(world_rules(SETTINGS, seed), self.files, ExchangeLog(None))


CALM: dict[str, Recipe] = {"rising": Calm(rising), "falling": Calm(falling), "unsettled": Calm(unsettled)}
RECIPES: dict[str, Recipe] = {**CALM, **INCIDENTS}


def make(name: str, folder: Path) -> Path:
    """Trades a recipe in an empty folder; the path of its journal."""
    recipe = RECIPES[name]
    with Trader(folder, recipe.settings, seed=SEED) as trader:
        asyncio.run(trader.trade(recipe.world(SEED), {file.market.series for file in recipe.files}))
        return trader.journal_path


def main() -> None:
    for name in RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            (HERE / f"{name}.plj").write_bytes(make(name, Path(folder)).read_bytes())
        sys.stdout.write(f"{name}.plj\n")


if __name__ == "__main__":
    main()
