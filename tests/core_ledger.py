"""Keeps what an engine decided and booked, by its commands and notes alone, and tells it to the next one."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.engine import Step
from polystra.core.ids import OrderId, TradeId
from polystra.core.restored import RestoredAdjustment, RestoredFill, RestoredOrder
from polystra.core.terms import OrderTerms, TradeStage
from polystra.core.units import Instant, Shares, Usd
from tests.unit.core.samples import WINDOW

ENDED = frozenset({"FILLED", "CANCELLED", "EXPIRED", "REFUSED"})


class Booked(Struct, frozen=True):
    """A fill of the ledger with what it did to the cash."""

    fill: RestoredFill
    cash: int


class Ledger:
    """What a restart is told. `cash` is what there was before the orders that it keeps."""

    def __init__(self, cash: Usd) -> None:
        self.cash = cash
        self.orders: dict[OrderId, RestoredOrder] = {}
        self.fills: dict[TradeId, Booked] = {}
        self.adjustments: list[RestoredAdjustment] = []
        self.given_up: list[OrderId] = []
        self.halted = False
        self.state = ev.TradingState.ARMED

    def keep(self, event: ev.AnyEvent, step: Step) -> None:
        """One transaction: what followed from an event."""
        for command in step.commands:
            if isinstance(command, cm.PlaceOrder):
                self.remember(command.order, command.terms, event.at, ended=False)
        for note in step.notes:
            self._note(event, note)

    def _note(self, event: ev.AnyEvent, note: nt.AnyNote) -> None:
        match note:
            case nt.OrderMoved() if note.order in self.orders:
                self.orders[note.order] = replace(self.orders[note.order], ended=note.after in ENDED)
            case nt.FillBooked():
                assert isinstance(event, ev.OrderFilled)
                self.book(note.order, note.cash, event)
            case nt.TradeStageMoved():
                known = self.fills[note.trade]
                self.fills[note.trade] = replace(known, fill=replace(known.fill, stage=note.stage))
            case nt.AdjustmentBooked():
                lost = Shares(note.after - note.before)
                self.adjustments.append(
                    RestoredAdjustment(market=note.market, outcome=note.outcome, shares=lost, at=event.at)
                )
            case nt.EntryGivenUp():
                self.given_up.append(note.order)
            case nt.MarketHalted():
                self.halted = True
            case nt.StateChanged():
                self.state = ev.TradingState(note.after)
            case _:
                pass

    def remember(self, order: OrderId, terms: OrderTerms, at: Instant, *, ended: bool) -> None:
        self.orders[order] = RestoredOrder(order=order, terms=terms, decided_at=at, ended=ended)

    def book(self, order: OrderId, cash: int, trade: ev.OrderFilled) -> None:
        fill = RestoredFill(
            order=order,
            trade=trade.trade,
            price=trade.price,
            shares=trade.shares,
            liquidity=trade.liquidity,
            stage=trade.stage,
            filled_at=trade.traded_at or trade.at,
        )
        self.fills[trade.trade] = Booked(fill, cash)

    def loaded(self, at: Instant) -> ev.LedgerLoaded:
        moved = sum(one.cash for one in self.fills.values() if one.fill.stage is not TradeStage.FAILED)
        return ev.LedgerLoaded(
            at=at,
            next_order=OrderId(max(self.orders, default=0) + 1),
            cash=Usd(self.cash + moved),
            markets=(WINDOW,),
            orders=tuple(self.orders.values()),
            fills=tuple(one.fill for one in self.fills.values()),
            adjustments=tuple(self.adjustments),
            state=self.state,
            halted=(WINDOW.id,) if self.halted else (),
            given_up=tuple(self.given_up),
        )
