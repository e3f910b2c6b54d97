"""The windows of the whole demo that the README points at show what it says of them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.edge.cli_cases import polystra

README = Path(__file__).resolve().parents[2] / "README.md"


def _targets(lines: list[str]) -> list[float]:
    return [float(found[1]) for line in lines if (found := re.search(r"new: target SELL \w+ ([\d.]+) @", line))]


def _follows(lines: list[str]) -> bool:
    """A target for what was bought at first, then one for all of it."""
    bought = [float(found[1]) for line in lines if (found := re.search(r"bought ([\d.]+) ", line))]
    grown = any("new: scale-in BUY" in line for line in lines)
    return grown and len(bought) > 1 and _targets(lines)[0] == bought[0] and _targets(lines)[-1] == sum(bought)


def _any(words: str) -> Callable[[list[str]], bool]:
    return lambda lines: any(re.search(words, line) for line in lines)


def _lost(lines: list[str]) -> bool:
    """Held to its end, for nothing."""
    sold = any("sold" in line for line in lines)
    return not sold and any(re.search(r"settled: \w+ won, P&L -[\d.]+ USD  \[", line) for line in lines)


SHOWS: Mapping[str, Callable[[list[str]], bool]] = {
    "an exit filled": _any(r"sold [\d.]+ \w+ @ 0\.99 as maker"),
    "a stop": _any(r"new: stop SELL"),
    "a scale-in, and the exit that follows it": _follows,
    "an unfilled order given up": _any(r"given up unfilled: too old"),
    "a settlement that pays": _any(r"settled: .* USD to redeem"),
    "a settlement that pays nothing": _lost,
}


@pytest.fixture(scope="module")
def said() -> list[str]:
    ran = polystra("demo", "--in-process")
    assert ran.code == 0, ran.err
    return ran.out.splitlines()


def test_each_window_that_the_readme_points_at_shows_what_it_says(said: list[str]) -> None:
    rows = re.findall(r"^\| (an? [^|]+?) \| (BTC 15m [\d:]+) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert [what for what, _ in rows] == list(SHOWS)
    for what, window in rows:
        lines = [line for line in said if f" {window}  " in line]
        assert SHOWS[what](lines), f"{window} does not show {what}"


def test_no_window_shows_what_it_does_not() -> None:
    assert not any(shows(["12:46:00  BTC 15m 12:45  stand aside: too early"]) for shows in SHOWS.values())
