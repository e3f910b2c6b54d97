"""Orders in and out (`PROTOCOL.md` B.4, B.5): read, believed if truly signed, then the exchange's to judge."""

import asyncio
import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from aiohttp import web

from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.edge.polymarket.contracts import STANDARD
from polystra.edge.polymarket.order_body import OldOrderVersion, SentOrder, read_order_bodies, read_order_body
from polystra.edge.polymarket.signing import InvalidOrder, order_id
from polystra.edge.polymarket.verification import Flaw, flaw_of
from polystra.edge.polymarket.wallet import SignatureType
from polystra.exchange.approvals import require_allowance
from polystra.exchange.auth import Gate
from polystra.exchange.faults import Fault, Faults
from polystra.exchange.limits import Kind, Limits
from polystra.exchange.markets import NO_BOOK
from polystra.exchange.members import Member
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import OrderFate, Venue
from polystra.exchange.wire import UNREADABLE, Json, accepted_form, cancelled_form, refused_in_batch, rejected_form
from polystra.exchange.words import DELAYED, VERSION_MISMATCH, status_of
from polystra.sim import messages as sim
from polystra.sim.records import Account

MOST_ORDERS = 15
MOST_CANCELS = 1_000

BAD_PAYLOAD = "Invalid order payload"
OLD_VERSION = "invalid order version, please use the latest clob-client"
FOREIGN_OWNER = "the order owner has to be the owner of the API KEY"
WRONG_SIGNER = "the order signer address has to be the address of the API KEY"
BAD_SIGNATURE = "invalid signature"
FOREIGN_PROXY = "invalid POLY_PROXY signature"
NO_DEPOSIT_WALLET = "no deposit wallet found for owner"

_T = TypeVar("_T")

_CONDITION = re.compile(r"0x[0-9a-fA-F]{64}")

_SHUT = (425, 503)
"""The venue as a whole, not the order, says no."""


class Orders:
    def __init__(self, venue: Venue, gate: Gate, *, faults: Faults, limits: Limits) -> None:
        self._venue = venue
        self._gate = gate
        self._faults = faults
        self._limits = limits

    def routes(self) -> Routes:
        return [
            web.post("/order", self.place),
            web.post("/orders", self.place_many),
            web.delete("/order", self.cancel),
            web.delete("/orders", self.cancel_many),
            web.delete("/cancel-all", self.cancel_all),
            web.delete("/cancel-market-orders", self.cancel_market),
        ]

    # --- placing

    async def place(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        try:
            sent = read_order_body(await request.read())
        except InvalidOrder as error:
            raise _unreadable(error) from None
        self._limits.spend(request, member.owner, Kind.ORDERS, 1)
        return _single(await self._judged(sent, member, "POST /order"))

    async def place_many(self, request: web.Request) -> web.Response:
        """All or none is read; then each goes its own way."""
        member = await self._gate.member(request)
        try:
            sent = read_order_bodies(await request.read())
        except InvalidOrder as error:
            raise _unreadable(error) from None
        if not sent:
            raise Refused(400, BAD_PAYLOAD)
        if len(sent) > MOST_ORDERS:
            raise Refused(400, f"Too many orders in payload: {len(sent)}, max allowed: {MOST_ORDERS}")
        self._limits.spend(request, member.owner, Kind.ORDERS, len(sent))
        fates = await asyncio.gather(*(self._one_of_many(one, member) for one in sent))
        shut = [fate for fate in fates if isinstance(fate, sim.OrderRejected) and fate.http in _SHUT]
        if len(shut) == len(fates):
            return _single(shut[0])
        return reply([_in_batch(fate) for fate in fates])

    async def _one_of_many(self, sent: SentOrder, member: Member) -> OrderFate | Refused:
        try:
            return await self._judged(sent, member, "POST /orders")
        except Refused as refused:
            return refused

    async def _judged(self, sent: SentOrder, member: Member, where: str) -> OrderFate:
        order = self._believed(sent, member)
        if self._faults.strikes(Fault.VERSION_FLIPPED, where):
            raise Refused(400, VERSION_MISMATCH)
        known = self._venue.tokens.get(order.token)
        if known is not None and self._faults.strikes(Fault.HYDRATED_LATE, known[0].slug):
            raise Refused(404, NO_BOOK)
        if struck := self._faults.strikes(Fault.ORDER_REFUSED, where):
            text = (struck.text or DELAYED).replace("{id}", order.order).replace("{amount}", str(order.maker_amount))
            raise Refused(status_of(text), text)
        return await self._venue.place(order, member, _builder(sent))

    def _believed(self, sent: SentOrder, member: Member) -> sim.Submit:
        """The order as the exchange takes it; raises `Refused` unless its owner signed it for its market."""
        order = sent.order
        if sent.owner != member.api_key:
            raise Refused(400, FOREIGN_OWNER)
        account = self._account(sent, member)
        known = self._venue.tokens.get(order.token)
        contract = known[0].contract if known else STANDARD
        flaw = flaw_of(order, sent.signature, contract, owner=member.owner) if known else None
        if flaw is not None:
            raise Refused(400, OLD_VERSION if flaw is Flaw.OLD_VERSION else BAD_SIGNATURE)
        if known:
            require_allowance(self._venue, account, contract, order.side, order.maker_amount)
        try:
            name = order_id(order, contract)
        except InvalidOrder:
            raise Refused(400, BAD_PAYLOAD) from None
        return sim.Submit(
            account=account,
            order=name,
            token=order.token,
            side=order.side,
            maker_amount=order.maker_amount,
            taker_amount=order.taker_amount,
            time_in_force=sent.time_in_force,
            post_only=sent.post_only,
            expiration=sent.expires,
        )

    def _account(self, sent: SentOrder, member: Member) -> Account:
        """Who pays; raises `Refused` for a wallet that is not the member's, and for somebody else's signer."""
        order = sent.order
        account = self._venue.members.account(member.owner, order.kind)
        mine = account is not None and account == Account(order.maker)
        if order.kind is SignatureType.POLY_1271:
            if account is None or not mine:
                raise Refused(400, NO_DEPOSIT_WALLET)
            return account
        if order.signer != member.owner:
            raise Refused(400, WRONG_SIGNER)
        if account is None or not mine:
            raise Refused(400, FOREIGN_PROXY if order.kind is SignatureType.POLY_PROXY else BAD_SIGNATURE)
        return account

    # --- cancelling

    async def cancel(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        asked = _read(await request.read(), _one_id)
        if asked is None or not asked.orderID:
            raise Refused(400, "Invalid orderID")
        self._limits.spend(request, member.owner, Kind.CANCELS, 1)
        return self._cancel(member, [asked.orderID])

    async def cancel_many(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        asked = _read(await request.read(), _many_ids)
        if asked is None:
            raise Refused(400, "Invalid payload")
        if len(asked) > MOST_CANCELS:
            raise Refused(400, f"Too many orders in payload, max allowed: {MOST_CANCELS}")
        self._limits.spend(request, member.owner, Kind.CANCELS, len(asked))
        return self._cancel(member, asked)

    def _cancel(self, member: Member, orders: Sequence[VenueOrderId]) -> web.Response:
        """An owner's orders may stand in several accounts: each is asked for its own, the first one for all others."""
        exchange, (first, *others) = self._venue.current(), self._venue.members.accounts(member.owner)
        places: dict[Account, list[VenueOrderId]] = {first: [], **{account: [] for account in others}}
        for name in dict.fromkeys(orders):
            found = exchange.order(name)
            places[found.account if found and found.account in places else first].append(name)
        gone, missing = self._ask_all(
            [
                sim.Cancel(account=account, orders=tuple(names))
                for account, names in places.items()
                if names or account == first
            ]
        )
        return reply(cancelled_form(gone, missing))

    async def cancel_all(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        return self._swept(
            request, member, [sim.CancelAll(account=one) for one in self._venue.members.accounts(member.owner)]
        )

    async def cancel_market(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        asked = _read(await request.read(), _market)
        if asked is None:
            raise Refused(400, "Invalid payload")
        if asked.market and not _CONDITION.fullmatch(asked.market):
            raise Refused(400, "Invalid market")
        return self._swept(
            request,
            member,
            [
                sim.CancelMarket(account=account, market=asked.market or None, token=asked.asset_id or None)
                for account in self._venue.members.accounts(member.owner)
            ],
        )

    def _swept(
        self, request: web.Request, member: Member, requests: Sequence[sim.CancelAll | sim.CancelMarket]
    ) -> web.Response:
        """One now, and one more for each order that is gone: the bucket may be below zero then."""
        self._limits.spend(request, member.owner, Kind.CANCELS, 1)
        gone, missing = self._ask_all(requests)
        self._limits.owe(request, member.owner, Kind.CANCELS, len(gone))
        return reply(cancelled_form(gone, missing))

    def _ask_all(
        self, requests: Sequence[sim.Cancel | sim.CancelAll | sim.CancelMarket]
    ) -> tuple[list[VenueOrderId], list[tuple[VenueOrderId, str]]]:
        gone: list[VenueOrderId] = []
        missing: list[tuple[VenueOrderId, str]] = []
        for request in requests:
            answer = self._venue.ask(request)
            if isinstance(answer, sim.RequestRejected):
                raise Refused(answer.http, answer.text)
            assert isinstance(answer, sim.CancelAnswered)
            gone += answer.canceled
            missing += answer.not_canceled
        return gone, missing


def _builder(sent: SentOrder) -> str:
    """The code of whoever brought the order, which its owner signed; empty for nobody."""
    return f"0x{sent.order.builder.hex()}" if any(sent.order.builder) else ""


def _unreadable(error: InvalidOrder) -> Refused:
    return Refused(400, OLD_VERSION if isinstance(error, OldOrderVersion) else BAD_PAYLOAD)


def _single(fate: OrderFate) -> web.Response:
    if isinstance(fate, sim.OrderAccepted):
        return reply(accepted_form(fate))
    response = reply(rejected_form(fate), fate.http)
    if fate.retry_after is not None:
        response.headers["Retry-After"] = str(fate.retry_after)
    return response


def _in_batch(fate: OrderFate | Refused) -> Json:
    match fate:
        case sim.OrderAccepted():
            return accepted_form(fate)
        case sim.OrderRejected(text=text):
            return refused_in_batch(text)
        case Refused():
            return refused_in_batch(str(fate))


class _Named(msgspec.Struct):
    orderID: VenueOrderId  # noqa: N815 - the venue's spelling


class _InMarket(msgspec.Struct):
    market: MarketId | None = None
    asset_id: TokenId | None = None


_one_id = msgspec.json.Decoder(_Named)
_many_ids = msgspec.json.Decoder(list[VenueOrderId])
_market = msgspec.json.Decoder(_InMarket)


def _read(raw: bytes, decoder: msgspec.json.Decoder[_T]) -> _T | None:
    try:
        return decoder.decode(raw)
    except UNREADABLE:
        return None
