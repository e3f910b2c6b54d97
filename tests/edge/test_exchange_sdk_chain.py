"""Every method of polymarket-client that goes to the chain, unmodified: a deposit wallet, its relayer and its node."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from polystra.core.ids import MarketId
from polystra.core.units import usd
from polystra.edge.polymarket.contracts import COLLATERAL, CONDITIONAL_TOKENS, STANDARD
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.exchange_cases import CONDITION, DOWN, UP, Running, exchange
from tests.edge.relayer_cases import KEY, MOST, SECRET, V2, V2_CONDITION, WALLET
from tests.edge.sdk_cases import Called, came
from tests.edge.signing_cases import official
from tests.edge.test_exchange_relayer import elsewhere, held, passing


@pytest.fixture
def running() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        running.feed(V2)
        yield running


async def done(client: Any, ask: Callable[[Any], Any]) -> Any:
    """The end of what is asked for, of either client."""
    handle = await answered(lambda: ask(client))
    return await answered(handle.wait)


async def answered(ask: Callable[[], Any]) -> Any:
    """The synchronous client blocks, and time must go on meanwhile."""
    answer = await asyncio.to_thread(ask)
    return await answer if inspect.isawaitable(answer) else answer


async def split(client: Any, _: Running) -> None:
    await done(client, lambda c: c.split_position(condition_id=CONDITION, amount=3_000_000))


async def splits(client: Any, running: Running) -> None:
    await split(client, running)
    assert held(running, WALLET) == (97_000_000, {UP: 3_000_000, DOWN: 3_000_000})


async def merges(client: Any, running: Running) -> None:
    await split(client, running)
    await done(client, lambda c: c.merge_positions(condition_id=CONDITION, amount=1_000_000))
    assert held(running, WALLET) == (98_000_000, {UP: 2_000_000, DOWN: 2_000_000})


async def merges_many(client: Any, running: Running) -> None:
    """Of both generations, in one batch."""
    await split(client, running)
    await done(client, lambda c: c.split_position(condition_id=V2_CONDITION, amount=5_000_000))
    both = [{"condition_id": CONDITION, "amount": 1_000_000}, {"condition_id": V2_CONDITION, "amount": 2_000_000}]
    await done(client, lambda c: c.merge_multiple_positions(positions=both))
    assert held(running, WALLET)[0] == 95_000_000


async def redeems(client: Any, running: Running) -> None:
    await split(client, running)
    running.feed(sim.CloseMarket(market=CONDITION), sim.Resolve(market=MarketId(CONDITION), up_payout=usd(1)))
    await done(client, lambda c: c.redeem_positions(condition_id=CONDITION))
    assert held(running, WALLET) == (100_000_000, {})


def allowance(running: Running, contract: Any) -> int:
    return running.venue.members.allowance(Account(WALLET), contract, STANDARD.contract)


async def approves_cash(client: Any, running: Running) -> None:
    how = {"token_address": COLLATERAL, "spender_address": STANDARD.contract, "amount": 5}
    await done(client, lambda c: c.approve_erc20(**how))
    assert (allowance(running, COLLATERAL), allowance(running, CONDITIONAL_TOKENS)) == (5, 0)


async def approves_shares(client: Any, running: Running) -> None:
    how = {"token_address": CONDITIONAL_TOKENS, "operator_address": STANDARD.contract}
    await done(client, lambda c: c.approve_erc1155_for_all(**how))
    assert (allowance(running, COLLATERAL), allowance(running, CONDITIONAL_TOKENS)) == (0, MOST)


async def approves_all(client: Any, _: Running) -> None:
    assert not (await answered(client.get_trading_approvals_state)).is_fully_approved
    await answered(client.setup_trading_approvals)
    assert (await answered(client.get_trading_approvals_state)).is_fully_approved


async def executes(client: Any, running: Running) -> None:
    call = official("polymarket.calls").erc20_approval_call(
        token_address=COLLATERAL, spender=STANDARD.contract, amount=7
    )
    await done(client, lambda c: c.execute_transaction(calls=[call]))
    assert allowance(running, COLLATERAL) == 7


async def transfers(client: Any, running: Running) -> None:
    """Refused: cash leaves an account by trades alone. The client hears of it."""
    how = {"token_address": COLLATERAL, "recipient_address": KEY.address, "amount": 1}
    with pytest.raises(official("polymarket.errors").TransactionFailedError, match="does not know"):
        await done(client, lambda c: c.transfer_erc20(**how))
    assert held(running, WALLET) == (100_000_000, {})


async def is_ready(client: Any, _: Running) -> None:
    assert await answered(client.is_gasless_ready) is True


async def sets_up(client: Any, _: Running) -> None:
    assert (await answered(client.setup_gasless_wallet)).wallet == WALLET


ON_CHAIN: dict[str, Callable[[Any, Running], Any]] = {
    "split_position": splits,
    "merge_positions": merges,
    "merge_multiple_positions": merges_many,
    "redeem_positions": redeems,
    "approve_erc20": approves_cash,
    "approve_erc1155_for_all": approves_shares,
    "get_trading_approvals_state": approves_all,
    "setup_trading_approvals": approves_all,
    "execute_transaction": executes,
    "transfer_erc20": transfers,
    "is_gasless_ready": is_ready,
    "setup_gasless_wallet": sets_up,
}


@pytest.mark.spec("X26.A1", pure="the exchange's truth is read through its own control")
@pytest.mark.parametrize("name", ON_CHAIN)
@pytest.mark.parametrize("kind", ["AsyncSecureClient", "SecureClient"])
def test_polymarket_client_on_chain(running: Running, kind: str, name: str) -> None:
    create = getattr(official("polymarket"), kind).create
    key = official("polymarket.auth").RelayerApiKey(key="any", address=KEY.address)
    how = {"private_key": "0x" + SECRET.hex(), "environment": elsewhere(running), "api_key": key}

    async def call() -> None:
        async with passing(running):
            made = await answered(lambda: create(**how))
            try:
                await asyncio.to_thread(running.fund, WALLET, "100")
                client = Called(made)
                await ON_CHAIN[name](client, running)
                assert name in client.names
            finally:
                await came(made.close())

    asyncio.run(call())
