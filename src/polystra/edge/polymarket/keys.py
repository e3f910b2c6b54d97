"""Holds the private key, and finds out who signed.

The key goes in and never comes out: not by repr, pickle, copy or JSON. Its bytes do stay in the memory of the process,
which Python cannot wipe; whoever can read that memory has the key.
"""

import logging
from typing import NoReturn, final

from polystra.core.errors import PolystraError
from polystra.edge.polymarket.addresses import Address, key_address

try:
    from polystra.edge.polymarket.fast_curve import IMPLEMENTATION, public_key, recover, signer
except ImportError:
    from polystra.edge.polymarket.slow_curve import IMPLEMENTATION, public_key, recover, signer

    logging.getLogger(__name__).warning(
        "coincurve is not installed: orders are signed in %s, milliseconds each; Python 3.11 to 3.13 have its wheels",
        IMPLEMENTATION,
    )

CURVE = IMPLEMENTATION
"""Which of the two signs here."""

SIGNATURE = 65
"""Bytes of a signature: r, s, and 27 or 28."""

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_LOWER_HALF = _ORDER // 2
_FIRST = 27
_SECRET = 32
_HEX = set("0123456789abcdefABCDEF")


class InvalidKey(PolystraError):
    """What was given is no private key. The message never repeats it."""


@final
class SigningKey:
    """A private key that can do one thing, sign; `address` is the account that it controls.

    Raises `InvalidKey` for anything but 32 bytes of a number from 1 to below the order of the curve.
    """

    __slots__ = ("_sign", "address")

    address: Address

    def __init__(self, secret: bytes) -> None:
        if not _usable(secret):
            del secret  # a traceback that shows local names must not show this one
            raise InvalidKey(
                f"the private key is not {_SECRET} bytes of a usable number: export it from the wallet anew"
            )
        self.address = key_address(public_key(secret))
        self._sign = signer(secret)

    @classmethod
    def from_hex(cls, text: str) -> "SigningKey":
        """From 64 hex digits, with or without `0x`; white space around them is dropped. Raises `InvalidKey`."""
        digits = text.strip().removeprefix("0x").removeprefix("0X")
        secret = bytes.fromhex(digits) if set(digits) <= _HEX and len(digits) == 2 * _SECRET else b""
        if _usable(secret):
            return cls(secret)
        del text, digits, secret
        raise InvalidKey(
            f"the private key is not {2 * _SECRET} hex digits of a usable number: copy it from the wallet anew"
        )

    def sign(self, digest: bytes) -> bytes:
        """The signature of 32 bytes, always the same one for the same digest."""
        if len(digest) != _SECRET:
            raise ValueError(f"{len(digest)} bytes cannot be signed: hash them first, a digest has 32")
        signature = self._sign(digest)
        return signature[:-1] + bytes((signature[-1] + _FIRST,))

    def __repr__(self) -> str:
        return f"SigningKey(of {self.address})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a private key is neither copied nor stored: hand on the SigningKey itself")


def _usable(secret: bytes) -> bool:
    return len(secret) == _SECRET and 0 < int.from_bytes(secret, "big") < _ORDER


def signer_address(signature: bytes, digest: bytes) -> Address | None:
    """The account whose key made a signature of a digest; None when it is none.

    One of two signatures that differ by a change of sign alone is refused: r with s in the upper half of its range.
    Any other flipped bit gives another account, or none.
    """
    if len(signature) != SIGNATURE or signature[-1] not in (_FIRST, _FIRST + 1):
        return None
    if int.from_bytes(signature[32:64], "big") > _LOWER_HALF:
        return None
    found = recover(signature[:-1] + bytes((signature[-1] - _FIRST,)), digest)
    return key_address(found) if found else None
