from polystra.core.ids import OrderId, show_order


def test_an_order_is_named_the_same_in_every_message() -> None:
    assert show_order(OrderId(41)) == "o41"
