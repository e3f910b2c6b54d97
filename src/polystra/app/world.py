"""A whole venue in virtual time: recordings play the market, `sim.Exchange` is the venue, latency lies between.

For the trader it is the far end of inbox and outbox, and nothing more: the same engine, loop, ledger and journal run
against it as against the real venue. Time moves only when the trader waits, to the next thing that is due: a recorded
row, something on its way, something the exchange does by itself, or the trader's own alarm. All chance comes from the
seed, so the same recordings, settings and seed give the same run.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from random import Random

from msgspec.structs import replace

from polystra.app.exchange_log import ExchangeLog
from polystra.app.inbox import Inbox
from polystra.app.outbox import OrderNames
from polystra.app.tape_player import TapePlayer
from polystra.app.translation import answer_events, background, fill_event, market_facts, public_event, user_event
from polystra.app.world_rules import WorldRules
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.ids import MarketId, OrderId, VenueOrderId
from polystra.core.markets import Market
from polystra.core.prices import MINUTE
from polystra.core.terms import Liquidity, Outcome, Side
from polystra.core.units import Instant, Price, Shares, Usd, seconds
from polystra.edge.polymarket.amounts import amounts_of
from polystra.edge.ready import Ready
from polystra.edge.tapes.format import Tape, TapeFile
from polystra.sim import messages as sim
from polystra.sim.exchange import Exchange
from polystra.sim.latency import Latency
from polystra.sim.records import Account, Truth

TRADER = Account("0x7e57000000000000000000000000000000007e57")
"""The wallet of simulated runs. Nobody has its key."""

GRACE = seconds(300)
"""How long the trader may go on once the world itself has come to rest: enough for every doubt to end."""

EVER = Instant(0)

OVERLAP = seconds(300)
"""How far a reading of trades reaches back; far longer than a trade takes to its last stage."""


class VirtualClock:
    """Stands still until the world moves it."""

    def __init__(self, start: Instant) -> None:
        self._now = start

    def now(self) -> Instant:
        return self._now

    def move_to(self, instant: Instant) -> None:
        self._now = max(self._now, instant)


class World:
    """The venue and its market. Mutable; the trader in front of it can be taken away and replaced."""

    def __init__(self, rules: WorldRules, files: Sequence[TapeFile], log: ExchangeLog) -> None:
        """Loads the first recording, to know when time begins; raises `RecordingError` when it is broken."""
        self._rules = rules
        self._log = log
        self._exchange = Exchange(rules.exchange, Random(f"{rules.seed} exchange"))
        self._latency = Latency(rules.delays, Random(f"{rules.seed} latency"))
        self._tapes = TapePlayer(files)
        self._due: list[tuple[Instant, int, Callable[[], object]]] = []
        self._count = 0
        self._trader = 0
        self._inbox: Inbox | None = None
        self._names = OrderNames()
        self._sides: dict[OrderId, tuple[Side, bool]] = {}
        self._markets: dict[MarketId, Market] = {}
        self._minutes: defaultdict[MarketId, list[ev.OwnPrice]] = defaultdict(list)
        self._minute_of: dict[MarketId, Instant] = {}
        self._over: dict[MarketId, tuple[ev.AnyEvent, ...]] = {}
        self._senders: dict[VenueOrderId, int] = {}
        self._followed: set[MarketId] = set()
        self.clock = VirtualClock(self._tapes.next_at or Instant(0))
        self._stirred_at = self.clock.now()
        self._ask(sim.Deposit(account=TRADER, amount=rules.starting_cash))

    # --- the trader's side -----------------------------------------------------------------------------------------

    @property
    def opening_cash(self) -> Usd:
        """The cash an account shows when it is read for the first time."""
        return self._exchange.balances(TRADER).cash

    def attach(self, inbox: Inbox, names: OrderNames) -> None:
        """Put a trader in front. What was on its way to an earlier one is lost, as with a process that died: news,
        answers, questions and subscriptions; its orders and cancels arrive. Of a market that is over only the end is
        told."""
        self._trader += 1
        self._inbox, self._names = inbox, names
        for followed in sorted(self._followed):
            self._follow(followed, on=False)
        now = self.clock.now()
        for market in self._markets.values():
            for event in self._over.get(market.id, (ev.MarketListed(at=Instant(0), market=market),)):
                self._tell(now, event)

    def start_trader(self) -> None:
        """Read the account once, and say `Started` when the reading has arrived."""
        self._question(lambda: self._read_account(then=(ev.Started(at=Instant(0)),)))

    def send(self, ready: Ready) -> None:
        """Take a command on its way to the venue."""
        match ready.command:
            case cm.PlaceOrder():
                self._place(ready, ready.command)
            case cm.CancelOrder(order=order):
                theirs = self._names.theirs(order)
                if theirs is not None:
                    self._request(sim.Cancel(account=TRADER, orders=(theirs,)))
            case cm.CancelAll():
                self._request(sim.CancelAll(account=TRADER))
            case cm.QueryOrder(order=order):
                self._question(lambda: self._look_up(order))
            case cm.TakeSnapshot():
                self._question(self._read_account)
            case cm.Follow(market=market):
                self._question(lambda: self._follow(market, on=True))
            case cm.Unfollow(market=market):
                self._question(lambda: self._follow(market, on=False))
            case cm.LoadHistory(market=market):
                self._question(lambda: self._load_history(market))

    async def wait(self, alarm: Instant | None) -> bool:
        """Let time pass until something has happened or the alarm is due; False at the end of the world."""
        due = self._next_due()
        if due is None or (alarm is not None and alarm <= due):
            if alarm is None or self._rests(alarm):
                return False
            self.clock.move_to(alarm)
            return True
        self.clock.move_to(due)
        self._happen(due)
        return True

    def truth(self) -> Truth:
        """What the exchange really has, exactly."""
        return self._exchange.truth()

    def end(self) -> Truth:
        """Close the exchange's log with its truth."""
        truth = self.truth()
        self._log.ended(truth, self.clock.now())
        return truth

    # --- time ------------------------------------------------------------------------------------------------------

    def _next_due(self) -> Instant | None:
        times = [
            time
            for time in (self._exchange.next_due(), self._due[0][0] if self._due else None, self._tapes.next_at)
            if time is not None
        ]
        return min(times, default=None)

    def _rests(self, alarm: Instant) -> bool:
        """Whether nothing of the world's own will come, and the trader has had its time to notice."""
        over = self._tapes.next_at is None and len(self._over) == len(self._markets)
        return over and alarm > self._stirred_at + GRACE

    def _happen(self, now: Instant) -> None:
        """One thing that is due: the exchange's own first, then what arrives, then the recording."""
        due = self._exchange.next_due()
        if due is not None and due <= now:
            self._stirred_at = now
            self._publish(self._exchange.advance(now))
        elif self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()
        else:
            self._play(now)

    def _at(self, when: Instant, act: Callable[[], object]) -> None:
        self._count += 1
        heapq.heappush(self._due, (when, self._count, act))

    # --- the market ------------------------------------------------------------------------------------------------

    def _play(self, now: Instant) -> None:
        """The next recorded row, or the beginning of the next recording.

        A row that re-states the book as it is changes nothing, but proves that the stream is alive.
        """
        self._stirred_at = now
        opening = self._tapes.begins(now)
        if opening is not None:
            self._open(opening, now)
            return
        event = self._tapes.pop()
        market = getattr(event, "market", None)
        if market in self._over:
            return
        request = background(event)
        if request is None:
            self._tell(self._latency.market(now), event)
            return
        if isinstance(event, ev.TickSizeChanged):
            self._refine(event, request)
            return
        if not isinstance(event, ev.BookSnapshot | ev.BookChanged):
            self._ask(request)
            return
        self._keep_minute(event.market, now)
        if not self._ask(request) and event.market in self._followed:
            self._tell(self._latency.market(now), ev.BookChanged(at=Instant(0), market=event.market, changes=()))

    def _refine(self, event: ev.TickSizeChanged, request: sim.Request) -> None:
        """A finer grid, and the whole book on it for a trader that follows. A recording that says it again, or says a
        coarser one, says nothing: ticks only get finer."""
        if event.tick.size >= self._exchange.book(event.market).tick:
            return
        self._ask(request)
        if event.market in self._followed:
            self._ask(sim.Publish(market=event.market))

    def _open(self, tape: Tape, now: Instant) -> None:
        market = replace(tape.market, assumptions=tape.market.assumptions + self._rules.assumptions)
        self._markets[market.id] = market
        self._ask(sim.ListMarket(market=market_facts(market, self._rules.taker_hold)))
        self._tell(self._latency.market(now), ev.MarketListed(at=Instant(0), market=market))
        over = Instant(market.end + self._rules.resolve_after)
        self._at(over, lambda: self._close(tape))

    def _close(self, tape: Tape) -> None:
        """The market accepts no more orders, and pays what the recording says it paid, if it says so."""
        market, payout = tape.market.id, tape.payout
        self._over[market] = (ev.MarketClosed(at=Instant(0), market=market),)
        self._stirred_at = self.clock.now()
        self._ask(sim.CloseMarket(market=market))
        if payout is not None:
            self._over[market] += (ev.MarketResolved(at=Instant(0), market=market, payout=payout),)
            self._ask(sim.Resolve(market=market, up_payout=payout.up))

    def _keep_minute(self, market: MarketId, now: Instant) -> None:
        """The price history that the venue would answer with: the middle of the book at each whole minute.

        The book as it stood before the first row of a minute; none before the recording begins.
        """
        minute = Instant(now // MINUTE * MINUTE)
        before, self._minute_of[market] = self._minute_of.get(market, minute), minute
        if before == minute:
            return
        book = self._exchange.book(market)
        if book.bids and book.asks:
            self._minutes[market].append(ev.OwnPrice(minute, Price((book.bids[0][0] + book.asks[0][0]) // 2)))

    # --- requests and outputs --------------------------------------------------------------------------------------

    def _ask(self, request: sim.Request, sender: int | None = None) -> bool:
        """Ask the exchange and send on what it says; false when it says nothing."""
        now = self.clock.now()
        self._log.asked(request, now)
        outputs = self._exchange.handle(request, now)
        self._publish(outputs, sender)
        return bool(outputs)

    def _follow(self, market: MarketId, *, on: bool) -> None:
        if on:
            self._followed.add(market)
        else:
            self._followed.discard(market)
        self._ask(sim.Publish(market=market, on=on))

    def _publish(self, outputs: Sequence[sim.Output], sender: int | None = None) -> None:
        """An answer goes back to the trader that asked, whose order may have waited; the streams to who is there."""
        for output in outputs:
            self._log.did(output)
            if isinstance(output, sim.Answer):
                when = self._latency.answer(output.at)
                order = output.order if isinstance(output, sim.OrderAccepted | sim.OrderRejected) else None
                if (sender if order is None else self._senders[order]) == self._trader:
                    for event in answer_events(output, self._names, self._sides):
                        self._tell(when, event)
            elif isinstance(output, sim.Update):
                news = user_event(output, self._names)
                if news is not None:
                    self._tell(self._latency.user(output.at), news)
            else:
                self._tell(self._latency.market(output.at), public_event(output))

    def _tell(self, when: Instant, event: ev.AnyEvent) -> None:
        trader = self._trader

        def arrive() -> None:
            if trader == self._trader and self._inbox is not None:
                self._inbox.put(event)

        self._at(when, arrive)

    def _request(self, request: sim.Request) -> None:
        """What is on its way arrives, whoever has died meanwhile."""
        sender = self._trader
        self._at(self._latency.submit(self.clock.now()), lambda: self._ask(request, sender))

    def _question(self, act: Callable[[], object]) -> None:
        """It changes nothing at the venue, so nobody misses it when its trader has gone."""
        trader = self._trader
        self._at(self._latency.submit(self.clock.now()), lambda: act() if trader == self._trader else None)

    def _place(self, ready: Ready, command: cm.PlaceOrder) -> None:
        terms, venue_order = command.terms, ready.venue_order
        assert venue_order is not None
        self._sides[command.order] = (terms.side, not terms.time_in_force.immediate)
        self._senders[venue_order] = self._trader
        amounts = amounts_of(terms)
        request = sim.Submit(
            account=TRADER,
            order=venue_order,
            token=self._markets[terms.market].token(terms.outcome),
            side=terms.side,
            maker_amount=amounts.maker,
            taker_amount=amounts.taker,
            time_in_force=terms.time_in_force,
            post_only=terms.post_only,
            expiration=(terms.expires_at or 0) // 10**9,
        )
        self._request(request)

    # --- reading ---------------------------------------------------------------------------------------------------

    def _look_up(self, order: OrderId) -> None:
        """What the venue knows about one order: its trades, and whether it is live."""
        when = self._latency.answer(self.clock.now())
        theirs = self._names.theirs(order)
        for fill in self._fills():
            if fill.order == order:
                self._tell(when, fill)
        found = self._exchange.order(theirs) if theirs is not None else None
        if found is None:
            self._tell(when, ev.OrderNotFound(at=Instant(0), order=order))
        else:
            self._tell(when, ev.OrderReported(at=Instant(0), order=order, matched=found.matched))

    def _read_account(self, then: Sequence[ev.AnyEvent] = ()) -> None:
        """Trades, live orders and balances, as one reading. The first reading of a trader has every trade ever made,
        a later one those that moved in the last `OVERLAP`: what is told twice counts once, what is missed is lost."""
        since = EVER if then else Instant(self.clock.now() - OVERLAP)
        live: list[OrderId] = []
        foreign = []
        events: list[ev.AnyEvent] = list(self._fills(since))
        for found in self._exchange.open_orders(TRADER):
            order = self._names.ours(found.id)
            if order is None:
                foreign.append(found.id)
                continue
            live.append(order)
            events.append(ev.OrderReported(at=Instant(0), order=order, matched=found.matched))
        balances = self._exchange.balances(TRADER)
        settled = tuple(
            ev.HeldShares(market.id, outcome, Shares(balances.of(market.token(outcome))))
            for market in self._markets.values()
            if market.id not in self._over
            for outcome in Outcome
        )
        taken = ev.SnapshotTaken(
            at=Instant(0), cash=balances.cash, settled=settled, live=tuple(live), foreign=tuple(foreign)
        )
        when = self._latency.answer(self.clock.now())
        for event in (*events, taken, *then):
            self._tell(when, event)

    def _fills(self, since: Instant = EVER) -> Iterator[ev.OrderFilled]:
        for trade in self._exchange.trades(TRADER):
            if trade.updated_at < since:
                continue
            for leg, liquidity in ((trade.taker, Liquidity.TAKER), (trade.maker, Liquidity.MAKER)):
                order = self._names.ours(leg.order)
                if leg.account == TRADER and order is not None:
                    update = sim.TradeUpdated(at=trade.updated_at, account=TRADER, liquidity=liquidity, trade=trade)
                    yield fill_event(order, update)

    def _load_history(self, market: MarketId) -> None:
        known = tuple(self._minutes.get(market, ()))
        when = self._latency.answer(self.clock.now())
        self._tell(when, ev.HistoryLoaded(at=Instant(0), market=market, own_prices=known))
