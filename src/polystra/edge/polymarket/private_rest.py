"""Asks the CLOB under an API key, and reads whole answers or none.

A reading is complete or a `ReadingFailed`, never half of one, and nothing is repeated unless `Retries` were given. How
an API key is come by is here too.
"""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from polystra.core.units import Instant
from polystra.edge.clock import Clock
from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.answer_wire import read_credentials, read_page, read_time
from polystra.edge.polymarket.auth import Credentials, RequestSigner, l1_headers
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.outcomes import spoken
from polystra.edge.polymarket.pacing import Turn
from polystra.edge.polymarket.rest import Answer, Asking, NoReply, Reply
from polystra.edge.polymarket.retries import REPEATABLE, Retries, lot_of, passing
from polystra.edge.polymarket.wire import Unreadable

MOST_PAGES = 500

READ_DEADLINE = 5.0
"""Seconds."""

_OK = 200
_KEY_EXISTS = 400

_T = TypeVar("_T")


class ReadingFailed(Struct, frozen=True, gc=False):
    """Nothing was learned."""

    why: str


class Rows(Struct, Generic[_T], frozen=True):
    """All rows, in the venue's order, and on how many pages they were."""

    all: tuple[_T, ...]
    pages: int


class PrivateRest:
    """Requests under one API key. `account` is the one whose key signed for the credentials. With `retries` reads and
    cancels are repeated, each try with a signature and a deadline of its own."""

    def __init__(
        self,
        rest: Asking,
        clob: str,
        *,
        credentials: Credentials,
        account: Address,
        clock: Clock,
        retries: Retries | None = None,
    ) -> None:
        self._rest = rest
        self._clob = clob.rstrip("/")
        self._signer = RequestSigner(credentials, account)
        self._clock = clock
        self._retries = retries

    async def ask(
        self,
        method: str,
        path: str,
        *,
        deadline: float = READ_DEADLINE,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        turn: Turn | None = None,
    ) -> Answer:
        """One signed request, sent once unless it may be repeated; `path` without its query. Each try waits for its
        `turn`, before it is signed."""

        async def once() -> Answer:
            return await (send() if turn is None else turn(send))

        async def send() -> Answer:
            headers = self._signer.headers(at=self._clock.now(), method=method, path=path, body=body)
            return await self._rest.ask(
                method, self._clob + path, deadline=deadline, headers=headers, query=query, body=body
            )

        if self._retries is None or method not in REPEATABLE:
            return await once()
        return await self._retries.repeat(once, lot=lot_of(path, self._retries.time), again=passing)

    async def read(self, path: str, query: Mapping[str, str], translate: Callable[[bytes], _T]) -> _T | ReadingFailed:
        return reading(path, await self.ask("GET", path, query=query), translate)

    async def read_pages(
        self, path: str, query: Mapping[str, str], translate: Callable[[msgspec.Raw], _T]
    ) -> Rows[_T] | ReadingFailed:
        """Every row of every page."""
        rows: list[_T] = []
        cursors: list[str] = []
        while len(cursors) < MOST_PAGES:
            page = await self.read(path, {**query, **({"next_cursor": cursors[-1]} if cursors else {})}, read_page)
            if isinstance(page, ReadingFailed):
                return page
            try:
                rows += [translate(raw) for raw in page.rows]
            except Unreadable as error:
                return ReadingFailed(f"{path}: {error}")
            if page.following is None:
                return Rows(tuple(rows), len(cursors) + 1)
            if page.following in cursors:
                return ReadingFailed(f"{path}: cursor {page.following[:80]!r} leads in a circle")
            cursors.append(page.following)
        return ReadingFailed(f"{path}: more than {MOST_PAGES} pages, ask for less")


def reading(what: str, answer: Answer, translate: Callable[[bytes], _T]) -> _T | ReadingFailed:
    """What a reply says once translated."""
    if isinstance(answer, NoReply):
        return ReadingFailed(answer.why)
    if answer.status != _OK:
        return ReadingFailed(f"{what}: {spoken(answer)}")
    try:
        return translate(answer.body)
    except Unreadable as error:
        return ReadingFailed(f"{what}: {error}")


async def server_time(rest: Asking, clob: str) -> Instant | ReadingFailed:
    """The venue's clock, rounded down to the second."""
    return reading("/time", await rest.ask("GET", f"{clob.rstrip('/')}/time", deadline=READ_DEADLINE), read_time)


async def api_credentials(rest: Asking, clob: str, *, key: SigningKey, clock: Clock) -> Credentials | ReadingFailed:
    """The API key of an account: made if it has none, derived if it has, the same in both cases.

    One that was deleted is made anew only by this, so it is asked for at start and kept.
    """
    base, headers = clob.rstrip("/"), l1_headers(key, at=clock.now())
    made = await rest.ask("POST", f"{base}/auth/api-key", headers=headers, deadline=READ_DEADLINE)
    if isinstance(made, Reply) and made.status == _KEY_EXISTS:
        derived = await rest.ask("GET", f"{base}/auth/derive-api-key", headers=headers, deadline=READ_DEADLINE)
        return reading("/auth/derive-api-key", derived, read_credentials)
    return reading("/auth/api-key", made, read_credentials)
