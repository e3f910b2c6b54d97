"""Writes and reads the body of `POST /order` (`PROTOCOL.md` B.5).

The bytes are signed as they are (`auth`), so their order of keys is fixed here: the one in which the venue's own client
sends them.
"""

import msgspec
from msgspec import Struct

from polystra.core.ids import TokenId
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Instant
from polystra.edge.polymarket.addresses import InvalidAddress, address
from polystra.edge.polymarket.signing import InvalidOrder, Order, SignedOrder
from polystra.edge.polymarket.wallet import SignatureType

_SECOND = 1_000_000_000
_NEVER = "0"
_DIGITS = 78


class OldOrderVersion(InvalidOrder):
    """An order of the retired first version: it has a nonce and a fee, and no timestamp."""


class SentOrder(Struct, frozen=True, gc=False, kw_only=True):
    """What the body of one placement says. `expires` is in seconds since 1970, 0 for never; `owner` an API key."""

    order: Order
    signature: str
    owner: str
    time_in_force: TimeInForce
    expires: int = 0
    post_only: bool = False
    defer_exec: bool = False


def order_body(
    signed: SignedOrder,
    *,
    owner: str,
    time_in_force: TimeInForce,
    expires_at: Instant | None = None,
    post_only: bool = False,
) -> bytes:
    """The body that places a signed order for the API key `owner`.

    Raises `InvalidOrder` when a GTD order has no end, another has one, or an immediate order should only rest.
    """
    if (time_in_force is TimeInForce.GTD) != (expires_at is not None):
        raise InvalidOrder(f"a {time_in_force} order with end {expires_at}: GTD orders have one, and no others do")
    if post_only and time_in_force.immediate:
        raise InvalidOrder(f"a {time_in_force} order cannot be post-only: use GTC or GTD")
    order = signed.order
    placed = _Placed(
        builder=f"0x{order.builder.hex()}",
        expiration=_NEVER if expires_at is None else str(expires_at // _SECOND),
        maker=order.maker,
        maker_amount=str(order.maker_amount),
        metadata=f"0x{order.metadata.hex()}",
        salt=order.salt,
        side=order.side,
        signature=signed.signature,
        signature_type=order.kind,
        signer=order.signer,
        taker_amount=str(order.taker_amount),
        timestamp=str(order.timestamp),
        token_id=order.token,
    )
    return _encode(_Body(order=placed, order_type=time_in_force, owner=owner, post_only=post_only))


def read_order_body(raw: bytes) -> SentOrder:
    """Raises `OldOrderVersion`, or `InvalidOrder` for whatever else is no placement."""
    try:
        return _sent(_decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidOrder(f"not the body of a placement: {error}") from None


def read_order_bodies(raw: bytes) -> tuple[SentOrder, ...]:
    """The orders of `POST /orders`, an array of such bodies. Raises like `read_order_body`; none is read by half."""
    try:
        return tuple(_sent(body) for body in _decode_many(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidOrder(f"not the body of placements: {error}") from None


class _Placed(Struct, frozen=True, rename="camel", kw_only=True):
    builder: str = ""
    expiration: str = _NEVER
    maker: str
    maker_amount: str
    metadata: str = ""
    salt: int
    side: Side
    signature: str
    signature_type: SignatureType
    signer: str
    taker_amount: str
    timestamp: str = ""
    token_id: str
    nonce: str | msgspec.UnsetType = msgspec.UNSET
    fee_rate_bps: str | msgspec.UnsetType = msgspec.UNSET


class _Body(Struct, frozen=True, rename="camel", kw_only=True):
    defer_exec: bool = False
    order: _Placed
    order_type: TimeInForce
    owner: str
    post_only: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Body).decode
_decode_many = msgspec.json.Decoder(list[_Body]).decode


def _sent(body: _Body) -> SentOrder:
    placed = body.order
    if not placed.timestamp and msgspec.UNSET not in (placed.nonce, placed.fee_rate_bps):
        raise OldOrderVersion("the order has a nonce and no timestamp: it is of the retired first version")
    try:
        maker, signer = address(placed.maker), address(placed.signer)
    except InvalidAddress as error:
        raise InvalidOrder(f"maker or signer: {error}") from None
    return SentOrder(
        order=Order(
            salt=placed.salt,
            maker=maker,
            signer=signer,
            token=TokenId(placed.token_id),
            maker_amount=_number("makerAmount", placed.maker_amount),
            taker_amount=_number("takerAmount", placed.taker_amount),
            side=placed.side,
            kind=placed.signature_type,
            timestamp=_number("timestamp", placed.timestamp),
            metadata=_bytes32("metadata", placed.metadata),
            builder=_bytes32("builder", placed.builder),
        ),
        signature=placed.signature,
        owner=body.owner,
        time_in_force=body.order_type,
        expires=_number("expiration", placed.expiration),
        post_only=body.post_only,
        defer_exec=body.defer_exec,
    )


def _number(field: str, text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= _DIGITS:
        return int(text)
    raise _refused(field, text, "a whole number in a string")


def _bytes32(field: str, text: str) -> bytes:
    digits = text.removeprefix("0x")
    if text.startswith("0x") and len(digits) == 64 and set(digits) <= set("0123456789abcdefABCDEF"):
        return bytes.fromhex(digits)
    raise _refused(field, text, "0x and 64 hex digits")


def _refused(field: str, text: str, expected: str) -> InvalidOrder:
    return InvalidOrder(f"{field} {text[:100]!r}: it takes {expected}")
