"""A market of each generation of contracts, side by side: signed, held and redeemed each in its own way."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.ids import TokenId
from polystra.core.markets import Generation, Market
from polystra.core.terms import TimeInForce
from polystra.core.units import seconds, usd
from polystra.edge.polymarket.contracts import (
    COLLATERAL_ADAPTER,
    PROTOCOL_V2,
    ROUTER,
    STANDARD,
    Exchange,
    exchange_at,
    exchange_of,
)
from polystra.edge.polymarket.eip712 import word
from polystra.edge.polymarket.outcomes import Accepted
from polystra.edge.polymarket.venue import Balances
from polystra.edge.polymarket.wallet import SignatureType
from polystra.edge.polymarket.wallet_batches import Call, selector
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.exchange_cases import BOOK, CONDITION, LISTING, UP, Running, Trader, exchange, terms
from tests.edge.relayer_cases import KEY, V2, V2_CONDITION, V2_UP, WALLET, batch, submit
from tests.edge.signing_cases import official
from tests.edge.test_exchange_relayer import client, held, passing, state_of, supply
from tests.edge.test_exchange_sdks import SECRET, funded
from tests.edge.venue_cases import Client

BOTH = [pytest.param(UP, id="domain 2"), pytest.param(V2_UP, id="domain 3")]
OLD_VERSION = (400, {"error": "invalid order version, please use the latest clob-client"})
BAD_SIGNATURE = (400, {"error": "invalid signature"})
TAKE = terms(at="0.51", size="10", tif=TimeInForce.FAK)


def with_both(running: Running) -> Running:
    running.feed(V2, replace(BOOK, market=V2_CONDITION))
    return running


@pytest.fixture
def running() -> Iterator[Running]:
    """By the wall."""
    with exchange() as running:
        yield with_both(running)


@pytest.fixture
def stepped() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        yield with_both(running)


def resolve_both(running: Running) -> None:
    for market in (CONDITION, V2_CONDITION):
        running.feed(sim.CloseMarket(market=market), sim.Resolve(market=market, up_payout=usd(1)))


def redeemed_by(running: Running, account: str) -> Counter[str]:
    """Dollars that each market's redemptions brought, by the Data API."""
    _, rows = running.call("GET", f"{running.urls.data}/activity?user={account}&type=REDEEM")
    found = Counter[str]()
    for row in rows:
        found[row["slug"]] += row["usdcSize"]
    return found


# --- polymarket-client: from discovery to redemption


def test_polymarket_client_trades_both_and_redeems_both(stepped: Running) -> None:
    running = stepped

    async def trade(made: Any, listing: Any, asset: str) -> None:
        market = await made.get_market(slug=listing.slug)
        token = market.outcomes.yes.token_id
        assert token == listing.facts.up_token
        await (await made.split_position(condition_id=market.condition_id, amount=20_000_000)).wait()
        bought = await made.place_market_order(token_id=token, side="BUY", amount="5.10", order_type="FAK")
        assert (bought.ok, bought.status, bought.taking_amount) == (True, "matched", Decimal(10))
        rests = await made.place_limit_order(token_id=token, price="0.60", size="30", side="SELL")
        assert rests.status == "live"
        assert (await made.cancel_order(order_id=rests.order_id)).canceled == (rests.order_id,)
        shown = await made.get_balance_allowance(asset_type=asset, token_id=token)
        assert shown.balance == 30_000_000

    async def session() -> None:
        async with passing(running), await client(running) as made:
            await asyncio.to_thread(running.fund, WALLET, "100")
            await asyncio.gather(trade(made, LISTING, "CONDITIONAL"), trade(made, V2, "CONDITIONAL-V2"))
            before = held(running, WALLET)[0]
            await asyncio.to_thread(resolve_both, running)
            for market in (CONDITION, V2_CONDITION):
                await (await made.redeem_positions(condition_id=market)).wait()
            assert held(running, WALLET) == (before + 60_000_000, {})

    asyncio.run(session())
    assert redeemed_by(running, WALLET) == {LISTING.slug: 30, V2.slug: 30}
    assert supply(running, CONDITION)[2] == supply(running, V2_CONDITION)[2] == 0


# --- by hand: which contract redeems what


def redemption(market: str, contract: str) -> Call:
    if contract == ROUTER:
        words = (int(market, 16) >> 8 << 8, 2**255, 2**255)
        return Call(ROUTER, 0, selector("redeem(bytes31,uint256,uint256)") + b"".join(map(word, words)))
    adapted = (0, 0, int(market, 16), 128, 2, 1, 2)
    signature = "redeemPositions(address,bytes32,bytes32,uint256[])"
    return Call(COLLATERAL_ADAPTER, 0, selector(signature) + b"".join(map(word, adapted)))


@pytest.mark.parametrize(
    ("market", "contract", "done"),
    [
        pytest.param(CONDITION, COLLATERAL_ADAPTER, True, id="domain 2 by the adapter"),
        pytest.param(CONDITION, ROUTER, False, id="domain 2 by the Router"),
        pytest.param(V2_CONDITION, ROUTER, True, id="domain 3 by the Router"),
        pytest.param(V2_CONDITION, COLLATERAL_ADAPTER, False, id="domain 3 by the adapter"),
    ],
)
def test_each_generation_is_redeemed_by_its_own_contract(
    stepped: Running, market: Any, contract: str, done: bool
) -> None:
    create = {"type": "WALLET-CREATE", "from": KEY.address, "to": batch()["to"]}
    assert submit(stepped, create)[0] == 200
    stepped.fund(WALLET, "100")
    stepped.feed(sim.Split(account=Account(WALLET), market=market, shares=TAKE.shares))
    resolve_both(stepped)
    status, body = submit(stepped, batch(redemption(market, contract)))
    assert status == 200, body
    stepped.control("POST", "/time", {"by": seconds(5)})
    assert state_of(stepped, body["transactionID"]) == ("STATE_CONFIRMED" if done else "STATE_FAILED")
    assert held(stepped, WALLET)[0] == (100_000_000 if done else 90_000_000)


# --- py-clob-client-v2 and our own client


def test_py_clob_client_trades_both(running: Running) -> None:
    clob = official("py_clob_client_v2")
    _, wallet = funded(running, SignatureType.EOA)
    made = clob.ClobClient(running.urls.clob, 137, key=SECRET, signature_type=0, funder=wallet)
    made.set_api_creds(made.create_or_derive_api_key())
    for named in ({"token_id": UP}, {"token_id": None, "position_id": V2_UP}):
        rests = made.create_and_post_order(clob.OrderArgs(**named, price=0.45, size=10, side="BUY"))
        assert rests["status"] == "live"
        assert made.cancel_order(clob.OrderPayload(orderID=rests["orderID"]))["canceled"] == [rests["orderID"]]
        taken = made.create_and_post_order(clob.OrderArgs(**named, price=0.51, size=10, side="BUY"))
        assert (taken["status"], taken["takingAmount"]) == ("matched", "10")
    assert {trade["asset_id"] for trade in made.get_trades()} == {UP, V2_UP}


def test_our_client_finds_signs_and_trades_both(running: Running, ours: Client) -> None:
    trader = Trader(running)
    running.fund(trader.account)
    catalogue, venue = ours.catalogue(running.urls.gamma, running.urls.clob), ours.venue(trader)
    found = [ours.run(catalogue.market(listing.slug)) for listing in (LISTING, V2)]
    markets = [market for market in found if isinstance(market, Market)]
    assert [market.generation for market in markets] == [Generation.CLOB_V2, Generation.PROTOCOL_V2]
    for market in markets:
        contract = exchange_of(market.generation, neg_risk=False)
        signed = trader.sign(TAKE, exchange=contract, token=market.up_token)
        placed = ours.run(venue.place(signed.id, trader.body(TAKE, signed)))
        assert isinstance(placed, Accepted)
        assert placed.matched
    ours.run(asyncio.sleep(0.2))
    shown = ours.run(venue.balances([UP, V2_UP]))
    assert isinstance(shown, Balances)
    assert shown.shares == {UP: 10_000_000, V2_UP: 10_000_000}


# --- what is refused


@pytest.mark.parametrize(("token", "asset"), [(UP, "CONDITIONAL-V2"), (V2_UP, "CONDITIONAL")])
def test_shares_are_not_with_the_other_contract(running: Running, token: TokenId, asset: str) -> None:
    trader = Trader(running)
    running.fund(trader.account)
    for market in (CONDITION, V2_CONDITION):
        running.feed(sim.Split(account=Account(trader.account), market=market, shares=TAKE.shares))
    right = {UP: "CONDITIONAL", V2_UP: "CONDITIONAL-V2"}[token]
    for named, amount in ((right, "10000000"), (asset, "0")):
        shown = trader.get("/balance-allowance", f"?asset_type={named}&token_id={token}&signature_type=0")
        assert shown["balance"] == amount


@pytest.mark.parametrize("kind", list(SignatureType), ids=str)
@pytest.mark.parametrize(
    ("token", "contract"),
    [
        pytest.param(UP, PROTOCOL_V2, id="domain 2 signed for 3"),
        pytest.param(UP, exchange_at(STANDARD.contract, "3"), id="the right contract with domain 3"),
        pytest.param(V2_UP, STANDARD, id="domain 3 signed for 2"),
        pytest.param(V2_UP, exchange_at(PROTOCOL_V2.contract, "2"), id="the right contract with domain 2"),
    ],
)
def test_an_order_of_the_wrong_domain_is_refused(
    running: Running, kind: SignatureType, token: TokenId, contract: Exchange
) -> None:
    trader = Trader(running, kind=kind)
    running.fund(trader.account)
    signed = trader.sign(TAKE, exchange=contract, token=token)
    assert trader.call("POST", "/order", trader.body(TAKE, signed)) == BAD_SIGNATURE
    assert trader.get("/data/trades")["data"] == []


@pytest.mark.parametrize("kind", list(SignatureType), ids=str)
@pytest.mark.parametrize("token", BOTH)
def test_an_order_of_version_1_is_refused_in_either_generation(
    running: Running, kind: SignatureType, token: TokenId
) -> None:
    trader = Trader(running, kind=kind)
    running.fund(trader.account)
    home = PROTOCOL_V2 if token == V2_UP else STANDARD
    signed = trader.sign(TAKE, exchange=exchange_at(home.contract, "1"), token=token)
    assert trader.call("POST", "/order", trader.body(TAKE, signed)) == OLD_VERSION
    good = trader.sign(TAKE, exchange=home, token=token)
    assert trader.call("POST", "/order", trader.body(TAKE, good))[1]["status"] == "matched"


def test_py_clob_client_is_refused_version_1_and_the_wrong_domain(running: Running) -> None:
    clob, types = official("py_clob_client_v2"), official("py_clob_client_v2.clob_types")
    _, wallet = funded(running, SignatureType.EOA)
    made = clob.ClobClient(running.urls.clob, 137, key=SECRET, signature_type=0, funder=wallet)
    made.set_api_creds(made.create_or_derive_api_key())
    first = types.OrderArgsV1(token_id=UP, price=0.45, size=10, side="BUY")
    order = made.create_order(first, clob.PartialCreateOrderOptions(version=1))
    with pytest.raises(clob.exceptions.PolyApiException, match="invalid order version, please use the latest"):
        made.post_order(order)
    with pytest.raises(clob.exceptions.PolyApiException, match="invalid signature"):
        made.create_and_post_order(clob.OrderArgs(token_id=V2_UP, price=0.45, size=10, side="BUY"))
    assert made.get_open_orders() == []


def test_a_catalogue_of_unknown_contracts_is_no_market_to_sign_for(running: Running, ours: Client) -> None:
    catalogue = ours.catalogue(running.urls.gamma, running.urls.clob)
    running.control("POST", "/faults", {"fault": "generation-unknown", "where": V2.slug})
    strange, known = (ours.run(catalogue.market(V2.slug)) for _ in range(2))
    assert isinstance(strange, Market)
    assert isinstance(known, Market)
    assert (strange.generation, known.generation) == (Generation.UNKNOWN, Generation.PROTOCOL_V2)
