"""Follows one order from intent to end.

    SUBMITTING ─► WORKING UNKNOWN   FILLED CANCELLED EXPIRED REFUSED
    WORKING    ─► CANCELLING        FILLED CANCELLED EXPIRED
    CANCELLING ─► WORKING           FILLED CANCELLED EXPIRED
    UNKNOWN    ─► WORKING           FILLED CANCELLED EXPIRED REFUSED

What may happen in which state is the table `TRANSITIONS`; what is absent raises `IllegalTransition`. How much is
filled is data, never a state: fills count in every state, also after the end, once per trade. REFUSED means that the
venue said no and we know it; UNKNOWN means that we do not know whether it heard us. The two are never merged.
`docs/order-lifecycle.md` is drawn from this table.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.errors import IllegalTransition
from polystra.core.ids import OrderId, TradeId, show_order
from polystra.core.terms import Liquidity, OrderTerms, Side, TradeStage
from polystra.core.units import MICRO, SIZE_STEP, Instant, Price, Shares, Usd, cost_of, show


class OrderState(StrEnum):
    SUBMITTING = "SUBMITTING"
    WORKING = "WORKING"
    CANCELLING = "CANCELLING"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REFUSED = "REFUSED"

    @property
    def ended(self) -> bool:
        return self in _ENDS


_ENDS = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REFUSED})


class Heard(StrEnum):
    """What an order can be told."""

    RESTS = "rests"
    KILLED = "remainder killed"
    REFUSED = "refused"
    NO_ANSWER = "no answer"
    NOT_SENT = "not sent"
    SEEN_LIVE = "seen live"
    CANCEL_ASKED = "cancel asked"
    CANCEL_DOUBTED = "cancel doubted"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FILLED = "filled whole"
    GONE = "not found"


_S, _H = OrderState, Heard

TRANSITIONS: dict[tuple[OrderState, Heard], OrderState] = {
    (_S.SUBMITTING, _H.RESTS): _S.WORKING,
    (_S.SUBMITTING, _H.SEEN_LIVE): _S.WORKING,
    (_S.SUBMITTING, _H.KILLED): _S.CANCELLED,
    (_S.SUBMITTING, _H.REFUSED): _S.REFUSED,
    (_S.SUBMITTING, _H.NOT_SENT): _S.REFUSED,
    (_S.SUBMITTING, _H.NO_ANSWER): _S.UNKNOWN,
    (_S.SUBMITTING, _H.CANCELLED): _S.CANCELLED,
    (_S.SUBMITTING, _H.EXPIRED): _S.EXPIRED,
    (_S.SUBMITTING, _H.FILLED): _S.FILLED,
    (_S.SUBMITTING, _H.GONE): _S.CANCELLED,
    (_S.WORKING, _H.RESTS): _S.WORKING,
    (_S.WORKING, _H.SEEN_LIVE): _S.WORKING,
    (_S.WORKING, _H.NO_ANSWER): _S.WORKING,
    (_S.WORKING, _H.KILLED): _S.CANCELLED,
    (_S.WORKING, _H.CANCEL_ASKED): _S.CANCELLING,
    # The answer to a cancel by its hash, from before we knew that it rests: whether it still does must be asked.
    (_S.WORKING, _H.CANCEL_DOUBTED): _S.CANCELLING,
    (_S.WORKING, _H.CANCELLED): _S.CANCELLED,
    (_S.WORKING, _H.EXPIRED): _S.EXPIRED,
    (_S.WORKING, _H.FILLED): _S.FILLED,
    (_S.WORKING, _H.GONE): _S.CANCELLED,
    (_S.CANCELLING, _H.RESTS): _S.CANCELLING,
    (_S.CANCELLING, _H.NO_ANSWER): _S.CANCELLING,
    (_S.CANCELLING, _H.CANCEL_DOUBTED): _S.CANCELLING,
    (_S.CANCELLING, _H.SEEN_LIVE): _S.WORKING,
    (_S.CANCELLING, _H.KILLED): _S.CANCELLED,
    (_S.CANCELLING, _H.CANCELLED): _S.CANCELLED,
    (_S.CANCELLING, _H.EXPIRED): _S.EXPIRED,
    (_S.CANCELLING, _H.FILLED): _S.FILLED,
    (_S.CANCELLING, _H.GONE): _S.CANCELLED,
    (_S.UNKNOWN, _H.NO_ANSWER): _S.UNKNOWN,
    (_S.UNKNOWN, _H.CANCEL_ASKED): _S.UNKNOWN,
    (_S.UNKNOWN, _H.CANCEL_DOUBTED): _S.UNKNOWN,
    (_S.UNKNOWN, _H.RESTS): _S.WORKING,
    (_S.UNKNOWN, _H.SEEN_LIVE): _S.WORKING,
    (_S.UNKNOWN, _H.KILLED): _S.CANCELLED,
    (_S.UNKNOWN, _H.REFUSED): _S.REFUSED,
    (_S.UNKNOWN, _H.CANCELLED): _S.CANCELLED,
    (_S.UNKNOWN, _H.EXPIRED): _S.EXPIRED,
    (_S.UNKNOWN, _H.FILLED): _S.FILLED,
    (_S.UNKNOWN, _H.GONE): _S.CANCELLED,
    # Late and repeated news of an order that ended: streams repeat and overtake one another.
    **{
        (end, late): end
        for end in (_S.FILLED, _S.CANCELLED, _S.EXPIRED)
        for late in Heard
        if late not in (_H.CANCEL_ASKED, _H.NOT_SENT, _H.REFUSED)
    },
    # A killed FOK or FAK is told twice, in any order: refused on the request, cancelled on the stream (`PROTOCOL.md`
    # C.2).
    (_S.CANCELLED, _H.REFUSED): _S.CANCELLED,
    (_S.REFUSED, _H.CANCELLED): _S.REFUSED,
    (_S.REFUSED, _H.REFUSED): _S.REFUSED,
    (_S.REFUSED, _H.NO_ANSWER): _S.REFUSED,
    (_S.REFUSED, _H.GONE): _S.REFUSED,
    (_S.REFUSED, _H.CANCEL_DOUBTED): _S.REFUSED,
}


class Fill(Struct, frozen=True, gc=False, kw_only=True):
    """One trade of one order of ours, in the order's own terms, with what it cost."""

    trade: TradeId
    price: Price
    shares: Shares
    liquidity: Liquidity
    stage: TradeStage
    at: Instant
    fee_usd: Usd = Usd(0)
    fee_shares: Shares = Shares(0)

    @property
    def counts(self) -> bool:
        return self.stage is not TradeStage.FAILED

    @property
    def value(self) -> Usd:
        """Price times shares, before fees."""
        return cost_of(self.price, self.shares)

    def cash(self, side: Side) -> Usd:
        """What it did to our cash: negative for a BUY, fee included."""
        return Usd((-self.value if side is Side.BUY else self.value) - self.fee_usd)


class Order(Struct, frozen=True, gc=False, kw_only=True):
    """One order. `answered` is what the venue's answer said was matched, until its trades are here.

    `missed`: the venue said, after its outcome became unknown, that it does not know it; `resends` is how often the
    same bytes may still be sent in that case, none once the process that signed them is gone; `resent_at` is when they
    last were. `quoted` is the middle of its token's book when it was decided, where that was known.
    """

    id: OrderId
    terms: OrderTerms
    decided_at: Instant
    state: OrderState = OrderState.SUBMITTING
    state_at: Instant = Instant(0)
    fills: tuple[Fill, ...] = ()
    answered: Shares = Shares(0)
    cancel_doubted: bool = False
    asked_at: Instant | None = None
    missed: bool = False
    resends: int = 0
    resent_at: Instant | None = None
    quoted: Price | None = None

    @property
    def sent_at(self) -> Instant:
        """When its bytes last left: a copy of them may arrive for some time after that."""
        return self.decided_at if self.resent_at is None else self.resent_at

    @property
    def matched(self) -> Shares:
        """What really traded, trades that failed taken out."""
        return Shares(sum(fill.shares for fill in self.fills if fill.counts))

    @property
    def spent(self) -> Usd:
        return Usd(sum(fill.value for fill in self.fills if fill.counts))

    @property
    def awaited(self) -> Shares:
        """Matched by the venue's word, but no trade of it has arrived yet. Dust below one size step never will."""
        if self.answered < SIZE_STEP:
            return Shares(0)
        missing = self.answered - sum(fill.shares for fill in self.fills)
        return Shares(missing if missing >= SIZE_STEP else 0)

    @property
    def traded(self) -> bool:
        """Whether it ever traded, also where the trade failed afterwards: nobody buys a ghost a second time."""
        return bool(self.fills) or self.awaited > 0

    @property
    def live(self) -> bool:
        """Whether it can still trade, as far as we know."""
        return not self.state.ended

    @property
    def remaining(self) -> Shares:
        """What may still trade, in shares at the limit price; zero after the end.

        A part whose trade failed does not come back into the book.
        """
        if self.state.ended:
            return Shares(0)
        if self.terms.in_cash:
            left = self.terms.spend - sum(fill.value for fill in self.fills)
            return Shares(max(left, 0) * MICRO // self.terms.price)
        return Shares(max(self.terms.shares - sum(fill.shares for fill in self.fills), 0))

    @property
    def settling(self) -> bool:
        """Whether a trade of it is still on its way to the chain, or awaited."""
        return self.awaited > 0 or any(fill.stage in (TradeStage.MATCHED, TradeStage.RETRYING) for fill in self.fills)


def moved(order: Order, heard: Heard, at: Instant) -> Order:
    """The order after it was told something; raises `IllegalTransition` when that cannot be."""
    after = TRANSITIONS.get((order.state, heard))
    if after is None:
        raise IllegalTransition(f"{show_order(order.id)}: told '{heard}' while {order.state}")
    doubted = not after.ended and (heard is Heard.CANCEL_DOUBTED or (order.cancel_doubted and after is order.state))
    if after is order.state and doubted == order.cancel_doubted:
        return order
    return replace(order, state=after, state_at=at, cancel_doubted=doubted)


def filled(order: Order, fill: Fill) -> Order:
    """The order with one more trade; the same trade again changes its stage at most, and never back from an end.

    Raises `IllegalTransition` when a trade comes back with other numbers.
    """
    for index, known in enumerate(order.fills):
        if known.trade == fill.trade:
            if (known.price, known.shares) != (fill.price, fill.shares):
                raise IllegalTransition(
                    f"{show_order(order.id)}: trade {fill.trade} was {show(known.shares)} @ {show(known.price)}, "
                    f"now {show(fill.shares)} @ {show(fill.price)}"
                )
            if not _advances(known.stage, fill.stage):
                return order
            kept = replace(known, stage=fill.stage)
            return replace(order, fills=(*order.fills[:index], kept, *order.fills[index + 1 :]))
    return replace(order, fills=(*order.fills, fill))


def is_whole(order: Order) -> bool:
    """Whether its trades leave nothing to trade but dust below one size step."""
    return answers_whole(order.terms, order.matched, order.spent)


def answers_whole(terms: OrderTerms, matched: Shares, spent: Usd) -> bool:
    """Whether an order of these terms is done once this much of it traded: in cash or in shares, as it was asked."""
    if terms.in_cash:
        return terms.spend - spent < cost_of(terms.price, SIZE_STEP)
    return terms.shares - matched < SIZE_STEP


_RANK = {
    TradeStage.MATCHED: 0,
    TradeStage.RETRYING: 1,
    TradeStage.MINED: 2,
    TradeStage.CONFIRMED: 3,
    TradeStage.FAILED: 3,
}


def _advances(known: TradeStage, heard: TradeStage) -> bool:
    """CONFIRMED and FAILED are final; a MINED trade can still be retried."""
    if known is TradeStage.MINED and heard is TradeStage.RETRYING:
        return True
    return _RANK[known] < 3 and _RANK[heard] > _RANK[known]


def overfill_of(order: Order) -> str | None:
    """What traded beyond what was asked for, in words; None when nothing did, or nobody here asked.

    Up to one size step over is the venue's dust (`FAULTS.md` row 21); more is a contradiction. It is booked all the
    same, since the exchange did it, and a person must look.
    """
    terms = order.terms
    if not terms.purpose.ours:
        return None
    if terms.in_cash:
        over = order.spent - terms.spend > cost_of(terms.price, SIZE_STEP)
    else:
        over = order.matched - terms.shares > SIZE_STEP
    if not over:
        return None
    return (
        f"{show_order(order.id)}: filled {show(order.matched)} for {show(order.spent)} "
        f"of {show(terms.shares)} @ {show(terms.price)}"
    )
