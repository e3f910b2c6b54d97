"""Turns notes into plain lines for people, one line a note.

A cause that comes again within a minute is counted and not said; the next line of it tells how often. Routine is left
out: what a strategy remembers, and trades that settle as they should. The ledger has all of it.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeAlias

from polystra.app.words import cents, clock, equity_words, rounded, signed, window_name
from polystra.core import notes as nt
from polystra.core.account import Equity
from polystra.core.claims import ClaimStage
from polystra.core.engine import Step
from polystra.core.events import AnyEvent, LedgerLoaded
from polystra.core.ids import MarketId, OrderId, show_order
from polystra.core.markets import Market, Payout
from polystra.core.terms import Purpose, Side, TradeStage
from polystra.core.unfilled import percent
from polystra.core.units import Instant, seconds, show

MINUTE = seconds(60)

_Cause: TypeAlias = tuple[MarketId | None, Hashable]


class Console:
    """Listens to a run and writes its lines. Mutable; `windows` is how many will be played, where that is known."""

    def __init__(self, write: Callable[[str], None], windows: int | None = None) -> None:
        self._write = write
        self._windows = windows
        self._names: dict[MarketId, str] = {}
        self._market_of: dict[OrderId, MarketId] = {}
        self._settled: set[MarketId] = set()
        self._repeats = Repeats()

    def tell(self, event: AnyEvent, step: Step) -> None:
        if isinstance(event, LedgerLoaded):
            self._names.update({market.id: _name(market) for market in event.markets})
        for note in step.notes:
            self._learn(note)
            if not _is_routine(note):
                self._say(event.at, note)

    def _learn(self, note: nt.AnyNote) -> None:
        if isinstance(note, nt.MarketFollowed):
            self._names[note.market.id] = _name(note.market)
        elif isinstance(note, nt.OrderMoved):
            self._market_of[note.order] = note.market
        elif isinstance(note, nt.MarketSettled):
            self._settled.add(note.market)
            self._repeats.forget(note.market)

    def _say(self, at: Instant, note: nt.AnyNote) -> None:
        market = self._market(note)
        missed = self._repeats.hear(at, market, note)
        if missed is None:
            return
        name = "" if market is None else self._names.get(market, market[:10])
        text = line_of(note) + missed
        if isinstance(note, nt.MarketSettled) and self._windows:
            text += f"  [{len(self._settled)} of {self._windows}]"
        self._write(f"{clock(at)}  {name:<13}  {text}")

    def _market(self, note: nt.AnyNote) -> MarketId | None:
        if isinstance(note, nt.TradeStageMoved):
            return self._market_of.get(note.order)
        return market_of(note)


class Repeats:
    """Knows which cause was said when, and how often it came again since."""

    def __init__(self) -> None:
        self._said: dict[_Cause, Instant] = {}
        self._missed: dict[_Cause, int] = {}

    def hear(self, at: Instant, market: MarketId | None, note: nt.AnyNote) -> str | None:
        """None when this was said less than a minute ago; otherwise how often it came unsaid, in words."""
        cause_of = _CAUSES.get(type(note))
        if cause_of is None:
            return ""
        key = (market, (type(note), cause_of(note)))
        said = self._said.get(key)
        if said is not None and at - said < MINUTE:
            self._missed[key] = self._missed.get(key, 0) + 1
            return None
        self._said[key] = at
        missed = self._missed.pop(key, 0)
        return f" (and {missed} more since {clock(said)})" if said is not None and missed else ""

    def forget(self, market: MarketId) -> None:
        """A window that is over says nothing more."""
        for key in [key for key in self._said if key[0] == market]:
            del self._said[key]
            self._missed.pop(key, None)


_CAUSES: dict[type[nt.Note], Callable[[Any], Hashable]] = {
    nt.EntryDecided: lambda note: (note.action, note.reason, note.outcome),
    nt.EntryDenied: lambda note: (note.outcome, note.limit),
    nt.SlotSuspended: lambda note: (note.slot, note.cause),
    nt.ExitUncovered: lambda note: (note.outcome, note.why),
    nt.BookDistrusted: lambda note: note.why,
    nt.MarketHalted: lambda note: note.why,
    nt.DriftFound: lambda note: (note.subject, note.why),
    nt.ForeignOrderSeen: lambda note: note.venue_order,
    nt.ReadingFailed: lambda note: note.why,
    nt.VenueModeChanged: lambda note: note.after,
    nt.ClockDrifted: lambda note: note.over,
    nt.PositionUnpriced: lambda note: "unpriced",
    nt.FeedTroubled: lambda note: (note.stream, note.what),
    nt.ClaimMoved: lambda note: (note.stage, note.why),
    nt.MergeMoved: lambda note: (note.merge, note.stage, note.why),
}
"""What makes two notes of a kind the same to a reader; kinds that are not here are never repeats."""


_OUTSIDE = {one.value for one in Purpose if not one.ours}
"""Orders that are not ours have no life to tell of."""


def _is_routine(note: nt.AnyNote) -> bool:
    if isinstance(note, nt.TradeStageMoved):
        return note.stage in (TradeStage.MATCHED, TradeStage.MINED, TradeStage.CONFIRMED)
    if isinstance(note, nt.OrderMoved):
        return note.cause in _OUTSIDE
    return isinstance(note, nt.MemoryKept)


def market_of(note: nt.AnyNote) -> MarketId | None:
    """The market a note is about, where it says so."""
    if isinstance(note, nt.MarketFollowed):
        return note.market.id
    if isinstance(note, nt.SlotSuspended):
        return note.slot.market
    market: MarketId | None = getattr(note, "market", None)
    return market


def line_of(note: nt.AnyNote) -> str:
    """What a note says, without its time and its window."""
    return LINES[type(note)](note)


def payout_words(payout: Payout) -> str:
    return "void, half each" if payout.winner is None else f"{payout.winner} won"


def _followed(note: nt.MarketFollowed) -> str:
    count = len(note.market.assumptions)
    return f"followed until {clock(note.market.end)}" + (f", {count} facts assumed" if count else "")


def _decided(note: nt.EntryDecided) -> str:
    if note.outcome is None or note.price is None:
        return f"{note.action}: {note.reason}"
    numbers = [f"{note.outcome} at {show(note.price)}"]
    if note.probability is not None:
        numbers.append(f"chance {rounded(note.probability, 3)}")
    if note.fee is not None:
        numbers.append(f"fee {rounded(note.fee, 4)}")
    if note.edge is not None:
        numbers.append(f"edge {signed(note.edge, 4)}")
    return f"{note.action}: {note.reason} ({', '.join(numbers)})"


def _denied(note: nt.EntryDenied) -> str:
    return f"{note.outcome} entry denied: {note.limit} is {note.value}, allowed {note.allowed}"


def _given_up(note: nt.EntryGivenUp) -> str:
    change = "" if note.change is None else f", price {percent(note.change)} since it was placed"
    return f"{show_order(note.order)} given up unfilled: {note.why}, {note.age / 1e9:.0f} s old{change}"


def _moved(note: nt.OrderMoved) -> str:
    order = show_order(note.order)
    if not note.before:
        return f"{order} new: {note.cause}"
    after = note.after.lower()
    if note.cause.startswith(after):
        return f"{order} {note.cause}"
    return f"{order} {after}" + (f": {note.cause}" if note.cause else "")


def _filled(note: nt.FillBooked) -> str:
    verb = "bought" if note.side is Side.BUY else "sold"
    fee = f"fee {show(note.fee_usd)} USD" + (f" and {show(note.fee_shares)} shares" if note.fee_shares else "")
    late = ", told late" if note.late else ""
    return (
        f"{show_order(note.order)} {verb} {show(note.shares)} {note.outcome} @ {show(note.price)} as {note.liquidity}, "
        f"{fee}, cash {signed(note.cash, 2)} USD{late}"
    )


def _staged(note: nt.TradeStageMoved) -> str:
    return f"{show_order(note.order)} trade {note.trade[:8]} {note.stage.lower()}"


def _suspended(note: nt.SlotSuspended) -> str:
    until = "for now" if note.until is None else f"until {clock(note.until)}"
    slot = note.slot
    return f"no {slot.purpose} {slot.side} {slot.outcome} {until}: {note.cause}"


def _uncovered(note: nt.ExitUncovered) -> str:
    left = "" if note.left is None else f", for {note.left / seconds(1):.0f} s"
    age = "" if note.age is None else f", {note.age / seconds(1):.0f} s old"
    known = f"ledger {show(note.ledger)}, wallet {show(note.wallet)}{age}{left}"
    return f"{show(note.shares)} {note.outcome} without an exit: {note.why} ({known})"


def _armed(note: nt.BreakEvenArmed) -> str:
    return f"break-even armed: {note.outcome} is bid {'?' if note.bid is None else show(note.bid)}"


def _stopped(note: nt.StopTriggered) -> str:
    return f"stop: {note.outcome} is bid {show(note.bid)}, level {show(note.level)}: sells {show(note.shares)}"


def _drift(note: nt.DriftFound) -> str:
    return f"{note.subject}: ledger {show(note.ledger)}, venue {show(note.venue)}: {note.why}"


def _adjusted(note: nt.AdjustmentBooked) -> str:
    return f"{note.outcome} adjusted from {show(note.before)} to {show(note.after)}: {note.cause}"


def _outside(note: nt.OutsideOrderSeen) -> str:
    terms = note.terms
    verb = "bought" if terms.side is Side.BUY else "sold"
    alone = ", left alone" if terms.purpose is Purpose.LEFT_ALONE else ""
    return f"{verb} outside the bot: {show(terms.shares)} {terms.outcome} @ {show(terms.price)}{alone}"


def _settled(note: nt.MarketSettled) -> str:
    claim = f", {show(note.redeemable)} USD to redeem" if note.redeemable else ""
    return f"settled: {payout_words(note.payout)}, P&L {signed(note.pnl, 2)} USD{claim}"


def _claim(note: nt.ClaimMoved) -> str:
    if note.stage is ClaimStage.PAID:
        return f"redeemed: {show(note.paid)} USD are cash now" + (
            f", not {show(note.claim)}" if note.paid != note.claim else ""
        )
    return f"{show(note.claim)} USD to redeem: {note.stage}" + (f": {note.why}" if note.why else "")


def _merge(note: nt.MergeMoved) -> str:
    if note.stage is ClaimStage.PAID:
        return f"merged: {show(note.pairs)} pairs are {show(note.pairs)} USD of cash now"
    return f"{show(note.pairs)} pairs to merge: {note.stage}" + (f": {note.why}" if note.why else "")


def _state(note: nt.StateChanged) -> str:
    return f"{note.after}, was {note.before}: {note.why} ({note.who})"


def _mode(note: nt.VenueModeChanged) -> str:
    until = "" if note.until is None else f", asked again at {clock(note.until)}"
    return f"the venue is {note.after}, was {note.before}{until}"


def _clock_drifted(note: nt.ClockDrifted) -> str:
    off = f"the machine's clock is {note.ahead / 1e9:+.1f} s off the venue's"
    return f"{off}: entries go on" if note.over else f"{off}: entries wait until it is set"


def _watched(note: nt.PositionWatched) -> str:
    entry = "" if note.entry is None else f" from {rounded(note.entry, 4)}"
    value = "no price" if note.bid is None else f"bid {show(note.bid)}"
    pnl = "" if note.pnl is None else f", P&L {signed(note.pnl, 2)} USD"
    return f"holds {show(note.shares)} {note.outcome}{entry}, {value}{pnl}, exit: {note.exit}{_score(note)}"


def _score(note: nt.PositionWatched) -> str:
    return "" if note.score is None else f", rewards: {note.score}"


def _reward_moved(note: nt.RewardMoved) -> str:
    worth = "unknown" if note.estimate is None else f"{rounded(note.estimate, 4)} USD estimated"
    return (
        f"{show_order(note.order)} rests at {show(note.after)}, not {show(note.before)}, for rewards: concedes "
        f"{show(note.conceded)} USD, earns {worth}"
    )


def _equity(note: nt.EquityWatched) -> str:
    worth = Equity(cash=note.cash, at_bid=note.at_bid, at_cost=note.at_cost, redeemable=note.redeemable)
    return f"equity {equity_words(worth)}"


def _short(note: nt.CashShort) -> str:
    return f"free cash {cents(note.free)} USD, redeemable {cents(note.redeemable)} USD: polystra redeem"


LINES: dict[type[nt.Note], Callable[[Any], str]] = {
    nt.MarketFollowed: _followed,
    nt.EntryDecided: _decided,
    nt.EntryDenied: _denied,
    nt.EntryGivenUp: _given_up,
    nt.EntryRetried: lambda note: f"{show_order(note.first)} is tried again at the market as {show_order(note.second)}",
    nt.OrderMoved: _moved,
    nt.FillBooked: _filled,
    nt.TradeStageMoved: _staged,
    nt.SlotSuspended: _suspended,
    nt.ExitUncovered: _uncovered,
    nt.StopTriggered: _stopped,
    nt.BreakEvenArmed: _armed,
    nt.BookDistrusted: lambda note: f"book not trusted: {note.why}",
    nt.MarketHalted: lambda note: f"halted, no entries until a person has looked: {note.why}",
    nt.DriftFound: _drift,
    nt.DriftGone: lambda note: f"cash: ledger and venue agree again at {show(note.cash)}: entries go on",
    nt.AdjustmentBooked: _adjusted,
    nt.ForeignOrderSeen: lambda note: f"order {note.venue_order[:10]} at the venue is not ours: left alone",
    nt.OutsideOrderSeen: _outside,
    nt.OpeningCorrected: lambda note: f"traded before the first balance was read: {signed(note.amount, 2)} USD back",
    nt.MarketSettled: _settled,
    nt.ClaimMoved: _claim,
    nt.MergeMoved: _merge,
    nt.MemoryKept: lambda note: f"{note.strategy} remembers {len(note.value)} bytes",
    nt.StateChanged: _state,
    nt.ReadingFailed: lambda note: f"the account could not be read, entries wait: {note.why}",
    nt.VenueModeChanged: _mode,
    nt.ClockDrifted: _clock_drifted,
    nt.PositionUnpriced: lambda note: f"no price for what is held since {clock(note.since)}: no stop can hold",
    nt.PositionWatched: _watched,
    nt.EquityWatched: _equity,
    nt.CashShort: _short,
    nt.FeedTroubled: lambda note: f"{note.stream} stream: {note.what}",
    nt.ScoreSeen: lambda note: f"{show_order(note.order)} rewards: {note.score}",
    nt.RewardMoved: _reward_moved,
}
"""One for each kind of note; a test holds it equal to the list of notes."""


def _name(market: Market) -> str:
    return window_name(market.series.asset, market.start, market.end)
