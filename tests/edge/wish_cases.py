"""Windows of several coins at once, and a strategy that wishes in all of them at the same moment."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from polystra.app.settings import Settings
from polystra.core.ids import MarketId, TokenId
from polystra.core.markets import Market, Series
from polystra.core.strategy import Decision, ExitPolicy, Needs, WakesOn, Wish
from polystra.core.units import Instant, Nanos, seconds
from polystra.core.view import ANYTHING, MarketView, Wait
from polystra.edge.tapes.format import TapeFile
from tests.truth import START, steady, tape_file, window

COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "HYPE", "ZEC")


def coin_window(nth: int, minutes: int = 5) -> Market:
    """The window of the nth coin that begins at `START`."""
    number, length = nth + 100 * minutes, seconds(60 * minutes)
    return window(
        id=MarketId(f"0x{number:064x}"),
        series=Series(COINS[nth], length),
        slug=f"{COINS[nth].lower()}-updown-{minutes}m-{START // 10**9}",
        up_token=TokenId(f"{10**76 + 10_000 + 2 * number}"),
        down_token=TokenId(f"{10**76 + 10_001 + 2 * number}"),
        end=Instant(START + length),
    )


def quiet(markets: Sequence[Market]) -> list[TapeFile]:
    """Each with the same book from its beginning to its end."""
    return [
        tape_file(market, steady(market, "0.50x100", "0.52x100", end=market.series.length // seconds(1)))
        for market in markets
    ]


class Together(Struct, frozen=True):
    """Wishes of each coin, all from one second of the window on and until one of them is filled."""

    told: tuple[tuple[str, tuple[Wish, ...]], ...]
    since: Nanos

    @property
    def name(self) -> str:
        return "together"

    @property
    def needs(self) -> Needs:
        return Needs()

    @property
    def wakes_on(self) -> WakesOn:
        return WakesOn(events=())

    @property
    def first_memory(self) -> None:
        return None

    def decide(self, view: MarketView, memory: object) -> Decision:
        begin = Instant(view.market.start + self.since)
        if view.at < begin:
            return Decision(exits=ExitPolicy(), reason="not yet", wait=Wait(until=begin))
        wishes = () if view.entries_made else dict(self.told).get(view.market.series.asset, ())
        return Decision(wishes=wishes, exits=ExitPolicy(), reason="told", wait=ANYTHING)


def together(told: Mapping[str, tuple[Wish, ...]], since: float = 20) -> Together:
    return Together(tuple(told.items()), seconds(since))


def steady_stakes(settings: Settings) -> Settings:
    """The same stake whatever cash is free, so that no order that rests is resized because of another one."""
    return changed(settings, stakes={"max_stake_usd": Decimal(10)}, limits=WIDE)


def changed(settings: Settings, **sections: Mapping[str, Any]) -> Settings:
    """The settings with some of their values changed, by section."""
    update = {name: getattr(settings, name).model_copy(update=dict(values)) for name, values in sections.items()}
    return settings.model_copy(update=update)


WIDE = {"max_open_positions": 100, "max_total_usd": Decimal(100_000)}
"""Limits that keep nobody from trading in many windows."""
