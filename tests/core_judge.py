"""Lives one short life and judges it after every step, by what really happened at the venue (`core_telling_venue`).

Nothing here adds up what the core adds up: what was sold is counted where it was sold.
"""

from __future__ import annotations

from collections import Counter

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.desk import Desk
from polystra.core.engine import Engine, Step
from polystra.core.exits import ExitPlan, wanted_exits
from polystra.core.ids import OrderId, TradeId
from polystra.core.orders import Order, OrderState
from polystra.core.reversal import ReversalRules
from polystra.core.sales import chance_of
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side
from polystra.core.units import SIZE_STEP, Instant, Usd, seconds
from tests.core_ledger import Ledger
from tests.core_lives import Held, Restart, days, setting
from tests.core_telling_venue import TellingVenue, cost_with_fee
from tests.unit.core.samples import WINDOW

ANSWER_WITHIN = seconds(3)
IN_FLIGHT = frozenset({OrderState.SUBMITTING, OrderState.CANCELLING, OrderState.UNKNOWN})


def _in_flight(order: Order) -> bool:
    """Its answer, or that to its cancel, is still to come."""
    return order.state in IN_FLIGHT or order.terms.time_in_force.immediate


class Judge:
    """One life. `seen` counts what it reached."""

    def __init__(self, seed: int) -> None:
        self.drawn = drawn = setting(seed)
        self.venue = TellingVenue(seed, drawn)
        self.ledger = Ledger(drawn.cash)
        for held in drawn.held:
            self.venue.own(self.ledger, held, self._target(held) if held.target_rests else None)
        self.seen: Counter[str] = Counter()
        self.steps = 0
        self._coming = days(seed, drawn.start)[::-1]
        self._start(drawn.start)

    def _target(self, held: Held) -> OrderTerms:
        target = self.drawn.believer.exits.target
        assert target is not None
        return OrderTerms(
            market=WINDOW.id,
            outcome=held.outcome,
            side=Side.SELL,
            purpose=Purpose.TARGET,
            price=target,
            shares=held.shares,
        )

    def live(self) -> Judge:
        while self.steps < self.drawn.steps and self._next():
            pass
        return self

    def _next(self) -> bool:
        times = {
            "market": self._coming[-1].at if self._coming else None,
            "arrival": self.venue.next_arrival,
            "venue": self.venue.next_at,
            "wake": self.engine.next_wake,
        }
        if not self._coming:
            return False
        due, name = min((when, name) for name, when in times.items() if when is not None)
        match name:
            case "market":
                self._befall(self._coming.pop())
            case "arrival":
                self.venue.arrive()
            case "venue":
                self._hear(self.venue.pop())
            case _:
                self._hear(ev.Woke(at=due))
        return True

    def _befall(self, event: ev.AnyEvent | Restart) -> None:
        if isinstance(event, Restart):
            self.seen["restart"] += 1
            self._start(event.at)
        else:
            self.venue.see(event)
            self._hear(event)

    def _start(self, at: Instant) -> None:
        """The ledger's facts, the venue's trades and its account; then awake."""
        series = {WINDOW.series: self.drawn.believer}
        self.engine = Engine(self.drawn.rules, series, StandAside(exits=self.drawn.believer.exits))
        for event in (self.ledger.loaded(at), *self.venue.restart(at)):
            self.venue.tell(event)
            self.ledger.keep(event, self.engine.handle(event))
        self._hear(ev.Started(at=at))

    # --- one step ----------------------------------------------------------------------------------------------

    def _hear(self, event: ev.AnyEvent) -> None:
        self.venue.tell(event)
        step = self.engine.handle(event)
        self._obey(event, step)
        self.steps += 1
        self._asks_for_nothing_new(event.at)
        self._judge(event.at)

    def _obey(self, event: ev.AnyEvent, step: Step) -> None:
        self.ledger.keep(event, step)
        for command in step.commands:
            if isinstance(command, cm.PlaceOrder):
                self._placed(command.terms)
            self.venue.hear(event.at, command)

    def _placed(self, terms: OrderTerms) -> None:
        """Before it arrives: what it sells is there, was shown, and nothing else sells it."""
        self.seen[f"placed {terms.purpose}"] += 1
        if terms.side is Side.SELL:
            outcome = terms.outcome
            offered = self.venue.on_offer(outcome) + terms.shares
            there = min(self.venue.settled[outcome], self.venue.shown[outcome] - self.venue.sold[outcome])
            assert offered <= there, f"{outcome}: {offered} on sale of {there} that can be sold"
        else:
            free, cost = self.venue.free, cost_with_fee(terms, terms.shares)
            assert cost <= free, f"a {terms.purpose} for {cost} of {free} that are free"

    def _asks_for_nothing_new(self, at: Instant) -> None:
        """A fixed point of the exit plan: told to look again at the same moment, it leaves the exits alone and has no
        news of them. Purchases are sized by what is free, which they change. Nobody asks while an alarm is due."""
        wake = self.engine.next_wake
        if wake is not None and wake <= at:
            return
        step = self.engine.handle(ev.Started(at=at))
        for command in step.commands:
            if isinstance(command, cm.PlaceOrder | cm.CancelOrder | cm.ResendOrder):
                terms = self.desk.orders[command.order].terms
                assert terms.side is Side.BUY, f"at once again: {command} of {terms}"
        news = [note for note in step.notes if isinstance(note, nt.ExitUncovered | nt.StopTriggered)]
        assert not news, f"said at once again: {news}"
        self._obey(ev.Started(at=at), step)

    @property
    def desk(self) -> Desk:
        return self.engine._known.desks[WINDOW.id]

    def _judge(self, at: Instant) -> None:
        desk = self.desk
        self._one_exit_each(desk)
        self._covered_or_said(desk, at)
        self._grows_once(desk, at)
        self._turns_once()
        assert self.venue.free >= 0, f"promised more than there is: {self.venue.free}"
        turns = self.drawn.rules.reversal
        if turns is not None and turns.hedged and self.engine._known.state is not ev.TradingState.STOPPED:
            self._spared_not_too_long(desk, at, turns)

    # --- the four promises of the exit plan --------------------------------------------------------------------

    def _one_exit_each(self, desk: Desk) -> None:
        known = Counter(one.terms.outcome for one in desk.live if one.terms.side is Side.SELL)
        there = Counter(
            one.terms.outcome for one in self.venue.orders.values() if one.live and one.terms.side is Side.SELL
        )
        for outcome in Outcome:
            assert known[outcome] <= 1, f"{outcome}: {known[outcome]} live exits"
            assert there[outcome] <= 1, f"{outcome}: {there[outcome]} live exits at the venue"
            offered, held = self.venue.on_offer(outcome), self.venue.settled[outcome]
            assert offered <= held, f"{outcome}: {offered} on sale of {held}"

    def _covered_or_said(self, desk: Desk, at: Instant) -> None:
        """Every share of what the trader has been told of has an exit, or the reason why not was said last."""
        if self.engine._known.state is ev.TradingState.STOPPED:
            return
        reasons: dict[Outcome, list[str]] = {outcome: [] for outcome in Outcome}
        for outcome, why in desk.said.get("uncovered", ()):  # type: ignore[attr-defined]
            reasons[outcome].append(why)
        for outcome in Outcome:
            left = self._left_of(desk, outcome)
            if left < SIZE_STEP:
                continue
            exits = [one for one in desk.live if one.terms.side is Side.SELL and one.terms.outcome is outcome]
            whole = any(_in_flight(one) or one.remaining > left - SIZE_STEP for one in exits)
            assert whole or reasons[outcome], f"{outcome}: {left} held, nothing covers or says it: {exits}"
            for why in reasons[outcome]:
                self.seen[f"said {why}"] += 1
            self.seen["covered"] += whole

    def _left_of(self, desk: Desk, outcome: Outcome) -> int:
        """What the trader was told that it holds, by the trades and answers that it was told of."""
        left = 0
        for order in desk.orders.values():
            if order.terms.outcome is outcome:
                bought = order.terms.side is Side.BUY
                left += order.matched if bought else -order.matched
                left -= 0 if bought or order.live else order.awaited
        return left + sum(one.shares for one in desk.adjustments if one.outcome is outcome)

    # --- scale-in and reversal ---------------------------------------------------------------------------------

    def _grows_once(self, desk: Desk, at: Instant) -> None:
        for order in desk.live:
            opened_at = desk.position.of(order.terms.outcome).opened_at
            anew = opened_at is not None and order.decided_at < opened_at
            gone = anew or self._left_of(desk, order.terms.outcome) < SIZE_STEP
            rests = order.state is OrderState.WORKING and not order.terms.time_in_force.immediate
            if order.terms.purpose is Purpose.SCALE_IN and gone and rests:
                rest = desk.uncancelled.get(order.id)
                assert rest is not None, f"o{order.id} rests, and its parent is gone"
                assert rest.until > at, f"o{order.id} rests, and its parent is gone"
        if not self.venue.doomed:
            for outcome in Outcome:
                self._one_scale_in_each(outcome)

    def _one_scale_in_each(self, outcome: Outcome) -> None:
        """From flat to flat, as the venue knows it."""
        trades = [
            (trade.traded_at or trade.at, order, truth.terms, trade.shares)
            for order, truth in self.venue.orders.items()
            if truth.terms.outcome is outcome
            for trade in truth.trades
        ]
        held, grown = 0, set[OrderId]()
        for _, order, terms, amount in sorted(trades, key=lambda one: one[:2]):
            held += amount if terms.side is Side.BUY else -amount
            if terms.purpose is Purpose.SCALE_IN:
                grown.add(order)
            assert len(grown) <= 1, f"{outcome} was added to by {grown}"
            if held < SIZE_STEP:
                grown.clear()

    def _turns_once(self) -> None:
        turned = [
            order
            for order, truth in self.venue.orders.items()
            if truth.terms.purpose is Purpose.REVERSAL
            and any(trade.trade not in self.venue.doomed for trade in truth.trades)
        ]
        assert len(turned) <= 1, f"reversed by {turned}"

    def _spared_not_too_long(self, desk: Desk, at: Instant, turns: ReversalRules) -> None:
        """Where a plan that knows of no hedge would stop, the stop leaves, or a young hedge is the reason."""
        sells = [one for one in desk.live if one.terms.side is Side.SELL]
        if any(_in_flight(one) for one in sells):
            return
        view = desk.view(at, self.engine._known.surroundings(desk.market, Usd(0)))
        for order in self._plain_plan(desk, at).orders:
            if order.terms.purpose is not Purpose.STOP or self._stops(desk, order.terms, at):
                continue
            hedges = [
                one
                for one in desk.orders.values()
                if one.terms.purpose is Purpose.REVERSAL and one.terms.outcome is not order.terms.outcome
            ]
            assert hedges, f"{order.terms} is withheld, and there is no hedge"
            bid = view.sure_bid_of(order.terms.outcome)
            assert any(self._is_young(one, at, turns) for one in hedges), (
                f"{order.terms} is withheld too long: {hedges}"
            )
            answered = [one for one in hedges if one.state is not OrderState.SUBMITTING]
            assert not answered or bid is None or bid > turns.sell_at, f"{order.terms} is withheld at {bid}"
            self.seen["spared"] += 1

    def _plain_plan(self, desk: Desk, at: Instant) -> ExitPlan:
        assert desk.decision is not None
        view = desk.view(at, self.engine._known.surroundings(desk.market, Usd(0)))
        return wanted_exits(
            view,
            desk.decision.exits,
            desk.orders.values(),
            self.engine._known.standing.sells(at),
            armed=desk.armed,
            chances={outcome: chance_of(desk.decision, outcome) for outcome in Outcome},
        )

    def _stops(self, desk: Desk, terms: OrderTerms, at: Instant) -> bool:
        """It is on its way, or rests after a refusal, or what rests in its way could not be cancelled."""
        slot_rests = any(
            slot.outcome is terms.outcome and slot.purpose is Purpose.STOP and rest.until > at
            for slot, rest in desk.suspended.items()
        )
        in_the_way = any(one.id in desk.uncancelled for one in desk.live if one.terms.outcome is terms.outcome)
        return slot_rests or in_the_way

    def _is_young(self, hedge: Order, at: Instant, turns: ReversalRules) -> bool:
        if hedge.state is OrderState.SUBMITTING:
            return at < hedge.decided_at + ANSWER_WITHIN
        trades = self.venue.orders[hedge.id].trades
        if not trades:
            return False
        told = any(fill.counts for fill in hedge.fills)
        first = min(one.traded_at or one.at for one in trades) if told else self.venue.heard_of.get(hedge.id, at)
        return at < first + turns.sell_after

    # --- what was reached --------------------------------------------------------------------------------------

    def reached(self) -> set[str]:
        """The kinds of things that happened in this life."""
        kinds = set(self.seen)
        for truth in self.venue.orders.values():
            terms = truth.terms
            if truth.matched:
                kinds.add(f"filled {terms.purpose}")
            if truth.matched and terms.side is Side.SELL and truth.left >= SIZE_STEP:
                kinds.add("partial exit")
        kinds |= {"failed sale" if self._is_sale(trade) else "failed purchase" for trade in self.venue.doomed}
        if all(self.desk.position.of(outcome).shares for outcome in Outcome):
            kinds.add("both held")
        return kinds

    def _is_sale(self, trade: TradeId) -> bool:
        sells = (truth for truth in self.venue.orders.values() if truth.terms.side is Side.SELL)
        return any(one.trade == trade for truth in sells for one in truth.trades)
