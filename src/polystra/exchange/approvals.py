"""What an account lets the venue's contracts move: what an order needs, and the list that `/v2/approvals` gives."""

from collections.abc import Sequence

from aiohttp import web

from polystra.core.terms import Side
from polystra.edge.polymarket.addresses import Address, InvalidAddress, address
from polystra.edge.polymarket.contracts import (
    AUTO_REDEEM_OPERATOR,
    CHAIN,
    COLLATERAL,
    COLLATERAL_ADAPTER,
    CONDITIONAL_TOKENS,
    NEG_RISK,
    NEG_RISK_COLLATERAL_ADAPTER,
    POSITION_MANAGER,
    PROTOCOL_V2,
    ROUTER,
    STANDARD,
    Exchange,
)
from polystra.edge.polymarket.eip712 import MOST
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json
from polystra.sim.records import Account

_BINARY_MODULE = Address("0x1000008dD9001B968442c1000017eaE6E0dA00Ba")
_NEG_RISK_MODULE = Address("0x200000900045e3B6259600682756002200028933")
_PERPS_DEPOSIT = Address("0xDCa4af75705dbB50f62437045afF9921947917d2")

_ADAPTERS = (COLLATERAL_ADAPTER, NEG_RISK_COLLATERAL_ADAPTER)
SPENDERS: Sequence[tuple[Address, str, Sequence[Address]]] = (
    (
        COLLATERAL,
        "ERC20",
        (STANDARD.contract, NEG_RISK.contract, *_ADAPTERS, ROUTER, PROTOCOL_V2.contract, _PERPS_DEPOSIT),
    ),
    (
        CONDITIONAL_TOKENS,
        "ERC1155",
        (
            STANDARD.contract,
            NEG_RISK.contract,
            *_ADAPTERS,
            AUTO_REDEEM_OPERATOR,
            _BINARY_MODULE,
            _NEG_RISK_MODULE,
        ),
    ),
    (POSITION_MANAGER, "ERC1155", (ROUTER, PROTOCOL_V2.contract, AUTO_REDEEM_OPERATOR)),
)
"""Which contract may be let to move what; the official client wants all of them."""


class Approvals:
    """A part of the Data API."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        return [web.get("/v2/approvals", self.approvals)]

    async def approvals(self, request: web.Request) -> web.Response:
        try:
            owner = address(request.query.get("user", ""))
        except InvalidAddress as error:
            raise Refused(400, f"user: {error}") from None
        rows = [self._row(owner, token, standard, spender) for token, standard, many in SPENDERS for spender in many]
        return reply({"data": {"address": owner, "chain_id": CHAIN, "contracts": rows}})

    def _row(self, owner: Address, token: Address, standard: str, spender: Address) -> Json:
        amount = self._venue.members.allowance(Account(owner), token, spender)
        row: Json = {"token": token, "spender": spender, "standard": standard, "approved": amount > 0}
        return {**row, "amount": "max" if amount == MOST else str(amount)} if standard == "ERC20" else row


def paid_in(exchange: Exchange, side: Side) -> Address:
    """The contract of what an order gives."""
    if side is Side.BUY:
        return COLLATERAL
    return POSITION_MANAGER if exchange is PROTOCOL_V2 else CONDITIONAL_TOKENS


def require_allowance(venue: Venue, account: Account, exchange: Exchange, side: Side, amount: int) -> None:
    """Raises `Refused` for an order that its exchange could not settle."""
    allowed = venue.members.allowance(account, paid_in(exchange, side), exchange.contract)
    if allowed < amount:
        raise Refused(
            400,
            "not enough balance / allowance: the allowance is not enough -> "
            f"spender: {exchange.contract}, allowance: {allowed}, order amount: {amount}",
        )
