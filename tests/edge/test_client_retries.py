"""What is asked again, when, and what never is: with the fault at the exchange, and time that leaps."""

import pytest

from polystra.core.reasons import RefusalReason as Why
from polystra.core.units import Nanos, seconds
from polystra.edge.polymarket.outcomes import Accepted, Cancelled, NotSent, OutcomeUnknown, Refused
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.public import PublicReadings
from polystra.edge.polymarket.rest import Reply
from polystra.edge.polymarket.retries import WAITS, PatientRest, Retries, spread
from polystra.edge.polymarket.venue import Deadlines
from polystra.exchange.faults import Fault, Switch
from polystra.sim import messages as sim
from tests.edge.client_cases import LeapingTime, NotedRest, PatientVenue, Truth, exchange_truth
from tests.edge.exchange_cases import UP, Running, Trader, terms
from tests.edge.test_venue_orders import deaf_address
from tests.edge.venue_cases import Client, http

REASONS = {
    sim.Mode.DOWN: Why.RESTARTING,
    sim.Mode.CANCEL_ONLY: Why.CANCEL_ONLY_MODE,
    sim.Mode.POST_ONLY: Why.POST_ONLY_MODE,
    sim.Mode.DISABLED: Why.TRADING_DISABLED,
}


__all__ = ["exchange_truth"]

ORDER = "POST /order"
SHUT = "service not ready"


def near(waits: list[int], *lengths: float) -> bool:
    """Whether these are the waits, each within a fifth."""
    pairs = zip(waits, map(seconds, lengths), strict=True)
    return all(length * 8 // 10 <= wait <= length * 12 // 10 for wait, length in pairs)


# --- what may be asked again


@pytest.mark.spec("S12.A1")
def test_a_read_and_a_placement_that_met_a_busy_venue_are_repeated_after_1_and_2_seconds(
    running: Running, trader: Trader, ours: Client, exchange_truth: Truth
) -> None:
    running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where="GET /data/orders", http=503, times=2))
    reader = PatientVenue(ours.rest, trader)
    assert ours.run(reader.venue.open_orders()) == ()
    assert [what for what, _ in reader.asked] == ["GET /data/orders"] * 3
    assert near(reader.time.waits, 1, 2)

    running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where=ORDER, http=425, text=SHUT, times=2))
    placer, signed = PatientVenue(ours.rest, trader), trader.sign(terms())
    body = trader.body(terms(), signed)
    assert isinstance(ours.run(placer.venue.place(signed.id, body)), Accepted)
    assert placer.asked == [(ORDER, body)] * 3
    assert near(placer.time.waits, 1, 2)
    assert exchange_truth.resting(trader) == {signed.id}
    assert running.faults.hits[Fault.ERROR_BEFORE] == 4


@pytest.mark.spec("S12.A1")
@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.ERROR_AFTER])
@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("text", ["", "could not run the execution", "something else"])
def test_a_server_error_without_proving_words_is_unknown_and_never_sent_again(
    running: Running, trader: Trader, ours: Client, exchange_truth: Truth, fault: Fault, status: int, text: str
) -> None:
    running.faults.switch_on(Switch(fault=fault, where=ORDER, http=status, text=text))
    placer, signed = PatientVenue(ours.rest, trader), trader.sign(terms())
    assert isinstance(ours.run(placer.venue.place(signed.id, trader.body(terms(), signed))), OutcomeUnknown)
    assert (len(placer.asked), placer.time.waits) == (1, [])
    assert exchange_truth.resting(trader) == ({signed.id} if fault is Fault.ERROR_AFTER else set())


@pytest.mark.spec("S12.A2")
@pytest.mark.parametrize("words", ["", "not enough balance / allowance", "{allowance}"])
def test_a_want_of_balance_is_not_tried_again(
    running: Running, trader: Trader, ours: Client, exchange_truth: Truth, words: str
) -> None:
    text = words.replace("{allowance}", "not enough balance / allowance: the allowance is not enough -> allowance: 0")
    if text:
        running.faults.switch_on(Switch(fault=Fault.ORDER_REFUSED, where=ORDER, text=text))
    wanted = terms() if text else terms(size="3000")
    placer, signed = PatientVenue(ours.rest, trader), trader.sign(wanted)
    refused = ours.run(placer.venue.place(signed.id, trader.body(wanted, signed)))
    assert isinstance(refused, Refused)
    assert refused.reason is Why.NOT_ENOUGH_BALANCE
    assert (len(placer.asked), placer.time.waits) == (1, [])
    assert exchange_truth.resting(trader) == set()


@pytest.mark.spec("S12.A3")
@pytest.mark.parametrize(
    "switch",
    [
        pytest.param(Switch(fault=Fault.REPLY_LATE, where=ORDER, delay=seconds(30)), id="too late"),
        pytest.param(Switch(fault=Fault.REPLY_LOST, where=ORDER), id="lost"),
    ],
)
@pytest.mark.parametrize("at", ["0.45", "0.51"])
def test_a_timeout_after_acceptance_is_exactly_one_order(
    running: Running, trader: Trader, ours: Client, exchange_truth: Truth, switch: Switch, at: str
) -> None:
    running.faults.switch_on(switch)
    placer = PatientVenue(ours.rest, trader, deadlines=Deadlines(place=0.3))
    signed = trader.sign(terms(at=at))
    assert isinstance(ours.run(placer.venue.place(signed.id, trader.body(terms(at=at), signed))), OutcomeUnknown)
    assert (len(placer.asked), placer.time.waits) == (1, [])
    traded = {trade.taker.order for trade in exchange_truth.trades(trader)}
    assert len(exchange_truth.trades(trader)) == len(traded)
    assert exchange_truth.resting(trader) | traded == {signed.id}
    running.faults.switch_off()


@pytest.mark.parametrize("mode", [sim.Mode.DOWN, sim.Mode.CANCEL_ONLY, sim.Mode.POST_ONLY, sim.Mode.DISABLED])
def test_a_mode_that_lasts_ends_the_tries_after_7_seconds(
    running: Running, trader: Trader, ours: Client, mode: sim.Mode
) -> None:
    running.feed(sim.SetMode(mode=mode))
    placer, signed = PatientVenue(ours.rest, trader), trader.sign(terms())
    refused = ours.run(placer.venue.place(signed.id, trader.body(terms(), signed)))
    assert isinstance(refused, Refused)
    assert refused.reason is REASONS[mode]
    assert len(placer.asked) == 4
    assert near(placer.time.waits, 1, 2, 4)


def test_a_whole_batch_that_was_turned_away_is_sent_again_with_the_same_bytes(
    running: Running, trader: Trader, ours: Client, exchange_truth: Truth
) -> None:
    running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where="POST /orders", http=429, text="rate limited"))
    placer, signed = PatientVenue(ours.rest, trader), [trader.sign(terms()) for _ in range(2)]
    outcomes = ours.run(placer.venue.place_batch([(one.id, trader.body(terms(), one)) for one in signed]))
    assert [type(one) for one in outcomes] == [Accepted, Accepted]
    assert placer.asked[0] == placer.asked[1]
    assert len(placer.asked) == 2
    assert exchange_truth.resting(trader) == {one.id for one in signed}


def test_a_batch_of_which_one_order_was_taken_is_not_sent_again(
    running: Running, trader: Trader, ours: Client, exchange_truth: Truth
) -> None:
    running.faults.switch_on(Switch(fault=Fault.ORDER_REFUSED, where="POST /orders", text=SHUT))
    placer, signed = PatientVenue(ours.rest, trader), [trader.sign(terms()) for _ in range(2)]
    outcomes = ours.run(placer.venue.place_batch([(one.id, trader.body(terms(), one)) for one in signed]))
    assert sorted(type(one).__name__ for one in outcomes) == ["Accepted", "Refused"]
    assert len(placer.asked) == 1
    assert len(exchange_truth.resting(trader)) == 1


def test_an_order_that_found_no_connection_may_go_again(trader: Trader, ours: Client) -> None:
    placer = PatientVenue(ours.rest, trader, clob=ours.run(deaf_address()))
    signed = trader.sign(terms())
    assert isinstance(ours.run(placer.venue.place(signed.id, trader.body(terms(), signed))), NotSent)
    assert near(placer.time.waits, 1, 2, 4)


def test_a_cancel_is_repeated_until_it_is_heard(
    running: Running, trader: Trader, ours: Client, exchange_truth: Truth
) -> None:
    placer, signed = PatientVenue(ours.rest, trader), trader.sign(terms())
    ours.run(placer.venue.place(signed.id, trader.body(terms(), signed)))
    running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where="DELETE /orders", http=425, text=SHUT, times=3))
    assert ours.run(placer.venue.cancel([signed.id])) == (Cancelled(signed.id),)
    assert near(placer.time.waits, 1, 2, 4)
    assert exchange_truth.resting(trader) == set()


def test_a_public_read_is_repeated_and_a_wrong_question_is_not(running: Running, ours: Client) -> None:
    running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where="GET /ok", http=502, times=2))
    time, noted = LeapingTime(), NotedRest(ours.rest)
    public = PublicReadings(PatientRest(noted, Retries(time=time)), running.urls.clob)
    assert ours.run(public.ok()) is None
    assert near(time.waits, 1, 2)
    noted.asked.clear()
    assert isinstance(ours.run(public.book_time(type(UP)("1"))), ReadingFailed)
    assert len(noted.asked) == 1


# --- how long


def test_the_wait_that_the_venue_asks_for_is_kept(running: Running, trader: Trader, ours: Client) -> None:
    late = Switch(fault=Fault.ERROR_BEFORE, where=ORDER, http=429, text="rate limited", delay=seconds(9))
    running.faults.switch_on(late)
    placer, signed = PatientVenue(ours.rest, trader), trader.sign(terms())
    assert isinstance(ours.run(placer.venue.place(signed.id, trader.body(terms(), signed))), Accepted)
    assert placer.time.waits == [seconds(9)]


def test_a_wait_that_is_too_long_is_for_the_caller_to_decide(running: Running, trader: Trader, ours: Client) -> None:
    late = Switch(fault=Fault.ERROR_BEFORE, where=ORDER, http=503, text="post-only mode", delay=seconds(79))
    running.faults.switch_on(late)
    placer, signed = PatientVenue(ours.rest, trader), trader.sign(terms())
    assert isinstance(ours.run(placer.venue.place(signed.id, trader.body(terms(), signed))), Refused)
    assert (len(placer.asked), placer.time.waits) == (1, [])


@pytest.mark.parametrize(("told", "read"), [("7", 7), ("0", 0), ("soon", None), ("-1", None), ("9" * 30, None)])
def test_only_whole_seconds_are_a_wait(ours: Client, told: str, read: int | None) -> None:
    raw = http(429, "{}").replace(b"Connection:", f"Retry-After: {told}\r\nConnection:".encode())
    assert ours.run(ours.rest.ask("GET", ours.scripted(raw).url, deadline=2)) == Reply(429, b"{}", read)


def test_a_jitter_is_within_a_fifth_the_same_for_the_same_order_and_different_for_others() -> None:
    drawn = [[spread(wait, f"0x{n}".encode(), nth) for nth, wait in enumerate(WAITS)] for n in range(300)]
    assert drawn == [[spread(wait, f"0x{n}".encode(), nth) for nth, wait in enumerate(WAITS)] for n in range(300)]
    for nth, wait in enumerate(WAITS):
        found: list[Nanos] = [waits[nth] for waits in drawn]
        assert wait * 8 // 10 <= min(found) < wait * 82 // 100
        assert wait * 118 // 100 < max(found) <= wait * 12 // 10
