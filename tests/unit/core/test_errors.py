import pytest

from polystra.core import errors


@pytest.mark.parametrize(
    "error", [errors.InvalidQuantity, errors.IllegalTransition, errors.NotSupported, errors.ContradictoryFacts]
)
def test_every_error_of_ours_is_caught_as_one_kind(error: type[Exception]) -> None:
    with pytest.raises(errors.PolystraError, match="o41"):
        raise error("o41")


def test_a_foreign_error_is_not_ours() -> None:
    assert not issubclass(ValueError, errors.PolystraError)
