"""What each of the venue's texts proves (`PROTOCOL.md` E.6): a reason, or nothing at all."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polystra.core.ids import TokenId, VenueOrderId
from polystra.core.reasons import CancelReason
from polystra.core.reasons import RefusalReason as Why
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Instant, Price, Shares, Usd
from polystra.edge.polymarket.refusals import cancel_reason_of, refusal_of
from polystra.sim import life, rules
from polystra.sim.messages import Account, Mode, Restriction, Submit
from polystra.sim.rules import Refusal

HASH = "0x" + "ab" * 32


def accuracy(kind: str, maker: int, taker: int) -> str:
    return (
        f"invalid amounts, the {kind} orders maker amount supports a max accuracy of {maker} decimals, "
        f"taker amount a max of {taker} decimals"
    )


SAID: list[tuple[int, str, Why | None]] = [
    (401, "Unauthorized/Invalid api key", Why.UNAUTHORIZED),
    (401, "Invalid L1 Request headers", Why.UNAUTHORIZED),
    (400, "Invalid order payload", Why.MALFORMED),
    (400, "the order owner has to be the owner of the API KEY", Why.UNAUTHORIZED),
    (400, "the order signer address has to be the address of the API KEY", Why.UNAUTHORIZED),
    (400, "'0x7e57' address banned", Why.BANNED),
    (400, "'0x7e57' address in closed only mode", Why.CLOSED_ONLY),
    (400, "Too many orders in payload: 16, max allowed: 15", Why.MALFORMED),
    (400, "Too many orders in payload, max allowed: 1000", Why.MALFORMED),
    (400, "invalid post-only order: order crosses book", Why.WOULD_CROSS),
    (400, f"order {HASH} crosses the book", Why.WOULD_CROSS),
    (400, f"order {HASH} is invalid. Price (0.525) breaks minimum tick size rule: 0.01", Why.OFF_TICK),
    (400, f"order {HASH} is invalid. Size (4.99) lower than the minimum: 5", Why.TOO_SMALL),
    (400, f"order {HASH} is invalid. Duplicated.", Why.DUPLICATED),
    (400, "not enough balance / allowance", Why.NOT_ENOUGH_BALANCE),
    (
        400,
        "not enough balance / allowance: the balance is not enough -> balance: 1000, order amount: 2000",
        Why.NOT_ENOUGH_BALANCE,
    ),
    (400, "not enough balance / allowance: the allowance is not enough -> allowance: 0", Why.NOT_ENOUGH_BALANCE),
    (400, "invalid nonce", Why.MALFORMED),
    (400, "invalid expiration", Why.BAD_EXPIRY),
    (400, "order canceled in the CTF exchange contract", Why.OTHER),
    (400, "order match delayed due to market conditions", None),
    (400, "order couldn't be fully filled. FOK orders are fully filled or killed.", Why.NOT_FILLED),
    (
        400,
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        Why.NOT_FILLED,
    ),
    (400, "the market is not yet ready to process new orders", Why.MARKET_CLOSED),
    (400, "invalid amount for a marketable BUY order ($0.5), min size: $1", Why.TOO_SMALL),
    (400, accuracy("market buy", 2, 4), Why.WRONG_AMOUNTS),
    (400, accuracy("sell", 2, 4), Why.WRONG_AMOUNTS),
    (400, accuracy("buy", 4, 2), Why.WRONG_AMOUNTS),
    (400, "invalid price, price must be greater than 0 and less than 1", Why.OFF_TICK),
    (400, "error parsing fee rate bps () to int64", Why.MALFORMED),
    (400, "invalid signature", Why.MALFORMED),
    (400, "invalid POLY_PROXY signature", Why.MALFORMED),
    (400, "no deposit wallet found for owner", Why.UNAUTHORIZED),
    (400, "order_version_mismatch", Why.MALFORMED),
    (400, "invalid order version, please use the latest clob-client", Why.MALFORMED),
    (400, "Invalid orderID", Why.MALFORMED),
    (400, "Invalid token id", Why.MALFORMED),
    (400, "Payload exceeds the limit", Why.MALFORMED),
    (400, "context canceled", None),
    (404, "No orderbook exists for the requested token id", Why.MARKET_CLOSED),
    (404, "market not found", Why.MARKET_CLOSED),
    (404, "Order not found", None),
    (500, "order timed out", None),
    (500, "could not insert order", None),
    (500, "could not run the execution", None),
    (500, "there are no matching orders", None),
    (500, "FOK orders are filled or killed", None),
    (500, "the trade contains rounding issues", None),
    (500, "price discrepancy", None),
    (425, "service not ready", Why.RESTARTING),
    (503, "post-only mode: only post-only orders and cancels are allowed", Why.POST_ONLY_MODE),
    (
        503,
        "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.",
        Why.CANCEL_ONLY_MODE,
    ),
    (503, "Trading is currently disabled. Check polymarket.com for updates", Why.TRADING_DISABLED),
    (429, "rate limited", Why.RATE_LIMITED),
    (403, "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>", Why.OTHER),
]


@pytest.mark.parametrize(("http", "text", "reason"), SAID, ids=[f"{http} {text[:40]}" for http, text, _ in SAID])
def test_what_the_venue_says_is_read_as(http: int, text: str, reason: Why | None) -> None:
    assert refusal_of(http, text) is reason


WORDLESS = st.text(alphabet="0123456789<>{}:/.-_ \u00e9\u4e2d\n", max_size=60)
"""Nothing that the venue is known to say."""


@given(http=st.integers(500, 599), text=WORDLESS)
def test_a_server_error_with_unknown_words_proves_nothing(http: int, text: str) -> None:
    assert refusal_of(http, text) is None


@given(http=st.integers(400, 499), text=WORDLESS)
def test_a_refused_request_with_unknown_words_is_a_refusal(http: int, text: str) -> None:
    by_status = {425: Why.RESTARTING, 429: Why.RATE_LIMITED}
    assert refusal_of(http, text) is by_status.get(http, Why.OTHER)


# --- everything that the pretend exchange can say


def submit(**changes: object) -> Submit:
    fields: dict[str, object] = {
        "account": Account("0xme"),
        "order": VenueOrderId(HASH),
        "token": TokenId("1"),
        "side": Side.BUY,
        "maker_amount": 2_600_000,
        "taker_amount": 5_000_000,
    }
    return Submit(**(fields | changes))  # type: ignore[arg-type]


def constants() -> Iterator[tuple[str, Refusal]]:
    """Every refusal that `sim/rules.py` names, also those that will be added."""
    for name, value in vars(rules).items():
        if isinstance(value, Refusal):
            yield name, value


def made() -> Iterator[tuple[str, object]]:
    """Every refusal that it makes of numbers."""
    ours = Account("0xme")
    yield "cancel-only", rules.mode_refusal(Mode.CANCEL_ONLY, None, False, Instant(0))
    yield "post-only", rules.mode_refusal(Mode.POST_ONLY, Instant(10**10), False, Instant(0))
    yield "down", rules.mode_refusal(Mode.DOWN, None, False, Instant(0))
    yield "disabled", rules.mode_refusal(Mode.DISABLED, None, False, Instant(0))
    yield "banned", rules.account_refusal(ours, Restriction.BANNED, Side.SELL)
    yield "closed only", rules.account_refusal(ours, Restriction.CLOSED_ONLY, Side.BUY)
    yield "no price", rules.limit_price(submit(maker_amount=0), Price(10_000))
    yield "off tick", rules.limit_price(submit(maker_amount=2_625_000), Price(10_000))
    yield "decimals", rules.decimals_refusal(submit(maker_amount=1), Price(10_000))
    yield (
        "market decimals",
        rules.decimals_refusal(submit(maker_amount=1, time_in_force=TimeInForce.FAK), Price(10_000)),
    )
    yield "sell decimals", rules.decimals_refusal(submit(side=Side.SELL, taker_amount=1), Price(10_000))
    yield "size", rules.size_refusal(submit(taker_amount=4_990_000), Shares(5_000_000))
    yield "expiration", rules.expiration_refusal(submit(expiration=1), rules.Rules(), Instant(0))
    yield "cash", rules.cash_order_refusal(submit(maker_amount=990_000), True, Usd(1_000_000))
    yield "duplicate", rules.duplicated(submit())
    yield "poor", rules.poor(1, 0, 0, 2)
    yield "poorer", rules.poor(1, 2, 3, 4)


@pytest.mark.parametrize(
    ("name", "refusal"), [*constants(), *made()], ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_refusal_of_the_pretend_exchange_is_understood(name: str, refusal: object) -> None:
    assert isinstance(refusal, Refusal)
    reason = refusal_of(refusal.http, refusal.text)
    assert reason not in (None, Why.OTHER)


def test_the_list_of_constants_is_not_empty() -> None:
    assert {name for name, _ in constants()} >= {
        "NOT_READY",
        "NO_BOOK",
        "BAD_PRICE",
        "FOK_KILLED",
        "FAK_KILLED",
        "DOWN",
    }


# --- how an order ended


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("CANCELED", CancelReason.ASKED),
        ("CANCELED_MARKET_RESOLVED", CancelReason.MARKET_RESOLVED),
        (f"CANCELED_{rules.FOK_KILLED.text}", CancelReason.REMAINDER_KILLED),
        (f"CANCELED_{rules.FAK_KILLED.text}", CancelReason.REMAINDER_KILLED),
        ("CANCELED_NOT_ENOUGH_BALANCE", CancelReason.BY_VENUE),
        (f"CANCELED_{rules.poor(1, 0, 0, 2).text}", CancelReason.BY_VENUE),
        ("INVALID", CancelReason.BY_VENUE),
        ("", CancelReason.BY_VENUE),
    ],
)
def test_the_status_word_of_a_cancellation_says_why(status: str, reason: CancelReason) -> None:
    assert cancel_reason_of(status) is reason


def test_the_words_for_an_end_are_those_of_the_pretend_exchange() -> None:
    assert cancel_reason_of(life.CANCELED) is CancelReason.ASKED
    assert cancel_reason_of(life.RESOLVED) is CancelReason.MARKET_RESOLVED
