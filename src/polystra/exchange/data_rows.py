"""Writes positions, trades and activity in both forms of the Data API (`PROTOCOL.md` B.9): camel case as before, snake
case in version 2. Numbers are JSON numbers."""

from msgspec import Struct

from polystra.core.terms import Outcome, Side
from polystra.core.units import MICRO, Instant
from polystra.exchange.catalogue import moment
from polystra.exchange.listings import Listing
from polystra.exchange.positions import Position
from polystra.exchange.wire import Json, number, outcome_word, seconds_of, transaction_of
from polystra.sim.records import Account, Leg, Trade

NO_OUTCOME = 999
"""What stands for an outcome where a row is about none."""


class Deed(Struct, frozen=True, gc=False, kw_only=True):
    """Something an account did, or was paid, on the chain. `size` and `cash` are millionths; a deed about both tokens
    has no `outcome`, one that is no trade no `side` and no `price`, and one about cash alone no `listing`."""

    kind: str
    account: Account
    at: Instant
    transaction: str
    size: int
    cash: int
    listing: Listing | None = None
    price: int = 0
    outcome: Outcome | None = None
    side: Side | None = None

    @property
    def market(self) -> str:
        """Its condition id, empty for none."""
        return "" if self.listing is None else self.listing.facts.id


def deed_of(trade: Trade, leg: Leg, listing: Listing) -> Deed:
    return Deed(
        kind="TRADE",
        account=leg.account,
        listing=listing,
        at=trade.matched_at,
        transaction=transaction_of(trade),
        size=leg.shares,
        cash=leg.cash,
        price=leg.price,
        outcome=leg.outcome,
        side=leg.side,
    )


# --- version 1


def position_v1(one: Position) -> Json:
    return {
        "proxyWallet": one.account,
        "asset": one.token,
        "conditionId": one.listing.facts.id,
        "size": number(one.size),
        "avgPrice": number(one.average),
        "initialValue": number(one.cost),
        "currentValue": number(one.value),
        "cashPnl": number(one.unrealized),
        "percentPnl": number(_percent(one.unrealized, one.cost)),
        "totalBought": number(one.bought),
        "realizedPnl": number(one.realized),
        "percentRealizedPnl": number(_percent(one.realized, one.spent)),
        "curPrice": number(one.price),
        "redeemable": one.redeemable,
        "mergeable": one.mergeable,
        **_market_v1(one.listing),
        "eventId": str(one.listing.number // 4),
        "outcome": outcome_word(one.outcome),
        "outcomeIndex": _index(one.outcome),
        "oppositeOutcome": outcome_word(one.outcome.other),
        "oppositeAsset": one.listing.facts.token(one.outcome.other),
        "endDate": moment(one.listing.facts.end)[:10],
        "negativeRisk": one.listing.neg_risk,
    }


def trade_v1(one: Deed) -> Json:
    return {
        "proxyWallet": one.account,
        "side": one.side,
        "asset": _token(one),
        "conditionId": one.market,
        "size": number(one.size),
        "price": number(one.price),
        "timestamp": seconds_of(one.at),
        **_market_v1(one.listing),
        "outcome": _word(one.outcome),
        "outcomeIndex": _index(one.outcome),
        "name": "",
        "pseudonym": "",
        "bio": "",
        "profileImage": "",
        "profileImageOptimized": "",
        "transactionHash": one.transaction,
    }


def activity_v1(one: Deed) -> Json:
    return {"type": one.kind, "usdcSize": number(one.cash), **trade_v1(one), "side": one.side or ""}


# --- version 2


def position_v2(one: Position) -> Json:
    """`entry_cost_usdc` is that of what is held, `total_cost_usdc` that of all that ever came in; neither has fees."""
    status = "CLOSED" if not one.size else "REDEEMABLE" if one.redeemable else "OPEN"
    return {
        "proxy_wallet": one.account,
        "token_id": one.token,
        "condition_id": one.listing.facts.id,
        "current_size": number(one.size),
        "avg_price": number(one.average),
        "entry_cost_usdc": number(one.cost),
        "entry_fees_usdc": number(one.fees),
        "total_cost_usdc": number(one.spent),
        "current_price": number(one.price),
        "current_value": number(one.value),
        "total_size": number(one.bought),
        "realized_pnl": number(one.realized),
        "unrealized_pnl": number(one.unrealized),
        "total_pnl": number(one.realized + one.unrealized),
        "percent_pnl": number(_percent(one.realized + one.unrealized, one.spent)),
        "percent_realized_pnl": number(_percent(one.realized, one.spent)),
        "status": status,
        "redeemable": one.redeemable,
        "mergeable": one.mergeable,
        "negative_risk": one.listing.neg_risk,
        "archived": False,
        "verified": True,
        **_market_v2(one.listing),
        "outcome": outcome_word(one.outcome),
        "outcome_index": _index(one.outcome),
        "opposite_outcome": outcome_word(one.outcome.other),
        "opposite_token_id": one.listing.facts.token(one.outcome.other),
        "end_date": moment(one.listing.facts.end)[:10],
        "first_entry_at": _seconds(one.first_at),
        "last_event_at": _seconds(one.last_at),
    }


def trade_v2(one: Deed) -> Json:
    return {
        "proxy_wallet": one.account,
        "token_id": _token(one),
        "condition_id": one.market,
        "side": one.side,
        "size": number(one.size),
        "price": number(one.price),
        "timestamp": seconds_of(one.at),
        "transaction_hash": one.transaction,
        **_market_v2(one.listing),
        "outcome": _word(one.outcome),
        "outcome_index": _index(one.outcome),
    }


def activity_v2(one: Deed) -> Json:
    return {
        "type": one.kind,
        "is_combo": False,
        "usdc_size": number(one.cash),
        **trade_v2(one),
        "side": one.side or "",
    }


# --- what both have


def _market_v1(listing: Listing | None) -> Json:
    title, slug = _named(listing)
    return {"title": title, "slug": slug, "icon": "", "eventSlug": slug}


def _market_v2(listing: Listing | None) -> Json:
    title, slug = _named(listing)
    return {"title": title, "slug": slug, "icon": "", "event_slug": slug}


def _named(listing: Listing | None) -> tuple[str, str]:
    return ("", "") if listing is None else (listing.question, listing.slug)


def _token(one: Deed) -> str:
    return "" if one.outcome is None or one.listing is None else one.listing.facts.token(one.outcome)


def _word(outcome: Outcome | None) -> str:
    return "" if outcome is None else outcome_word(outcome)


def _index(outcome: Outcome | None) -> int:
    return NO_OUTCOME if outcome is None else list(Outcome).index(outcome)


def _seconds(at: Instant | None) -> int:
    return 0 if at is None else seconds_of(at)


def _percent(part: int, whole: int) -> int:
    return 100 * MICRO * part // whole if whole else 0
