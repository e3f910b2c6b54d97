"""The text of a quantity is made of whole numbers on the path of an order; it is that of the exact decimal number."""

from hypothesis import given
from hypothesis import strategies as st

from polystra.core.units import decimal, micro, show


@given(st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-3_000_000, 3_000_000))
def test_the_text_of_a_quantity_is_that_of_its_decimal_number(quantity: int) -> None:
    assert show(quantity) == f"{decimal(quantity):f}"
    assert micro(show(quantity)) == quantity


def test_no_zero_stands_behind_and_none_is_lost() -> None:
    shown = [show(quantity) for quantity in (0, 1, 10, 530_000, -530_000, 1_000_000, 10_000_000, -1)]
    assert shown == ["0", "0.000001", "0.00001", "0.53", "-0.53", "1", "10", "-0.000001"]
