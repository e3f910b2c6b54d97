"""Deposit wallets on the chain that is not there: the official client, unmodified, and whoever tries to cheat."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import msgspec
import pytest

from polystra.core.ids import MarketId, VenueOrderId
from polystra.core.terms import Side
from polystra.core.units import Usd, seconds, shares, usd
from polystra.edge.polymarket.contracts import (
    COLLATERAL,
    COLLATERAL_ADAPTER,
    CONDITIONAL_TOKENS,
    DEPOSIT_WALLET_FACTORY,
    STANDARD,
)
from polystra.edge.polymarket.eip712 import word
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.wallet_batches import Call, selector
from polystra.exchange.deposit_wallets import deposit_wallet_of
from polystra.exchange.inputs import Asked, Input, Listed, MemberChanged, NoRecord
from polystra.exchange.members import Members
from polystra.exchange.pace import SteppedClock
from polystra.exchange.venue import Venue
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.exchange_cases import (
    BOOK,
    CONDITION,
    DOWN,
    LISTING,
    QUICK,
    START,
    UP,
    Running,
    exchange,
)
from tests.edge.relayer_cases import (
    KEY,
    MOST,
    SECRET,
    V2,
    V2_CONDITION,
    V2_DOWN,
    V2_UP,
    WALLET,
    batch,
    submit,
    with_wallet,
)
from tests.edge.signing_cases import official
from tests.edge.test_exchange_sdks import environment


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


def state_of(running: Running, transaction: str) -> Any:
    status, body = running.call("GET", f"{running.urls.relayer}/v1/account/transactions/{transaction}")
    assert status == 200, body
    return body["state"]


@pytest.fixture
def wallet(running: Running) -> Running:
    return with_wallet(running)


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
