"""What the engine costs an event, by how often its strategy is awake."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from benchmarks import streams
from benchmarks.harness import Benchmark, Effort, Ratio, Ready, Side, Work
from polystra.app.settings import Settings
from polystra.core.engine import Engine
from polystra.core.events import AnyEvent, BookChanged, BookSnapshot, LedgerLoaded, MarketListed, SnapshotTaken, Started
from polystra.core.ids import OrderId
from polystra.core.markets import Market
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.strategies.tilted_prior import TiltedPrior
from polystra.core.strategy import Decision, Needs, Strategy, Wake, WakesOn
from polystra.core.terms import Side as OrderSide
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, Price, Shares, seconds, usd
from polystra.core.view import MarketView
from polystra.edge import market_channel
from polystra.edge.market_channel import FrameReader

DELTAS = 10_000
_CASH = usd("1000")


class AtEveryLevel(Struct, frozen=True):
    """A strategy called whenever a level moves: the dearest way to wake."""

    inner: TiltedPrior

    @property
    def name(self) -> str:
        return "at_every_level"

    @property
    def needs(self) -> Needs:
        return self.inner.needs

    @property
    def wakes_on(self) -> WakesOn:
        return WakesOn(events=(Wake.LEVEL_MOVED,))

    @property
    def first_memory(self) -> Struct | None:
        return self.inner.first_memory

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        return self.inner.decide(view, memory)


class DictBook:
    """The least that follows a book: a dict a side, the best prices kept, nothing checked."""

    def __init__(self) -> None:
        self.bids: dict[Price, Shares] = {}
        self.asks: dict[Price, Shares] = {}
        self.bid, self.ask = NO_BID, NO_ASK

    def apply(self, event: AnyEvent) -> None:
        if type(event) is BookChanged:
            for change in event.changes:
                self._set(change.side, change.price, change.size)
        elif type(event) is BookSnapshot:
            self.bids, self.asks = dict(event.bids), dict(event.asks)
            self.bid = event.bids[0][0] if event.bids else NO_BID
            self.ask = event.asks[0][0] if event.asks else NO_ASK

    def _set(self, side: OrderSide, price: Price, size: Shares) -> None:
        bids = side is OrderSide.BUY
        levels = self.bids if bids else self.asks
        if size:
            levels[price] = size
            if bids:
                self.bid = max(price, self.bid)
            else:
                self.ask = min(price, self.ask)
            return
        levels.pop(price, None)
        if bids and price == self.bid:
            self.bid = max(levels, default=NO_BID)
        elif not bids and price == self.ask:
            self.ask = min(levels, default=NO_ASK)


def awake_engine(market: Market, strategy: Strategy | None) -> Engine:
    """Started and following `market`; with no strategy the market's series is nobody's. It is never asked to read."""
    rules = replace(Settings().rules, reading_every=seconds(86_400))
    engine = Engine(rules, {market.series: strategy} if strategy is not None else {}, StandAside())
    before = Instant(market.start - 1)
    for event in (
        LedgerLoaded(at=before, next_order=OrderId(1), cash=_CASH),
        MarketListed(at=before, market=market),
        SnapshotTaken(at=before, cash=_CASH, settled=(), live=()),
        Started(at=before),
    ):
        engine.handle(event)
    return engine


def feed(engine: Engine, events: Iterable[AnyEvent]) -> None:
    """What the loop asks of an engine for each event."""
    for event in events:
        engine.handle(event)
        engine.next_wake  # noqa: B018 - the loop asks after every event


def forget_levels() -> None:
    """The reader keeps what it has parsed: a frame that comes twice would be read from memory, and none does."""
    for one in vars(market_channel).values():
        if hasattr(one, "cache_clear"):
            one.cache_clear()


def never_enters() -> TiltedPrior:
    """Decides at full cost and places nothing, so that no order's life is in the number."""
    return replace(Settings().tilted_prior, min_edge=MICRO)


class _Wire(Struct, gc=False):
    event_type: str
    timestamp: str = ""
    asset_id: str = ""
    bids: list["_WireLevel"] = []
    asks: list["_WireLevel"] = []
    price_changes: list["_WireEntry"] = []


class _WireLevel(Struct, gc=False):
    price: str
    size: str


class _WireEntry(Struct, gc=False):
    asset_id: str
    price: str
    size: str
    side: str
    best_bid: str = ""
    best_ask: str = ""


def sides(folder: Path, effort: Effort) -> Mapping[str, Side]:
    found = {"snapshots": streams.snapshot_stream(), "deltas": streams.delta_stream(effort.of(DELTAS))}
    captured = streams.captured_stream()
    if captured is not None:
        found["captured"] = captured
    return {f"{kind} {name}": side for kind, stream in found.items() for name, side in _sides_of(stream).items()}


def _sides_of(stream: streams.Stream) -> dict[str, Side]:
    decide = never_enters()
    ways: dict[str, tuple[str, Ready]] = {
        "decode": ("decode the frames with msgspec into structs, nothing more", lambda: nullcontext(_decoding(stream))),
        "read": ("read the frames into events", lambda: _reading(stream)),
        "dict": ("keep a plain dict book of the events", lambda: nullcontext(_dict_book(stream))),
        "unowned": ("engine, the market is nobody's", lambda: nullcontext(_feeding(stream, None))),
        "asleep": ("engine, a strategy that never wakes", lambda: nullcontext(_feeding(stream, StandAside()))),
        "clock": ("engine, tilted_prior every 5 s", lambda: nullcontext(_feeding(stream, decide))),
        "each": (
            "engine, tilted_prior at every event",
            lambda: nullcontext(_feeding(stream, AtEveryLevel(decide))),
        ),
    }
    return {name: Side(f"{what} [{stream.source}]", len(stream.events), ready) for name, (what, ready) in ways.items()}


def _decoding(stream: streams.Stream) -> Work:
    decode, frames = msgspec.json.Decoder(_Wire).decode, stream.frames

    def work() -> None:
        for frame in frames:
            decode(frame)

    return work


@contextmanager
def _reading(stream: streams.Stream) -> Iterator[Work]:
    reader, at, frames = FrameReader([stream.market]), stream.market.start, stream.frames
    forget_levels()

    def work() -> None:
        for frame in frames:
            reader.read(frame, at)

    yield work


def _dict_book(stream: streams.Stream) -> Work:
    def work() -> None:
        book = DictBook()
        for event in stream.events:
            book.apply(event)

    return work


def _feeding(stream: streams.Stream, strategy: Strategy | None) -> Work:
    engine = awake_engine(stream.market, strategy)
    return lambda: feed(engine, stream.events)


_KINDS = ("snapshots", "deltas", "captured")
_SAYS = (
    ("unowned", "decode", "an event of a market that nobody trades is passed over"),
    ("asleep", "decode", "the book is kept and checked, the gate lets the event pass"),
    ("asleep", "dict", "the same against a book that checks nothing"),
    ("clock", "decode", "the book kept, and a decision every 5 s"),
    ("each", "decode", "book, view, strategy, risk, exits and plan at every event: the dearest strategy there can be"),
    ("read", "decode", "frames to checked integers in Up terms, which live trading pays before the engine"),
)


BENCHMARK = Benchmark(
    name="engine",
    unit="event",
    about="""What an event costs in the engine alone, `handle` and `next_wake` as the loop calls them, with its strategy
asleep, waking by its clock, or deciding at every event. The yardsticks are what any bot must do: decode the same frames
into structs, and keep a book of the same events in two dicts that check nothing. Three streams: *snapshots*, a recorded
window of whole books, two a second; *deltas*, invented changes of a level or two; *captured*, frames as the venue sent
them late in a window, which are measured only where the recordings are.""",
    ratios=tuple(
        Ratio(f"engine.{kind}.{subject}_vs_{yardstick}", f"{kind} {subject}", f"{kind} {yardstick}", says)
        for kind in _KINDS
        for subject, yardstick, says in _SAYS
    ),
    sides=sides,
)
