"""Whoever reads from an exchange that was killed and made again gets what one that never stopped would have answered,
byte for byte."""

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import aiohttp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from polystra.app.setting_sections import SimulationSettings
from polystra.app.settings import Settings
from polystra.app.standing_exchange import stand
from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Instant, seconds, shares, usd
from polystra.edge.polymarket.auth import RequestSigner
from polystra.exchange.inputs import NoRecord
from polystra.exchange.listings import Listing
from polystra.exchange.server import serve
from polystra.sim import messages as sim
from polystra.sim.records import Account
from polystra.sim.rewards import DAY
from tests.property.test_exchange_rebuild import (
    ACTIONS,
    MARKET,
    OPENING,
    WHO,
    Action,
    Driven,
    Enough,
    Whole,
    blueprint,
    does,
    split,
)

PAID = MarketId("0x" + "ef" * 32)
PAYING = Listing(
    facts=sim.MarketFacts(
        id=PAID,
        up_token=TokenId(str(int(MARKET.up_token) + 100)),
        down_token=TokenId(str(int(MARKET.down_token) + 100)),
        fee_rate=70_000,
        rebate_rate=200_000,
        reward_rate=usd(144_000),
        start=MARKET.start,
        end=MARKET.end,
    ),
    slug="sol-updown-15m-1795432200",
    question="Solana Up or Down",
)
NONCE = 9
"""Of the keys with which the test itself reads."""

Answers: TypeAlias = dict[str, tuple[int, bytes]]


class Quoting(Driven):
    """With a second market, which rewards its makers."""

    def list_paying(self) -> None:
        if PAID not in self.venue.listings:
            self.venue.feed(PAYING)
            size = shares("60")
            bids, asks = ((480_000, size),), ((520_000, size),)
            self.venue.feed(sim.SetBook(market=PAID, bids=bids, asks=asks))  # type: ignore[arg-type]

    def quote(self, who: int, side: Side, at: str) -> None:
        if PAID in self.venue.listings:
            self.place(who, side, at, 100, TimeInForce.GTC, PAYING.facts.up_token)


MORE: st.SearchStrategy[Action] = st.one_of(
    st.just(does("list_paying")),
    st.builds(lambda who, at: does("quote", who, Side.BUY, at), WHO, st.sampled_from(["0.48", "0.49", "0.52"])),
    st.builds(lambda size: does("ask", 0, lambda one: sim.Deposit(account=one, amount=usd(size))), st.integers(0, 9)),
)


def begun(log: Path | None) -> Quoting:
    driven = Quoting(stand(blueprint(log)))
    driven.clock.move_to(Instant(MARKET.start - seconds(4)))
    return driven


def public_routes(driven: Driven) -> Iterator[str]:
    yield from ("/time", "/markets", "/simplified-markets", "/sampling-markets", "/sampling-simplified-markets")
    yield from ("/rewards/markets/current", "/rewards/markets/multi", "/control/truth", "/control/time")
    yield from ("/gamma/markets", "/gamma/markets?closed=true", "/gamma/events", "/gamma/events?closed=true")
    yield from ("/binance/api/v3/klines?symbol=BTCUSDT&interval=1m", "/binance/api/v3/ticker/price?symbol=BTCUSDT")
    for market in (MARKET.id, PAID):
        for page in ("markets", "markets/live-activity", "clob-markets", "rewards/markets"):
            yield f"/{page}/{market}"
    for token in (MARKET.up_token, MARKET.down_token, PAYING.facts.up_token):
        for page in ("book", "midpoint", "spread", "last-trade-price", "tick-size", "neg-risk", "fee-rate"):
            yield f"/{page}?token_id={token}"
        yield f"/price?token_id={token}&side=BUY"
        yield f"/prices-history?market={token}&interval=max&fidelity=1"
        yield f"/data-api/v2/prices-history?token_id={token}"
    day = datetime.fromtimestamp(driven.clock.now() // 10**9, tz=UTC).date()
    for account in driven.standing.accounts:
        for page in ("positions", "trades", "activity", "value", "approvals"):
            first = "" if page == "approvals" else f"/data-api/{page}?user={account.wallet}&takerOnly=false"
            yield from filter(None, (first, f"/data-api/v2/{page}?user={account.wallet}"))
        yield f"/rebates/current?date={day}&maker_address={account.wallet}"
        yield f"/relayer/deployed?address={account.wallet}"
        yield f"/relayer/relay-payload?address={account.address}"


def own_routes(driven: Driven) -> Iterator[str]:
    yield from ("/data/orders", "/data/trades", "/auth/api-keys", "/auth/ban-status/closed-only", "/notifications")
    yield from (f"/data/order/order {number}" for number in range(1, 4))
    yield from (f"/order-scoring?order_id=order {number}" for number in range(1, 4))
    day = datetime.fromtimestamp(driven.clock.now() // 10**9, tz=UTC).date()
    for kind in driven.standing.accounts:
        of = f"signature_type={kind.signature_type:d}"
        yield f"/balance-allowance?asset_type=COLLATERAL&{of}"
        yield f"/balance-allowance?asset_type=CONDITIONAL&token_id={MARKET.up_token}&{of}"
        for page in ("user", "user/total", "user/percentages", "user/markets"):
            yield f"/rewards/{page}?date={day}&{of}"


async def answers(driven: Driven) -> Answers:
    """Of all that can be read, and of a heartbeat with a wrong id, which hears the right one."""
    standing = driven.standing
    served = serve(
        driven.venue, stepped=driven.clock, prices=standing.prices, spot=standing.spot, memory=standing.memory
    )
    found: Answers = {}
    async with served as urls, aiohttp.ClientSession(urls.clob) as session:
        for route in public_routes(driven):
            async with session.get(route) as answer:
                found[route] = (answer.status, await answer.read())
        for account in standing.accounts:
            members = driven.venue.members
            credentials = members.create_key(account.address, NONCE) or members.derive_key(account.address, NONCE)
            assert credentials is not None
            signer = RequestSigner(credentials, account.address)
            asked = [("GET", route, b"") for route in own_routes(driven)]
            for method, route, body in (*asked, ("POST", "/v1/heartbeats", b'{"heartbeat_id":"wrong"}')):
                path = route.partition("?")[0].replace(" ", "%20")
                headers = signer.headers(at=driven.clock.now(), method=method, path=path, body=body)
                async with session.request(method, route, headers=headers, data=body or None) as answer:
                    found[f"{account.wallet} {route}"] = (answer.status, await answer.read())
    return found


EVENTFUL = [
    does("list_paying"),
    does("quote", 0, Side.BUY, "0.49"),
    does("place", 0, Side.BUY, "0.49", 20, TimeInForce.GTC),
    does("ask", 0, lambda one: sim.CancelAll(account=one)),
    does("drop_notices", 0, ["1"]),
    does("quote", 0, Side.BUY, "0.49"),
    does("place", 1, Side.BUY, "0.53", 20, TimeInForce.FAK),
    does("ask", 1, lambda one: split(one, 5)),
    does("ask", 0, lambda one: sim.Beat(account=one)),
    does("pass_time", 9_000),
]


@settings(max_examples=15)
@example(actions=EVENTFUL, part=1.0)
@given(actions=st.lists(ACTIONS | MORE, max_size=25), part=st.floats(0, 1))
def test_an_exchange_made_again_answers_what_one_that_never_stopped_would(actions: list[Action], part: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        killed = begun(log)
        killed.pass_time(10)
        for act in actions:
            act(killed)
        killed.standing.log.close()
        written = log.read_bytes()
        log.write_bytes(written[: round(part * len(written))])
        whole = [line for line in log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        inputs = sum(not line.startswith((b'{"kind":"did"', b'{"kind":"header"')) for line in whole)
        again, lives = Quoting(stand(blueprint(log))), begun(None)
        lives.whole = Whole(max(0, inputs - OPENING))
        lives.venue.keep(lives.whole)
        try:
            lives.pass_time(10)
            for act in actions:
                act(lives)
        except Enough:
            pass
        lives.whole = None
        lives.venue.keep(NoRecord())
        now = max(again.clock.now(), lives.clock.now())
        for until in (now, Instant(now + seconds(700))):
            for driven in (again, lives):
                driven.settle(Instant(until))
            assert asyncio.run(answers(again)) == asyncio.run(answers(lives))
        again.standing.log.close()


@pytest.mark.parametrize("killed", ["before it", "after it"])
def test_makers_are_paid_once_for_a_day_on_which_the_exchange_was_killed(killed: str, tmp_path: Path) -> None:
    paying = Settings(simulation=SimulationSettings(pays_makers=True))
    blue = replace(blueprint(tmp_path / "log.jsonl"), settings=paying)
    first = Quoting(stand(blue))
    first.list_paying()
    first.quote(0, Side.BUY, "0.49")
    midnight = Instant((first.clock.now() // DAY + 1) * DAY)
    first.settle(Instant(midnight + (seconds(9) if killed == "after it" else -seconds(9))))
    first.standing.log.close()
    again = Quoting(stand(blue))
    again.settle(Instant(midnight + seconds(9)))
    account = Account(again.standing.accounts[0].wallet)
    (credit,) = [deed for deed in again.standing.memory.deeds.of(account) if deed.kind == "REWARD"]
    truth = again.venue.current().truth()
    assert (credit.at, credit.cash) == (midnight, truth.paid)
    assert truth.account(account).cash == again.standing.accounts[0].cash + truth.paid
    assert (tmp_path / "log.jsonl").read_bytes().count(b'"MakerPaid"') == 1
    again.standing.log.close()
