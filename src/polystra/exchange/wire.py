"""Writes what the exchange has in the live forms of the CLOB's REST (`PROTOCOL.md` B.1 to B.7), and nothing else.

Prices and sizes are decimal texts, base units whole numbers in texts, moments seconds or milliseconds. Books have their
best level last. An object here is a dict whose keys stand in the order of the venue.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from polystra.core.ids import VenueOrderId
from polystra.core.terms import Liquidity, Outcome, Side, TradeStage
from polystra.core.units import NO_ASK, NO_BID, Instant, Price, Shares, decimal, mirror, show
from polystra.exchange.listings import Listing
from polystra.sim import messages as sim
from polystra.sim.records import STREET, Account, Book, Leg, OpenOrder, Trade

Json: TypeAlias = dict[str, object]
KeyOf: TypeAlias = Callable[[VenueOrderId], str]
"""The API key that placed an order."""

encode = msgspec.json.Encoder().encode

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading hostile JSON can raise."""

LEGACY_FEE = 1000
"""What the venue states on every market with fees; not the fee."""

_STREET_ADDRESS = "0x000000000000000000000000000000000000dEaD"
_SECOND = 1_000_000_000
_CENT = 10_000
_MILLISECOND = 1_000_000


def seconds_of(at: Instant) -> int:
    return at // _SECOND


def milliseconds(at: Instant) -> str:
    return str(at // _MILLISECOND)


def outcome_word(outcome: Outcome) -> str:
    return outcome.value.capitalize()


def number(quantity: int) -> float | int:
    """A quantity where the venue writes a JSON number."""
    exact = decimal(quantity)
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def decimal_text(quantity: int) -> str:
    """A quantity with eight digits behind the point, as Binance writes it."""
    return f"{decimal(quantity):.8f}"


# --- books -----------------------------------------------------------------------------------------------------------


class Top(msgspec.Struct, frozen=True, gc=False):
    """The best prices of one token; `NO_BID` and `NO_ASK` where a side is empty."""

    bid: Price
    ask: Price

    def seen_from(self, outcome: Outcome) -> "Top":
        """These prices, which are Up's, as that outcome has them."""
        return self if outcome is Outcome.UP else Top(mirror(self.ask), mirror(self.bid))


def top_of(book: Book) -> Top:
    """The best prices of Up."""
    return Top(book.bids[0][0] if book.bids else NO_BID, book.asks[0][0] if book.asks else NO_ASK)


def book_of(listing: Listing, book: Book, outcome: Outcome, at: Instant) -> Json:
    """One token's book with its hash, as REST gives it. `at` is its last change."""
    bids, asks = (book.bids, book.asks) if outcome is Outcome.UP else (book.asks, book.bids)
    form: Json = {
        "market": book.market,
        "asset_id": listing.facts.token(outcome),
        "timestamp": milliseconds(at),
        "hash": "",
        "bids": _levels(bids, outcome),
        "asks": _levels(asks, outcome),
        "min_order_size": show(book.min_shares),
        "tick_size": show(book.tick),
        "neg_risk": listing.neg_risk,
        "last_trade_price": "" if book.last_trade is None else show(book.last_trade),
    }
    form["hash"] = hashlib.sha1(encode(form), usedforsecurity=False).hexdigest()
    return form


def _levels(best_first: Sequence[tuple[Price, Shares]], outcome: Outcome) -> list[Json]:
    up = outcome is Outcome.UP
    return [{"price": show(at if up else mirror(at)), "size": show(size)} for at, size in reversed(best_first)]


def middle(top: Top) -> str | None:
    if top.bid == NO_BID or top.ask == NO_ASK:
        return None
    return show((top.bid + top.ask) // 2)


def spread(top: Top) -> str | None:
    return None if top.bid == NO_BID or top.ask == NO_ASK else show(top.ask - top.bid)


def best(top: Top, side: Side) -> str | None:
    """BUY asks for the best bid, SELL for the best ask."""
    price = top.bid if side is Side.BUY else top.ask
    return None if price in (NO_BID, NO_ASK) else show(price)


# --- markets ---------------------------------------------------------------------------------------------------------


def compact_market(listing: Listing, tick: Price, *, accepting: bool) -> Json:
    """`/clob-markets/{cid}`; what is false or absent is left out."""
    facts = listing.facts
    form: Json = {
        "c": facts.id,
        "t": [{"t": facts.token(outcome), "o": outcome_word(outcome)} for outcome in Outcome],
        "mos": number(facts.min_shares),
        "mts": number(tick),
        "mbf": base_fee(listing),
        "tbf": base_fee(listing),
        "r": {
            "mi": number(facts.reward_min),
            "ma": facts.reward_spread / _CENT,
            "moas": seconds_of(Instant(facts.reward_age)),
        },
        "ao": accepting,
        "itode": bool(facts.taker_hold),
        "v": "v1" if listing.contract.version == "2" else "v2",
    }
    if facts.fee_rate:
        form["fd"] = {"r": number(facts.fee_rate), "e": facts.fee_exponent, "to": True}
    if listing.neg_risk:
        form["nr"] = True
    return {key: value for key, value in form.items() if value is not False}


def base_fee(listing: Listing) -> int:
    return LEGACY_FEE if listing.facts.fee_rate else 0


def market_of_token(listing: Listing) -> Json:
    facts = listing.facts
    return {
        "condition_id": facts.id,
        "primary_token_id": facts.up_token,
        "secondary_token_id": facts.down_token,
    }


# --- orders and trades -----------------------------------------------------------------------------------------------


def order_form(order: OpenOrder, key_of: KeyOf) -> Json:
    return {
        "id": order.id,
        "status": "LIVE",
        "owner": key_of(order.id),
        "maker_address": address_form(order.account),
        "market": order.market,
        "asset_id": order.token,
        "side": order.side,
        "original_size": show(order.size),
        "size_matched": show(order.matched),
        "price": show(order.price),
        "outcome": outcome_word(order.outcome),
        "expiration": str(order.expiration),
        "order_type": order.time_in_force,
        "associate_trades": list(order.trades),
        "created_at": seconds_of(order.created_at),
    }


def trade_form(trade: Trade, seen_by: Liquidity, key_of: KeyOf) -> Json:
    """A trade as listed: what stands on top is the taker's, whoever asks."""
    taker = trade.taker
    return {
        "id": trade.id,
        "taker_order_id": taker.order,
        "market": trade.market,
        "asset_id": taker.token,
        "side": taker.side,
        "size": show(taker.shares),
        "fee_rate_bps": "0",
        "price": show(taker.price),
        "status": f"TRADE_STATUS_{trade.stage}",
        "match_time": str(seconds_of(trade.matched_at)),
        "last_update": str(seconds_of(trade.updated_at)),
        "outcome": outcome_word(taker.outcome),
        "bucket_index": 0,
        "owner": key_of(taker.order),
        "maker_address": address_form(taker.account),
        "transaction_hash": transaction_of(trade),
        "trader_side": "TAKER" if seen_by is Liquidity.TAKER else "MAKER",
        "maker_orders": [_maker_order(trade.maker, key_of)],
    }


def _maker_order(leg: Leg, key_of: KeyOf) -> Json:
    return {
        "order_id": leg.order,
        "owner": key_of(leg.order),
        "maker_address": address_form(leg.account),
        "matched_amount": show(leg.shares),
        "price": show(leg.price),
        "fee_rate_bps": "0",
        "asset_id": leg.token,
        "outcome": outcome_word(leg.outcome),
        "side": leg.side,
    }


def transaction_of(trade: Trade) -> str:
    """The transaction that settled a trade; empty before there was one."""
    if not trade.stage.settled and trade.stage is not TradeStage.FAILED:
        return ""
    return f"0x{hashlib.sha256(trade.id.encode()).hexdigest()}"


def address_form(account: Account) -> str:
    return _STREET_ADDRESS if account == STREET else account


# --- answers ---------------------------------------------------------------------------------------------------------


def accepted_form(answer: sim.OrderAccepted) -> Json:
    matched = bool(answer.trades)
    form: Json = {
        "success": True,
        "errorMsg": "",
        "orderID": answer.order,
        "status": answer.status,
        "makingAmount": show(answer.making) if matched else "",
        "takingAmount": show(answer.taking) if matched else "",
    }
    if matched:
        form["tradeIDs"] = list(answer.trades)
    return form


def rejected_form(answer: sim.OrderRejected) -> Json:
    """The body of a single post. Of an order that was killed in the match the venue tells the id."""
    form: Json = {"error": answer.text}
    if "killed" in answer.text:
        form["orderID"] = answer.order
    if answer.code:
        form["code"] = answer.code
    if answer.retry_after is not None:
        form["retry_after_seconds"] = answer.retry_after
    return form


def refused_in_batch(text: str) -> Json:
    """One of a batch that was refused; `success` really is true."""
    return {"success": True, "errorMsg": text, "orderID": "", "status": "", "makingAmount": "", "takingAmount": ""}


def cancelled_form(canceled: Sequence[VenueOrderId], missing: Sequence[tuple[VenueOrderId, str]]) -> Json:
    return {"canceled": list(canceled), "not_canceled": dict(missing)}


def balance_form(amount: int, allowances: Mapping[str, int]) -> Json:
    """Base units."""
    return {"balance": str(amount), "allowances": {spender: str(most) for spender, most in allowances.items()}}
