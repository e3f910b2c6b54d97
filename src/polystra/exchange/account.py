"""What a member reads of its own (`PROTOCOL.md` B.4): orders, trades, balances; and its heartbeat."""

import msgspec
from aiohttp import web

from polystra.core.ids import TokenId, VenueOrderId
from polystra.core.terms import Liquidity
from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.contracts import (
    COLLATERAL,
    CONDITIONAL_TOKENS,
    NEG_RISK,
    POSITION_MANAGER,
    PROTOCOL_V2,
    STANDARD,
)
from polystra.edge.polymarket.wallet import SignatureType
from polystra.exchange.auth import Gate
from polystra.exchange.listings import Listing
from polystra.exchange.members import Member
from polystra.exchange.pages import requested_page
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE, Json, balance_form, order_form, seconds_of, trade_form
from polystra.sim import messages as sim
from polystra.sim.records import Account, Trade

ROWS = 100
"""Of a page of orders or trades."""

_ASSETS = ("COLLATERAL", "CONDITIONAL", "CONDITIONAL-V2")


class Accounts:
    def __init__(self, venue: Venue, gate: Gate) -> None:
        self._venue = venue
        self._gate = gate

    def routes(self) -> Routes:
        return [
            web.get("/data/orders", self.orders),
            web.get("/data/order/{order}", self.order),
            web.get("/data/trades", self.trades),
            web.get("/balance-allowance", self.balance),
            web.get("/balance-allowance/update", self.refresh),
            web.get("/data/pre-migration-orders", self.old_orders),
            web.post("/v1/heartbeats", self.beat),
            web.post("/heartbeats", self.plain_beat),
        ]

    # --- orders and trades

    async def orders(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        query, exchange = request.query, self._venue.current()
        rows = [
            order_form(order, self._venue.key_of)
            for account in self._venue.members.accounts(member.owner)
            for order in exchange.open_orders(account)
            if query.get("id", order.id) == order.id
            and query.get("market", order.market) == order.market
            and query.get("asset_id", order.token) == order.token
        ]
        return reply(_page(rows, request, "invalid order params payload"))

    async def old_orders(self, request: web.Request) -> web.Response:
        """Of the retired first version, of which there never were any here."""
        await self._gate.member(request)
        return reply(_page([], request, "invalid order params payload"))

    async def order(self, request: web.Request) -> web.Response:
        """Only what rests: an order that ended is not found."""
        member = await self._gate.member(request)
        found = self._venue.current().order(VenueOrderId(request.match_info["order"]))
        if found is None or found.account not in self._venue.members.accounts(member.owner):
            raise Refused(404, "Order not found")
        return reply(order_form(found, self._venue.key_of))

    async def trades(self, request: web.Request) -> web.Response:
        """Newest first; `after` and `before` are seconds, both included."""
        member = await self._gate.member(request)
        query, exchange = request.query, self._venue.current()
        after, before = seconds_asked(request, "after"), seconds_asked(request, "before")
        found = [
            (trade, Liquidity.TAKER if trade.taker.account == account else Liquidity.MAKER)
            for account in self._venue.members.accounts(member.owner)
            if query.get("maker_address", account).lower() == account.lower()
            for trade in exchange.trades(account)
            if query.get("id", trade.id) == trade.id
            and query.get("market", trade.market) == trade.market
            and query.get("asset_id", trade.taker.token) in (trade.taker.token, trade.maker.token)
            and (after is None or after <= seconds_of(trade.matched_at))
            and (before is None or seconds_of(trade.matched_at) <= before)
        ]
        found.sort(key=_matched_at, reverse=True)
        rows = [trade_form(trade, side, self._venue.key_of) for trade, side in found]
        return reply(_page(rows, request, "Invalid trade params payload"))

    # --- balances

    async def balance(self, request: web.Request) -> web.Response:
        """The cached picture of the chain, which is late. Each contract of shares knows those of its own generation."""
        account, token = await self._asked_balance(request)
        held = self._venue.current().balances(account) if account is not None else None
        amount = 0 if held is None else held.cash if token is None else held.of(token)
        if token in self._venue.tokens and request.query["asset_type"] != _asset(self._venue.tokens[token][0]):
            amount = 0
        return reply(
            balance_form(amount, self._allowances(account, COLLATERAL if token is None else CONDITIONAL_TOKENS))
        )

    def _allowances(self, account: Account | None, old: Address) -> dict[str, int]:
        """Of each exchange, for cash or for shares, which those of Protocol-V2 keep elsewhere."""
        if account is None:
            return {}
        new = COLLATERAL if old == COLLATERAL else POSITION_MANAGER
        homes = {STANDARD.contract: old, NEG_RISK.contract: old, PROTOCOL_V2.contract: new}
        return {spender: self._venue.members.allowance(account, home, spender) for spender, home in homes.items()}

    async def refresh(self, request: web.Request) -> web.Response:
        account, _ = await self._asked_balance(request)
        if account is not None:
            self._venue.ask(sim.RefreshBalances(account=account))
        return reply("")

    async def _asked_balance(self, request: web.Request) -> tuple[Account | None, TokenId | None]:
        member = await self._gate.member(request)
        asset, kind = request.query.get("asset_type"), request.query.get("signature_type", "0")
        if asset not in _ASSETS:
            raise Refused(400, "Invalid asset type")
        if kind not in {f"{known:d}" for known in SignatureType}:
            raise Refused(400, "Invalid signature_type")
        token = None if asset == "COLLATERAL" else TokenId(request.query.get("token_id", ""))
        if token == "":
            raise Refused(400, "Invalid token id")
        return self._venue.members.account(member.owner, SignatureType(int(kind))), token

    # --- heartbeat

    async def beat(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        try:
            sent = _beat(await request.read()).heartbeat_id
        except UNREADABLE:
            raise Refused(400, "Invalid payload") from None
        answer = self._beat(member, sent)
        if not answer.accepted:
            return reply({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": answer.heartbeat}, 400)
        return reply({"heartbeat_id": answer.heartbeat})

    async def plain_beat(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        first = self._venue.members.accounts(member.owner)[0]
        self._beat(member, self._venue.current().heartbeat(first))
        return reply({"status": "ok"})

    def _beat(self, member: Member, sent: sim.HeartbeatId) -> sim.BeatAnswered:
        """One heart for all accounts of an owner: the first one's id is told, the others beat with it."""
        first, *others = self._venue.members.accounts(member.owner)
        answer = self._venue.ask(sim.Beat(account=first, heartbeat=sent))
        assert isinstance(answer, sim.BeatAnswered)
        for account in others if answer.accepted else ():
            self._venue.ask(sim.Beat(account=account, heartbeat=self._venue.current().heartbeat(account)))
        return answer


def _asset(listing: Listing) -> str:
    return "CONDITIONAL-V2" if listing.contract is PROTOCOL_V2 else "CONDITIONAL"


def _page(rows: list[Json], request: web.Request, bad: str) -> Json:
    return requested_page(request.query.get("next_cursor", ""), rows, ROWS, bad)


def seconds_asked(request: web.Request, name: str) -> int | None:
    """A moment of a query; raises `Refused`."""
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise Refused(400, "Invalid trade params payload")
    return int(text)


def _matched_at(found: tuple[Trade, Liquidity]) -> int:
    return found[0].matched_at


class _Beat(msgspec.Struct):
    heartbeat_id: sim.HeartbeatId = sim.HeartbeatId("")


_beat = msgspec.json.Decoder(_Beat).decode
