"""A trader as a process of its own, which buys Up once, offers it at 0.99, and bids for Down: `FOLDER PLACE`.

Its heart does not beat, so that nothing but itself and a person takes its orders back.
"""

import asyncio
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from polystra.app.connection import Habits, Place, connected
from polystra.app.session import Trader
from polystra.app.settings import Settings
from polystra.app.throwaway import throwaway_wallet
from polystra.core.strategy import Decision, ExitPolicy, Needs, WakesOn
from polystra.core.terms import Outcome
from polystra.core.units import price, seconds
from polystra.core.view import ANYTHING, MarketView
from tests.truth import SERIES, wish

SETTINGS = Settings.model_validate(
    {"stakes": {"bet_percent": 10}, "limits": {"min_edge_usd": "-0.99", "max_spread": "0.99"}}
)
TAKES, RESTS = wish(Outcome.UP, "0.52"), wish(Outcome.DOWN, "0.10", rests=True)


class Holding(Struct, frozen=True):
    """One entry at once, and from then on one that rests and is never met."""

    name: str = "holding"
    needs: Needs = Needs(depth=1)
    wakes_on: WakesOn = WakesOn(events=(), every=seconds(0.5))
    first_memory: None = None

    def decide(self, view: MarketView, memory: object) -> Decision:
        wished = RESTS if view.entries_made else TAKES
        return Decision(wishes=(wished,), exits=ExitPolicy(target=price("0.99")), reason="holds", wait=ANYTHING)


async def main(folder: Path, place: Place) -> None:
    async with connected(place, throwaway_wallet(1), seed=1, habits=Habits(heartbeat=False)) as far:
        with Trader(folder, SETTINGS, seed=1, strategy=Holding()) as trader:
            await trader.trade(far, {SERIES})


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=Place)))
