"""Tests read like incident reports; `truth` is where they learn what the exchange really has."""
