"""A pretend exchange and pretend markets: pure machines, all from one seed."""
