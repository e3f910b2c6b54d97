"""What a position goes through, on the exchange's truth."""

import pytest

from polystra.core import notes as nt
from polystra.core.strategy import ExitPolicy, StopPolicy
from polystra.core.terms import Outcome, Side
from polystra.core.units import price, seconds, shares, usd
from tests.truth import Observed, Stage, book, scripted, steady, tape_file, window, wish

TARGET = ExitPolicy(target=price("0.99"), min_age=seconds(60))


def test_an_entry_held_to_a_won_settlement_is_redeemable_and_not_cash(exchange_truth: Stage) -> None:
    market = window()
    tape = tape_file(market, steady(market, "0.50x500 0.49x500", "0.52x200 0.53x500"))
    run = exchange_truth.play([tape], scripted({10: wish(Outcome.UP, "0.52")}))
    run.agree()
    (settled,) = run.notes(nt.MarketSettled)
    bought = run.held(market, Outcome.UP)
    assert bought == shares(96)  # 10 % of 1,000 at conviction 0 is 50 USD
    assert settled.redeemable == bought
    assert run.asked() == {"Deposit", "ListMarket", "Submit", "CloseMarket", "Resolve"}, "nothing was redeemed"
    assert run.cash == usd(1_000) - usd("0.52") * 96 - usd("1.67731")  # 96 x 0.07 x 0.52 x 0.48, five decimals
    assert settled.pnl == run.cash + settled.redeemable - usd(1_000)


def test_a_lost_settlement_costs_the_stake_and_its_fee(exchange_truth: Stage) -> None:
    market = window()
    tape = tape_file(market, steady(market, "0.50x500", "0.52x200"), payout_up="0")
    run = exchange_truth.play([tape], scripted({10: wish(Outcome.UP, "0.52")}, TARGET))
    run.agree()
    (settled,) = run.notes(nt.MarketSettled)
    assert settled.redeemable == 0
    assert settled.pnl == run.cash - usd(1_000)


def test_a_partial_fill_is_kept_and_its_remainder_is_not_chased(exchange_truth: Stage) -> None:
    """10 on offer when the order arrives, 90 wanted: the rest is killed, and the entry is made."""
    market = window()
    rows = [*steady(market, "0.50x500", "0.52x90", end=10), book(market, 10.01, "0.50x500", "0.52x10 0.60x500")]
    rows += steady(market, "0.50x500", "0.60x500", begin=11)
    run = exchange_truth.play([tape_file(market, rows)], scripted({10: wish(Outcome.UP, "0.52")}, TARGET))
    run.agree()
    assert run.held(market, Outcome.UP) == shares(10)
    assert len(run.placed(Side.BUY)) == 1
    assert [(terms.purpose, terms.shares) for _, terms in run.placed(Side.SELL)] == [("target", shares(10))]


def test_the_stop_takes_the_target_back_first_and_never_offers_a_share_twice(exchange_truth: Stage) -> None:
    market = window()
    rows = steady(market, "0.50x500", "0.52x200", end=120)
    rows += steady(market, "0.20x500 0.19x500", "0.22x500", begin=120)
    stop = ExitPolicy(target=price("0.99"), min_age=seconds(60), stop=StopPolicy(price=price("0.30")))
    on_offer = []

    def look(world: Observed) -> None:
        on_offer.append(sum(world.selling()))

    run = exchange_truth.play(
        [tape_file(market, rows, payout_up="0")], scripted({10: wish(Outcome.UP, "0.52")}, stop), look=look
    )
    run.agree()
    assert run.held(market, Outcome.UP) == 0
    sells = [terms.purpose for _, terms in run.placed(Side.SELL)]
    assert sells == ["target", "stop"]
    assert max(on_offer) <= shares(96)
    (triggered,) = run.notes(nt.StopTriggered)
    assert (triggered.bid, triggered.level) == (price("0.20"), price("0.30"))


def test_a_bounded_stop_sells_what_is_bid_and_wants_the_rest_again(exchange_truth: Stage) -> None:
    market = window()
    rows = steady(market, "0.50x500", "0.52x200", end=120)
    rows += [book(market, 120, "0.20x8 0.10x500", "0.22x500")]
    rows += [book(market, second, "0.20x60 0.10x500", "0.22x500") for second in range(121, 300)]
    stop = ExitPolicy(stop=StopPolicy(price=price("0.30")))
    run = exchange_truth.play([tape_file(market, rows, payout_up="0")], scripted({10: wish(Outcome.UP, "0.52")}, stop))
    run.agree()
    stops = [terms for _, terms in run.placed(Side.SELL)]
    sold = [(fill.price, fill.shares) for fill in run.notes(nt.FillBooked) if fill.side is Side.SELL]
    assert (stops[0].price, stops[0].shares) == (price("0.15"), shares(96)), "the bound is 0.05 under the bid"
    assert sold[0] == (price("0.20"), shares(8)), "0.10 is bid for 500, and not taken"
    assert stops[1].shares == shares(88)
    assert run.held(market, Outcome.UP) == 0


def test_nothing_is_sold_on_a_book_that_fell_silent(exchange_truth: Stage) -> None:
    """The last book shows a price under the stop, but it is old: a stop never fires on it."""
    market = window()
    rows = steady(market, "0.50x500", "0.52x200", end=100)
    rows += [book(market, 100, "0.20x500", "0.52x500")]
    young = ExitPolicy(stop=StopPolicy(price=price("0.30"), min_age=seconds(120)))
    run = exchange_truth.play([tape_file(market, rows, payout_up="0")], scripted({10: wish(Outcome.UP, "0.52")}, young))
    run.agree()
    assert run.placed(Side.SELL) == []


def test_down_is_bought_and_sold_in_its_own_terms(exchange_truth: Stage) -> None:
    market = window()
    rows = steady(market, "0.40x300", "0.42x300", end=200)
    rows += steady(market, "", "0.01x500", begin=200)
    run = exchange_truth.play([tape_file(market, rows, "0")], scripted({10: wish(Outcome.DOWN, "0.60")}, TARGET))
    run.agree()
    fills = run.notes(nt.FillBooked)
    assert [(fill.side, fill.outcome, fill.price) for fill in fills] == [
        (Side.BUY, Outcome.DOWN, price("0.60")),
        (Side.SELL, Outcome.DOWN, price("0.99")),
    ]
    assert fills[1].liquidity == "maker"
    assert fills[1].fee_usd == 0


def test_a_void_market_pays_half_on_both_sides(exchange_truth: Stage) -> None:
    market = window()
    tape = tape_file(market, steady(market, "0.50x500", "0.52x200"), payout_up="0.5")
    run = exchange_truth.play([tape], scripted({10: wish(Outcome.UP, "0.52")}))
    run.agree()
    (settled,) = run.notes(nt.MarketSettled)
    assert settled.redeemable == shares(48)


def test_a_recording_without_a_payout_ends_unsettled_and_says_nothing_about_profit(exchange_truth: Stage) -> None:
    market = window()
    tape = tape_file(market, steady(market, "0.50x500", "0.52x200"), payout_up=None)
    run = exchange_truth.play([tape], scripted({10: wish(Outcome.UP, "0.52")}))
    run.agree()
    assert run.notes(nt.MarketSettled) == []
    assert run.held(market, Outcome.UP) == shares(96)


@pytest.mark.spec("X2.A1")
def test_a_market_without_a_fee_schedule_is_not_traded(exchange_truth: Stage) -> None:
    market = window(fees=None)
    tape = tape_file(market, steady(market, "0.50x500", "0.52x200"))
    run = exchange_truth.play([tape], scripted({10: wish(Outcome.UP, "0.52")}))
    run.agree()
    assert run.placed(Side.BUY) == []
    first = run.notes(nt.EntryDenied)[0]
    assert (first.limit, first.value) == ("fee schedule", "unknown")


def test_windows_follow_one_another_and_each_order_stays_in_its_own(exchange_truth: Stage) -> None:
    markets = [window(number) for number in range(3)]
    tapes = [tape_file(market, steady(market, "0.50x500", "0.52x200")) for market in markets]
    run = exchange_truth.play(tapes, scripted({10: wish(Outcome.UP, "0.52")}))
    run.agree()
    assert [terms.market for _, terms in run.placed(Side.BUY)] == [market.id for market in markets]
    assert len(run.notes(nt.MarketSettled)) == 3
    for at, terms in run.placed(Side.BUY):
        market = next(one for one in markets if one.id == terms.market)
        assert market.start <= at < market.end
