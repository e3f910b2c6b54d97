"""Signs and recovers on secp256k1 in plain Python, where `coincurve` has no wheel.

The same signatures to the bit, but milliseconds each, and in a time that depends on the key: a stopgap, not a choice.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

IMPLEMENTATION = "plain Python"

_P = 2**256 - 2**32 - 977
_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)

_Point: TypeAlias = tuple[int, int]
_Jacobian: TypeAlias = tuple[int, int, int]
"""x/z², y/z³; z = 0 is the point at infinity."""

_INFINITY: _Jacobian = (0, 1, 0)


def public_key(secret: bytes) -> bytes:
    """The 64 bytes x and y."""
    return _bytes(_affine(_times(int.from_bytes(secret, "big"), _G)))


def signer(secret: bytes) -> Callable[[bytes], bytes]:
    """Signs a digest of 32 bytes by RFC 6979: r, s in its lower half, and the recovery number; 65 bytes."""
    return partial(_sign, secret)


def recover(signature: bytes, digest: bytes) -> bytes | None:
    """The public key that signed, as 64 bytes; None when none can have."""
    r, s, number = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    x = r + (number >> 1) * _N
    if not (0 < r < _N and 0 < s < _N and number < 4 and x < _P):
        return None
    square = (x * x * x + 7) % _P
    y = pow(square, (_P + 1) // 4, _P)
    if y * y % _P != square:
        return None
    y = y if y % 2 == number % 2 else _P - y
    inverse = pow(r, -1, _N)
    message = int.from_bytes(digest, "big")
    found = _add(_times(-message * inverse % _N, _G), _times(s * inverse % _N, (x, y)))
    return _bytes(_affine(found)) if found[2] else None


def _sign(secret: bytes, digest: bytes) -> bytes:
    key, message = int.from_bytes(secret, "big"), int.from_bytes(digest, "big")
    for nonce in _nonces(secret, (message % _N).to_bytes(32, "big")):
        x, y = _affine(_times(nonce, _G))
        r = x % _N
        s = pow(nonce, -1, _N) * (message + r * key) % _N
        if r and s:
            high = s > _N // 2
            number = (y % 2) ^ high | (x >= _N) << 1
            return _bytes((r, _N - s if high else s)) + bytes((number,))
    raise AssertionError("the nonces do not end")


def _nonces(secret: bytes, message: bytes) -> Iterator[int]:
    """RFC 6979, 3.2, with HMAC-SHA256; the message is the digest reduced by the order of the curve."""
    value, key = b"\x01" * 32, b"\x00" * 32
    for mark in (b"\x00", b"\x01"):
        key = _mac(key, value + mark + secret + message)
        value = _mac(key, value)
    while True:
        value = _mac(key, value)
        nonce = int.from_bytes(value, "big")
        if 0 < nonce < _N:
            yield nonce
        key = _mac(key, value + b"\x00")
        value = _mac(key, value)


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, hashlib.sha256)


def _times(factor: int, point: _Point) -> _Jacobian:
    total, addend = _INFINITY, (*point, 1)
    while factor:
        if factor & 1:
            total = _add(total, addend)
        addend = _double(addend)
        factor >>= 1
    return total


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    yy = y * y % _P
    middle = 4 * x * yy % _P
    slope = 3 * x * x % _P
    new = (slope * slope - 2 * middle) % _P
    return new, (slope * (middle - new) - 8 * yy * yy) % _P, 2 * y * z % _P


def _add(one: _Jacobian, other: _Jacobian) -> _Jacobian:
    if not one[2] or not other[2]:
        return one if one[2] else other
    (x1, y1, z1), (x2, y2, z2) = one, other
    zz1, zz2 = z1 * z1 % _P, z2 * z2 % _P
    u1, u2 = x1 * zz2 % _P, x2 * zz1 % _P
    s1, s2 = y1 * zz2 * z2 % _P, y2 * zz1 * z1 % _P
    if u1 == u2:
        return _double(one) if s1 == s2 else _INFINITY
    h, r = u2 - u1, s2 - s1
    hh = h * h % _P
    hhh, v = h * hh % _P, u1 * hh % _P
    x = (r * r - hhh - 2 * v) % _P
    return x, (r * (v - x) - s1 * hhh) % _P, z1 * z2 * h % _P


def _affine(point: _Jacobian) -> _Point:
    x, y, z = point
    inverse = pow(z, -1, _P)
    return x * inverse**2 % _P, y * inverse**3 % _P


def _bytes(point: _Point) -> bytes:
    return point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")
