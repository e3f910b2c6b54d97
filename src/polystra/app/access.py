"""How somebody who is not the trader comes to a venue: where it is, and as whom. Needs neither ledger nor engine."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from polystra.app.connection import Place
from polystra.app.embedded import NoExchange
from polystra.app.throwaway import throwaway_wallet
from polystra.app.wire_run import EXCHANGE
from polystra.core.errors import PolystraError
from polystra.edge.clock import ScaledClock
from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.client import Client, VenueAddresses, open_client
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.wallet import SignatureType, Wallet

_T = TypeVar("_T")


class NoAnswer(PolystraError):
    """The venue did not tell what was asked."""


class Access(Struct, frozen=True, kw_only=True):
    """A venue, and the wallet that asks there."""

    place: Place
    wallet: Wallet


class _Account(Struct):
    address: str
    private_key: str
    wallet: str
    signature_type: SignatureType


class _Told(Struct):
    accounts: tuple[_Account, ...]


def told_access(line: Path, number: int) -> Access:
    """Reads a file with the line that `polystra exchange --json` prints; accounts are counted from 1. Raises
    `NoExchange`."""
    try:
        raw = line.read_bytes()
        place, accounts = msgspec.json.decode(raw, type=Place), msgspec.json.decode(raw, type=_Told).accounts
    except (OSError, msgspec.DecodeError) as error:
        raise NoExchange(f"{line}: {error}: give a file with the line that polystra exchange --json prints") from None
    if not 1 <= number <= len(accounts):
        raise NoExchange(f"account {number}: that exchange told {len(accounts)}, give 1 to {len(accounts)}")
    account = accounts[number - 1]
    key = SigningKey.from_hex(account.private_key)
    return Access(place=place, wallet=Wallet(key=key, kind=account.signature_type, funder=Address(account.wallet)))


def access_of_run(folder: Path) -> Access:
    """The exchange that the run in a folder brought along, and its wallet. Raises `NoExchange`."""
    path = folder / EXCHANGE
    try:
        place = msgspec.json.decode(path.read_bytes(), type=Place)
    except (OSError, msgspec.DecodeError) as error:
        raise NoExchange(
            f"{path}: {error}: name the folder of a run that brought its own exchange along, or give --exchange FILE"
        ) from None
    return Access(place=place, wallet=throwaway_wallet(1))


@contextlib.asynccontextmanager
async def opened(access: Access) -> AsyncIterator[Client]:
    """Raises `CannotOpen`."""
    place, clock = access.place, access.place.clock
    addresses = VenueAddresses(clob=place.clob, gamma=place.gamma, market_ws=place.market_ws, user_ws=place.user_ws)
    time = None if clock is None else ScaledClock(clock.start, clock.speed, clock.origin)
    async with open_client(addresses, access.wallet, time=time) as client:
        yield client


def told(answer: _T | ReadingFailed) -> _T:
    """Raises `NoAnswer`."""
    if isinstance(answer, ReadingFailed):
        raise NoAnswer(answer.why)
    return answer
