"""The trader merges pairs by itself while it trades, and the command does it for one that is stopped."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from polystra.app.exchange_host import Hosted
from polystra.app.session import Trader
from polystra.app.settings import Settings
from polystra.core import notes as nt
from polystra.core.claims import ClaimStage
from polystra.core.commands import PlaceOrder
from polystra.core.events import MergeReported, SnapshotTaken
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.strategy import ExitPolicy, StopPolicy
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import Shares, Usd, price, seconds, shares, show
from polystra.edge.polymarket.relayer import CannotRedeem
from polystra.edge.polymarket.wallet import SignatureType
from polystra.edge.store.journal import Seen, read_journal
from polystra.edge.store.queries import LedgerReader
from polystra.sim.records import Account
from tests.edge.cli_cases import polystra
from tests.edge.test_redemption_job import Ran, exchange_line, play
from tests.truth import Script, book, scripted, steady, tape_file, window, wish

WINDOW = window()
CALM = tape_file(WINDOW, steady(WINDOW, "0.50x500", "0.52x200"))
FALLING = tape_file(
    WINDOW,
    [
        *steady(WINDOW, "0.50x500", "0.52x200", end=40),
        *(book(WINDOW, second, "0.20x500", "0.22x200") for second in range(40, 300)),
    ],
)
STOP = StopPolicy(price=price("0.30"), distance=price("0.05"), min_age=seconds(5))
PAIRED = ExitPolicy(stop=STOP, pairs_need_no_stop=True)
TYPE = SignatureType.POLY_1271
LATE = 800
"""Seconds after which the window is resolved and settled."""


def both(exits: ExitPolicy | None = None) -> Script:
    return scripted({10: wish(Outcome.UP, "0.52"), 20: wish(Outcome.DOWN, "0.50")}, exits)


def settings(budget: int = 50, redeems: bool = False, **merging: object) -> Settings:
    return Settings.model_validate(
        {
            "stakes": {"bet_percent": 10},
            "limits": {"min_edge_usd": "-0.99", "max_spread": "0.99"},
            "engine": {"reading_every_seconds": 10},
            "redemption": {"enabled": redeems, "every_seconds": 10, "max_batches_per_day": budget},
            "merging": merging,
        }
    )


Play = Callable[..., Ran]


@pytest.fixture
def exchange_truth(tmp_path: Path) -> Play:
    """Plays one life at an exchange that is there still afterwards, to say what the wallet really has."""

    def played(chosen: Settings, until: float, afterwards: Any = None, **more: Any) -> Ran:
        return play(tmp_path, chosen, TYPE, until, afterwards, **more)

    return played


def agrees(ran: Ran, merged: Shares) -> None:
    """Fails unless the exchange really has the cash and the shares of the ledger, and reports add up to both."""
    truth = ran.standing.venue.current().truth().account(Account(ran.wallet.maker))
    assert ran.sql("SELECT cash_micro, merged_micro FROM cash") == [(truth.cash, merged)]
    with LedgerReader(ran.folder / "ledger.sqlite") as ledger:
        for one in ledger.positions():
            assert (one.merged, one.shares) == (merged, truth.of(WINDOW.token(one.outcome)))
        (line,) = ledger.windows()
        totals = ledger.totals()
    assert totals.merged == line.merged == Usd(merged)
    assert totals.cash == totals.deposited + line.cash + merged + totals.redeemed
    if line.settled_at is not None:
        assert line.pnl == totals.realised == totals.cash + totals.redeemable - totals.deposited


def pairs_bought(ran: Ran) -> Shares:
    (bought,) = ran.sql("SELECT MIN(bought_micro) FROM positions")[0]
    return Shares(bought)


@pytest.mark.spec("X17.A2")
def test_the_trader_merges_its_pairs_once_and_sees_no_drift(exchange_truth: Play) -> None:
    chosen = settings(enabled=True, every_seconds=10)
    ran = exchange_truth(chosen, LATE, strategy=both(), files=[CALM])
    moved = ran.notes(nt.MergeMoved)
    assert [note.stage for note in moved] == ["wanted", "sent", "paid"]
    assert {note.pairs for note in moved} == {pairs_bought(ran)}
    assert ran.batches == 1
    assert ran.notes(nt.DriftFound) == ran.notes(nt.AdjustmentBooked) == []
    since = next(event.at for event, _ in ran.steps if isinstance(event, MergeReported))
    with read_journal(ran.folder / "journal-0001.plj") as journal:
        heard = [record.event for record in journal if isinstance(record, Seen)]
    assert sum(isinstance(event, SnapshotTaken) and event.at > since for event in heard) > 5
    (settled,) = ran.notes(nt.MarketSettled)
    agrees(ran, pairs_bought(ran))
    assert ran.sql("SELECT pnl_micro FROM settlements") == [(settled.pnl,)]


@pytest.mark.spec("X17.A2")
@pytest.mark.parametrize("merges", [False, True])
def test_a_locked_pair_is_not_stopped(exchange_truth: Play, merges: bool) -> None:
    """Up falls from 0.52 to 0.20, far below the stop; of the pairs nothing is sold, merged or not."""
    chosen = settings(enabled=merges, every_seconds=10)
    ran = exchange_truth(chosen, 100, strategy=both(PAIRED), files=[FALLING])
    sold = sum(one for (one,) in ran.sql("SELECT sold_micro FROM positions WHERE outcome = 'UP'"))
    bought = dict(ran.sql("SELECT outcome, bought_micro FROM positions"))
    assert sold <= max(bought["UP"] - bought["DOWN"], 0)
    agrees(ran, pairs_bought(ran) if merges else Shares(0))


def test_the_same_holdings_without_that_switch_are_stopped(tmp_path: Path) -> None:
    ran = play(tmp_path, settings(), TYPE, 100, strategy=both(ExitPolicy(stop=STOP)), files=[FALLING])
    assert ran.sql("SELECT shares_micro < 10000 FROM positions WHERE outcome = 'UP'") == [(1,)]


@pytest.mark.spec("X17.A2")
def test_merges_and_redemptions_share_one_budget(exchange_truth: Play) -> None:
    chosen = settings(budget=1, redeems=True, enabled=True, every_seconds=10)
    up_more = scripted({10: wish(Outcome.UP, "0.52", conviction="0.1"), 20: wish(Outcome.DOWN, "0.50")})
    ran = exchange_truth(chosen, LATE, strategy=up_more, files=[CALM])
    assert ran.batches == 1
    assert ran.sql("SELECT redeemable_micro > 0 FROM settlements") == [(1,)]
    assert ran.sql("SELECT COUNT(*) FROM redemptions") == [(0,)]
    agrees(ran, pairs_bought(ran))


@pytest.mark.spec("X17.A2")
def test_what_a_budget_of_none_left_over_is_redeemed(exchange_truth: Play) -> None:
    """Without a transaction left pairs stay, and resolve; the next life redeems them, and merges nothing."""
    poor = settings(budget=0, enabled=True, every_seconds=10)
    rich = settings(budget=5, redeems=True, enabled=True, every_seconds=10)
    ran = exchange_truth(poor, LATE, strategy=both(), files=[CALM], later=[(rich, LATE + 200)])
    assert ran.notes(nt.MergeMoved) == []
    assert ran.batches == 1
    ((market, paid),) = ran.sql("SELECT market, amount_micro FROM redemptions")
    (settled,) = ran.notes(nt.MarketSettled)
    assert (market, paid) == (WINDOW.id, settled.redeemable)
    assert ran.sql("SELECT cash_micro, merged_micro FROM cash") == [(ran.cash, 0)]
    assert ran.notes(nt.DriftFound) == []


@pytest.mark.spec("X17.A2")
def test_pairs_on_sale_are_left_alone(exchange_truth: Play) -> None:
    chosen = settings(enabled=True, every_seconds=10)
    ran = exchange_truth(chosen, 120, strategy=both(ExitPolicy(target=price("0.99"))), files=[CALM])
    assert {sell.terms.outcome for sell in _sells(ran)} == set(Outcome)
    assert (ran.batches, ran.notes(nt.MergeMoved)) == (0, [])
    agrees(ran, Shares(0))


@pytest.mark.spec("X17.A2")
def test_pairs_that_are_merged_have_no_target(exchange_truth: Play) -> None:
    """With the exits of the settings, whose target is there by default."""
    chosen = settings(enabled=True, every_seconds=10)
    ran = exchange_truth(chosen, 120, strategy=both(replace(chosen.exit_policy, stop=None)), files=[CALM])
    assert ran.batches == 1
    assert [note.stage for note in ran.notes(nt.MergeMoved)][-1] is ClaimStage.PAID
    assert not [sell for sell in _sells(ran) if sell.terms.shares > shares(2)], "the rest alone is offered"
    agrees(ran, shares("94.84"))


def _sells(ran: Ran) -> list[Any]:
    placed = [one for _, step in ran.steps for one in step.commands if isinstance(one, PlaceOrder)]
    return [one for one in placed if one.terms.side is Side.SELL and one.terms.purpose is Purpose.TARGET]


def test_a_wallet_for_which_nobody_merges_is_said_before_anything_is_traded(tmp_path: Path) -> None:
    with pytest.raises(CannotRedeem, match=r"merging.enabled = true: nobody redeems for this wallet here"):
        play(tmp_path, settings(enabled=True), SignatureType.EOA, 5)


@pytest.mark.spec("X17.A2")
def test_the_command_merges_for_a_run_that_is_stopped_and_only_once(exchange_truth: Play, tmp_path: Path) -> None:
    said: list[Any] = []

    async def afterwards(hosted: Hosted) -> None:
        line = tmp_path / "exchange.json"
        accounts = [
            {"address": one.address, "private_key": one.private_key, "wallet": one.wallet, "signature_type": 3}
            for one in hosted.accounts
        ]
        facts = {**msgspec.structs.asdict(hosted.urls), "mode": "recorded", "clock": hosted.clock, "accounts": accounts}
        line.write_bytes(msgspec.json.encode(facts))
        command = ("merge", "--out", tmp_path, "--exchange", line, "--json")
        for more in (("--dry-run",), ("--budget", "0"), ("--market", "other"), ("--market", WINDOW.slug), ()):
            ran = await asyncio.to_thread(polystra, *command, *more)
            said.append((ran.code, json.loads(ran.out)["merges"]))

    ran = exchange_truth(settings(), 120, afterwards, strategy=both(), files=[CALM])
    pairs = pairs_bought(ran)
    waits = {"window": WINDOW.slug, "pairs": show(pairs), "stage": "waits", "paid_usd": "0", "transaction": None}
    dry, poor, other, paid, again = said
    assert dry == (0, [{**waits, "why": ""}])
    assert poor == (1, [{**waits, "why": "the budget is used up"}])
    assert other == again == (0, [])
    assert (paid[0], [(one["stage"], one["paid_usd"]) for one in paid[1]]) == (0, [("paid", show(pairs))])
    assert paid[1][0]["transaction"]
    assert ran.batches == 1
    agrees(ran, pairs)


def test_the_command_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    line = exchange_line(tmp_path, SignatureType.EOA)
    missing = polystra("merge", "--out", tmp_path, "--exchange", line)
    assert (missing.code, "does not exist: name the folder of a run" in missing.error) == (2, True)
    with Trader(tmp_path, Settings(), seed=1, strategy=StandAside()):
        at_work = polystra("merge", "--out", tmp_path, "--exchange", line)
    assert at_work.code == 2
    assert "a trader is at work there: stop it, or let it merge by merging.enabled = true" in at_work.error
    nothing = polystra("merge", "--out", tmp_path, "--exchange", exchange_line(tmp_path, TYPE))
    assert (nothing.code, nothing.out) == (0, "nothing to merge\n")
