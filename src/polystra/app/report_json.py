"""A report and its parts as plain JSON values, one object. Money, prices and shares are exact decimals as text;
times are UTC in ISO 8601; what is unknown is null, never zero.
"""

from datetime import UTC, datetime
from typing import Any

from polystra.app.check import Difference
from polystra.app.demo import DemoResult
from polystra.app.kill_switch import Word
from polystra.app.replay import ReplayResult, words_of
from polystra.app.report import Checked, Report, WindowLine
from polystra.app.status import Status
from polystra.app.words import window_name
from polystra.core.account import Equity
from polystra.core.engine import Step
from polystra.core.ids import show_order
from polystra.core.units import Instant, show
from polystra.edge.store.answers import Decision, OrderLine, Position, Rewards, Transition, Window
from polystra.edge.store.migrations import SchemaStatus

Json = dict[str, Any]


def of_demo(result: DemoResult) -> Json:
    replayed = result.replayed
    return {
        **of_report(result.report),
        "seed": result.seed,
        "version": replayed.head.version,
        "events": replayed.events,
        "engine_seconds": round(replayed.engine_seconds, 6),
        "run_seconds": round(result.seconds, 6),
        "journal_sha256": result.journal_sha256,
        "settings_sha256": replayed.head.settings_digest,
        "recordings_sha256": replayed.head.tape_digest,
        "replay_identical": replayed.identical,
        "settings_changed": [{"name": one.name, "value": one.value, "default": one.default} for one in result.changed],
    }


def of_report(report: Report) -> Json:
    counts, totals, checked, run = report.counts, report.totals, report.checked, report.run
    return {
        "windows": counts.windows,
        "windows_traded": counts.traded,
        "decisions": counts.decisions,
        "denials": counts.denials,
        "entries": counts.entries,
        "exits": counts.exits,
        "stops": counts.stops,
        "orders": counts.orders,
        "fills": counts.fills,
        "settlements": counts.settlements,
        "settlements_held_won": counts.held_won,
        "settlements_held_lost": counts.held_lost,
        "fees_usd": show(totals.fees),
        "pnl_usd": show(totals.realised),
        "deposited_usd": show(totals.deposited),
        "ledger_cash_usd": show(totals.cash),
        "merged_usd": show(totals.merged),
        "redeemable_usd": show(totals.redeemable),
        "equity": _equity(report.equity),
        "states": [_transition(one) for one in report.transitions],
        "unsettled_cash_usd": show(report.unsettled),
        "rewards": None if report.rewards is None else _rewards(report.rewards),
        **_check(checked),
        "seed": None if run is None else run.seed,
        "version": None if run is None else run.version,
        "journal_sha256": None if run is None else run.journal_sha256,
        "per_window": [_window_line(line) for line in report.lines],
        "assumptions": [{"text": text, "windows": count} for text, count in report.assumptions],
        "unknown": list(report.unknown),
        "sources": [
            {"source": one.source, "attribution": one.attribution, "windows": one.windows} for one in report.sources
        ],
    }


def _rewards(rewards: Rewards) -> Json:
    return {
        "exits": {score.value: count for score, count in rewards.scores},
        "moves": rewards.moves,
        "conceded_usd": show(rewards.conceded),
        "estimated_usd": None if rewards.estimate is None else show(rewards.estimate),
        "earned_usd": None,
    }


def of_replay(result: ReplayResult) -> Json:
    found = result.difference
    return {
        "identical": result.identical,
        "events": result.events,
        "steps": result.steps,
        "engine_seconds": round(result.engine_seconds, 6),
        "version": result.head.version,
        "mode": result.head.mode,
        "strategy": result.head.strategy,
        "seed": result.head.seed,
        "different_head": [{"name": one.name, "recorded": one.recorded, "now": one.now} for one in result.others],
        "torn": result.torn,
        "unfinished_event": result.unfinished,
        "first_difference": None
        if found is None
        else {
            "seq": found.seq,
            "at": iso(found.at),
            "event": type(found.event).__name__,
            "recorded": _step(found.recorded),
            "now": _step(found.now),
        },
    }


def of_status(status: Status) -> Json:
    run, totals = status.run, status.totals
    return {
        "run": None if run is None else run.id,
        "mode": None if run is None else run.mode,
        "strategy": None if run is None else run.strategy,
        "version": None if run is None else run.version,
        "started_at": None if run is None else iso(run.started_at),
        "ended_at": None if run is None or run.ended_at is None else iso(run.ended_at),
        "process": status.process,
        "state": status.state,
        "state_by_file": None if status.by_file is None else _word(status.by_file),
        "states": [_transition(one) for one in status.transitions],
        "cash_usd": show(totals.cash),
        "redeemable_usd": show(totals.redeemable),
        "equity": _equity(status.equity),
        "windows": totals.windows,
        "windows_settled": totals.settled,
        "halted": [_slug(status, market) for market in status.halted],
        "open_orders": [{"window": _slug(status, one.market), **_order(one)} for one in status.open_orders],
        "positions": [_position(_slug(status, one.market), one) for one in status.positions],
        "last_decisions": [{"window": _slug(status, market), **_decision(one)} for market, one in status.decisions],
    }


def of_schema(status: SchemaStatus) -> Json:
    return {
        "schema": status.current,
        "newest": status.head,
        "pending": [{"number": number, "name": name} for number, name in status.pending],
        "history": [
            {"number": one.number, "name": one.name, "applied_at": iso(one.applied_at)} for one in status.history
        ],
    }


def iso(at: Instant) -> str:
    """`2026-09-28T13:31:05.000250Z`; what is finer than a microsecond is dropped."""
    moment = datetime.fromtimestamp(at // 10**9, UTC).replace(microsecond=at % 10**9 // 1_000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _equity(one: Equity) -> Json:
    """`held_at_cost_usd` is what is held and nobody knows a bid for."""
    return {
        "total_usd": show(one.total),
        "cash_usd": show(one.cash),
        "held_at_bid_usd": show(one.at_bid),
        "held_at_cost_usd": show(one.at_cost),
        "redeemable_usd": show(one.redeemable),
        "bids_of": None if one.priced_at is None else iso(one.priced_at),
    }


def _transition(one: Transition) -> Json:
    return {"at": iso(one.at), "before": one.before, "after": one.after, "who": one.who, "why": one.why}


def _word(one: Word) -> Json:
    return {"state": one.state.value, "who": one.who, "why": one.why}


def _check(checked: Checked | None) -> Json:
    if checked is None:
        return {"exchange_cash_usd": None, "ledger_matches_exchange": None, "differences": []}
    return {
        "exchange_cash_usd": show(checked.cash),
        "ledger_matches_exchange": not checked.differences,
        "differences": [_difference(one) for one in checked.differences],
    }


def _difference(one: Difference) -> Json:
    return {"subject": one.subject, "ledger": one.ledger, "exchange": one.exchange}


def _window_line(line: WindowLine) -> Json:
    window = line.window
    return {
        "window": window_name(window.asset, window.start, window.end),
        "slug": window.slug,
        "market": window.market,
        "start": iso(window.start),
        "end": iso(window.end),
        "decision": None if window.decision is None else _decision(window.decision),
        "decisions": window.decisions,
        "denials": window.denials,
        "orders": [_order(order) for order in line.orders],
        "fills": window.fills,
        "fees_usd": show(window.fees),
        "cash_usd": show(window.cash),
        "merged_usd": show(window.merged),
        "payout_up": _or_null(window.payout_up),
        "result": _result(line),
        "held": {outcome.value: show(held) for outcome, held in line.held},
        "redeemable_usd": show(window.redeemable),
        "pnl_usd": _or_null(window.pnl),
    }


def _result(line: WindowLine) -> str | None:
    if line.window.payout_up is None:
        return None
    return "void" if line.winner is None else line.winner.value


def _decision(one: Decision) -> Json:
    return {
        "at": iso(one.at),
        "strategy": one.strategy,
        "action": one.action,
        "reason": one.reason,
        "outcome": None if one.outcome is None else one.outcome.value,
        "probability": _or_null(one.probability),
        "price": _or_null(one.price),
        "fee": _or_null(one.fee),
        "edge": _or_null(one.edge),
        "signals": one.signals,
    }


def _order(order: OrderLine) -> Json:
    return {
        "order": show_order(order.order),
        "venue_order": order.venue_order,
        "purpose": order.purpose.value,
        "side": order.side.value,
        "outcome": order.outcome.value,
        "price": show(order.price),
        "shares": show(order.shares),
        "time_in_force": order.time_in_force.value,
        "filled": show(order.filled),
        "state": order.state,
        "life": [{"at": iso(step.at), "state": step.after, "cause": step.cause} for step in order.steps],
    }


def _position(slug: str, one: Position) -> Json:
    return {
        "window": slug,
        "outcome": one.outcome.value,
        "shares": show(one.shares),
        "paid_usd": show(one.paid),
        "received_usd": show(one.received),
        "fees_usd": show(one.fee),
    }


def _step(step: Step) -> list[str]:
    return [words_of(one) for one in (*step.commands, *step.notes)]


def _slug(status: Status, market: str) -> str:
    known: Window | None = next((one for key, one in status.windows.items() if key == market), None)
    return market if known is None else known.slug


def _or_null(quantity: int | None) -> str | None:
    return None if quantity is None else show(quantity)
