"""Reads decimal numbers from text of others exactly, and without surprises: no float, no exponent, no sign, no NaN."""

_LONGEST = 24
_WHOLE_DIGITS = 12


class Unreadable(Exception):
    """Carries the reason why one message is left out of a tape or a feed."""


def number(text: str | None, what: str) -> int:
    """Millionths of a plain number such as "0.5", ".5" or "12."; raises `Unreadable(what)` for any other text."""
    if not text or len(text) > _LONGEST:
        raise Unreadable(what)
    whole, _, part = text.partition(".")
    digits = whole + part.rstrip("0").ljust(6, "0")
    if not (whole or part) or len(whole) > _WHOLE_DIGITS or len(digits) != len(whole) + 6:
        raise Unreadable(what)
    if not digits.isascii() or not digits.isdecimal():
        raise Unreadable(what)
    return int(digits)
