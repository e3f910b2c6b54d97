"""Deposit wallets on the chain that is not there: the official client, unmodified, and whoever tries to cheat."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import Side, TradeStage
from polystra.core.units import Usd, seconds, shares, usd
from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.contracts import (
    COLLATERAL,
    COLLATERAL_ADAPTER,
    CONDITIONAL_TOKENS,
    DEPOSIT_WALLET_FACTORY,
    POSITION_MANAGER,
    STANDARD,
)
from polystra.edge.polymarket.eip712 import word
from polystra.edge.polymarket.keys import SigningKey
from polystra.exchange.chain_calls import selector
from polystra.exchange.deposit_wallets import Call, batch_digest, deposit_wallet_of
from polystra.exchange.inputs import Asked, Input, Listed, MemberChanged, NoRecord
from polystra.exchange.members import Members
from polystra.exchange.pace import SteppedClock
from polystra.exchange.venue import Venue
from polystra.exchange.wire import transaction_of
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.exchange_cases import (
    BOOK,
    CONDITION,
    DOWN,
    HOLD,
    LISTING,
    NEW_LISTING,
    QUICK,
    START,
    UP,
    Running,
    exchange,
)
from tests.edge.signing_cases import official
from tests.edge.test_exchange_sdks import environment

SECRET = Random(41).randrange(1, 2**255).to_bytes(32, "big")
KEY = SigningKey(SECRET)
WALLET = deposit_wallet_of(KEY.address)
MOST = 2**256 - 1

V2_UP = TokenId(str((1 << 248) | (0xABC123 << 104)))
V2_DOWN = TokenId(str(int(V2_UP) | 1))
V2_CONDITION = MarketId(f"0x{int(V2_UP):064x}")
V2 = replace(
    NEW_LISTING,
    facts=replace(NEW_LISTING.facts, id=V2_CONDITION, up_token=V2_UP, down_token=V2_DOWN),
    slug="sol-updown-15m-1795432200",
)
"""A Protocol-V2 market whose condition and tokens fit each other, as they do on the chain."""


@pytest.fixture
def running() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        running.feed(V2)
        yield running


@contextlib.asynccontextmanager
async def passing(running: Running) -> AsyncIterator[None]:
    """The venue's time passes, 50 seconds in one."""

    async def move() -> None:
        while True:
            await asyncio.to_thread(running.control, "POST", "/time", {"by": seconds(1)})
            await asyncio.sleep(0.02)

    moving = asyncio.create_task(move())
    try:
        yield
    finally:
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)


def elsewhere(running: Running) -> Any:
    module = official("polymarket._internal.environment")
    config = dataclasses.replace(environment(running)._config, rpc_url=running.urls.rpc, relayer_poll_frequency_ms=20)
    return module.create_environment(name="loopback", config=config)


def client(running: Running, **more: object) -> Any:
    polymarket = official("polymarket")
    key = official("polymarket.auth").RelayerApiKey(key="any", address=KEY.address)
    return polymarket.AsyncSecureClient.create(
        private_key="0x" + SECRET.hex(), environment=elsewhere(running), api_key=key, **more
    )


def held(running: Running, account: str) -> tuple[int, dict[str, int]]:
    """Cash and shares, by the exchange's truth."""
    found = next(one for one in running.control("GET", "/truth")["accounts"] if one["account"] == account)
    return found["cash"], {one["token"]: one["owned"] for one in found["holdings"] if one["owned"]}


def supply(running: Running, market: str) -> tuple[int, int, int]:
    found = next(one for one in running.control("GET", "/truth")["supply"] if one["market"] == market)
    return found["up"], found["down"], found["collateral"]


def rpc(running: Running, method: str, *params: object) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode()
    status, answer = running.call("POST", running.urls.rpc, body=body)
    assert (status, answer["id"], answer["jsonrpc"]) == (200, 7, "2.0")
    return answer


def call(running: Running, contract: str, signature: str, *words: int) -> Any:
    data = selector(signature) + b"".join(word(one) for one in words)
    return rpc(running, "eth_call", {"to": contract, "data": f"0x{data.hex()}"}, "latest")


# --- the official client ----------------------------------------------------------------------------------------------


def test_polymarket_client_makes_a_deposit_wallet_and_approves_the_contracts(running: Running) -> None:
    async def begin() -> None:
        async with passing(running), await client(running) as made:
            assert made.wallet == WALLET
            approvals = official("polymarket._internal.actions.relayer.approvals").get_trading_approvals_state
            config = made._ctx.environment_config
            before = await approvals(made._ctx.rpc, wallet=WALLET, config=config)
            assert (len(before.missing.erc20), len(before.missing.erc1155)) == (7, 10)
            assert await made.get_trading_approvals_state() == before
            await made.setup_trading_approvals()
            assert (await made.get_trading_approvals_state()).is_fully_approved
            assert (await approvals(made._ctx.rpc, wallet=WALLET, config=config)).is_fully_approved

    asyncio.run(begin())
    assert running.venue.members.is_wallet(WALLET)
    assert running.venue.members.nonce(KEY.address) == 1


def test_an_order_of_an_unapproved_wallet_is_refused_and_the_client_approves_by_itself(running: Running) -> None:
    async def trade() -> None:
        async with passing(running), await client(running) as made:
            await asyncio.to_thread(running.fund, WALLET, "100")
            before = (await made.get_balance_allowance(asset_type="COLLATERAL")).allowances
            assert set(before.values()) == {0}
            placed = await made.place_limit_order(token_id=UP, price="0.45", size="10", side="BUY")
            assert (placed.ok, placed.status) == (True, "live")

    asyncio.run(trade())
    assert running.venue.members.allowance(Account(WALLET), COLLATERAL, STANDARD.contract) == MOST
    assert running.venue.members.nonce(KEY.address) == 1


@pytest.mark.parametrize(
    ("market", "up", "down"), [(CONDITION, UP, DOWN), (V2_CONDITION, V2_UP, V2_DOWN)], ids=["domain 2", "domain 3"]
)
def test_polymarket_client_splits_merges_and_redeems(running: Running, market: str, up: str, down: str) -> None:
    async def trade() -> None:
        async with passing(running), await client(running) as made:
            await asyncio.to_thread(running.fund, WALLET, "100")
            split = await made.split_position(condition_id=market, amount=30_000_000)
            outcome = await split.wait()
            assert held(running, WALLET) == (70_000_000, {up: 30_000_000, down: 30_000_000})
            assert (await made._ctx.rpc.eth_get_transaction_receipt(outcome.transaction_hash))["status"] == "0x1"
            assert supply(running, market) == (30_000_000,) * 3

            await (await made.merge_positions(condition_id=market, amount="max")).wait()
            assert held(running, WALLET) == (100_000_000, {})
            assert supply(running, market) == (0, 0, 0)

            await (await made.split_position(condition_id=market, amount=10_000_000)).wait()
            running.feed(
                sim.CloseMarket(market=MarketId(market)), sim.Resolve(market=MarketId(market), up_payout=Usd(0))
            )
            await (await made.redeem_positions(condition_id=market)).wait()
            assert held(running, WALLET) == (100_000_000, {})
            assert supply(running, market) == (0, 0, 0)

    asyncio.run(trade())


def test_polymarket_client_hears_why_a_batch_failed(running: Running) -> None:
    failed = official("polymarket.errors").TransactionFailedError

    async def ask_too_much() -> None:
        async with passing(running), await client(running) as made:
            await asyncio.to_thread(running.fund, WALLET, "1")
            with pytest.raises(failed, match="has not enough for 2000000 pairs"):
                await (await made.split_position(condition_id=CONDITION, amount=2_000_000)).wait()
            with pytest.raises(failed, match="does not know"):
                await (
                    await made.transfer_erc20(token_address=COLLATERAL, recipient_address=KEY.address, amount=1)
                ).wait()

    asyncio.run(ask_too_much())
    assert held(running, WALLET) == (1_000_000, {})
    assert running.venue.members.nonce(KEY.address) == 0


def test_our_address_of_a_deposit_wallet_is_the_official_clients() -> None:
    derive = official("polymarket._internal.wallet").derive_beacon_deposit_wallet_address
    config = official("polymarket._internal.environment").PRODUCTION_CONFIG.wallet_derivation
    for seed in range(20):
        owner = SigningKey(Random(seed).randrange(1, 2**255).to_bytes(32, "big")).address
        assert deposit_wallet_of(owner) == derive(owner, config)


# --- by hand: what is refused -----------------------------------------------------------------------------------------

SPLIT = "splitPosition(address,bytes32,bytes32,uint256[],uint256)"
MERGE = "mergePositions(address,bytes32,bytes32,uint256[],uint256)"


def pairs(signature: str, amount: int) -> Call:
    words = (int(COLLATERAL, 16), 0, int(CONDITION, 16), 160, amount, 2, 1, 2)
    return Call(COLLATERAL_ADAPTER, 0, selector(signature) + b"".join(word(one) for one in words))


def batch(*calls: Call, nonce: int = 0, deadline: int = START // 10**9 + 600, key: SigningKey = KEY) -> dict[str, Any]:
    signed = key.sign(batch_digest(WALLET, calls, nonce=nonce, deadline=deadline))
    return {
        "type": "WALLET",
        "from": KEY.address,
        "to": DEPOSIT_WALLET_FACTORY,
        "nonce": str(nonce),
        "signature": f"0x{signed.hex()}",
        "depositWalletParams": {
            "depositWallet": WALLET,
            "deadline": str(deadline),
            "calls": [{"target": one.target, "value": "0", "data": f"0x{one.data.hex()}"} for one in calls],
        },
    }


def submit(running: Running, body: dict[str, Any], key: str = "any") -> tuple[int, Any]:
    headers = {"RELAYER_API_KEY": key} if key else {}
    return running.call("POST", f"{running.urls.relayer}/submit", headers=headers, body=json.dumps(body).encode())


def state_of(running: Running, transaction: str) -> Any:
    status, body = running.call("GET", f"{running.urls.relayer}/v1/account/transactions/{transaction}")
    assert status == 200, body
    return body["state"]


@pytest.fixture
def wallet(running: Running) -> Running:
    """With a wallet that has 100 USD."""
    create = {"type": "WALLET-CREATE", "from": KEY.address, "to": DEPOSIT_WALLET_FACTORY}
    assert submit(running, create)[0] == 200
    running.fund(WALLET, "100")
    return running


def test_the_states_of_a_batch_are_told_by_the_venues_clock(wallet: Running) -> None:
    status, body = submit(wallet, batch(pairs(SPLIT, 5_000_000)))
    assert (status, body["state"]) == (200, "STATE_NEW")
    seen = [state_of(wallet, body["transactionID"])]
    for _ in range(4):
        wallet.control("POST", "/time", {"by": seconds(1)})
        seen.append(state_of(wallet, body["transactionID"]))
    assert seen == ["STATE_NEW", "STATE_EXECUTED", "STATE_MINED", "STATE_MINED", "STATE_CONFIRMED"]
    status, listed = wallet.call("GET", f"{wallet.urls.relayer}/transaction?id={body['transactionID']}")
    assert (status, listed[0]["state"]) == (200, "STATE_CONFIRMED")


def test_a_batch_is_done_whole_or_not_at_all(wallet: Running) -> None:
    _, body = submit(wallet, batch(pairs(SPLIT, 5_000_000), pairs(MERGE, 6_000_000)))
    assert held(wallet, WALLET) == (100_000_000, {})
    wallet.control("POST", "/time", {"by": seconds(1)})
    assert state_of(wallet, body["transactionID"]) == "STATE_FAILED"
    assert submit(wallet, batch(pairs(SPLIT, 5_000_000), pairs(MERGE, 2_000_000)))[0] == 200
    assert held(wallet, WALLET) == (97_000_000, {UP: 3_000_000, DOWN: 3_000_000})


def test_what_is_on_offer_cannot_be_split(wallet: Running) -> None:
    order = sim.Submit(
        account=Account(WALLET),
        order=VenueOrderId("0x" + "11" * 32),
        token=UP,
        side=Side.BUY,
        maker_amount=usd("45"),
        taker_amount=shares("100"),
    )
    wallet.feed(order)
    assert submit(wallet, batch(pairs(SPLIT, 60_000_000)))[0] == 200
    assert held(wallet, WALLET) == (100_000_000, {})
    assert submit(wallet, batch(pairs(SPLIT, 55_000_000)))[0] == 200
    assert held(wallet, WALLET)[0] == 45_000_000


def test_a_batch_counts_once(wallet: Running) -> None:
    one = batch(pairs(SPLIT, 5_000_000))
    assert submit(wallet, one)[0] == 200
    status, body = submit(wallet, one)
    assert (status, body["error"]) == (400, "batch nonce 0 does not match on-chain nonce 1")
    assert held(wallet, WALLET)[0] == 95_000_000


def test_who_did_not_sign_moves_nothing(wallet: Running) -> None:
    stranger = SigningKey(Random(5).randrange(1, 2**255).to_bytes(32, "big"))
    signed = batch(pairs(SPLIT, 5_000_000))
    more = batch(pairs(SPLIT, 6_000_000))
    flipped = signed["signature"][:20] + ("0" if signed["signature"][20] != "0" else "1") + signed["signature"][21:]
    foreign = {**signed, "depositWalletParams": {**signed["depositWalletParams"], "depositWallet": KEY.address}}
    tries: list[tuple[dict[str, Any], str]] = [
        (batch(pairs(SPLIT, 5_000_000), key=stranger), "invalid signature"),
        ({**signed, "signature": more["signature"]}, "invalid signature"),
        ({**signed, "signature": flipped}, "invalid signature"),
        ({**signed, "signature": "0x"}, "invalid signature"),
        ({**signed, "from": stranger.address}, "no deposit wallet found for owner"),
        (foreign, "no deposit wallet found for owner"),
        (batch(), "invalid signature"),
        ({**signed, "type": "SAFE"}, "type SAFE: only WALLET and WALLET-CREATE are relayed here"),
        ({**signed, "nonce": "-1"}, "nonce: give a whole number, not '-1'"),
        (batch(pairs(SPLIT, 1), deadline=5), f"deadline 5 is over: it is {START // 10**9}"),
    ]
    for body, text in tries:
        assert submit(wallet, body) == (400, {"error": text})
    assert submit(wallet, signed, key="") == (401, {"error": "invalid authorization"})
    assert held(wallet, WALLET) == (100_000_000, {})


def test_more_than_25_submits_a_minute_are_too_many(running: Running) -> None:
    create = {"type": "WALLET-CREATE", "from": KEY.address, "to": DEPOSIT_WALLET_FACTORY}
    assert {submit(running, create)[0] for _ in range(25)} == {200}
    assert submit(running, create)[0] == 429
    running.control("POST", "/time", {"by": seconds(60)})
    assert submit(running, create)[0] == 200


class Kept(NoRecord):
    """As lines of a log."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def took(self, one: Input) -> None:
        self.lines.append(msgspec.json.encode(one))


def test_an_exchange_made_again_knows_wallets_nonces_and_approvals() -> None:
    kept = Kept()
    with Running(stepped=True) as running:
        running.on_loop(lambda: running.venue.keep(kept))
        running.feed(LISTING, BOOK)
        submit(running, {"type": "WALLET-CREATE", "from": KEY.address, "to": DEPOSIT_WALLET_FACTORY})
        running.fund(WALLET, "100")
        spender = STANDARD.contract
        approve = Call(COLLATERAL, 0, selector("approve(address,uint256)") + word(int(spender, 16)) + word(MOST))
        assert submit(running, batch(approve, pairs(SPLIT, 5_000_000)))[0] == 200
        truth = running.on_loop(lambda: running.venue.current().truth())
    again = Venue(rules=QUICK, rng=Random(7), clock=SteppedClock(START), members=Members("seed"))
    for line in kept.lines:
        one = msgspec.json.decode(line, type=Asked | Listed | MemberChanged)
        again.redo(one)
    assert again.current().truth() == truth
    assert again.members.nonce(KEY.address) == 1
    assert again.members.allowance(Account(WALLET), COLLATERAL, spender) == MOST
    assert again.members.allowance(Account(WALLET), CONDITIONAL_TOKENS, spender) == 0


# --- the node ---------------------------------------------------------------------------------------------------------


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
