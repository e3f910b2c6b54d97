"""What a person reads: one line a note, the same cause at most once a minute."""

from typing import get_args

import pytest

from polystra.app.console import LINES, Console, line_of
from polystra.core import notes as nt
from polystra.core.engine import Step
from polystra.core.events import TradingState, Woke
from polystra.core.ids import OrderId, TradeId, VenueOrderId
from polystra.core.markets import Payout
from polystra.core.terms import Liquidity, OrderTerms, Outcome, Purpose, Side, Slot, TradeStage
from polystra.core.units import Instant, Price, Shares, Usd, price, seconds, shares, usd
from tests.truth import START, window

MARKET = window()
ASIDE = nt.EntryDecided(market=MARKET.id, strategy="s", action="stand aside", reason="edge too small")

FILL = nt.FillBooked(
    order=OrderId(41),
    trade=TradeId("abcdefgh-1"),
    market=MARKET.id,
    outcome=Outcome.UP,
    side=Side.BUY,
    price=price("0.54"),
    shares=shares("5.62"),
    liquidity=Liquidity.TAKER,
    stage=TradeStage.MATCHED,
    fee_usd=usd("0.0977"),
    fee_shares=Shares(0),
    cash=usd("-3.1325"),
)


class Heard:
    """A console and what it wrote, fed with notes at seconds of the window."""

    def __init__(self, windows: int | None = None) -> None:
        self.lines: list[str] = []
        self._console = Console(self.lines.append, windows)

    def at(self, second: float, *notes: nt.AnyNote) -> list[str]:
        self.lines.clear()
        self._console.tell(Woke(at=Instant(START + seconds(second))), Step((), notes))
        return list(self.lines)


def test_every_kind_of_note_has_a_line() -> None:
    assert set(LINES) == set(get_args(nt.AnyNote))


def test_a_window_is_named_by_the_time_of_its_slug() -> None:
    heard = Heard()
    assert heard.at(0, nt.MarketFollowed(market=MARKET)) == ["09:00:00  BTC 5m 09:00   followed until 09:05:00"]


def test_a_fill_says_order_amount_price_fee_and_cash() -> None:
    assert line_of(FILL) == "o41 bought 5.62 UP @ 0.54 as taker, fee 0.0977 USD, cash -3.13 USD"


def test_an_orders_life_reads_in_order() -> None:
    heard = Heard()
    steps = [("", "SUBMITTING", "entry BUY UP 5.62 @ 0.54"), ("SUBMITTING", "WORKING", "rests")]
    steps += [("WORKING", "CANCELLING", "not wanted any more"), ("CANCELLING", "FILLED", "filled whole")]
    told = [
        heard.at(1, nt.OrderMoved(order=OrderId(41), market=MARKET.id, before=before, after=after, cause=cause))
        for before, after, cause in steps
    ]
    assert [line[0].split("  ", 2)[2].strip() for line in told] == [
        "o41 new: entry BUY UP 5.62 @ 0.54",
        "o41 working: rests",
        "o41 cancelling: not wanted any more",
        "o41 filled whole",
    ]


def test_a_cause_is_said_once_a_minute_with_a_count() -> None:
    heard = Heard()
    heard.at(0, nt.MarketFollowed(market=MARKET))
    assert heard.at(1, ASIDE) == ["09:00:01  BTC 5m 09:00   stand aside: edge too small"]
    assert [heard.at(second, ASIDE) for second in (2, 30, 60.9)] == [[], [], []]
    assert heard.at(61, ASIDE) == ["09:01:01  BTC 5m 09:00   stand aside: edge too small (and 3 more since 09:00:01)"]
    assert heard.at(62, ASIDE) == []


def test_a_cause_that_paused_is_said_without_a_count() -> None:
    heard = Heard()
    assert heard.at(0, ASIDE)[0].endswith("edge too small")
    assert heard.at(100, ASIDE)[0].endswith("edge too small")


def test_another_reason_or_another_window_is_no_repeat() -> None:
    heard = Heard()
    assert heard.at(1, ASIDE)
    assert heard.at(1, nt.EntryDecided(market=MARKET.id, strategy="s", action="stand aside", reason="too late"))
    assert heard.at(1, nt.EntryDecided(market=window(1).id, strategy="s", action="stand aside", reason=ASIDE.reason))


def test_fills_and_steps_are_never_repeats() -> None:
    heard = Heard()
    assert len(heard.at(1, FILL, FILL)) == 2


def test_trades_that_settle_as_they_should_are_no_news_and_a_failed_one_is() -> None:
    heard = Heard()
    heard.at(0, nt.MarketFollowed(market=MARKET))
    heard.at(0, nt.OrderMoved(order=OrderId(41), market=MARKET.id, before="", after="SUBMITTING"))
    quiet = [
        nt.TradeStageMoved(order=OrderId(41), trade=FILL.trade, stage=stage)
        for stage in (TradeStage.MINED, TradeStage.CONFIRMED)
    ]
    assert heard.at(1, *quiet) == []
    failed = nt.TradeStageMoved(order=OrderId(41), trade=FILL.trade, stage=TradeStage.FAILED)
    assert heard.at(2, failed) == ["09:00:02  BTC 5m 09:00   o41 trade abcdefgh failed"]


def test_a_settled_window_counts_towards_the_end() -> None:
    heard = Heard(windows=2)
    settled = nt.MarketSettled(
        market=MARKET.id,
        payout=Payout(usd(1)),
        up_shares=shares(5),
        down_shares=Shares(0),
        redeemable=usd(5),
        pnl=usd("1.8675"),
    )
    (line,) = heard.at(354, settled)
    assert line.endswith("settled: UP won, P&L +1.87 USD, 5 USD to redeem  [1 of 2]")
    assert heard.at(355, settled)[0].endswith("[1 of 2]"), "the same window counts once"


def outside(side: Side, purpose: Purpose) -> nt.OutsideOrderSeen:
    terms = OrderTerms(
        market=MARKET.id, outcome=Outcome.UP, side=side, purpose=purpose, price=price("0.80"), shares=shares(10)
    )
    return nt.OutsideOrderSeen(
        order=OrderId(3), venue_order=VenueOrderId("0xa"), market=MARKET.id, terms=terms, traded_at=Instant(START)
    )


NOTES_AND_LINES: list[tuple[nt.AnyNote, str]] = [
    (
        nt.EntryDecided(
            market=MARKET.id,
            strategy="s",
            action="enter",
            reason="edge after fee",
            outcome=Outcome.DOWN,
            probability=612_345,
            price=price("0.59"),
            fee=usd("0.0169"),
            edge=5_445,
        ),
        "enter: edge after fee (DOWN at 0.59, chance 0.612, fee 0.0169, edge +0.0054)",
    ),
    (
        nt.EntryDenied(market=MARKET.id, outcome=Outcome.UP, limit="order value", value="501", allowed="at most 500"),
        "UP entry denied: order value is 501, allowed at most 500",
    ),
    (
        nt.SlotSuspended(
            slot=Slot(MARKET.id, Outcome.UP, Side.SELL, Purpose.STOP), cause="off tick", until=Instant(START)
        ),
        "no stop SELL UP until 09:00:00: off tick",
    ),
    (
        nt.SlotSuspended(slot=Slot(MARKET.id, Outcome.UP, Side.SELL, Purpose.STOP), cause="off tick", until=None),
        "no stop SELL UP for now: off tick",
    ),
    (
        nt.StopTriggered(
            market=MARKET.id, outcome=Outcome.UP, bid=Price(290_000), level=Price(300_000), shares=shares(39)
        ),
        "stop: UP is bid 0.29, level 0.3: sells 39",
    ),
    (
        nt.BreakEvenArmed(market=MARKET.id, outcome=Outcome.UP, bought=shares(39), bid=Price(700_000)),
        "break-even armed: UP is bid 0.7",
    ),
    (
        nt.DriftFound(subject="cash", market=None, ledger=usd(10), venue=usd(9), why="no fill explains it"),
        "cash: ledger 10, venue 9: no fill explains it",
    ),
    (nt.DriftGone(cash=usd("9.5")), "cash: ledger and venue agree again at 9.5: entries go on"),
    (
        nt.AdjustmentBooked(market=MARKET.id, outcome=Outcome.UP, cause="drift", before=shares(5), after=shares("4.9")),
        "UP adjusted from 5 to 4.9: drift",
    ),
    (
        nt.StateChanged(before=TradingState.ARMED, after=TradingState.PAUSED, who="ledger", why="disk full"),
        "paused, was armed: disk full (ledger)",
    ),
    (
        nt.EquityWatched(cash=usd(940), at_bid=usd(8), at_cost=usd(5), redeemable=usd("50.1"), free=usd(900)),
        "equity 1003.10 USD: cash 940.00, held 8.00 at the last bids, held 5.00 at cost, no bid known, to redeem 50.10",
    ),
    (
        nt.EquityWatched(cash=usd(940), at_bid=usd(0), at_cost=usd(0), redeemable=usd(0), free=usd(900)),
        "equity 940.00 USD: cash 940.00",
    ),
    (
        nt.CashShort(free=usd("3.1"), redeemable=usd("55.2")),
        "free cash 3.10 USD, redeemable 55.20 USD: polystra redeem",
    ),
    (
        nt.ForeignOrderSeen(venue_order=VenueOrderId("0x1234567890ab")),
        "order 0x12345678 at the venue is not ours: left alone",
    ),
    (outside(Side.SELL, Purpose.OUTSIDE), "sold outside the bot: 10 UP @ 0.8"),
    (outside(Side.BUY, Purpose.OUTSIDE), "bought outside the bot: 10 UP @ 0.8"),
    (outside(Side.BUY, Purpose.LEFT_ALONE), "bought outside the bot: 10 UP @ 0.8, left alone"),
    (
        nt.OpeningCorrected(market=MARKET.id, trade=TradeId("t"), amount=usd(5)),
        "traded before the first balance was read: +5.00 USD back",
    ),
    (nt.MarketHalted(market=MARKET.id, why="drift"), "halted, no entries until a person has looked: drift"),
    (nt.ReadingFailed(why="timeout"), "the account could not be read, entries wait: timeout"),
    (nt.BookDistrusted(market=MARKET.id, why="crossed"), "book not trusted: crossed"),
]


@pytest.mark.parametrize(("note", "line"), NOTES_AND_LINES, ids=lambda value: type(value).__name__)
def test_a_note_reads_as_a_plain_line(note: nt.AnyNote, line: str) -> None:
    assert line_of(note) == line


def test_a_void_market_and_an_amount_of_nothing_have_words() -> None:
    settled = nt.MarketSettled(
        market=MARKET.id,
        payout=Payout(Usd(500_000)),
        up_shares=Shares(0),
        down_shares=Shares(0),
        redeemable=Usd(0),
        pnl=Usd(0),
    )
    assert line_of(settled) == "settled: void, half each, P&L 0.00 USD"
