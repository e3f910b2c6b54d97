"""The node of the chain that is not there: balances, approvals, transactions, and what it will not answer."""

import json
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from polystra.core.ids import VenueOrderId
from polystra.core.terms import Side, TradeStage
from polystra.core.units import seconds, shares, usd
from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.contracts import (
    COLLATERAL,
    CONDITIONAL_TOKENS,
    POSITION_MANAGER,
    STANDARD,
)
from polystra.edge.polymarket.eip712 import word
from polystra.edge.polymarket.wallet_batches import Call, selector
from polystra.exchange.wire import transaction_of
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.exchange_cases import (
    CONDITION,
    HOLD,
    START,
    UP,
    Running,
    exchange,
)
from tests.edge.relayer_cases import (
    MOST,
    WALLET,
    batch,
    call,
    rpc,
    submit,
    with_wallet,
)


@pytest.fixture
def running() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        yield running


@pytest.fixture
def wallet(running: Running) -> Running:
    return with_wallet(running)


def test_the_node_knows_chain_blocks_and_balances(wallet: Running) -> None:
    wallet.feed(sim.Split(account=Account(WALLET), market=CONDITION, shares=shares("7")))
    owner, now = int(WALLET, 16), START // 10**9
    assert rpc(wallet, "eth_chainId")["result"] == "0x89"
    assert int(rpc(wallet, "eth_blockNumber")["result"], 16) == now // 2
    assert int(rpc(wallet, "eth_getBlockByNumber", "latest", False)["result"]["timestamp"], 16) == now
    assert rpc(wallet, "eth_getBlockByNumber", hex(now), False)["result"] is None
    assert int(call(wallet, COLLATERAL, "balanceOf(address)", owner)["result"], 16) == 93_000_000
    for contract, amount in ((CONDITIONAL_TOKENS, 7_000_000), (POSITION_MANAGER, 0)):
        assert int(call(wallet, contract, "balanceOf(address,uint256)", owner, int(UP))["result"], 16) == amount
    both = call(
        wallet, CONDITIONAL_TOKENS, "balanceOfBatch(address[],uint256[])", 64, 160, 2, owner, owner, 2, int(UP), 5
    )["result"]
    assert bytes.fromhex(both[2:]) == b"".join(word(one) for one in (32, 2, 7_000_000, 0))


def test_a_wallet_made_here_has_approved_nothing_and_one_that_was_opened_everything(wallet: Running) -> None:
    other = Address("0x" + "22" * 20)
    wallet.control("POST", "/accounts", {"owner": other, "cash": 0})
    spender = int(STANDARD.contract, 16)

    def allowed(account: str) -> tuple[int, int]:
        owner = int(account, 16)
        cash = call(wallet, COLLATERAL, "allowance(address,address)", owner, spender)["result"]
        tokens = call(wallet, CONDITIONAL_TOKENS, "isApprovedForAll(address,address)", owner, spender)["result"]
        return int(cash, 16), int(tokens, 16)

    assert (allowed(WALLET), allowed(other), allowed("0x" + "33" * 20)) == ((0, 0), (MOST, 1), (0, 0))
    approve = Call(COLLATERAL, 0, selector("approve(address,uint256)") + word(spender) + word(5))
    everything = Call(CONDITIONAL_TOKENS, 0, selector("setApprovalForAll(address,bool)") + word(spender) + word(1))
    assert submit(wallet, batch(approve, everything))[0] == 200
    assert allowed(WALLET) == (5, 1)


def test_the_transaction_that_settled_a_trade_has_a_receipt_once_it_is_mined(wallet: Running) -> None:
    wallet.feed(
        sim.Submit(
            account=Account(WALLET),
            order=VenueOrderId("0x" + "11" * 32),
            token=UP,
            side=Side.BUY,
            maker_amount=usd("5.1"),
            taker_amount=shares("10"),
        )
    )
    wallet.control("POST", "/time", {"by": HOLD})
    (trade,) = wallet.on_loop(lambda: wallet.venue.current().truth().trades)
    name = transaction_of(replace(trade, stage=TradeStage.MINED))
    assert rpc(wallet, "eth_getTransactionReceipt", name)["result"] is None
    wallet.control("POST", "/time", {"by": seconds(0.02)})
    receipt = rpc(wallet, "eth_getTransactionReceipt", name)["result"]
    assert (receipt["status"], receipt["transactionHash"]) == ("0x1", name)
    assert int(call(wallet, CONDITIONAL_TOKENS, "balanceOf(address,uint256)", int(WALLET, 16), int(UP))["result"], 16)


def test_other_questions_have_an_error_in_answer(running: Running) -> None:
    for method in ("eth_sendRawTransaction", "eth_gasPrice", "web3_sha3"):
        assert rpc(running, method)["error"]["code"] == -32601
    assert call(running, COLLATERAL, "totalSupply()")["error"]["message"] == "execution reverted"
    assert call(running, COLLATERAL, "balanceOf(address)")["error"]["code"] == 3
    assert rpc(running, "eth_call", {"to": "0x1"})["error"]["code"] == -32602
    assert rpc(running, "eth_call")["error"]["code"] == -32602
    assert rpc(running, "eth_getBlockByNumber", "soon")["error"]["code"] == -32602
    assert rpc(running, "eth_getTransactionReceipt", "0x12")["error"]["code"] == -32602
    assert rpc(running, "eth_getTransactionReceipt", "0x" + "00" * 32)["result"] is None
    for body, code in ((b"{", -32700), (b"{}", -32600), (b"[]", -32600), (b"7", -32600)):
        status, answer = running.call("POST", running.urls.rpc, body=body)
        assert (status, answer["error"]["code"]) == (200, code)


def test_a_batch_of_calls_is_answered_one_by_one(running: Running) -> None:
    calls = [{"jsonrpc": "2.0", "id": one, "method": method} for one, method in enumerate(("eth_chainId", "nonsense"))]
    status, answers = running.call("POST", running.urls.rpc, body=json.dumps(calls).encode())
    assert (status, [answer["id"] for answer in answers]) == (200, [0, 1])
    assert (answers[0]["result"], answers[1]["error"]["code"]) == ("0x89", -32601)
