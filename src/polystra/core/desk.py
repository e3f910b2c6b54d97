"""Keeps everything the engine knows about one market: its book, its orders, what was decided, what it waits for.

A desk holds facts and answers questions about them. It decides nothing: that is the engine's order of business.
"""

from contextlib import suppress

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from polystra.core.account import reserve_of, reserved_by
from polystra.core.book import OrderBook
from polystra.core.events import BookRead
from polystra.core.ids import OrderId
from polystra.core.markets import Market, Payout
from polystra.core.orders import Order
from polystra.core.planner import Suspension
from polystra.core.positions import FLAT, Adjustment, Holding, MarketPosition, position_of
from polystra.core.prices import MINUTE, MinutePrices
from polystra.core.reasons import RefusalReason
from polystra.core.referee import Referee, after_reading
from polystra.core.restored import Memory
from polystra.core.sales import UNARMED, Armed
from polystra.core.strategy import Decision, Strategy, Wake
from polystra.core.terms import Outcome, Purpose, Side, Slot, slot_of
from polystra.core.unfilled import GivenUp
from polystra.core.units import MICRO, SIZE_STEP, Instant, Nanos, Price, Shares, Tick, Usd, mirror
from polystra.core.view import ANYTHING, NEVER, MarketView, Surroundings, Wait, middle_of


class Desk:
    """One followed market. Mutable; only the engine changes it.

    What only an order can change is added up when one does, not at every look: `live`, `reserved` (the most that those
    can still cost), `position`, `entries_working`, `entries_made`. `trusted` is whether the book was to be trusted at
    the last look, None while nothing rests on it.
    """

    def __init__(self, market: Market, strategy: Strategy, patience: Nanos) -> None:
        self.market = market
        self.strategy = strategy
        self.needs = strategy.needs
        self._wakes_on = strategy.wakes_on
        self.patience = patience
        self.book = OrderBook(market.tick, patience)
        self.minutes = MinutePrices()
        self.orders: dict[OrderId, Order] = {}
        self.live: tuple[Order, ...] = ()
        self.reserved = Usd(0)
        self.entries_working = 0
        self.entries_made = 0
        self.adjustments: tuple[Adjustment, ...] = ()
        self.position: MarketPosition = FLAT
        self.wallet: dict[Outcome, Shares] = {}
        self.armed: Armed = UNARMED
        self.suspended: dict[Slot, Suspension] = {}
        self.uncancelled: dict[OrderId, Suspension] = {}
        self.given_up: dict[Slot, GivenUp] = {}
        self.memory: Struct | None = strategy.first_memory
        self.decision: Decision | None = None
        self.called_at = Instant(0)
        self.wait: Wait = ANYTHING
        self.trusted: bool | None = None
        self.halted: str | None = None
        self.followed = False
        self.closed = False
        self.swept = False
        self.referee: Referee | None = None
        self.book_asked_at = Instant(0)
        self.blind_since: Instant | None = None
        self.unpriced_since = Instant(0)
        self.payout: Payout | None = None
        self.settled = False
        self.claimed = Usd(0)
        self.settled_for = Usd(0)
        self.said: dict[str, object] = {}

    # --- questions ---------------------------------------------------------------------------------------------

    def reserved_by_entry(self, wish: Slot) -> Usd:
        """The part of `reserved` that belongs to the live order in this slot, which its review must not count twice."""
        if not self.live:
            return Usd(0)
        mine = (order for order in self.live if slot_of(order.terms) == wish)
        return reserved_by(mine, self.market.fees)

    def resting_in(self, slot: Slot) -> Order | None:
        """The live order in this slot that rests, or may."""
        mine = (order for order in self.live if slot_of(order.terms) == slot)
        return next((order for order in mine if not order.terms.time_in_force.immediate), None)

    def quoted(self, outcome: Outcome) -> Price | None:
        """The middle of an outcome's book as it is now; None while one side is empty."""
        return middle_of(self.book.bid, self.book.ask, outcome)

    @property
    def shown_position(self) -> MarketPosition:
        """The position with no more of it settled than the venue's balance showed: what it would let us sell."""
        if self.position.flat:
            return self.position
        return MarketPosition(self._shown(self.position.up), self._shown(self.position.down))

    @property
    def awaits_shares(self) -> bool:
        """Whether shares have reached the chain that the venue's balance does not show yet."""
        return any(self.position.of(outcome).settled - self.wallet.get(outcome, 0) >= SIZE_STEP for outcome in Outcome)

    def _shown(self, holding: Holding) -> Holding:
        in_wallet = self.wallet.get(holding.outcome, Shares(0))
        return replace(holding, settled=in_wallet) if in_wallet < holding.settled else holding

    @property
    def stuck(self) -> bool:
        """Whether an order is live that could not be cancelled."""
        return any(order.id in self.uncancelled for order in self.live)

    @property
    def is_quiet(self) -> bool:
        """Closed, with nothing of ours live or still on its way to the chain."""
        return self.closed and not any(order.live or order.settling for order in self.orders.values())

    @property
    def is_over(self) -> bool:
        """Quiet and resolved: its sum is final."""
        return self.payout is not None and self.is_quiet

    def is_due(self, at: Instant) -> bool:
        """Whether what was decided last may have changed."""
        if at >= self.wait.until or not self.wait.best_holds(self.book.bid, self.book.ask):
            return True
        return self.trusted is not None and (self.book.trouble(at) is None) is not self.trusted

    def wakes_on(self, wake: Wake) -> bool:
        return wake in self._wakes_on.events

    def strategy_is_due(self, at: Instant) -> bool:
        """Whether the strategy asked to be called: its clock, its own time, or a best price outside its wait."""
        if self.decision is None or at >= min(self._clock, self.decision.wait.until):
            return True
        return self.wakes_on(Wake.BEST_MOVED) and not self.decision.wait.best_holds(self.book.bid, self.book.ask)

    def own_bands(self, decision: Decision) -> Wait:
        """The prices that the strategy waits for; they bind only one that wants to be called on them."""
        return decision.wait if self.wakes_on(Wake.BEST_MOVED) else ANYTHING

    def own_end(self, at: Instant, decision: Decision) -> Instant:
        """When to look again on the strategy's behalf: its own time, its clock, the next minute of own prices."""
        until = min(self._clock, decision.wait.until)
        return min(until, self.minutes.next_at(at)) if self.needs.own_prices else until

    def offered(self, outcome: Outcome, limit: Price) -> Shares:
        """Shares that an immediate BUY could take at its limit or better."""
        if outcome is Outcome.UP:
            return self.book.depth(Side.SELL, limit)
        return self.book.depth(Side.BUY, mirror(limit))

    def view(self, at: Instant, around: Surroundings) -> MarketView:
        needs, book = self.needs, self.book
        return MarketView(
            market=self.market,
            at=at,
            bid=book.bid,
            ask=book.ask,
            trouble=book.trouble(at),
            bids=book.levels(Side.BUY, needs.depth),
            asks=book.levels(Side.SELL, needs.depth),
            own_prices=self.minutes.points[-needs.own_prices :] if needs.own_prices else (),
            references=around.references,
            candles=around.candles,
            strike=around.strike,
            position=self.shown_position,
            entries_working=self.entries_working,
            entries_made=self.entries_made,
            free_cash=around.free_cash,
            referee=self.referee if self.referee is not None and self.referee.holds(at) else None,
        )

    @property
    def _clock(self) -> Instant:
        every = self._wakes_on.every
        return NEVER if every is None else Instant((self.called_at // every + 1) * every)

    # --- changes -----------------------------------------------------------------------------------------------

    def close_minute(self, at: Instant) -> bool:
        """Write the own price of the minute that ended, if one did; true when a strategy sees it."""
        if not self.minutes.is_due(at):
            return False
        minute = Instant(at // MINUTE * MINUTE)
        book = self.book
        fit = book.trouble(minute) is None and book.bid > 0 and book.ask < MICRO
        return self.minutes.close(minute, Price((book.bid + book.ask) // 2) if fit else None)

    def keep(self, order: Order) -> None:
        """Store an order's new version; the sums change by what it adds to them now, less what it added before."""
        before = self.orders.get(order.id)
        self.orders[order.id] = order
        live = [order if one.id == order.id else one for one in self.live]
        if before is None:
            live.append(order)
        else:
            self._count(before, -1)
        self.live = tuple([one for one in live if one.live])
        self._count(order, 1)
        if order.fills != (before.fills if before is not None else ()):
            self.refold()
            if order.terms.side is Side.SELL:
                self._lessen(order.terms.outcome)

    def _lessen(self, outcome: Outcome) -> None:
        """What was sold is not in the wallet any more, although no reading says so yet. Else shares that were bought
        meanwhile would pass for shown as soon as they are on the chain."""
        if outcome in self.wallet:
            self.wallet[outcome] = min(self.wallet[outcome], self.position.of(outcome).settled)

    def _count(self, order: Order, times: int) -> None:
        """Add what an order adds to the sums, or take it out again."""
        self.reserved = Usd(self.reserved + times * reserve_of(order, self.market.fees))
        if order.terms.purpose is Purpose.ENTRY:
            self.entries_working += times * order.live
            self.entries_made += times * (order.matched > 0 or order.awaited > 0)

    def retick(self, tick: Tick) -> None:
        """A finer grid: the book starts anew, and what was refused for the old grid may be tried again."""
        self.market = replace(self.market, tick=tick)
        self.book.retick(tick)
        self.lift(RefusalReason.OFF_TICK)

    def remember(self, memory: Memory) -> None:
        """Give a strategy back what it asked to keep; another strategy's memory, or an unreadable one, is not ours."""
        if self.memory is None or memory.strategy != self.strategy.name:
            return
        with suppress(msgspec.MsgspecError):
            self.memory = msgspec.msgpack.decode(memory.value, type=type(self.memory))

    def see_read(self, read: BookRead) -> None:
        """Take over what the venue says of the book when it is asked."""
        self.referee = after_reading(self.referee, read, self.market.tick, self.patience)

    def refold(self) -> None:
        self.position = position_of(self.orders.values(), self.adjustments)

    def see_wallet(self, outcome: Outcome, shares: Shares) -> None:
        """Take over what a reading shows. It confirms new shares; that old ones are gone takes more than one reading
        (`lifecycle.drifted`), or an exit would be taken back because of a single bad answer."""
        known = min(self.wallet.get(outcome, Shares(0)), self.position.of(outcome).settled)
        self.wallet[outcome] = max(shares, known)

    def lift(self, cause: str) -> None:
        """End the rest of every slot that waits for this cause."""
        for slot in [slot for slot, rest in self.suspended.items() if rest.cause == cause]:
            del self.suspended[slot]

    def says(self, subject: str, what: object) -> bool:
        """Whether `what` differs from what was last said about `subject`; remembers it."""
        if self.said.get(subject) == what:
            return False
        self.said[subject] = what
        return True
