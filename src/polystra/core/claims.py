"""How far a claim is: what a resolved market pays for our shares, on its way to become cash."""

from enum import StrEnum


class ClaimStage(StrEnum):
    """Wanted is written down before anybody is asked, so that one who dies then has to find out what became of it."""

    WANTED = "wanted"
    SENT = "sent"
    PAID = "paid"
    FAILED = "failed"

    @property
    def open(self) -> bool:
        """Whether the cash may have come by now, or may come yet, without our knowing."""
        return self in (ClaimStage.WANTED, ClaimStage.SENT)
