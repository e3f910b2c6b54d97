"""A whole venue in virtual time: recordings play the market, `sim.Exchange` is the venue, latency lies between.

For the trader it is the far end of inbox and outbox, and nothing more: the same engine, loop, ledger and journal run
against it as against the real venue. Time moves only when the trader waits, to the next thing that is due. Of things
that are due at one moment come first the trader's own alarm, then what the exchange does by itself, then what arrives
(`world_ways`), then the recording. All chance comes from the seed, so the same recordings, settings and seed give the
same run; and as each message of the wire has its counterpart here, the same orders and fills as a run over the wire.
"""

import asyncio
import heapq
from collections.abc import Collection, Sequence
from functools import partial
from random import Random
from typing import assert_never

from msgspec.structs import replace

from polystra.app.exchange_log import ExchangeLog
from polystra.app.inbox import Inbox, Waiting
from polystra.app.merging import Books
from polystra.app.merging import Tell as MergingTell
from polystra.app.outbox import OrderNames
from polystra.app.redemption import Tell
from polystra.app.tape_player import TapePlayer
from polystra.app.throwaway import seeded_salts, throwaway_wallet
from polystra.app.translation import answer_events, background, market_facts, price_event
from polystra.app.world_batch import Batch
from polystra.app.world_client import WorldClient
from polystra.app.world_readings import Readings
from polystra.app.world_rules import WorldRules
from polystra.app.world_ways import Ways
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.ids import MarketId, OrderId, VenueOrderId
from polystra.core.markets import Market, PriceSource, Series
from polystra.core.terms import Side
from polystra.core.units import Instant, Tick, Usd, seconds
from polystra.edge.polymarket.amounts import amounts_of
from polystra.edge.polymarket.wallet import Wallet
from polystra.edge.ready import Ready
from polystra.edge.store.ledger import Ledger
from polystra.edge.tapes.format import Tape, TapeFile
from polystra.exchange.price_feeds import PriceBoard, Print
from polystra.sim import messages as sim
from polystra.sim.exchange import Exchange
from polystra.sim.latency import Latency
from polystra.sim.records import Account, Truth

TRADER = Account(throwaway_wallet(1).maker)
"""The account of simulated runs. Anybody can make its key."""

GRACE = seconds(300)
"""How long the trader may go on once the world itself has come to rest: enough for every doubt to end."""


LINGER = seconds(1)


class World:
    """The venue and its market. Mutable; the trader in front of it can be taken away and replaced."""

    def __init__(self, rules: WorldRules, files: Sequence[TapeFile], log: ExchangeLog) -> None:
        """Loads the first recording, to know when time begins; raises `RecordingError` when it is broken."""
        self._rules = rules
        self._log = log
        self._exchange = Exchange(rules.exchange, Random(f"{rules.seed} exchange"))
        self._readings = Readings(self._exchange, TRADER)
        self._tapes = TapePlayer(files)
        self._ways = Ways(self._tapes.next_at or Instant(0), Latency(rules.delays, rules.seed))
        self._prices = PriceBoard()
        self._prices.listeners.append(self._price)
        self._ends: list[tuple[Instant, int, Tape]] = []
        self._opened = 0
        self._over: set[MarketId] = set()
        self._client: WorldClient | None = None
        self._sides: dict[OrderId, tuple[Side, bool]] = {}
        self._sent: dict[OrderId, sim.Submit] = {}
        self._batches: dict[VenueOrderId, Batch] = {}
        self._senders: dict[VenueOrderId, WorldClient] = {}
        self._salt = seeded_salts(rules.seed)
        self.clock = self._ways.clock
        self.markets: dict[MarketId, Market] = {}
        self._stirred_at = self.clock.now()
        self._ask(sim.Deposit(account=TRADER, amount=rules.starting_cash))

    # --- the trader's side

    @property
    def wallet(self) -> Wallet:
        return throwaway_wallet(1)

    @property
    def owner(self) -> str:
        """No API key posts here."""
        return ""

    def salt(self, order: OrderId) -> int:
        return self._salt(order)

    @property
    def speed(self) -> float:
        """No machine's clock is behind this one."""
        return 1.0

    @property
    def waiting(self) -> Waiting:
        return self.wait

    @property
    def opening_cash(self) -> Usd:
        """The cash an account shows when it is read for the first time."""
        return self._exchange.balances(TRADER).cash

    def attach(self, inbox: Inbox, names: OrderNames, loaded: ev.LedgerLoaded, series: Collection[Series]) -> None:
        """Put a trader of these series in front, which knows what `loaded` says. What was on its way to an earlier one
        is lost, as with a process that died: news, answers and subscriptions; its orders and cancels arrive."""
        for market in loaded.markets:
            self.markets.setdefault(market.id, market)
        self._client = WorldClient(
            self._ways, self._readings, inbox=inbox, names=names, series=series, retick=self._retick
        )
        self._client.connect(loaded.markets)

    def redemption(self, ledger: Ledger, tell: Tell) -> None:
        """There is no chain here."""

    def merging(self, ledger: Ledger, books: Books, tell: MergingTell) -> None:
        """There is no chain here."""

    def start_trader(self) -> None:
        """Read the account once, and say `Started` when the reading has arrived."""
        self._trader.start()

    def send(self, ready: Sequence[Ready]) -> None:
        """Take the commands of one step on their way to the venue: placements and cancels each as one request."""
        self._cancel([one.command.order for one in ready if isinstance(one.command, cm.CancelOrder)])
        self._place([one for one in ready if isinstance(one.command, cm.PlaceOrder)])
        for one in ready:
            self._send(one.command)

    def _send(self, command: cm.AnyCommand) -> None:
        client = self._trader
        match command:
            case cm.PlaceOrder() | cm.CancelOrder() | cm.DropNotifications():
                pass  # sent together; and notifications nobody reads here
            case cm.ResendOrder(order=order):
                self._resend(order)
            case cm.CancelMarket(market=market):
                named = sim.CancelMarket(account=TRADER, market=market)
                self._ways.request(lambda: self._ask(named, client))
            case cm.CancelAll():  # its answer tells nothing that the user stream does not tell
                self._ways.request(lambda: self._ask(sim.CancelAll(account=TRADER)))
            case cm.QueryOrder(order=order):
                client.look_up(order)
            case cm.TakeSnapshot():
                client.read_account()
            case cm.ReadBook(market=market):
                client.read_book(market)
            case cm.Follow(market=market):
                client.follow(market)
            case cm.Unfollow(market=market):
                client.unfollow(market)
            case cm.LoadHistory(market=market):
                client.load_history(market)
            case cm.ReadScoring(order=order):
                client.read_scoring(order)
            case _:
                assert_never(command)

    def _retick(self, market: MarketId, tick: Tick) -> None:
        self.markets[market] = replace(self.markets[market], tick=tick)

    async def cancel_everything(self) -> str | None:
        """Take back every live order of the account, at once. The venue always says that it did."""
        self._ask(sim.CancelAll(account=TRADER))
        return None

    async def linger(self) -> None:
        """Long enough for the streams to tell of what was just done."""
        until = self.clock.now() + LINGER
        while self.clock.now() < until:  # noqa: ASYNC110 - time passes while the loop waits, and nobody tells
            await asyncio.sleep(0)

    async def wait(self, alarm: Instant | None) -> bool:
        """Let time pass until something has happened or the alarm is due; False at the end of the world."""
        alarm = _earlier(alarm, self._client.next_at if self._client is not None else None)
        due = _earlier(_earlier(self._exchange.next_due(), self._ways.next_due), self._next_recorded())
        if due is not None and (alarm is None or due < alarm):
            self.clock.move_to(due)
            self._happen(due)
            return True
        if alarm is None or self._rests(alarm):
            return False
        self.clock.move_to(alarm)
        self._trader.act()
        return True

    def truth(self) -> Truth:
        """What the exchange really has, exactly."""
        return self._exchange.truth()

    def end(self) -> Truth:
        """Close the exchange's log with its truth."""
        truth = self.truth()
        self._log.ended(truth, self.clock.now())
        return truth

    @property
    def _trader(self) -> WorldClient:
        assert self._client is not None, "no trader: attach one first"
        return self._client

    # --- time

    def _next_recorded(self) -> Instant | None:
        return _earlier(self._tapes.next_at, self._ends[0][0] if self._ends else None)

    def _rests(self, alarm: Instant) -> bool:
        """Whether nothing of the world's own will come, and the trader has had its time to notice."""
        return self._next_recorded() is None and alarm > self._stirred_at + GRACE

    def _happen(self, now: Instant) -> None:
        """One thing that is due: the exchange's own first, then what arrives, then the recording."""
        own, arrives = self._exchange.next_due(), self._ways.next_due
        if own is not None and own <= now:
            self._stirred_at = now
            self._publish(self._exchange.advance(now))
        elif arrives is not None and arrives <= now:
            self._ways.arrive()
        else:
            self._stirred_at = now
            self._play(now)

    # --- the recordings

    def _play(self, now: Instant) -> None:
        """The next thing: a market that closes, a recording that begins, or a row."""
        if self._ends and self._ends[0][0] <= now:
            self._close(heapq.heappop(self._ends)[2])
        elif (opening := self._tapes.begins(now)) is not None:
            self._open(opening)
        else:
            self._row(self._tapes.pop())

    def _open(self, tape: Tape) -> None:
        market = replace(tape.market, assumptions=tape.market.assumptions + self._rules.assumptions)
        self.markets[market.id] = market
        self._opened += 1
        heapq.heappush(self._ends, (Instant(market.end + self._rules.resolve_after), self._opened, tape))
        self._ask(sim.ListMarket(market=market_facts(market, self._rules.taker_hold)))
        self._readings.listed(market)
        client = self._client
        if client is not None and client.listening:
            self._ways.market(self.clock.now(), lambda: client.hear_of(market.slug))
        self._ask(sim.Publish(market=market.id))

    def _close(self, tape: Tape) -> None:
        """The market accepts no more orders, and pays what the recording says it paid, if it says so."""
        market = tape.market.id
        self._over.add(market)
        self._ask(sim.CloseMarket(market=market))
        if tape.payout is not None:
            self._ask(sim.Resolve(market=market, up_payout=tape.payout.up))

    def _row(self, event: ev.AnyEvent) -> None:
        """Rows of a closed market, and a tick that is no finer than the present one, say nothing new.

        After a finer tick the whole book is told on it. A row that states the book as it stands changes nothing, but
        proves that the stream is alive: the book is told again.
        """
        if getattr(event, "market", None) in self._over:
            return
        request = background(event)
        if isinstance(event, ev.PricePrinted):
            self._print(event)
        elif request is None:
            self._tell(event)
        elif isinstance(event, ev.TickSizeChanged):
            if event.tick.size < self._exchange.book(event.market).tick:
                self._ask(request)
                self._ask(sim.Publish(market=event.market))
        elif not self._ask(request) and isinstance(event, ev.BookSnapshot | ev.BookChanged):
            self._ask(sim.Publish(market=event.market))

    def _tell(self, event: ev.AnyEvent) -> None:
        """What no exchange is needed for: a record of best prices alone."""
        client = self._client
        if client is not None:
            self._ways.market(self.clock.now(), lambda: client.tell([event]))

    def _print(self, event: ev.PricePrinted) -> None:
        if event.source is not PriceSource.BINANCE_CANDLE:
            self._prices.print(event.source, event.asset, event.value, event.stamped_at)

    def _price(self, told: Print) -> None:
        client, event = self._client, price_event(told)
        if client is not None and event is not None and event.asset in client.priced:
            self._ways.prices(self.clock.now(), lambda: client.tell([event]))

    # --- requests and outputs

    def _cancel(self, orders: Sequence[OrderId]) -> None:
        client = self._trader
        theirs = tuple(name for order in orders if (name := client.names.theirs(order)) is not None)
        if theirs:
            cancel = sim.Cancel(account=TRADER, orders=theirs)
            self._ways.request(lambda: self._ask(cancel, client))

    def _place(self, orders: Sequence[Ready]) -> None:
        """Each is asked for alone; those of one batch are answered together, when the last of them is."""
        requests = [self._submit(ready) for ready in orders]
        if len(requests) > 1:
            batch = Batch([request.order for request in requests])
            self._batches.update(dict.fromkeys(batch.orders, batch))
        for request in requests:
            self._ways.request(partial(self._ask, request))

    def _resend(self, order: OrderId) -> None:
        """The same again, unless another life of the trader sent it."""
        again = self._sent.get(order)
        if again is not None:
            self._ways.request(lambda: self._ask(again))

    def _submit(self, ready: Ready) -> sim.Submit:
        command, venue_order = ready.command, ready.venue_order
        assert isinstance(command, cm.PlaceOrder), f"not a placement: {command}"
        assert venue_order is not None, "an order that could not be signed is never sent"
        terms = command.terms
        self._sides[command.order] = (terms.side, not terms.time_in_force.immediate)
        self._senders[venue_order] = self._trader
        amounts = amounts_of(terms)
        request = sim.Submit(
            account=TRADER,
            order=venue_order,
            token=self.markets[terms.market].token(terms.outcome),
            side=terms.side,
            maker_amount=amounts.maker,
            taker_amount=amounts.taker,
            time_in_force=terms.time_in_force,
            post_only=terms.post_only,
            expiration=(terms.expires_at or 0) // 10**9,
        )
        self._sent[command.order] = request
        return request

    def _ask(self, request: sim.Request, sender: WorldClient | None = None) -> bool:
        """Ask the exchange and send on what it says; false when it says nothing."""
        now = self.clock.now()
        self._log.asked(request, now)
        outputs = self._exchange.handle(request, now)
        self._publish(outputs, sender)
        return bool(outputs)

    def _publish(self, outputs: Sequence[sim.Output], sender: WorldClient | None = None) -> None:
        """Books are told again after the trades that changed them."""
        traded: dict[MarketId, None] = {}
        for output in outputs:
            self._log.did(output)
            if isinstance(output, sim.Answer):
                self._answer(output, sender)
            elif isinstance(output, sim.Update):
                self._update(output)
            elif isinstance(output, sim.Public):
                self._readings.said(output)
                self._broadcast(output)
                if isinstance(output, sim.PublicTrade):
                    traded[output.market] = None
        for market in traded:
            self._broadcast(self._readings.book(market))

    def _answer(self, output: sim.Answer, sender: WorldClient | None) -> None:
        """To whoever asked, which for an order may be a while ago: it may have been held. An order that no trader sent
        has nobody to answer."""
        placed = output if isinstance(output, sim.OrderAccepted | sim.OrderRejected) else None
        client = sender if placed is None else self._senders.get(placed.order)
        if client is not None:
            events = answer_events(output, client.names, self._sides)
            if placed is not None and placed.order in self._batches:
                batch = self._batches.pop(placed.order)
                batch.answers[placed.order] = events
                if len(batch.answers) < len(batch.orders):
                    return
                events = batch.told()
            self._ways.answer(output.at, lambda: client.tell(events))

    def _update(self, output: sim.Update) -> None:
        client = self._client
        if client is not None and client.listening and output.account == TRADER:
            self._ways.user(output.at, lambda: client.hear_own(output))

    def _broadcast(self, output: sim.Public) -> None:
        client = self._client
        if client is not None and output.market in client.subscribed:
            self._ways.market(output.at, lambda: client.hear(output))


def _earlier(one: Instant | None, other: Instant | None) -> Instant | None:
    return min((at for at in (one, other) if at is not None), default=None)
