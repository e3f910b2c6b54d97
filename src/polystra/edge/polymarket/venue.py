"""Trades one account at the CLOB over REST: places, cancels, and reads what the venue has of ours.

What the venue says is a value, also when it says nothing. A placement is sent once, whatever comes of it; only with
`Retries` is one repeated that provably never came near the book. With `Pacing` it keeps to the venue's rate limits.
"""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from polystra.core.ids import MarketId, TokenId, TradeId, VenueOrderId
from polystra.core.units import Instant, Nanos, Shares, Usd
from polystra.edge.polymarket.account_wire import Holding, read_holding
from polystra.edge.polymarket.answer_wire import (
    Cancels,
    HeartbeatId,
    read_error,
    read_expected_heartbeat,
    read_heartbeat,
    read_refreshed,
    read_sweep,
    says_nothing,
)
from polystra.edge.polymarket.batch import MOST_ORDERS, batch_body, batch_outcomes
from polystra.edge.polymarket.contracts import STANDARD
from polystra.edge.polymarket.outcomes import (
    CancelOutcome,
    PlacementOutcome,
    cancel_outcomes,
    placement_outcome,
    remedy_of,
)
from polystra.edge.polymarket.pacing import Unpaced
from polystra.edge.polymarket.private_rest import PrivateRest, ReadingFailed, reading
from polystra.edge.polymarket.remedies import Remedy
from polystra.edge.polymarket.rest import Answer, NoReply, Reply
from polystra.edge.polymarket.retries import Retries, asked_wait
from polystra.edge.polymarket.wallet import Wallet
from polystra.edge.polymarket.wire import (
    SECOND,
    Fill,
    OpenOrder,
    Unreadable,
    read_fills,
    read_order,
)

UNLIMITED = Usd(2**63 - 1)
"""An allowance that never ends; the contracts count in 256 bits."""

MOST_CANCELS = 100
"""Ids in one request: many more would never pass the smallest allowance (`PROTOCOL.md` E.8)."""

_OLD_ID = ((1 << 64) - 1) << 40
_WRONG_HEARTBEAT = 400
_NOT_FOUND = 404


class NoSuchOrder(Struct, frozen=True, gc=False):
    """The venue has no live order of this id: it ended, or never arrived. Its trades tell which."""

    order: VenueOrderId


class Balances(Struct, frozen=True, gc=False):
    """What the venue believes the account has: a picture of the chain that may be late. `allowance` is how much of the
    cash the exchange's contract may take, None where it says nothing of that."""

    cash: Usd
    shares: dict[TokenId, Shares]
    allowance: Usd | None = None


class AccountReading(Struct, frozen=True, gc=False, kw_only=True):
    """What the venue has of ours. Its parts were asked for together and answered one by one, so that an order may be
    missing from `orders` whose fill is not yet among the `trades`, which are newest first."""

    orders: tuple[OpenOrder, ...]
    trades: tuple[Fill, ...]
    balances: Balances


class OrderFate(Struct, frozen=True, gc=False, kw_only=True):
    """What the venue has of one order, and its fills, newest first. As with an `AccountReading`, neither may show what
    trades at this very moment."""

    order: OpenOrder | NoSuchOrder
    trades: tuple[Fill, ...]


class Mismatch(Struct, frozen=True, gc=False):
    """The venue took no heartbeat: it waits for the one that names `expected`."""

    expected: HeartbeatId


class Deadlines(Struct, frozen=True, kw_only=True):
    """Seconds until an answer is no longer waited for. The venue itself holds an order that takes for 150 ms, and
    cancels all orders 10 s after the last heartbeat."""

    place: float = 3.0
    cancel: float = 2.0
    beat: float = 2.0


class Venue:
    """One wallet under one API key; `api_key` is the owner that order bodies must name."""

    def __init__(
        self,
        rest: PrivateRest,
        *,
        wallet: Wallet,
        api_key: str,
        deadlines: Deadlines | None = None,
        retries: Retries | None = None,
        pacing: Unpaced | None = None,
    ) -> None:
        self._rest = rest
        self._account = wallet.maker
        self._kind = f"{wallet.kind:d}"
        self._deadlines = deadlines or Deadlines()
        self._retries = retries
        self._pacing = pacing or Unpaced()
        self.api_key = api_key

    # --- orders in and out

    async def place(self, order: VenueOrderId, body: bytes) -> PlacementOutcome:
        """Sends a placement once. `order` is the hash of what `body` (`order_body`) asks for."""
        (outcome,) = await self._post("/order", (order,), body)
        return outcome

    async def place_batch(self, orders: Sequence[tuple[VenueOrderId, bytes]]) -> tuple[PlacementOutcome, ...]:
        """One outcome for each order, in the order given; sent once, 15 in a request, all requests at one moment.
        Each order stands for itself: that one is refused says nothing about the others."""
        chunks = (orders[start : start + MOST_ORDERS] for start in range(0, len(orders), MOST_ORDERS))
        found = await asyncio.gather(*(self._place_batch(chunk) for chunk in chunks))
        return tuple(outcome for outcomes in found for outcome in outcomes)

    async def _place_batch(self, orders: Sequence[tuple[VenueOrderId, bytes]]) -> tuple[PlacementOutcome, ...]:
        return await self._post("/orders", [order for order, _ in orders], batch_body(body for _, body in orders))

    async def _post(self, path: str, orders: Sequence[VenueOrderId], body: bytes) -> tuple[PlacementOutcome, ...]:
        """The same bytes again only while no order of them can have reached the book."""

        def outcomes(answer: Answer) -> tuple[PlacementOutcome, ...]:
            return (placement_outcome(orders[0], answer),) if path == "/order" else batch_outcomes(orders, answer)

        async def once() -> Answer:
            turn = self._pacing.placement(len(orders))
            return await self._rest.ask("POST", path, body=body, deadline=self._deadlines.place, turn=turn)

        def again(answer: Answer) -> Nanos | None:
            if isinstance(answer, NoReply) and answer.stale:
                return None
            stayed_out = all(remedy_of(outcome) is Remedy.TRY_AGAIN for outcome in outcomes(answer))
            return asked_wait(answer) if stayed_out else None

        if self._retries is None:
            return outcomes(await once())
        return outcomes(await self._retries.repeat(once, lot=orders[0].encode(), again=again))

    async def cancel(self, orders: Sequence[VenueOrderId]) -> tuple[CancelOutcome, ...]:
        """One outcome for each different order, in the order given."""
        asked = tuple(dict.fromkeys(orders))
        chunks = (asked[start : start + MOST_CANCELS] for start in range(0, len(asked), MOST_CANCELS))
        found = await asyncio.gather(*(self._cancel(chunk) for chunk in chunks))
        return tuple(outcome for outcomes in found for outcome in outcomes)

    async def _cancel(self, orders: Sequence[VenueOrderId]) -> tuple[CancelOutcome, ...]:
        body, turn = msgspec.json.encode(orders), self._pacing.cancel(len(orders))
        answer = await self._rest.ask("DELETE", "/orders", body=body, deadline=self._deadlines.cancel, turn=turn)
        return cancel_outcomes(orders, answer)

    async def cancel_all(self) -> Cancels | ReadingFailed:
        """Everything under the API key, of all its wallets. After a `ReadingFailed` any of it may be gone."""
        return await self._sweep("/cancel-all", b"")

    async def cancel_market(self, market: MarketId, token: TokenId | None = None) -> Cancels | ReadingFailed:
        """Everything in a market, or in one of its tokens alone. After a `ReadingFailed` any of it may be gone."""
        named = {"market": market} if token is None else {"market": market, "asset_id": token}
        return await self._sweep("/cancel-market-orders", msgspec.json.encode(named))

    async def _sweep(self, path: str, body: bytes) -> Cancels | ReadingFailed:
        turn = self._pacing.cancel(1)
        answer = await self._rest.ask("DELETE", path, body=body, deadline=self._deadlines.cancel, turn=turn)
        swept = reading(path, answer, read_sweep)
        if isinstance(swept, Cancels) and isinstance(answer, Reply) and answer.limit is None:
            self._pacing.swept(len(swept.gone))
        return swept

    async def heartbeat(self, previous: HeartbeatId) -> HeartbeatId | Mismatch | ReadingFailed:
        """Keeps the orders alive, and says what the next heartbeat must name. Once there was one, the venue cancels all
        orders when no other follows within 10 s. After a failed one ask again with the same id."""
        path, body = "/v1/heartbeats", msgspec.json.encode({"heartbeat_id": previous})
        answer = await self._rest.ask("POST", path, body=body, deadline=self._deadlines.beat)
        if isinstance(answer, Reply) and answer.status == _WRONG_HEARTBEAT:
            try:
                return Mismatch(read_expected_heartbeat(answer.body))
            except Unreadable:
                pass
        return reading(path, answer, read_heartbeat)

    # --- readings

    async def reading(self, tokens: Iterable[TokenId], since: Instant | None = None) -> AccountReading | ReadingFailed:
        """Everything open, our part of each trade since then or ever, cash, and the shares of these tokens: all of it
        or nothing. The requests leave at one moment, in this order."""
        orders, trades, balances = await asyncio.gather(
            self.open_orders(), self.trades(after=since), self.balances(tokens)
        )
        if isinstance(orders, ReadingFailed):
            return orders
        if isinstance(trades, ReadingFailed):
            return trades
        if isinstance(balances, ReadingFailed):
            return balances
        return AccountReading(orders=orders, trades=trades, balances=balances)

    async def fate(self, order: VenueOrderId, since: Instant | None = None) -> OrderFate | ReadingFailed:
        """What became of an order, from two requests that leave at one moment; `since` when it cannot have traded."""
        found, trades = await asyncio.gather(self.order(order), self.trades(after=since))
        if isinstance(found, ReadingFailed):
            return found
        if isinstance(trades, ReadingFailed):
            return trades
        return OrderFate(order=found, trades=tuple(fill for fill in trades if fill.order == order))

    async def order(self, order: VenueOrderId) -> OpenOrder | NoSuchOrder | ReadingFailed:
        path = f"/data/order/{order}"
        answer = await self._rest.ask("GET", path)
        if isinstance(answer, Reply) and says_no_such_order(answer):
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

    async def trades(
        self,
        *,
        after: Instant | None = None,
        market: MarketId | None = None,
        token: TokenId | None = None,
        trade: TradeId | None = None,
    ) -> tuple[Fill, ...] | ReadingFailed:
        """Our part of every trade matched at or after `after`, of a market, of a token, or of one trade, newest first,
        at whatever stage, FAILED included.

        New trades push older ones to later pages, where they are met again and counted once, as last seen.
        """

        def fills(raw: msgspec.Raw) -> tuple[Fill, ...]:
            return read_fills(raw, api_key=self.api_key, account=self._account)

        since = None if after is None else str(after // SECOND)
        named = {"after": since, "market": market, "asset_id": token, "id": trade}
        query = {name: value for name, value in named.items() if value is not None}
        rows = await self._rest.read_pages("/data/trades", query, fills)
        if isinstance(rows, ReadingFailed):
            return rows
        found = {(fill.trade, fill.order): fill for row in rows.all for fill in row}
        return tuple(fill for fill in found.values() if token in (None, fill.token))

    async def balances(self, tokens: Iterable[TokenId] = ()) -> Balances | ReadingFailed:
        """Cash, and the shares of these tokens."""
        asked = tuple(dict.fromkeys(tokens))
        cash, *held = await asyncio.gather(self._holding(None), *(self._holding(token) for token in asked))
        if isinstance(cash, ReadingFailed):
            return cash
        shares: dict[TokenId, Shares] = {}
        for token, holding in zip(asked, held, strict=True):
            if isinstance(holding, ReadingFailed):
                return holding
            shares[token] = Shares(holding.balance)
        allowance = cash.allowance(STANDARD.contract)
        return Balances(Usd(cash.balance), shares, None if allowance is None else Usd(min(allowance, UNLIMITED)))

    async def _holding(self, token: TokenId | None) -> Holding | ReadingFailed:
        return await self._rest.read("/balance-allowance", self.holding_query(token), read_holding)

    async def refresh_balances(self, tokens: Iterable[TokenId] = ()) -> ReadingFailed | None:
        """Has the venue look at the chain again, for cash and these tokens; what it saw is in later `balances`. None
        when it heard all of it."""
        asked = (None, *dict.fromkeys(tokens))
        path = "/balance-allowance/update"
        heard = await asyncio.gather(*(self._rest.read(path, self.holding_query(one), read_refreshed) for one in asked))
        return next((failed for failed in heard if failed is not None), None)

    def holding_query(self, token: TokenId | None) -> dict[str, str]:
        """How a request names cash, None, or a token of the wallet."""
        asset = {"asset_type": "COLLATERAL"} if token is None else {"asset_type": _asset(token), "token_id": token}
        return {**asset, **self.kind_query()}

    def kind_query(self) -> dict[str, str]:
        """How a request names the wallet among those of its owner."""
        return {"signature_type": self._kind}


def says_no_such_order(answer: Reply) -> bool:
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
