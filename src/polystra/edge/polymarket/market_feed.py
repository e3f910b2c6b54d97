"""Follows markets on the market stream (`PROTOCOL.md` C.1) and tells the engine what happens in them.

Both tokens of a market are subscribed to: trades, ticks and changes of a level may come for either. Of the two whole
books Up's alone is passed on, Down's is its mirror.

A connection that stands for long may fall silent (`PROTOCOL.md` C.5). So every now and then a second one is opened
beside it, subscribed, and once its books are here the first is closed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import msgspec

from polystra.core.events import AnyEvent, BookChanged, BookSnapshot, MarketResolved, Stream
from polystra.core.ids import MarketId
from polystra.core.markets import Market, Payout
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Nanos, Usd, seconds
from polystra.edge.clock import Time
from polystra.edge.market_channel import OTHER_MARKET, FrameReader, Message
from polystra.edge.polymarket.changeover import Changeover, token_of
from polystra.edge.polymarket.dialing import Dialer
from polystra.edge.polymarket.kept_stream import KeptStream, Spare
from polystra.edge.polymarket.silence import NewestBook, Silence

BOOKS_WITHIN = seconds(10)
"""Within which a new connection must have told all books, or the old one stays."""

GRACE = seconds(1)
"""How long the old connection is still listened to, for what it may be behind with."""

NO_WINNER = "resolution without a winner"
NO_SLUG = "new market without a slug"

_BEST_BID_ASK = b'"event_type":"best_bid_ask"'
"""Says nothing that `price_change` does not say, and can stand inside no JSON text: there its quotes are escaped."""


class MarketFeed:
    """Mutable. `skipped` counts by reason what could not be used, `resyncs` the subscriptions made anew, `renewals`
    the connections that gave way to a new one."""

    def __init__(
        self,
        dialer: Dialer,
        url: str,
        *,
        time: Time,
        put: Callable[[AnyEvent], None],
        on_new_market: Callable[[str], None],
        newest_book: NewestBook,
    ) -> None:
        """`on_new_market` gets the slug of every market that the venue lists, ours or not."""
        self._time = time
        self._put = put
        self._on_new_market = on_new_market
        self._reader = FrameReader()
        self._followed: dict[MarketId, Market] = {}
        self._stream = KeptStream(dialer, url, stream=Stream.MARKET, time=time, put=put, speaker=self)
        self._silence = Silence(time=time, newest_book=newest_book, resync=self._subscribe_anew)
        self._change: Changeover | None = None
        self._spare: Spare | None = None
        self.resyncs = 0
        self.renewals = 0

    @property
    def skipped(self) -> Counter[str]:
        return self._reader.skipped

    @property
    def connected(self) -> bool:
        return self._stream.connected

    @property
    def trouble(self) -> str:
        """Why there is no connection; empty when there is one."""
        return self._stream.trouble

    async def wait_connected(self) -> None:
        await self._stream.wait_connected()

    async def run(self, renew_every: Nanos | None = None) -> None:
        """Until cancelled. `renew_every` is how long a connection is used; None for as long as it stands."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream.run())
            tasks.create_task(self._silence.run(self._stream.wait_connected))
            if renew_every is not None:
                tasks.create_task(self._renew_again_and_again(renew_every))

    # --- a new connection for an old one

    async def _renew_again_and_again(self, every: Nanos) -> None:
        while True:
            await self._time.until(Instant(self._time.now() + every))
            if self._stream.connected:
                await self._renew()

    async def _renew(self) -> None:
        change = self._change = Changeover(self._followed)
        spare = self._spare = await self._stream.open_spare(self._hear_spare)
        try:
            if spare is not None and spare.line is not None:
                spare.line.send(self._subscription())
                await self._first_of(change.ready.wait(), spare.lost.wait(), self._pause(BOOKS_WITHIN))
                await self._first_of(spare.lost.wait(), self._pause(GRACE))
            self._end_change(change, spare)
        finally:
            if self._spare is not None:
                self._spare.close()
            self._change = self._spare = None

    def _end_change(self, change: Changeover, spare: Spare | None) -> None:
        """The old connection stays when the new one is lost or incomplete; what it has told of books is asked for anew.
        When the old one was lost meanwhile the stream has begun anew by itself."""
        if self._change is not change:
            return
        self._change = None
        if spare is not None and change.ready.is_set() and not spare.lost.is_set() and self._stream.connected:
            self._spare = None
            self._stream.change_to(spare)
            self.renewals += 1
            return
        for market in change.moved:
            self._subscribe_anew(self._followed[market])

    async def _pause(self, length: Nanos) -> None:
        await self._time.until(Instant(self._time.now() + length))

    async def _first_of(self, *works: Coroutine[Any, Any, object]) -> None:
        """Until one is done; the others are given up."""
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    # --- what is followed

    def follow(self, market: Market) -> None:
        """Its book comes as the answer. A market that is followed already is left as it is."""
        if market.id not in self._followed:
            self._followed[market.id] = market
            self._reader.follow(market)
            self._silence.follow(market)
            if self._change is not None:
                self._change.follow(market.id)
            self._send(_change("subscribe", market))

    def unfollow(self, market: MarketId) -> None:
        """What is on its way is not passed on any more."""
        known = self._followed.pop(market, None)
        if known is not None:
            self._reader.forget(known)
            self._silence.forget(market)
            if self._change is not None:
                self._change.forget(market)
            self._send(_change("unsubscribe", known))

    def _subscribe_anew(self, market: Market) -> None:
        self.resyncs += 1
        self._send(_change("unsubscribe", market))
        self._send(_change("subscribe", market))

    def _send(self, text: bytes) -> None:
        self._stream.send(text)
        if self._spare is not None and self._spare.line is not None and not self._spare.lost.is_set():
            self._spare.line.send(text)

    # --- the stream's two sides

    def greeting(self) -> bytes:
        self._silence.begin_anew()
        self._change = None
        return self._subscription()

    def _subscription(self) -> bytes:
        return _encode(
            {
                "type": "market",
                "assets_ids": _tokens(self._followed.values()),
                "custom_feature_enabled": True,
                "initial_dump": True,
            }
        )

    def hear(self, frame: bytes) -> None:
        """One frame: an object, or an array of them."""
        self._hear(frame, fresh=False)

    def _hear_spare(self, frame: bytes) -> None:
        if self._change is not None:
            self._hear(frame, fresh=True)

    def _hear(self, frame: bytes, *, fresh: bool) -> None:
        if _BEST_BID_ASK in frame and frame.startswith(b"{"):
            return
        at = self._time.now()
        for message in self._reader.messages(frame):
            if self._change is not None and not self._counts(self._change, message, fresh):
                continue
            match message.event_type:
                case "best_bid_ask":
                    pass
                case "new_market":
                    self._listed(message)
                case "market_resolved":
                    self._resolved(message, at)
                case "book" if (market := self._mirrored(message)) is not None:
                    self._silence.heard(market, at, None)
                case _:
                    self._pass_on(message, at)

    def _counts(self, change: Changeover, message: Message, fresh: bool) -> bool:
        return change.counts(message, self._reader.market_of(token_of(message)), fresh=fresh)

    def _pass_on(self, message: Message, at: Instant) -> None:
        for event in self._reader.events(message, at):
            venue_at = event.venue_at if isinstance(event, BookChanged | BookSnapshot) else None
            self._silence.heard(event.market, at, venue_at)
            self._put(event)

    def _mirrored(self, message: Message) -> MarketId | None:
        """The market whose Down this message is about."""
        known = self._reader.market_of(message.asset_id)
        return None if known is None or known[1] else known[0]

    def _listed(self, message: Message) -> None:
        if message.slug:
            self._on_new_market(message.slug)
        else:
            self.skipped[NO_SLUG] += 1

    def _resolved(self, message: Message, at: Instant) -> None:
        """Without a winner the market may be void or the message broken: the catalogue will say."""
        if not message.winning_asset_id:
            self.skipped[NO_WINNER] += 1
            return
        known = self._reader.market_of(message.winning_asset_id)
        if known is None:
            self.skipped[OTHER_MARKET] += 1
            return
        market, up = known
        self._put(MarketResolved(at=at, market=market, payout=Payout(Usd(MICRO if up else 0))))


def _tokens(markets: Iterable[Market]) -> list[str]:
    return [market.token(outcome) for market in markets for outcome in Outcome]


def _change(operation: str, market: Market) -> bytes:
    return _encode({"operation": operation, "assets_ids": _tokens([market]), "custom_feature_enabled": True})


_encode = msgspec.json.Encoder().encode
