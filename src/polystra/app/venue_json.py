"""What a person asked of a venue as plain JSON values, in the forms of `report_json`."""

from typing import Any

from polystra.app.cancellation import Fate, Sweep
from polystra.app.inquiries import Label, LabelledFill, LabelledOrder, MarketBook, OrderStory, Purse
from polystra.app.report_json import iso
from polystra.core.units import Price, Shares, show
from polystra.edge.polymarket.venue import UNLIMITED
from polystra.edge.polymarket.wire import Fill, OpenOrder

Json = dict[str, Any]


def of_order(one: LabelledOrder) -> Json:
    return {"id": one.order.id, **_label(one.label), **_terms(one.order)}


def of_story(story: OrderStory) -> Json:
    row = story.row
    return {
        "id": story.id,
        "status": story.status,
        **_label(story.label),
        **({} if row is None else _terms(row.order)),
        "time_in_force": None if row is None else row.time_in_force,
        "created_at": None if row is None or row.created_at is None else iso(row.created_at),
        "expires_at": None if row is None or row.expires_at is None else iso(row.expires_at),
        "trades": [_fill(fill) for fill in story.fills],
    }


def of_fill(one: LabelledFill) -> Json:
    return {**_fill(one.fill), "order": one.fill.order, **_label(one.label)}


def of_purse(purse: Purse) -> Json:
    allowance = purse.allowance
    return {
        "cash_usd": show(purse.cash),
        "allowance_usd": None if allowance is None else "unlimited" if allowance >= UNLIMITED else show(allowance),
        "shares": [{"token": one.token, **_label(one.label), "shares": show(one.shares)} for one in purse.held],
    }


def of_book(found: MarketBook) -> Json:
    return {
        "market": found.market.slug,
        "outcome": "Up",
        "tick": show(found.tick.size),
        "spread": None if found.spread is None else show(found.spread),
        "at": iso(found.book.at),
        "bids": _levels(found.book.bids),
        "asks": _levels(found.book.asks),
    }


def of_fate(fate: Fate) -> Json:
    return {"id": fate.order, "end": fate.end, "traded": show(fate.traded), "said": fate.said}


def of_sweep(sweep: Sweep, *, kill_switch: bool) -> Json:
    return {
        "cancelled": list(sweep.cancelled),
        "left": None if sweep.left is None else list(sweep.left),
        "why": sweep.why,
        "kill_switch": kill_switch,
    }


def _label(label: Label) -> Json:
    return {"market": label.slug, "outcome": label.outcome}


def _terms(order: OpenOrder) -> Json:
    return {
        "side": order.side,
        "price": show(order.price),
        "size": show(order.size),
        "matched": show(order.matched),
        "wallet": order.account,
    }


def _fill(fill: Fill) -> Json:
    return {
        "trade": fill.trade,
        "at": iso(fill.matched_at),
        "side": fill.side,
        "price": show(fill.price),
        "shares": show(fill.shares),
        "role": fill.liquidity,
        "stage": fill.stage,
    }


def _levels(levels: tuple[tuple[Price, Shares], ...]) -> list[Json]:
    return [{"price": show(price), "size": show(size)} for price, size in levels]
