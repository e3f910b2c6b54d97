"""Trades one account at the CLOB over REST: places, cancels, and reads what the venue has of ours.

What the venue says is a value, also when it says nothing. A placement is sent once, whatever comes of it.
"""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from polystra.core.ids import TokenId, VenueOrderId
from polystra.core.units import Instant, Shares, Usd
from polystra.edge.polymarket.answer_wire import read_error, says_nothing
from polystra.edge.polymarket.outcomes import CancelOutcome, PlacementOutcome, cancel_outcomes, placement_outcome
from polystra.edge.polymarket.private_rest import PrivateRest, ReadingFailed, reading
from polystra.edge.polymarket.rest import Reply
from polystra.edge.polymarket.wallet import Wallet
from polystra.edge.polymarket.wire import (
    SECOND,
    Fill,
    OpenOrder,
    Unreadable,
    read_balance,
    read_fills,
    read_order,
)

MOST_CANCELS = 100
"""Ids in one request: many more would never pass the smallest allowance (`PROTOCOL.md` E.8)."""

_OLD_ID = ((1 << 64) - 1) << 40
_NOT_FOUND = 404


class NoSuchOrder(Struct, frozen=True, gc=False):
    """The venue has no live order of this id: it ended, or never arrived. Its trades tell which."""

    order: VenueOrderId


class Balances(Struct, frozen=True, gc=False):
    """What the venue believes the account has: a picture of the chain that may be late."""

    cash: Usd
    shares: dict[TokenId, Shares]


class Deadlines(Struct, frozen=True, kw_only=True):
    """Seconds until an answer is no longer waited for. The venue itself holds an order that takes for 150 ms."""

    place: float = 3.0
    cancel: float = 2.0


class Venue:
    """One wallet under one API key; `api_key` is the owner that order bodies must name."""

    def __init__(self, rest: PrivateRest, *, wallet: Wallet, api_key: str, deadlines: Deadlines | None = None) -> None:
        self._rest = rest
        self._account = wallet.maker
        self._kind = f"{wallet.kind:d}"
        self._deadlines = deadlines or Deadlines()
        self.api_key = api_key

    # --- orders in and out

    async def place(self, order: VenueOrderId, body: bytes) -> PlacementOutcome:
        """Sends a placement once. `order` is the hash of what `body` (`order_body`) asks for."""
        answer = await self._rest.ask("POST", "/order", body=body, deadline=self._deadlines.place)
        return placement_outcome(order, answer)

    async def cancel(self, orders: Sequence[VenueOrderId]) -> tuple[CancelOutcome, ...]:
        """One outcome for each different order, in the order given."""
        asked = tuple(dict.fromkeys(orders))
        chunks = (asked[start : start + MOST_CANCELS] for start in range(0, len(asked), MOST_CANCELS))
        found = await asyncio.gather(*(self._cancel(chunk) for chunk in chunks))
        return tuple(outcome for outcomes in found for outcome in outcomes)

    async def _cancel(self, orders: Sequence[VenueOrderId]) -> tuple[CancelOutcome, ...]:
        body = msgspec.json.encode(orders)
        return cancel_outcomes(
            orders, await self._rest.ask("DELETE", "/orders", body=body, deadline=self._deadlines.cancel)
        )

    # --- readings

    async def order(self, order: VenueOrderId) -> OpenOrder | NoSuchOrder | ReadingFailed:
        path = f"/data/order/{order}"
        answer = await self._rest.ask("GET", path)
        if isinstance(answer, Reply) and _says_no_such_order(answer):
            return NoSuchOrder(order)
        found = reading(path, answer, read_order)
        if isinstance(found, OpenOrder) and found.id != order:
            return ReadingFailed(f"{path}: the answer is about order {found.id[:80]!r}")
        return found

    async def open_orders(self) -> tuple[OpenOrder, ...] | ReadingFailed:
        """Everything live under the API key; each row says which wallet pays.

        Pages are cut by position, so that an order which ends meanwhile can hide another: where there are several, a
        second look must find the same orders.
        """
        first = await self._rest.read_pages("/data/orders", {}, read_order)
        if isinstance(first, ReadingFailed):
            return first
        if first.pages > 1:
            second = await self._rest.read_pages("/data/orders", {}, read_order)
            if isinstance(second, ReadingFailed):
                return second
            if {order.id for order in first.all} != {order.id for order in second.all}:
                return ReadingFailed("/data/orders: orders came or went while their pages were read")
            first = second
        return tuple({order.id: order for order in first.all}.values())

    async def trades(self, *, after: Instant | None = None) -> tuple[Fill, ...] | ReadingFailed:
        """Our part of every trade matched at or after `after`, newest first, at whatever stage, FAILED included.

        New trades push older ones to later pages, where they are met again and counted once, as last seen.
        """

        def fills(raw: msgspec.Raw) -> tuple[Fill, ...]:
            return read_fills(raw, api_key=self.api_key, account=self._account)

        query = {} if after is None else {"after": str(after // SECOND)}
        rows = await self._rest.read_pages("/data/trades", query, fills)
        if isinstance(rows, ReadingFailed):
            return rows
        return tuple({(fill.trade, fill.order): fill for row in rows.all for fill in row}.values())

    async def balances(self, tokens: Iterable[TokenId] = ()) -> Balances | ReadingFailed:
        """Cash, and the shares of these tokens."""
        asked = tuple(dict.fromkeys(tokens))
        cash, *held = await asyncio.gather(self._balance(None), *(self._balance(token) for token in asked))
        for amount in (cash, *held):
            if isinstance(amount, ReadingFailed):
                return amount
        shares = {token: Shares(amount) for token, amount in zip(asked, held, strict=True) if isinstance(amount, int)}
        assert isinstance(cash, int)
        return Balances(Usd(cash), shares)

    async def _balance(self, token: TokenId | None) -> int | ReadingFailed:
        asset = {"asset_type": "COLLATERAL"} if token is None else {"asset_type": _asset(token), "token_id": token}
        return await self._rest.read("/balance-allowance", {**asset, "signature_type": self._kind}, read_balance)


def _says_no_such_order(answer: Reply) -> bool:
    """In words: a proxy's 404 proves nothing about an order."""
    if answer.status != _NOT_FOUND:
        return answer.status == 200 and says_nothing(answer.body)
    try:
        return read_error(answer.body).lower() == "order not found"
    except Unreadable:
        return False


def _asset(token: TokenId) -> str:
    """Ids whose bits 40 to 103 are zero belong to Protocol V2 (`PROTOCOL.md` A.6)."""
    return "CONDITIONAL" if int(token) & _OLD_ID else "CONDITIONAL-V2"
