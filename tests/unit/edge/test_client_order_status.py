"""One word for how an order stands, from whatever word the venue uses."""

import pytest

from polystra.core.ids import TradeId, VenueOrderId
from polystra.core.terms import Liquidity, Side, TradeStage
from polystra.core.units import Instant, Shares, price, shares
from polystra.edge.polymarket.order_status import OrderStatus as Stands
from polystra.edge.polymarket.order_status import absent_status, order_status, status_word
from polystra.edge.polymarket.wire import Fill
from tests.edge.exchange_cases import CONDITION, UP

WORDS = [
    ("LIVE", Stands.LIVE),
    ("live", Stands.LIVE),
    ("ORDER_STATUS_LIVE", Stands.LIVE),
    ("MATCHED", Stands.MATCHED),
    ("order_status_matched", Stands.MATCHED),
    ("delayed", Stands.DELAYED),
    ("unmatched", Stands.UNMATCHED),
    ("CANCELED", Stands.CANCELED),
    ("Cancelled", Stands.CANCELED),
    ("ORDER_STATUS_CANCELED_MARKET_RESOLVED", Stands.CANCELED),
    ("CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed.", Stands.CANCELED),
    ("CANCELED_EXPIRED_ORDER", Stands.EXPIRED),
    ("EXPIRED", Stands.EXPIRED),
    ("FILLED", Stands.ERROR),
    ("NOT_FOUND", Stands.ERROR),
    ("INVALID", Stands.ERROR),
    ("something new", Stands.ERROR),
    ("", Stands.ERROR),
]


def fill(amount: str, stage: TradeStage = TradeStage.MINED, trade: str = "t") -> Fill:
    return Fill(
        trade=TradeId(trade),
        order=VenueOrderId("0x" + "ab" * 32),
        market=CONDITION,
        token=UP,
        side=Side.BUY,
        price=price("0.5"),
        shares=shares(amount),
        liquidity=Liquidity.MAKER,
        stage=stage,
        matched_at=Instant(0),
    )


ANSWERS_ARE_DATA = "a table over what the venue may say; there is nothing of it that an exchange could have"


@pytest.mark.spec("S13.A1", pure=ANSWERS_ARE_DATA)
@pytest.mark.parametrize(("word", "status"), WORDS)
def test_each_word_of_the_venue_is_one_status(word: str, status: Stands) -> None:
    assert status_word(word) is status
    assert order_status(word, size=shares("10"), matched=shares("4")) is status


@pytest.mark.spec("S13.A1", pure=ANSWERS_ARE_DATA)
@pytest.mark.parametrize("word", ["LIVE", "MATCHED", "order_status_matched"])
@pytest.mark.parametrize(
    ("matched", "fills", "filled"),
    [
        ("10", [], True),
        ("10", [fill("10")], True),
        ("9.990001", [], True),
        ("9.99", [], False),
        ("0", [], False),
        ("10", [fill("6"), fill("4", TradeStage.FAILED, "u")], False),
        ("10", [fill("6"), fill("4", TradeStage.RETRYING, "u")], True),
    ],
)
def test_filled_is_matched_whole_and_no_trade_failed(word: str, matched: str, fills: list[Fill], filled: bool) -> None:
    status = order_status(word, size=shares("10"), matched=shares(matched), fills=fills)
    assert status is (Stands.FILLED if filled else status_word(word))


@pytest.mark.spec("S13.A1", pure=ANSWERS_ARE_DATA)
@pytest.mark.parametrize("word", ["DELAYED", "UNMATCHED", "CANCELED", "CANCELED_EXPIRED_ORDER", "nonsense", ""])
def test_no_other_word_becomes_filled_however_much_matched(word: str) -> None:
    assert order_status(word, size=shares("10"), matched=shares("10")) is status_word(word)


@pytest.mark.spec("S13.A1", pure=ANSWERS_ARE_DATA)
@pytest.mark.parametrize(
    ("fills", "size", "status"),
    [
        ([], shares("10"), Stands.NOT_FOUND),
        ([], None, Stands.NOT_FOUND),
        ([fill("10")], shares("10"), Stands.FILLED),
        ([fill("6"), fill("4", trade="u")], shares("10"), Stands.FILLED),
        ([fill("6")], shares("10"), Stands.MATCHED),
        ([fill("10")], None, Stands.MATCHED),
        ([fill("10", TradeStage.FAILED)], shares("10"), Stands.MATCHED),
    ],
)
def test_an_order_that_is_not_shown_is_judged_by_its_trades(
    fills: list[Fill], size: Shares | None, status: Stands
) -> None:
    assert absent_status(fills, size=size) is status
