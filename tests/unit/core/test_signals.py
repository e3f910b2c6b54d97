"""Signals: a score with a direction, or unknown; unknown is never neutral."""

from __future__ import annotations

from typing import Any

import pytest

from polystra.core.events import OwnPrice
from polystra.core.signals import Signal
from polystra.core.signals.book_imbalance import book_imbalance
from polystra.core.signals.market_prior import market_prior
from polystra.core.signals.native_momentum import native_momentum
from polystra.core.terms import Outcome
from polystra.core.units import price
from tests.core_cases import moment
from tests.unit.core.samples import levels, view

UP, DOWN = Outcome.UP, Outcome.DOWN


def points(*mids: str) -> tuple[OwnPrice, ...]:
    return tuple(OwnPrice(moment(60 * index), price(mid)) for index, mid in enumerate(mids))


@pytest.mark.parametrize(
    ("signal", "sign"),
    [(Signal(0.4, UP), 0.4), (Signal(0.4, DOWN), -0.4), (Signal(0.0, None), 0.0), (Signal(1.0, None), 0.0)],
)
def test_a_score_has_a_sign_toward_up(signal: Signal, sign: float) -> None:
    assert signal.toward_up == sign


@pytest.mark.parametrize(
    ("bids", "asks", "signal"),
    [
        ({"p52": "30"}, {"p54": "10"}, Signal(0.5, UP)),
        ({"p52": "10"}, {"p54": "30"}, Signal(0.5, DOWN)),
        ({"p52": "10", "p51": "20"}, {"p54": "10"}, Signal(0.5, UP)),
        ({"p52": "10"}, {"p54": "10"}, Signal(0.0, None)),
        ({}, {"p54": "10"}, None),
        ({"p52": "10"}, {}, None),
    ],
)
def test_the_heavier_side_of_the_book(bids: dict[str, str], asks: dict[str, str], signal: Signal | None) -> None:
    assert book_imbalance(view(bids=levels(**bids), asks=levels(**asks))) == signal


def test_the_imbalance_of_an_untrusted_book_is_unknown() -> None:
    assert book_imbalance(view(trouble="crossed", bids=levels(p52="30"), asks=levels(p54="10"))) is None


@pytest.mark.parametrize(
    ("bid", "ask", "more", "prior"),
    [
        ("0.52", "0.54", {}, 0.53),
        ("0", "0.02", {}, None),
        ("0.98", "1", {}, None),
        ("0.52", "0.54", {"trouble": "silent too long"}, None),
    ],
)
def test_the_prior_is_the_middle_or_unknown(bid: str, ask: str, more: Any, prior: float | None) -> None:
    assert market_prior(view(bid, ask, **more)) == prior


@pytest.mark.parametrize(
    ("mids", "score", "direction"),
    [
        (("0.50", "0.50", "0.50", "0.50", "0.51"), 0.4, UP),
        (("0.50", "0.40", "0.60", "0.40", "0.49"), 0.4, DOWN),
        (("0.50", "0.50", "0.50", "0.50", "0.60"), 1.0, UP),
        (("0.50", "0.50", "0.50", "0.50", "0.5025"), 0.0, None),
        (("0.50", "0.50", "0.50", "0.50", "0.502501"), 0.10004, UP),
        (("0.50", "0.50", "0.50", "0.51"), None, None),
        ((), None, None),
    ],
)
def test_native_momentum(mids: tuple[str, ...], score: float | None, direction: Outcome | None) -> None:
    """SPEC 2 and H4: v first to last, still within half a percent, unknown with fewer than five points."""
    signal = native_momentum(view(own_prices=points(*mids)))
    if score is None:
        assert signal is None
    else:
        assert signal is not None
        assert signal.score == pytest.approx(score)
        assert signal.direction is direction
