"""What it costs to make an order's bytes (hash, signature, body, proof of who asks), beside both official clients."""

import importlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any, TypeAlias

from msgspec import Struct

from benchmarks.harness import Benchmark, Effort, NotMeasured, Ratio, Side, Work
from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import OrderTerms, Outcome, Purpose, TimeInForce
from polystra.core.terms import Side as OrderSide
from polystra.core.units import price, shares
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.addresses import address_of
from polystra.edge.polymarket.amounts import amounts_of
from polystra.edge.polymarket.auth import Credentials, RequestSigner
from polystra.edge.polymarket.contracts import CHAIN, STANDARD
from polystra.edge.polymarket.keys import CURVE, SigningKey
from polystra.edge.polymarket.order_body import order_body
from polystra.edge.polymarket.signing import MOST_SALT, OrderSigner
from polystra.edge.polymarket.wallet import SignatureType, Wallet

ORDERS = {"ours": 1_000, "curve": 1_000, "coincurve": 50, "plain": 8}
"""How many in a round; a client is timed as it installs (`plain` Python arithmetic) and with coincurve beside it."""

_SECRET = bytes.fromhex("4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d")
KEY = SigningKey(_SECRET)
_TOKEN = TokenId("104201530247521340876129876543210987654321098765432109876543210987654321098765")
CREDENTIALS = Credentials(api_key="9c0a4d4e-0000-4000-8000-000000000001", secret="c2VjcmV0" * 5, passphrase="p")
_TERMS = OrderTerms(
    market=MarketId("0x" + "ab" * 32),
    outcome=Outcome.UP,
    side=OrderSide.BUY,
    purpose=Purpose.ENTRY,
    price=price("0.53"),
    shares=shares("39"),
)
WALLETS = {
    "eoa": Wallet(key=KEY, kind=SignatureType.EOA, funder=KEY.address),
    "deposit": Wallet(key=KEY, kind=SignatureType.POLY_1271, funder=address_of(b"\xf0" * 20)),
}
CURVES = {"plain": "NativeECCBackend", "coincurve": "CoinCurveECCBackend"}
_VARIABLE = "ECC_BACKEND_CLASS"
CLIENTS = ("polymarket_client", "py_clob_client_v2")

OneOrder: TypeAlias = Callable[[], tuple[str | bytes, object]]


def sides(folder: Path, effort: Effort) -> Mapping[str, Side]:
    if CURVE != "coincurve":
        raise NotMeasured("our side signs with coincurve: install it (Python 3.11 to 3.13 have wheels)")
    found = {"curve": _side("one signature of 32 bytes by libsecp256k1, and nothing else", effort, "curve", _bare)}
    for name, wallet in WALLETS.items():
        found[f"{name} ours"] = _side(f"ours, {name}", effort, "ours", _ours, wallet)
        for client, one_order in zip(CLIENTS, (polymarket_client, py_clob_client_v2), strict=True):
            for curve in ("plain", "coincurve"):
                what = f"{client}, {name}, {'as it installs' if curve == 'plain' else 'with coincurve beside it'}"
                found[f"{name} {client} {curve}"] = _side(what, effort, curve, one_order, wallet)
    return found


def _side(
    what: str, effort: Effort, speed: str, one_order: Callable[..., Callable[[], object]], *about: Wallet
) -> Side:
    count = effort.of(ORDERS[speed])
    laps: list[float] = []

    @contextmanager
    def ready() -> Iterator[Work]:
        with client_curve(CURVES.get(speed)):
            make = one_order(*about)
            make()

            def work() -> None:
                for _ in range(count):
                    begun = perf_counter()
                    make()
                    laps.append(perf_counter() - begun)

            yield work

    return Side(what, count, ready, laps)


def _bare() -> Callable[[], object]:
    return lambda: KEY.sign(b"\x05" * 32)


def _ours(wallet: Wallet) -> OneOrder:
    signer = OrderSigner(wallet, draw_salt=lambda: secrets.randbelow(MOST_SALT))
    requests = RequestSigner(CREDENTIALS, KEY.address)
    now = WallClock().now

    def make() -> tuple[bytes, dict[str, str]]:
        at = now()
        signed = signer.sign(_TERMS, token=_TOKEN, exchange=STANDARD, at=at)
        body = order_body(signed, owner=CREDENTIALS.api_key, time_in_force=TimeInForce.GTC)
        return body, requests.headers(at=at, method="POST", path="/order", body=body)

    return make


def polymarket_client(wallet: Wallet) -> OneOrder:
    """What its client does with an order whose amounts are known; reading the market and rounding are left out."""
    orders = _module("polymarket._internal.actions.orders.orders")
    typed_data = _module("polymarket._internal.actions.orders.typed_data")
    post = _module("polymarket._internal.actions.orders.post")
    hash_request = _module("polymarket._internal.hmac").build_hmac_signature
    signer = _module("eth_account").Account.from_key(_SECRET)
    draft = _draft(wallet)
    wallet_type = "EOA" if wallet.kind is SignatureType.EOA else "DEPOSIT_WALLET"
    second = 1_000_000_000
    now = WallClock().now

    def make() -> tuple[str, str]:
        unsigned = orders.create_unsigned_order(draft, wallet=wallet.maker, wallet_type=wallet_type)
        message = signer.sign_typed_data(full_message=typed_data.build_order_typed_data(unsigned))
        signature = typed_data.build_order_signature(unsigned, "0x" + message.signature.hex())
        signed = orders.create_signed_order(unsigned, signature)
        _, payload = post.build_post_order_request(signed, owner_api_key=CREDENTIALS.api_key)
        body = json.dumps(payload, separators=(",", ":"))
        return body, hash_request(
            secret=CREDENTIALS.secret, timestamp=now() // second, method="POST", path="/order", body=body
        )

    return make


def _draft(wallet: Wallet) -> Any:
    amounts = amounts_of(_TERMS)
    return _module("polymarket._internal.actions.orders.types").OrderDraft(
        chain_id=CHAIN,
        exchange_address=STANDARD.contract,
        expiration=0,
        funder_address=wallet.maker,
        offered_amount=amounts.maker,
        order_type="GTC",
        side="BUY",
        signer=KEY.address,
        requested_amount=amounts.taker,
        asset_id=_TOKEN,
    )


def py_clob_client_v2(wallet: Wallet) -> OneOrder:
    """What its client does with an order whose market is known; its rounding is a part of its builder."""
    types = _module("py_clob_client_v2.clob_types")
    to_json = _module("py_clob_client_v2.order_utils.model.order_data_v2").order_to_json_v2
    headers = _module("py_clob_client_v2.headers.headers").create_level_2_headers
    signer = _module("py_clob_client_v2.signer").Signer(f"0x{_SECRET.hex()}", CHAIN)
    kind = _module("py_clob_client_v2.order_utils").SignatureTypeV2(int(wallet.kind))
    builder = _module("py_clob_client_v2.order_builder.builder").OrderBuilder(signer, kind, wallet.maker)
    credentials = types.ApiCreds(CREDENTIALS.api_key, CREDENTIALS.secret, CREDENTIALS.passphrase)
    wanted = types.OrderArgsV2(token_id=_TOKEN, price=0.53, size=39.0, side="BUY")
    options = types.CreateOrderOptions(tick_size="0.01", neg_risk=False)

    def make() -> tuple[str, dict[str, str]]:
        payload = to_json(builder.build_order(wanted, options), CREDENTIALS.api_key, "GTC")
        body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
        request = types.RequestArgs(method="POST", request_path="/order", body=payload, serialized_body=body)
        return body, headers(signer, credentials, request)

    return make


@contextmanager
def client_curve(backend: str | None) -> Iterator[None]:
    """Both clients sign through eth-keys, which takes coincurve when it finds it and plain Python when not, and looks
    anew at each signature unless this variable tells it."""
    before = os.environ.pop(_VARIABLE, None)
    if backend is not None:
        os.environ[_VARIABLE] = f"eth_keys.backends.{backend}"
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)
        if before is not None:
            os.environ[_VARIABLE] = before


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotMeasured(f"the official clients are not installed ({error}): install the dev extra") from None


class _Pair(Struct, frozen=True):
    wallet: str
    client: str


_PAIRS = [_Pair(wallet, client) for wallet in WALLETS for client in CLIENTS]

BENCHMARK = Benchmark(
    name="signing",
    unit="order",
    about="""From the terms of an order to all the bytes of its POST: salt, hash, signature, JSON body, L2 headers. No
network, everything warm. `eoa` is a key's own account, `deposit` a deposit wallet, whose signature is nested. The
official clients do what their own clients do after the market is known. They sign in plain Python unless coincurve
happens to be installed, so each is timed both ways. The floor is one bare signature.""",
    ratios=(
        *(
            Ratio(
                f"signing.{pair.wallet}.ours_vs_{pair.client}",
                f"{pair.wallet} ours",
                f"{pair.wallet} {pair.client} plain",
                "against that client as it installs",
            )
            for pair in _PAIRS
        ),
        *(
            Ratio(
                f"signing.{pair.wallet}.ours_vs_{pair.client}_with_coincurve",
                f"{pair.wallet} ours",
                f"{pair.wallet} {pair.client} coincurve",
                "against that client with coincurve beside it",
            )
            for pair in _PAIRS
        ),
        *(
            Ratio(f"signing.{wallet}.ours_vs_curve", f"{wallet} ours", "curve", "what we add to the bare signature")
            for wallet in WALLETS
        ),
    ),
    sides=sides,
)
