"""Puts the core in order; nothing else.

    event ─► book, prices, orders, positions    what is: `knowledge`
          ─► view ─► strategy                   what it would like
          ─► exits                              what the holding needs
          ─► additions ─► sizing ─► risk        what is bought, and whether: `entries`
          ─► planner                            the difference to what is working = commands

One event in, one `Step` out. An engine is born asleep: it learns the ledger's facts and the venue's reading as events
and commands nothing until `Started`. Most events change nothing that a decision rests on; the gate (`Wait`) lets them
pass with one shared, empty step.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from polystra.core import lifecycle, said
from polystra.core import notes as nt
from polystra.core.account import Account
from polystra.core.additions import additions, adds
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
    ReadScoring,
    ResendOrder,
    TakeSnapshot,
    Unfollow,
)
from polystra.core.desk import Desk
from polystra.core.entries import EntryPlan, wanted_entries
from polystra.core.events import AnyEvent, TradingState
from polystra.core.exits import NO_CHANCES, ExitPlan, Sells, wanted_exits
from polystra.core.knowledge import Knowledge
from polystra.core.markets import Series
from polystra.core.merges import PairsHeld, pairs_of
from polystra.core.orders import Heard
from polystra.core.planner import Plan, plan
from polystra.core.referee import ASK_EVERY
from polystra.core.rules import Rules
from polystra.core.sales import armed_after, chance_of
from polystra.core.settlement import settled
from polystra.core.strategy import ExitPolicy, Strategy
from polystra.core.terms import OrderTerms, Outcome, Purpose
from polystra.core.units import Instant, Usd, seconds
from polystra.core.view import ANYTHING, NEVER, MarketView, Wait
from polystra.core.watched import equity_of, positions_of

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

    def positions(self, at: Instant) -> tuple[nt.PositionWatched | nt.EquityWatched, ...]:
        """How everything that is held in open markets stands, and what all is worth; nothing where nothing is held. A
        question: it changes nothing."""
        known = self._known
        held = (desk for desk in known.open_desks if not desk.position.flat)
        looks = [(desk, desk.view(at, known.surroundings(desk.market, Usd(0)))) for desk in held]
        sells = known.standing.sells(at)
        stand = (one for desk, view in looks for one in positions_of(desk, view, sells))
        return (*stand, equity_of(known.account, looks)) if looks else ()

    def pairs(self) -> tuple[PairsHeld, ...]:
        """What could be merged in markets that are not settled. A question: it changes nothing. An engine that is
        asleep goes by its fills alone, as it has seen no balance."""
        known = self._known
        return tuple(pairs_of(desk, by_wallet=known.awake) for desk in known.open_desks)

    @property
    def awake(self) -> bool:
        """Whether it heard `Started`."""
        return self._known.awake

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
        """Decide again for one market: strategy, exits, entries, then the difference to what is working."""
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
        exits, entries = self._wanted(desk, view, account)
        if desk.called_at < at and adds(desk, entries.approved):
            self._ask_strategy(desk, view)
            exits, entries = self._wanted(desk, view, account)
        planned = self._plan(desk, entries, exits)
        hedges = [one.terms for one in entries.approved if one.terms.purpose is Purpose.REVERSAL]
        if hedges:
            exits, planned = self._hedged(desk, view, entries, hedges) or (exits, planned)
        asks_at = self._referee(desk, view, blind=exits.blind)
        own_end, mode_ends = desk.own_end(at, desk.decision), known.standing.next_at(at)
        until = min(own_end, planned.wait.until, mode_ends, asks_at, _trust_ends(desk, view))
        wait = desk.own_bands(desk.decision).both(entries.wait).both(exits.wait)
        desk.wait = wait.ending(until).lasting(Instant(at + NAP))
        known.notes.extend(said.changed(desk, view, entries, exits))
        if entries.starved:
            known.notes.extend(said.short_of_cash(known, account))
        known.notes.extend(lifecycle.gave_up(desk, slot, given, view) for slot, given in entries.given_up)
        self._command(desk, planned)
        self._sweep(desk)

    def _wanted(self, desk: Desk, view: MarketView, account: Account) -> tuple[ExitPlan, EntryPlan]:
        """The exits that are wanted, and what is bought beside them, by the strategy's present decision. What a rule
        adds is bought on an estimate of this moment alone: an older one would find a price worth it that just fell."""
        known = self._known
        exits = self._exits(desk, view, stopped=known.state is TradingState.STOPPED)
        halted = known.why_no_entries or known.readings.doubt_of(desk.market.id)
        added = additions(desk, view, exits, self._rules)
        entries = wanted_entries(desk, view, account, known.state, self._rules, halted=halted, added=added)
        return exits, entries

    def _plan(self, desk: Desk, entries: EntryPlan, exits: ExitPlan) -> Plan:
        at = self._known.at
        return plan(
            entries.approved,
            exits.orders,
            desk.live,
            desk.suspended,
            at,
            desk.uncancelled,
            entries_wait=not self._known.standing.takes_entries(at),
        )

    def _hedged(
        self, desk: Desk, view: MarketView, entries: EntryPlan, hedges: Sequence[OrderTerms]
    ) -> tuple[ExitPlan, Plan] | None:
        """What is done when these leave before the stops that they hedge; None when they do not leave now."""
        exits = self._exits(desk, view, stopped=False, hedges=hedges)
        planned = self._plan(desk, entries, exits)
        leaves = any(terms.purpose is Purpose.REVERSAL for terms in planned.place)
        return (exits, planned) if leaves else None

    def _exits(self, desk: Desk, view: MarketView, *, stopped: bool, hedges: Sequence[OrderTerms] = ()) -> ExitPlan:
        """The exit plan, after the bid was noted that arms a holding's break-even protection."""
        assert desk.decision is not None
        policy = desk.decision.exits
        before = desk.armed
        desk.armed, arming = armed_after(view, policy.break_even, before)
        self._known.notes.extend(lifecycle.armed(desk, view, before))
        if stopped:
            return ExitPlan(wait=arming)
        allowed = self._known.standing.sells(view.at)
        rewards = ANYTHING if policy.rewards is None else self._rewards(desk, view, policy, allowed)
        wanted = wanted_exits(
            view,
            policy,
            desk.orders.values(),
            allowed,
            armed=desk.armed,
            chances={outcome: chance_of(desk.decision, outcome) for outcome in Outcome}
            if policy.ladder
            else NO_CHANCES,
            hedging=self._rules.reversal,
            hedges=hedges,
            moves=desk.rewards.moves,
        )
        if arming is ANYTHING and rewards is ANYTHING:
            return wanted
        return replace(wanted, wait=wanted.wait.both(arming).both(rewards))

    def _rewards(self, desk: Desk, view: MarketView, policy: ExitPolicy, allowed: Sells) -> Wait:
        """Ask which targets score for rewards, and move those that are to rest elsewhere while the venue lets us."""
        asked, next_at = desk.rewards.due(view, desk.live)
        self._commands.extend(ReadScoring(order=order) for order in asked)
        if allowed is Sells.ANY:
            desk.rewards.move(view, policy, desk.live, desk.both_sides)
        return Wait(until=next_at)

    def _ask_strategy(self, desk: Desk, view: MarketView) -> None:
        decision = desk.strategy.decide(view, desk.memory)
        desk.decision, desk.called_at = decision, view.at
        self._known.notes.extend(said.decided(desk, decision))

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
            known.notes.extend(desk.rewards.placed(order, terms))
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
        if not desk.settled:
            known.close_desk(desk)
            self._commands.append(Unfollow(market=desk.market.id))
        known.notes.extend(settled(desk, desk.payout, known.treasury, known.at))

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


def _trust_ends(desk: Desk, view: MarketView) -> Instant:
    """Remember whether the book is trusted by those who mind; when its silence will end that, as things are."""
    assert desk.decision is not None
    trusted = view.trouble is None
    desk.trusted = None if view.position.flat and not desk.decision.wishes else trusted
    return desk.book.silent_at if desk.trusted else NEVER
