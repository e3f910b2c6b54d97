"""Wiring: the only place where objects are constructed and settings are read."""
