"""What one share is worth, by its market's book."""

import pytest

from polystra.core.terms import Outcome
from polystra.core.units import price, shares
from polystra.exchange.positions import mark
from polystra.sim.records import Book
from tests.edge.exchange_cases import CONDITION, FACTS


@pytest.mark.parametrize(
    ("bids", "asks", "last", "up", "down"),
    [
        (("0.4",), ("0.5",), "0.9", "0.45", "0.55"),
        (("0.4",), (), "0.9", "0.9", "0.1"),
        (("0.4",), (), None, "0.4", "0.6"),
        ((), ("0.5",), None, "0.5", "0.5"),
        ((), (), None, "0", "0"),
    ],
)
def test_a_share_is_worth_what_its_book_says(
    bids: tuple[str, ...], asks: tuple[str, ...], last: str | None, up: str, down: str
) -> None:
    book = Book(
        market=CONDITION,
        bids=tuple((price(one), shares("1")) for one in bids),
        asks=tuple((price(one), shares("1")) for one in asks),
        tick=FACTS.tick,
        min_shares=FACTS.min_shares,
        last_trade=None if last is None else price(last),
    )
    assert (mark(book, None, Outcome.UP), mark(book, None, Outcome.DOWN)) == (price(up), price(down))
    assert mark(book, price("1"), Outcome.UP) == price("1")
