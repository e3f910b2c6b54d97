"""Asks the CLOB about our account what trading itself does not need at every moment (`PROTOCOL.md` B.4)."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from polystra.core.ids import TokenId, VenueOrderId
from polystra.core.units import Shares
from polystra.edge.polymarket.account_wire import (
    Holding,
    Notice,
    OrderRow,
    read_closed_only,
    read_holding,
    read_notices,
    read_order_row,
    read_scoring,
    read_scorings,
)
from polystra.edge.polymarket.answer_wire import read_ok
from polystra.edge.polymarket.order_status import OrderStatus, absent_status, order_status
from polystra.edge.polymarket.private_rest import PrivateRest, ReadingFailed, reading
from polystra.edge.polymarket.rest import Reply
from polystra.edge.polymarket.venue import NoSuchOrder, Venue, says_no_such_order
from polystra.edge.polymarket.wire import Fill


class OrderDetails(Struct, frozen=True, gc=False, kw_only=True):
    """An open order and our parts of its trades, newest first. They were asked for after it: what traded in between is
    among them although `row` does not know of it yet, and the list of trades may itself be late."""

    row: OrderRow
    fills: tuple[Fill, ...]

    @property
    def traded(self) -> Shares:
        return Shares(sum(fill.shares for fill in self.fills))


class AccountReadings:
    """Over the same wire as `venue`, which is asked where it knows how."""

    def __init__(self, rest: PrivateRest, venue: Venue) -> None:
        self._rest = rest
        self._venue = venue

    # --- orders

    async def order(self, order: VenueOrderId) -> OrderDetails | NoSuchOrder | ReadingFailed:
        """All about an order that is open. One that ended is no such order, its trades are in `Venue.fate`."""
        path = f"/data/order/{order}"
        answer = await self._rest.ask("GET", path)
        if isinstance(answer, Reply) and says_no_such_order(answer):
            return NoSuchOrder(order)
        row = reading(path, answer, read_order_row)
        if isinstance(row, ReadingFailed):
            return row
        if row.order.id != order:
            return ReadingFailed(f"{path}: the answer is about order {row.order.id[:80]!r}")
        fills = await self._venue.trades(market=row.order.market)
        if isinstance(fills, ReadingFailed):
            return fills
        return OrderDetails(row=row, fills=tuple(fill for fill in fills if fill.order == order))

    async def status(self, order: VenueOrderId, *, size: Shares | None = None) -> OrderStatus:
        """How an order stands, in one word; with the `size` that was asked for, filled is told from ended. ERROR also
        when the venue did not answer."""
        details = await self.order(order)
        match details:
            case OrderDetails(row=row, fills=fills):
                return order_status(row.status, size=row.order.size, matched=row.order.matched, fills=fills)
            case NoSuchOrder():
                fills_of_all = await self._venue.trades()
                if isinstance(fills_of_all, ReadingFailed):
                    return OrderStatus.ERROR
                return absent_status((fill for fill in fills_of_all if fill.order == order), size=size)
            case ReadingFailed():
                return OrderStatus.ERROR

    async def scoring(self, order: VenueOrderId) -> bool | ReadingFailed:
        """Whether an order earns rewards at this moment; one that ended does not."""
        return await self._rest.read("/order-scoring", {"order_id": order}, read_scoring)

    async def scorings(self, orders: Sequence[VenueOrderId]) -> dict[VenueOrderId, bool] | ReadingFailed:
        path = "/orders-scoring"
        return reading(path, await self._rest.ask("POST", path, body=msgspec.json.encode(orders)), read_scorings)

    # --- the account

    async def holding(self, token: TokenId | None = None) -> Holding | ReadingFailed:
        """Cash, or the shares of a token, with what each exchange may move of it. The venue's picture of the chain may
        be late: `Venue.refresh_balances` has it look again."""
        return await self._rest.read("/balance-allowance", self._venue.holding_query(token), read_holding)

    async def closed_only(self) -> bool | ReadingFailed:
        """Whether the account may only reduce what it holds."""
        return await self._rest.read("/auth/ban-status/closed-only", {}, read_closed_only)

    async def notifications(self) -> tuple[Notice, ...] | ReadingFailed:
        """Those of the wallet that were not dropped, newest first."""
        return await self._rest.read("/notifications", self._venue.kind_query(), read_notices)

    async def drop_notifications(self, ids: Sequence[str]) -> ReadingFailed | None:
        """None when it was done. Drop only what is recorded: what is dropped never comes again. Of no ids the venue
        would drop all, so nothing is asked."""
        if not ids:
            return None
        path, query = "/notifications", {**self._venue.kind_query(), "ids": ",".join(ids)}
        return reading(path, await self._rest.ask("DELETE", path, query=query), read_ok)
