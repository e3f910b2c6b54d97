"""An engine on a bench: events go in by the second of the window, commands come out as short lines.

    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    assert bench.book(60) == ["place o1 entry BUY UP 10 @ 0.54 FAK"]

The bench wakes the engine whenever it asked for it, as the inbox does, and fails when such a wake led to commands that
the test never looked at.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.engine import Engine, Step
from polystra.core.ids import MarketId, OrderId, TradeId
from polystra.core.markets import Market, Payout
from polystra.core.reasons import CancelReason, RefusalReason
from polystra.core.risk import Limits
from polystra.core.rules import Rules
from polystra.core.sizing import StakeRules
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.strategy import Decision, ExitPolicy, Needs, StopPolicy, Strategy, Wake, WakesOn, Wish
from polystra.core.terms import Liquidity, OrderTerms, Outcome, TradeStage
from polystra.core.units import MICRO, Instant, Nanos, Usd, micro, price, seconds, shares, show, usd
from polystra.core.view import ANYTHING, MarketView, Wait
from tests.unit.core.samples import NOON, WINDOW

LIMITS = Limits(
    max_order=usd(100),
    max_market=usd(100),
    max_total=usd(1_000),
    max_open_positions=4,
    max_daily_loss=usd(50),
    max_spread=price("0.15"),
    min_edge=micro("0.02"),
    min_time_left=seconds(15),
)

RULES = Rules(
    limits=LIMITS,
    stakes=StakeRules(fraction=50_000, max_stake=usd("5.40")),
    book_patience=seconds(1_000),
    reading_every=seconds(100_000),
)
"""Ten shares at 0.54 an entry, no readings of its own accord, and books that do not go stale unless a test says so."""

STOP = StopPolicy(price=price("0.30"), min_age=seconds(30))
EXITS = ExitPolicy(target=price("0.99"), min_age=seconds(60), stop=STOP)
AT_ONCE = ExitPolicy(target=price("0.99"))

MATCHED, MINED, CONFIRMED, FAILED = TradeStage.MATCHED, TradeStage.MINED, TradeStage.CONFIRMED, TradeStage.FAILED
UP_WON, DOWN_WON, VOID = Payout(Usd(MICRO)), Payout(Usd(0)), Payout(Usd(MICRO // 2))


class Wanting(Struct, frozen=True, kw_only=True):
    """Wishes for the same until an entry is made, then holds. Says `wait`, and reads nothing."""

    wishes: tuple[Wish, ...] = ()
    exits: ExitPolicy = EXITS
    needs: Needs = Needs()
    wakes_on: WakesOn = WakesOn()
    wait: Wait = ANYTHING
    first_memory: Struct | None = None

    @property
    def name(self) -> str:
        return "wanting"

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        wishes = () if view.entries_made else self.wishes
        reason = "wants" if wishes else "has"
        return Decision(wishes=wishes, exits=self.exits, memory=memory, reason=reason, wait=self.wait)


class Counting(Struct, frozen=True, kw_only=True):
    """Wants nothing; remembers how often it was asked."""

    needs: Needs = Needs()
    wakes_on: WakesOn = WakesOn(events=())
    wait: Wait = ANYTHING
    first_memory: Struct | None = None

    @property
    def name(self) -> str:
        return "counting"

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        asked = memory.times + 1 if isinstance(memory, Asked) else 1
        return Decision(memory=Asked(asked), reason="counts", wait=self.wait)


class Asked(Struct, frozen=True, gc=False):
    times: int = 0


ON_LEVELS = WakesOn(events=(Wake.LEVEL_MOVED,))


def wish(at: str = "0.54", outcome: Outcome = Outcome.UP, probability: str = "0.70", **changes: Any) -> Wish:
    """Taken at once, at 0.54, unless told otherwise."""
    known: dict[str, Any] = {
        "outcome": outcome,
        "price": price(at),
        "conviction": 0,
        "probability": micro(probability),
    }
    return Wish(**(known | changes))


def moment(at: float) -> Instant:
    """The instant `at` seconds after the window began."""
    return Instant(NOON + seconds(at))


def second(at: Instant) -> float:
    return (at - NOON) / 10**9


def line(command: cm.AnyCommand) -> str:
    """A command as a test writes it."""
    if isinstance(command, cm.PlaceOrder):
        return f"place o{command.order} {asks(command.terms)}"
    if isinstance(command, cm.CancelOrder | cm.QueryOrder | cm.ResendOrder | cm.ReadScoring):
        return f"{_VERBS[type(command)]} o{command.order}"
    return _LINES[type(command)]


_VERBS: dict[type[cm.Command], str] = {
    cm.CancelOrder: "cancel",
    cm.QueryOrder: "query",
    cm.ResendOrder: "resend",
    cm.ReadScoring: "read scoring",
}

_LINES: dict[type[cm.Command], str] = {
    cm.TakeSnapshot: "read account",
    cm.CancelMarket: "cancel market",
    cm.CancelAll: "cancel all",
    cm.DropNotifications: "drop notifications",
    cm.Follow: "follow",
    cm.Unfollow: "unfollow",
    cm.ReadBook: "read book",
    cm.LoadHistory: "load history",
}


def asks(terms: OrderTerms) -> str:
    post_only = " post-only" if terms.post_only else ""
    return (
        f"{terms.purpose} {terms.side} {terms.outcome} {show(terms.shares)} @ {show(terms.price)} "
        f"{terms.time_in_force}{post_only}"
    )


class Bench:
    """An engine, the events it is told and what it said."""

    def __init__(
        self, strategy: Strategy | None = None, rules: Rules = RULES, market: Market = WINDOW, guardian: Any = None
    ) -> None:
        self.market = market
        self.engine = Engine(rules, {market.series: strategy or Wanting()}, guardian or StandAside(exits=AT_ONCE))
        self.notes: list[nt.AnyNote] = []
        self.log: list[tuple[float, str]] = []
        self._unseen: list[tuple[float, str]] = []

    # --- telling -----------------------------------------------------------------------------------------------

    def hear(self, at: float, kind: Any, **facts: Any) -> list[str]:
        """Tell one event; the lines it led to. What a wake led to before it must have been looked at."""
        self._wake_until(moment(at), inclusive=False)
        assert not self._unseen, f"woke and commanded: {self._unseen}"
        return [said for _, said in self._handle(kind(at=moment(at), **facts))]

    def pass_to(self, at: float) -> list[tuple[float, str]]:
        """Let time pass, with every wake that the engine asks for; when it commanded what. That it asked for a book
        while none is to be trusted is in `log` alone."""
        self._wake_until(moment(at), inclusive=True)
        seen, self._unseen = self._unseen, []
        return seen

    def start(self, at: float = 0, cash: str = "1000", *, listed: bool = True) -> list[str]:
        """A first start, with an empty ledger and a reading that agrees."""
        self.hear(at, ev.LedgerLoaded, next_order=OrderId(1), cash=usd(cash))
        self.reading(at, cash)
        said = self.hear(at, ev.Started)
        if listed:
            said += self.hear(at, ev.MarketListed, market=self.market)
        return said

    def book(self, at: float, bid: str = "0.52", ask: str = "0.54", size: str = "1000") -> list[str]:
        """A whole book of one level a side; `0` and `1` stand for an empty side."""
        bids = () if bid == "0" else ((price(bid), shares(size)),)
        asks_ = () if ask == "1" else ((price(ask), shares(size)),)
        return self.hear(at, ev.BookSnapshot, market=self.market.id, bids=bids, asks=asks_)

    def accepted(self, at: float, order: int, matched: str = "0", paid: str = "0", *, rests: bool = True) -> list[str]:
        return self.hear(
            at, ev.OrderAccepted, order=OrderId(order), rests=rests, matched=shares(matched), paid=usd(paid)
        )

    def killed(self, at: float, order: int, matched: str = "0", paid: str = "0") -> list[str]:
        return self.accepted(at, order, matched, paid, rests=False)

    def refused(self, at: float, order: int, reason: RefusalReason = RefusalReason.OTHER) -> list[str]:
        return self.hear(at, ev.OrderRefused, order=OrderId(order), reason=reason, text="no")

    def cancelled(
        self,
        at: float,
        order: int,
        matched: str | None = None,
        reason: CancelReason = CancelReason.ASKED,
    ) -> list[str]:
        traded = None if matched is None else shares(matched)
        return self.hear(at, ev.OrderCancelled, order=OrderId(order), reason=reason, matched=traded)

    def fill(
        self,
        at: float,
        order: int,
        each: str,
        size: str,
        stage: TradeStage = MATCHED,
        trade: str = "t1",
        liquidity: Liquidity = Liquidity.TAKER,
        *,
        shown: bool = True,
    ) -> list[str]:
        """A trade; one that settles is followed by the reading it asks for, which shows its shares unless told not."""
        said = self.hear(
            at,
            ev.OrderFilled,
            order=OrderId(order),
            trade=TradeId(trade),
            price=price(each),
            shares=shares(size),
            liquidity=liquidity,
            stage=stage,
        )
        if not shown or "read account" not in said:
            return said
        said.remove("read account")
        return said + self.shown(at)

    def shown(self, at: float) -> list[str]:
        """A reading in which the venue's balance shows everything that has settled."""
        held = tuple(
            ev.HeldShares(self.market.id, outcome, self.desk.position.of(outcome).settled) for outcome in Outcome
        )
        live = tuple(order.id for order in self.desk.live)
        return self.hear(at, ev.SnapshotTaken, cash=self.known.cash, settled=held, live=live)

    def reading(
        self, at: float, cash: str, up: str | None = None, live: tuple[int, ...] = (), **more: Any
    ) -> list[str]:
        settled = () if up is None else (ev.HeldShares(self.market.id, Outcome.UP, shares(up)),)
        return self.hear(
            at,
            ev.SnapshotTaken,
            cash=usd(cash),
            settled=settled,
            live=tuple(OrderId(order) for order in live),
            **more,
        )

    # --- asking ------------------------------------------------------------------------------------------------

    def told(self, kind: type[nt.Note]) -> list[Any]:
        """All notes of one kind so far."""
        return [note for note in self.notes if isinstance(note, kind)]

    @property
    def known(self) -> Any:
        return self.engine._known

    @property
    def desk(self) -> Any:
        return self.known.desks[self.market.id]

    def state(self, order: int) -> str:
        return str(self.desk.orders[OrderId(order)].state)

    # --- the loop ----------------------------------------------------------------------------------------------

    def _wake_until(self, until: Instant, *, inclusive: bool) -> None:
        for _ in range(100_000):
            due = self.engine.next_wake
            if due is None or due > until or (due == until and not inclusive):
                return
            self._unseen.extend(one for one in self._handle(ev.Woke(at=due)) if one[1] != "read book")
        raise AssertionError("wakes for ever")

    def _handle(self, event: ev.AnyEvent) -> list[tuple[float, str]]:
        step: Step = self.engine.handle(event)
        self.notes.extend(step.notes)
        lines = [(second(event.at), line(command)) for command in step.commands]
        self.log.extend(lines)
        return lines


def holding(
    strategy: Strategy | None = None,
    rules: Rules = RULES,
    at: float = 60,
    stage: TradeStage = MINED,
    outcome: Outcome = Outcome.UP,
) -> Bench:
    """A bench whose entry o1 of ten shares at 0.54 was filled at `at`, by one taker trade of the given stage."""
    bench = Bench(strategy or Wanting(wishes=(wish(outcome=outcome),)), rules)
    bench.start(0)
    bid, ask = ("0.52", "0.54") if outcome is Outcome.UP else ("0.46", "0.48")
    assert bench.book(at, bid, ask) == [f"place o1 entry BUY {outcome} 10 @ 0.54 FAK"]
    bench.fill(at, 1, "0.54", "10", MATCHED)
    if stage is not MATCHED:
        bench.fill(at, 1, "0.54", "10", stage)
    return bench


def covered(at: float = 60) -> Bench:
    """Ten shares with their target o2 resting at 0.99, and a stop at 0.30 watching."""
    bench = holding(with_exits(replace(AT_ONCE, stop=STOP)), at=at)
    assert bench.log[-1][1] == "place o2 target SELL UP 10 @ 0.99 GTC"
    assert bench.accepted(at, 2) == []
    return bench


def with_exits(policy: ExitPolicy, **changes: Any) -> Wanting:
    return Wanting(wishes=(wish(),), exits=policy, **changes)


def another(market: str, series_length: Nanos | None = None) -> Market:
    """A second window, with tokens of its own."""
    return replace(WINDOW, id=MarketId(market), slug=market, up_token=f"{market}-up", down_token=f"{market}-down")
