"""A venue that gives the answers of a list, one to each request, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from polystra.app.throwaway import throwaway_wallet
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.auth import Credentials
from polystra.edge.polymarket.private_rest import PrivateRest
from polystra.edge.polymarket.rest import Answer

CLOB = "http://127.0.0.1:1"


class Asked(Struct, frozen=True):
    method: str
    path: str
    body: bytes
    query: dict[str, str]


class Script:
    """Stands where requests leave. Mutable; a request beyond the list is a mistake of the test."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[Asked] = []

    async def ask(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        assert deadline > 0
        self.asked.append(Asked(method, url.removeprefix(CLOB), body, dict(query or {})))
        return self.answers.pop(0)


def private(script: Script) -> PrivateRest:
    """Our client of it, under an API key of no worth."""
    credentials = Credentials(api_key="key", secret="c2VjcmV0", passphrase="word")
    return PrivateRest(
        script, CLOB, credentials=credentials, account=throwaway_wallet(1).key.address, clock=WallClock()
    )
