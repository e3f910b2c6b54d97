"""Follows markets on the market stream (`PROTOCOL.md` C.1) and tells the engine what happens in them.

Both tokens of a market are subscribed to: trades, ticks and changes of a level may come for either. Of the two whole
books Up's alone is passed on, Down's is its mirror.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from polystra.core.events import AnyEvent, BookChanged, BookSnapshot, MarketResolved, Stream
from polystra.core.ids import MarketId
from polystra.core.markets import Market, Payout
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Usd
from polystra.edge.clock import Time
from polystra.edge.market_channel import OTHER_MARKET, FrameReader, Message
from polystra.edge.polymarket.dialing import Dialer
from polystra.edge.polymarket.kept_stream import KeptStream
from polystra.edge.polymarket.silence import NewestBook, Silence

NO_WINNER = "resolution without a winner"
NO_SLUG = "new market without a slug"

_BEST_BID_ASK = b'"event_type":"best_bid_ask"'
"""Says nothing that `price_change` does not say, and can stand inside no JSON text: there its quotes are escaped."""


class MarketFeed:
    """Mutable. `skipped` counts by reason what could not be used, `resyncs` the subscriptions made anew."""

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
        self.resyncs = 0

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

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream.run())
            tasks.create_task(self._silence.run(self._stream.wait_connected))

    # --- what is followed

    def follow(self, market: Market) -> None:
        """Its book comes as the answer. A market that is followed already is left as it is."""
        if market.id not in self._followed:
            self._followed[market.id] = market
            self._reader.follow(market)
            self._silence.follow(market)
            self._stream.send(_change("subscribe", market))

    def unfollow(self, market: MarketId) -> None:
        """What is on its way is not passed on any more."""
        known = self._followed.pop(market, None)
        if known is not None:
            self._reader.forget(known)
            self._silence.forget(market)
            self._stream.send(_change("unsubscribe", known))

    def _subscribe_anew(self, market: Market) -> None:
        self.resyncs += 1
        self._stream.send(_change("unsubscribe", market))
        self._stream.send(_change("subscribe", market))

    # --- the stream's two sides

    def greeting(self) -> bytes:
        self._silence.begin_anew()
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
        if _BEST_BID_ASK in frame and frame.startswith(b"{"):
            return
        at = self._time.now()
        for message in self._reader.messages(frame):
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
