"""Polystra trades Polymarket's short-term crypto up/down markets."""

__version__ = "0.1.0"
