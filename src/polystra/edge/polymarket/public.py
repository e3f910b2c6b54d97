"""Reads what the CLOB tells anybody: is it there, how fresh is a book, what did a token cost (`PROTOCOL.md` B.1)."""

from polystra.core.events import OwnPrice
from polystra.core.ids import TokenId
from polystra.core.units import Instant
from polystra.edge.polymarket.answer_wire import read_ok
from polystra.edge.polymarket.market_wire import read_book, read_price_history
from polystra.edge.polymarket.private_rest import READ_DEADLINE, ReadingFailed, reading
from polystra.edge.polymarket.rest import Asking
from polystra.edge.polymarket.wire import SECOND

_MINUTES = "1"
"""The finest history there is."""


class PublicReadings:
    def __init__(self, rest: Asking, clob: str) -> None:
        self._rest = rest
        self._clob = clob.rstrip("/")

    async def ok(self) -> ReadingFailed | None:
        """What is wrong with the CLOB, None when it says that nothing is."""
        path = "/ok"
        return reading(path, await self._rest.ask("GET", self._clob + path, deadline=READ_DEADLINE), read_ok)

    async def book_time(self, token: TokenId) -> Instant | ReadingFailed:
        """When the token's book last changed, by the venue's clock."""
        path, query = "/book", {"token_id": token}
        answer = await self._rest.ask("GET", self._clob + path, query=query, deadline=READ_DEADLINE)
        book = reading(path, answer, read_book)
        if isinstance(book, ReadingFailed):
            return book
        if book.token != token:
            return ReadingFailed(f"{path}: the answer is about token {book.token[:80]!r}, not {token}")
        return book.at

    async def price_history(self, token: TokenId, start: Instant, end: Instant) -> tuple[OwnPrice, ...] | ReadingFailed:
        """A price for each minute of which the venue has one, oldest first. It refuses spans above 15 days."""
        path = "/prices-history"
        span = {"startTs": str(start // SECOND), "endTs": str(end // SECOND)}
        query = {"market": token, **span, "fidelity": _MINUTES}
        answer = await self._rest.ask("GET", self._clob + path, query=query, deadline=READ_DEADLINE)
        return reading(path, answer, read_price_history)
