"""What is wrong with an order is said before it is sent, and the exchange says the same of it."""

from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from polystra.core.errors import InvalidQuantity
from polystra.core.fees import FeeSchedule
from polystra.core.ids import MarketId, VenueOrderId
from polystra.core.markets import Generation, Market, Series
from polystra.core.reasons import RefusalReason as Why
from polystra.core.terms import OrderTerms, Outcome, Side, TimeInForce
from polystra.core.units import Instant, Price, Shares, Tick, mirror, price, seconds, shares, usd
from polystra.edge.polymarket.amounts import amounts_of
from polystra.edge.polymarket.refusals import refusal_of
from polystra.edge.polymarket.validation import JANUARY_2026, TODAY, OrderRules, Present, faults_of
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.exchange_cases import (
    BOOK,
    CONDITION,
    DOWN,
    LISTING,
    QUICK,
    START,
    UP,
    Running,
    Trader,
    terms,
)

GTC, GTD, FOK, FAK = TimeInForce
CENT, MILLE = Tick(price("0.01")), Tick(price("0.001"))
BUY, SELL = Side

MARKET = Market(
    id=CONDITION,
    slug=LISTING.slug,
    series=Series("BTC", seconds(900)),
    up_token=UP,
    down_token=DOWN,
    start=START,
    end=Instant(START + seconds(900)),
    tick=CENT,
    min_shares=shares("5"),
    fees=FeeSchedule(rate=70_000),
    generation=Generation.CLOB_V2,
)

FORM = {
    Why.OFF_TICK,
    Why.TOO_SMALL,
    Why.WRONG_AMOUNTS,
    Why.BAD_EXPIRY,
    Why.WOULD_CROSS,
    Why.MALFORMED,
}
"""What the venue refuses about an order itself."""


def ending(wanted: OrderTerms, after: float) -> OrderTerms:
    """A GTD order that ends so many seconds from now."""
    return replace(wanted, time_in_force=GTD, expires_at=Instant(START + seconds(after)))


def sized(wanted: OrderTerms, micros: int) -> OrderTerms:
    return replace(wanted, shares=Shares(micros))


class Venue:
    """An exchange whose clock stands still, with a market of some tick."""

    def __init__(self, running: Running, tick: Tick) -> None:
        self.tick = tick
        self._running = running
        self._trader = Trader(running)
        running.fund(self._trader.account, "1000000")
        running.shares(self._trader.account, "10000")
        running.control("POST", "/limits", {"tier": "none"})

    def faults(self, wanted: OrderTerms, rules: OrderRules = TODAY) -> tuple[str, ...]:
        up = wanted.outcome is Outcome.UP
        bid, ask = price("0.49"), price("0.51")
        best = (bid, ask) if up else (mirror(ask), mirror(bid))
        present = Present(tick=self.tick, best_bid=best[0], best_ask=best[1])
        return faults_of(wanted, MARKET, present=present, now=START, rules=rules)

    def verdict(self, wanted: OrderTerms) -> str:
        """What is wrong with the form of an order by the exchange; empty when it has a form."""
        self._running.feed(replace(BOOK, bids=(), asks=()), BOOK)  # what was taken of a level comes back only anew
        amounts = amounts_of(wanted)
        legal = min(amounts.maker, amounts.taker) > 0
        status, text = self._posted(wanted) if legal else self._asked(wanted)
        if status == 200:
            self._trader.call("DELETE", "/cancel-all")
            return ""
        return text if refusal_of(status, text) in FORM else ""

    def _posted(self, wanted: OrderTerms) -> tuple[int, str]:
        status, body = self._trader.place(wanted)
        return status, "" if status == 200 else body["error"]

    def _asked(self, wanted: OrderTerms) -> tuple[int, str]:
        """Behind the wire: no library of ours signs an order for nothing."""
        amounts, venue = amounts_of(wanted), self._running.venue
        submit = sim.Submit(
            account=Account(self._trader.account),
            order=VenueOrderId("0x" + "ee" * 32),
            token=MARKET.token(wanted.outcome),
            side=wanted.side,
            maker_amount=amounts.maker,
            taker_amount=amounts.taker,
            time_in_force=wanted.time_in_force,
        )
        answer = self._running.on_loop(lambda: venue.ask(submit))
        assert isinstance(answer, sim.OrderRejected)
        return answer.http, answer.text


def at(tick: Tick, rules: OrderRules = TODAY) -> Iterator[Venue]:
    facts = replace(LISTING.facts, tick=tick.size, taker_hold=seconds(0))
    with Running(rules=replace(QUICK, gtd_least=rules.gtd_least), stepped=True) as running:
        running.feed(replace(LISTING, facts=facts), BOOK)
        yield Venue(running, tick)


@pytest.fixture(scope="module")
def cent() -> Iterator[Venue]:
    yield from at(CENT)


@pytest.fixture(scope="module")
def mille() -> Iterator[Venue]:
    yield from at(MILLE)


@pytest.fixture(scope="module")
def in_january() -> Iterator[Venue]:
    yield from at(CENT, JANUARY_2026)


def agree(venue: Venue, wanted: OrderTerms, good: bool, rules: OrderRules = TODAY) -> None:
    faults, said = venue.faults(wanted, rules), venue.verdict(wanted)
    assert (not faults, not said) == (good, good), (faults, said)


# --- the table -------------------------------------------------------------------------------------------------------

COMPARED = "each row is judged twice, by us and by the exchange, and what it answers is compared"

ROWS = [
    ("price 0.01", terms(at="0.01"), True),
    ("price 0.99", terms(SELL, at="0.99"), True),
    ("price 0.00", terms(at="0"), False),
    ("price 1.00", terms(at="1"), False),
    ("price 1.00 of a SELL", terms(SELL, at="1"), False),
    ("price 1.01", terms(at="1.01"), False),
    ("between two ticks", terms(at="0.455"), False),
    ("a millionth off", terms(at="0.450001"), False),
    ("size 5", terms(size="5"), True),
    ("size 4.99", terms(size="4.99"), False),
    ("size 5.01", terms(size="5.01"), True),
    ("size 5.001", terms(size="5.001"), False),
    ("size 0", terms(size="0"), False),
    ("size 4.99 of a SELL", terms(SELL, at="0.60", size="4.99"), False),
    ("GTD 180 s ahead", ending(terms(), 180), True),
    ("GTD 179 s ahead", ending(terms(), 179), False),
    ("GTD 180.9 s ahead", ending(terms(), 180.9), True),
    ("GTD 179.9 s ahead", ending(terms(), 179.9), False),
    ("GTD that is over", ending(terms(), -1), False),
    ("resting BUY of 0.05 USD", terms(at="0.01", size="5"), True),
    ("post-only behind the best ask", terms(at="0.50", post_only=True), True),
    ("post-only at the best ask", terms(at="0.51", post_only=True), False),
    ("post-only SELL behind the best bid", terms(SELL, at="0.50", post_only=True), True),
    ("post-only SELL at the best bid", terms(SELL, at="0.49", post_only=True), False),
    ("post-only Down at its best ask", terms(at="0.51", outcome=Outcome.DOWN, post_only=True), False),
    ("FOK BUY for 1.02 USD", terms(at="0.51", size="2", tif=FOK), True),
    ("FOK BUY for 1.00 USD", terms(at="0.50", size="2", tif=FOK), True),
    ("FOK BUY for 0.98 USD", terms(at="0.49", size="2", tif=FOK), False),
    ("FAK BUY of 100 shares in whole cents", terms(at="0.51", size="100", tif=FAK), True),
    ("FAK BUY that rounds within the slack", terms(at="0.51", size="100.01", tif=FAK), True),
    ("FAK BUY that rounds beyond it", terms(at="0.51", size="5.33", tif=FAK), False),
    ("FOK BUY of 4 decimals", sized(terms(at="0.50", tif=FOK), 100_000_100), True),
    ("FOK BUY of 5 decimals", sized(terms(at="0.50", tif=FOK), 100_000_010), False),
    ("FAK SELL of a hundredth", terms(SELL, at="0.49", size="0.01", tif=FAK), True),
    ("FAK SELL of 3 decimals", terms(SELL, at="0.49", size="5.001", tif=FAK), False),
    ("a GTC BUY of 5 that takes for 2.55 USD", terms(at="0.51", size="5"), True),
]


@pytest.mark.spec("S8.A2", pure=COMPARED)
@pytest.mark.parametrize(("wanted", "good"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_at_each_boundary_we_and_the_exchange_say_the_same(cent: Venue, wanted: OrderTerms, good: bool) -> None:
    agree(cent, wanted, good)


@pytest.mark.spec("S8.A2", pure=COMPARED)
@pytest.mark.parametrize(("ahead", "good"), [(61, True), (60, False), (61.5, True), (60.9, False), (180, True)])
def test_by_the_rule_of_january_2026_an_order_may_end_in_61_s_not_in_60(
    in_january: Venue, ahead: float, good: bool
) -> None:
    agree(in_january, ending(terms(), ahead), good, JANUARY_2026)


@pytest.mark.spec("S20.A1", pure=COMPARED)
@pytest.mark.parametrize(
    ("number", "good"),
    [("0.985", True), ("0.9855", False), ("0.001", True), ("0.999", True), ("0.0005", False), ("0.9995", False)],
)
def test_at_tick_0_001_the_grid_is_finer_and_wider(mille: Venue, number: str, good: bool) -> None:
    agree(mille, terms(SELL, at=number), good)


@pytest.mark.parametrize(
    ("wanted", "good"),
    [
        (terms(SELL, at="0.015", size="0.2", tif=FAK), True),
        (terms(SELL, at="0.015", size="0.06", tif=FAK), True),
        (terms(SELL, at="0.015", size="0.03", tif=FAK), False),
        (terms(at="0.515", size="2", tif=FAK), True),
        (terms(at="0.515", size="2.1", tif=FAK), False),
    ],
)
def test_at_tick_0_001_the_amounts_of_an_immediate_order_may_be_too_fine(
    mille: Venue, wanted: OrderTerms, good: bool
) -> None:
    agree(mille, wanted, good)


def test_an_order_that_the_venue_would_read_at_another_price_is_a_fault_of_ours_alone(mille: Venue) -> None:
    """0.05 shares at 0.015 bring 0.00075, of which 0.0007 can be said: to the venue that is an order at 0.014."""
    wanted = terms(SELL, at="0.015", size="0.05", tif=FAK)
    (fault,) = mille.faults(wanted)
    assert fault == "proceeds 0.00075 USD: a FAK SELL asks for 4 decimals, at another price, sell more"
    assert mille.verdict(wanted) == ""


@pytest.mark.parametrize(("size", "good"), [("19.99", False), ("20", True)])
def test_a_resting_buy_that_would_take_costs_a_dollar(size: str, good: bool) -> None:
    """In a book that is offered at 0.05, where the least size costs 0.25 USD."""
    for venue in at(CENT):
        cheap = replace(BOOK, bids=((price("0.01"), shares("5")),), asks=((price("0.05"), shares("500")),))
        wanted = terms(at="0.05", size=size)
        present = Present(tick=CENT, best_bid=price("0.01"), best_ask=price("0.05"))
        assert (faults_of(wanted, MARKET, present=present, now=START) == ()) is good
        venue._running.feed(cheap)
        assert (venue._posted(wanted)[0] == 200) is good
        unknown = Present(tick=CENT)
        assert faults_of(wanted, MARKET, present=unknown, now=START) == ()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    side=st.sampled_from(Side),
    outcome=st.sampled_from(Outcome),
    tif=st.sampled_from([GTC, GTD, FOK, FAK]),
    number=st.one_of(
        st.integers(1, 99).map(lambda n: n * 10_000),
        st.integers(1, 1_200).map(lambda n: n * 1_000),
        st.integers(1, 10**6),
    ),
    size=st.one_of(
        st.integers(1, 5_000).map(lambda n: n * 10_000),
        st.integers(1, 10**6).map(lambda n: n * 100),
        st.integers(1, 10**7),
    ),
    post_only=st.booleans(),
    ahead=st.integers(170, 190),
)
def test_whatever_the_order_we_and_the_exchange_say_the_same_unless_it_reads_another_price(
    cent: Venue, side: Side, outcome: Outcome, tif: TimeInForce, number: int, size: int, post_only: bool, ahead: int
) -> None:
    wanted = replace(
        terms(side, outcome=outcome, tif=tif, post_only=post_only and not tif.immediate),
        price=Price(number),
        shares=Shares(size),
    )
    wanted = ending(wanted, ahead) if tif is GTD else wanted
    faults, said = cent.faults(wanted), cent.verdict(wanted)
    assert bool(faults) == bool(said) or (faults and read_at(wanted, CENT) != wanted.price), (wanted, faults, said)


def read_at(wanted: OrderTerms, tick: Tick) -> int:
    """The price on the grid that is nearest to what the amounts of an immediate order come to. Where it is not the one
    that was asked for, the exchange takes the order at this price, and to us it is a fault."""
    amounts = amounts_of(wanted)
    cash, size = (amounts.maker, amounts.taker) if wanted.side is Side.BUY else (amounts.taker, amounts.maker)
    return (
        round(Fraction(cash * 10**6, size * tick.size)) * tick.size if wanted.time_in_force.immediate else wanted.price
    )


# --- what cannot even be sent ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (
            replace(terms(), expires_at=START),
            f"expires_at {START}: a GTC order has no end, leave it out or make it GTD",
        ),
        (replace(terms(), time_in_force=GTD), "expires_at is missing: a GTD order says when it ends"),
        (terms(at="0.50", size="100", tif=FOK, post_only=True), "post_only: a FOK order never rests, use GTC or GTD"),
        (terms(at="0.50", size="100", tif=FAK, post_only=True), "post_only: a FAK order never rests, use GTC or GTD"),
        (terms(at="-0.5"), "price -0.5: at tick 0.01 a price is from 0.01 to 0.99"),
        (terms(size="-1"), "size -1: it takes more than 0 shares"),
        (terms(at="0.455"), "price 0.455: it is no multiple of tick 0.01, use 0.45 or 0.46"),
        (terms(size="4.99"), "size 4.99: an order that may rest has at least 5 shares in this market"),
        (terms(size="5.009"), "size 5.009: it takes at most 2 decimals, use 5"),
        (
            terms(at="0.51", size="5.33", tif=FAK),
            "cost 2.7183 USD: a FAK BUY pays multiples of 0.01, at another price, buy a multiple of 1",
        ),
        (terms(at="0.49", size="2", tif=FOK), "cost 0.98 USD: a BUY that takes costs at least 1 USD, buy more"),
        (
            ending(terms(), 179),
            f"expires_at {START + seconds(179)}: it is 179 s ahead by the venue's clock, a GTD order needs 180 s",
        ),
    ],
)
def test_a_fault_is_one_sentence_with_field_value_limit_and_fix(wanted: OrderTerms, sentence: str) -> None:
    assert faults_of(wanted, MARKET, present=Present(tick=CENT), now=START) == (sentence,)


def test_every_fault_is_told_at_once() -> None:
    wanted = ending(terms(at="0.455", size="4.999"), 10)
    fields = [fault.split()[0] for fault in faults_of(wanted, MARKET, present=Present(tick=CENT), now=START)]
    assert fields == ["price", "size", "size", "expires_at"]


def test_an_order_for_another_market_or_one_that_nobody_settles_is_no_order() -> None:
    other = replace(MARKET, id=MarketId("0x1"), generation=Generation.UNKNOWN)
    first, second = faults_of(terms(), other, present=Present(tick=CENT), now=START)
    assert "give those of the order's own market" in first
    assert "which contracts settle it" in second


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "", "0,45", "0.4500001", "1e400"])
def test_what_is_no_number_becomes_neither_price_nor_size(number: str) -> None:
    for read in (price, shares, usd):
        with pytest.raises(InvalidQuantity):
            read(number)


def test_a_float_becomes_neither_price_nor_size() -> None:
    for read in (price, shares):
        with pytest.raises(InvalidQuantity, match="never a float"):
            read(0.45)  # type: ignore[arg-type]
