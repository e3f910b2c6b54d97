"""Every setting that can change alone, with another value than its default, and its name in the environment."""

OTHER: dict[str, str] = {
    "stakes.bet_percent": "2.5",
    "stakes.max_stake_usd": "12.34",
    "limits.max_order_usd": "1",
    "limits.max_market_usd": "2",
    "limits.max_total_usd": "3",
    "limits.max_open_positions": "7",
    "limits.max_daily_loss_usd": "5.5",
    "limits.max_spread": "0.07",
    "limits.min_edge_usd": "-0.001",
    "limits.min_time_left_seconds": "1.5",
    "exits.target": "0.95",
    "exits.min_age_seconds": "0.25",
    "exits.hold_last_seconds": "45",
    "exits.stop_price": "0.2",
    "exits.stop_distance": "0.05",
    "exits.stop_percent": "33.3333",
    "exits.stop_min_age_seconds": "1",
    "exits.stop_slippage": "0.01",
    "engine.book_patience_seconds": "3",
    "engine.doubt_patience_seconds": "4",
    "engine.reading_every_seconds": "5",
    "engine.drift_confirmed_after_seconds": "6",
    "engine.auto_adjust_percent": "0.5",
    "strategy.tilted_prior.momentum_weight": "0.7",
    "strategy.tilted_prior.imbalance_weight": "-0.3",
    "strategy.tilted_prior.min_edge_usd": "0.01",
    "strategy.tilted_prior.earliest_seconds": "61",
    "strategy.tilted_prior.latest_seconds": "121",
    "strategy.tilted_prior.min_price": "0.2",
    "strategy.tilted_prior.max_price": "0.8",
    "strategy.tilted_prior.every_seconds": "2.5",
    "strategy.tilted_prior.depth_levels": "3",
    "venue.heartbeat": "false",
    "simulation.starting_cash_usd": "77",
    "simulation.order_latency_ms": "[1, 2.5]",
    "simulation.answer_latency_ms": "[3, 4]",
    "simulation.stream_latency_ms": "[5, 6]",
    "simulation.taker_hold_ms": "8",
    "simulation.resolve_after_seconds": "9",
    "simulation.pays_makers": "true",
}
"""By name, as it is written in a file."""


def variable(name: str) -> str:
    return "POLYSTRA__" + name.upper().replace(".", "__")
