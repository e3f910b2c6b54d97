"""What one trader in lock step has sent, kept until all of it is here, and handed on in the order in which it was
decided: the sockets that it came by know no order between them."""

import asyncio
from collections import Counter
from typing import Any

from msgspec import Struct

from polystra.exchange.connections import Connection, Hear
from polystra.exchange.steps import Report


class InvalidNumber(ValueError):
    """A request is labelled with what no trader was told to label it with."""


class Said(Struct, frozen=True, eq=False):
    """A text on its way to the exchange."""

    connection: Connection
    text: str
    hear: Hear


class Life:
    """Mutable. `streams` are its open ones by path."""

    def __init__(self, number: int, control: Connection) -> None:
        self.number = number
        self.control = control
        self.streams: dict[str, Connection] = {}
        self._seen: set[int] = set()
        self._highest = 0
        self._heard: Counter[str] = Counter()
        self._requests: dict[int, Numbered] = {}
        self._said: list[Said] = []

    def knows(self, number: int) -> bool:
        return number in self._seen

    def add_request(self, request: "Numbered") -> None:
        self._seen.add(request.number)
        self._highest = max(self._highest, request.number)
        self._requests[request.number] = request

    def add_text(self, said: Said) -> None:
        self._heard[said.connection.name] += 1
        self._said.append(said)

    def flaw(self, report: Report) -> str:
        """In what a report cannot be true; empty if it can."""
        if self._highest > report.requests:
            return f"requests {report.requests}: number {self._highest} was received"
        for name, heard in self._heard.items():
            if heard > report.messages.get(name, 0):
                return f"messages {name} {report.messages.get(name, 0)}: {heard} were received"
        return ""

    def missing(self, report: Report) -> str:
        """What was sent and is not here yet; empty if all is here."""
        if len(self._seen) < report.requests:
            first = next(number for number in range(1, report.requests + 1) if number not in self._seen)
            return f"requests: {len(self._seen)} of {report.requests} are here, number {first} is not"
        for name, sent in report.messages.items():
            if self._heard[name] < sent:
                return f"messages: {self._heard[name]} of {sent} on stream {name} are here"
        return ""

    def take(self) -> "tuple[list[Said], list[Numbered]]":
        """What came since the last time: texts by stream, each stream's in its order; requests by number."""
        texts = sorted(self._said, key=lambda said: said.connection.name)
        requests = [request for _, request in sorted(self._requests.items())]
        self._said, self._requests = [], {}
        return texts, requests


class Numbered:
    """A request from its receipt to its answer. Mutable; `what` is how a person would call it."""

    def __init__(self, life: Life, number: int, what: str) -> None:
        loop = asyncio.get_running_loop()
        self.life = life
        self.number = number
        self.what = what
        self.arrived: asyncio.Future[None] = loop.create_future()
        self.answered: asyncio.Future[None] = loop.create_future()
        self.told = False
        self._waits: set[asyncio.Future[Any]] = set()

    def wait_for(self, future: asyncio.Future[Any]) -> None:
        self._waits.add(future)

    def stop_waiting(self, future: asyncio.Future[Any]) -> None:
        self._waits.discard(future)

    @property
    def waits(self) -> bool:
        """Whether only the venue's time takes it further."""
        return bool(self._waits) and not any(future.done() for future in self._waits)


def read_number(label: str) -> tuple[int, int]:
    """The life and the number, both from 1 on; raises `InvalidNumber`."""
    life, _, number = label.partition("-")
    if not (_is_count(life) and _is_count(number)):
        raise InvalidNumber(f"{label[:40]!r}: want life-number, each from 1 on, like 1-7")
    return int(life), int(number)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19 and int(text) > 0
