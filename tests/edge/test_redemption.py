"""What settled markets pay becomes cash once, whatever becomes of the relayer's answers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from polystra.core.claims import ClaimStage
from polystra.core.errors import NotSupported
from polystra.core.markets import Generation
from polystra.core.units import Instant, shares, usd
from polystra.edge.polymarket.addresses import address_of
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.redemption_calls import OnChain, redemption
from polystra.edge.polymarket.relayer import CannotRedeem, Relayer
from polystra.edge.polymarket.rest import open_rest
from polystra.edge.polymarket.wallet import SignatureType, Wallet, own_wallet
from polystra.edge.polymarket.wallet_batches import batch_digest
from polystra.edge.store.claims import ClaimStep
from polystra.exchange.faults import Fault
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.exchange_cases import CONDITION, Running, exchange
from tests.edge.redemption_cases import AT_ONCE, NEW, OLD, Purse, purse
from tests.edge.relayer_cases import KEY, SECRET, V2, V2_CONDITION, WALLET
from tests.edge.signing_cases import official

PAID = [("old", "wanted"), ("old", "sent"), ("old", "paid"), ("new", "wanted"), ("new", "sent"), ("new", "paid")]
STORY = "GET /relayer/v1/account/transactions/{id}"


@pytest.fixture
def running() -> Iterator[Running]:
    with exchange(stepped=True) as running:
        running.feed(V2)
        yield running


@pytest.fixture
def exchange_truth(running: Running, tmp_path: Path) -> Purse:
    """A purse whose cash and transactions are judged by what the exchange really has."""
    return purse(running, tmp_path / "ledger.sqlite")


@pytest.mark.spec("X17.A1")
def test_each_resolved_position_of_either_generation_is_paid_once_and_booked(exchange_truth: Purse) -> None:
    exchange_truth.resolve()
    assert exchange_truth.round() == [("paid", ""), ("paid", "")]
    assert exchange_truth.round() == []
    assert exchange_truth.steps == PAID
    assert exchange_truth.batches == 2
    assert exchange_truth.cash == exchange_truth.really == usd(100)
    assert [(one.stage, one.paid) for one in exchange_truth.told if one.paid] == [(ClaimStage.PAID, usd(10))] * 2


@pytest.mark.spec("X17.A1")
def test_no_more_transactions_than_the_budget_has(exchange_truth: Purse) -> None:
    exchange_truth.resolve()
    assert exchange_truth.round(most=0) == [(None, "the budget is used up")] * 2
    assert exchange_truth.batches == 0
    assert exchange_truth.round(most=1) == [("paid", ""), (None, "the budget is used up")]
    assert exchange_truth.batches == 1
    with exchange_truth.ledger() as ledger:
        assert ledger.transactions_tried(Instant(0)) == 1
    assert exchange_truth.cash == exchange_truth.really == usd(90)


@pytest.mark.spec("X17.A1")
@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.ERROR_AFTER])
def test_a_redemption_that_ran_without_an_answer_is_booked_and_not_sent_again(
    exchange_truth: Purse, fault: Fault
) -> None:
    exchange_truth.resolve()
    exchange_truth.fail(fault)
    (first, why), second = exchange_truth.round()
    assert (first, second[0]) == ("wanted", None)
    assert why.startswith("no answer, it may have run")
    assert exchange_truth.hits(fault) == 1
    assert exchange_truth.cash == usd(80)
    assert exchange_truth.round() == [("paid", "the shares are gone"), ("paid", "")]
    assert exchange_truth.batches == 2
    assert exchange_truth.cash == exchange_truth.really == usd(100)


@pytest.mark.spec("X17.A1")
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.ERROR_BEFORE])
def test_a_redemption_that_never_arrived_is_sent_again_only_when_it_can_run_no_more(
    exchange_truth: Purse, fault: Fault
) -> None:
    exchange_truth.resolve()
    exchange_truth.fail(fault)
    assert exchange_truth.round()[0][0] == "wanted"
    assert exchange_truth.hits(fault) == 1
    exchange_truth.pass_by(600)
    (stage, why), _ = exchange_truth.round(patience=AT_ONCE)
    assert stage == "wanted"
    assert why.endswith("the shares are there still, and it may run yet")
    assert exchange_truth.batches == 0
    exchange_truth.pass_by(61)
    assert exchange_truth.round()[0] == ("failed", "it did not run while it could")
    assert [stage for stage, _ in exchange_truth.round()] == ["paid"]
    assert exchange_truth.batches == 2
    assert exchange_truth.cash == exchange_truth.really == usd(100)


@pytest.mark.spec("X17.A1")
def test_a_refused_redemption_may_be_tried_again_at_once(exchange_truth: Purse) -> None:
    exchange_truth.resolve()
    exchange_truth.fail(Fault.ERROR_BEFORE, http=429)
    assert [stage for stage, _ in exchange_truth.round()] == ["failed", "paid"]
    assert exchange_truth.hits(Fault.ERROR_BEFORE) == 1
    assert [stage for stage, _ in exchange_truth.round()] == ["paid"]
    assert exchange_truth.batches == 2
    assert exchange_truth.cash == exchange_truth.really == usd(100)


@pytest.mark.spec("X17.A1")
def test_a_transaction_that_fails_on_the_chain_pays_nothing_and_is_tried_again(exchange_truth: Purse) -> None:
    """The ledger heard of the resolution before the chain has it."""
    exchange_truth.resolve(CONDITION)
    done = exchange_truth.round()
    assert [stage for stage, _ in done] == ["paid", "failed"]
    assert "is not resolved" in done[1][1]
    assert exchange_truth.cash == exchange_truth.really == usd(90)
    exchange_truth.resolve(V2_CONDITION)
    assert exchange_truth.round() == [("paid", "")]
    assert exchange_truth.cash == exchange_truth.really == usd(100)


@pytest.mark.spec("X17.A1")
def test_a_stuck_transaction_is_asked_after_by_its_number_in_the_next_life(exchange_truth: Purse) -> None:
    """No time passes at the exchange, so it stays new; nothing else is sent meanwhile."""
    exchange_truth.resolve()
    waits = (None, "another one is on its way: one after the other")
    for _ in range(3):
        assert exchange_truth.round(patience=AT_ONCE) == [("sent", "the relayer says STATE_NEW"), waits]
    assert exchange_truth.batches == 1
    exchange_truth.pass_by(10)
    assert exchange_truth.round() == [("paid", ""), ("paid", "")]
    assert exchange_truth.steps == PAID
    assert exchange_truth.cash == exchange_truth.really == usd(100)


@pytest.mark.spec("X17.A1")
def test_a_transaction_that_the_relayer_forgot_is_found_on_the_chain(exchange_truth: Purse) -> None:
    exchange_truth.resolve()
    exchange_truth.fail(Fault.ERROR_BEFORE, STORY, http=404)
    assert exchange_truth.round(most=1)[0] == ("paid", "the shares are gone")
    assert exchange_truth.hits(Fault.ERROR_BEFORE) == 1
    assert exchange_truth.batches == 1
    assert exchange_truth.cash == exchange_truth.really == usd(90)


@pytest.mark.spec("X17.A1")
def test_a_transaction_that_is_stuck_until_its_time_is_over_is_given_up_and_paid_by_another(
    exchange_truth: Purse,
) -> None:
    exchange_truth.resolve(CONDITION)
    exchange_truth.lie, exchange_truth.deaf = "STATE_NEW", True
    for _ in range(2):
        assert exchange_truth.round(most=1, patience=AT_ONCE)[0] == ("sent", "the relayer says STATE_NEW")
    exchange_truth.pass_by(661)
    assert exchange_truth.round(most=0)[0] == ("failed", "it did not run while it could")
    assert exchange_truth.batches == 0
    exchange_truth.lie = None
    assert exchange_truth.round(most=1)[0] == ("paid", "")
    assert exchange_truth.batches == 1
    assert exchange_truth.cash == exchange_truth.really == usd(90)


@pytest.mark.spec("X17.A1")
def test_one_that_the_relayer_gave_up_and_the_chain_ran_is_paid(exchange_truth: Purse) -> None:
    exchange_truth.resolve()
    exchange_truth.lie = "STATE_FAILED"
    assert exchange_truth.round() == [("paid", "the shares are gone")] * 2
    assert exchange_truth.batches == 2
    assert exchange_truth.cash == exchange_truth.really == usd(100)


@pytest.mark.spec("X17.A1")
def test_one_who_died_between_writing_and_sending_finds_out_before_anything_is_sent(exchange_truth: Purse) -> None:
    exchange_truth.resolve()
    with exchange_truth.ledger() as ledger:
        step = ClaimStep(at=exchange_truth.clock.now(), stage=ClaimStage.WANTED, pays=usd(10))
        ledger.step_claim(CONDITION, step)
        assert ledger.load(exchange_truth.clock.now()).redeeming == (CONDITION,)
    assert [stage for stage, _ in exchange_truth.round(patience=AT_ONCE)] == ["wanted", None]
    assert exchange_truth.batches == 0
    exchange_truth.pass_by(661)
    assert [stage for stage, _ in exchange_truth.round()] == ["failed", "paid"]
    assert [stage for stage, _ in exchange_truth.round()] == ["paid"]
    assert exchange_truth.cash == exchange_truth.really == usd(100)


def test_what_somebody_else_redeemed_is_not_invented_as_cash(exchange_truth: Purse) -> None:
    exchange_truth.resolve()
    exchange_truth.running.feed(sim.Redeem(account=Account(WALLET), market=CONDITION))
    nothing = (None, "the wallet holds nothing that pays: redeemed elsewhere?")
    assert exchange_truth.round() == [nothing, ("paid", "")]
    assert exchange_truth.cash == usd(90)


def test_a_node_that_does_not_answer_is_no_reason_to_send(exchange_truth: Purse) -> None:
    exchange_truth.resolve()
    exchange_truth.fail(Fault.ERROR_BEFORE, "POST /rpc", times=None)
    assert [stage for stage, _ in exchange_truth.round()] == [None, None]
    assert exchange_truth.hits(Fault.ERROR_BEFORE) == 2
    assert (exchange_truth.steps, exchange_truth.batches) == ([], 0)


# --- wallets, and the official client's opinion


@pytest.mark.parametrize("kind", [SignatureType.EOA, SignatureType.POLY_PROXY, SignatureType.GNOSIS_SAFE], ids=str)
def test_other_wallets_are_told_what_their_owner_can_do(kind: SignatureType) -> None:
    key = SigningKey(Random(3).randbytes(32))
    wallet = own_wallet(key) if kind is SignatureType.EOA else Wallet(key=key, kind=kind, funder=address_of(b"\1" * 20))

    async def made() -> None:
        async with open_rest() as rest:
            with pytest.raises(CannotRedeem, match=r"signature type \d.*: redeem at polymarket.com, or trade with"):
                Relayer(rest, wallet, relayer="http://127.0.0.1:9", rpc="http://127.0.0.1:9", api_key="any")

    asyncio.run(made())


def test_calls_and_signature_are_the_official_clients() -> None:
    calls = official("polymarket._internal.actions.relayer.calls")
    signing = official("polymarket._internal.actions.relayer.signing.deposit_wallet")
    config = official("polymarket._internal.environment").PRODUCTION_CONFIG
    held = OnChain(shares(10), shares(3))
    (ours,) = redemption(OLD, held)
    adapted = calls.ctf_redeem_positions_call(
        ctf=ours.target, collateral=config.collateral_token, condition_id=CONDITION
    )
    assert (str(adapted.to).lower(), adapted.data) == (ours.target.lower(), f"0x{ours.data.hex()}")
    routed = [
        calls.redeem_v2_call(
            router=config.protocol_v2_router, condition_id=V2_CONDITION[:64], outcome_index=side, amount=amount
        )
        for side, amount in enumerate((held.up, held.down))
    ]
    assert [f"0x{one.data.hex()}" for one in redemption(NEW, held)] == [one.data for one in routed]
    typed = signing.build_deposit_wallet_typed_data(wallet=WALLET, calls=routed, nonce="7", deadline="99", chain_id=137)
    account = official("eth_account").Account.from_key(SECRET)
    theirs = account.sign_message(official("eth_account.messages").encode_typed_data(full_message=typed)).signature
    assert KEY.sign(batch_digest(WALLET, redemption(NEW, held), nonce=7, deadline=99)) == bytes(theirs)


def test_a_market_of_unknown_contracts_is_left_alone() -> None:
    strange = replace(OLD, generation=Generation.UNKNOWN)
    with pytest.raises(NotSupported, match="no contract is known to redeem it"):
        redemption(strange, OnChain(shares(10), shares(0)))
