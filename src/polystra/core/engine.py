"""Puts the core in order; nothing else.

    event ─► what is (book, prices, orders, positions)          `knowledge`
          ─► view ─► strategy ─► sizing ─► risk                 what we want: `entries`
                  ─► exits                                      what the holding needs
          ─► planner                                            the difference = commands

One event in, one `Step` out. An engine is born asleep: it learns the ledger's facts and the venue's reading as events
and commands nothing until `Started`. Most events change nothing that a decision rests on; the gate (`Wait`) lets them
pass with one shared, empty step.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from polystra.core import lifecycle
from polystra.core import notes as nt
from polystra.core.account import stake_of
from polystra.core.commands import (
    AnyCommand,
    CancelAll,
    CancelMarket,
    CancelOrder,
    DropNotifications,
    Follow,
    LoadHistory,
    PlaceOrder,
    QueryOrder,
    ReadBook,
    ResendOrder,
    TakeSnapshot,
    Unfollow,
)
from polystra.core.cover import uncovered
from polystra.core.desk import Desk
from polystra.core.entries import EntryPlan, wanted_entries
from polystra.core.events import AnyEvent, TradingState
from polystra.core.exits import NO_CHANCES, ExitPlan, wanted_exits
from polystra.core.knowledge import Knowledge
from polystra.core.markets import Series
from polystra.core.orders import Heard
from polystra.core.planner import Plan, plan
from polystra.core.referee import ASK_EVERY
from polystra.core.rules import Rules
from polystra.core.sales import armed_after, chance_of
from polystra.core.strategy import Decision, Strategy
from polystra.core.terms import Outcome
from polystra.core.units import Instant, Usd, seconds
from polystra.core.view import ANYTHING, NEVER, MarketView
from polystra.core.watched import positions_of

NAP = seconds(0.001)
"""No wait is shorter, whatever a strategy asks for: one that is over already would wake for ever."""

UNPRICED_AFTER = seconds(15)
"""How long what is held may be without a price until a person hears of it."""


class Step(Struct, frozen=True, gc=False):
    """What one event led to: what to do, and what changed."""

    commands: tuple[AnyCommand, ...] = ()
    notes: tuple[nt.AnyNote, ...] = ()


NOTHING = Step()
"""The answer to most events, shared."""


class Engine:
    """The whole bot without its edges. Mutable, single-threaded; the same events give the same steps.

    `strategies` says who trades which series; other series are not followed. `guardian` looks after positions in
    markets that no strategy owns any more.
    """

    def __init__(self, rules: Rules, strategies: Mapping[Series, Strategy], guardian: Strategy) -> None:
        self._rules = rules
        self._known = Knowledge(rules, strategies, guardian)
        self._commands: list[AnyCommand] = []

    def handle(self, event: AnyEvent) -> Step:
        """Learn one event and say what follows. Time comes from the event alone."""
        known = self._known
        known.learn(event)
        if known.awake:
            for market, forced in known.stirred.items():
                self._consider(known.desks[market], forced=forced)
            self._ask_venue()
        known.stirred.clear()
        if not self._commands and not known.notes:
            return NOTHING
        step = Step(tuple(self._commands), tuple(known.notes))
        self._commands.clear()
        known.notes.clear()
        return step

    def positions(self, at: Instant) -> tuple[nt.PositionWatched, ...]:
        """How everything that is held in open markets stands. A question: it changes nothing."""
        known = self._known
        held = (desk for desk in known.open_desks if not desk.position.flat)
        looks = ((desk, desk.view(at, known.surroundings(desk.market, Usd(0)))) for desk in held)
        sells = known.standing.sells(at)
        return tuple(one for desk, view in looks for one in positions_of(desk, view, sells))

    @property
    def next_wake(self) -> Instant | None:
        """When the engine wants to hear `Woke`, whatever happens before; None while only events matter.

        Once all markets are closed and quiet there is nothing to read the account for.
        """
        known = self._known
        if not known.awake:
            return None
        due, quiet = NEVER, True
        for desk in known.open_desks:
            due = min(due, desk.wait.until)
            quiet = quiet and desk.is_quiet
        if not quiet:
            due = min(due, known.readings.next_at or NEVER)
        return None if due >= NEVER else due

    def _consider(self, desk: Desk, *, forced: bool) -> None:
        """Decide again for one market: strategy, entries, exits, then the difference to what is working."""
        known, at = self._known, self._known.at
        self._follow(desk)
        if desk.closed:
            self._wind_up(desk)
            return
        account = known.account
        minute = desk.close_minute(at)
        view = desk.view(at, known.surroundings(desk.market, account.free))
        if forced or minute or desk.strategy_is_due(at):
            self._ask_strategy(desk, view)
        assert desk.decision is not None
        stopped = known.state is TradingState.STOPPED
        exits = self._exits(desk, view, stopped=stopped)
        halted = known.why_no_entries or known.readings.doubt_of(desk.market.id)
        entries = wanted_entries(desk, view, account, known.state, self._rules, halted=halted)
        planned = plan(
            entries.approved,
            exits.orders,
            desk.live,
            desk.suspended,
            at,
            desk.uncancelled,
            entries_wait=not known.standing.takes_entries(at),
        )
        asks_at = self._referee(desk, view, blind=exits.blind)
        own_end, mode_ends = desk.own_end(at, desk.decision), known.standing.next_at(at)
        until = min(own_end, planned.wait.until, mode_ends, asks_at, _trust_ends(desk, view))
        wait = desk.own_bands(desk.decision).both(entries.wait).both(exits.wait)
        desk.wait = wait.ending(until).lasting(Instant(at + NAP))
        self._say_what_changed(desk, view, entries, exits)
        known.notes.extend(lifecycle.gave_up(desk, slot, given, view) for slot, given in entries.given_up)
        self._command(desk, planned)
        self._sweep(desk)

    def _exits(self, desk: Desk, view: MarketView, *, stopped: bool) -> ExitPlan:
        """The exit plan, after the bid was noted that arms a holding's break-even protection."""
        assert desk.decision is not None
        policy = desk.decision.exits
        desk.armed, arming = armed_after(view, policy.break_even, desk.armed)
        if stopped:
            return ExitPlan(wait=arming)
        wanted = wanted_exits(
            view,
            policy,
            desk.orders.values(),
            self._known.standing.sells(view.at),
            armed=desk.armed,
            chances={outcome: chance_of(desk.decision, outcome) for outcome in Outcome}
            if policy.ladder
            else NO_CHANCES,
        )
        return wanted if arming is ANYTHING else replace(wanted, wait=wanted.wait.both(arming))

    def _ask_strategy(self, desk: Desk, view: MarketView) -> None:
        decision = desk.strategy.decide(view, desk.memory)
        desk.decision, desk.called_at = decision, view.at
        if decision.memory is not None and decision.memory != desk.memory:
            desk.memory = decision.memory
            self._known.notes.append(_memory_note(desk))
        if desk.says("decision", (bool(decision.wishes), decision.outcome, decision.reason)):
            self._known.notes.append(_decision_note(desk, decision))

    def _command(self, desk: Desk, planned: Plan) -> None:
        """Turn a plan into commands, and our own orders into what they are from now on."""
        known = self._known
        for order in planned.cancel:
            known.notes.extend(lifecycle.told(desk, order, Heard.CANCEL_ASKED, known.at, "not wanted any more"))
            self._commands.append(CancelOrder(order=order))
        for order in planned.query:
            lifecycle.asked(desk, order, known.at)
            self._commands.append(QueryOrder(order=order))
        for order in planned.resend:
            lifecycle.resent(desk, order, known.at)
            self._commands.append(ResendOrder(order=order))
        for terms in planned.place:
            order = known.number(desk)
            known.notes.append(lifecycle.born(desk, order, terms, known.at))
            known.notes.extend(lifecycle.retried(desk, order, terms))
            self._commands.append(PlaceOrder(order=order, terms=terms))

    def _wind_up(self, desk: Desk) -> None:
        """Take back what still rests in a closed market; book it once nothing of it can move any more."""
        known = self._known
        if not desk.is_over or desk.payout is None:
            self._sweep(desk)
            planned = plan((), (), desk.live, desk.suspended, known.at, desk.uncancelled)
            self._command(desk, planned)
            desk.wait = planned.wait.lasting(Instant(known.at + NAP))
            return
        desk.wait = ANYTHING
        position, payout = desk.position, desk.payout
        if not desk.says("settled", (position, payout)):
            return
        if not desk.settled:
            desk.settled = True
            known.close_desk(desk)
            self._commands.append(Unfollow(market=desk.market.id))
        claim = position.redeemable(payout)
        brought = Usd(claim - stake_of(position))
        known.treasury.claim(claim - desk.claimed)
        known.treasury.realise(brought - desk.settled_for, known.at)
        desk.claimed, desk.settled_for = claim, brought
        known.notes.append(
            nt.MarketSettled(
                market=desk.market.id,
                payout=payout,
                up_shares=position.up.shares,
                down_shares=position.down.shares,
                redeemable=position.redeemable(payout),
                pnl=position.pnl(payout),
            )
        )

    def _sweep(self, desk: Desk) -> None:
        """Once its window is over or its market closed, one cancel of everything where one order would not go."""
        end = desk.market.end
        if desk.swept or not desk.stuck:
            return
        if desk.closed or self._known.at >= end:
            desk.swept = True
            self._commands.append(CancelMarket(market=desk.market.id))
        else:
            desk.wait = desk.wait.ending(end)

    def _referee(self, desk: Desk, view: MarketView, *, blind: bool) -> Instant:
        """While something is held and the stream cannot price it the venue is asked for the book, every second; the
        moment of the next question. A person hears when nobody has had a price for a while."""
        at = view.at
        if not blind:
            desk.blind_since = None
            return NEVER
        if desk.blind_since is None:
            desk.blind_since = desk.unpriced_since = desk.book_asked_at = at
        elif at - desk.book_asked_at >= ASK_EVERY:
            desk.book_asked_at = at
            self._commands.append(ReadBook(market=desk.market.id))
        if view.referee is not None:
            desk.unpriced_since = at
        elif at - desk.unpriced_since >= UNPRICED_AFTER and desk.says("unpriced", desk.unpriced_since):
            self._known.notes.append(nt.PositionUnpriced(market=desk.market.id, since=desk.unpriced_since))
        return Instant(desk.book_asked_at + ASK_EVERY)

    def _follow(self, desk: Desk) -> None:
        """Ask for the streams and the history of a market, once."""
        if not desk.followed:
            desk.followed = True
            self._commands.append(Follow(market=desk.market.id))
            if desk.needs.history:
                self._commands.append(LoadHistory(market=desk.market.id))

    def _ask_venue(self) -> None:
        """Look up orders the venue did not list, cancel those it should not, and read the account when that is due."""
        known = self._known
        if known.sweep:
            self._commands.append(CancelAll())
            known.sweep = False
        audit = known.audit
        if audit.revenants:
            self._commands.extend(CancelOrder(order=order) for order in audit.revenants)
            audit.revenants.clear()
        if audit.missing:
            self._commands.extend(QueryOrder(order=order) for order in audit.missing)
            audit.missing.clear()
        if known.read:
            self._commands.append(DropNotifications(ids=tuple(known.read)))
            known.read.clear()
        readings = known.readings
        if readings.next_at is None:
            readings.asked(known.at)
        elif known.at >= readings.next_at:
            readings.asked(known.at)
            self._commands.append(TakeSnapshot())

    def _say_what_changed(self, desk: Desk, view: MarketView, entries: EntryPlan, exits: ExitPlan) -> None:
        """Said once per change, not once per look."""
        market, notes = desk.market.id, self._known.notes
        if desk.says("denied", tuple((wish.outcome, denied.limit) for wish, denied in entries.denied)):
            for wish, one in entries.denied:
                notes.append(
                    nt.EntryDenied(
                        market=market, outcome=wish.outcome, limit=one.limit, value=one.value, allowed=one.allowed
                    )
                )
        bare = uncovered(desk, view, exits)
        if desk.says("uncovered", tuple((one.outcome, one.why) for one in bare)):
            notes.extend(bare)
        if desk.says("stops", tuple(outcome for outcome, _, _ in exits.stops)):
            for outcome, bid, level in exits.stops:
                held = desk.position.of(outcome).settled
                notes.append(nt.StopTriggered(market=market, outcome=outcome, bid=bid, level=level, shares=held))


def _trust_ends(desk: Desk, view: MarketView) -> Instant:
    """Remember whether the book is trusted by those who mind; when its silence will end that, as things are."""
    assert desk.decision is not None
    trusted = view.trouble is None
    desk.trusted = None if view.position.flat and not desk.decision.wishes else trusted
    return desk.book.silent_at if desk.trusted else NEVER


def _memory_note(desk: Desk) -> nt.MemoryKept:
    return nt.MemoryKept(market=desk.market.id, strategy=desk.strategy.name, value=msgspec.msgpack.encode(desk.memory))


def _decision_note(desk: Desk, decision: Decision) -> nt.EntryDecided:
    return nt.EntryDecided(
        market=desk.market.id,
        strategy=desk.strategy.name,
        action="enter" if decision.wishes else "stand aside",
        reason=decision.reason,
        outcome=decision.outcome,
        probability=decision.probability,
        price=decision.price,
        fee=decision.fee,
        edge=decision.edge,
        signals=decision.signals,
    )
