"""Reads the settings, and turns them into the values that everything is built from. Read nowhere else.

One TOML file; `POLYSTRA__SECTION__KEY` in the environment overrides it; what is not named keeps its default. Unknown
names are refused, in the file and in the environment. Numbers carry their unit in their name.
"""

import hashlib
import os
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from polystra.app.toml_lines import line_of
from polystra.core.errors import PolystraError
from polystra.core.risk import Limits
from polystra.core.rules import Rules
from polystra.core.sizing import StakeRules
from polystra.core.strategies.tilted_prior import TiltedPrior
from polystra.core.strategy import BreakEvenPolicy, ExitPolicy, Rung, RungAction, StopPolicy, Strategy
from polystra.core.terms import TimeInForce
from polystra.core.unfilled import UnfilledRules
from polystra.core.units import MICRO, micro, price, seconds, usd

PREFIX = "POLYSTRA__"


class BadSettings(PolystraError):
    """Settings that cannot be used; one line for each fault, naming the place, the value and what is allowed."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Probability = Annotated[Decimal, Field(gt=0, lt=1, decimal_places=6)]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000_000, decimal_places=6)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Milliseconds = Annotated[float, Field(ge=0, le=60_000)]


class StakeSettings(_Section):
    """How much of the free cash one entry may use."""

    bet_percent: Annotated[Decimal, Field(gt=0, le=100, decimal_places=4)] = Decimal(5)
    max_stake_usd: Money = Decimal(500)


class LimitSettings(_Section):
    """What risk lets through, worst case: resting and unknown orders count in full."""

    max_order_usd: Money = Decimal(500)
    max_market_usd: Money = Decimal(500)
    max_total_usd: Money = Decimal(2_000)
    max_open_positions: Annotated[int, Field(ge=0, le=1_000)] = 4
    max_daily_loss_usd: Money = Decimal(200)
    max_spread: Probability = Decimal("0.15")
    min_edge_usd: Annotated[Decimal, Field(gt=-1, lt=1, decimal_places=6)] = Decimal("0.02")
    min_time_left_seconds: Seconds = 15


class ExitSettings(_Section):
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


class UnfilledSettings(_Section):
    """When a resting entry that is not filled is given up, and whether it is tried again."""

    cancel_orders: bool = True
    timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300
    cancel_threshold_percent: Annotated[Decimal, Field(gt=0, le=100, decimal_places=4)] = Decimal(15)
    retry_on_winning_side: bool = True
    retry_above_percent: Annotated[Decimal, Field(ge=0, le=1_000, decimal_places=4)] = Decimal(10)


class EngineSettings(_Section):
    """How long the engine trusts, doubts and waits."""

    book_patience_seconds: Seconds = 10
    doubt_patience_seconds: Seconds = 60
    reading_every_seconds: Annotated[float, Field(ge=1, le=86_400)] = 60
    drift_confirmed_after_seconds: Seconds = 30
    max_clock_offset_seconds: Seconds = 10
    auto_adjust_percent: Annotated[Decimal, Field(ge=0, le=100, decimal_places=4)] = Decimal(2)


class TiltedPriorSettings(_Section):
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


class StrategySettings(_Section):
    name: Literal["tilted_prior"] = "tilted_prior"
    tilted_prior: TiltedPriorSettings = TiltedPriorSettings()


class VenueSettings(_Section):
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


class RedemptionSettings(_Section):
    """Whether the trader turns what settled markets pay into cash by itself. It takes a deposit wallet."""

    enabled: bool = False
    every_seconds: Annotated[float, Field(ge=10, le=86_400)] = 600
    max_batches_per_day: Annotated[int, Field(ge=0, le=1_000)] = 50


class SimulationSettings(_Section):
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


class Settings(_Section):
    """Everything that can be set."""

    stakes: StakeSettings = StakeSettings()
    limits: LimitSettings = LimitSettings()
    exits: ExitSettings = ExitSettings()
    unfilled: UnfilledSettings = UnfilledSettings()
    engine: EngineSettings = EngineSettings()
    strategy: StrategySettings = StrategySettings()
    venue: VenueSettings = VenueSettings()
    redemption: RedemptionSettings = RedemptionSettings()
    simulation: SimulationSettings = SimulationSettings()

    @property
    def digest(self) -> str:
        """Names these settings, whatever file they came from and however its numbers were written."""
        return hashlib.sha256(msgspec.json.encode(_by_value(self.model_dump()), order="deterministic")).hexdigest()

    @property
    def rules(self) -> Rules:
        limits, engine = self.limits, self.engine
        return Rules(
            limits=Limits(
                max_order=usd(limits.max_order_usd),
                max_market=usd(limits.max_market_usd),
                max_total=usd(limits.max_total_usd),
                max_open_positions=limits.max_open_positions,
                max_daily_loss=usd(limits.max_daily_loss_usd),
                max_spread=price(limits.max_spread),
                min_edge=micro(limits.min_edge_usd),
                min_time_left=seconds(limits.min_time_left_seconds),
            ),
            stakes=StakeRules(
                fraction=_part(self.stakes.bet_percent),
                max_stake=usd(self.stakes.max_stake_usd),
            ),
            book_patience=seconds(engine.book_patience_seconds),
            doubt_patience=seconds(engine.doubt_patience_seconds),
            reading_every=seconds(engine.reading_every_seconds),
            drift_confirmed_after=seconds(engine.drift_confirmed_after_seconds),
            max_clock_offset=seconds(engine.max_clock_offset_seconds),
            auto_adjust=_part(engine.auto_adjust_percent),
            unfilled=self._unfilled,
        )

    @property
    def _unfilled(self) -> UnfilledRules | None:
        own = self.unfilled
        if not own.cancel_orders:
            return None
        return UnfilledRules(
            timeout=seconds(own.timeout_seconds),
            threshold=_part(own.cancel_threshold_percent),
            retries=own.retry_on_winning_side,
            retry_above=_part(own.retry_above_percent),
        )

    @property
    def exit_policy(self) -> ExitPolicy:
        exits = self.exits
        stop = StopPolicy(
            price=price(exits.stop_price) if exits.stop_price else None,
            distance=price(exits.stop_distance),
            fraction=_part(exits.stop_percent) if exits.stop_percent else None,
            min_age=seconds(exits.stop_min_age_seconds),
            slippage=price(exits.stop_slippage),
            time_in_force=TimeInForce(exits.stop_order),
        )
        break_even = BreakEvenPolicy(arm=_part(exits.break_even_arm_percent), slippage=price(exits.stop_slippage))
        return ExitPolicy(
            target=price(exits.target) if exits.target else None,
            min_age=seconds(exits.min_age_seconds),
            hold_last=seconds(exits.hold_last_seconds),
            stop=stop if exits.stop_price or exits.stop_percent else None,
            break_even=break_even if exits.break_even_arm_percent else None,
            profit=_part(exits.take_profit_percent) if exits.take_profit_percent else None,
            ladder=tuple(Rung(seconds(before), RungAction(action)) for before, action in exits.ladder),
            pairs_need_no_stop=exits.pairs_need_no_stop,
        )

    @property
    def chosen_strategy(self) -> Strategy:
        """The strategy that `strategy.name` names."""
        return self.tilted_prior

    @property
    def tilted_prior(self) -> TiltedPrior:
        own = self.strategy.tilted_prior
        return TiltedPrior(
            momentum_weight=own.momentum_weight,
            imbalance_weight=own.imbalance_weight,
            min_edge=micro(own.min_edge_usd),
            earliest=seconds(own.earliest_seconds),
            latest=seconds(own.latest_seconds),
            min_price=price(own.min_price),
            max_price=price(own.max_price),
            every=seconds(own.every_seconds),
            depth=own.depth_levels,
            exits=self.exit_policy,
        )


def load_settings(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file, the environment on top; raises `BadSettings`."""
    text, place = ("", "defaults") if path is None else (_text_of(path), str(path))
    return settings_from(text, place, environment)


def demo_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings shipped for the demo, the environment on top."""
    text = resources.files("polystra.app").joinpath("demo.toml").read_text(encoding="utf-8")
    return settings_from(text, "demo.toml", environment)


def settings_from(text: str, place: str, environment: Mapping[str, str]) -> Settings:
    """The settings written in TOML (JSON in a `.json` file), the environment on top; raises `BadSettings` naming every
    fault."""
    try:
        written = msgspec.json.decode(text, type=dict[str, Any]) if place.endswith(".json") else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        raise BadSettings(f"{place}: not TOML, or JSON where the name ends in .json: {error}") from None
    ours = {name: value for name, value in sorted(environment.items()) if name.startswith(PREFIX)}
    for name, value in ours.items():
        _put(written, _path_of(name), _read(value))
    try:
        return Settings.model_validate(written)
    except ValidationError as error:
        raise BadSettings("\n".join(_fault_line(place, text, fault, ours) for fault in error.errors())) from None


def stored_settings(json: str) -> Settings:
    """The settings that a journal was written with; raises `BadSettings` when this version no longer knows them."""
    try:
        return Settings.model_validate_json(json)
    except ValidationError as error:
        raise BadSettings("\n".join(_fault_line("journal", "", fault) for fault in error.errors())) from None


def strategy_digest(strategy: Strategy) -> str:
    """Names a strategy by its class and its settings, which are all that it is."""
    content = msgspec.json.encode((type(strategy).__qualname__, strategy), order="deterministic")
    return hashlib.sha256(content).hexdigest()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: cannot be read ({error}); name a TOML file with --settings") from None


def _part(percent: Decimal) -> int:
    """A percentage in millionths."""
    return int(percent * MICRO / 100)


def _by_value(tree: Any) -> Any:
    """Numbers as their shortest text: 5, 5.0 and 5.00 are one setting."""
    if isinstance(tree, dict):
        return {name: _by_value(value) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_by_value(value) for value in tree]
    if isinstance(tree, bool) or not isinstance(tree, int | float | Decimal):
        return tree
    return str(Decimal(str(tree)).normalize())


def _path_of(variable: str) -> list[str]:
    return variable.removeprefix(PREFIX).lower().split("__")


def _read(value: str) -> Any:
    """A list, or a text in quotes, is written as in TOML; any other value is read by its setting."""
    with suppress(tomllib.TOMLDecodeError):
        if value.startswith(("[", '"')):
            return tomllib.loads(f"value = {value}")["value"]
    return value


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        branch = tree.setdefault(name, {})
        if not isinstance(branch, dict):
            return
        tree = branch
    tree[path[-1]] = value


def _fault_line(place: str, text: str, fault: Any, environment: Iterable[str] = ()) -> str:
    path = [str(part) for part in fault["loc"]]
    name = ".".join(path)
    variable = next((one for one in environment if _path_of(one) == path[: len(_path_of(one))]), None)
    where = f"environment {variable}" if variable else f"{place}{line_of(text, path)}"
    if fault["type"] == "extra_forbidden":
        known = ", ".join(_names_beside(path))
        return f"{where}: unknown setting {name}; known here: {known}"
    return f"{where}: {name} = {fault['input']!r}: {fault['msg']}"


def _names_beside(path: list[str]) -> list[str]:
    """The names that may stand where an unknown one stood."""
    model: type[BaseModel] = Settings
    for part in path[:-1]:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        if not isinstance(inner, type) or not issubclass(inner, BaseModel):
            return []
        model = inner
    return list(model.model_fields)
