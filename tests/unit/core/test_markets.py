from __future__ import annotations

import pytest

from polystra.core.markets import Payout, Phase, Series
from polystra.core.terms import Outcome
from polystra.core.units import Instant, Usd, seconds, usd
from tests.unit.core.samples import NOON, WINDOW


@pytest.mark.parametrize(
    ("asset", "length", "name"),
    [
        ("BTC", 300, "btc-5m"),
        ("ETH", 900, "eth-15m"),
        ("SOL", 3_600, "sol-1h"),
        ("XRP", 14_400, "xrp-4h"),
        ("BTC", 5_400, "btc-90m"),
    ],
)
def test_a_series_is_named_as_the_venue_does(asset: str, length: int, name: str) -> None:
    assert Series(asset, seconds(length)).name == name


def test_series_are_keys() -> None:
    assert {Series("BTC", seconds(900)): 1}[Series("BTC", seconds(900))] == 1
    assert Series("BTC", seconds(900)) != Series("ETH", seconds(900)) != Series("ETH", seconds(300))


@pytest.mark.parametrize(
    ("at", "phase"),
    [
        (NOON - 1, Phase.UPCOMING),
        (NOON, Phase.OPEN),
        (NOON + seconds(900) - 1, Phase.OPEN),
        (NOON + seconds(900), Phase.ENDED),
        (0, Phase.UPCOMING),
    ],
)
def test_a_window_opens_at_its_first_nanosecond_and_ends_at_its_last(at: int, phase: Phase) -> None:
    assert WINDOW.phase(Instant(at)) is phase


def test_each_outcome_has_its_token() -> None:
    assert (WINDOW.token(Outcome.UP), WINDOW.token(Outcome.DOWN)) == (WINDOW.up_token, WINDOW.down_token)


@pytest.mark.parametrize(
    ("up", "down", "winner"), [("1", "0", Outcome.UP), ("0", "1", Outcome.DOWN), ("0.5", "0.5", None)]
)
def test_what_a_share_pays(up: str, down: str, winner: Outcome | None) -> None:
    """A void market pays half of each (`PROTOCOL.md` G), and nobody has won."""
    payout = Payout(usd(up))
    assert (payout.of(Outcome.UP), payout.of(Outcome.DOWN)) == (usd(up), usd(down))
    assert payout.winner is winner


def test_a_pair_pays_one_usd_whatever_the_payout() -> None:
    for up in (0, 1, 333_333, 500_000, 999_999, 1_000_000):
        payout = Payout(Usd(up))
        assert payout.of(Outcome.UP) + payout.of(Outcome.DOWN) == usd(1)
