"""Reads the CLOB's answers to what we asked it to do, its errors, pages and clock (`PROTOCOL.md` B.4, B.5, E.6, E.9).

Pure translation; whatever does not fit raises `Unreadable`.
"""

from typing import NewType

import msgspec
from msgspec import Struct

from polystra.core.ids import TradeId, VenueOrderId
from polystra.core.units import Instant
from polystra.edge.polymarket.auth import Credentials
from polystra.edge.polymarket.reply_headers import whole
from polystra.edge.polymarket.wire import SECOND, Unreadable, instant_of, quantity_of, read

LAST_CURSOR = "LTE="
"""Says that no page follows; asking for it is refused."""

HeartbeatId = NewType("HeartbeatId", str)
"""What the next heartbeat has to name; empty for the first one."""


class Placement(Struct, frozen=True, gc=False, kw_only=True):
    """The answer to a placement. `making` was given and `taking` received, in millionths; `error` is empty where the
    venue states none, and only then does `success` mean anything."""

    success: bool
    error: str
    order: str
    status: str
    making: int
    taking: int
    trades: tuple[TradeId, ...]


class Cancels(Struct, frozen=True, gc=False):
    """Which orders the venue cancelled, and why it did not cancel others."""

    gone: tuple[VenueOrderId, ...]
    kept: dict[VenueOrderId, str]


def read_error(raw: bytes) -> str:
    """The words of an error; raises `Unreadable` for anything else, such as the page of a proxy."""
    error = read(raw, _error)
    words = error.error or error.errorMsg or error.error_msg
    if not words:
        raise Unreadable(f"an error without words, in {raw[:120]!r}")
    return words


def read_wait(raw: bytes) -> int | None:
    """How many seconds the body of an error asks us to wait, if it does."""
    try:
        error = read(raw, _error)
    except Unreadable:
        return None
    return whole(bytes(error.retry_after_seconds).decode())


def read_placement(raw: bytes) -> Placement:
    answer = read(raw, _placement)
    return Placement(
        success=answer.success,
        error=answer.errorMsg or "",
        order=answer.orderID,
        status=answer.status.lower().removeprefix("order_status_"),
        making=quantity_of("makingAmount", answer.makingAmount or "0"),
        taking=quantity_of("takingAmount", answer.takingAmount or "0"),
        trades=tuple(answer.tradeIDs),
    )


def read_rows(raw: bytes) -> tuple[msgspec.Raw, ...]:
    """The answers to a batch, not yet read."""
    rows = read(raw, _rows)
    return tuple(rows)


def read_cancels(raw: bytes) -> Cancels:
    answer = read(raw, _cancels)
    return Cancels(tuple(answer.canceled), answer.not_canceled)


def read_sweep(raw: bytes) -> Cancels:
    """The answer to a cancel that names no orders; raises `Unreadable` also when it says of one both."""
    said = read_cancels(raw)
    for order in said.gone:
        if order in said.kept:
            raise Unreadable(f"order {order[:80]}: both cancelled and not")
    return said


def read_heartbeat(raw: bytes) -> HeartbeatId:
    beat = read(raw, _heartbeat).heartbeat_id
    if not beat:
        raise Unreadable("a heartbeat without an id for the next one")
    return beat


def read_expected_heartbeat(raw: bytes) -> HeartbeatId:
    """Of the refusal of a wrong id; may be empty, for a venue that knows of no heartbeat."""
    return read(raw, _heartbeat).heartbeat_id


def read_ok(raw: bytes) -> None:
    if read(raw, _text) != "OK":
        raise Unreadable(f'{raw[:120]!r}: it takes "OK"')


def read_refreshed(raw: bytes) -> None:
    if not says_nothing(raw):
        raise Unreadable(f"{raw[:120]!r}: a refresh is answered with nothing")


def read_time(raw: bytes) -> Instant:
    """The venue's clock, which says whole seconds."""
    return instant_of("time", read(raw, _time), SECOND)


def read_credentials(raw: bytes) -> Credentials:
    """The message of `Unreadable` repeats nothing of the answer, which may hold a secret."""
    try:
        shown = _api_key.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        shown = None
    if shown is None or not (shown.apiKey and shown.secret and shown.passphrase):
        raise Unreadable("not an API key with secret and passphrase") from None
    return Credentials(api_key=shown.apiKey, secret=shown.secret, passphrase=shown.passphrase)


class Page(Struct, frozen=True, gc=False):
    """Rows not yet read, and the cursor of the page after them; None when this was the last."""

    rows: tuple[msgspec.Raw, ...]
    following: str | None


def read_page(raw: bytes) -> Page:
    page = read(raw, _page)
    if not page.next_cursor:
        raise Unreadable("a page without next_cursor: whether more follows is not said")
    return Page(tuple(page.data), None if page.next_cursor == LAST_CURSOR else page.next_cursor)


def says_nothing(raw: bytes) -> bool:
    """Whether the answer is empty in one of the venue's ways; about one order, that it ended."""
    return raw.strip() in (b"", b"null", b'""', b"{}")


# --- forms, spelled as the venue does --------------------------------------------------------------------------------


class _Error(Struct):
    error: str = ""
    errorMsg: str = ""  # noqa: N815
    error_msg: str = ""
    retry_after_seconds: msgspec.Raw = msgspec.Raw(b"")


class _Placement(Struct):
    success: bool
    errorMsg: str | None = ""  # noqa: N815
    orderID: str = ""  # noqa: N815
    status: str = ""
    makingAmount: str = ""  # noqa: N815
    takingAmount: str = ""  # noqa: N815
    tradeIDs: list[TradeId] = []  # noqa: N815


class _Cancels(Struct):
    canceled: list[VenueOrderId]
    not_canceled: dict[VenueOrderId, str] = {}


class _Heartbeat(Struct):
    heartbeat_id: HeartbeatId


class _Page(Struct):
    data: list[msgspec.Raw]
    next_cursor: str = ""


class _ApiKey(Struct):
    apiKey: str  # noqa: N815
    secret: str
    passphrase: str


_error = msgspec.json.Decoder(_Error)
_placement = msgspec.json.Decoder(_Placement)
_rows = msgspec.json.Decoder(list[msgspec.Raw])
_cancels = msgspec.json.Decoder(_Cancels)
_heartbeat = msgspec.json.Decoder(_Heartbeat)
_text = msgspec.json.Decoder(str)
_page = msgspec.json.Decoder(_Page)
_time = msgspec.json.Decoder(int)
_api_key = msgspec.json.Decoder(_ApiKey)
