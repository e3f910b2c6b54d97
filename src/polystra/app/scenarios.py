"""Generated markets as recordings: `scenario_files` gives windows that load like any recorded one.

A window is a pure function of scenario, seed and its number, and is made when it is loaded. Only its payout is known
before: it follows from the price path alone.
"""

import hashlib
from pathlib import Path
from random import Random

from polystra.core.errors import PolystraError
from polystra.core.events import (
    BookChanged,
    BookSnapshot,
    LevelChange,
    PricePrinted,
    TickSizeChanged,
    TradePrinted,
)
from polystra.core.ids import MarketId, TokenId
from polystra.core.markets import Generation, Market, Payout, PriceSource, Series
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Tick, Usd, decimal, seconds
from polystra.edge.tapes.facts import FEES, MIN_SHARES
from polystra.edge.tapes.format import OfficialPrices, Tape, TapeEvent, TapeFile, tape_from
from polystra.sim import messages as sim
from polystra.sim.scenario import recipes
from polystra.sim.scenario.chance import Span, up_wins
from polystra.sim.scenario.path import PricePath
from polystra.sim.scenario.window import COARSE, GeneratedWindow, OraclePrint, Row

SCENARIOS = tuple(recipes.SCENARIOS)

BTC_15M = Series("BTC", seconds(900))
MOST_WINDOWS = 3_000
"""A month of 15 minutes."""

PAYOUT_SOURCE = "scenario"

ATTRIBUTION = "invented, not a recording of anything"

_LENGTHS = (seconds(300), seconds(900))
_OPENING = {"BTC": 64_000 * MICRO, "ETH": 2_500 * MICRO, "SOL": 140 * MICRO, "XRP": 2 * MICRO}
_SECOND = 1_000_000_000


class ScenarioRefused(PolystraError):
    """There is no such generated market."""


def scenario_files(name: str, *, seed: int, windows: int, start: Instant, series: Series = BTC_15M) -> list[TapeFile]:
    """So many windows of a scenario, one after the other from `start` on; raises `ScenarioRefused`."""
    _refuse(name, windows, start, series)
    script = _Script(name, seed=seed, start=start, series=series)
    return [script.file(number) for number in range(windows)]


def _refuse(name: str, windows: int, start: Instant, series: Series) -> None:
    if name not in SCENARIOS:
        raise ScenarioRefused(f"scenario {name[:80]!r}: give one of {', '.join(SCENARIOS)}")
    if not 1 <= windows <= MOST_WINDOWS:
        raise ScenarioRefused(f"windows {windows}: give 1 to {MOST_WINDOWS:,}")
    if series.length not in _LENGTHS or series.asset not in _OPENING:
        raise ScenarioRefused(
            f"series {series.name}: give 5m or 15m of {', '.join(_OPENING)}; others settle by another rule, or nobody "
            "knows their price here"
        )
    if start <= 0 or start % series.length:
        raise ScenarioRefused(
            f"start {start} ns: a window of {series.name} starts at a multiple of {series.length // _SECOND} s, "
            f"give {max(start // series.length, 1) * series.length}"
        )


class _Script:
    """One scenario from `start` on. Its path begins a window earlier: the first average needs a before.

    Mutable only in what the path keeps of its draws.
    """

    def __init__(self, name: str, *, seed: int, start: Instant, series: Series) -> None:
        self._recipe = recipes.SCENARIOS[name]
        self._seed = f"scenario {name} {seed}"
        self._words = f"scenario {name}, seed {seed}"
        self._path_name = Path(f"scenario-{name}")
        self._start = start
        self._series = series
        self._length = series.length // _SECOND
        self._path = PricePath(
            self._recipe.weather, seed=self._seed, opening=_OPENING[series.asset], length=self._length
        )

    def file(self, number: int) -> TapeFile:
        up = up_wins(self._path, self._span(number))
        return TapeFile(
            market=self._market(Instant(self._start + number * self._series.length)),
            payout=Payout(Usd(MICRO if up else 0)),
            payout_source=PAYOUT_SOURCE,
            source=self._words,
            attribution=ATTRIBUTION,
            path=self._path_name,
            has_trades=True,
            has_sizes=True,
            read=self.tape,
        )

    def tape(self, file: TapeFile) -> Tape:
        """Plays the window of one of its files."""
        market = file.market
        number = (market.start - self._start) // self._series.length
        span = self._span(number)
        window = GeneratedWindow(
            self._recipe,
            self._path,
            span,
            market=market.id,
            origin=Instant(self._start - self._series.length),
            rng=Random(f"{self._seed} window {number}"),
        )
        beaten, final = self._path.average(span.start), self._path.average(span.end)
        return tape_from(
            file,
            [_event(row, market) for row in window.rows()],
            skipped={},
            strike=beaten,
            official=OfficialPrices(decimal(beaten), decimal(final)),
        )

    def _span(self, number: int) -> Span:
        """Where a window lies on the path, in seconds."""
        return Span((number + 1) * self._length, (number + 2) * self._length)

    def _market(self, start: Instant) -> Market:
        asset, minutes = self._series.asset, self._length // 60
        slug = f"{asset.lower()}-updown-{minutes}m-{start // _SECOND}"
        return Market(
            id=MarketId("0x" + hashlib.sha256(f"{self._seed} {slug}".encode()).hexdigest()),
            slug=slug,
            series=self._series,
            up_token=self._token(slug, Outcome.UP),
            down_token=self._token(slug, Outcome.DOWN),
            start=start,
            end=Instant(start + self._series.length),
            tick=COARSE,
            min_shares=MIN_SHARES,
            fees=FEES,
            generation=Generation.CLOB_V2,
            settlement=PriceSource.CHAINLINK_TWAP_60,
            assumptions=(f"prices, quotes, trades and payout: invented by {self._words}",),
        )

    def _token(self, slug: str, outcome: Outcome) -> TokenId:
        """256 bits; that bits 40 to 103 are all zero, which clients take for another contract, has a chance of 2⁻⁶⁴."""
        digest = hashlib.sha256(f"{self._seed} {slug} {outcome}".encode()).digest()
        return TokenId(str(int.from_bytes(digest, "big")))


def _event(row: Row, market: Market) -> TapeEvent:
    """What happened, as a recorder would have written it down."""
    match row.deed:
        case sim.SetBook(bids=bids, asks=asks):
            return BookSnapshot(at=row.at, market=market.id, bids=bids, asks=asks)
        case sim.ChangeLevels(changes=changes):
            levels = tuple(LevelChange(one.side, one.price, one.size) for one in changes)
            return BookChanged(at=row.at, market=market.id, changes=levels, best_bid=row.bid, best_ask=row.ask)
        case sim.PrintTrade(price=price, size=size, taker=taker):
            return TradePrinted(at=row.at, market=market.id, price=price, size=size, taker=taker)
        case sim.SetTick(tick=size):
            return TickSizeChanged(at=row.at, market=market.id, tick=Tick(size))
        case OraclePrint():
            return _price(row.at, row.deed, market.series.asset)


def _price(at: Instant, printed: OraclePrint, asset: str) -> PricePrinted:
    source = PriceSource.CHAINLINK_TWAP_60 if printed.averaged else PriceSource.CHAINLINK_SPOT
    return PricePrinted(at=at, asset=asset, source=source, value=printed.value, stamped_at=printed.stamped_at)
