"""What the venue says of an order when something went wrong inside it (`PROTOCOL.md` E.6).

Nothing goes wrong inside this exchange by itself, so a fault says it. `{id}` stands for the order and `{amount}` for
what it gives, in base units.
"""

DELAYED = "order match delayed due to market conditions"
VERSION_MISMATCH = "order_version_mismatch"

INTERNAL = (
    "order timed out",
    "could not insert order",
    "could not run the execution",
    "there are no matching orders",
    "FOK orders are filled or killed",
    "the trade contains rounding issues",
    "price discrepancy",
)
"""Answered 500: the engine or the contract failed."""

REFUSALS = (
    DELAYED,
    "order canceled in the CTF exchange contract",
    "invalid nonce",
    VERSION_MISMATCH,
    "order {id} crosses the book",
    "not enough balance / allowance",
    "not enough balance / allowance: the allowance is not enough -> allowance: 0, order amount: {amount}",
)
"""Answered 400. Every account here has approved the exchanges without limit, and no order of the first version is read,
so these come up in no other way."""


WORDS = (*REFUSALS, *INTERNAL)


def status_of(text: str) -> int:
    """The HTTP status that goes with these words."""
    if text in INTERNAL:
        return 500
    lower = text.lower()
    return 404 if "not found" in lower else 401 if "unauthorized" in lower else 400
