"""Gives orders of simulated runs their ids, without a key: a digest of the order instead of a signed hash."""

import hashlib

import msgspec

from polystra.core.commands import PlaceOrder
from polystra.core.ids import VenueOrderId
from polystra.edge.ready import Ready


class PaperSigner:
    """The same wallet, order number and terms give the same id, so a run can be repeated to the byte."""

    def __init__(self, wallet: str, seed: int) -> None:
        self._salt = f"{wallet} {seed} ".encode()

    def sign(self, command: PlaceOrder) -> Ready:
        body = msgspec.json.encode(command)
        digest = hashlib.sha256(self._salt + body).hexdigest()
        return Ready(command=command, venue_order=VenueOrderId(f"0x{digest}"), body=body)
