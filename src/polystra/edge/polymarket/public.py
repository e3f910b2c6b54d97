"""Reads what the CLOB tells anybody: is it there, what are a token's book, prices and terms (`PROTOCOL.md` B.1)."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from polystra.core.events import OwnPrice
from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Side
from polystra.core.units import NO_ASK, Instant, Price, Shares, Tick, Usd
from polystra.edge.polymarket.answer_wire import read_ok, read_page
from polystra.edge.polymarket.liquidity import Liquidity, liquidity_of
from polystra.edge.polymarket.market_wire import (
    MarketName,
    RestBook,
    TradingTerms,
    read_book,
    read_market_name,
    read_price_history,
    read_trading_terms,
)
from polystra.edge.polymarket.private_rest import READ_DEADLINE, ReadingFailed, reading
from polystra.edge.polymarket.quotes_wire import (
    Whereabouts,
    read_midpoint,
    read_reward_rate,
    read_spread,
    read_tick,
    read_whereabouts,
)
from polystra.edge.polymarket.rest import Asking
from polystra.edge.polymarket.wire import SECOND, Unreadable

_MINUTES = "1"
"""The finest history there is."""

_T = TypeVar("_T")


class PublicReadings:
    def __init__(self, rest: Asking, clob: str) -> None:
        self._rest = rest
        self._clob = clob.rstrip("/")

    async def ok(self) -> ReadingFailed | None:
        """What is wrong with the CLOB, None when it says that nothing is."""
        return await self._read("/ok", {}, read_ok)

    # --- prices

    async def book(self, token: TokenId) -> RestBook | ReadingFailed:
        path = "/book"
        book = await self._read(path, {"token_id": token}, read_book)
        if isinstance(book, RestBook) and book.token != token:
            return ReadingFailed(f"{path}: the answer is about token {book.token[:80]!r}, not {token}")
        return book

    async def book_time(self, token: TokenId) -> Instant | ReadingFailed:
        """When the token's book last changed, by the venue's clock."""
        book = await self.book(token)
        return book.at if isinstance(book, RestBook) else book

    async def midpoint(self, token: TokenId) -> Price | ReadingFailed:
        """The middle between best bid and best ask. Where the venue does not tell it, it is taken from the venue's
        book; a book with an empty side has none."""
        told = await self._read("/midpoint", {"token_id": token}, read_midpoint)
        if not isinstance(told, ReadingFailed):
            return told
        book = await self.book(token)
        if isinstance(book, ReadingFailed):
            return book
        if not (book.bids and book.asks):
            return ReadingFailed(f"/midpoint: the book of {token} has an empty side, so that it has no middle")
        return Price((book.bids[0][0] + book.asks[0][0]) // 2)

    async def spread(self, token: TokenId) -> Price | ReadingFailed:
        """From best bid to best ask; a book with an empty side has none."""
        return await self._read("/spread", {"token_id": token}, read_spread)

    async def liquidity(
        self, token: TokenId, side: Side, size: Shares, *, limit: Price, most_spread: Price = NO_ASK
    ) -> Liquidity:
        """What taking so many shares would meet now. What cannot be read is not liquid."""
        book = await self.book(token)
        return liquidity_of(
            book if isinstance(book, RestBook) else None, side, size, limit=limit, most_spread=most_spread
        )

    async def price_history(self, token: TokenId, start: Instant, end: Instant) -> tuple[OwnPrice, ...] | ReadingFailed:
        """A price for each minute of which the venue has one, oldest first. It refuses spans above 15 days."""
        span = {"startTs": str(start // SECOND), "endTs": str(end // SECOND)}
        return await self._read("/prices-history", {"market": token, **span, "fidelity": _MINUTES}, read_price_history)

    # --- terms

    async def tick(self, token: TokenId) -> Tick | ReadingFailed:
        """The grid of prices as it is now. After a failure 0.01 is safe: an up/down market has that or a finer one of
        which all its prices are part."""
        return await self._read("/tick-size", {"token_id": token}, read_tick)

    async def trading_terms(self, market: MarketId) -> TradingTerms | ReadingFailed:
        """Tick, least size, fees and what an order must be to earn rewards."""
        return await self._read(f"/clob-markets/{market}", {}, read_trading_terms)

    async def market_name(self, market: MarketId) -> MarketName | ReadingFailed:
        """What a market is called that is known by its id alone."""
        return await self._read(f"/markets/{market}", {}, read_market_name)

    async def reward_rate(self, market: MarketId) -> Usd | ReadingFailed:
        """What the market pays all its makers together in a day, in millionths of a USD; 0 where it rewards nobody."""
        path = f"/rewards/markets/{market}"
        page = await self._read(path, {}, read_page)
        if isinstance(page, ReadingFailed):
            return page
        try:
            return Usd(sum(read_reward_rate(row) for row in page.rows))
        except Unreadable as error:
            return ReadingFailed(f"{path}: {error}")

    async def _read(self, path: str, query: Mapping[str, str], translate: Callable[[bytes], _T]) -> _T | ReadingFailed:
        answer = await self._rest.ask("GET", self._clob + path, query=query, deadline=READ_DEADLINE)
        return reading(path, answer, translate)


async def whereabouts(rest: Asking, site: str) -> Whereabouts | ReadingFailed:
    """Whether the venue takes orders from here. `site` is Polymarket's own, not the CLOB's."""
    path = "/api/geoblock"
    return reading(path, await rest.ask("GET", site.rstrip("/") + path, deadline=READ_DEADLINE), read_whereabouts)
