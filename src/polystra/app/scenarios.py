"""Generated markets as recordings: `scenario_files` gives windows that load like any recorded one.

A window is a pure function of scenario, seed, series and its number, and is made when it is loaded. Only its payout is
known before: it follows from the price path alone. Series of one coin share its path, which is drawn in legs as long as
the shortest of them, so that which others are asked for changes their prices.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

from polystra.core.errors import PolystraError
from polystra.core.events import BookChanged, BookSnapshot, LevelChange, PricePrinted, TickSizeChanged, TradePrinted
from polystra.core.ids import MarketId, TokenId
from polystra.core.markets import Generation, Market, Payout, PriceSource, Series
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Nanos, Tick, Usd, decimal, seconds
from polystra.edge.polymarket.slugs import expected_slugs
from polystra.edge.tapes.facts import FEES, MIN_SHARES
from polystra.edge.tapes.format import OfficialPrices, Tape, TapeEvent, TapeFile, tape_from
from polystra.sim import messages as sim
from polystra.sim.scenario import recipes
from polystra.sim.scenario.chance import AVERAGE, CANDLE, Rule, Span, up_wins
from polystra.sim.scenario.path import PricePath
from polystra.sim.scenario.window import COARSE, GeneratedWindow, OraclePrint, Row, SpotPrint

SCENARIOS = tuple(recipes.SCENARIOS)

LIGHT = tuple(name for name in SCENARIOS if name != "busy")
"""Those with a few messages a second; a window of the other takes seconds to make."""

BTC_15M = Series("BTC", seconds(900))
MOST_WINDOWS = 3_000
"""A month of 15 minutes; of several series, of the shortest."""

PAYOUT_SOURCE = "scenario"

ATTRIBUTION = "invented, not a recording of anything"

_RULES = {seconds(300): AVERAGE, seconds(900): AVERAGE, seconds(3_600): CANDLE, seconds(14_400): AVERAGE}
"""How windows of a length settle (`PROTOCOL.md` G)."""

_LONGEST_LEG = 900
"""Seconds in which volatility and direction stay, also where windows are longer."""

_NAMED = re.compile(r"([A-Za-z]{2,8})-(\d{1,3})([mh])", re.ASCII)
_OPENING = {"BTC": 64_000 * MICRO, "ETH": 2_500 * MICRO, "SOL": 140 * MICRO, "XRP": 2 * MICRO}
_SECOND = 1_000_000_000


class ScenarioRefused(PolystraError):
    """There is no such generated market."""


def series_named(names: str) -> tuple[Series, ...]:
    """`BTC-5m,SOL-1h` as series; raises `ScenarioRefused`."""
    return tuple(_series_named(name.strip()) for name in names.split(","))


def _series_named(name: str) -> Series:
    found = _NAMED.fullmatch(name)
    if found is None:
        raise ScenarioRefused(f"series {name[:80]!r}: give coin and length, such as BTC-5m or SOL-1h")
    asset, count, unit = found.groups()
    return Series(asset.upper(), seconds(int(count) * (3_600 if unit == "h" else 60)))


def scenario_files(name: str, *, seed: int, windows: int, start: Instant, series: Series = BTC_15M) -> list[TapeFile]:
    """So many windows of a scenario, one after the other from `start` on; raises `ScenarioRefused`."""
    return files_of_series(name, seed=seed, windows=windows, start=start, series=(series,))


def files_of_series(name: str, *, seed: int, windows: int, start: Instant, series: Sequence[Series]) -> list[TapeFile]:
    """So many windows of the shortest of these series, and of each other one as many as begin meanwhile, all from
    `start` on; raises `ScenarioRefused`."""
    _refuse(name, windows, start, series)
    lasts = windows * min(one.length for one in series)
    files = [
        script.file(number)
        for script in _scripts(name, seed, start, series)
        for number in range(-(-lasts // script.series.length))
    ]
    _refuse_namesakes(files)
    return files


def _refuse(name: str, windows: int, start: Instant, series: Sequence[Series]) -> None:
    if name not in SCENARIOS:
        raise ScenarioRefused(f"scenario {name[:80]!r}: give one of {', '.join(SCENARIOS)}")
    if not 1 <= windows <= MOST_WINDOWS:
        raise ScenarioRefused(f"windows {windows}: give 1 to {MOST_WINDOWS:,}")
    for one in series:
        if one.length not in _RULES or one.asset not in _OPENING:
            raise ScenarioRefused(
                f"series {one.name}: give 5m, 15m, 1h or 4h of {', '.join(_OPENING)}; the venue has no others, or "
                "nobody knows their price here"
            )
        if start <= 0 or start % one.length:
            raise ScenarioRefused(
                f"start {start} ns: a window of {one.name} starts at a multiple of {one.length // _SECOND} s, "
                f"give {max(start // one.length, 1) * one.length}"
            )
    if len(set(series)) < len(series):
        raise ScenarioRefused(f"series {', '.join(one.name for one in series)}: name each once")


def _refuse_namesakes(files: Sequence[TapeFile]) -> None:
    """When New York's clocks go back, two windows of an hour have one name."""
    names: set[str] = set()
    for file in files:
        if file.market.slug in names:
            raise ScenarioRefused(f"windows: two of them are called {file.market.slug}, give fewer")
        names.add(file.market.slug)


def _scripts(name: str, seed: int, start: Instant, series: Sequence[Series]) -> "list[_Script]":
    """The legs of 5 and 15 minutes are those windows themselves."""
    shortest: dict[str, Nanos] = {}
    for one in series:
        shortest[one.asset] = min(one.length, shortest.get(one.asset, one.length))
    paths = {asset: _Path(name, seed, asset, start, length) for asset, length in shortest.items()}
    return [_Script(name, seed, paths[one.asset], start=start, series=one) for one in series]


class _Path:
    """A coin's prices, from one leg before `start` on: the first average needs a before. Bitcoin's go by the bare names
    of scenario and seed."""

    def __init__(self, name: str, seed: int, asset: str, start: Instant, shortest: Nanos) -> None:
        length = min(shortest // _SECOND, _LONGEST_LEG)
        drawn_as = f"scenario {name} {seed}" if asset == BTC_15M.asset else f"scenario {name} {seed} {asset}"
        weather = recipes.SCENARIOS[name].weather
        self.origin = Instant(start - length * _SECOND)
        self.prices = PricePath(weather, seed=drawn_as, opening=_OPENING[asset], length=length)

    def second(self, at: Instant) -> int:
        return (at - self.origin) // _SECOND


class _Script:
    """One series of a scenario from `start` on. Mutable only in what its path keeps of its draws."""

    def __init__(self, name: str, seed: int, path: _Path, *, start: Instant, series: Series) -> None:
        self._recipe = recipes.SCENARIOS[name]
        self._seed = f"scenario {name} {seed}"
        self._draws = self._seed if series == BTC_15M else f"{self._seed} {series.name}"
        self._words = f"scenario {name}, seed {seed}"
        self._path_name = Path(f"scenario-{name}")
        self._start = start
        self._path = path
        self._rule: Rule = _RULES[series.length]
        self.series = series

    def file(self, number: int) -> TapeFile:
        market = self._market(Instant(self._start + number * self.series.length))
        up = up_wins(self._path.prices, self._span(market), self._rule)
        return TapeFile(
            market=market,
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
        number = (market.start - self._start) // self.series.length
        prices, span = self._path.prices, self._span(market)
        window = GeneratedWindow(
            self._recipe,
            prices,
            span,
            market=market.id,
            origin=self._path.origin,
            rng=Random(f"{self._draws} window {number}"),
            rule=self._rule,
        )
        beaten, final = self._rule.beaten(prices, span), self._rule.final(prices, span)
        return tape_from(
            file,
            [_event(row, market) for row in window.rows()],
            skipped={},
            strike=beaten,
            official=OfficialPrices(decimal(beaten), decimal(final)),
        )

    def _span(self, market: Market) -> Span:
        """Where a window lies on the path, in seconds."""
        return Span(self._path.second(market.start), self._path.second(market.end))

    def _market(self, start: Instant) -> Market:
        slug, *_ = expected_slugs(self.series, start)
        return Market(
            id=MarketId("0x" + hashlib.sha256(f"{self._seed} {slug}".encode()).hexdigest()),
            slug=slug,
            series=self.series,
            up_token=self._token(slug, Outcome.UP),
            down_token=self._token(slug, Outcome.DOWN),
            start=start,
            end=Instant(start + self.series.length),
            tick=COARSE,
            min_shares=MIN_SHARES,
            fees=FEES,
            generation=Generation.CLOB_V2,
            settlement=PriceSource.BINANCE_CANDLE if self._rule == CANDLE else PriceSource.CHAINLINK_TWAP_60,
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
        case OraclePrint(averaged=averaged):
            source = PriceSource.CHAINLINK_TWAP_60 if averaged else PriceSource.CHAINLINK_SPOT
            return _price(row, source, market.series.asset)
        case SpotPrint():
            return _price(row, PriceSource.BINANCE_SPOT, market.series.asset)


def _price(row: Row, source: PriceSource, asset: str) -> PricePrinted:
    assert isinstance(row.deed, OraclePrint | SpotPrint)
    return PricePrinted(at=row.at, asset=asset, source=source, value=row.deed.value, stamped_at=row.deed.stamped_at)
