"""Lists everything that can be set: one class a section, each setting with its range and its default.

Names carry their unit. What a setting means for people is in `tools/settings_doc.py`, from which docs/settings.md is
written; what the engine is built from is made of them in `settings`.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Probability = Annotated[Decimal, Field(gt=0, lt=1, decimal_places=6)]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000_000, decimal_places=6)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Milliseconds = Annotated[float, Field(ge=0, le=60_000)]


class StakeSettings(Section):
    """How much of the free cash one entry may use."""

    bet_percent: Annotated[Decimal, Field(gt=0, le=100, decimal_places=4)] = Decimal(5)
    max_stake_usd: Money = Decimal(500)


class LimitSettings(Section):
    """What risk lets through, worst case: resting and unknown orders count in full."""

    max_order_usd: Money = Decimal(500)
    max_market_usd: Money = Decimal(500)
    max_total_usd: Money = Decimal(2_000)
    max_open_positions: Annotated[int, Field(ge=0, le=1_000)] = 4
    max_daily_loss_usd: Money = Decimal(200)
    max_spread: Probability = Decimal("0.15")
    min_edge_usd: Annotated[Decimal, Field(gt=-1, lt=1, decimal_places=6)] = Decimal("0.02")
    min_time_left_seconds: Seconds = 15


class ExitSettings(Section):
    """How a position is sold. A stop or target of 0 is off."""

    target: Annotated[Decimal, Field(ge=0, lt=1, decimal_places=6)] = Decimal("0.99")
    min_age_seconds: Seconds = 60
    hold_last_seconds: Seconds = 0
    stop_price: Annotated[Decimal, Field(ge=0, lt=1, decimal_places=6)] = Decimal("0.30")
    stop_distance: Annotated[Decimal, Field(ge=0, lt=1, decimal_places=6)] = Decimal("0.10")
    stop_percent: Annotated[Decimal, Field(ge=0, lt=100, decimal_places=4)] = Decimal(0)
    stop_min_age_seconds: Seconds = 30
    stop_slippage: Annotated[Decimal, Field(ge=0, lt=1, decimal_places=6)] = Decimal("0.05")
    stop_order: Literal["FAK", "FOK"] = "FAK"
    break_even_arm_percent: Annotated[Decimal, Field(ge=0, lt=10_000, decimal_places=4)] = Decimal(0)
    take_profit_percent: Annotated[Decimal, Field(ge=0, lt=10_000, decimal_places=4)] = Decimal(0)
    ladder: tuple[tuple[Seconds, Literal["nothing", "hold", "sell_into_bids"]], ...] = ()
    pairs_need_no_stop: bool = False

    @field_validator("ladder")
    @classmethod
    def _each_once(cls, ladder: tuple[tuple[float, str], ...]) -> tuple[tuple[float, str], ...]:
        times = [before for before, _ in ladder]
        if len(set(times)) < len(times):
            raise ValueError(f"{times}: two rungs begin at the same time; give each its own seconds before the end")
        return ladder


class RewardSettings(Section):
    """Whether the venue is asked if targets earn liquidity rewards, and when one that does not is moved."""

    watch: bool = False
    rule: Literal["off", "original", "worth_it"] = "off"
    min_midpoint: Probability = Decimal("0.90")
    min_price: Probability = Decimal("0.95")
    price_offset: Annotated[Decimal, Field(ge=0, lt=1, decimal_places=6)] = Decimal("0.01")


class UnfilledSettings(Section):
    """When a resting entry that is not filled is given up, and whether it is tried again."""

    cancel_orders: bool = True
    timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300
    cancel_threshold_percent: Annotated[Decimal, Field(gt=0, le=100, decimal_places=4)] = Decimal(15)
    retry_on_winning_side: bool = True
    retry_above_percent: Annotated[Decimal, Field(ge=0, le=1_000, decimal_places=4)] = Decimal(10)


class ScaleInSettings(Section):
    """When what is held is added to, once a position."""

    enabled: bool = True
    time_left_seconds: Annotated[float, Field(gt=0, le=86_400)] = 450
    min_price: Probability = Decimal("0.60")
    max_price: Probability = Decimal("0.90")
    multiplier: Annotated[Decimal, Field(gt=0, le=100, decimal_places=4)] = Decimal("1.5")
    order: Literal["take", "rest"] = "take"

    @model_validator(mode="after")
    def _least_first(self) -> "ScaleInSettings":
        if self.min_price > self.max_price:
            raise ValueError(f"min_price = {self.min_price} is above max_price = {self.max_price}: nothing is between")
        return self


class ReversalSettings(Section):
    """Whether the other side is bought when a position is stopped, once a window."""

    after_stop: bool = False
    hedged: bool = False
    within_seconds: Annotated[float, Field(gt=0, le=3_600)] = 30
    hedged_sell_at: Probability = Decimal("0.15")
    hedged_sell_after_seconds: Seconds = 120


class EngineSettings(Section):
    """How long the engine trusts, doubts and waits, and what it does about shares that somebody bought outside."""

    book_patience_seconds: Seconds = 10
    doubt_patience_seconds: Seconds = 60
    reading_every_seconds: Annotated[float, Field(ge=1, le=86_400)] = 60
    drift_confirmed_after_seconds: Seconds = 30
    max_clock_offset_seconds: Seconds = 10
    auto_adjust_percent: Annotated[Decimal, Field(ge=0, le=100, decimal_places=4)] = Decimal(2)
    outside_positions: Literal["manage", "leave"] = "manage"


class TiltedPriorSettings(Section):
    """The strategy `tilted_prior`: how far it leans, when and where it enters."""

    momentum_weight: Annotated[float, Field(ge=-5, le=5)] = 0.10
    imbalance_weight: Annotated[float, Field(ge=-5, le=5)] = 0.10
    min_edge_usd: Annotated[Decimal, Field(gt=-1, lt=1, decimal_places=6)] = Decimal("0.02")
    earliest_seconds: Seconds = 60
    latest_seconds: Seconds = 120
    min_price: Probability = Decimal("0.10")
    max_price: Probability = Decimal("0.90")
    every_seconds: Annotated[float, Field(ge=0.1, le=3_600)] = 5
    depth_levels: Annotated[int, Field(ge=1, le=50)] = 5


class StrategySettings(Section):
    name: Literal["tilted_prior"] = "tilted_prior"
    tilted_prior: TiltedPriorSettings = TiltedPriorSettings()


class VenueSettings(Section):
    """How the trader behaves towards the venue, which cancels all orders when a heart that has beaten stops."""

    heartbeat: bool = True
    notifications_every_seconds: Seconds = 30
    stream_renewed_every_seconds: Seconds = 900
    orders_at_stop: Literal["cancel", "keep"] = "cancel"

    @model_validator(mode="after")
    def _kept_orders_need_no_heart(self) -> "VenueSettings":
        if self.heartbeat and self.orders_at_stop == "keep":
            raise ValueError(
                'orders_at_stop = "keep" with heartbeat = true: the venue cancels all orders about 10 s after the last '
                "heartbeat; set heartbeat = false to keep them"
            )
        return self


class RedemptionSettings(Section):
    """Whether the trader turns what settled markets pay into cash by itself. It takes a deposit wallet."""

    enabled: bool = False
    every_seconds: Annotated[float, Field(ge=10, le=86_400)] = 600
    max_batches_per_day: Annotated[int, Field(ge=0, le=1_000)] = 50


class MergingSettings(Section):
    """Whether the trader merges pairs into cash by itself. It takes a deposit wallet; the budget is redemption's."""

    enabled: bool = False
    every_seconds: Annotated[float, Field(ge=10, le=86_400)] = 60
    min_pairs: Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=6)] = Decimal(5)


class SimulationSettings(Section):
    """The pretend venue: our cash there, how late everything is, and when an ended market closes and resolves."""

    starting_cash_usd: Money = Decimal(1_000)
    order_latency_ms: tuple[Milliseconds, Milliseconds] = (20, 60)
    answer_latency_ms: tuple[Milliseconds, Milliseconds] = (20, 60)
    stream_latency_ms: tuple[Milliseconds, Milliseconds] = (10, 40)
    taker_hold_ms: Milliseconds = 150
    resolve_after_seconds: Seconds = 54
    pays_makers: bool = False

    @field_validator("order_latency_ms", "answer_latency_ms", "stream_latency_ms")
    @classmethod
    def _least_first(cls, span: tuple[float, float]) -> tuple[float, float]:
        if span[0] > span[1]:
            raise ValueError("the first, the least, is above the second, the most")
        return span
