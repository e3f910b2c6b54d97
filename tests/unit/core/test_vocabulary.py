"""Events, commands and notes: the closed lists that the journal, the engine and the ledger live on."""

from __future__ import annotations

from types import ModuleType
from typing import get_args

import msgspec
import pytest

from polystra.core import (
    commands,
    events,
    fees,
    markets,
    notes,
    orders,
    positions,
    sizing,
    strategy,
    terms,
    units,
    view,
)
from polystra.core.ids import OrderId
from polystra.core.units import Instant

LISTS = [
    (events.Event, events.AnyEvent),
    (commands.Command, commands.AnyCommand),
    (notes.Note, notes.AnyNote),
]
VALUES = (commands, events, fees, markets, notes, orders, positions, sizing, strategy, terms, units, view)


def structs_of(module: ModuleType) -> list[type[msgspec.Struct]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__module__ == module.__name__
    ]


@pytest.mark.parametrize(("root", "union"), LISTS, ids=["events", "commands", "notes"])
def test_the_list_is_closed(root: type, union: object) -> None:
    """A kind that is missing in the union is written to the journal and cannot be read back."""
    assert set(get_args(union)) == set(root.__subclasses__())
    assert len(get_args(union)) == len(set(get_args(union)))


@pytest.mark.parametrize(("root", "union"), LISTS, ids=["events", "commands", "notes"])
def test_every_kind_is_told_by_its_own_name(root: type, union: object) -> None:
    tags = {kind.__name__: kind.__struct_config__.tag for kind in get_args(union)}
    assert tags == {name: name for name in tags}
    assert all(kind.__subclasses__() == [] for kind in get_args(union)), "one level of hierarchy"


@pytest.mark.parametrize("module", VALUES, ids=lambda module: module.__name__)
def test_values_are_frozen_and_out_of_the_collectors_way(module: ModuleType) -> None:
    for kind in structs_of(module):
        assert kind.__struct_config__.frozen, kind
        assert not kind.__struct_config__.gc, kind


def test_a_fact_cannot_be_changed_behind_the_journals_back() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        events.Woke(at=Instant(1)).at = Instant(2)  # type: ignore[misc]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="Invalid value"):
        msgspec.msgpack.decode(msgspec.msgpack.encode({"type": "OrderImagined", "at": 1}), type=events.AnyEvent)


@pytest.mark.parametrize(
    "wrong", [{"type": "CancelOrder"}, {"type": "CancelOrder", "order": "41"}, {"type": "CancelOrder", "order": 4.5}]
)
def test_a_command_with_a_missing_or_wrong_field_is_refused(wrong: dict[str, object]) -> None:
    right = msgspec.msgpack.encode({"type": "CancelOrder", "order": 41})
    assert msgspec.msgpack.decode(right, type=commands.AnyCommand) == commands.CancelOrder(order=OrderId(41))
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(wrong), type=commands.AnyCommand)


def test_every_event_has_the_moment_it_was_learned_and_no_command_has_one() -> None:
    assert all(kind.__struct_fields__[0] == "at" for kind in get_args(events.AnyEvent))
    assert not any("at" in kind.__struct_fields__ for kind in get_args(commands.AnyCommand))
