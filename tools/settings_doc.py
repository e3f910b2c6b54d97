"""Writes docs/settings.md from the settings' own models: `python -m tools.settings_doc`.

Names, defaults and ranges come from app/setting_sections.py; the unit and the line for people are kept here, and a
setting without them is an error. A test compares the page with what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from polystra.app.demo import changed_settings
from polystra.app.settings import Settings, demo_settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

LINES: Mapping[str, tuple[str, str]] = {
    "stakes.bet_percent": (
        "%",
        "One entry uses half of this part of the free cash at conviction 0, four times it at 1.",
    ),
    "stakes.max_stake_usd": ("USD", "No entry is sized above this."),
    "limits.max_order_usd": ("USD", "The most one entry may cost, fee included."),
    "limits.max_market_usd": ("USD", "The most one window may cost, what is held and what may still fill."),
    "limits.max_total_usd": ("USD", "The same over all windows."),
    "limits.max_open_positions": ("windows", "In how many windows we may hold or be about to hold something."),
    "limits.max_daily_loss_usd": ("USD", "Once a UTC day has lost more than this, nothing is opened until the next."),
    "limits.max_spread": ("USD a share", "No entry while ask minus bid is wider."),
    "limits.min_edge_usd": (
        "USD a share",
        "The value gate: probability − price − fee must reach this. Below 0 it lets losing bets through.",
    ),
    "limits.min_time_left_seconds": ("s", "No entry when the window has less left."),
    "exits.target": ("USD a share", "A sell rests here once the holding is old enough. 0 is off: held to settlement."),
    "exits.min_age_seconds": (
        "s",
        "How old a holding must be before its target is placed, in a window of 15 minutes; in others in proportion.",
    ),
    "exits.stop_price": ("USD a share", "The stop holds when the bid is at or below this. 0 is off."),
    "exits.stop_distance": ("USD a share", "The price stop is at least this far below the entry."),
    "exits.stop_percent": ("%", "The stop also holds when the bid is this much below the entry price. 0 is off."),
    "exits.stop_min_age_seconds": ("s", "No stop on a younger holding."),
    "exits.hold_last_seconds": ("s", "Nothing is sold in the window's last seconds: held to settlement."),
    "exits.stop_order": ("", "`FAK` sells what it can and tries the rest again; `FOK` sells all at once or nothing."),
    "exits.stop_slippage": ("USD a share", "A stop sells at worst this far below the bid that set it off."),
    "exits.break_even_arm_percent": (
        "%",
        "Once the bid has been this much above the entry price, a bid back at entry and fees sells. 0 is off.",
    ),
    "exits.take_profit_percent": ("%", "Sells to the bids when the bid is this much above the entry price. 0 is off."),
    "exits.ladder": (
        "s before the end, action",
        "`hold` to settlement, or `sell_into_bids` where bid − fee is above the chance: [positions](positions.md).",
    ),
    "exits.pairs_need_no_stop": ("", "Equal Up and Down are not stopped: a pair is worth 1 USD whatever happens."),
    "rewards.watch": ("", "Ask the venue once a minute whether resting targets earn liquidity rewards, and show it."),
    "rewards.rule": (
        "",
        "When a target that does not score is [moved](positions.md): by price, or if it pays more. Either watches too.",
    ),
    "rewards.min_midpoint": ("USD a share", "No target is moved unless the middle of its own book is above this."),
    "rewards.min_price": ("USD a share", "No target is moved below this."),
    "rewards.price_offset": ("USD a share", "A moved target rests so far above that middle, rounded up to the tick."),
    "unfilled.cancel_orders": (
        "",
        "Give up resting entries that nobody fills; off: they rest as long as wished for.",
    ),
    "unfilled.timeout_seconds": (
        "s",
        "A resting entry that is older is cancelled. Meant for 15-minute windows; in others in proportion.",
    ),
    "unfilled.cancel_threshold_percent": (
        "%",
        "So is one whose token has become this much cheaper since it was placed, by the middle of its book.",
    ),
    "unfilled.retry_on_winning_side": (
        "",
        "One that was too old is tried again, once, at the market while the underlying is on its side.",
    ),
    "unfilled.retry_above_percent": ("%", "It is tried again only if its token has become more than this much dearer."),
    "scale_in.enabled": ("", "Add to what is held, once a position, where value and risk let it through."),
    "scale_in.time_left_seconds": (
        "s",
        "In this last part of a window of 15 minutes; in proportion in others: 150 s in one of 5 minutes.",
    ),
    "scale_in.min_price": ("USD a share", "Not while the middle of the token's book is below this."),
    "scale_in.max_price": ("USD a share", "Nor while it is above this."),
    "scale_in.multiplier": ("", "How much: this many times what is held."),
    "scale_in.order": ("", "`take` takes what is offered, at once; `rest` rests at the best bid, post-only."),
    "reversal.after_stop": (
        "",
        "After a stop at a loss, buy the other side for at most the cash that came back, if value and risk agree.",
    ),
    "reversal.hedged": (
        "",
        "Where a stop holds, buy as many shares of the other side first, and sell the loser later; else the stop goes.",
    ),
    "reversal.within_seconds": ("s", "How long after the stop the reversal is tried."),
    "reversal.hedged_sell_at": ("USD a share", "The hedged loser is sold at once when its bid is at or below this."),
    "reversal.hedged_sell_after_seconds": ("s", "Else it is sold this long after the hedge, if the stop still holds."),
    "engine.book_patience_seconds": ("s", "A book silent for longer is not trusted."),
    "engine.doubt_patience_seconds": (
        "s",
        "An order in doubt that nobody finds counts as gone after this: more than any late acceptance.",
    ),
    "engine.reading_every_seconds": ("s", "How often the venue's account is read and compared."),
    "engine.drift_confirmed_after_seconds": ("s", "A difference counts when two readings this far apart show it."),
    "engine.max_clock_offset_seconds": (
        "s",
        "How far the machine's clock may be from the venue's, by which times are corrected; beyond, nothing is opened.",
    ),
    "engine.auto_adjust_percent": ("%", "The part of a holding that may be written off without calling a person."),
    "engine.outside_positions": (
        "",
        "Shares that somebody bought outside the bot: `manage` them for exit and settlement, or `leave` them alone.",
    ),
    "strategy.name": ("", "Which strategy trades."),
    "strategy.tilted_prior.momentum_weight": ("log-odds", "How far full momentum moves the market's own probability."),
    "strategy.tilted_prior.imbalance_weight": ("log-odds", "How far a book with one side only would move it."),
    "strategy.tilted_prior.min_edge_usd": (
        "USD a share",
        "It asks for an entry from this edge on; the value gate comes after it.",
    ),
    "strategy.tilted_prior.earliest_seconds": ("s", "It waits this long after the window's start."),
    "strategy.tilted_prior.latest_seconds": ("s", "It opens nothing when less is left."),
    "strategy.tilted_prior.min_price": ("USD a share", "It buys no outcome that is cheaper."),
    "strategy.tilted_prior.max_price": ("USD a share", "It buys no outcome that is dearer."),
    "strategy.tilted_prior.every_seconds": ("s", "Its clock: how often it looks."),
    "strategy.tilted_prior.depth_levels": ("levels", "How many levels of each side the imbalance counts."),
    "venue.heartbeat": ("", "Beat every 5 s from before the first order on; the venue cancels all when it stops."),
    "redemption.enabled": ("", "Whether the trader redeems by itself; a deposit wallet (signature type 3) is needed."),
    "redemption.every_seconds": ("s", "How often it looks for claims."),
    "redemption.max_batches_per_day": (
        "",
        "The budget: most transactions in 24 hours, failed ones and merges too.",
    ),
    "merging.enabled": (
        "",
        "Whether the trader merges pairs by itself: they have no target then. It takes a deposit wallet.",
    ),
    "merging.every_seconds": ("s", "How often it looks for pairs."),
    "merging.min_pairs": ("pairs", "Fewer free pairs of a window are left. The budget is `redemption`'s."),
    "venue.notifications_every_seconds": ("s", "How often the venue's notifications are read; 0 is never."),
    "venue.stream_renewed_every_seconds": (
        "s",
        "How long a connection of the market stream is used before another takes over; 0 is for ever.",
    ),
    "venue.orders_at_stop": ("", "What happens to resting orders at a stop; `keep` needs `heartbeat` off."),
    "simulation.starting_cash_usd": ("USD", "Our cash at the pretend venue."),
    "simulation.order_latency_ms": ("ms", "How long a request takes to the venue: shortest, longest."),
    "simulation.answer_latency_ms": ("ms", "How long its answer takes back."),
    "simulation.stream_latency_ms": ("ms", "How late the market and user streams are."),
    "simulation.taker_hold_ms": ("ms", "How long the venue holds an order that would take before it is matched."),
    "simulation.resolve_after_seconds": ("s", "When an ended window closes and pays."),
    "simulation.pays_makers": ("", "Makers are paid each midnight UTC, which Polystra's own books do not expect."),
}

HEAD = """\
# Settings

This page is written from `app/setting_sections.py` by `python -m tools.settings_doc`. Do not edit it; a test fails when
it is stale.

Settings are one TOML file, named with `--settings FILE`. `POLYSTRA__SECTION__KEY` in the environment overrides it, for
example `POLYSTRA__LIMITS__MAX_ORDER_USD=50`. What is not named keeps its default. An unknown name or a value out of
range is refused with the place, the value and what is allowed, exit code 2. There are no secrets among them.

```toml
[limits]
max_order_usd = 50

[strategy.tilted_prior]
min_edge_usd = 0.03
```
"""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    lines = [HEAD, *section("", Settings)]
    lines += ["## What the demo changes", ""]
    lines += [
        "Without `--settings`, `polystra demo` uses `app/demo.toml`, which lowers the value gate so that there is"
    ]
    lines += ["something to see. It differs from the defaults in:", ""]
    lines += [f"- `{one.name}` = {one.value}, by default {one.default}" for one in changed_settings(demo_settings({}))]
    return "\n".join(lines) + "\n"


def section(path: str, model: type[BaseModel]) -> Iterator[str]:
    """The settings of one table of the file, then those of the tables below it."""
    own = {name: field for name, field in model.model_fields.items() if not is_section(field)}
    if own:
        yield f"## {path}"
        yield ""
        if model.__doc__:
            yield " ".join(model.__doc__.split())
            yield ""
        yield "| name | unit | default | range | what it does |"
        yield "|---|---|---|---|---|"
        for name, field in own.items():
            unit, line = LINES[f"{path}.{name}"]
            yield f"| `{name}` | {unit} | {shown(field.default)} | {range_of(field)} | {line} |"
        yield ""
    for name, field in model.model_fields.items():
        if is_section(field):
            yield from section(f"{path}.{name}".lstrip("."), annotated_model(field))


def names(path: str = "", model: type[BaseModel] = Settings) -> Iterator[str]:
    """Every setting by its full name."""
    for name, field in model.model_fields.items():
        here = f"{path}.{name}".lstrip(".")
        if is_section(field):
            yield from names(here, annotated_model(field))
        else:
            yield here


def is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def annotated_model(field: FieldInfo) -> type[BaseModel]:
    kind = field.annotation
    assert isinstance(kind, type)
    assert issubclass(kind, BaseModel)
    return kind


def shown(default: Any) -> str:
    if isinstance(default, tuple):
        if not default:
            return "none"
        return ", ".join(shown(one) for one in default)
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:f}" if isinstance(default, Decimal) else str(default)


def range_of(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return " or ".join(map(str, get_args(field.annotation)))
    if field.annotation is bool:
        return "true or false"
    if get_origin(field.annotation) is tuple:
        inner = get_args(field.annotation)[0]
        if get_origin(inner) is tuple:
            time, action = get_args(inner)
            return f"pairs of {bounds(list(time.__metadata__[0].metadata))} and " + " or ".join(get_args(action))
        (bounded,) = set(get_args(field.annotation))
        return "each " + bounds([part for info in bounded.__metadata__ for part in info.metadata])
    return bounds(field.metadata)


def bounds(metadata: list[Any]) -> str:
    """`0 to 500`; an end that is not allowed itself is named `above` or `below`."""
    found = {sign: getattr(one, sign) for one in metadata for sign in ("ge", "gt", "le", "lt") if hasattr(one, sign)}
    if found.keys() == {"ge", "le"}:
        return f"{found['ge']} to {found['le']:,}"
    low = f"above {found['gt']}" if "gt" in found else f"from {found['ge']}"
    high = f"below {found['lt']}" if "lt" in found else f"to {found['le']:,}"
    return f"{low}, {high}"


if __name__ == "__main__":
    main()
