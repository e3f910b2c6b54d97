"""What a window is when its recording does not say."""

import pytest

from polystra.core.markets import Generation, PriceSource
from polystra.core.terms import Outcome
from polystra.core.units import Price, Shares, Tick, price, shares
from polystra.edge.tapes.facts import window_market, window_of

MINUTE = 60_000_000_000


def test_a_slug_states_asset_length_start_and_end() -> None:
    series, start, end = window_of("eth-updown-15m-1790586000")
    assert (series.asset, series.length) == ("ETH", 15 * MINUTE)
    assert (start, end - start) == (1_790_586_000_000_000_000, 15 * MINUTE)


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "fed-decision",
        "btc-updown-15m-1790586001",
        "btc-updown-0m-1790586000",
        "btc-updown-5m-17760816000000",
        "bitcoin-up-or-down-april-20-2026-10am-et",
    ],
)
def test_other_slugs_are_refused(slug: str) -> None:
    with pytest.raises(ValueError, match=r"slug|cannot start"):
        window_of(slug)


@pytest.mark.parametrize(
    ("slug", "source"),
    [
        ("btc-updown-5m-1776081600", PriceSource.CHAINLINK_SPOT),
        ("btc-updown-15m-1786060800", PriceSource.CHAINLINK_TWAP_60),
        ("btc-updown-5m-1786060500", PriceSource.CHAINLINK_SPOT),
        ("btc-updown-5m-1786060800", None),
        ("btc-updown-5m-1786665600", PriceSource.CHAINLINK_TWAP_60),
        ("btc-updown-4h-1790582400", PriceSource.CHAINLINK_TWAP_60),
        ("btc-updown-1h-1790582400", PriceSource.BINANCE_CANDLE),
    ],
)
def test_the_settlement_source_follows_the_date_and_the_series(slug: str, source: PriceSource | None) -> None:
    market = window_market(slug, condition="0xab", tokens={})
    assert market.settlement is source
    assert any(words.startswith("settlement: ") for words in market.assumptions)


def test_missing_facts_come_from_the_protocol_and_are_named() -> None:
    market = window_market("btc-updown-5m-1776081600", condition=None, tokens={})

    assert (market.tick, market.min_shares) == (Tick(price("0.01")), shares(5))
    assert market.fees is not None
    assert (market.fees.rate, market.fees.exponent, market.fees.rebate_rate) == (70_000, 1, 200_000)
    assert market.generation is Generation.CLOB_V2
    assert [words.split(":")[0] for words in market.assumptions] == [
        "condition id",
        "Up token id",
        "Down token id",
        "tick",
        "minimum size",
        "fees",
        "generation",
        "settlement",
    ]
    assert "uncertain" in market.assumptions[5], "April 2026 was before CLOB V2"


def test_derived_ids_are_always_the_same_and_look_like_the_venues() -> None:
    one, again = (window_market("btc-updown-5m-1776081600", condition=None, tokens={}) for _ in range(2))
    other = window_market("btc-updown-5m-1776081900", condition=None, tokens={})

    assert (one.id, one.up_token, one.down_token) == (again.id, again.up_token, again.down_token)
    assert len({one.up_token, one.down_token, other.up_token, other.down_token}) == 4
    assert len(one.id) == 66
    assert int(one.up_token) < 1 << 256


def test_facts_of_the_recording_are_taken_and_not_named() -> None:
    market = window_market(
        "btc-updown-5m-1790586000",
        condition="0xab",
        tokens={Outcome.UP: "11", Outcome.DOWN: "12"},
        tick=Price(1_000),
        min_shares=Shares(1_000_000),
        assumed=("something else",),
    )
    assert (market.id, market.up_token, market.down_token, market.tick.size) == ("0xab", "11", "12", 1_000)
    assert [words.split(":")[0] for words in market.assumptions] == [
        "something else",
        "fees",
        "generation",
        "settlement",
    ]
    assert "uncertain" not in market.assumptions[1]
