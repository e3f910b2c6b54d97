"""Pairs become cash once, whatever becomes of the relayer's answers and of the process that asks it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from polystra.core.claims import ClaimStage
from polystra.core.errors import NotSupported
from polystra.core.ids import MergeId
from polystra.core.markets import Generation
from polystra.core.terms import Outcome
from polystra.core.units import Instant, shares, usd
from polystra.edge.polymarket.redemption_calls import merger
from polystra.edge.store.merges import Merge
from polystra.exchange.faults import Fault
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.exchange_cases import CONDITION, DOWN, UP, Running, exchange
from tests.edge.merging_cases import NEW, OLD, Died, PairPurse, pair_purse
from tests.edge.redemption_cases import AT_ONCE
from tests.edge.relayer_cases import V2, V2_CONDITION, WALLET
from tests.edge.signing_cases import official
from tests.edge.test_exchange_relayer import held

PAID = [("new", "wanted"), ("new", "sent"), ("new", "paid"), ("old", "wanted"), ("old", "sent"), ("old", "paid")]
BUSY = (None, "another transaction is on its way: one after the other")
LEFT = usd(80)


@pytest.fixture
def running() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        running.feed(V2)
        yield running


@pytest.fixture
def exchange_truth(running: Running, tmp_path: Path) -> PairPurse:
    """A purse whose cash, shares and transactions are judged by what the exchange really has."""
    return pair_purse(running, tmp_path / "ledger.sqlite")


def is_all_cash(purse: PairPurse, *, batches: int = 2) -> bool:
    """Whether ledger and exchange have all 100 USD, no pair is left, and no more was sent."""
    return (purse.cash, purse.really, purse.left, purse.batches) == (usd(100), usd(100), [0] * 4, batches)


@pytest.mark.spec("X17.A2")
def test_pairs_of_either_generation_become_cash_once_and_are_booked(exchange_truth: PairPurse) -> None:
    assert exchange_truth.merge() == [("paid", ""), ("paid", "")]
    assert exchange_truth.merge() == []
    assert exchange_truth.steps == PAID
    assert is_all_cash(exchange_truth)


@pytest.mark.spec("X17.A2")
def test_no_more_transactions_than_the_budget_has(exchange_truth: PairPurse) -> None:
    assert exchange_truth.merge(most=0) == [(None, "the budget is used up")] * 2
    assert exchange_truth.batches == 0
    assert exchange_truth.merge(most=1) == [("paid", ""), (None, "the budget is used up")]
    with exchange_truth.ledger() as ledger:
        assert ledger.transactions_tried(Instant(0)) == 1
    assert exchange_truth.cash == exchange_truth.really == usd(90)


def test_one_window_alone_and_none_with_too_few_pairs(exchange_truth: PairPurse) -> None:
    assert exchange_truth.merge(least="10.000001") == []
    assert exchange_truth.merge(only="no-such-window") == []
    assert exchange_truth.merge(only=NEW.slug) == [("paid", "")]
    assert exchange_truth.cash == exchange_truth.really == usd(90)


@pytest.mark.spec("X17.A2")
@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.ERROR_AFTER])
def test_a_merge_that_ran_without_an_answer_is_booked_and_not_sent_again(
    exchange_truth: PairPurse, fault: Fault
) -> None:
    exchange_truth.fail(fault)
    (first, why), second = exchange_truth.merge()
    assert (first, second) == ("wanted", BUSY)
    assert exchange_truth.hits(fault) == 1
    assert why.startswith("no answer, it may have run")
    assert exchange_truth.cash == LEFT
    assert exchange_truth.merge() == [("paid", "the shares are gone"), ("paid", "")]
    assert is_all_cash(exchange_truth)


@pytest.mark.spec("X17.A2")
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.ERROR_BEFORE])
def test_a_merge_that_never_arrived_is_sent_again_only_when_it_can_run_no_more(
    exchange_truth: PairPurse, fault: Fault
) -> None:
    exchange_truth.fail(fault)
    assert exchange_truth.merge()[0][0] == "wanted"
    assert exchange_truth.hits(fault) == 1
    exchange_truth.pass_by(600)
    (stage, why), _ = exchange_truth.merge(patience=AT_ONCE)
    assert stage == "wanted"
    assert why.endswith("the shares are there still, and it may run yet")
    assert exchange_truth.batches == 0
    exchange_truth.pass_by(61)
    assert exchange_truth.merge() == [("failed", "it did not run while it could"), ("paid", ""), ("paid", "")]
    assert is_all_cash(exchange_truth)


@pytest.mark.spec("X17.A2")
def test_a_refused_merge_may_be_tried_again_at_once(exchange_truth: PairPurse) -> None:
    exchange_truth.fail(Fault.ERROR_BEFORE, http=429)
    assert [stage for stage, _ in exchange_truth.merge()] == ["failed", "paid"]
    assert exchange_truth.hits(Fault.ERROR_BEFORE) == 1
    assert [stage for stage, _ in exchange_truth.merge()] == ["paid"]
    assert is_all_cash(exchange_truth)


@pytest.mark.spec("X17.A2")
def test_a_transaction_that_fails_pays_nothing_and_is_tried_again(exchange_truth: PairPurse) -> None:
    exchange_truth.lie, exchange_truth.deaf = "STATE_FAILED", True
    assert exchange_truth.merge() == [("failed", "given up")] * 2
    assert (exchange_truth.cash, exchange_truth.batches) == (LEFT, 0)
    exchange_truth.lie = None
    assert exchange_truth.merge() == [("paid", "")] * 2
    assert is_all_cash(exchange_truth)


@pytest.mark.spec("X17.A2")
def test_one_that_the_relayer_gave_up_and_the_chain_ran_is_paid(exchange_truth: PairPurse) -> None:
    exchange_truth.lie = "STATE_FAILED"
    assert exchange_truth.merge() == [("paid", "the shares are gone")] * 2
    assert is_all_cash(exchange_truth)


@pytest.mark.spec("X17.A2")
def test_a_stuck_transaction_is_asked_after_by_its_number_in_the_next_life(exchange_truth: PairPurse) -> None:
    for _ in range(3):
        assert exchange_truth.merge(patience=AT_ONCE) == [("sent", "the relayer says STATE_NEW"), BUSY]
    assert exchange_truth.batches == 1
    exchange_truth.pass_by(10)
    assert exchange_truth.merge() == [("paid", ""), ("paid", "")]
    assert exchange_truth.steps == PAID
    assert is_all_cash(exchange_truth)


@pytest.mark.spec("X17.A2")
def test_one_that_is_stuck_until_its_time_is_over_is_given_up_and_sent_again(exchange_truth: PairPurse) -> None:
    exchange_truth.lie, exchange_truth.deaf = "STATE_NEW", True
    assert exchange_truth.merge(most=1, patience=AT_ONCE)[0] == ("sent", "the relayer says STATE_NEW")
    exchange_truth.pass_by(661)
    assert exchange_truth.merge(most=0)[0] == ("failed", "it did not run while it could")
    assert exchange_truth.batches == 0
    exchange_truth.lie = None
    assert exchange_truth.merge() == [("paid", "")] * 2
    assert is_all_cash(exchange_truth)


@pytest.mark.spec("X17.A2")
@pytest.mark.parametrize(("stage", "found"), [("wanted", "failed"), ("sent", "paid"), ("paid", None)])
def test_one_killed_after_any_step_finds_out_what_became_of_it(
    exchange_truth: PairPurse, stage: str, found: str | None
) -> None:
    """The process ends when a step is written down and nobody has heard of it."""
    exchange_truth.dies_at = ClaimStage(stage)
    with pytest.raises(Died):
        exchange_truth.merge()
    exchange_truth.dies_at = None
    with exchange_truth.ledger() as ledger:
        (known,) = ledger.load(exchange_truth.clock.now()).merges
        assert known.open is (stage != "paid")
    exchange_truth.pass_by(661)
    stages = [one for one, _ in exchange_truth.merge()]
    assert stages == {"failed": ["failed", "paid", "paid"], "paid": ["paid", "paid"], None: ["paid"]}[found]
    assert is_all_cash(exchange_truth)


# --- what is not merged


def test_what_is_on_sale_is_left_alone(exchange_truth: PairPurse) -> None:
    exchange_truth.on_sale(OLD, Outcome.DOWN, "9.5")
    assert exchange_truth.merge() == [("paid", "")]
    assert exchange_truth.steps == PAID[:3]
    assert exchange_truth.merge(least="0.5") == [("paid", "")]
    assert exchange_truth.cash == exchange_truth.really == usd("90.5")


def test_pairs_that_the_chain_does_not_have_are_no_reason_to_send(exchange_truth: PairPurse) -> None:
    exchange_truth.running.feed(sim.Merge(account=Account(WALLET), market=CONDITION, shares=shares(4)))
    nothing = (None, "the chain has 6 pairs: not what our books say")
    assert exchange_truth.merge() == [("paid", ""), nothing]
    assert exchange_truth.batches == 1


def test_a_node_that_does_not_answer_is_no_reason_to_send(exchange_truth: PairPurse) -> None:
    exchange_truth.fail(Fault.ERROR_BEFORE, "POST /rpc", times=None)
    assert [stage for stage, _ in exchange_truth.merge()] == [None, None]
    assert exchange_truth.hits(Fault.ERROR_BEFORE) == 2
    assert (exchange_truth.steps, exchange_truth.batches) == ([], 0)


def test_a_relayer_without_a_nonce_is_not_asked(exchange_truth: PairPurse) -> None:
    where = "GET /relayer/v1/account/transactions/params"
    exchange_truth.fail(Fault.ERROR_BEFORE, where, times=None)
    assert [stage for stage, _ in exchange_truth.merge()] == [None, None]
    assert exchange_truth.hits(Fault.ERROR_BEFORE) == 2
    assert (exchange_truth.steps, exchange_truth.batches) == ([], 0)


# --- pairs of the person whose wallet it is


def is_left_to_the_person(purse: PairPurse) -> bool:
    """Whether our ten pairs of the window are cash, once, and the other hand's ten are there still."""
    cash, owned = held(purse.running, WALLET)
    return (purse.cash, cash, purse.batches) == (usd(80), usd(80), 1) and owned[UP] == owned[DOWN] == shares(10)


@pytest.mark.spec("X17.A2")
@pytest.mark.parametrize("wait", [0, 700])
@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.ERROR_AFTER])
def test_a_merge_that_ran_unheard_leaves_the_persons_own_pairs_alone(
    exchange_truth: PairPurse, fault: Fault, wait: int
) -> None:
    """As many pairs as ours are left alone in the same wallet: that they are there does not say that ours are."""
    exchange_truth.bought_by_hand(OLD, "10")
    exchange_truth.fail(fault)
    ((stage, _),) = exchange_truth.merge(only=OLD.slug)
    assert stage == "wanted"
    exchange_truth.pass_by(wait)
    assert exchange_truth.merge(only=OLD.slug) == [("paid", "the shares are gone")]
    assert exchange_truth.merge(only=OLD.slug) == []
    assert exchange_truth.steps == [("old", "wanted"), ("old", "paid")]
    assert is_left_to_the_person(exchange_truth)


@pytest.mark.spec("X17.A2")
def test_a_merge_that_never_arrived_beside_the_persons_pairs_is_sent_again(exchange_truth: PairPurse) -> None:
    exchange_truth.bought_by_hand(OLD, "10")
    exchange_truth.fail(Fault.RESET)
    exchange_truth.merge(only=OLD.slug)
    exchange_truth.pass_by(661)
    assert exchange_truth.merge(only=OLD.slug) == [("failed", "it did not run while it could"), ("paid", "")]
    assert is_left_to_the_person(exchange_truth)


@pytest.mark.parametrize(("gone", "ours"), [("4", "6"), ("15", "0")])
def test_the_persons_pairs_do_not_stand_in_for_ours(exchange_truth: PairPurse, gone: str, ours: str) -> None:
    exchange_truth.bought_by_hand(OLD, "10")
    exchange_truth.running.feed(sim.Merge(account=Account(WALLET), market=CONDITION, shares=shares(gone)))
    nothing = (None, f"the chain has {ours} pairs: not what our books say")
    assert exchange_truth.merge(only=OLD.slug) == [nothing]
    assert exchange_truth.batches == 0


# --- a window that resolves meanwhile


@pytest.mark.spec("X17.A2")
def test_a_window_that_settled_is_redeemed_and_not_merged_too(exchange_truth: PairPurse) -> None:
    exchange_truth.resolve(CONDITION)
    exchange_truth.settle(OLD)
    assert exchange_truth.merge() == [("paid", "")]
    assert exchange_truth.redeem() == [("paid", "")]
    assert exchange_truth.steps == PAID[:3]
    assert (exchange_truth.cash, exchange_truth.really, exchange_truth.batches) == (usd(100), usd(100), 2)


def test_a_merge_that_was_never_asked_for_ends_when_its_window_has_settled(exchange_truth: PairPurse) -> None:
    wanted = Merge(id=MergeId(1), market=OLD, pairs=shares(10), at=exchange_truth.clock.now(), stage=ClaimStage.WANTED)
    exchange_truth.resolve(CONDITION)
    exchange_truth.settle(OLD)
    with exchange_truth.ledger() as ledger:
        ledger.step_merge(wanted)
    assert exchange_truth.redeem() == [(None, "a merge is on its way: one after the other")]
    assert exchange_truth.merge(most=0)[0] == ("failed", "the window settled before it was asked")
    assert exchange_truth.redeem() == [("paid", "")]
    assert exchange_truth.cash == exchange_truth.really == usd(90)


def test_a_merge_waits_while_a_redemption_is_on_its_way(exchange_truth: PairPurse) -> None:
    exchange_truth.resolve(CONDITION)
    exchange_truth.settle(OLD)
    exchange_truth.fail(Fault.RESET)
    assert exchange_truth.redeem()[0][0] == "wanted"
    assert exchange_truth.merge() == [BUSY]
    assert exchange_truth.batches == 0


# --- calls, and the official client's opinion


def test_calls_are_the_official_clients() -> None:
    calls = official("polymarket._internal.actions.relayer.calls")
    config = official("polymarket._internal.environment").PRODUCTION_CONFIG
    (ours,) = merger(OLD, shares(3))
    theirs = calls.ctf_merge_positions_call(
        target=ours.target, collateral=config.collateral_token, condition_id=CONDITION, amount=shares(3)
    )
    assert (str(theirs.to).lower(), theirs.data) == (ours.target.lower(), f"0x{ours.data.hex()}")
    (ours,) = merger(NEW, shares(3))
    theirs = calls.merge_v2_call(router=config.protocol_v2_router, condition_id=V2_CONDITION[:64], amount=shares(3))
    assert theirs.data == f"0x{ours.data.hex()}"


def test_a_market_of_unknown_contracts_is_left_alone() -> None:
    with pytest.raises(NotSupported, match="no contract is known to merge its pairs"):
        merger(replace(OLD, generation=Generation.UNKNOWN), shares(1))
