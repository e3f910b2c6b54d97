"""Reads what the headers of a reply say about waiting and about rate limits (`PROTOCOL.md` E.8). Pure.

Whatever cannot be read is as if it had not been said: a reply is never lost by a header.
"""

from collections.abc import Mapping

from msgspec import Struct

_DIGITS = 7
_LONGEST_TIER = 20


class LimitState(Struct, frozen=True, gc=False):
    """How one of our buckets stands at the venue after a request: what is left, below zero after a sweep, and the tier
    that says how fast it fills, in small letters."""

    remaining: int
    tier: str = ""


def wait_of(headers: Mapping[str, str]) -> int | None:
    """Seconds; None for a date too."""
    return whole(headers.get("Retry-After", ""))


def limit_of(headers: Mapping[str, str]) -> LimitState | None:
    """None on a reply that no limit covers."""
    told = headers.get("Poly-RateLimit-Remaining", "").strip()
    left = whole(told.removeprefix("-"))
    if left is None:
        return None
    tier = headers.get("Poly-RateLimit-Tier", "").strip().lower()
    return LimitState(-left if told.startswith("-") else left, tier if len(tier) <= _LONGEST_TIER else "")


def whole(text: str) -> int | None:
    """Of up to 7 digits; None for anything else."""
    told = text.strip()
    return int(told) if told.isascii() and told.isdecimal() and len(told) <= _DIGITS else None
