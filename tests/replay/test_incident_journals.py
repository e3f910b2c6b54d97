"""What must hold in each incident that is kept as a journal, by the steps that today's engine makes of it.

That the journals themselves are unchanged is the concern of `test_golden_journals`. Here each is read as the incident
report that it is: what went wrong, told by its events, and what the trader may have done about it.
"""

import itertools

import pytest

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.reasons import RefusalReason
from polystra.core.terms import Purpose, Side, TradeStage
from polystra.core.units import Instant, Nanos, price, seconds, shares, usd
from tests.replay.incidents import INCIDENTS, LONG
from tests.replay.recipes import HERE
from tests.replay.retold import Retold
from tests.truth import after

SWAPS = ("two_exits", "uncovered_scale_in", "exit_refused_twice", "exit_filled_in_swap")
END = after(300)


def retold(name: str) -> Retold:
    return Retold(HERE / f"{name}.plj")


def on_sale(story: Retold, size: str, until: Instant = END) -> Instant:
    """When one sell of this size was on sale for the first time; fails unless it then was until the end."""
    moments = story.once(lambda moment: moment.on_sale == (shares(size),), until)
    assert {moment.on_sale for moment in moments} == {(shares(size),)}
    return moments[0].at


def agrees(story: Retold) -> bool:
    """Whether ledger and venue were the same all the while, and nobody was called."""
    return not any(story.notes(kind) for kind in (nt.AdjustmentBooked, nt.DriftFound, nt.MarketHalted))


# --- every incident


@pytest.mark.parametrize("name", INCIDENTS)
def test_never_are_two_sells_live_nor_more_on_sale_than_is_settled(name: str) -> None:
    """A sell counts until the venue said that it is gone, whatever we asked for."""
    story = retold(name)
    assert max(len(moment.on_sale) for moment in story.moments) <= 1
    assert all(sum(moment.on_sale) <= moment.settled for moment in story.moments)


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_is_met_with_few_orders_and_few_lines(name: str) -> None:
    """A reason is not said twice in a row of the same shares, unless a cancel failed anew."""
    story = retold(name)
    assert len(story.commands(cm.PlaceOrder)) <= 7
    lines = [note for _, note in story.notes(nt.ExitUncovered)]
    assert len(lines) <= 9
    said = [(line.why, line.left, line.shares) for line in lines]
    again = [line for line, one, other in zip(lines, said, said[1:], strict=False) if one == other]
    assert {line.why for line in again} <= {"cancel unresolved"}


@pytest.mark.parametrize("name", SWAPS)
def test_the_scale_in_is_bought_once_and_the_old_exit_stays_until_it_is_settled(name: str) -> None:
    story = retold(name)
    added = [at for at, one in story.commands(cm.PlaceOrder) if one.terms.purpose is Purpose.SCALE_IN]
    assert len(added) == 1
    shown = story.first(lambda moment: moment.wallet == shares(50))
    assert {moment.on_sale for moment in story.between(added[0], shown)} == {(shares(20),)}
    assert [at for at, _ in story.commands(cm.CancelOrder) if at < shown] == []


# --- an exit that is to follow a scale-in


def test_two_exits_are_never_placed_while_a_cancel_is_unanswered() -> None:
    """Twice the cancel of the old exit got lost on its way, and nobody answered: it still rested each time."""
    story = retold("two_exits")
    lost = story.happened(ev.CancelOutcomeUnknown)
    assert len(lost) == 2
    gone = next(event.at for event in story.happened(ev.OrderCancelled) if event.order == lost[0].order)
    sells = story.sells()
    assert [terms.shares for _, terms in sells] == [shares(20), shares(50)]
    assert sells[1][0] == gone
    cancels = [at for at, one in story.commands(cm.CancelOrder) if one.order == lost[0].order]
    waits = [later - sooner for sooner, later in itertools.pairwise(cancels)]
    assert len(cancels) == 3
    assert all(wait >= seconds(2) for wait in waits), "looked up first, and tried again a second later at the soonest"
    unresolved = [note for _, note in story.notes(nt.ExitUncovered) if note.why == "cancel unresolved"]
    assert [note.shares for note in unresolved] == [shares(50)] * 2, "uncovered meanwhile, and said"
    assert on_sale(story, "50") == gone


def test_an_exit_covers_what_a_scale_in_added_within_two_seconds_of_its_settling() -> None:
    """The wallet showed the 30 five seconds after they were mined; 20 and 30 are one holding."""
    story = retold("uncovered_scale_in")
    mined = story.first(lambda moment: moment.settled == shares(50))
    shown = story.first(lambda moment: moment.wallet == shares(50))
    assert shown - mined >= seconds(5)
    assert on_sale(story, "50") - shown <= seconds(2)
    assert len(story.commands(cm.CancelOrder)) == 2, "the old exit, and the new one when the market was resolved"
    assert agrees(story)


def test_an_exit_that_is_refused_twice_is_placed_the_third_time_and_said_to_be_missing() -> None:
    """The old exit is gone when its replacement is refused."""
    story = retold("exit_refused_twice")
    refused = story.happened(ev.OrderRefused)
    assert [event.reason for event in refused] == [RefusalReason.WOULD_CROSS] * 2
    tries = [at for at, terms in story.sells() if terms.shares == shares(50)]
    assert len(tries) == 3
    assert [tries[1] - refused[0].at, tries[2] - refused[1].at] == [seconds(1), seconds(2)]
    assert [note.left for _, note in story.notes(nt.ExitUncovered)[-2:]] == [seconds(1), seconds(2)]
    assert story.between(tries[2], END)[-1].on_sale == (shares(50),)


def test_an_exit_that_filled_while_it_was_cancelled_leaves_the_rest_its_own() -> None:
    """The venue said cancelled; two seconds later that the 20 had been sold before. Until then 50 were offered in vain:
    the balance was too small."""
    story = retold("exit_filled_in_swap")
    sold = story.first(lambda moment: moment.held == shares(30))
    cancelled = next(event for event in story.happened(ev.OrderCancelled))
    assert sold - cancelled.at >= seconds(2), "the fill came after the cancel's answer"
    refused = story.happened(ev.OrderRefused)
    assert {event.reason for event in refused} == {RefusalReason.NOT_ENOUGH_BALANCE}
    assert len(refused) <= 3
    assert [terms.shares for at, terms in story.sells() if at >= sold] == [shares(30)]
    assert on_sale(story, "30") - sold <= seconds(1)
    ((_, settled),) = story.notes(nt.MarketSettled)
    assert settled.up_shares == shares(30)
    assert story.notes(nt.AdjustmentBooked) == []


def test_an_exit_that_filled_while_it_was_cancelled_leaves_too_little_for_another_and_that_is_said() -> None:
    """Only 4 had been added: less than the venue's least size of 5."""
    story = retold("too_little_left")
    sold = story.first(lambda moment: moment.held == shares(4))
    assert [terms.shares for at, terms in story.sells() if at < sold][:2] == [shares(20), shares(24)]
    assert [terms for at, terms in story.sells() if at >= sold] == []
    flagged = [note for at, note in story.notes(nt.ExitUncovered) if at >= sold]
    assert [(note.shares, note.why) for note in flagged] == [(shares(4), "below the venue's least size")]
    ((_, settled),) = story.notes(nt.MarketSettled)
    assert settled.up_shares == shares(4)
    assert agrees(story)


# --- an order that cannot be cancelled


def test_an_unfilled_order_is_not_cancelled_again_and_again() -> None:
    """A scale-in rests unfilled and is given up; the venue will not cancel it for the rest of the window."""
    story = retold("cancel_spam")
    ((since, given),) = story.notes(nt.EntryGivenUp)
    cancels = [at for at, one in story.commands(cm.CancelOrder) if one.order == given.order]
    refused = [event.at for event in story.happened(ev.CancelRefused) if event.order == given.order]
    assert len(cancels) == len(refused) == 7, "four tries, and then one a minute"
    assert len([at for at in cancels if at < since + seconds(60)]) == 4
    least = [Nanos(seconds(rest)) for rest in (1, 2, 4, 60, 60, 60)]
    waits = [later - sooner for sooner, later in zip(refused, cancels[1:], strict=False)]
    assert all(wait >= rest for wait, rest in zip(waits, least, strict=True))
    asked = [at for at, one in story.commands(cm.QueryOrder) if one.order == given.order]
    assert len(asked) == 7, "looked up once after each: it still rests"


def test_an_order_that_cannot_be_cancelled_is_not_replaced_and_goes_with_its_market() -> None:
    story = retold("cancel_spam")
    ((_, given),) = story.notes(nt.EntryGivenUp)
    buys = [one for _, one in story.commands(cm.PlaceOrder) if one.terms.side is Side.BUY]
    assert [one.terms.purpose for one in buys] == [Purpose.ENTRY, Purpose.SCALE_IN]
    assert [at for at, _ in story.commands(cm.CancelMarket)] == [END]
    gone = next(event.at for event in story.happened(ev.OrderCancelled) if event.order == given.order)
    assert END < gone < END + seconds(1)
    assert on_sale(story, "20") < after(60), "the position's own exit is not touched"


# --- a wallet that shows less than was bought, or nothing


def test_five_minutes_without_a_balance_are_one_line_and_no_order() -> None:
    """The trade was matched and not mined for five minutes: the wallet showed nothing at all."""
    story = retold("zero_balance")
    bought = story.first(lambda moment: moment.held == shares(20))
    mined = story.first(lambda moment: moment.settled == shares(20))
    assert mined - bought >= seconds(300)
    meanwhile = story.between(bought, mined)
    assert {(moment.wallet, moment.on_sale) for moment in meanwhile} == {(0, ())}
    read = [event.at for event in story.happened(ev.SnapshotTaken) if bought < event.at < mined]
    assert len(read) == 5, "read once a minute, no more"
    assert [note.why for _, note in story.notes(nt.ExitUncovered)] == ["settling"]
    assert [at for at, _ in story.commands(cm.PlaceOrder) if bought < at < mined] == []
    assert agrees(story)
    assert story.notes(nt.MarketSettled)[0][0] > LONG.end, "not closed as unfilled"
    shown = story.first(lambda moment: moment.wallet == shares(20))
    assert on_sale(story, "20", LONG.end) - shown <= seconds(2)


def test_a_wallet_below_the_ledger_has_an_exit_for_what_is_there_at_once() -> None:
    """A fee in shares that was larger than the market's schedule said: 5.870407 of 5.908204 arrived."""
    story = retold("wallet_below_ledger")
    shown = story.first(lambda moment: moment.wallet == shares("5.870407"))
    assert on_sale(story, "5.87") == shown
    assert len(story.sells()) == 1
    ((booked, adjusted),) = story.notes(nt.AdjustmentBooked)
    assert (adjusted.before, adjusted.after) == (shares("5.908204"), shares("5.870407"))
    assert booked - shown >= seconds(30), "only on two readings so far apart"
    assert story.happened(ev.OrderRefused) == []
    assert [note.why for _, note in story.notes(nt.ExitUncovered)] == ["settling"]


def test_a_trade_that_failed_gives_its_cash_back_and_leaves_nothing_on_sale() -> None:
    """Matched, retried twenty seconds later, and failed."""
    story = retold("matched_then_failed")
    stages = [event.stage for event in story.happened(ev.OrderFilled)]
    assert list(dict.fromkeys(stages)) == [TradeStage.MATCHED, TradeStage.RETRYING, TradeStage.FAILED]
    assert story.sells() == []
    assert len(story.commands(cm.PlaceOrder)) == 1, "not bought again when it is too late for an entry"
    assert [note.why for _, note in story.notes(nt.ExitUncovered)] == ["settling"]
    assert (story.moments[-1].held, story.moments[-1].cash) == (0, usd(1_000))
    ((_, settled),) = story.notes(nt.MarketSettled)
    assert (settled.up_shares, settled.redeemable, settled.pnl) == (0, 0, 0)
    assert agrees(story)


def test_ten_minutes_without_an_answer_about_the_balance_close_nothing() -> None:
    """Every reading fails: said once, and the exit rests all the while."""
    story = retold("balance_down")
    failed = [event.at for event in story.happened(ev.SnapshotFailed)]
    assert failed[-1] - failed[0] >= seconds(560)
    tries = [later - sooner for sooner, later in itertools.pairwise(failed)]
    assert min(tries) >= seconds(5)
    assert len(story.notes(nt.ReadingFailed)) == 1
    ((placed, terms),) = story.sells()
    assert (terms.shares, terms.price) == (shares(20), price("0.98"))
    assert on_sale(story, "20", LONG.end) == placed
    assert [at for at, _ in story.commands(cm.CancelOrder) if at < LONG.end] == []
    assert agrees(story)
    assert [note.up_shares for _, note in story.notes(nt.MarketSettled)] == [shares(20)]
