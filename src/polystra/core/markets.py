"""Describes one up/down window, its rules and its phases by time."""

from enum import StrEnum

from msgspec import Struct

from polystra.core.fees import FeeSchedule
from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Nanos, Price, Shares, Tick, Usd, seconds

QUARTER = seconds(900)


class Generation(StrEnum):
    """Which contracts settle the market (`PROTOCOL.md` A.1). UNKNOWN is never traded."""

    CLOB_V2 = "clob-v2"
    PROTOCOL_V2 = "protocol-v2"
    UNKNOWN = "unknown"


class PriceSource(StrEnum):
    """Where a price of the underlying comes from; `CHAINLINK_TWAP_60` is today's settlement feed."""

    CHAINLINK_TWAP_60 = "chainlink-twap-60"
    CHAINLINK_SPOT = "chainlink-spot"
    BINANCE_SPOT = "binance-spot"
    BINANCE_CANDLE = "binance-candle"


class Phase(StrEnum):
    UPCOMING = "upcoming"
    OPEN = "open"
    ENDED = "ended"


class Series(Struct, frozen=True, gc=False):
    """The windows of one asset and one length: `Series("BTC", 900 s)`."""

    asset: str
    length: Nanos

    @property
    def name(self) -> str:
        minutes = self.length // 60_000_000_000
        return f"{self.asset.lower()}-{minutes // 60}h" if minutes % 60 == 0 else f"{self.asset.lower()}-{minutes}m"


class RewardTerms(Struct, frozen=True, gc=False, kw_only=True):
    """What an order must be to earn liquidity rewards (`PROTOCOL.md` F.4): least size, distance from the middle and
    age; and what all makers of the market share a day, None where nobody says."""

    min_shares: Shares
    max_spread: Price
    min_age: Nanos
    daily: Usd | None = None


class Score(StrEnum):
    """Whether an order earns rewards, by the venue's word. UNKNOWN: it did not answer, or too long ago."""

    SCORING = "SCORING"
    NOT_SCORING = "NOT SCORING"
    UNKNOWN = "unknown"


class Market(Struct, frozen=True, gc=False, kw_only=True):
    """One window. A fact nobody told us is None and stays so; `assumptions` names every fact we took on trust."""

    id: MarketId
    slug: str
    series: Series
    up_token: TokenId
    down_token: TokenId
    start: Instant
    end: Instant
    tick: Tick
    min_shares: Shares
    fees: FeeSchedule | None
    generation: Generation
    settlement: PriceSource | None = None
    rewards: RewardTerms | None = None
    assumptions: tuple[str, ...] = ()

    def phase(self, at: Instant) -> Phase:
        if at < self.start:
            return Phase.UPCOMING
        return Phase.OPEN if at < self.end else Phase.ENDED

    def in_proportion(self, meant: Nanos) -> Nanos:
        """A time that is meant for a window of 15 minutes, in proportion to this one's length (SPEC 6)."""
        return Nanos(meant * self.series.length // QUARTER)

    def token(self, outcome: Outcome) -> TokenId:
        return self.up_token if outcome is Outcome.UP else self.down_token


class Payout(Struct, frozen=True, gc=False):
    """What one Up share pays, in millionths of a USD: 1,000,000, 0, or 500,000 for a void market."""

    up: Usd

    def of(self, outcome: Outcome) -> Usd:
        return self.up if outcome is Outcome.UP else Usd(MICRO - self.up)

    @property
    def winner(self) -> Outcome | None:
        """The outcome that won; None when the market was void."""
        if self.up in (0, MICRO):
            return Outcome.UP if self.up else Outcome.DOWN
        return None
