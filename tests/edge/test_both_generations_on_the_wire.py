"""The whole trader with a market of each generation of contracts, over the wire: discovered, signed, held, settled, and
redeemed each by its own contract."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import cast

import aiohttp
import pytest
from msgspec.structs import replace

from polystra.app.connection import Place
from polystra.core import notes as nt
from polystra.core.ids import MarketId, TokenId
from polystra.core.markets import Generation, Market, Series
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome, Side
from polystra.core.units import Instant, Usd, price, seconds, usd
from polystra.edge.polymarket.contracts import COLLATERAL_ADAPTER, ROUTER
from polystra.edge.polymarket.wallet import SignatureType, Wallet
from polystra.exchange.faults import Fault
from polystra.exchange.pace import SteppedClock
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.exchange_cases import Running
from tests.edge.relayer_cases import KEY, WALLET, batch
from tests.edge.test_exchange_generations import redemption
from tests.edge.test_exchange_relayer import client
from tests.edge.wire_stage import Floor, WireOutcomes, WireStage, exchange_truth
from tests.truth import scripted, steady, tape_file, window, wish

__all__ = ["exchange_truth"]

UP = TokenId(str((1 << 248) | (0xABC123 << 104)))
OLD = window(id=MarketId(f"0x{int(window().up_token):064x}"))
"""Its tokens fit its condition as those of the other generation do, so that the generation alone tells them apart."""

NEW = replace(
    OLD,
    id=MarketId(f"0x{int(UP):064x}"),
    slug=OLD.slug.replace("btc", "eth"),
    series=Series("ETH", seconds(300)),
    up_token=UP,
    down_token=TokenId(str(int(UP) | 1)),
    generation=Generation.PROTOCOL_V2,
)
STRANGE = replace(
    OLD,
    id=MarketId("0x" + "77" * 32),
    slug=OLD.slug.replace("btc", "sol"),
    series=Series("SOL", seconds(300)),
    up_token=TokenId(f"{10**76 + 100}"),
    down_token=TokenId(f"{10**76 + 101}"),
)
FILES = [tape_file(market, steady(market, "0.50x100", "0.52x100")) for market in (OLD, NEW, STRANGE)]
DEPOSIT_WALLET = Wallet(key=KEY, kind=SignatureType.POLY_1271, funder=WALLET)
OTHER = {OLD: ROUTER, NEW: COLLATERAL_ADAPTER}
"""The contract that does not redeem a market, but does the other one."""


class Chain:
    """What is left to do at the exchange when the trader is gone, with the wallet that it traded from."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor

    @property
    def cash(self) -> Usd:
        return self.floor.truth().account(Account(WALLET)).cash

    @contextlib.asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Time goes on without a trader, a second at a time."""
        clock, venue = self.floor.standing.clock, self.floor.standing.venue
        assert isinstance(clock, SteppedClock)

        async def move() -> None:
            while True:
                clock.move_to(Instant(clock.now() + seconds(1)))
                venue.advance()
                await asyncio.sleep(0.02)

        moving = asyncio.create_task(move())
        try:
            yield
        finally:
            moving.cancel()
            await asyncio.wait({moving})

    async def relayed(self, market: Market, contract: str) -> str:
        """How a redemption by this contract ends."""
        base, due = self.floor.urls.relayer, self.floor.now // 10**9 + 600
        asked = batch(redemption(market.id, contract), deadline=due)
        headers = {"RELAYER_API_KEY": "any"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.post(f"{base}/submit", data=json.dumps(asked)) as answer:
                assert answer.status == 200
                name = (await answer.json())["transactionID"]
            state = ""
            for _ in range(500):
                state = await self._state(session, f"{base}/transaction?id={name}")
                if state in ("STATE_CONFIRMED", "STATE_FAILED"):
                    break
                await asyncio.sleep(0.02)
        return state

    async def _state(self, session: aiohttp.ClientSession, url: str) -> str:
        async with session.get(url) as answer:
            (told,) = await answer.json()
            return str(told["state"])


@pytest.mark.spec("X27.A1")
def test_both_generations_trade_in_one_session_and_unknown_contracts_are_left_alone(exchange_truth: WireStage) -> None:
    chains: list[Chain] = []
    paid: dict[MarketId, Usd] = {}

    def before(floor: Floor) -> None:
        floor.fail(Fault.GENERATION_UNKNOWN, STRANGE.slug, times=None)
        floor.standing.venue.members.open_wallet(KEY.address, SignatureType.POLY_1271, WALLET)
        floor.standing.venue.feed(sim.Deposit(account=Account(WALLET), amount=usd("1000")))
        chains.append(Chain(floor))

    async def afterwards(place: Place) -> None:
        (chain,) = chains
        async with chain.passing(), await client(cast(Running, chain.floor)) as official:
            assert official.wallet == WALLET
            for market, contract in OTHER.items():
                had = chain.cash
                assert await chain.relayed(market, contract) == "STATE_FAILED"
                assert chain.cash == had
            for market in OTHER:
                had = chain.cash
                await (await official.redeem_positions(condition_id=market.id)).wait()
                paid[market.id] = Usd(chain.cash - had)

    exchange_truth.wallet = DEPOSIT_WALLET
    strategy = scripted({20: wish(Outcome.UP, "0.52")}, ExitPolicy(target=price("0.99")))
    run = exchange_truth.play_on_wire(FILES, strategy, before=before, afterwards=afterwards)
    _traded_both(run)
    _left_the_strange_one_alone(run)
    claims = dict(run.sql("select market, redeemable_micro from settlements where redeemable_micro > 0"))
    assert claims == paid
    assert claims.keys() == {OLD.id, NEW.id}
    run.agree(claimed=sum(claims.values()))


def _traded_both(run: WireOutcomes) -> None:
    """Each was bought, its shares seen in their own kind of balance and so put on offer, and won."""
    for side in Side:
        assert {terms.market for _, terms in run.placed(side)} == {OLD.id, NEW.id}
    for market in (OLD, NEW):
        legs = [trade.taker for trade in run.truth.trades if trade.market == market.id]
        assert [leg.account for leg in legs] == [Account(WALLET)]
        assert run.held(market, Outcome.UP) == 0
    assert {note.market for note in run.notes(nt.MarketSettled)} >= {OLD.id, NEW.id}


def _left_the_strange_one_alone(run: WireOutcomes) -> None:
    assert run.floor.hits(Fault.GENERATION_UNKNOWN) > 0
    why = next(note for note in run.notes(nt.EntryDenied) if note.market == STRANGE.id)
    assert (why.limit, why.value, why.allowed) == ("contract generation", "unknown", "known")
    assert [trade for trade in run.truth.trades if trade.market == STRANGE.id] == []
