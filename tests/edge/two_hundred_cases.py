"""Two hundred orders that are wanted at once, an exchange that loses answers, and what it has of them in the end.

A hundred markets, both outcomes of each wanted at rest. The trader is whole and over the wire, in lock step; what
counts is what the exchange took and what it still has.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from polystra.app.connection import Habits, Place, connected
from polystra.app.exchange_accounts import OWN
from polystra.app.exchange_clock import TimeMode
from polystra.app.session import Trader
from polystra.app.settings import Settings
from polystra.app.standing_exchange import Blueprint, Standing, stand
from polystra.app.throwaway import throwaway_wallet
from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.markets import Market, Series
from polystra.core.strategy import Decision, ExitPolicy, Needs, WakesOn, Wish
from polystra.core.terms import Outcome
from polystra.core.units import Instant, seconds
from polystra.core.view import ANYTHING, MarketView
from polystra.edge.clock import Time
from polystra.edge.tapes.format import TapeFile
from polystra.exchange.faults import Fault, Faults, Switch
from polystra.exchange.limits import Tier
from polystra.exchange.lock_step import LockStep
from polystra.exchange.pace import SteppedClock
from polystra.exchange.server import serve
from polystra.exchange.venue import News
from polystra.sim import messages as sim
from polystra.sim.latency import Latency
from tests.truth import SERIES, START, book, tape_file, window, wish

MARKETS = 100
ORDERS = 2 * MARKETS

ALONE, TOGETHER = "POST /order", "POST /orders"

BEGIN, WANTED_AT, END = 2, 5, 22
"""Seconds of the window: from when its book is known, when all is wanted together, and when the run is over."""

PATIENCE = 10
"""Seconds after which an order that the venue still does not know is given up for another. Usually a minute; whatever
is late here has come long before."""

SETTINGS = Settings.model_validate(
    {
        "stakes": {"bet_percent": 10, "max_stake_usd": 1},
        "limits": {"min_edge_usd": "-0.99", "max_open_positions": MARKETS, "max_total_usd": 1_000},
        "engine": {"book_patience_seconds": 3_600, "reading_every_seconds": 3_600, "doubt_patience_seconds": PATIENCE},
        "venue": {"orders_at_stop": "keep", "heartbeat": False},
    }
)
"""A stake that does not shrink with the cash, so that a wish stays the wish it was."""


class Pair(Struct, frozen=True):
    """Wants both outcomes at rest: `together`, from one moment of the window on, or the second once there is a first,
    so that no request has two orders."""

    together: bool

    @property
    def name(self) -> str:
        return "pair"

    @property
    def needs(self) -> Needs:
        return Needs(depth=1)

    @property
    def wakes_on(self) -> WakesOn:
        return WakesOn(events=(), every=seconds(WANTED_AT))

    @property
    def first_memory(self) -> None:
        return None

    def decide(self, view: MarketView, memory: object) -> Decision:
        both = (wish(Outcome.UP, "0.10", rests=True), wish(Outcome.DOWN, "0.10", rests=True))
        if self.together:
            wishes: tuple[Wish, ...] = both if view.age >= seconds(WANTED_AT) else ()
        else:
            wishes = both if view.entries_working else both[:1]
        return Decision(wishes=wishes, exits=ExitPolicy(), reason="always", wait=ANYTHING)


def _asset(number: int) -> str:
    """Two letters, as the names of windows want them."""
    return f"{chr(65 + number // 26)}{chr(65 + number % 26)}"


def _market(number: int) -> Market:
    asset, seconds_of_start = _asset(number), START // 10**9
    return window(
        0,
        id=MarketId(f"0x{number + 1:064x}"),
        slug=f"{asset.lower()}-updown-5m-{seconds_of_start}",
        series=Series(asset, SERIES.length),
        up_token=TokenId(f"{10**76 + 2 * number}"),
        down_token=TokenId(f"{10**76 + 2 * number + 1}"),
    )


ALL = tuple(_market(number + 1) for number in range(MARKETS))

NOBODYS = _market(0)


def _recorded(market: Market, *at: int) -> TapeFile:
    return tape_file(market, [book(market, second, "0.50x100", "0.52x100") for second in at])


TAPES = (_recorded(NOBODYS, 0, END + 5), *(_recorded(market, BEGIN) for market in ALL))
"""Nobody's begins before the others: it is there so that the trader is connected when the others are listed."""


class Toll(Struct, frozen=True, kw_only=True):
    """What became of the orders at the exchange: `taken` is how many it ever took, `resting` how many of ours it has in
    each token, `hits` how often each fault struck. `signed` is how many the trader made to get there."""

    signed: int
    taken: int
    resting: Counter[TokenId]
    hits: Counter[str]

    @property
    def doubles(self) -> int:
        return self.taken - len(self.resting)

    @property
    def missing(self) -> int:
        return ORDERS - len(self.resting)

    @property
    def given_up(self) -> int:
        """Orders that another one had to take the place of."""
        return self.signed - ORDERS


def usual(where: str) -> tuple[Switch, ...]:
    """Of a thousand placements 200 have their answer lost and 50 late, 50 come late themselves and 50 never arrive.
    What is late is so by more than anybody waits."""
    chances = ((Fault.REPLY_LOST, 200), (Fault.REPLY_LATE, 50), (Fault.REQUEST_LATE, 50), (Fault.RESET, 50))
    late = seconds(5)
    return tuple(Switch(fault=one, where=where, times=None, chance=part, delay=late) for one, part in chances)


def over_the_wire(folder: Path, strategy: Pair, switches: Sequence[Switch], *, seed: int) -> Toll:
    """One life of a trader that wants them all."""
    standing = stand(
        Blueprint(
            settings=SETTINGS,
            files=TAPES,
            recordings="",
            seed=seed,
            mode=TimeMode.LOCK_STEP,
            speed=1.0,
            accounts=1,
            signature_types=OWN,
            log=None,
        )
    )
    faults, taken = Faults(), Taken()
    standing.venue.listeners.append(taken.hear)
    for switch in switches:
        faults.switch_on(switch)
    with Trader(folder, SETTINGS, seed=seed, strategy=strategy) as trader:
        asyncio.run(_trade(standing, faults, trader, seed))
        signed = len(trader.ledger.venue_orders())
    ours = Counter(order.token for order in standing.venue.current().truth().orders)
    return Toll(signed=signed, taken=len(taken.names), resting=ours, hits=faults.hits)


class Taken:
    """Hears which orders the venue takes. Mutable."""

    def __init__(self) -> None:
        self.names: set[VenueOrderId] = set()

    def hear(self, news: Sequence[News]) -> None:
        self.names |= {one.order for one in news if isinstance(one, sim.OrderAccepted)}


async def _trade(standing: Standing, faults: Faults, trader: Trader, seed: int) -> None:
    venue, clock, rules = standing.venue, standing.clock, standing.rules
    assert isinstance(clock, SteppedClock)
    steps = LockStep(venue, clock, latency=Latency(rules.delays, rules.seed), world=standing.playback)
    async with serve(venue, faults=faults, lock_step=steps, tier=Tier.NONE) as urls:
        place = Place(
            clob=urls.clob,
            market_ws=urls.market_ws,
            user_ws=urls.user_ws,
            gamma=urls.gamma,
            control=urls.control,
            mode=TimeMode.LOCK_STEP,
        )
        async with connected(place, throwaway_wallet(1), seed=seed, habits=Habits(heartbeat=False, paced=False)) as far:
            stopped = asyncio.Event()
            ending = asyncio.create_task(_end(far.clock, stopped))
            await trader.trade(far, {market.series for market in ALL}, stopped=stopped)
            await ending


async def _end(clock: Time, stopped: asyncio.Event) -> None:
    await clock.until(Instant(START + seconds(END)))
    stopped.set()
