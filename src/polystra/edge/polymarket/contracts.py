"""The venue's contracts on Polygon (`PROTOCOL.md` A.2), and which of them settles an order."""

from msgspec import Struct

from polystra.core.errors import NotSupported
from polystra.core.markets import Generation
from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.eip712 import domain_separator

CHAIN = 137
DOMAIN = "Polymarket CTF Exchange"

COLLATERAL = Address("0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB")
"""pUSD, six decimals."""

CONDITIONAL_TOKENS = Address("0x4D97DCd97eC945f40cF65F87097ACe5EA0476045")
POSITION_MANAGER = Address("0x006F54F7f9A22e0000CC2AB60031000000ae9fEF")
ROUTER = Address("0x12121212006e4CD160D18e3f00711DA5c3372600")
COLLATERAL_ADAPTER = Address("0xAdA100Db00Ca00073811820692005400218FcE1f")
NEG_RISK_COLLATERAL_ADAPTER = Address("0xadA2005600Dec949baf300f4C6120000bDB6eAab")
AUTO_REDEEM_OPERATOR = Address("0xa1200000d0002264C9a1698e001292D00E1b00af")
DEPOSIT_WALLET_FACTORY = Address("0x00000000000Fb5C9ADea0298D729A0CB3823Cc07")


class Exchange(Struct, frozen=True, gc=False):
    """A contract that settles orders. `separator` is the hash of its signing domain, `version` the domain's version."""

    contract: Address
    version: str
    separator: bytes


def exchange_at(contract: Address, version: str) -> Exchange:
    separator = domain_separator(name=DOMAIN, version=version, chain=CHAIN, contract=contract)
    return Exchange(contract, version, separator)


STANDARD = exchange_at(Address("0xE111180000d2663C0091e4f400237545B87B996B"), "2")
NEG_RISK = exchange_at(Address("0xe2222d279d744050d28e00520010520000310F59"), "2")
PROTOCOL_V2 = exchange_at(Address("0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"), "3")


def exchange_of(generation: Generation, *, neg_risk: bool) -> Exchange:
    """Where orders in a market settle, by what discovery said of it; a wrong one makes every signature invalid.

    Raises `NotSupported` for a market whose contracts are unknown.
    """
    if generation is Generation.PROTOCOL_V2:
        return PROTOCOL_V2
    if generation is Generation.CLOB_V2:
        return NEG_RISK if neg_risk else STANDARD
    raise NotSupported(f"generation {generation}: no contract is known to settle it, so nothing is signed for it")
