"""Starts from the market's price and leans a little to where its own price and its book lean.

    logit P(Up) = logit(mid) + momentum_weight x momentum + imbalance_weight x imbalance

The middle of the book is the best single estimate of these markets; the lean is an opinion, not a calibrated
probability, and is bounded by its weights. It asks for an entry when, for one outcome, P - ask - fee reaches
`min_edge`, and says why it stands aside otherwise. It knows nothing of the underlying: a strike and a price feed are
not in every recording, so it does not need them, and does not pretend to.

One entry a window. What became of it is looked after by the exit policy and the rules for what is held, and those are
told the estimate until the window settles.
"""

import math
from typing import TypeAlias

from msgspec import Struct

from polystra.core.fees import taker_fee
from polystra.core.markets import Phase
from polystra.core.signals import Signal
from polystra.core.signals.book_imbalance import book_imbalance
from polystra.core.signals.market_prior import market_prior
from polystra.core.signals.native_momentum import POINTS, native_momentum
from polystra.core.strategy import Decision, ExitPolicy, Needs, WakesOn, Wish
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Nanos, Price, Shares, Usd
from polystra.core.view import ANYTHING, MarketView, Wait

_Signals: TypeAlias = tuple[tuple[str, float | None], ...]


class Offer(Struct, frozen=True, gc=False, kw_only=True):
    """What buying one outcome now would be worth; all in millionths."""

    outcome: Outcome
    probability: int
    price: Price
    fee: Usd

    @property
    def edge(self) -> int:
        return self.probability - self.price - self.fee


class Leaned(Struct, frozen=True, gc=False):
    """What it remembers of a window: the outcome it first asked for. It does not change sides afterwards."""

    outcome: Outcome | None = None


class TiltedPrior(Struct, frozen=True, kw_only=True):
    """Weights are in log-odds at full signal; times in nanoseconds; prices and `min_edge` in millionths."""

    momentum_weight: float
    imbalance_weight: float
    min_edge: int
    earliest: Nanos
    latest: Nanos
    min_price: Price
    max_price: Price
    every: Nanos
    depth: int
    exits: ExitPolicy

    @property
    def name(self) -> str:
        return "tilted_prior"

    @property
    def needs(self) -> Needs:
        return Needs(depth=self.depth, own_prices=POINTS, history=True)

    @property
    def wakes_on(self) -> WakesOn:
        """On its own clock alone: a book's depth moves hundreds of times a second, and none of that is news to it."""
        return WakesOn(events=(), every=self.every)

    @property
    def first_memory(self) -> Struct | None:
        return Leaned()

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        leaned = memory if isinstance(memory, Leaned) else Leaned()
        closed = self._closed(view)
        if closed is not None:
            reason, wait = closed
            chance = self._chance_of(leaned.outcome, view) if view.entries_made else None
            return Decision(
                exits=self.exits, memory=leaned, reason=reason, wait=wait, outcome=leaned.outcome, probability=chance
            )
        up, signals = self._estimate(view)
        if up is None:
            unknown = next(name for name, value in signals if value is None)
            return self._aside(leaned, f"{unknown} unknown", signals=signals)
        best = self._best_offer(view, up)
        if best is None:
            return self._aside(leaned, "no price to pay, or no fee schedule", signals=signals)
        why_not = self._why_not(best, leaned)
        if why_not is not None:
            return self._aside(leaned, why_not, best, signals)
        return self._enter(best, signals)

    def _closed(self, view: MarketView) -> tuple[str, Wait] | None:
        """Why nothing can be opened whatever the book shows, and until when that holds."""
        if view.entries_made:
            return "this window's entry is made", ANYTHING
        if view.entries_working:
            return "entry under way", ANYTHING
        if view.phase is Phase.UPCOMING or view.age < self.earliest:
            return "too early", Wait(until=Instant(view.market.start + self.earliest))
        if view.left < self.latest:
            return "too late", ANYTHING
        return None

    def _estimate(self, view: MarketView) -> tuple[int | None, _Signals]:
        """The chance of Up in millionths, None while a signal is unknown; and the signals."""
        prior, momentum, imbalance = market_prior(view), native_momentum(view), book_imbalance(view)
        signals: _Signals = (("prior", prior), ("momentum", _signed(momentum)), ("imbalance", _signed(imbalance)))
        if prior is None or momentum is None or imbalance is None:
            return None, signals
        lean = self.momentum_weight * momentum.toward_up + self.imbalance_weight * imbalance.toward_up
        return _lean(prior, lean), signals

    def _chance_of(self, outcome: Outcome | None, view: MarketView) -> int | None:
        up, _ = self._estimate(view)
        if up is None or outcome is None:
            return None
        return up if outcome is Outcome.UP else MICRO - up

    def _best_offer(self, view: MarketView, up: int) -> Offer | None:
        fees = view.market.fees
        if fees is None:
            return None
        offers = []
        for outcome in (Outcome.UP, Outcome.DOWN):
            ask = view.ask_of(outcome)
            if ask is not None:
                probability = up if outcome is Outcome.UP else MICRO - up
                fee = taker_fee(fees, ask, Shares(MICRO))
                offers.append(Offer(outcome=outcome, probability=probability, price=ask, fee=fee))
        return max(offers, key=lambda offer: offer.edge, default=None)

    def _why_not(self, best: Offer, leaned: Leaned) -> str | None:
        if not self.min_price <= best.price <= self.max_price:
            return "price outside the range it trades"
        if best.edge < self.min_edge:
            return "edge too small"
        return None if leaned.outcome in (None, best.outcome) else "leans to the other side than before"

    def _enter(self, best: Offer, signals: _Signals) -> Decision:
        """Ask for it at the price seen, at once or not at all; a larger edge does not raise the stake."""
        wish = Wish(outcome=best.outcome, price=best.price, conviction=0, probability=best.probability)
        return Decision(
            wishes=(wish,),
            exits=self.exits,
            memory=Leaned(best.outcome),
            reason="edge after fee",
            wait=ANYTHING,
            outcome=best.outcome,
            probability=best.probability,
            price=best.price,
            fee=best.fee,
            edge=best.edge,
            signals=signals,
        )

    def _aside(self, leaned: Leaned, reason: str, best: Offer | None = None, signals: _Signals = ()) -> Decision:
        return Decision(
            exits=self.exits,
            memory=leaned,
            reason=reason,
            wait=ANYTHING,
            outcome=best.outcome if best is not None else None,
            probability=best.probability if best is not None else None,
            price=best.price if best is not None else None,
            fee=best.fee if best is not None else None,
            edge=best.edge if best is not None else None,
            signals=signals,
        )


def _signed(signal: Signal | None) -> float | None:
    return None if signal is None else signal.toward_up


def _lean(prior: float, lean: float) -> int:
    """The prior moved by `lean` log-odds, in millionths; the prior is strictly between 0 and 1."""
    return round(MICRO / (1 + math.exp(-(math.log(prior / (1 - prior)) + lean))))
