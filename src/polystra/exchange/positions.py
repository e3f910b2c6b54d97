"""What an account holds of each token, what it cost and what it is worth, folded from the exchange's truth.

Only what the chain has counts: trades that were MINED. Shares that no trade explains were made in pairs, each for half
a dollar; a pair that was merged brought as much. What a resolved market lacks was redeemed for its payout.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from polystra.core.ids import TokenId
from polystra.core.terms import Outcome, Side, TradeStage
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, Price, Shares, Usd, cost_of, mirror
from polystra.exchange.listings import Listing
from polystra.exchange.venue import Venue
from polystra.exchange.wire import top_of
from polystra.sim.records import Account, AccountTruth, Book, Leg, Trade

_HALF = Price(MICRO // 2)
"""What each share of a pair costs."""


class Position(Struct, frozen=True, gc=False, kw_only=True):
    """Money and shares in millionths. `average` is what a share cost without fees, `bought` how many ever came in;
    `realized` is what sales and payouts brought after fees, less the average cost of what went for it. `payout` is what
    a share pays, None before the market is resolved; `first_at` and `last_at` are None without a trade.
    """

    account: Account
    listing: Listing
    outcome: Outcome
    size: Shares
    average: Price
    bought: Shares
    spent: Usd
    fees: Usd
    realized: Usd
    price: Price
    payout: Price | None
    mergeable: bool
    first_at: Instant | None
    last_at: Instant | None

    @property
    def token(self) -> TokenId:
        return self.listing.facts.token(self.outcome)

    @property
    def cost(self) -> Usd:
        """Of what is held."""
        return cost_of(self.average, self.size)

    @property
    def value(self) -> Usd:
        return cost_of(self.price, self.size)

    @property
    def unrealized(self) -> Usd:
        return Usd(self.value - self.cost)

    @property
    def redeemable(self) -> bool:
        """Whether it waits to be redeemed, be it for nothing."""
        return self.payout is not None and self.size > 0


def positions(venue: Venue, account: Account) -> list[Position]:
    """Everything the account ever held, in the order of listing; empty for an account nobody knows."""
    exchange = venue.current()
    known = next((one for one in exchange.truth().accounts if one.account == account), None)
    if known is None:
        return []
    legs = [(trade, leg) for trade in reversed(exchange.trades(account)) for leg in own_legs(trade, account)]
    found: list[Position] = []
    for listing in venue.listings.values():
        mine = [(trade, leg) for trade, leg in legs if trade.market == listing.facts.id]
        if mine or any(known.of(listing.facts.token(outcome)) for outcome in Outcome):
            found += _of_market(venue, listing, known, mine)
    return found


def own_legs(trade: Trade, account: Account) -> tuple[Leg, ...]:
    return tuple(leg for leg in (trade.taker, trade.maker) if leg.account == account)


def mark(book: Book, payout: Price | None, outcome: Outcome) -> Price:
    """What a share is worth: its payout, the middle of its book, else the last trade or the only side; 0 without any
    of these."""
    if payout is not None:
        return payout
    top = top_of(book)
    sides = [side for side in (top.bid, top.ask) if side not in (NO_BID, NO_ASK)]
    up = sum(sides) // 2 if len(sides) == 2 else book.last_trade if book.last_trade is not None else sum(sides)
    if not up:
        return Price(0)
    return Price(up) if outcome is Outcome.UP else mirror(Price(up))


def _of_market(
    venue: Venue, listing: Listing, known: AccountTruth, legs: Sequence[tuple[Trade, Leg]]
) -> Iterable[Position]:
    """A token that was never held is left out."""
    market = listing.facts.id
    payout, book = venue.payouts.get(market), venue.book(market)
    folds = _folded(listing, known, legs, payout)
    both = all(fold.size > 0 for fold in folds.values())
    for outcome, fold in folds.items():
        if fold.bought:
            pays = None if payout is None else _pays(payout, outcome)
            yield Position(
                account=known.account,
                listing=listing,
                outcome=outcome,
                size=Shares(fold.size),
                average=Price(fold.average),
                bought=Shares(fold.bought),
                spent=Usd(fold.spent),
                fees=Usd(fold.fees),
                realized=Usd(fold.realized),
                price=mark(book, pays, outcome),
                payout=pays,
                mergeable=both and pays is None,
                first_at=fold.first_at,
                last_at=fold.last_at,
            )


def _folded(
    listing: Listing, known: AccountTruth, legs: Sequence[tuple[Trade, Leg]], payout: Usd | None
) -> "dict[Outcome, _Fold]":
    """Pairs first, then the trades, and last what was merged or redeemed."""
    standing = [(trade, leg) for trade, leg in legs if trade.stage is not TradeStage.FAILED]
    gaps = {
        outcome: known.of(listing.facts.token(outcome))
        - sum(_shares_in(leg) for _, leg in standing if leg.outcome is outcome)
        for outcome in Outcome
    }
    pairs = Shares(max(min(gaps.values()), 0))
    folds = {outcome: _Fold() for outcome in Outcome}
    for outcome, fold in folds.items():
        fold.buy(pairs, cost_of(_HALF, pairs), 0)
        for trade, leg in standing:
            if leg.outcome is outcome and trade.stage.settled:
                fold.trade(trade, leg)
        gone = Shares(max(-gaps[outcome], 0))
        fold.sell(gone, cost_of(_HALF if payout is None else _pays(payout, outcome), gone))
    return folds


def _pays(up_payout: Usd, outcome: Outcome) -> Price:
    return Price(up_payout if outcome is Outcome.UP else MICRO - up_payout)


def _shares_in(leg: Leg) -> int:
    return leg.shares - leg.fee_shares if leg.side is Side.BUY else -leg.shares


class _Fold:
    """One token's way through its trades, at average cost. Mutable."""

    def __init__(self) -> None:
        self.size = self.bought = self.spent = self.fees = self.realized = 0
        self._cost = 0
        self.first_at: Instant | None = None
        self.last_at: Instant | None = None

    @property
    def average(self) -> int:
        """Of what is held, else of all that came in."""
        cost, size = (self._cost, self.size) if self.size else (self.spent, self.bought)
        return (2 * cost * MICRO + size) // (2 * size) if size else 0

    def trade(self, trade: Trade, leg: Leg) -> None:
        self.first_at = self.first_at or trade.matched_at
        self.last_at = trade.matched_at
        if leg.side is Side.BUY:
            self.buy(_shares_in(leg), leg.cash, leg.fee)
        else:
            self.sell(leg.shares, leg.cash - leg.fee)

    def buy(self, shares: int, cash: int, fee: int) -> None:
        self.size += shares
        self.bought += shares
        self.spent += cash
        self._cost += cash
        self.fees += fee

    def sell(self, shares: int, cash: int) -> None:
        """More than is here can go while a purchase is not on the chain yet: then only what is here counts."""
        if shares <= 0 or not self.size:
            return
        gone = min(shares, self.size)
        cost = self._cost * gone // self.size
        self.realized += cash * gone // shares - cost
        self._cost -= cost
        self.size -= gone
