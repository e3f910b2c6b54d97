"""What settings become: digests, stored text, and the values that everything is built from."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polystra.app.settings import (
    BadSettings,
    Settings,
    demo_settings,
    settings_from,
    stored_settings,
    strategy_digest,
)
from polystra.app.world_rules import world_rules
from polystra.core.reversal import ReversalRules
from polystra.core.risk import Limits
from polystra.core.rules import Rules
from polystra.core.scale_in import ScaleInRules
from polystra.core.sizing import StakeRules
from polystra.core.strategies.tilted_prior import TiltedPrior
from polystra.core.strategy import BreakEvenPolicy, ExitPolicy, RewardPolicy, RewardRule, Rung, RungAction, StopPolicy
from polystra.core.terms import TimeInForce
from polystra.core.unfilled import UnfilledRules
from polystra.core.units import Nanos, Price, Usd, price, seconds, shares, usd
from polystra.sim.latency import Delays, Span
from tests.settings_cases import OTHER, variable

# --- what a journal keeps


def test_stored_settings_are_read_back_the_same() -> None:
    settings = demo_settings({})
    again = stored_settings(settings.model_dump_json())
    assert again == settings
    assert again.digest == settings.digest


def test_stored_settings_of_another_version_are_refused_by_name() -> None:
    with pytest.raises(BadSettings, match=r"journal: unknown setting stakes\.kelly"):
        stored_settings('{"stakes": {"kelly": 1}}')


def test_the_digest_is_of_the_numbers_and_not_of_how_they_were_written() -> None:
    written = (
        "[stakes]\nbet_percent = 5.0\nmax_stake_usd = 500.00\n[exits]\nstop_price = 0.3\n[limits]\n"
        "min_time_left_seconds = 15.0\n"
    )
    same = settings_from(written, "my.toml", {"POLYSTRA__EXITS__TARGET": "0.990"})
    assert same == Settings()
    assert same.digest == Settings().digest


@pytest.mark.parametrize("name", OTHER)
def test_the_digest_feels_every_setting(name: str) -> None:
    assert settings_from("", "defaults", {variable(name): OTHER[name]}).digest != Settings().digest


def test_the_digest_is_hex() -> None:
    assert re.fullmatch("[0-9a-f]{64}", Settings().digest)


def test_a_strategys_digest_feels_its_settings_and_its_class() -> None:
    own = Settings().tilted_prior
    other = settings_from("[strategy.tilted_prior]\ndepth_levels = 6\n", "my.toml", {}).tilted_prior
    assert strategy_digest(own) == strategy_digest(Settings().tilted_prior)
    assert strategy_digest(own) != strategy_digest(other)


# --- the values that everything is built from

EVERYTHING = settings_from("", "defaults", {variable(name): value for name, value in OTHER.items()})


def test_the_rules_are_the_settings_to_the_millionth_and_the_nanosecond() -> None:
    assert EVERYTHING.rules == Rules(
        limits=Limits(
            max_order=Usd(1_000_000),
            max_market=Usd(2_000_000),
            max_total=Usd(3_000_000),
            max_open_positions=7,
            max_daily_loss=Usd(5_500_000),
            max_spread=Price(70_000),
            min_edge=-1_000,
            min_time_left=Nanos(1_500_000_000),
        ),
        stakes=StakeRules(fraction=25_000, max_stake=Usd(12_340_000)),
        book_patience=Nanos(3_000_000_000),
        doubt_patience=Nanos(4_000_000_000),
        reading_every=Nanos(5_000_000_000),
        drift_confirmed_after=Nanos(6_000_000_000),
        auto_adjust=5_000,
        max_clock_offset=seconds(3),
        adopts=False,
        unfilled=None,
        scale_in=None,
        reversal=ReversalRules(
            after_stop=True, hedged=True, within=seconds(10), sell_at=price("0.2"), sell_after=seconds(60)
        ),
    )


def test_the_rules_of_unfilled_entries_are_the_settings() -> None:
    changed = {name: value for name, value in OTHER.items() if name.startswith("unfilled.")}
    del changed["unfilled.cancel_orders"]
    rules = settings_from("", "defaults", {variable(name): value for name, value in changed.items()}).rules
    assert rules.unfilled == UnfilledRules(timeout=seconds(120), threshold=125_000, retries=False, retry_above=70_000)


def test_unfilled_entries_are_given_up_unless_that_is_switched_off() -> None:
    assert Settings().rules.unfilled == UnfilledRules()


def test_the_rules_of_additions_are_the_settings() -> None:
    changed = {name: value for name, value in OTHER.items() if name.startswith("scale_in.")}
    del changed["scale_in.enabled"]
    rules = settings_from("", "defaults", {variable(name): value for name, value in changed.items()}).rules
    assert rules.scale_in == ScaleInRules(
        time_left=seconds(300), min_price=price("0.5"), max_price=price("0.8"), multiplier=1_000_000, rests=True
    )


def test_positions_are_added_to_and_not_reversed_unless_that_is_switched() -> None:
    assert Settings().rules.scale_in == ScaleInRules()
    assert Settings().rules.reversal is None
    assert settings_from("[scale_in]\nenabled = false\n", "my.toml", {}).rules.scale_in is None


@pytest.mark.parametrize(("after_stop", "hedged"), [(True, False), (False, True), (True, True)])
def test_each_reversal_is_switched_on_alone(after_stop: bool, hedged: bool) -> None:
    text = f"[reversal]\nafter_stop = {after_stop}\nhedged = {hedged}\n".lower()
    rules = settings_from(text, "my.toml", {}).rules
    assert rules.reversal == ReversalRules(after_stop=after_stop, hedged=hedged)


def test_the_exit_policy_is_the_settings() -> None:
    assert EVERYTHING.exit_policy == ExitPolicy(
        target=price("0.95"),
        min_age=seconds(0.25),
        hold_last=seconds(45),
        stop=StopPolicy(
            price=price("0.2"),
            distance=price("0.05"),
            fraction=333_333,
            min_age=seconds(1),
            slippage=price("0.01"),
            time_in_force=TimeInForce.FOK,
        ),
        break_even=BreakEvenPolicy(arm=200_000, slippage=price("0.01")),
        profit=125_000,
        ladder=(Rung(seconds(60), RungAction.SELL_INTO_BIDS), Rung(seconds(20), RungAction.HOLD)),
        pairs_need_no_stop=True,
        keep_pairs=shares("2.5"),
        rewards=RewardPolicy(
            rule=RewardRule.WORTH_IT, min_mid=price("0.8"), min_price=price("0.85"), offset=price("0.02")
        ),
    )


def test_rewards_are_not_watched_by_default() -> None:
    assert Settings().exit_policy.rewards is None


@pytest.mark.parametrize(("name", "value"), [("watch", "true"), ("rule", '"original"')])
def test_either_switch_has_rewards_watched(name: str, value: str) -> None:
    policy = settings_from("", "defaults", {variable(f"rewards.{name}"): value}).exit_policy.rewards
    assert policy == RewardPolicy(rule=RewardRule.OFF if name == "watch" else RewardRule.ORIGINAL)


def test_break_even_profit_and_ladder_are_off_by_default() -> None:
    policy = Settings().exit_policy
    assert (policy.break_even, policy.profit, policy.ladder, policy.pairs_need_no_stop) == (None, None, (), False)


@pytest.mark.parametrize(
    ("text", "target", "by_price", "by_part"),
    [
        ("target = 0", None, price("0.30"), None),
        ("stop_price = 0\nstop_percent = 40", price("0.99"), None, 400_000),
        ("stop_price = 0.25\nstop_percent = 40", price("0.99"), price("0.25"), 400_000),
    ],
)
def test_an_exit_of_zero_is_off(text: str, target: Price | None, by_price: Price | None, by_part: int | None) -> None:
    policy = settings_from(f"[exits]\n{text}\n", "my.toml", {}).exit_policy
    assert policy.target == target
    assert policy.stop is not None
    assert (policy.stop.price, policy.stop.fraction) == (by_price, by_part)


def test_both_stops_off_is_no_stop() -> None:
    assert settings_from("[exits]\nstop_price = 0\n", "my.toml", {}).exit_policy.stop is None


def test_the_strategy_is_the_settings_and_has_their_exits() -> None:
    assert EVERYTHING.tilted_prior == EVERYTHING.chosen_strategy == TiltedPrior(
        momentum_weight=0.7,
        imbalance_weight=-0.3,
        min_edge=10_000,
        earliest=seconds(61),
        latest=seconds(121),
        min_price=price("0.2"),
        max_price=price("0.8"),
        every=seconds(2.5),
        depth=3,
        exits=EVERYTHING.exit_policy,
    )  # fmt: skip


def test_the_pretend_venue_is_the_settings() -> None:
    rules = world_rules(EVERYTHING, seed=4)
    assert (rules.seed, rules.starting_cash, rules.taker_hold) == (4, usd(77), seconds(0.008))
    assert rules.resolve_after == seconds(9)
    assert rules.delays == Delays(
        submit=Span(Nanos(1_000_000), Nanos(2_500_000)),
        answer=Span(Nanos(3_000_000), Nanos(4_000_000)),
        user=Span(Nanos(5_000_000), Nanos(6_000_000)),
        market=Span(Nanos(5_000_000), Nanos(6_000_000)),
    )


@given(st.integers(1, 1_000_000))
def test_a_percentage_is_a_whole_number_of_millionths_without_rounding(parts: int) -> None:
    """Four decimals of a percent are one millionth."""
    settings = settings_from("", "defaults", {"POLYSTRA__STAKES__BET_PERCENT": f"{Decimal(parts).scaleb(-4):f}"})
    assert settings.rules.stakes.fraction == parts
