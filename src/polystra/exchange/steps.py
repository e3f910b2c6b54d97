"""What exchange and trader tell each other in lock step, each message one JSON text on `/control/lock-step`.

The exchange says `Attached` first. Then the trader says `Report` whenever it has nothing left to do, and hears a `Step`
for each: time moves by steps alone. A trader's requests and stream handshakes carry the header `NUMBER`, its life and
the request's number in it, counted from 1 in the order in which they were decided; whatever comes without that header
is another client's, is answered at once and counts for nothing here.
"""

from msgspec import Struct

from polystra.core.units import Instant

NUMBER = "Polystra-Request"
"""`{life}-{number}`."""

LOCK_STEP = "/lock-step"
"""The route, below `/control`."""


class Attached(Struct, frozen=True, kw_only=True):
    """Which life of a trader this is, counted from 1, and what time it is."""

    life: int
    now: Instant


class Report(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that was told is handled. `requests` is the number of the last request that was sent, `messages` how many
    texts were sent on each stream in this life, PING aside; `alarm` when the trader wants to go on at the latest."""

    requests: int
    messages: dict[str, int] = {}
    alarm: Instant | None = None


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """It is `now`, and one thing has happened at most: the answer to one request was sent (or its connection broken),
    `frames` frames were sent on one stream, or that stream was `closed`. With none of these, the alarm is due. With
    `over` the world has come to rest, and no more steps follow."""

    now: Instant
    answer: int | None = None
    stream: str | None = None
    frames: int = 0
    closed: bool = False
    over: bool = False
