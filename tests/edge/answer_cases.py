"""Answers of the exchange as they come, headers and pages too, and the switches of its faults."""

from typing import Any

import msgspec
from multidict import CIMultiDictProxy

from polystra.core.terms import OrderTerms
from tests.edge.exchange_cases import Running, Trader


def answered(
    running: Running, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, CIMultiDictProxy[str], str]:
    """Status, headers and text of one request of the CLOB."""

    async def ask() -> tuple[int, CIMultiDictProxy[str], str]:
        url = running.urls.clob + path
        async with running.session.request(method, url, headers=headers, data=body or None) as response:
            return response.status, response.headers, await response.text()

    return running.wait(ask())


def signed(trader: Trader, method: str, path: str, body: bytes = b"") -> tuple[int, CIMultiDictProxy[str], str]:
    return answered(trader.running, method, path, trader.headers(method, path, body), body)


def posted(trader: Trader, wanted: OrderTerms) -> tuple[int, CIMultiDictProxy[str], str]:
    return signed(trader, "POST", "/order", trader.body(wanted))


def switch_on(running: Running, fault: str, **more: object) -> None:
    running.control("POST", "/faults", {"fault": fault, **more})


def hits(running: Running, fault: str) -> int:
    found: int = running.control("GET", "/faults")["hits"][fault]
    return found


def refused(running: Running, path: str, body: object) -> tuple[int, Any]:
    """What the control surface says to something that cannot be."""
    status, answer = running.call("POST", running.urls.control + path, body=msgspec.json.encode(body))
    return status, answer["error"]
