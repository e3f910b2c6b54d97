"""Says what a commit must survive."""

from enum import StrEnum


class Durability(StrEnum):
    """NORMAL survives the death of the process (kill -9); FULL also a power cut, for about ten times the time."""

    NORMAL = "normal"
    FULL = "full"
