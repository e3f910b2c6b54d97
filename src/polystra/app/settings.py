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
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from polystra.app.setting_sections import (
    EngineSettings,
    ExitSettings,
    LimitSettings,
    MergingSettings,
    RedemptionSettings,
    ReversalSettings,
    RewardSettings,
    ScaleInSettings,
    Section,
    SimulationSettings,
    StakeSettings,
    StrategySettings,
    UnfilledSettings,
    VenueSettings,
)
from polystra.app.toml_lines import line_of
from polystra.core.errors import PolystraError
from polystra.core.reversal import ReversalRules
from polystra.core.risk import Limits
from polystra.core.rules import Rules
from polystra.core.scale_in import ScaleInRules
from polystra.core.sizing import StakeRules
from polystra.core.strategies.tilted_prior import TiltedPrior
from polystra.core.strategy import (
    BreakEvenPolicy,
    ExitPolicy,
    RewardPolicy,
    RewardRule,
    Rung,
    RungAction,
    StopPolicy,
    Strategy,
)
from polystra.core.terms import TimeInForce
from polystra.core.unfilled import UnfilledRules
from polystra.core.units import MICRO, micro, price, seconds, shares, usd

PREFIX = "POLYSTRA__"


class BadSettings(PolystraError):
    """Settings that cannot be used; one line for each fault, naming the place, the value and what is allowed."""


class Settings(Section):
    """Everything that can be set."""

    stakes: StakeSettings = StakeSettings()
    limits: LimitSettings = LimitSettings()
    exits: ExitSettings = ExitSettings()
    rewards: RewardSettings = RewardSettings()
    unfilled: UnfilledSettings = UnfilledSettings()
    scale_in: ScaleInSettings = ScaleInSettings()
    reversal: ReversalSettings = ReversalSettings()
    engine: EngineSettings = EngineSettings()
    strategy: StrategySettings = StrategySettings()
    venue: VenueSettings = VenueSettings()
    redemption: RedemptionSettings = RedemptionSettings()
    merging: MergingSettings = MergingSettings()
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
            adopts=engine.outside_positions == "manage",
            unfilled=self._unfilled,
            scale_in=self._scale_in,
            reversal=self._reversal,
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
    def _scale_in(self) -> ScaleInRules | None:
        own = self.scale_in
        if not own.enabled:
            return None
        return ScaleInRules(
            time_left=seconds(own.time_left_seconds),
            min_price=price(own.min_price),
            max_price=price(own.max_price),
            multiplier=micro(own.multiplier),
            rests=own.order == "rest",
        )

    @property
    def _reversal(self) -> ReversalRules | None:
        own = self.reversal
        if not own.after_stop and not own.hedged:
            return None
        return ReversalRules(
            after_stop=own.after_stop,
            hedged=own.hedged,
            within=seconds(own.within_seconds),
            sell_at=price(own.hedged_sell_at),
            sell_after=seconds(own.hedged_sell_after_seconds),
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
            keep_pairs=shares(self.merging.min_pairs) if self.merging.enabled else None,
            rewards=self._rewards,
        )

    @property
    def _rewards(self) -> RewardPolicy | None:
        own = self.rewards
        if not own.watch and own.rule == "off":
            return None
        return RewardPolicy(
            rule=RewardRule(own.rule),
            min_mid=price(own.min_midpoint),
            min_price=price(own.min_price),
            offset=price(own.price_offset),
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
