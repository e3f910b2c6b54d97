"""A tiny venue that answers an engine's commands late, wrongly or not at all, all from one seed, and knows the truth.

Not a model of Polymarket: that is `sim`. It exists so that the engine's own promises can be tried on thousands of
short, unkind lives.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from random import Random

from msgspec.structs import replace

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.engine import Engine
from polystra.core.fees import fee_of_fill
from polystra.core.ids import OrderId, TradeId
from polystra.core.notices import Notice, NoticeKind
from polystra.core.reasons import CancelReason, RefusalReason
from polystra.core.terms import Liquidity, OrderTerms, Outcome, Side, TradeStage
from polystra.core.units import MICRO, Instant, Price, Shares, Usd, cost_of, seconds, usd
from tests.core_cases import line
from tests.unit.core.samples import CRYPTO, NOON, WINDOW

MS = seconds(0.001)
CASH = usd(1_000)


class Truth:
    """One order as it really is at the venue."""

    def __init__(self, terms: OrderTerms) -> None:
        self.terms = terms
        self.live = False
        self.matched = 0
        self.spent = 0
        self.trades: list[ev.OrderFilled] = []
        self.landed = False

    @property
    def left(self) -> int:
        if self.terms.in_cash:
            return (self.terms.spend - self.spent) * MICRO // self.terms.price
        return self.terms.shares - self.matched


MODES = (
    RefusalReason.RATE_LIMITED,
    RefusalReason.RESTARTING,
    RefusalReason.POST_ONLY_MODE,
    RefusalReason.CANCEL_ONLY_MODE,
    RefusalReason.CLOSED_ONLY,
)


def forbidden(mode: RefusalReason, terms: OrderTerms) -> bool:
    """What each mode of the venue does not take."""
    if mode is RefusalReason.POST_ONLY_MODE:
        return not terms.post_only
    return mode is not RefusalReason.CLOSED_ONLY or terms.side is Side.BUY


class TinyVenue:
    """Answers commands with events that are due later; `kind` ends all misfortune."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(seed)
        self._due: list[tuple[Instant, int, ev.AnyEvent]] = []
        self._count = 0
        self._travelling: list[tuple[Instant, OrderId]] = []
        self.kind = False
        self.orders: dict[OrderId, Truth] = {}
        self.cash: int = CASH
        self.held: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self.settled: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self.mode: RefusalReason | None = None
        self._mode_ends = NOON
        self._notices: dict[str, Notice] = {}
        self._read_at = NOON
        self._book: ev.BookSnapshot | None = None

    # --- what is due -------------------------------------------------------------------------------------------

    @property
    def next_at(self) -> Instant | None:
        return self._due[0][0] if self._due else None

    @property
    def next_arrival(self) -> Instant | None:
        return self._travelling[0][0] if self._travelling else None

    def pop(self) -> ev.AnyEvent:
        """The next event; a trade that settles does so before its news arrives."""
        return heapq.heappop(self._due)[2]

    def _later(self, at: Instant, event: ev.AnyEvent) -> None:
        self._count += 1
        heapq.heappush(self._due, (at, self._count, replace(event, at=at)))

    def _delay(self, at: Instant, most: int = 30) -> Instant:
        return Instant(at + self._dice.randint(1, most) * 10 * MS)

    def _sale_fails(self) -> bool:
        """Here a sale always reaches the chain."""
        return False

    def _happens(self, chance: float) -> bool:
        return self._dice.random() < chance and not self.kind

    # --- commands ----------------------------------------------------------------------------------------------

    def hear(self, at: Instant, command: cm.AnyCommand) -> None:
        match command:
            case cm.PlaceOrder():
                self._place(at, command.order, command.terms)
            case cm.CancelOrder():
                self._cancel(at, command.order)
            case cm.QueryOrder():
                self._query(at, command.order)
            case cm.ResendOrder():
                self._resend(at, command.order)
            case cm.ReadBook():
                self._read_book(at)
            case cm.DropNotifications():
                self._drop(command.ids)
            case cm.TakeSnapshot():
                self._read(at)
            case _:
                pass

    def _read(self, at: Instant) -> None:
        """One reading of the account, as it stands when the question arrives."""
        self._later(
            Instant(at + 20 * MS),
            ev.SnapshotTaken(
                at=at,
                cash=Usd(self.cash),
                settled=tuple(ev.HeldShares(WINDOW.id, outcome, Shares(self.settled[outcome])) for outcome in Outcome),
                live=tuple(order for order, truth in self.orders.items() if truth.live),
            ),
        )

    def on_offer(self, outcome: Outcome) -> int:
        """Shares of an outcome that live orders may still sell."""
        return sum(
            one.left
            for one in self.orders.values()
            if one.live and one.terms.side is Side.SELL and one.terms.outcome is outcome
        )

    def _place(self, at: Instant, order: OrderId, terms: OrderTerms) -> None:
        assert order not in self.orders, f"o{order} was sent twice"
        truth = self.orders[order] = Truth(terms)
        answer = self._delay(at)
        if self.mode is not None and forbidden(self.mode, terms):
            self._turn_away(at, order)
            return
        if self._happens(0.15):
            reason = self._dice.choice([RefusalReason.NOT_ENOUGH_BALANCE, RefusalReason.OTHER])
            self._later(answer, ev.OrderRefused(at=at, order=order, reason=reason, text="no"))
            return
        if self._happens(0.08):
            self._later(answer, ev.OrderOutcomeUnknown(at=at, order=order, why="never arrived"))
            return
        if self._happens(0.08):
            self._later(answer, ev.OrderOutcomeUnknown(at=at, order=order, why="arrives late"))
            heapq.heappush(self._travelling, (Instant(at + self._dice.randint(1, 15) * 1_000 * MS), order))
            return
        if terms.time_in_force.immediate and self._happens(0.1):
            truth.live = True
            self._later(answer, ev.OrderOutcomeUnknown(at=at, order=order, why="held by the venue"))
            return
        self._land(at, order)
        if self._happens(0.1):
            self._later(answer, ev.OrderOutcomeUnknown(at=at, order=order, why="reply lost"))
        else:
            matched, paid = Shares(truth.matched), Usd(truth.spent)
            self._later(answer, ev.OrderAccepted(at=at, order=order, rests=truth.live, matched=matched, paid=paid))

    def _turn_away(self, at: Instant, order: OrderId) -> None:
        assert self.mode is not None
        pause = self._dice.choice([None, None, seconds(3)])
        no = ev.OrderRefused(at=at, order=order, reason=self.mode, text="not now", retry_after=pause)
        self._later(self._delay(at), no)

    def _resend(self, at: Instant, order: OrderId) -> None:
        """The same bytes again. What has arrived once is a duplicate; what travels still may be overtaken."""
        truth, answer = self.orders[order], self._delay(at)
        assert not truth.terms.time_in_force.immediate, f"o{order} may have been killed, and was sent again"
        if truth.landed:
            reason = RefusalReason.DUPLICATED
            self._later(answer, ev.OrderRefused(at=at, order=order, reason=reason, text="Duplicated"))
        elif self.mode is not None and forbidden(self.mode, truth.terms):
            self._turn_away(at, order)
        elif self._happens(0.2):
            self._later(answer, ev.OrderRefused(at=at, order=order, reason=RefusalReason.OTHER, text="no"))
        elif self._happens(0.2):
            self._later(answer, ev.OrderOutcomeUnknown(at=at, order=order, why="arrives late"))
            heapq.heappush(self._travelling, (Instant(at + self._dice.randint(1, 19) * 1_000 * MS), order))
        elif self._happens(0.1):
            self._later(answer, ev.OrderNotSent(at=at, order=order, why="no connection"))
        else:
            self._land(at, order)
            self._later(answer, ev.OrderAccepted(at=at, order=order, rests=truth.live))

    def _land(self, at: Instant, order: OrderId) -> None:
        truth = self.orders[order]
        if truth.landed:
            return
        truth.landed = True
        immediate = truth.terms.time_in_force.immediate
        if immediate and not self._happens(0.2):
            self._trade(at, order, truth.terms.shares // 2 if self._happens(0.3) else truth.left)
        truth.live = not immediate

    def _cancel(self, at: Instant, order: OrderId) -> None:
        truth, answer = self.orders[order], self._delay(at)
        if truth.live and self._happens(0.15):
            self._trade(at, order, truth.left if self._happens(0.5) else truth.left // 2)
            truth.live = truth.left > 0
        if not truth.live or self._happens(0.2):
            self._later(answer, ev.CancelRefused(at=at, order=order, text="not canceled"))
            return
        lost = self._happens(0.15)
        truth.live = lost and self._happens(0.5)
        if lost:
            self._later(answer, ev.CancelOutcomeUnknown(at=at, order=order, why="timeout"))
        else:
            gone = ev.OrderCancelled(at=at, order=order, reason=CancelReason.ASKED, matched=Shares(truth.matched))
            self._later(answer, gone)

    def _query(self, at: Instant, order: OrderId) -> None:
        truth, answer = self.orders[order], self._delay(at)
        for trade in truth.trades:
            self._later(answer, trade)
        if truth.live:
            self._later(answer, ev.OrderReported(at=at, order=order, matched=Shares(truth.matched)))
        else:
            self._later(answer, ev.OrderNotFound(at=at, order=order))

    # --- the market --------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        """What was on its way for seconds comes in."""
        self._land(*heapq.heappop(self._travelling))

    def see(self, event: ev.AnyEvent) -> None:
        """Something of the market's own is told. Meanwhile modes come and go, and what was noted is read."""
        if isinstance(event, ev.BookSnapshot):
            self._book = event
        if self.kind or event.at >= self._mode_ends:
            self.mode = None
        if self.mode is None and self._happens(0.06):
            self.mode = self._dice.choice(MODES)
            self._mode_ends = Instant(event.at + self._dice.randint(1, 8) * 1_000 * MS)
        if event.at >= self._read_at and self._notices:
            self._read_at = Instant(event.at + 2_000 * MS)
            told = tuple(self._notices.values())
            self._later(self._delay(event.at), ev.NotificationsRead(at=event.at, notices=told + told[-1:]))
        self.pass_by(event.at)

    def _note(self, order: OrderId, kind: NoticeKind) -> None:
        number = f"n{len(self._notices)}-{order}"
        self._notices[number] = Notice(id=number, kind=kind, order=order)

    def _drop(self, ids: tuple[str, ...]) -> None:
        assert ids, "of no ids the venue would drop all"
        assert len(set(ids)) == len(ids), f"dropped {ids}"
        if not self._happens(0.3):
            for one in ids:
                self._notices.pop(one, None)

    def _read_book(self, at: Instant) -> None:
        """The last whole book, an old one, a placeholder, or no answer at all."""
        if self._book is None or self._happens(0.1):
            return
        bids, asks, shown_at = self._book.bids, self._book.asks, at
        if self._happens(0.1):
            bids, asks = ((Price(10_000), Shares(MICRO)),), ((Price(990_000), Shares(MICRO)),)
        if self._happens(0.1):
            shown_at = NOON
        self._later(self._delay(at), ev.BookRead(at=at, market=WINDOW.id, bids=bids, asks=asks, venue_at=shown_at))

    def pass_by(self, at: Instant) -> None:
        """Somebody may trade with, and the venue may take away, what rests; what was held is let go."""
        for order, truth in list(self.orders.items()):
            if truth.live and truth.terms.time_in_force.immediate:
                if self._dice.random() < 0.2 or self.kind:
                    self._land(at, order)
                    reason, matched = CancelReason.REMAINDER_KILLED, Shares(truth.matched)
                    gone = ev.OrderCancelled(at=at, order=order, reason=reason, matched=matched)
                    self._later(self._delay(at), gone)
            elif truth.live and self._happens(0.15):
                self._trade(at, order, truth.left if self._happens(0.5) else truth.left // 3)
                truth.live = truth.left > 0
            elif truth.live and self._happens(0.05):
                truth.live = False
                self._note(order, NoticeKind.CANCELLED)
                reason, matched = CancelReason.BY_VENUE, Shares(truth.matched)
                gone = ev.OrderCancelled(at=at, order=order, reason=reason, matched=matched)
                self._later(self._delay(at), gone)

    def _trade(self, at: Instant, order: OrderId, amount: int) -> None:
        """Books the trade at once and tells of it later, sometimes twice, sometimes to take it back."""
        truth = self.orders[order]
        terms, amount = truth.terms, Shares(amount // 100 * 100)
        if amount <= 0:
            return
        self._count += 1
        taker = Liquidity.TAKER if terms.time_in_force.immediate else Liquidity.MAKER
        event = ev.OrderFilled(
            at=at,
            order=order,
            trade=TradeId(f"t{self._count}"),
            price=terms.price,
            shares=amount,
            liquidity=taker,
            stage=TradeStage.MATCHED,
            traded_at=at,
        )
        self._note(order, NoticeKind.FILLED)
        truth.matched += amount
        truth.spent += cost_of(terms.price, amount)
        fee = fee_of_fill(CRYPTO, terms.side, taker, terms.price, amount).usd
        sign = 1 if terms.side is Side.BUY else -1
        failed = self._happens(0.08) if terms.side is Side.BUY else self._sale_fails()
        if not failed:
            self.cash -= sign * cost_of(terms.price, amount) + fee
            self.held[terms.outcome] += sign * amount
            self.settled[terms.outcome] += sign * amount
        stages = [TradeStage.MATCHED, TradeStage.FAILED if failed else TradeStage.MINED]
        when = at
        for stage in stages:
            when = self._delay(when, 200)
            self._later(when, replace(event, stage=stage))
            if self._happens(0.2):
                self._later(self._delay(when), replace(event, stage=stage))
        truth.trades.append(replace(event, stage=stages[-1]))


def live(engine: Engine, venue: TinyVenue, market: Iterable[ev.AnyEvent], until: Instant) -> list[tuple[int, str]]:
    """Run them together, waking the engine when it asks; every command with the hundredth of a second it came in."""
    said: list[tuple[int, str]] = []
    coming = list(market)[::-1]

    def tell(event: ev.AnyEvent) -> None:
        for command in engine.handle(event).commands:
            said.append(((event.at - NOON) // (10 * MS), line(command)))
            venue.hear(event.at, command)

    while True:
        times = {
            "market": coming[-1].at if coming else None,
            "arrival": venue.next_arrival,
            "venue": venue.next_at,
            "wake": engine.next_wake,
        }
        due = min((when, name) for name, when in times.items() if when is not None)
        if due[0] > until:
            return said
        match due[1]:
            case "market":
                event = coming.pop()
                venue.see(event)
                tell(event)
            case "arrival":
                venue.arrive()
            case "venue":
                tell(venue.pop())
            case _:
                tell(ev.Woke(at=due[0]))


def started(engine: Engine) -> Engine:
    """Awake, with the window listed."""
    engine.handle(ev.LedgerLoaded(at=NOON, next_order=OrderId(1), cash=CASH))
    engine.handle(ev.SnapshotTaken(at=NOON, cash=CASH, settled=(), live=()))
    engine.handle(ev.Started(at=NOON))
    engine.handle(ev.MarketListed(at=NOON, market=WINDOW))
    return engine
