"""How the journals of known incidents were made: what the market did, what went wrong at the venue, and when.

Each is one window in which the strategy of the settings buys what is offered at 0.64 in the window's first half minute,
20 Up if nothing else is said, and the scale-in adds 30 where it is on. What goes wrong is done to the venue, never to
the trader.
"""

from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from polystra.app.exchange_log import ExchangeLog
from polystra.app.settings import Settings
from polystra.app.world import TRADER
from polystra.app.world_client import WorldClient
from polystra.app.world_rules import world_rules
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.fees import FeeSchedule
from polystra.core.ids import OrderId
from polystra.core.markets import Market, Series
from polystra.core.terms import Side
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.tapes.format import TapeEvent, TapeFile
from polystra.sim import messages as sim
from tests.truth import Observed, after, book, tape_file, window

MARKET = window()
LONG = window(series=Series("BTC", seconds(900)), end=after(900), slug=MARKET.slug.replace("-5m-", "-15m-"))
OLD_FEES = window(fees=FeeSchedule(rate=42_500, in_shares_on_buys=True))
"""A market of the older era: of 6 shares bought at 0.64 its schedule takes 0.091796."""

TAKEN_INSTEAD = 60_000
"""The rate at which it really takes its fee, in millionths: 0.1296 of 6 shares."""

_NOW = Instant(0)


class Troubled(Observed):
    """A world in which things go wrong on request. Mutable: `sells_refused` and `cancels_lost` are how many to come,
    `cancels_refused` and `unreadable` hold until they are taken back; `fee_rate` is that of the next market listed."""

    sells_refused = 0
    cancels_lost = 0
    cancels_refused = False
    unreadable = False
    fee_rate: int | None = None

    def befall(self, mishap: sim.Mishap, delay: float, only: str) -> None:
        """Once, from now on; `delay` in seconds."""
        self._ask(sim.SetMishap(mishap=mishap, times=1, delay=Nanos(seconds(delay)), only=only))

    def _ask(self, request: sim.Request, sender: WorldClient | None = None) -> bool:
        now = self.clock.now()
        if isinstance(request, sim.ListMarket) and self.fee_rate is not None:
            return super()._ask(replace(request, market=replace(request.market, fee_rate=self.fee_rate)), sender)
        if isinstance(request, sim.Submit) and request.side is Side.SELL and self.sells_refused:
            self.sells_refused -= 1
            text = "invalid post-only order: order crosses book"
            refused = sim.OrderRejected(at=now, account=TRADER, order=request.order, http=400, text=text)
            self._publish((refused,), sender)
            return True
        if isinstance(request, sim.Cancel) and self.cancels_refused:
            not_canceled = tuple((order, "the order is being matched") for order in request.orders)
            answer = sim.CancelAnswered(at=now, account=TRADER, canceled=(), not_canceled=not_canceled)
            self._publish((answer,), sender)
            return True
        return super()._ask(request, sender)

    def _cancel(self, orders: Sequence[OrderId]) -> None:
        """A cancel that is lost never arrives, and after a while nobody waits for its answer any more."""
        if not orders or not self.cancels_lost:
            super()._cancel(orders)
            return
        self.cancels_lost -= 1
        events = [ev.CancelOutcomeUnknown(at=_NOW, order=order, why="no answer") for order in orders]
        self._ways.answer(Instant(self.clock.now() + seconds(1)), partial(self._trader.tell, events))

    def _send(self, command: cm.AnyCommand) -> None:
        if isinstance(command, cm.TakeSnapshot) and self.unreadable:
            failed = ev.SnapshotFailed(at=_NOW, why="GET /balance-allowance: 503")
            self._ways.answer(self.clock.now(), partial(self._trader.tell, [failed]))
        else:
            super()._send(command)


Deed = Callable[[Troubled], None]


class Incident(Struct, frozen=True, kw_only=True):
    """One window, and what is done to the venue from which second of it on. `scale_in` and `unfilled` in the words of
    the settings."""

    rows: list[TapeEvent]
    deeds: tuple[tuple[float, Deed], ...] = ()
    market: Market = MARKET
    scale_in: dict[str, object] | None = None
    unfilled: dict[str, object] = {}

    @property
    def files(self) -> list[TapeFile]:
        return [tape_file(self.market, self.rows)]

    @property
    def settings(self) -> Settings:
        latest = (self.market.end - self.market.start) // seconds(1) - 35
        timing = {"min_edge_usd": "-0.20", "earliest_seconds": 20, "latest_seconds": latest}
        return Settings.model_validate(
            {
                "limits": {"min_edge_usd": "-0.20", "max_spread": "0.20"},
                "strategy": {"tilted_prior": timing},
                "exits": {"min_age_seconds": 0, "target": "0.98", "stop_price": "0"},
                "scale_in": {"enabled": False} if self.scale_in is None else self.scale_in,
                "unfilled": self.unfilled,
            }
        )

    def world(self, seed: int) -> Troubled:
        """The venue, with the deeds still to come."""
        world = Troubled(world_rules(self.settings, seed), self.files, ExchangeLog(None))
        left = sorted(self.deeds, key=lambda deed: deed[0])

        def look(_: Observed) -> None:
            while left and world.clock.now() >= after(left[0][0]):
                left.pop(0)[1](world)

        look(world)
        world.look = look
        return world


def offered(asks: str, then: str = "", at: int = 100, market: Market = MARKET) -> list[TapeEvent]:
    """A book that is told every few seconds: these asks, and others from a second on. Before the window it is told as
    often as momentum needs it."""
    length = (market.end - market.start) // seconds(1)
    told = [*range(-242, 0, 60), *range(3, length, 5 if length == 300 else 8)]
    deep = " 0.70x500"
    return [book(market, second, "0.62x900", (then if then and second >= at else asks) + deep) for second in told]


GROWING = offered("0.64x20", "0.64x31")
"""20 for the entry, and enough for a scale-in of 30."""

SCALING: dict[str, object] = {"multiplier": "1.5"}


def set_to(name: str, value: object) -> Deed:
    return lambda world: setattr(world, name, value)


def struck_by(mishap: sim.Mishap, delay: float, only: str = "BUY") -> Deed:
    return lambda world: world.befall(mishap, delay, only)


INCIDENTS = {
    # The cancel of the old exit failed unnoticed, and the new one was placed beside it.
    "two_exits": Incident(rows=GROWING, scale_in=SCALING, deeds=((140, set_to("cancels_lost", 2)),)),
    # The exit stayed at the size of the first fill.
    "uncovered_scale_in": Incident(
        rows=GROWING, scale_in=SCALING, deeds=((140, struck_by(sim.Mishap.BALANCE_LATE, 5)),)
    ),
    # Cancelled, refused, and forgotten: no exit at all.
    "exit_refused_twice": Incident(rows=GROWING, scale_in=SCALING, deeds=((140, set_to("sells_refused", 2)),)),
    # The old exit had filled when it was replaced, and more was offered than was left.
    "exit_filled_in_swap": Incident(
        rows=GROWING, scale_in=SCALING, deeds=((140, struck_by(sim.Mishap.FILL_AFTER_CANCEL, 2, only="SELL")),)
    ),
    "too_little_left": Incident(
        rows=GROWING,
        scale_in={"multiplier": "0.2"},
        deeds=((140, struck_by(sim.Mishap.FILL_AFTER_CANCEL, 2, only="SELL")),),
    ),
    # A cancel that failed was sent again in every cycle.
    "cancel_spam": Incident(
        rows=offered("0.64x20"),
        scale_in={"multiplier": "1.5", "order": "rest", "time_left_seconds": 750},
        unfilled={"timeout_seconds": 60},
        deeds=((60, set_to("cancels_refused", True)),),
    ),
    # Five minutes of tries to sell what the wallet did not show, and then written off as unfilled.
    "zero_balance": Incident(
        rows=offered("0.64x20", market=LONG), market=LONG, deeds=((0, struck_by(sim.Mishap.TRADE_RETRIED, 300)),)
    ),
    # An exit for more than the wallet held was refused, and its cooldown began anew each time.
    "wallet_below_ledger": Incident(
        rows=offered("0.64x6", market=OLD_FEES), market=OLD_FEES, deeds=((-242, set_to("fee_rate", TAKEN_INSTEAD)),)
    ),
    # A trade that never reached the chain stayed in the ledger as a position.
    "matched_then_failed": Incident(rows=offered("0.64x20"), deeds=((0, struck_by(sim.Mishap.TRADE_FAILED, 20)),)),
    # An error in place of a balance was taken for a balance of nothing.
    "balance_down": Incident(
        rows=offered("0.64x20", market=LONG),
        market=LONG,
        deeds=((60, set_to("unreadable", True)), (660, set_to("unreadable", False))),
    ),
}
