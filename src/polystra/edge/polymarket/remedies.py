"""Knows the venue's error texts (`PROTOCOL.md` E.6): what each proves about an order, and what to do about it. Pure."""

from enum import StrEnum

from msgspec import Struct

from polystra.core.reasons import RefusalReason as Why


class Remedy(StrEnum):
    TRY_AGAIN = "send the same bytes again, after the wait that the venue asks for"
    LOOK_IT_UP = "look the order up by its hash; never send another in its place"
    WAIT_FOR_BALANCE = "wait until a trade settles or the balance was read again"
    DECIDE_ANEW = "read the book and decide anew: this order met another book than it was made for"
    FIX_THE_ORDER = "make another order: this one breaks a rule of its market"
    LEAVE_THE_MARKET = "wait until the market takes orders, or leave it"
    CALL_A_PERSON = "stop: a person must act"


class Known(Struct, frozen=True, gc=False):
    """An error that contains `words`. Without a reason it does not prove that the order stayed out of the book."""

    words: str
    reason: Why | None
    remedy: Remedy


TEXTS = (
    # the order
    Known("the allowance is not enough", Why.NOT_ENOUGH_BALANCE, Remedy.CALL_A_PERSON),
    Known("not enough balance / allowance", Why.NOT_ENOUGH_BALANCE, Remedy.WAIT_FOR_BALANCE),
    Known("breaks minimum tick size rule", Why.OFF_TICK, Remedy.FIX_THE_ORDER),
    Known("invalid price, price must be greater than 0", Why.OFF_TICK, Remedy.FIX_THE_ORDER),
    Known("lower than the minimum", Why.TOO_SMALL, Remedy.FIX_THE_ORDER),
    Known("invalid amount for a marketable BUY order", Why.TOO_SMALL, Remedy.FIX_THE_ORDER),
    Known("invalid amounts", Why.WRONG_AMOUNTS, Remedy.FIX_THE_ORDER),
    Known("invalid expiration", Why.BAD_EXPIRY, Remedy.FIX_THE_ORDER),
    Known("order crosses book", Why.WOULD_CROSS, Remedy.DECIDE_ANEW),
    Known("crosses the book", Why.WOULD_CROSS, Remedy.DECIDE_ANEW),
    Known("FOK orders are fully filled or killed", Why.NOT_FILLED, Remedy.DECIDE_ANEW),
    Known("no orders found to match with FAK order", Why.NOT_FILLED, Remedy.DECIDE_ANEW),
    Known("is invalid. Duplicated.", Why.DUPLICATED, Remedy.LOOK_IT_UP),
    Known("order canceled in the CTF exchange contract", Why.OTHER, Remedy.CALL_A_PERSON),
    # the market and the venue
    Known("not yet ready to process new orders", Why.MARKET_CLOSED, Remedy.LEAVE_THE_MARKET),
    Known("No orderbook exists", Why.MARKET_CLOSED, Remedy.LEAVE_THE_MARKET),
    Known("market not found", Why.MARKET_CLOSED, Remedy.LEAVE_THE_MARKET),
    Known("service not ready", Why.RESTARTING, Remedy.TRY_AGAIN),
    Known("post-only mode", Why.POST_ONLY_MODE, Remedy.TRY_AGAIN),
    Known("Trading is currently cancel-only", Why.CANCEL_ONLY_MODE, Remedy.TRY_AGAIN),
    Known("Trading is currently disabled", Why.TRADING_DISABLED, Remedy.TRY_AGAIN),
    Known("rate limited", Why.RATE_LIMITED, Remedy.TRY_AGAIN),
    # who asks
    Known("address in closed only mode", Why.CLOSED_ONLY, Remedy.CALL_A_PERSON),
    Known("address banned", Why.BANNED, Remedy.CALL_A_PERSON),
    Known("Unauthorized/Invalid api key", Why.UNAUTHORIZED, Remedy.CALL_A_PERSON),
    Known("Invalid L1 Request headers", Why.UNAUTHORIZED, Remedy.CALL_A_PERSON),
    Known("the order owner has to be the owner of the API KEY", Why.UNAUTHORIZED, Remedy.CALL_A_PERSON),
    Known("the order signer address has to be the address of the API KEY", Why.UNAUTHORIZED, Remedy.CALL_A_PERSON),
    Known("no deposit wallet found for owner", Why.UNAUTHORIZED, Remedy.CALL_A_PERSON),
    # how it was asked
    Known("invalid signature", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("invalid POLY_PROXY signature", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("order_version_mismatch", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("invalid order version", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("invalid nonce", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("error parsing", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("Too many orders in payload", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("Invalid order payload", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("Invalid orderID", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("Invalid token id", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("Invalid side", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("Invalid payload", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("Payload exceeds the limit", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("Invalid market", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("invalid order params payload", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("Invalid trade params payload", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("Invalid asset type", Why.MALFORMED, Remedy.CALL_A_PERSON),
    Known("Invalid signature_type", Why.MALFORMED, Remedy.CALL_A_PERSON),
    # what proves nothing
    Known("order match delayed", None, Remedy.LOOK_IT_UP),
    Known("context canceled", None, Remedy.LOOK_IT_UP),
    Known("order timed out", None, Remedy.LOOK_IT_UP),
    Known("Order not found", None, Remedy.LOOK_IT_UP),
    Known("could not insert order", None, Remedy.LOOK_IT_UP),
    Known("could not run the execution", None, Remedy.LOOK_IT_UP),
    Known("there are no matching orders", None, Remedy.LOOK_IT_UP),
    Known("FOK orders are filled or killed", None, Remedy.LOOK_IT_UP),
    Known("the trade contains rounding issues", None, Remedy.LOOK_IT_UP),
    Known("price discrepancy", None, Remedy.LOOK_IT_UP),
)
"""The first that fits counts: more words stand before fewer."""


def known(text: str) -> Known | None:
    """None for words that the venue is not known to say."""
    return next((one for one in TEXTS if one.words in text), None)


def remedy_for(reason: Why, text: str) -> Remedy:
    """What to do about a refusal, also one in unknown words."""
    if said := known(text):
        return said.remedy
    return _WORDLESS.get(reason, Remedy.CALL_A_PERSON)


_WORDLESS = {Why.RESTARTING: Remedy.TRY_AGAIN, Why.RATE_LIMITED: Remedy.TRY_AGAIN}
"""Known by their HTTP status alone."""
