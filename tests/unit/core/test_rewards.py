"""Targets and liquidity rewards: what the venue is asked, what its word is worth, and where a target is moved to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core import notes as nt
from polystra.core.events import Level
from polystra.core.ids import OrderId
from polystra.core.markets import Market, RewardTerms, Score
from polystra.core.orders import Order, OrderState
from polystra.core.positions import FLAT, Holding, MarketPosition
from polystra.core.rewards import BELIEVED, PERIOD, Move, RewardWatch, rewarded_price, target_price
from polystra.core.strategy import ExitPolicy, RewardPolicy, RewardRule
from polystra.core.terms import Outcome, Purpose, Side, TimeInForce
from polystra.core.units import MICRO, Instant, Price, Usd, price, seconds, shares, usd
from polystra.core.view import NEVER, MarketView
from tests.core_cases import moment
from tests.unit.core.samples import WINDOW, order, selling, taking, terms, view

UP, DOWN = Outcome.UP, Outcome.DOWN
TERMS = RewardTerms(min_shares=shares(50), max_spread=price("0.03"), min_age=seconds(30), daily=usd(1_440))
MARKET = replace(WINDOW, rewards=TERMS)
RULE = RewardPolicy(rule=RewardRule.ORIGINAL)
MOVED = ExitPolicy(target=price("0.99"), rewards=RULE)


def held(each: str = "0.60", amount: str = "60", outcome: Outcome = UP) -> Holding:
    """With the fee that a taker pays for it."""
    paid = shares(amount) * price(each) // MICRO
    fee = shares(amount) * 70_000 * price(each) * (MICRO - price(each)) // MICRO**3
    return Holding(
        outcome=outcome,
        shares=shares(amount),
        settled=shares(amount),
        paid=Usd(paid),
        cost=Usd(paid + fee),
        bought=shares(amount),
        opened_at=moment(0),
    )


def seen(bid: str = "0.95", ask: str = "0.96", up: Holding | None = None, at: float = 60, **more: Any) -> MarketView:
    """Sixty Up held, at the sixtieth second."""
    known = {"market": MARKET, "position": MarketPosition(up or held(), FLAT.down), "at": moment(at)} | more
    return view(bid, ask, **known)


def target(at: str = "0.99", size: str = "60", number: int = 41, **changes: Any) -> Order:
    return order(selling(at, size), number, **changes)


def told(scoring: bool | None = False, at: float = 60, number: int = 41) -> RewardWatch:
    """A watch that heard this of a target."""
    watch = RewardWatch()
    watch.hear(OrderId(number), scoring, moment(at))
    return watch


def of_others(of: MarketView) -> dict[Side, tuple[Level, ...]]:
    """The book that the view shows, nothing of it ours."""
    return {Side.BUY: ((of.bid, shares(500)),), Side.SELL: ((of.ask, shares(500)),)}


def rewarding(of: MarketView, policy: RewardPolicy, holding: Holding, at: Price) -> Price | None:
    return rewarded_price(of, policy, holding, at, of.mid_of(holding.outcome))


def moved(
    watch: RewardWatch, of: MarketView, live: Iterable[Order], policy: ExitPolicy = MOVED, book: Any = None
) -> Price | None:
    """Where Up's target is moved to by now."""
    watch.move(of, policy, live, lambda: book or of_others(of))
    return watch.moves[UP].price if UP in watch.moves else None


# --- asking ------------------------------------------------------------------------------------------------------


def test_an_order_is_asked_about_once_it_is_old_enough_and_then_every_minute() -> None:
    watch, live = RewardWatch(), (target(state_at=moment(0)),)
    assert watch.due(seen(at=29), live) == ((), moment(30))
    assert watch.due(seen(at=30), live) == ((OrderId(41),), moment(90))
    assert watch.due(seen(at=31), live) == ((), moment(90))
    assert watch.due(seen(at=95), live) == ((OrderId(41),), moment(155))


def test_where_nobody_knows_the_terms_it_is_asked_about_at_once() -> None:
    unknown = seen(at=1, market=WINDOW)
    assert RewardWatch().due(unknown, (target(state_at=moment(1)),)) == ((OrderId(41),), moment(61))


@pytest.mark.parametrize(
    "other",
    [
        target(state=OrderState.CANCELLING),
        target(state=OrderState.UNKNOWN),
        order(terms()),
        order(replace(taking(), side=Side.SELL, purpose=Purpose.STOP)),
    ],
    ids=["being cancelled", "in doubt", "an entry", "a stop"],
)
def test_nothing_but_a_resting_target_is_asked_about(other: Order) -> None:
    assert RewardWatch().due(seen(), (other,)) == ((), NEVER)


def test_after_the_end_nobody_asks() -> None:
    assert RewardWatch().due(seen(at=900), (target(),)) == ((), NEVER)


# --- the venue's word --------------------------------------------------------------------------------------------


def test_a_word_is_news_once() -> None:
    watch = RewardWatch()
    said = [watch.hear(OrderId(41), scoring, moment(60)) for scoring in (None, None, False, False, True, None)]
    assert said == [Score.UNKNOWN, None, Score.NOT_SCORING, None, Score.SCORING, Score.UNKNOWN]


def test_a_word_that_is_too_old_is_worth_nothing() -> None:
    watch, last = told(at=60), Instant(moment(60) + BELIEVED)
    assert watch.score(OrderId(41), last) is Score.NOT_SCORING
    assert watch.score(OrderId(41), Instant(last + 1)) is Score.UNKNOWN
    assert watch.score(OrderId(42), last) is Score.UNKNOWN, "of another order"


# --- the rule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bid", "ask", "at"),
    [
        ("0.95", "0.96", "0.97"),
        ("0.95", "0.97", "0.97"),
        ("0.93", "0.95", "0.95"),
        ("0.92", "0.94", None),
        ("0.90", "0.90", None),
        ("0.97", "0.98", None),
        ("0", "0.96", None),
    ],
    ids=["rounded up", "on the grid", "the least", "below it", "the middle too low", "the target", "nobody bids"],
)
def test_the_price_is_the_middle_and_the_offset_rounded_up(bid: str, ask: str, at: str | None) -> None:
    """0.955 and 0.01 are 0.965, which is 0.97 on the 0.01 grid."""
    found = rewarding(seen(bid, ask), RULE, held(), price("0.99"))
    assert found == (None if at is None else price(at))


def test_a_middle_must_be_above_the_least_not_at_it() -> None:
    low = replace(RULE, min_mid=price("0.955"))
    assert rewarding(seen(), low, held(), price("0.99")) is None
    assert rewarding(seen(), replace(low, min_mid=price("0.954999")), held(), price("0.99")) == price("0.97")


def test_of_down_it_is_the_middle_of_its_own_book() -> None:
    down = MarketPosition(FLAT.up, held(outcome=DOWN))
    assert rewarding(seen("0.04", "0.05", position=down), RULE, down.down, price("0.99")) == price("0.97")


def test_the_middle_is_that_of_the_others_or_it_would_follow_itself_down() -> None:
    """Bid 0.93, and the only ask is our own target: nobody says where the middle is."""
    alone = {Side.BUY: ((price("0.93"), shares(500)),), Side.SELL: ((price("0.99"), shares(60)),)}
    assert moved(told(), seen("0.93", "0.99"), (target(),), book=alone) is None
    beside = {**alone, Side.SELL: ((price("0.98"), shares(1)), (price("0.99"), shares(60)))}
    assert moved(told(), seen("0.93", "0.98"), (target(),), book=beside) == price("0.97")


def test_a_book_that_is_not_trusted_moves_nothing() -> None:
    assert rewarding(seen(trouble="stream lost"), RULE, held(), price("0.99")) is None


@pytest.mark.parametrize(
    ("entry", "at"), [("0.96", "0.97"), ("0.97", None), ("0.98", None)], ids=["above", "just below", "far below"]
)
def test_the_price_gives_a_taker_back_what_the_shares_cost(entry: str, at: str | None) -> None:
    """0.97 brings 0.967963; 0.96 cost 0.962688, and 0.97 cost 0.972037."""
    found = rewarding(seen(), RULE, held(entry), price("0.99"))
    assert found == (None if at is None else price(at))


def test_what_no_price_brings_back_is_not_moved() -> None:
    assert rewarding(seen(), RULE, held("0.99"), price("0.99")) is None
    assert target_price(
        seen(), price("0.99"), held("0.99"), Move(price=price("0.97"), before=Price(0), at=moment(0))
    ) == (price("0.99"))


# --- moves -------------------------------------------------------------------------------------------------------


def test_a_target_that_does_not_score_is_moved() -> None:
    watch = told()
    assert moved(watch, seen(), (target(),)) == price("0.97")
    assert watch.moves[UP] == Move(price=price("0.97"), before=price("0.99"), at=moment(60), estimate=Usd(0))


@pytest.mark.parametrize("scoring", [True, None], ids=["it scores", "no answer"])
def test_without_the_word_that_it_does_not_score_nothing_moves(scoring: bool | None) -> None:
    assert moved(told(scoring), seen(), (target(),)) is None
    assert moved(RewardWatch(), seen(), (target(),)) is None


def test_a_word_of_long_ago_moves_nothing() -> None:
    assert moved(told(at=60), seen(at=180), (target(),)) == price("0.97")
    assert moved(told(at=60), seen(at=181), (target(),)) is None


@pytest.mark.parametrize(
    "market",
    [WINDOW, replace(MARKET, rewards=replace(TERMS, min_shares=shares("60.01")))],
    ids=["terms unknown", "below the least size"],
)
def test_what_could_not_score_anywhere_is_not_moved(market: Market) -> None:
    assert moved(told(), seen(market=market), (target(),)) is None


def test_after_the_end_nothing_moves() -> None:
    assert moved(told(at=850), seen(at=900), (target(),)) is None


@pytest.mark.parametrize(
    "policy",
    [
        ExitPolicy(target=price("0.99")),
        replace(MOVED, rewards=RewardPolicy()),
        replace(MOVED, target=None),
    ],
    ids=["not watched", "watched alone", "no target"],
)
def test_a_policy_without_a_rule_or_a_target_moves_nothing_and_forgets(policy: ExitPolicy) -> None:
    watch = told()
    assert moved(watch, seen(), (target(),)) == price("0.97")
    assert moved(watch, seen(), (target(),), policy) is None


def test_a_moved_target_stays_when_it_scores_whatever_the_middle_does() -> None:
    watch = told()
    moved(watch, seen(), (target(),))
    watch.hear(OrderId(42), True, moment(120))
    for bid, ask in (("0.96", "0.97"), ("0.50", "0.51"), ("0.95", "0.98")):
        assert moved(watch, seen(bid, ask, at=150), (target("0.97", number=42),)) == price("0.97")


def test_it_is_moved_again_when_the_venue_says_that_it_does_not_score_and_a_minute_later() -> None:
    watch = told()
    moved(watch, seen(), (target(),))
    watch.hear(OrderId(42), False, moment(100))
    again = seen("0.93", "0.95", at=119)
    assert moved(watch, again, (target("0.97", number=42),)) == price("0.97")
    assert moved(watch, replace(again, at=moment(120)), (target("0.97", number=42),)) == price("0.95")
    assert seconds(60) == PERIOD


def test_one_that_rests_where_the_rule_has_it_is_left_there() -> None:
    assert moved(told(), seen(), (target("0.97"),), replace(MOVED, target=price("0.98"))) == price("0.97")
    fresh = told()
    moved(fresh, seen(), ())
    assert moved(fresh, seen(), (target("0.97"),)) is None


def test_a_holding_that_is_gone_takes_its_move_with_it() -> None:
    watch = told()
    moved(watch, seen(), (target(),))
    assert moved(watch, seen(position=FLAT), ()) is None


def test_after_a_restart_one_that_rests_below_the_target_was_moved() -> None:
    """Another order than a target, or one below the least price, was not."""
    watch = RewardWatch()
    assert moved(watch, seen(), (target("0.96", state=OrderState.UNKNOWN),)) == price("0.96")
    assert watch.moves[UP].told
    assert moved(RewardWatch(), seen(), (target("0.94"),)) is None
    assert moved(RewardWatch(), seen(), (order(terms("0.96")),)) is None


@pytest.mark.parametrize(
    ("at", "entry", "rests"),
    [("0.97", "0.60", "0.97"), ("0.99", "0.60", "0.98"), ("0.97", "0.97", "0.98")],
    ids=["moved", "above the target by now", "below what a scale-in made it cost"],
)
def test_a_move_counts_while_it_is_below_the_target_and_brings_the_cost(at: str, entry: str, rests: str) -> None:
    move = Move(price=price(at), before=price("0.99"), at=moment(60))
    assert target_price(seen(), price("0.98"), held(entry), move) == price(rests)
    assert target_price(seen(), price("0.98"), held(entry), None) == price("0.98")


# --- worth it ----------------------------------------------------------------------------------------------------

WORTH_IT = replace(MOVED, rewards=RewardPolicy(rule=RewardRule.WORTH_IT))
BOOK = {
    Side.BUY: ((price("0.95"), shares(500)),),
    Side.SELL: ((price("0.96"), shares(500)), (price("0.99"), shares(60))),
}
BID = order(terms("0.94", "60"), 40)


@pytest.mark.parametrize(
    ("daily", "live", "moves"),
    [
        (100_000, (target(), BID), True),
        (1_440, (target(), BID), False),
        (100_000, (target(),), False),
        (None, (target(), BID), False),
    ],
    ids=["enough", "too little", "one side alone", "the rate is unknown"],
)
def test_worth_it_moves_what_earns_more_than_it_concedes(
    daily: int | None, live: tuple[Order, ...], moves: bool
) -> None:
    market = replace(MARKET, rewards=replace(TERMS, daily=None if daily is None else usd(daily)))
    book = {**BOOK, Side.BUY: (*BOOK[Side.BUY], (price("0.94"), shares(60)))} if BID in live else BOOK
    assert moved(told(), seen(market=market), live, WORTH_IT, book) == (price("0.97") if moves else None)


def test_an_immediate_order_of_ours_does_not_rest_and_earns_nothing() -> None:
    market = replace(MARKET, rewards=replace(TERMS, daily=usd(100_000)))
    taker = order(replace(BID.terms, time_in_force=TimeInForce.FAK), 40)
    assert moved(told(), seen(market=market), (target(), taker), WORTH_IT, BOOK) is None


# --- what is said ------------------------------------------------------------------------------------------------


def test_a_move_is_said_once_when_an_order_rests_there() -> None:
    watch = told()
    moved(watch, seen(), (target(),))
    there = selling("0.97", "60")
    assert watch.placed(OrderId(42), replace(there, purpose=Purpose.STOP)) == ()
    assert watch.placed(OrderId(42), replace(there, outcome=DOWN)) == ()
    assert watch.placed(OrderId(42), replace(there, price=price("0.99"))) == ()
    (note,) = watch.placed(OrderId(42), there)
    assert note == nt.RewardMoved(
        order=OrderId(42),
        market=WINDOW.id,
        outcome=UP,
        before=price("0.99"),
        after=price("0.97"),
        shares=shares(60),
        conceded=usd("1.20"),
        estimate=Usd(0),
    )
    assert watch.placed(OrderId(43), there) == ()
