"""What settled markets pay, on its way to become cash: nothing counts twice, and nothing is called drift meanwhile."""

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.claims import ClaimStage
from polystra.core.ids import MarketId, OrderId
from polystra.core.units import usd
from tests.core_cases import Bench

WON, OTHER = MarketId("0xwon"), MarketId("0xother")


def begun(*redeeming: MarketId) -> Bench:
    """A thousand dollars of cash, and ten in each of two markets that were won in an earlier life."""
    bench = Bench()
    bench.hear(0, ev.LedgerLoaded, next_order=OrderId(1), cash=usd(1_000), redeemable=usd(20), redeeming=redeeming)
    bench.reading(0, "1000")
    bench.hear(0, ev.Started)
    bench.hear(0, ev.MarketListed, market=bench.market)
    return bench


def claim(bench: Bench, at: float, stage: ClaimStage, *, market: MarketId = WON, paid: str = "0") -> None:
    assert bench.hear(at, ev.ClaimReported, market=market, stage=stage, claim=usd(10), paid=usd(paid)) == []


def money(bench: Bench) -> tuple[int, int]:
    account = bench.known.account
    return account.cash // 10**6, account.redeemable // 10**6


def test_a_claim_is_no_cash_until_it_is_paid_and_then_no_claim_any_more() -> None:
    bench = begun()
    assert money(bench) == (1_000, 20)
    for at, stage in ((1, ClaimStage.WANTED), (2, ClaimStage.SENT)):
        claim(bench, at, stage)
        assert money(bench) == (1_000, 20)
    claim(bench, 3, ClaimStage.PAID, paid="10")
    assert money(bench) == (1_010, 10)
    assert [note.stage for note in bench.told(nt.ClaimMoved)] == ["wanted", "sent", "paid"]


def test_a_payment_told_twice_counts_once() -> None:
    bench = begun()
    for at in (1, 2):
        claim(bench, at, ClaimStage.PAID, paid="10")
    assert money(bench) == (1_010, 10)
    assert len(bench.told(nt.ClaimMoved)) == 1
    claim(bench, 3, ClaimStage.PAID, market=OTHER, paid="10")
    assert money(bench) == (1_020, 0)


def test_a_claim_that_brought_less_takes_the_whole_claim_away() -> None:
    bench = begun()
    claim(bench, 1, ClaimStage.PAID, paid="9")
    assert money(bench) == (1_009, 10)


def test_cash_of_a_redemption_on_its_way_is_no_drift() -> None:
    bench = begun()
    claim(bench, 1, ClaimStage.SENT)
    for at in (2, 40, 80):
        bench.reading(at, "1010")
    assert bench.told(nt.DriftFound) == []
    claim(bench, 81, ClaimStage.PAID, paid="10")
    for at in (82, 120):
        bench.reading(at, "1010")
    assert bench.told(nt.DriftFound) == []


def test_the_same_cash_without_a_redemption_is_drift() -> None:
    for stage in (None, ClaimStage.FAILED):
        bench = begun()
        if stage is not None:
            claim(bench, 1, ClaimStage.SENT)
            claim(bench, 1.5, stage)
        for at in (2, 40):
            bench.reading(at, "1010")
        assert [note.subject for note in bench.told(nt.DriftFound)] == ["cash"]


def test_one_whose_end_the_last_life_did_not_hear_of_is_no_drift_either() -> None:
    bench = begun(WON)
    for at in (2, 40):
        bench.reading(at, "1010")
    assert bench.told(nt.DriftFound) == []
    claim(bench, 41, ClaimStage.PAID, paid="10")
    assert money(bench) == (1_010, 10)


def test_two_on_their_way_are_two() -> None:
    bench = begun(WON, OTHER)
    claim(bench, 1, ClaimStage.PAID, paid="10")
    for at in (2, 40):
        bench.reading(at, "1020")
    assert bench.told(nt.DriftFound) == []
    claim(bench, 41, ClaimStage.FAILED, market=OTHER)
    for at in (42, 80):
        bench.reading(at, "1020")
    assert [note.subject for note in bench.told(nt.DriftFound)] == ["cash"]
