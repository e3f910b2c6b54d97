"""Each switch of what is managed, alone, and none: what was bought is settled whatever is on (SPEC L2)."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.app.settings import Settings
from polystra.app.world import TRADER
from polystra.core import notes as nt
from polystra.core.strategy import Decision
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import shares
from polystra.core.view import MarketView
from tests.truth import Observed, Outcomes, Script, Stage, after, scripted, steady, tape_file, window, wish

OFF: dict[str, dict[str, Any]] = {
    "exits": {"target": 0, "stop_price": 0, "stop_percent": 0, "take_profit_percent": 0, "min_age_seconds": 0},
    "unfilled": {"cancel_orders": False},
    "scale_in": {"enabled": False},
    "reversal": {"after_stop": False, "hedged": False},
}
MARKET = window()
DAY = [
    *steady(MARKET, "0.50x500", "0.52x20", end=60),
    *steady(MARKET, "0.75x500", "0.77x500", begin=60, end=200),
    *steady(MARKET, "0.10x500", "0.12x500", begin=200),
]
"""A rise that gives a profit and room for a scale-in, and a fall that a stop is for."""

STOP = {"stop_price": "0.30", "stop_min_age_seconds": 5}


class Estimating(Script, frozen=True):
    """A script whose estimate is always even."""

    def decide(self, view: MarketView, memory: object) -> Decision:
        return replace(super().decide(view, memory), outcome=Outcome.UP, probability=500_000)


def played(stage: Stage, on: Mapping[str, dict[str, Any]], look: Callable[[Observed], None] | None = None) -> Outcomes:
    """Twenty Up bought at 0.52; a bid for Down at 0.15 that rests, and is never met."""
    told = stage.settings.model_dump()
    for section, values in OFF.items():
        told[section] |= values | on.get(section, {})
    settings = Settings.model_validate(told)
    wishes = {10.0: wish(Outcome.UP, "0.52"), 20.0: wish(Outcome.DOWN, "0.15", rests=True)}
    script = scripted(wishes, settings.exit_policy)
    strategy = Estimating(script.told, script.exits)
    run = stage.play([tape_file(MARKET, DAY, "0")], strategy, settings=settings, look=look)
    run.agree()
    return run


def done(run: Outcomes) -> set[str]:
    """What was done beside the two entries: orders by their purpose, and whether an entry was given up."""
    orders = {str(terms.purpose) for side in Side for _, terms in run.placed(side)} - {"entry"}
    assert [terms.purpose for _, terms in run.placed(Side.BUY)].count(Purpose.ENTRY) == 2
    return orders | ({"given up"} if run.notes(nt.EntryGivenUp) else set())


@pytest.mark.spec("L2.A2")
def test_with_all_off_there_is_no_order_beside_the_entries_and_the_window_settles(exchange_truth: Stage) -> None:
    run = played(exchange_truth, {})
    assert done(run) == set()
    (settled,) = run.notes(nt.MarketSettled)
    assert settled.up_shares == run.held(MARKET, Outcome.UP) == shares(20)
    assert settled.pnl < 0


class Seen:
    """The most that was on sale at one moment, and when the resting bid was last live, at the exchange."""

    def __init__(self) -> None:
        self.most = 0
        self.bid_until = MARKET.start

    def __call__(self, world: Observed) -> None:
        live = [order for order in world.truth().orders if order.account == TRADER]
        self.most = max(self.most, sum(order.size for order in live if order.side is Side.SELL))
        if any(order.side is Side.BUY for order in live):
            self.bid_until = world.clock.now()


def traded(run: Outcomes) -> list[tuple[Side, Outcome]]:
    """What our own trades did after the first entry, by the exchange's truth, each kind once and in order."""
    legs = [leg for trade in run.truth.trades for leg in (trade.taker, trade.maker) if leg.account == TRADER]
    assert (legs[0].side, legs[0].outcome, legs[0].shares) == (Side.BUY, Outcome.UP, shares(20))
    return list(dict.fromkeys((leg.side, leg.outcome) for leg in legs[1:]))


SOLD, MORE, OTHER = (Side.SELL, Outcome.UP), (Side.BUY, Outcome.UP), (Side.BUY, Outcome.DOWN)


@pytest.mark.spec("L2.A1")
@pytest.mark.parametrize(
    ("on", "what", "trades"),
    [
        ({"exits": {"target": "0.99"}}, {"target"}, []),
        ({"exits": STOP}, {"stop"}, [SOLD]),
        ({"exits": {"take_profit_percent": 40}}, {"sale"}, [SOLD]),
        ({"scale_in": {"enabled": True}}, {"scale-in"}, [MORE]),
        ({"exits": STOP, "reversal": {"after_stop": True}}, {"stop", "reversal"}, [SOLD, OTHER]),
        ({"exits": STOP, "reversal": {"hedged": True}}, {"stop", "reversal"}, [OTHER, SOLD]),
        ({"unfilled": {"cancel_orders": True}}, {"given up"}, []),
    ],
    ids=["exit plan", "stop loss", "take profit", "scale-in", "reversal", "hedged reversal", "unfilled cancel"],
)
def test_a_switch_that_is_on_alone_is_all_that_is_done(
    exchange_truth: Stage, on: dict[str, dict[str, Any]], what: set[str], trades: list[tuple[Side, Outcome]]
) -> None:
    """A reversal answers a stop, so it has one beside it. The window settles whatever was done. The bid
    rests at the exchange from second 60, to the end, or for a third of the window where it is given up."""
    seen = Seen()
    run = played(exchange_truth, on, seen)
    assert done(run) == what
    assert traded(run) == trades
    assert seen.most == (shares(20) if what == {"target"} else 0)
    if what == {"given up"}:
        assert after(159) < seen.bid_until < after(161)
    else:
        assert seen.bid_until > after(250)
    assert len(run.notes(nt.MarketSettled)) == 1


def test_a_reversal_without_a_stop_has_nothing_to_answer(exchange_truth: Stage) -> None:
    run = played(exchange_truth, {"reversal": {"after_stop": True, "hedged": True}})
    assert done(run) == set()
