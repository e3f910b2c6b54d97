"""Asks again where asking again cannot hurt, after 1, 2 and 4 seconds (`PROTOCOL.md` E.7, E.8).

Reads and cancels are repeated when no answer came, when the venue is busy or starting, and after a server error. A
placement is repeated, with the same bytes, only when the venue's words prove that it is not in the book and that
waiting is the remedy, or when not a byte of it left. What became unknown is never sent again: it is looked up.
"""

from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from typing import TypeVar

from msgspec import Struct

from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.clock import Time
from polystra.edge.polymarket.rest import Answer, Asking, NoReply, Reply

WAITS = (seconds(1), seconds(2), seconds(4))

REPEATABLE = ("GET", "DELETE")
"""Methods of reads and cancels: two have the effect of one."""

_PASSING = (425, 429, 500, 502, 503, 504)

_T = TypeVar("_T")


class Retries(Struct, frozen=True, kw_only=True):
    """How often and how long. An answer that asks for a wait above `longest` is given back at once: what was right to
    ask now need not be right by then."""

    time: Time
    waits: tuple[Nanos, ...] = WAITS
    longest: Nanos = seconds(30)

    async def repeat(self, ask: Callable[[], Awaitable[_T]], *, lot: bytes, again: Callable[[_T], Nanos | None]) -> _T:
        """The last answer. `again` says how long the venue wants us to wait, 0 for whatever we like, None for never;
        `lot` spreads the waits of those who were turned away together."""
        answer = await ask()
        for nth, wait in enumerate(self.waits):
            asked = again(answer)
            if asked is None or asked > self.longest:
                return answer
            await self.time.until(Instant(self.time.now() + max(spread(wait, lot, nth), asked)))
            answer = await ask()
        return answer


def spread(wait: Nanos, lot: bytes, nth: int) -> Nanos:
    """The wait with a jitter of up to a fifth either way, the same for the same lot and try."""
    drawn = int.from_bytes(blake2b(lot + nth.to_bytes(4, "big"), digest_size=4).digest(), "big") % 401
    return Nanos(wait * (800 + drawn) // 1000)


def passing(answer: Answer) -> Nanos | None:
    """Whether a read or a cancel may find it better later."""
    if isinstance(answer, NoReply):
        return Nanos(0)
    return asked_wait(answer) if answer.status in _PASSING else None


def asked_wait(answer: Answer) -> Nanos:
    """What the other side asks us to wait; 0 when it says nothing of it."""
    told = answer.retry_after if isinstance(answer, Reply) else None
    return seconds(told or 0)


class PatientRest:
    """Repeats public reads. Requests that are signed are repeated where they are signed, as a signature has a time."""

    def __init__(self, rest: Asking, retries: Retries) -> None:
        self._rest = rest
        self._retries = retries

    async def ask(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """As `Asking` says, `deadline` for each try."""

        async def once() -> Answer:
            return await self._rest.ask(method, url, deadline=deadline, headers=headers, query=query, body=body)

        if method not in REPEATABLE:
            return await once()
        return await self._retries.repeat(once, lot=lot_of(url, self._retries.time), again=passing)


def lot_of(what: str, time: Time) -> bytes:
    return f"{what} {time.now()}".encode()
