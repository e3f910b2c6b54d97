"""A trader as a process of its own, which wants one resting bid in every window: `FOLDER EXCHANGE_LINE`.

Its heart does not beat, so that nothing but a person's command takes its orders back while it hangs.
"""

import asyncio
import sys
from pathlib import Path

from msgspec import Struct

from polystra.app.access import told_access
from polystra.app.run_plan import plan_of
from polystra.app.runtime import silent
from polystra.app.session import Trader
from polystra.app.setting_sections import LimitSettings, VenueSettings
from polystra.app.settings import Settings
from polystra.app.wire_run import WireRun, trade_at
from polystra.core.strategy import Decision, Needs, WakesOn, Wish
from polystra.core.terms import Outcome, TimeInForce
from polystra.core.units import MICRO, price, seconds
from polystra.core.view import ANYTHING, MarketView

SETTINGS = Settings(
    limits=LimitSettings(min_edge_usd="-0.9", max_spread="0.9"),  # type: ignore[arg-type]
    venue=VenueSettings(heartbeat=False),
)


class Patient(Struct, frozen=True):
    """Bids a cent for Up, for ever."""

    name: str = "patient"
    needs: Needs = Needs()
    wakes_on: WakesOn = WakesOn(every=seconds(1))
    first_memory: None = None

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        wish = Wish(
            outcome=Outcome.UP,
            price=price("0.01"),
            conviction=MICRO // 10,
            probability=MICRO // 2,
            time_in_force=TimeInForce.GTC,
        )
        return Decision(wishes=(wish,), reason="patience", wait=ANYTHING)


def main(folder: Path, line: Path) -> None:
    folder.mkdir(exist_ok=True)
    plan = plan_of(SETTINGS, seed=1, windows=1, speed="1")
    access = told_access(line, 1)
    with Trader(folder, SETTINGS, seed=1, strategy=Patient()) as trader:
        series = {file.market.series for file in plan.files}
        run = WireRun(trader=trader, plan=plan, folder=folder, series=series, tell=silent)
        asyncio.run(trade_at(run, access.place, access.wallet))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
