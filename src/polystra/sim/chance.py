"""Chance by number: what falls out depends on a seed, a name and how often was asked, and on nobody else's draws."""

from hashlib import blake2b

ALWAYS = 1_000
"""Parts per thousand: every time."""


def falls(seed: bytes, name: str, number: int, chance: int) -> bool:
    """Whether something of so many parts per thousand happens at the occasion of this number."""
    digest = blake2b(f"{name} {number}".encode(), key=seed[:64], digest_size=8).digest()
    return int.from_bytes(digest) * ALWAYS >> 64 < chance
