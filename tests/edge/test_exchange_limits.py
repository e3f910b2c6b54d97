"""Rate limits of a signer (`PROTOCOL.md` E.8): a bucket that empties, says so, and fills by the venue's clock."""

import json
from collections.abc import Iterator

import pytest

from polystra.core.units import Instant, seconds
from polystra.exchange.limits import ALLOWANCES, Allowance, Bucket, Kind, Tier
from tests.edge.answer_cases import posted, refused, signed
from tests.edge.exchange_cases import START, Running, Trader, exchange, terms


@pytest.fixture
def stepped() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        yield running


@pytest.fixture
def member(stepped: Running) -> Trader:
    trader = Trader(stepped)
    stepped.fund(trader.account)
    return trader


def stated(answer: tuple[int, object, str]) -> tuple[int, str, str, str | None]:
    """Status, tokens left, moment of the full bucket after the start, and when to come back."""
    status, headers, _ = answer
    reset = str(int(headers["Poly-RateLimit-Reset"]) - START // 10**9)  # type: ignore[index]
    return status, headers["Poly-RateLimit-Remaining"], reset, headers.get("Retry-After")  # type: ignore[index, attr-defined]


def cancel(trader: Trader, count: int) -> tuple[int, str, str, str | None]:
    names = [f"0x{number}" for number in range(count)]
    return stated(signed(trader, "DELETE", "/orders", json.dumps(names).encode()))


def place(trader: Trader, count: int) -> None:
    for _ in range(count):
        assert posted(trader, terms(at="0.01", size="5"))[0] == 200


def test_sixty_orders_at_once_and_the_next_is_refused_until_time_has_passed(stepped: Running, member: Trader) -> None:
    assert stated(posted(member, terms(at="0.01"))) == (200, "59", "1", None)
    place(member, 59)
    assert stated(posted(member, terms())) == (429, "0", "2", "1")
    stepped.control("POST", "/time", {"by": seconds(0.024)})
    assert posted(member, terms())[0] == 429
    stepped.control("POST", "/time", {"by": seconds(0.001)})
    assert posted(member, terms(at="0.01"))[0] == 200
    assert member.get("/data/orders")["count"] == 61


def test_cancels_have_a_bucket_of_their_own(member: Trader) -> None:
    place(member, 60)
    assert posted(member, terms())[0] == 429
    assert cancel(member, 1)[:2] == (200, "119")


def test_a_batch_dearer_than_the_bucket_never_passes(stepped: Running, member: Trader) -> None:
    assert cancel(member, 121)[:2] == (429, "120")
    stepped.control("POST", "/time", {"by": seconds(3_600)})
    assert cancel(member, 121)[:2] == (429, "120")
    assert cancel(member, 120)[:2] == (200, "0")


def test_a_batch_of_orders_costs_its_length(member: Trader) -> None:
    body = b"[" + b",".join(member.body(terms(at="0.01")) for _ in range(15)) + b"]"
    assert stated(signed(member, "POST", "/orders", body))[:2] == (200, "45")


def test_a_sweep_costs_what_it_cancelled_and_may_leave_a_debt(member: Trader) -> None:
    place(member, 15)
    assert cancel(member, 110)[:2] == (200, "10")
    assert stated(signed(member, "DELETE", "/cancel-all"))[:2] == (200, "-6")
    assert stated(signed(member, "DELETE", "/cancel-all")) == (429, "-6", "2", "1")


def test_each_signer_has_buckets_of_its_own(stepped: Running, member: Trader) -> None:
    assert cancel(member, 120)[1] == "0"
    assert cancel(Trader(stepped, seed=2), 1)[:2] == (200, "119")


def test_a_stranger_spends_nothing(stepped: Running, member: Trader) -> None:
    headers = member.headers("DELETE", "/orders", b"[]")
    assert stepped.call("DELETE", f"{stepped.urls.clob}/orders", headers=headers, body=b'["0x1"]')[0] == 401
    assert cancel(member, 1)[1] == "119"


def test_warning_mode_lets_through_and_says_so(stepped: Running, member: Trader) -> None:
    stepped.control("POST", "/limits", {"enforcement": "warning"})
    _, headers, _ = signed(member, "DELETE", "/cancel-all")
    assert "Poly-RateLimit-Warning" not in headers
    status, headers, _ = signed(member, "DELETE", "/orders", json.dumps(["0x1"] * 121).encode())
    assert (status, headers["Poly-RateLimit-Warning"]) == (200, "true")
    assert "Retry-After" not in headers


def test_another_tier_and_none(stepped: Running, member: Trader) -> None:
    assert stepped.control("GET", "/limits") == {"tier": "standard", "enforcement": "enforced"}
    assert stepped.control("POST", "/limits", {"tier": "gold"})["tier"] == "gold"
    status, headers, _ = signed(member, "DELETE", "/cancel-all")
    assert (status, headers["Poly-RateLimit-Tier"], headers["Poly-RateLimit-Remaining"]) == (200, "gold", "1199")
    stepped.control("POST", "/limits", {"tier": "none"})
    for path in ("/cancel-all", "/orders"):
        status, headers, _ = signed(member, "DELETE", path, b"[]" if path == "/orders" else b"")
        assert (status, "Poly-RateLimit-Tier" in headers) == (200, False)
    assert refused(stepped, "/limits", {"tier": "tin"})[0] == 400


def test_the_tiers_are_those_of_the_venue() -> None:
    orders = {tier: (of[Kind.ORDERS].rate, of[Kind.ORDERS].burst) for tier, of in ALLOWANCES.items()}
    cancels = {tier: (of[Kind.CANCELS].rate, of[Kind.CANCELS].burst) for tier, of in ALLOWANCES.items()}
    assert (orders[Tier.STANDARD], cancels[Tier.STANDARD]) == ((40, 60), (80, 120))
    assert (orders[Tier.DIAMOND], cancels[Tier.DIAMOND]) == ((525, 787), (1_050, 1_575))
    assert [tier for tier, of in ALLOWANCES.items() if not of[Kind.CANCELS].debt] == ["platinum", "diamond", "elite"]
    assert set(ALLOWANCES) == set(Tier) - {Tier.NONE}


def test_a_bucket_without_debt_stays_at_zero() -> None:
    bucket = Bucket(Allowance(rate=2, burst=3, debt=False), Instant(0))
    bucket.owe(9)
    assert bucket.level == 0
    assert not bucket.take(1)
    for moment in (200_000_000, 400_000_000, 500_000_000):
        bucket.fill(Instant(moment))
    assert bucket.take(1)
    assert bucket.level == 0
