"""The exchange's own truth, which tests of acceptance conditions read instead of the bot's view.

A `Stage` plays recordings that a test writes by hand, lets the whole trader loose on them (engine, loop, ledger,
journal, latency), and then compares what the ledger says with what the exchange really has. The comparison reads the
database with plain SQL and shares no code with the project's own.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from polystra.app.exchange_log import ExchangeLog
from polystra.app.session import EXCHANGE_LOG, LEDGER, Trader
from polystra.app.settings import Settings
from polystra.app.translation import rewarded
from polystra.app.world import TRADER, World
from polystra.app.world_rules import WorldRules, world_rules
from polystra.core.commands import PlaceOrder
from polystra.core.engine import Step
from polystra.core.events import AnyEvent, BookSnapshot, TradePrinted
from polystra.core.fees import FeeSchedule
from polystra.core.ids import MarketId, TokenId
from polystra.core.markets import Generation, Market, Payout, Series
from polystra.core.notes import AnyNote
from polystra.core.strategy import Decision, ExitPolicy, Needs, Strategy, WakesOn, Wish
from polystra.core.terms import OrderTerms, Outcome, Side, TimeInForce
from polystra.core.units import Instant, Price, Shares, Tick, Usd, price, seconds, shares, usd
from polystra.core.view import ANYTHING, MarketView
from polystra.edge.tapes.format import OFFICIAL, Tape, TapeEvent, TapeFile, tape_from
from polystra.sim import messages as sim
from polystra.sim.latency import NO_DELAY
from polystra.sim.records import Account, Truth

SERIES = Series("BTC", seconds(300))
START = Instant(seconds(1_790_586_000))
"""The start of the window that most tests play."""

CRYPTO_FEES = FeeSchedule(rate=70_000, rebate_rate=200_000)
OLD_FEES = FeeSchedule(rate=250_000, exponent=2, in_shares_on_buys=True)


def after(count: float) -> Instant:
    """So many seconds after the window's start."""
    return Instant(START + seconds(count))


def window(number: int = 0, fees: FeeSchedule | None = CRYPTO_FEES, **changes: Any) -> Market:
    """The five-minute window that starts `number` windows after `START`."""
    start = Instant(START + number * SERIES.length)
    facts: dict[str, Any] = {
        "id": MarketId(f"0x{number + 1:064x}"),
        "slug": f"btc-updown-5m-{start // 10**9}",
        "series": SERIES,
        "up_token": TokenId(f"{10**76 + 2 * number}"),
        "down_token": TokenId(f"{10**76 + 2 * number + 1}"),
        "start": start,
        "end": Instant(start + SERIES.length),
        "tick": Tick(price("0.01")),
        "min_shares": shares(5),
        "fees": fees,
        "generation": Generation.CLOB_V2,
    }
    return Market(**(facts | changes))


def as_listed(market: Market) -> Market:
    """The market as the world lists it: with what is assumed about the venue beside its own assumptions, and its
    terms of rewards."""
    told = replace(market, assumptions=market.assumptions + world_rules(Settings(), 1).assumptions)
    return replace(told, rewards=rewarded(market))


def levels(text: str) -> tuple[tuple[Price, Shares], ...]:
    """`"0.52x10 0.51x200"`: price and size, best first."""
    pairs = (level.split("x") for level in text.split())
    return tuple((price(at), shares(size)) for at, size in pairs)


def book(market: Market, count: float, bids: str, asks: str) -> BookSnapshot:
    """A whole recorded book so many seconds after the market's start."""
    at = Instant(market.start + seconds(count))
    return BookSnapshot(at=at, market=market.id, bids=levels(bids), asks=levels(asks))


def steady(market: Market, bids: str, asks: str, begin: int = -5, end: int = 300) -> list[TapeEvent]:
    """The same book once a second: quiet, and never stale."""
    return [book(market, second, bids, asks) for second in range(begin, end)]


def printed(market: Market, count: float, at: str, size: str, taker: Side | None = None) -> TradePrinted:
    when = Instant(market.start + seconds(count))
    return TradePrinted(at=when, market=market.id, price=price(at), size=shares(size), taker=taker)


def tape_file(market: Market, events: Iterable[TapeEvent], payout_up: str | None = "1") -> TapeFile:
    """A recording that exists in this test alone."""
    rows = sorted(events, key=lambda event: event.at)

    def read(file: TapeFile) -> Tape:
        return tape_from(file, rows, skipped={})

    return TapeFile(
        market=market,
        payout=None if payout_up is None else Payout(usd(payout_up)),
        payout_source=OFFICIAL if payout_up is not None else "unknown",
        source="a test",
        attribution="",
        path=Path("memory"),
        has_trades=any(isinstance(row, TradePrinted) for row in rows),
        has_sizes=True,
        read=read,
    )


class Script(Struct, frozen=True):
    """A strategy that wishes what a test tells it, by the second of the window."""

    told: tuple[tuple[float, Wish], ...]
    exits: ExitPolicy

    @property
    def name(self) -> str:
        return "scripted"

    @property
    def needs(self) -> Needs:
        return Needs(depth=1)

    @property
    def wakes_on(self) -> WakesOn:
        return WakesOn(events=(), every=seconds(0.5))

    @property
    def first_memory(self) -> None:
        return None

    def decide(self, view: MarketView, memory: object) -> Decision:
        """The last wish whose second has come, until as many entries were made as were told by then."""
        told = [wish for second, wish in self.told if view.age >= seconds(second)]
        if view.entries_made >= len(told):
            return Decision(exits=self.exits, reason="nothing told", wait=ANYTHING)
        return Decision(wishes=(told[view.entries_made],), exits=self.exits, reason="told", wait=ANYTHING)


def scripted(wishes: dict[float, Wish], exits: ExitPolicy | None = None) -> Script:
    return Script(tuple(sorted(wishes.items(), key=lambda pair: pair[0])), exits or ExitPolicy())


def wish(outcome: Outcome, at: str, *, rests: bool = False, conviction: str = "0") -> Wish:
    """Buy at this price or better, at once or resting, sure to win."""
    return Wish(
        outcome=outcome,
        price=price(at),
        conviction=price(conviction),
        probability=999_999,
        time_in_force=TimeInForce.GTC if rests else TimeInForce.FAK,
    )


class Outcomes:
    """What a run came to: the exchange's truth, the ledger, and everything the engine saw and noted."""

    trader: Account = TRADER
    """Whose money it is."""

    def __init__(self, world: World, folder: Path, steps: list[tuple[AnyEvent, Step]]) -> None:
        self.world = world
        self.folder = folder
        self.steps = steps

    @property
    def truth(self) -> Truth:
        return self.world.truth()

    @property
    def cash(self) -> Usd:
        return self.truth.account(self.trader).cash

    def notes(self, kind: type[AnyNote]) -> list[Any]:
        return [note for _, step in self.steps for note in step.notes if isinstance(note, kind)]

    def placed(self, side: Side) -> list[tuple[Instant, OrderTerms]]:
        """Every order of a side that was placed, and when that was decided."""
        return [
            (event.at, command.terms)
            for event, step in self.steps
            for command in step.commands
            if isinstance(command, PlaceOrder) and command.terms.side is side
        ]

    def held(self, market: Market, outcome: Outcome) -> Shares:
        return self.truth.account(self.trader).of(market.token(outcome))

    def asked(self) -> set[str]:
        """The kinds of everything that was ever asked of the exchange, from its own log."""
        lines = (self.folder / EXCHANGE_LOG).read_text(encoding="utf-8").splitlines()
        return {line["asked"]["type"] for line in map(json.loads, lines) if "asked" in line}

    def sql(self, question: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Asks the ledger's file in plain SQL."""
        connection = sqlite3.connect(self.folder / LEDGER)
        try:
            return connection.execute(question, arguments).fetchall()
        finally:
            connection.close()

    def agree(self, claimed: int = 0) -> None:
        """Fails unless ledger and exchange are the same: cash, every trade once, shares, and no order left behind.
        `claimed` is what was redeemed behind the ledger's back."""
        assert self.sql("select cash_micro from cash") == [(self.cash - claimed,)]
        ours = {(trade, order) for trade, order in self._trades_of_ledger()}
        theirs = {(trade, order) for trade, order in self._trades_of_exchange()}
        assert ours == theirs, f"missing {theirs - ours}, invented {ours - theirs}"
        for market in {trade.market for trade in self.truth.trades}:
            for outcome in Outcome:
                assert self._shares_of_ledger(market, outcome) == self._shares_of_exchange(market, outcome)
        live_there = {order.id for order in self.truth.orders if order.account == self.trader}
        live_here = {
            hash_
            for hash_, state in self.sql(
                "select o.venue_order, s.state from orders o join order_states s on s.order_id = o.id"
            )
            if state in ("SUBMITTING", "WORKING", "CANCELLING", "UNKNOWN")
        }
        assert live_here == live_there

    def _trades_of_ledger(self) -> list[tuple[str, str]]:
        return self.sql("select f.trade, o.venue_order from fills f join orders o on o.id = f.order_id")

    def _trades_of_exchange(self) -> Iterable[tuple[str, str]]:
        for trade in self.truth.trades:
            for leg in (trade.taker, trade.maker):
                if leg.account == self.trader:
                    yield trade.id, leg.order

    def _shares_of_ledger(self, market: MarketId, outcome: Outcome) -> int:
        rows = self.sql("select shares_micro from positions where market = ? and outcome = ?", market, outcome)
        return rows[0][0] if rows else 0

    def _shares_of_exchange(self, market: MarketId, outcome: Outcome) -> int:
        total = 0
        for trade in self.truth.trades:
            for leg in (trade.taker, trade.maker):
                if (
                    leg.account == self.trader
                    and trade.market == market
                    and leg.outcome is outcome
                    and trade.stage != "FAILED"
                ):
                    total += leg.shares - leg.fee_shares if leg.side is Side.BUY else -leg.shares
        return total


class Observed(World):
    """A world that lets a test look at the exchange after each thing that happened there."""

    look: Callable[["Observed"], None] | None = None

    def _happen(self, now: Instant) -> None:
        super()._happen(now)
        if self.look is not None:
            self.look(self)

    def resolve(self, market: Market, up_payout: Usd) -> None:
        """Now, although no recording says so."""
        self._ask(sim.Resolve(market=market.id, up_payout=up_payout))

    def balance(self, market: Market, outcome: Outcome) -> Shares:
        """What the venue's cached balance shows of an outcome."""
        return self._exchange.balances(TRADER).of(market.token(outcome))

    def selling(self) -> tuple[Shares, ...]:
        """The sizes of our live sell orders."""
        return tuple(order.size for order in self._exchange.open_orders(TRADER) if order.side is Side.SELL)


class Stage:
    """Plays recordings against a trader, in one life or several."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings.model_validate(
            {"stakes": {"bet_percent": 10}, "limits": {"min_edge_usd": "-0.99", "max_spread": "0.99"}}
        )

    def rules(self, *, seed: int = 1, instant: bool = False, **changes: Any) -> WorldRules:
        """The world's rules; `instant` takes all latency away."""
        rules = world_rules(self.settings, seed)
        return replace(rules, **({"delays": NO_DELAY} if instant else {}), **changes)

    def world(self, files: Sequence[TapeFile], rules: WorldRules | None = None, log: Path | None = None) -> Observed:
        return Observed(rules or self.rules(), files, ExchangeLog(log))

    def play(
        self,
        files: Sequence[TapeFile],
        strategy: Strategy,
        *,
        rules: WorldRules | None = None,
        settings: Settings | None = None,
        look: Callable[[Observed], None] | None = None,
    ) -> Outcomes:
        """One life, from the first row to the end of the world; `look` sees the exchange whenever something happens."""
        world = self.world(files, rules, self.folder / EXCHANGE_LOG)
        world.look = look
        steps: list[tuple[AnyEvent, Step]] = []

        def tell(event: AnyEvent, step: Step) -> None:
            steps.append((event, step))

        with Trader(self.folder, settings or self.settings, seed=1, strategy=strategy) as trader:
            asyncio.run(trader.trade(world, {file.market.series for file in files}, tell))
        world.end()
        return Outcomes(world, self.folder, steps)


@pytest.fixture
def exchange_truth(tmp_path: Path) -> Stage:
    """A stage in an empty folder, whose outcomes are judged by what the exchange really has."""
    return Stage(tmp_path)
