"""Says whether a signed order is what its owner signed, as the exchange has to before it believes one."""

from enum import Enum

from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.contracts import Exchange, exchange_at
from polystra.edge.polymarket.eip712 import digest
from polystra.edge.polymarket.keys import SIGNATURE, signer_address
from polystra.edge.polymarket.signing import InvalidOrder, Order, contents_hash, wallet_digest, wrapping
from polystra.edge.polymarket.wallet import SignatureType

OLD_VERSION = "1"
"""The domain version of the retired exchange; today's contracts never accept it."""


class Flaw(Enum):
    """Why an order is not to be believed; `OLD_VERSION` is told apart because the venue answers it in other words."""

    MALFORMED = "a part of the order does not fit its type, or the signature is not hex of the right length"
    OLD_VERSION = "signed for the retired version 1 of the exchange"
    WRONG_DOMAIN = "signed for another exchange contract or version"
    WRONG_CONTENTS = "signed for another order"
    WRONG_SIGNER = "not signed by the owner"


def flaw_of(order: Order, signature: str, exchange: Exchange, *, owner: Address) -> Flaw | None:
    """What is wrong with an order that `owner` should have signed for `exchange`; None when nothing is.

    `owner` is the account of a key: the order's signer, or for a deposit wallet whoever owns it. That an order's maker
    (proxy, Safe, deposit wallet) belongs to the owner is the caller's to know.
    """
    found = recovered_signer(order, signature, exchange)
    if isinstance(found, Flaw):
        return found
    named = owner if order.kind is SignatureType.POLY_1271 else order.signer
    if found == owner == named:
        return None
    retired = _retired(exchange)
    return Flaw.OLD_VERSION if recovered_signer(order, signature, retired) == owner else Flaw.WRONG_SIGNER


def recovered_signer(order: Order, signature: str, exchange: Exchange) -> Address | Flaw:
    """The account whose key signed an order for an exchange.

    A signature that was tampered with mostly names a stranger, so the answer proves nothing until it is compared.
    """
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
        contents = contents_hash(order)
    except (ValueError, InvalidOrder):
        return Flaw.MALFORMED
    if not signature.startswith("0x") or len(signature) != 2 + 2 * len(raw):
        return Flaw.MALFORMED
    if order.kind is SignatureType.POLY_1271:
        return _wallet_owner(order, raw, contents, exchange)
    return signer_address(raw, digest(exchange.separator, contents)) or Flaw.MALFORMED


def _wallet_owner(order: Order, raw: bytes, contents: bytes, exchange: Exchange) -> Address | Flaw:
    inner, wrapped = raw[:SIGNATURE], raw[SIGNATURE:]
    expected = wrapping(contents, exchange)
    if len(wrapped) != len(expected):
        return Flaw.MALFORMED
    if wrapped[:32] != exchange.separator:
        return Flaw.OLD_VERSION if wrapped[:32] == _retired(exchange).separator else Flaw.WRONG_DOMAIN
    if wrapped != expected:
        return Flaw.WRONG_CONTENTS
    return signer_address(inner, wallet_digest(order, contents, exchange)) or Flaw.MALFORMED


def _retired(exchange: Exchange) -> Exchange:
    return exchange_at(exchange.contract, OLD_VERSION)
