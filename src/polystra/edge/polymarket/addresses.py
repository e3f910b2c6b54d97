"""Names the accounts and contracts of the chain: 20 bytes, written with the checksum of EIP-55."""

from functools import lru_cache
from typing import NewType

from polystra.core.errors import PolystraError
from polystra.edge.polymarket.keccak import keccak256

Address = NewType("Address", str)
"""`0x` and 40 hex digits whose upper and lower case are the checksum, so that equal accounts are equal texts."""

_DIGITS = 40


class InvalidAddress(PolystraError):
    """A text that names no account, or that carries a wrong checksum: most likely a typing mistake."""


def address(text: str) -> Address:
    """An address from text. One case throughout is taken without a checksum; mixed case must fit it.

    Raises `InvalidAddress`.
    """
    digits = text[2:]
    if text[:2].lower() != "0x" or len(digits) != _DIGITS or not set(digits) <= set("0123456789abcdefABCDEF"):
        raise InvalidAddress(f"{text!r} is not an address: it takes 0x and {_DIGITS} hex digits")
    proper = address_of(bytes.fromhex(digits))
    if digits not in (proper[2:], digits.lower(), digits.upper()):
        raise InvalidAddress(f"{text} has a wrong checksum, {proper} would be right: compare it digit by digit")
    return proper


def address_of(account: bytes) -> Address:
    """The address of 20 bytes."""
    if len(account) * 2 != _DIGITS:
        raise InvalidAddress(f"{len(account)} bytes are not an address: it takes 20")
    digits = account.hex()
    checks = keccak256(digits.encode()).hex()
    upper = (digit.upper() if check > "7" else digit for digit, check in zip(digits, checks, strict=False))
    return Address(f"0x{''.join(upper)}")


def key_address(public_key: bytes) -> Address:
    """The account that a public key controls; the key as its 64 bytes x and y."""
    return address_of(keccak256(public_key)[12:])


@lru_cache(maxsize=1024)
def address_word(text: str) -> bytes:
    """The 32 bytes by which an address is hashed. Raises `InvalidAddress`."""
    return bytes.fromhex(address(text)[2:]).rjust(32, b"\0")
