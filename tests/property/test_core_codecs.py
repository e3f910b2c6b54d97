"""What goes into the journal comes out of it: every kind of event, command and note, with any contents."""

from __future__ import annotations

import types
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polystra.core.commands import AnyCommand
from polystra.core.events import AnyEvent
from polystra.core.fees import FeeSchedule
from polystra.core.notes import AnyNote
from polystra.core.units import Tick
from tests.unit.core.samples import GRIDS

KINDS = [(kind, union) for union in (AnyEvent, AnyCommand, AnyNote) for kind in get_args(union)]

BARE: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(max_size=20),
    bytes: st.binary(max_size=20),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    type(None): st.none(),
    Tick: st.sampled_from(GRIDS).map(Tick),
    FeeSchedule: st.builds(
        FeeSchedule,
        rate=st.integers(0, 999_999),
        exponent=st.sampled_from([1, 2]),
        rebate_rate=st.integers(0, 1_000_000),
        in_shares_on_buys=st.booleans(),
    ),
}


def any_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, built from what the type says alone: a new field is tested the day it is added."""
    hint = getattr(hint, "__supertype__", hint)
    if hint in BARE:
        return BARE[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(any_of, inner))
    if origin is tuple and inner[-1] is Ellipsis:
        return st.lists(any_of(inner[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(any_of, inner))
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    fields = get_type_hints(hint)
    return st.builds(hint, **{name: any_of(fields[name]) for name in hint.__struct_fields__})


@pytest.mark.parametrize(("kind", "union"), KINDS, ids=[kind.__name__ for kind, _ in KINDS])
@given(data=st.data())
def test_it_comes_back_equal_and_of_its_own_kind(kind: type, union: Any, data: st.DataObject) -> None:
    value = data.draw(any_of(kind))
    packed = msgspec.msgpack.encode(value)
    back = msgspec.msgpack.decode(packed, type=union)
    assert type(back) is kind
    assert back == value
    assert msgspec.msgpack.encode(back) == packed, "a journal read and written again is the same, byte for byte"


@given(st.lists(st.sampled_from(KINDS[:31]).flatmap(lambda row: any_of(row[0])), max_size=4))
def test_a_run_of_events_comes_back_in_order(events: list[Any]) -> None:
    packed = msgspec.msgpack.encode(events)
    assert msgspec.msgpack.decode(packed, type=list[AnyEvent]) == events
