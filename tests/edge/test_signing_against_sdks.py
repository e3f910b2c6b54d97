"""Our hashes, signatures and bodies beside those of both official clients, on the same thousand orders."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Instant
from polystra.edge.polymarket import contracts
from polystra.edge.polymarket.addresses import address
from polystra.edge.polymarket.contracts import CHAIN, NEG_RISK, PROTOCOL_V2, STANDARD
from polystra.edge.polymarket.order_body import order_body, read_order_body
from polystra.edge.polymarket.signing import sign_order
from tests.edge.signing_cases import Case, cases, official

ORDERS = 1_000
WALLET_TYPES = ("EOA", "POLY_PROXY", "GNOSIS_SAFE", "DEPOSIT_WALLET")
OWNER = "9c0a4d4e-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def thousand() -> list[Case]:
    found = cases(ORDERS, seed=20261123)
    assert {(case.order.kind, case.exchange.version) for case in found} == {
        (kind, version) for kind in range(4) for version in "23"
    }
    return found


def test_a_thousand_orders_hash_and_sign_as_in_polymarket_client(thousand: list[Case]) -> None:
    theirs = polymarket_client()
    for case in thousand:
        ours = sign_order(case.order, case.exchange, case.key)
        signed, order_hash = theirs(case)
        assert (ours.id, ours.signature) == (order_hash, signed.signature), case.order


def test_a_thousand_orders_hash_and_sign_as_in_py_clob_client_v2(thousand: list[Case]) -> None:
    theirs = py_clob_client_v2()
    for case in thousand:
        ours = sign_order(case.order, case.exchange, case.key)
        signed, order_hash = theirs(case)
        assert (ours.id, ours.signature) == (order_hash, signed.signature), case.order


def test_our_body_is_byte_for_byte_that_of_polymarket_client(thousand: list[Case]) -> None:
    """It leaves `postOnly` out unless it is true; the venue's documents have it, and we always say it."""
    theirs = polymarket_client()
    post = official("polymarket._internal.actions.orders.post")
    for case in thousand[:100]:
        ours = order_body(
            sign_order(case.order, case.exchange, case.key),
            owner=OWNER,
            time_in_force=TimeInForce.GTD,
            expires_at=Instant(1_795_432_241_123_456_789),
            post_only=True,
        )
        signed = dataclasses.replace(theirs(case)[0], expiration=1_795_432_241, order_type="GTD", post_only=True)
        _, payload = post.build_post_order_request(signed, owner_api_key=OWNER)
        assert ours == json.dumps(payload, separators=(",", ":")).encode()


def test_our_body_says_what_that_of_py_clob_client_v2_says(thousand: list[Case]) -> None:
    """Its keys come in another order, which a JSON object does not have."""
    theirs = py_clob_client_v2()
    model = official("py_clob_client_v2.order_utils.model.order_data_v2")
    for case in thousand[:100]:
        ours = order_body(sign_order(case.order, case.exchange, case.key), owner=OWNER, time_in_force=TimeInForce.FAK)
        assert json.loads(ours) == model.order_to_json_v2(theirs(case)[0], OWNER, "FAK")


def test_the_bodies_of_both_clients_are_read(thousand: list[Case]) -> None:
    post = official("polymarket._internal.actions.orders.post")
    model = official("py_clob_client_v2.order_utils.model.order_data_v2")
    first, second = polymarket_client(), py_clob_client_v2()
    for case in thousand[:100]:
        _, payload = post.build_post_order_request(first(case)[0], owner_api_key=OWNER)
        other = model.order_to_json_v2(second(case)[0], OWNER, "GTC")
        for body in (payload, other):
            sent = read_order_body(json.dumps(body).encode())
            assert (sent.order, sent.owner, sent.time_in_force) == (case.order, OWNER, TimeInForce.GTC)


def test_the_contracts_are_those_of_both_clients() -> None:
    first = official("polymarket.environments").PRODUCTION._config
    second = official("py_clob_client_v2.config").get_contract_config(CHAIN)
    assert first.chain_id == CHAIN
    assert first.standard_exchange == second.exchange_v2 == STANDARD.contract
    assert first.neg_risk_exchange == second.neg_risk_exchange_v2 == NEG_RISK.contract
    assert first.exchange_v3 == second.exchange_v3 == PROTOCOL_V2.contract
    assert first.collateral_token == second.collateral == contracts.COLLATERAL
    assert first.conditional_tokens == second.conditional_tokens == contracts.CONDITIONAL_TOKENS
    assert first.position_manager == contracts.POSITION_MANAGER
    assert first.protocol_v2_router == contracts.ROUTER
    assert first.collateral_adapter == contracts.COLLATERAL_ADAPTER
    assert first.neg_risk_collateral_adapter == contracts.NEG_RISK_COLLATERAL_ADAPTER
    assert address(first.auto_redeem_operator) == contracts.AUTO_REDEEM_OPERATOR
    assert first.wallet_derivation.deposit_wallet_factory == contracts.DEPOSIT_WALLET_FACTORY


def polymarket_client() -> Callable[[Case], tuple[Any, str]]:
    """Signs an order with its unified client's own steps: the signed order, and the hash of the plain order."""
    orders = official("polymarket._internal.actions.orders.orders")
    typed_data = official("polymarket._internal.actions.orders.typed_data")
    types = official("polymarket._internal.actions.orders.types")
    messages = official("eth_account.messages")
    account = official("eth_account").Account
    keccak = official("eth_utils").keccak

    def sign(case: Case) -> tuple[Any, str]:
        order = case.order
        draft = types.OrderDraft(
            chain_id=CHAIN,
            exchange_address=case.exchange.contract,
            expiration=0,
            funder_address=order.maker,
            offered_amount=order.maker_amount,
            order_type="GTC",
            side=order.side.value,
            signer=case.key.address,
            requested_amount=order.taker_amount,
            asset_id=order.token,
            builder_code=f"0x{order.builder.hex()}",
        )
        unsigned = dataclasses.replace(
            orders.create_unsigned_order(draft, wallet=order.maker, wallet_type=WALLET_TYPES[order.kind]),
            salt=order.salt,
            timestamp=order.timestamp,
            metadata=f"0x{order.metadata.hex()}",
            protocol_version=case.exchange.version,
        )
        signer = account.from_key(case.secret)
        message = signer.sign_typed_data(full_message=typed_data.build_order_typed_data(unsigned))
        signature = typed_data.build_order_signature(unsigned, "0x" + message.signature.hex())
        plain = typed_data._build_standard_typed_data(unsigned, protocol_version=case.exchange.version)
        encoded = messages.encode_typed_data(full_message=plain)
        order_hash = keccak(b"\x19" + encoded.version + encoded.header + encoded.body).hex()
        return orders.create_signed_order(unsigned, signature), f"0x{order_hash}"

    return sign


def py_clob_client_v2() -> Callable[[Case], tuple[Any, str]]:
    """Signs an order with the older client's builder: the signed order, and the hash of the plain order."""
    utils = official("py_clob_client_v2.order_utils")
    model = official("py_clob_client_v2.order_utils.model.order_data_v2")
    signer_type = official("py_clob_client_v2.signer").Signer

    def sign(case: Case) -> tuple[Any, str]:
        order = case.order
        builder = utils.ExchangeOrderBuilderV2(
            case.exchange.contract,
            CHAIN,
            signer_type("0x" + case.secret.hex(), CHAIN),
            generate_salt=lambda: str(order.salt),
            domain_version=case.exchange.version,
        )
        data = model.OrderDataV2(
            maker=order.maker,
            tokenId=order.token,
            makerAmount=str(order.maker_amount),
            takerAmount=str(order.taker_amount),
            side=utils.Side.BUY if order.side is Side.BUY else utils.Side.SELL,
            signer=order.signer,
            signatureType=utils.SignatureTypeV2(int(order.kind)),
            timestamp=str(order.timestamp),
            metadata=f"0x{order.metadata.hex()}",
            builder=f"0x{order.builder.hex()}",
        )
        signed = builder.build_signed_order(data)
        return signed, builder.build_order_hash(builder.build_order_typed_data(signed))

    return sign
