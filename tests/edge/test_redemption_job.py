"""The trader redeems by itself while it trades, and the command does it for one that is stopped."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from polystra.app.connection import Place, connected
from polystra.app.exchange_clock import TimeMode
from polystra.app.exchange_host import Hosted, host
from polystra.app.session import EXCHANGE_LOG, LEDGER, Trader
from polystra.app.settings import Settings
from polystra.app.standing_exchange import Blueprint, Standing, stand
from polystra.core import notes as nt
from polystra.core.claims import ClaimStage
from polystra.core.engine import Step
from polystra.core.events import AnyEvent, ClaimReported, SnapshotTaken
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.strategy import Strategy
from polystra.core.terms import Outcome
from polystra.core.units import Instant, seconds, usd
from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.relayer import CannotRedeem
from polystra.edge.polymarket.wallet import SignatureType, Wallet
from polystra.edge.store.journal import Seen, read_journal
from polystra.edge.tapes.format import TapeFile
from polystra.exchange.faults import Fault
from polystra.sim.records import Account
from tests.edge.cli_cases import polystra
from tests.truth import scripted, steady, tape_file, window, wish

FIRST, SECOND, THIRD = window(), window(1), window(2)
FILES = [tape_file(one, steady(one, "0.50x500", "0.52x200")) for one in (FIRST, SECOND, THIRD)]
SPEED = 120.0


class Ran:
    """What one life came to, while the exchange is there still."""

    def __init__(self, standing: Standing, folder: Path) -> None:
        self.standing = standing
        self.folder = folder
        self.steps: list[tuple[AnyEvent, Step]] = []

    @property
    def wallet(self) -> Wallet:
        (one,) = self.standing.accounts
        return Wallet(key=SigningKey.from_hex(one.private_key), kind=one.signature_type, funder=Address(one.wallet))

    def notes(self, kind: type[nt.Note]) -> list[Any]:
        return [note for _, step in self.steps for note in step.notes if isinstance(note, kind)]

    @property
    def cash(self) -> int:
        return self.standing.venue.current().truth().account(Account(self.wallet.maker)).cash

    @property
    def batches(self) -> int:
        return self.standing.venue.members.nonce(self.wallet.key.address)

    def sql(self, question: str) -> list[Any]:
        with closing(sqlite3.connect(self.folder / LEDGER)) as db:
            return db.execute(question).fetchall()


def settings(**redemption: object) -> Settings:
    return Settings.model_validate(
        {
            "stakes": {"bet_percent": 10},
            "limits": {"min_edge_usd": "-0.99", "max_spread": "0.99"},
            "engine": {"reading_every_seconds": 10},
            "redemption": redemption,
        }
    )


def play(
    folder: Path,
    chosen: Settings,
    kind: SignatureType,
    until: float,
    afterwards: Any = None,
    *,
    strategy: Strategy | None = None,
    files: Sequence[TapeFile] = FILES,
    beforehand: Any = None,
    later: Sequence[tuple[Settings, float]] = (),
) -> Ran:
    """One life at an exchange of its own, at great speed, until so many seconds after the first window's start, and
    `later` ones, each with its settings and end. Before the first and after the last one somebody may call there."""
    standing = stand(
        Blueprint(
            settings=chosen,
            files=files,
            recordings="",
            seed=1,
            mode=TimeMode.RECORDED,
            speed=SPEED,
            accounts=1,
            signature_types=(kind,),
            log=folder / EXCHANGE_LOG,
        )
    )
    ran = Ran(standing, folder)

    async def trade() -> None:
        told: asyncio.Future[Hosted] = asyncio.get_running_loop().create_future()
        ended = asyncio.Event()
        hosting = asyncio.create_task(host(standing, told.set_result, ended, port=0))
        try:
            hosted = await told
            place = Place(
                **{name: getattr(hosted.urls, name) for name in URLS}, mode=TimeMode.RECORDED, clock=hosted.clock
            )
            script = strategy or scripted({10: wish(Outcome.UP, "0.52")})
            if beforehand is not None:
                await beforehand(hosted)
            for own, end in ((chosen, until), *later):
                with Trader(folder, own, seed=1, strategy=script) as trader:
                    await _live(ran, trader, place, end)
            if afterwards is not None:
                await afterwards(hosted)
        finally:
            ended.set()
            await hosting

    with ExitStack() as stack:
        stack.callback(standing.log.close)
        asyncio.run(trade())
    return ran


URLS = ("clob", "market_ws", "user_ws", "gamma", "prices", "relayer", "rpc", "control")


async def _live(ran: Ran, trader: Trader, place: Place, until: float) -> None:
    stopped = asyncio.Event()
    async with connected(place, ran.wallet, seed=1) as far:
        tell = lambda event, step: ran.steps.append((event, step))  # noqa: E731
        trading = asyncio.create_task(trader.trade(far, {FIRST.series}, tell, stopped=stopped))
        ending = asyncio.create_task(_stop(ran.standing, until, stopped))
        await asyncio.wait({trading, ending}, return_when=asyncio.FIRST_COMPLETED)
        stopped.set()
        await trading


async def _stop(standing: Standing, until: float, stopped: asyncio.Event) -> None:
    await standing.venue.until(Instant(FIRST.start + seconds(until)))
    stopped.set()


Play = Callable[..., Ran]


@pytest.fixture
def exchange_truth(tmp_path: Path) -> Play:
    """Plays at an exchange that is there still afterwards, to say what the wallet really has."""

    def played(chosen: Settings, until: float, afterwards: Any = None, **more: Any) -> Ran:
        return play(tmp_path, chosen, SignatureType.POLY_1271, until, afterwards, **more)

    return played


class Calls:
    """How often the chain and its relayer were asked, counted by replies that are late by nothing."""

    count = 0

    async def watch(self, hosted: Hosted) -> None:
        async with aiohttp.ClientSession() as http:
            for route in ("POST /rpc", "POST /relayer/submit"):
                switch = {"fault": Fault.REPLY_LATE, "where": route, "times": None, "delay": 0}
                (await http.post(f"{hosted.urls.control}/faults", json=switch)).raise_for_status()

    async def read(self, hosted: Hosted) -> None:
        async with aiohttp.ClientSession() as http:
            answer = await (await http.get(f"{hosted.urls.control}/faults")).json()
        self.count = answer["hits"][Fault.REPLY_LATE]


def asked(ran: Ran) -> set[str]:
    """The kinds of everything that was ever asked of the exchange, from its own log."""
    lines = (ran.folder / EXCHANGE_LOG).read_text(encoding="utf-8").splitlines()
    return {line["asked"]["type"] for line in map(json.loads, lines) if "asked" in line}


@pytest.mark.spec("S24.A1")
@pytest.mark.parametrize("redeems", [False, True])
def test_settling_a_winner_makes_no_call_to_the_chain(exchange_truth: Play, redeems: bool) -> None:
    """This wallet has a relayer. A winner settles without it; only redemption, where it is enabled, calls there."""
    calls = Calls()
    chosen = settings(enabled=redeems, every_seconds=10)
    ran = exchange_truth(chosen, 440, calls.read, beforehand=calls.watch, files=FILES[:1])
    (settled,) = ran.notes(nt.MarketSettled)
    assert settled.redeemable == usd(96)
    assert (calls.count > 0, ran.batches) == (redeems, int(redeems))
    assert asked(ran) & {"Redeem", "Merge"} == ({"Redeem"} if redeems else set())
    assert ran.sql("SELECT cash_micro FROM cash") == [(ran.cash,)]


@pytest.mark.spec("X17.A1")
def test_the_trader_redeems_what_it_won_and_sees_no_drift(exchange_truth: Play) -> None:
    ran = exchange_truth(settings(enabled=True, every_seconds=10), 800)
    settled = [note for note in ran.notes(nt.MarketSettled) if note.redeemable]
    paid = [note for note in ran.notes(nt.ClaimMoved) if note.stage is ClaimStage.PAID]
    assert [note.market for note in paid] == [note.market for note in settled] == [FIRST.id, SECOND.id]
    assert [note.paid for note in paid] == [note.redeemable for note in settled]
    assert ran.batches == 2
    assert ran.sql("SELECT cash_micro FROM cash") == [(ran.cash,)]
    assert ran.notes(nt.DriftFound) == []
    since = next(event.at for event, _ in ran.steps if isinstance(event, ClaimReported))
    with read_journal(ran.folder / "journal-0001.plj") as journal:
        heard = [record.event for record in journal if isinstance(record, Seen)]
    assert sum(isinstance(event, SnapshotTaken) and event.at > since for event in heard) > 5
    assert sum(isinstance(event, ClaimReported) for event in heard) == 6


@pytest.mark.spec("X17.A1")
def test_it_stays_within_its_budget(exchange_truth: Play) -> None:
    chosen = settings(enabled=True, every_seconds=10, max_batches_per_day=1)
    ran = exchange_truth(chosen, 760)
    assert len([note for note in ran.notes(nt.MarketSettled) if note.redeemable]) == 2
    assert ran.batches == 1
    assert ran.sql("SELECT market FROM redemptions") == [(FIRST.id,)]
    assert ran.sql("SELECT cash_micro FROM cash") == [(ran.cash,)]


def test_a_wallet_for_which_nobody_redeems_is_said_before_anything_is_traded(tmp_path: Path) -> None:
    with pytest.raises(CannotRedeem, match=r"redemption.enabled = true: nobody redeems for this wallet here"):
        play(tmp_path, settings(enabled=True), SignatureType.EOA, 5)


@pytest.mark.spec("X17.A1")
def test_the_command_redeems_for_a_run_that_is_stopped_and_only_once(exchange_truth: Play, tmp_path: Path) -> None:
    said: list[Any] = []

    async def afterwards(hosted: Hosted) -> None:
        line = tmp_path / "exchange.json"
        accounts = [
            {"address": one.address, "private_key": one.private_key, "wallet": one.wallet, "signature_type": 3}
            for one in hosted.accounts
        ]
        facts = {**msgspec.structs.asdict(hosted.urls), "mode": "recorded", "clock": hosted.clock, "accounts": accounts}
        line.write_bytes(msgspec.json.encode(facts))
        for more in (("--dry-run",), ("--budget", "0"), (), ()):
            command = ("redeem", "--out", tmp_path, "--exchange", line, "--json", *more)
            ran = await asyncio.to_thread(polystra, *command)
            said.append((ran.code, json.loads(ran.out)["claims"]))

    ran = exchange_truth(settings(), 420, afterwards)
    claim = {"window": FIRST.slug, "claim_usd": "96", "paid_usd": "0", "transaction": None}
    (dry, poor, paid, again) = said
    assert dry == (0, [{**claim, "stage": "waits", "why": ""}])
    assert poor == (1, [{**claim, "stage": "waits", "why": "the budget is used up"}])
    assert paid[0] == 0
    assert [(one["stage"], one["paid_usd"]) for one in paid[1]] == [("paid", "96")]
    assert paid[1][0]["transaction"]
    assert again == (0, [])
    assert ran.batches == 1
    assert ran.sql("SELECT cash_micro FROM cash") == [(ran.cash,)]
    assert ran.sql("SELECT market, amount_micro FROM redemptions") == [(FIRST.id, usd(96))]


def exchange_line(folder: Path, kind: SignatureType) -> Path:
    """The line of an exchange that nobody serves."""
    nowhere = dict.fromkeys(URLS, "http://127.0.0.1:9")
    secret = "0x" + "11" * 32
    own = SigningKey.from_hex(secret).address
    wallet = own if kind is SignatureType.EOA else "0x" + "22" * 20
    account = {"address": own, "private_key": secret, "wallet": wallet, "signature_type": int(kind)}
    line = folder / "nowhere.json"
    line.write_bytes(msgspec.json.encode({**nowhere, "mode": "wall", "accounts": [account]}))
    return line


def test_the_command_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    line = exchange_line(tmp_path, SignatureType.EOA)
    missing = polystra("redeem", "--out", tmp_path, "--exchange", line)
    assert (missing.code, "does not exist: name the folder of a run" in missing.error) == (2, True)
    with Trader(tmp_path, Settings(), seed=1, strategy=StandAside()):
        at_work = polystra("redeem", "--out", tmp_path, "--exchange", line)
    assert at_work.code == 2
    assert "a trader is at work there: stop it, or let it redeem by redemption.enabled = true" in at_work.error
    paid_in_gas = polystra("redeem", "--out", tmp_path, "--exchange", line)
    assert paid_in_gas.code == 2
    assert "signature type 0), which pays gas" in paid_in_gas.error
    nothing = polystra("redeem", "--out", tmp_path, "--exchange", exchange_line(tmp_path, SignatureType.POLY_1271))
    assert (nothing.code, nothing.out) == (0, "nothing to redeem\n")
