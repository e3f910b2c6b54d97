"""A full garbage collection looks through everything that was ever loaded, in the middle of whatever is under way."""

import gc
from collections.abc import Iterator

import pytest

from polystra.app.paper_run import spare_collections


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_loaded_is_not_looked_through_again() -> None:
    loaded = [object()]
    assert any(one is loaded for one in gc.get_objects())
    spare_collections()
    assert not any(one is loaded for one in gc.get_objects())


def test_what_comes_later_is_still_collected() -> None:
    spare_collections()
    ring: list[object] = []
    ring.append(ring)
    del ring
    assert gc.collect() > 0
