"""Writes what the exchange says in the forms of its two streams (`PROTOCOL.md` C.1, C.2), and nothing else."""

import hashlib
from collections.abc import Iterator

from polystra.core.ids import TokenId
from polystra.core.terms import Outcome, Side
from polystra.core.units import MICRO, Instant, Usd, mirror, show
from polystra.exchange.listings import Listing
from polystra.exchange.wire import (
    Json,
    KeyOf,
    Top,
    address_form,
    base_fee,
    book_of,
    milliseconds,
    number,
    outcome_word,
    seconds_of,
    trade_form,
)
from polystra.sim import messages as sim
from polystra.sim.records import Book

PING = "PING"
PONG = "PONG"

# --- market channel --------------------------------------------------------------------------------------------------


_REST_ALONE = frozenset({"min_order_size", "neg_risk"})
_FIRST_ALONE = frozenset({"tick_size", "last_trade_price"})


def first_book(listing: Listing, book: Book, outcome: Outcome, at: Instant) -> Json:
    """What a subscription begins with: REST's book, with REST's hash, but for two facts of the market (recorded)."""
    form = book_of(listing, book, outcome, at)
    return {name: value for name, value in form.items() if name not in _REST_ALONE} | {"event_type": "book"}


def book_again(listing: Listing, book: Book, outcome: Outcome, at: Instant) -> Json:
    """The book after a trade, without tick and last price (recorded)."""
    form = first_book(listing, book, outcome, at)
    return {name: value for name, value in form.items() if name not in _FIRST_ALONE}


def price_change(listing: Listing, output: sim.PublicLevels) -> Json:
    """Every level twice: as its token has it, and mirrored in the other one."""
    top = Top(output.best_bid, output.best_ask)
    at = milliseconds(output.at)
    entries: list[Json] = []
    for change in output.changes:
        for outcome in Outcome:
            own, up = top.seen_from(outcome), outcome is Outcome.UP
            token = listing.facts.token(outcome)
            price, size = show(change.price if up else mirror(change.price)), show(change.size)
            entries.append(
                {
                    "asset_id": token,
                    "price": price,
                    "size": size,
                    "side": change.side if up else change.side.other,
                    "hash": _digest(token, price, size, at),
                    "best_bid": show(own.bid),
                    "best_ask": show(own.ask),
                }
            )
    return {"market": output.market, "price_changes": entries, "timestamp": at, "event_type": "price_change"}


def last_trade(listing: Listing, output: sim.PublicTrade, outcome: Outcome) -> Json:
    """Where nobody knows who took, the recording does not say: it is called a BUY of Up."""
    taker = output.taker or Side.BUY
    up = outcome is Outcome.UP
    at = milliseconds(output.at)
    token = listing.facts.token(outcome)
    return {
        "market": output.market,
        "asset_id": token,
        "price": show(output.price if up else mirror(output.price)),
        "size": show(output.size),
        "fee_rate_bps": "0",
        "side": taker if up else taker.other,
        "timestamp": at,
        "event_type": "last_trade_price",
        "transaction_hash": f"0x{_digest(listing.facts.id, show(output.price), show(output.size), at)}{'0' * 24}",
    }


def tick_change(listing: Listing, output: sim.PublicTick, outcome: Outcome) -> Json:
    return {
        "event_type": "tick_size_change",
        "asset_id": listing.facts.token(outcome),
        "market": output.market,
        "old_tick_size": show(output.old),
        "new_tick_size": show(output.new),
        "timestamp": milliseconds(output.at),
    }


def best_bid_ask(listing: Listing, top: Top, outcome: Outcome, at: Instant) -> Json:
    own = top.seen_from(outcome)
    return {
        "market": listing.facts.id,
        "asset_id": listing.facts.token(outcome),
        "best_bid": show(own.bid),
        "best_ask": show(own.ask),
        "spread": show(own.ask - own.bid),
        "timestamp": milliseconds(at),
        "event_type": "best_bid_ask",
    }


def new_market(listing: Listing, at: Instant) -> Json:
    """It is told before the market takes orders, so it is not active yet; what only sports have is empty (recorded)."""
    facts = listing.facts
    tokens = [facts.token(outcome) for outcome in Outcome]
    return {
        "event_type": "new_market",
        "id": str(listing.number),
        "question": listing.question,
        "market": facts.id,
        "slug": listing.slug,
        "description": "",
        "assets_ids": tokens,
        "outcomes": [outcome_word(outcome) for outcome in Outcome],
        "event_message": {
            "id": str(listing.number // 4),
            "ticker": listing.slug,
            "slug": listing.slug,
            "title": listing.question,
            "description": "",
        },
        "timestamp": milliseconds(at),
        "tags": [],
        "condition_id": facts.id,
        "active": False,
        "clob_token_ids": tokens,
        "sports_market_type": "",
        "line": "",
        "game_start_time": "",
        "order_price_min_tick_size": show(facts.tick),
        "group_item_title": "",
        "taker_base_fee": str(base_fee(listing)),
        "fees_enabled": bool(facts.fee_rate),
        "fee_schedule": _told_fees(listing),
    }


def market_resolved(listing: Listing, at: Instant, up_payout: Usd) -> Json:
    """A void market has no winner, so none is named."""
    facts = listing.facts
    form: Json = {
        "event_type": "market_resolved",
        "id": str(listing.number),
        "market": facts.id,
        "assets_ids": [facts.token(outcome) for outcome in Outcome],
        "timestamp": milliseconds(at),
        "tags": ["crypto"],
    }
    if up_payout in (0, MICRO):
        winner = Outcome.UP if up_payout else Outcome.DOWN
        form |= {"winning_asset_id": facts.token(winner), "winning_outcome": outcome_word(winner)}
    return form


def fee_schedule(listing: Listing) -> Json | None:
    facts = listing.facts
    if not facts.fee_rate:
        return None
    return {
        "exponent": facts.fee_exponent,
        "rate": number(facts.fee_rate),
        "takerOnly": True,
        "rebateRate": number(facts.rebate_rate),
    }


def _told_fees(listing: Listing) -> Json | None:
    """The schedule as this stream has it: other names than the catalogue's, and texts (recorded)."""
    facts = listing.facts
    if not facts.fee_rate:
        return None
    return {
        "exponent": str(facts.fee_exponent),
        "rate": show(facts.fee_rate),
        "taker_only": True,
        "rebate_rate": show(facts.rebate_rate),
    }


def _digest(*parts: str) -> str:
    return hashlib.sha1(" ".join(parts).encode(), usedforsecurity=False).hexdigest()


# --- user channel ----------------------------------------------------------------------------------------------------


def order_event(output: sim.OrderUpdated, key_of: KeyOf) -> Json:
    """A kill in the match is told with three empty fields, as recorded: official clients cannot read it."""
    order = output.order
    killed = "killed" in output.status
    return {
        "event_type": "order",
        "id": order.id,
        "owner": key_of(order.id),
        "order_owner": key_of(order.id),
        "market": order.market,
        "asset_id": order.token,
        "side": order.side,
        "original_size": show(order.size),
        "size_matched": "" if killed else show(order.matched),
        "price": show(order.price),
        "associate_trades": list(order.trades) or None,
        "outcome": "" if killed else outcome_word(order.outcome),
        "type": output.change,
        "created_at": "" if killed else str(seconds_of(order.created_at)),
        "expiration": str(order.expiration),
        "order_type": order.time_in_force,
        "status": output.status,
        "maker_address": address_form(order.account),
        "timestamp": milliseconds(output.at),
    }


def trade_event(output: sim.TradeUpdated, key_of: KeyOf) -> Json:
    """`owner` is whoever is told, `trade_owner` the taker; the transaction has a hash once it was mined."""
    trade = output.trade
    return {
        "event_type": "trade",
        "type": "TRADE",
        **trade_form(trade, output.liquidity, key_of),
        "status": trade.stage,
        "owner": key_of(output.own.order),
        "trade_owner": key_of(trade.taker.order),
        "timestamp": milliseconds(output.at),
    }


def both(listing: Listing) -> Iterator[tuple[TokenId, Outcome]]:
    """The tokens of a market with their outcomes."""
    for outcome in Outcome:
        yield listing.facts.token(outcome), outcome
