"""The order machine under news in any order, any number of times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polystra.core.errors import IllegalTransition
from polystra.core.ids import TradeId
from polystra.core.orders import TRANSITIONS, Fill, Heard, Order, OrderState, filled, is_whole, moved, overfill_of
from polystra.core.terms import TradeStage
from polystra.core.units import SIZE_STEP, Instant, Price, Shares
from tests.unit.core.samples import fill, order, selling, taking, terms

wanted = st.sampled_from([terms("0.55", "6"), selling("0.60", "6"), taking("0.55", "6")])
stages = st.sampled_from(TradeStage)
news = st.one_of(
    st.sampled_from(Heard),
    st.builds(
        fill,
        st.just("0.55"),
        st.sampled_from(["0.01", "1", "2", "3.5"]),
        stages,
        trade=st.sampled_from(["t1", "t2", "t3", "t4"]).map(TradeId),
    ),
)


def told(before: Order, one: Heard | Fill, at: int) -> Order:
    """The order after one piece of news; one that is a contradiction leaves it as it was."""
    try:
        return moved(before, one, Instant(at)) if isinstance(one, Heard) else filled(before, one)
    except IllegalTransition:
        return before


@given(wanted, st.lists(news, max_size=30))
def test_whatever_is_heard_the_order_stays_true_to_itself(asked: object, heard: list[Heard | Fill]) -> None:
    now = order(asked, state=OrderState.SUBMITTING)  # type: ignore[arg-type]
    counted: dict[str, Fill] = {}
    for at, one in enumerate(heard):
        before, now = now, told(now, one, at)
        if before.state.ended:
            assert now.state is before.state, "an end is for ever"
            assert now.state_at == before.state_at
        if isinstance(one, Heard):
            assert now.fills == before.fills, "news of a state moves no money"
            legal = (before.state, one) in TRANSITIONS
            assert legal or now is before
        else:
            assert (now.state, now.cancel_doubted) == (before.state, before.cancel_doubted), "a trade moves no state"
            if now is not before:
                counted[one.trade] = one
        assert {one.trade for one in now.fills} == set(counted)
        assert [one.stage for one in now.fills] == [counted[one.trade].stage for one in now.fills]
        assert now.matched == sum(one.shares for one in counted.values() if one.stage is not TradeStage.FAILED)
        assert now.spent == sum(one.value for one in counted.values() if one.stage is not TradeStage.FAILED)
        assert now.remaining >= 0
        assert not (now.state.ended and now.remaining)
        assert not (now.state.ended and now.cancel_doubted)
        dust = now.terms.price * SIZE_STEP // 1_000_000
        within = (
            now.spent <= now.terms.spend + dust if now.terms.in_cash else now.matched <= now.terms.shares + SIZE_STEP
        )
        assert (overfill_of(now) is None) is within
        assert is_whole(now) is (now.terms.shares - now.matched < SIZE_STEP) or now.terms.in_cash
    assert now.id == order().id
    assert now.terms == asked


@given(wanted, st.lists(news, max_size=15))
def test_hearing_everything_twice_is_hearing_it_once(asked: object, heard: list[Heard | Fill]) -> None:
    """At-least-once streams: each piece of news repeated at once, save a cancel, which we ask and nobody tells us."""
    once = twice = order(asked, state=OrderState.SUBMITTING)  # type: ignore[arg-type]
    for at, one in enumerate(heard):
        once = told(once, one, at)
        twice = told(told(twice, one, at), one, at)
    assert once == twice


final = st.sampled_from([TradeStage.CONFIRMED, TradeStage.FAILED])


@given(final, st.lists(stages.filter(lambda stage: stage.settled is not None), max_size=8), st.randoms())
def test_a_final_stage_wins_over_late_and_repeated_ones(
    end: TradeStage, others: list[TradeStage], chance: object
) -> None:
    other_end = TradeStage.FAILED if end is TradeStage.CONFIRMED else TradeStage.CONFIRMED
    heard = [*(stage for stage in others if stage is not other_end), end]
    chance.shuffle(heard)  # type: ignore[attr-defined]
    one, now = fill(size="2"), order()
    for stage in heard:
        now = filled(now, replace(one, stage=stage))
    assert [kept.stage for kept in now.fills] == [end]


@given(st.lists(st.tuples(st.integers(1, 4_000_000), st.integers(1, 549_999)), min_size=1, max_size=10))
def test_every_fill_counts_and_what_is_beyond_the_order_and_its_dust_is_named(parts: list[tuple[int, int]]) -> None:
    now = order(terms("0.55", "6"))
    limit = now.terms.shares + SIZE_STEP
    for number, (size, at) in enumerate(parts):
        one = replace(fill(), trade=TradeId(f"t{number}"), shares=Shares(size), price=Price(at))
        before, now = now, filled(now, one)
        assert now.matched == before.matched + size
        assert (overfill_of(now) is None) is (now.matched <= limit)
