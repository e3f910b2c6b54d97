"""What can be set, from where, and how a mistake is said."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from polystra.app.demo import changed_settings
from polystra.app.settings import (
    BadSettings,
    Settings,
    demo_settings,
    load_settings,
    settings_from,
)
from tests.settings_cases import OTHER, variable

NOT_ALONE = {"strategy.name", "venue.orders_at_stop"}
"""There is one strategy to name, and orders are kept only where no heart beats."""


def said(text: str = "", **environment: str) -> list[str]:
    with pytest.raises(BadSettings) as refused:
        settings_from(text, "my.toml", environment)
    return str(refused.value).splitlines()


def leaves(tree: dict[str, Any], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in tree.items():
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}"}
    return found


# --- where settings come from


def test_nothing_said_is_every_default() -> None:
    assert load_settings(environment={}) == Settings() == settings_from("", "my.toml", {})


def test_every_setting_is_tried_below() -> None:
    assert leaves(Settings().model_dump()) == set(OTHER) | NOT_ALONE


@pytest.mark.parametrize("name", OTHER)
def test_a_setting_in_a_file_changes_itself_alone(name: str) -> None:
    table, key = name.rsplit(".", 1)
    changed = settings_from(f"[{table}]\n{key} = {OTHER[name]}\n", "my.toml", {})
    assert [one.name for one in changed_settings(changed)] == [name]


@pytest.mark.parametrize("name", OTHER)
def test_a_setting_in_the_environment_is_the_same_as_in_a_file(name: str) -> None:
    table, key = name.rsplit(".", 1)
    in_file = settings_from(f"[{table}]\n{key} = {OTHER[name]}\n", "my.toml", {})
    assert settings_from("", "defaults", {variable(name): OTHER[name]}) == in_file


def test_the_environment_stands_above_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("[stakes]\nbet_percent = 3\nmax_stake_usd = 9\n")
    settings = load_settings(path, {"POLYSTRA__STAKES__BET_PERCENT": "4"})
    assert settings.stakes.bet_percent == 4
    assert settings.stakes.max_stake_usd == 9, "the rest of the table stays"


def test_settings_that_a_run_has_kept_are_read_from_its_json_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(demo_settings({}).model_dump_json())
    assert load_settings(path, {}) == demo_settings({})
    assert load_settings(path, {"POLYSTRA__STAKES__BET_PERCENT": "4"}).stakes.bet_percent == 4


def test_other_variables_are_none_of_our_business() -> None:
    others = {"PATH": "/bin", "POLYSTRA_RECORDINGS": "here", "polystra__stakes__bet_percent": "9"}
    assert settings_from("", "defaults", others) == Settings()


def test_the_demo_differs_from_the_defaults_in_what_it_says_and_in_nothing_else() -> None:
    assert {one.name for one in changed_settings(demo_settings({}))} == {
        "limits.min_edge_usd",
        "strategy.tilted_prior.min_edge_usd",
        "venue.notifications_every_seconds",
        "exits.hold_last_seconds",
        "scale_in.order",
    }


def test_the_environment_stands_above_the_demo_too() -> None:
    assert demo_settings({"POLYSTRA__LIMITS__MIN_EDGE_USD": "0.5"}).limits.min_edge_usd == Decimal("0.5")


def test_settings_cannot_be_changed_once_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().stakes.bet_percent = Decimal(50)


def test_orders_are_kept_at_a_stop_where_no_heart_beats() -> None:
    kept = settings_from('[venue]\nheartbeat = false\norders_at_stop = "keep"\n', "my.toml", {})
    assert [one.name for one in changed_settings(kept)] == ["venue.heartbeat", "venue.orders_at_stop"]


# --- mistakes


@pytest.mark.parametrize("heartbeat", ["", "heartbeat = true\n"], ids=["by default", "by name"])
def test_orders_cannot_be_kept_at_a_stop_of_a_heart_that_beats(heartbeat: str) -> None:
    (line,) = said(f'[venue]\n{heartbeat}orders_at_stop = "keep"\n')
    assert line.startswith("my.toml line 1: venue = ")
    assert line.endswith(
        'orders_at_stop = "keep" with heartbeat = true: the venue cancels all orders about 10 s after the last '
        "heartbeat; set heartbeat = false to keep them"
    )


def test_nothing_is_between_two_prices_the_wrong_way_round() -> None:
    (line,) = said("[scale_in]\nmin_price = 0.8\nmax_price = 0.7\n")
    assert line.startswith("my.toml line 1: scale_in = ")
    assert line.endswith("min_price = 0.8 is above max_price = 0.7: nothing is between")
    assert settings_from("[scale_in]\nmin_price = 0.7\nmax_price = 0.7\n", "my.toml", {}).rules.scale_in is not None


def test_an_unknown_name_in_a_file_is_told_with_its_line_and_its_neighbours() -> None:
    (line,) = said("[stakes]\nbet_percent = 3\nmax_stake = 5\n")
    assert line == "my.toml line 3: unknown setting stakes.max_stake; known here: bet_percent, max_stake_usd"


def test_an_unknown_name_below_a_table_in_a_table_knows_its_own_neighbours() -> None:
    (line,) = said("[strategy.tilted_prior]\nweight = 1\n")
    assert line.startswith("my.toml line 2: unknown setting strategy.tilted_prior.weight; known here: momentum_weight,")


def test_an_unknown_table_is_told_with_the_known_ones() -> None:
    (line,) = said("[stake]\nbet_percent = 3\n")
    assert line == (
        "my.toml line 1: unknown setting stake; known here: stakes, limits, exits, rewards, unfilled, scale_in, "
        "reversal, engine, strategy, venue, redemption, merging, simulation"
    )


def test_an_unknown_name_in_the_environment_names_the_variable_and_no_line() -> None:
    (line,) = said("[stakes]\nbet_percent = 3\n", POLYSTRA__STAKES__BET="3")
    assert line == (
        "environment POLYSTRA__STAKES__BET: unknown setting stakes.bet; known here: bet_percent, max_stake_usd"
    )


def test_a_bad_value_from_the_environment_is_not_blamed_on_the_file() -> None:
    (line,) = said("[stakes]\nbet_percent = 3\n", POLYSTRA__STAKES__BET_PERCENT="300")
    assert line.startswith("environment POLYSTRA__STAKES__BET_PERCENT: stakes.bet_percent = '300': ")


def test_the_line_is_that_of_the_right_table_when_two_have_the_same_name() -> None:
    text = "[limits]\nmin_edge_usd = 0.01\n\n[strategy.tilted_prior]\nmin_edge_usd = 7  # too much\n"
    (line,) = said(text)
    assert line.startswith("my.toml line 5: strategy.tilted_prior.min_edge_usd = 7: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("limits.max_order_usd = -1", 1),
        ("\nlimits = { max_order_usd = -1 }", 2),
        ("# limits\n[ limits ]\n  max_order_usd=-1", 3),
    ],
    ids=["dotted", "inline table", "spaces"],
)
def test_the_line_is_found_however_the_table_is_written(text: str, line: int) -> None:
    assert said(text)[0].startswith(f"my.toml line {line}: limits.max_order_usd = -1: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stakes.bet_percent", "0"),
        ("stakes.bet_percent", "100.0001"),
        ("stakes.max_stake_usd", "-0.01"),
        ("stakes.max_stake_usd", "1000000001"),
        ("stakes.max_stake_usd", "0.0000001"),
        ("limits.max_spread", "0"),
        ("limits.max_spread", "1"),
        ("limits.min_edge_usd", "1"),
        ("limits.max_open_positions", "2.5"),
        ("limits.max_open_positions", "-1"),
        ("limits.min_time_left_seconds", "86401"),
        ("limits.min_time_left_seconds", "nan"),
        ("limits.min_time_left_seconds", "inf"),
        ("exits.target", "1"),
        ("exits.stop_percent", "100"),
        ("exits.take_profit_percent", "-1"),
        ("exits.break_even_arm_percent", "10000"),
        ("exits.ladder", '[[20, "hold"], [20, "nothing"]]'),
        ("scale_in.time_left_seconds", "0"),
        ("scale_in.time_left_seconds", "86401"),
        ("scale_in.min_price", "1"),
        ("scale_in.max_price", "-0.1"),
        ("scale_in.multiplier", "0"),
        ("scale_in.multiplier", "100.0001"),
        ("scale_in.order", '"GTC"'),
        ("reversal.within_seconds", "0"),
        ("reversal.within_seconds", "3601"),
        ("reversal.hedged_sell_at", "1"),
        ("reversal.hedged_sell_after_seconds", "-1"),
        ("engine.reading_every_seconds", "0.5"),
        ("strategy.tilted_prior.depth_levels", "0"),
        ("strategy.tilted_prior.momentum_weight", "nan"),
        ("venue.heartbeat", "5"),
        ("venue.orders_at_stop", "'sell'"),
        ("simulation.order_latency_ms", "[1]"),
        ("simulation.order_latency_ms", "[1, 2, 3]"),
        ("simulation.order_latency_ms", "[-1, 2]"),
        ("simulation.taker_hold_ms", "60001"),
    ],
)
def test_a_value_out_of_its_range_is_refused(name: str, value: str) -> None:
    table, key = name.rsplit(".", 1)
    (line,) = said(f"[{table}]\n{key} = {value}\n")
    assert re.match(rf"my\.toml line 2: {re.escape(name)}(\.\d)? = ", line), line


@pytest.mark.parametrize("name", ["order_latency_ms", "answer_latency_ms", "stream_latency_ms"])
def test_a_latency_whose_most_is_below_its_least_is_refused_before_anything_is_built_of_it(name: str) -> None:
    (line,) = said(f"[simulation]\n{name} = [60, 20]\n")
    assert "the first, the least, is above the second, the most" in line
    equal = settings_from(f"[simulation]\n{name} = [20, 20]\n", "my.toml", {})
    assert getattr(equal.simulation, name) == (20, 20)


def test_a_list_that_is_none_in_the_environment_is_refused_as_a_value() -> None:
    (line,) = said(POLYSTRA__SIMULATION__ORDER_LATENCY_MS="[1, 2")
    assert line.startswith("environment POLYSTRA__SIMULATION__ORDER_LATENCY_MS: simulation.order_latency_ms = '[1, 2'")


def test_a_strategy_that_does_not_exist_is_refused_with_those_that_do() -> None:
    (line,) = said("[strategy]\nname = 'martingale'\n")
    assert line == "my.toml line 2: strategy.name = 'martingale': Input should be 'tilted_prior'"


def test_all_mistakes_are_told_at_once() -> None:
    lines = said("[stakes]\nbet_percent = 0\nbet = 1\n", POLYSTRA__LIMITS__MAX_SPREAD="2")
    assert sorted(line.split(":")[0] for line in lines) == [
        "environment POLYSTRA__LIMITS__MAX_SPREAD",
        "my.toml line 2",
        "my.toml line 3",
    ]


def test_a_text_that_is_no_toml_is_refused_with_its_place() -> None:
    (line,) = said("[stakes\nbet_percent = 3\n")
    assert line.startswith("my.toml: not TOML, or JSON where the name ends in .json: ")
    assert "line 1" in line


@pytest.mark.parametrize("text", ["{", "[]", "[stakes]\nbet_percent = 3\n"], ids=["torn", "a list", "TOML"])
def test_a_json_file_that_holds_no_object_is_refused(text: str) -> None:
    with pytest.raises(BadSettings, match=r"^my\.json: not TOML, or JSON where the name ends in \.json: "):
        settings_from(text, "my.json", {})


def test_a_setting_of_a_json_file_is_refused_by_name() -> None:
    with pytest.raises(BadSettings, match=r"^my\.json: stakes\.bet_percent = '300': "):
        settings_from('{"stakes": {"bet_percent": "300"}}', "my.json", {})


def test_json_in_a_file_of_another_name_is_refused() -> None:
    (line,) = said(Settings().model_dump_json())
    assert line.startswith("my.toml: not TOML, ")


@pytest.mark.parametrize("make", ["missing", "folder", "binary"])
def test_a_file_that_cannot_be_read_is_named_with_the_way_out(tmp_path: Path, make: str) -> None:
    path = tmp_path / "my.toml"
    if make == "folder":
        path.mkdir()
    elif make == "binary":
        path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadSettings, match="name a TOML file with --settings") as refused:
        load_settings(path, {})
    assert str(refused.value).startswith(f"{path}: cannot be read (")


def test_a_way_through_what_is_no_table_is_refused_and_not_built() -> None:
    (line,) = said("stakes = 5\n", POLYSTRA__STAKES__BET_PERCENT="3")
    assert line.startswith("my.toml line 1: stakes = 5: ")


def test_a_variable_that_puts_a_number_where_a_table_stands_is_refused() -> None:
    (line,) = said("[stakes]\nbet_percent = 3\n", POLYSTRA__STAKES="5")
    assert line.startswith("environment POLYSTRA__STAKES: stakes = '5': ")


def test_a_variable_below_a_value_is_refused() -> None:
    (line,) = said(POLYSTRA__STAKES__BET_PERCENT__NOW="5")
    assert "stakes.bet_percent = {'now': '5'}: " in line


def test_a_variable_without_a_name_is_refused() -> None:
    (line,) = said(POLYSTRA__="5")
    assert line.startswith("environment POLYSTRA__: unknown setting ")
