"""What today's engine makes of a stored journal, step by step, and what its events say was on sale and held."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from polystra.app.session import build_engine
from polystra.app.settings import stored_settings
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.engine import Step
from polystra.core.event import Event
from polystra.core.events import AnyEvent
from polystra.core.ids import OrderId, TradeId
from polystra.core.terms import OrderTerms, Outcome, Side, TradeStage
from polystra.core.units import Instant, Shares, Usd
from polystra.edge.store.journal import Seen, read_journal
from tests.truth import SERIES

_ENDED = (ev.OrderRefused, ev.OrderNotSent, ev.OrderCancelled, ev.OrderExpired)

_Command = TypeVar("_Command", bound=cm.Command)
_Note = TypeVar("_Note", bound=nt.Note)
_Event = TypeVar("_Event", bound=Event)


class Moment(Struct, frozen=True):
    """What stood after one step, in one market of which only Up is traded: the sells that might be live, the shares
    held, and those of them that are settled, by all news so far; and what the wallet showed last. What the engine
    believes plays no part in it."""

    at: Instant
    on_sale: tuple[Shares, ...]
    held: Shares
    settled: Shares
    wallet: Shares
    cash: Usd


class Retold:
    """The steps of one journal, replayed."""

    def __init__(self, path: Path) -> None:
        self.steps: list[tuple[AnyEvent, Step]] = []
        self.moments: list[Moment] = []
        self._orders: dict[OrderId, OrderTerms] = {}
        self._ended: set[OrderId] = set()
        self._fills: dict[tuple[OrderId, TradeId], ev.OrderFilled] = {}
        self._wallet, self._cash = Shares(0), Usd(0)
        with read_journal(path) as reading:
            events = [record.event for record in reading if isinstance(record, Seen)]
            listed = [event.market.series for event in events if isinstance(event, ev.MarketListed)]
            engine = build_engine(stored_settings(reading.head.settings), listed or [SERIES])
        for event in events:
            self._learn(event, engine.handle(event))

    def _learn(self, event: AnyEvent, step: Step) -> None:
        if isinstance(event, _ENDED):
            self._ended.add(event.order)
        if isinstance(event, ev.OrderFilled):
            self._fills[event.order, event.trade] = event
        if isinstance(event, ev.SnapshotTaken):
            self._cash = event.cash
            self._wallet = next((one.shares for one in event.settled if one.outcome is Outcome.UP), self._wallet)
        for command in step.commands:
            if isinstance(command, cm.PlaceOrder):
                self._orders[command.order] = command.terms
        self.steps.append((event, step))
        self.moments.append(self._moment(event.at))

    def _moment(self, at: Instant) -> Moment:
        counted = [fill for fill in self._fills.values() if fill.stage is not TradeStage.FAILED]
        sold = sum(fill.shares for fill in counted if self._side(fill) is Side.SELL)
        bought = [fill for fill in counted if self._side(fill) is Side.BUY]
        return Moment(
            at=at,
            on_sale=self._on_sale(),
            held=Shares(sum(fill.shares for fill in bought) - sold),
            settled=Shares(sum(fill.shares for fill in bought if fill.stage.settled) - sold),
            wallet=self._wallet,
            cash=self._cash,
        )

    def _side(self, fill: ev.OrderFilled) -> Side:
        return self._orders[fill.order].side

    def _on_sale(self) -> tuple[Shares, ...]:
        sells = {order: terms for order, terms in self._orders.items() if terms.side is Side.SELL}
        left = (terms.shares - self._filled(order) for order, terms in sells.items() if order not in self._ended)
        return tuple(Shares(one) for one in left if one > 0)

    def _filled(self, order: OrderId) -> int:
        fills = (fill for (own, _), fill in self._fills.items() if own == order)
        return sum(fill.shares for fill in fills if fill.stage is not TradeStage.FAILED)

    # --- what was done and said

    def commands(self, kind: type[_Command]) -> list[tuple[Instant, _Command]]:
        return [(event.at, one) for event, step in self.steps for one in step.commands if isinstance(one, kind)]

    def notes(self, kind: type[_Note]) -> list[tuple[Instant, _Note]]:
        return [(event.at, one) for event, step in self.steps for one in step.notes if isinstance(one, kind)]

    def happened(self, kind: type[_Event]) -> list[_Event]:
        return [event for event, _ in self.steps if isinstance(event, kind)]

    def sells(self) -> list[tuple[Instant, OrderTerms]]:
        placed = self.commands(cm.PlaceOrder)
        return [(at, one.terms) for at, one in placed if one.terms.side is Side.SELL]

    def between(self, since: Instant, until: Instant) -> list[Moment]:
        return [moment for moment in self.moments if since <= moment.at < until]

    def first(self, shows: Callable[[Moment], bool]) -> Instant:
        """When something was so for the first time."""
        return next(moment.at for moment in self.moments if shows(moment))

    def once(self, shows: Callable[[Moment], bool], until: Instant) -> list[Moment]:
        """From the first moment at which something was so."""
        begun = next(place for place, moment in enumerate(self.moments) if shows(moment))
        return [moment for moment in self.moments[begun:] if moment.at < until]
