"""Lists what can go wrong inside: our own mistakes. Answers of the venue are values, never exceptions."""


class PolystraError(Exception):
    """Any error of Polystra's own; its message carries ids and numbers, and what to do about it."""


class InvalidQuantity(PolystraError):
    """A number that cannot be a price, an amount of shares or of money."""


class IllegalTransition(PolystraError):
    """An order was told something that cannot happen in its state."""


class NotSupported(PolystraError):
    """Something this version does not do, refused by name instead of done by half."""


class ContradictoryFacts(PolystraError):
    """Two facts that cannot both be true, such as a market listed twice with different tokens."""
