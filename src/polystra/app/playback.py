"""Plays recordings into a venue.

Where the venue goes by the recordings' own time every moment is as recorded. Where it goes by the wall clock the first
recorded row is where the playback begins, and every later moment of a recording (rows, start, end, close) is moved by
the same shift and comes `speed` times sooner after it. At speed 1 the shift is in whole seconds: the catalogue tells
the start of a window in seconds, and its price to beat is the one stamped with that. Names stay as recorded: the number
in a slug is the recorded start, the start that the catalogue gives is the moved one. A market is listed when its
recording begins, or ahead of it if that is asked for. Ended markets close, and resolve where the recording knows how.
"""

import heapq
from collections.abc import Sequence

from msgspec.structs import replace

from polystra.app.announcements import NOT_AHEAD, Announcement, Announcements
from polystra.app.tape_player import TapePlayer
from polystra.app.translation import background, market_facts
from polystra.app.words import day, window_name
from polystra.app.world_rules import WorldRules
from polystra.core.events import AnyEvent, PricePrinted, TickSizeChanged
from polystra.core.ids import MarketId
from polystra.core.markets import Market, PriceSource
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.tapes.format import Tape, TapeFile
from polystra.exchange.listings import Listing
from polystra.exchange.price_feeds import PriceBoard
from polystra.exchange.venue import Venue
from polystra.sim import messages as sim

_RESOLUTION_SOURCES = {
    PriceSource.CHAINLINK_TWAP_60: "https://data.chain.link/streams/{asset}-usd-twap-60s",
    PriceSource.BINANCE_CANDLE: "https://www.binance.com/en/trade/{ASSET}_USDT",
}
"""What the catalogue says that a market settles by. The address of Chainlink's spot price is left out: of a window
that is moved to now it would mean the average."""


class Playback:
    """What the recordings do to a venue from `begins` on. Mutable.

    Reads the first recording when made, the others as they come; raises `RecordingError` when one is broken. Prices of
    the underlying go to the board.
    """

    def __init__(  # noqa: PLR0913 - options, each with a default
        self,
        venue: Venue,
        files: Sequence[TapeFile],
        rules: WorldRules,
        *,
        begins: Instant | None = None,
        speed: float = 1.0,
        prices: PriceBoard | None = None,
        ahead: Nanos = NOT_AHEAD,
    ) -> None:
        """Without `begins` every moment is as recorded, and `speed` is the clock's business. `ahead` is how long before
        its start the catalogue shows a window, in the time of the recordings; 0 for not before its recording begins."""
        self._venue = venue
        self._tapes = TapePlayer(files)
        self._rules = rules
        self._first = self._tapes.next_at or Instant(0)
        self._moved_to = _in_whole_seconds(begins, self._first) if speed == 1 else begins
        self._speed = speed
        self._prices = prices or PriceBoard()
        self._prices.moment = self.moment
        self._ends: list[tuple[Instant, int, Tape]] = []
        self._opened = 0
        self._over: set[MarketId] = set()
        self._ahead = Announcements(files, first=self._first, ahead=ahead)

    @property
    def begins(self) -> Instant:
        """When here the first recorded row is."""
        return self._first if self._moved_to is None else self._moved_to

    @property
    def over(self) -> bool:
        """Whether all recordings are played and all their markets are closed."""
        return self._next_recorded() is None

    def moment(self, recorded: Instant) -> Instant:
        """When here a moment of the recordings is."""
        if self._moved_to is None:
            return recorded
        return Instant(self._moved_to + round((recorded - self._first) / self._speed))

    def next_due(self) -> Instant | None:
        """When `step` has something to do next; None when the recordings are over."""
        recorded = self._next_recorded()
        return None if recorded is None else self.moment(recorded)

    def step(self) -> None:
        """The next thing, whether it is due or not: a market that closes, one that is announced, a recording that
        begins, or a row."""
        now = self._next_recorded()
        if now is None:
            return
        if self._ends and self._ends[0][0] <= now:
            self._venue.play(self._close(heapq.heappop(self._ends)[2]))
        elif (announced := self._ahead.due(now)) is not None:
            self._announce(announced)
        elif (tape := self._tapes.begins(now)) is not None:
            self._venue.play(self._open(tape))
        else:
            self._row(self._tapes.pop())

    def _next_recorded(self) -> Instant | None:
        times = [self._tapes.next_at, self._ahead.next_at(), self._ends[0][0] if self._ends else None]
        return min((time for time in times if time is not None), default=None)

    def _announce(self, announced: Announcement) -> None:
        listing = self._listing(announced.market, announced.at)
        if announced.hydrated:
            self._venue.play([listing])
        else:
            self._venue.announce(listing)

    def _open(self, tape: Tape) -> list[Listing]:
        market = tape.market
        self._opened += 1
        heapq.heappush(self._ends, (Instant(market.end + self._rules.resolve_after), self._opened, tape))
        return [self._listing(market, tape.first_at)] if self._ahead.lists(market.id) else []

    def _listing(self, market: Market, now: Instant) -> Listing:
        """As the venue has it from this moment of the recordings on."""
        facts = market_facts(market, self._rules.taker_hold)
        moved = replace(facts, start=self.moment(market.start), end=self.moment(market.end))
        shown = self._ahead.shown_at(market.id, now)
        if shown < now:
            moved = replace(moved, accepts_from=self.moment(now))
        return replace(listing_of(market), facts=moved, listed_at=self.moment(shown))

    def _close(self, tape: Tape) -> list[sim.Request]:
        market = tape.market.id
        self._over.add(market)
        closed = sim.CloseMarket(market=market)
        return [closed] if tape.payout is None else [closed, sim.Resolve(market=market, up_payout=tape.payout.up)]

    def _row(self, event: AnyEvent) -> None:
        self._venue.play(self._news(event))
        if isinstance(event, PricePrinted) and event.source is not PriceSource.BINANCE_CANDLE:
            self._prices.print(event.source, event.asset, event.value, event.stamped_at)

    def _news(self, event: AnyEvent) -> list[sim.Request]:
        """Rows of a closed market, and a tick that is no finer than the present one, say nothing new. After a finer one
        the whole book is told on it."""
        request = background(event)
        if request is None or getattr(event, "market", None) in self._over:
            return []
        if not isinstance(event, TickSizeChanged):
            return [request]
        if event.tick.size >= self._venue.book(event.market).tick:
            return []
        return [request, sim.Publish(market=event.market)]


def _in_whole_seconds(begins: Instant | None, first: Instant) -> Instant | None:
    return None if begins is None else Instant(begins - (begins - first) % seconds(1))


def listing_of(market: Market) -> Listing:
    """A recorded market as the catalogue shows it; raises `InvalidListing` and `NotSupported`."""
    asset = market.series.asset
    window = window_name(asset, market.start, market.end)
    listing = Listing(
        facts=market_facts(market, Nanos(0)),
        slug=market.slug,
        question=f"{asset} Up or Down: {window} UTC of {day(market.start)}, recorded",
        generation=market.generation,
        resolution_source=_resolution_source(market),
    )
    _ = listing.contract
    return listing


def _resolution_source(market: Market) -> str:
    """Empty where nobody knows it."""
    asset = market.series.asset
    form = "" if market.settlement is None else _RESOLUTION_SOURCES.get(market.settlement, "")
    return form.format(asset=asset.lower(), ASSET=asset)
