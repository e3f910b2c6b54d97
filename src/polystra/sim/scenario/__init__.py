"""Invents coherent windows from a seed: one price path drives oracle, quotes, trades and resolution.

`path` is the price, `chance` what it is worth to hold Up, `quotes` the book, `makers` and `flow` those who trade,
`window` plays them against one another, and `recipes` names what can be had.
"""
