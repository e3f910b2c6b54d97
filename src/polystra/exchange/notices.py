"""What the venue remembers to have told each account: orders cancelled, filled, filled and failed, and markets resolved
in which it holds shares. A fill is told when it was mined, as its transaction is told with it.

They are known from when this is made, newest first, until the account drops them or has too many. Nothing else is ever
told: no source gives the form of a reward's, and comments and redemptions by others do not happen here.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Struct

from polystra.core.ids import VenueOrderId
from polystra.core.terms import Outcome, TradeStage
from polystra.core.units import Instant, show
from polystra.exchange.inputs import NoticesDropped
from polystra.exchange.market_pages import market_form
from polystra.exchange.venue import News, Venue
from polystra.exchange.wire import Json, outcome_word, transaction_of
from polystra.sim import messages as sim
from polystra.sim.records import STREET, Account, OpenOrder

CANCELLATION, FILL, RESOLVED, FILL_FAILED = 1, 2, 4, 8
"""The venue's numbers for what a notification is about."""

MOST = 1_000
"""Of one account; the oldest go first."""


class Notification(Struct, frozen=True, gc=False, kw_only=True):
    """`key` is the API key that placed the order, and empty where it is about a market."""

    number: int
    at: Instant
    kind: int
    payload: Json
    key: str = ""

    @property
    def name(self) -> str:
        """The number as clients give it."""
        return str(self.number)


class Notices:
    """Mutable. To be made before the venue's first input."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._kept: dict[Account, deque[Notification]] = {}
        self._orders: dict[VenueOrderId, OpenOrder] = {}
        self._made = 0
        venue.listeners.append(self._hear)

    def of(self, accounts: Iterable[Account]) -> list[Notification]:
        """Newest first."""
        mine = [one for account in accounts for one in self._kept.get(account, ())]
        return sorted(mine, key=lambda one: one.number, reverse=True)

    # --- what happens

    def _hear(self, news: Sequence[News]) -> None:
        for one in news:
            match one:
                case sim.OrderUpdated():
                    self._changed(one)
                case sim.TradeUpdated() if one.account != STREET:
                    self._traded(one)
                case sim.PublicResolution():
                    self._resolved(one)
                case NoticesDropped():
                    self._drop(one)
                case _:
                    pass

    def _changed(self, update: sim.OrderUpdated) -> None:
        """Orders are remembered until their market is resolved, as their trades are told later than they end."""
        order = self._orders[update.order.id] = update.order
        if update.change is sim.OrderChange.CANCELLATION:
            payload = self._order_form(order) | {"transaction_hash": "", "trade_id": ""}
            self._keep(update.at, update.account, CANCELLATION, payload, self._venue.key_of(order.id))

    def _traded(self, update: sim.TradeUpdated) -> None:
        kind = {TradeStage.MINED: FILL, TradeStage.FAILED: FILL_FAILED}.get(update.trade.stage)
        order = self._orders.get(update.own.order)
        if kind is None or order is None:
            return
        told = {
            "price": show(update.own.price),
            "transaction_hash": transaction_of(update.trade),
            "trade_id": update.trade.id,
        }
        key = self._venue.key_of(order.id)
        self._keep(update.at, update.account, kind, self._order_form(order) | told, key)

    def _resolved(self, resolution: sim.PublicResolution) -> None:
        listing = self._venue.listings[resolution.market]
        payload = market_form(self._venue, listing) | {"eventSlug": listing.slug}
        for account in self._venue.holders(resolution.market):
            self._keep(resolution.at, account, RESOLVED, payload)
        self._orders = {name: one for name, one in self._orders.items() if one.market != resolution.market}

    def _drop(self, dropped: NoticesDropped) -> None:
        for account in dropped.accounts:
            left = [one for one in self._kept.get(account, ()) if dropped.numbers and one.name not in dropped.numbers]
            self._kept[account] = deque(left, maxlen=MOST)

    def _keep(self, at: Instant, account: Account, kind: int, payload: Json, key: str = "") -> None:
        self._made += 1
        kept = self._kept.setdefault(account, deque(maxlen=MOST))
        kept.append(Notification(number=self._made, at=at, kind=kind, payload=payload, key=key))

    def _order_form(self, order: OpenOrder) -> Json:
        listing = self._venue.listings[order.market]
        return {
            "asset_id": order.token,
            "market": order.market,
            "order_id": order.id,
            "side": order.side,
            "type": order.time_in_force,
            "price": show(order.price),
            "original_size": show(order.size),
            "matched_size": show(order.matched),
            "remaining_size": show(order.remaining),
            "outcome": outcome_word(order.outcome),
            "outcome_index": list(Outcome).index(order.outcome),
            "question": listing.question,
            "market_slug": listing.slug,
            "icon": "",
            "image": "",
            "eventSlug": listing.slug,
            "seriesSlug": "",
        }
