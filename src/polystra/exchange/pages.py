"""Cuts rows into the CLOB's pages (`PROTOCOL.md` B.1): a cursor is an offset in base64, and -1 after the last one."""

import base64
import binascii
from collections.abc import Sequence

from polystra.exchange.replies import Refused
from polystra.exchange.wire import Json

FIRST_CURSOR = "MA=="
LAST_CURSOR = "LTE="

BEYOND = "next item should be greater than or equal to 0"


def page(rows: Sequence[Json], cursor: str, limit: int) -> Json | None:
    """The page that a cursor asks for; None for a cursor that nobody gave out."""
    start = _offset(cursor)
    if start is None:
        return None
    shown = rows[start : start + limit]
    following = start + limit
    return {
        "limit": limit,
        "count": len(shown),
        "next_cursor": LAST_CURSOR if following >= len(rows) else _cursor(following),
        "data": shown,
    }


def requested_page(cursor: str, rows: Sequence[Json], limit: int, bad: str) -> Json:
    """The page that a client asks for; raises `Refused` with the text `bad` for a cursor that nobody gave out, and
    with the venue's own for the one that stands on a last page."""
    if cursor == LAST_CURSOR:
        raise Refused(400, BEYOND)
    shown = page(rows, cursor, limit)
    if shown is None:
        raise Refused(400, bad)
    return shown


def _cursor(offset: int) -> str:
    return base64.b64encode(str(offset).encode()).decode()


def _offset(cursor: str) -> int | None:
    try:
        text = base64.b64decode(cursor or FIRST_CURSOR, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
