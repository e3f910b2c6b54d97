"""What the venue says about a market besides how it runs it: its name, its contracts, where it came from."""

from msgspec import Struct

from polystra.core.ids import TokenId
from polystra.core.markets import Generation
from polystra.core.terms import Outcome
from polystra.core.units import Instant
from polystra.edge.polymarket.contracts import Exchange, exchange_of
from polystra.sim.messages import MarketFacts

_HEX = set("0123456789abcdef")
_OLD_ID = ((1 << 64) - 1) << 40


class InvalidListing(ValueError):
    """A market that clients could not trade as it says it is to be traded."""


class Listing(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """One market. Raises `InvalidListing` for ids that would make clients sign for other contracts.

    `listed_at` is when the catalogue first shows it, and `question` what it calls it.
    """

    facts: MarketFacts
    slug: str
    question: str
    generation: Generation = Generation.CLOB_V2
    neg_risk: bool = False
    listed_at: Instant = Instant(0)
    resolution_source: str = ""

    def __post_init__(self) -> None:
        digits = self.facts.id.removeprefix("0x")
        if len(digits) != 64 or not set(digits) <= _HEX:
            raise InvalidListing(f"market {self.facts.id}: a condition id is 0x and 64 hex digits in lower case")
        for token in (self.facts.up_token, self.facts.down_token):
            if _looks_new(token) is not (self.generation is Generation.PROTOCOL_V2):
                raise InvalidListing(
                    f"token {token} of a {self.generation} market: clients take an id whose bits 40 to 103 are all "
                    "zero for Protocol-V2 and sign for its contract; give the market ids of its generation"
                )

    @property
    def contract(self) -> Exchange:
        return exchange_of(self.generation, neg_risk=self.neg_risk)

    @property
    def number(self) -> int:
        """The catalogue's id, made of the condition id."""
        return int(self.facts.id[2:10], 16)

    def outcome(self, token: TokenId) -> Outcome:
        return Outcome.UP if token == self.facts.up_token else Outcome.DOWN


def _looks_new(token: TokenId) -> bool:
    if not (token.isascii() and token.isdecimal() and int(token) < 1 << 256):
        raise InvalidListing(f"token {token[:100]!r}: a token id is a decimal number of 256 bits")
    return int(token) & _OLD_ID == 0
