"""One kept run of the demo, for the tests that only look at it."""

from pathlib import Path

import pytest

from tests.edge.cli_cases import QUICK, Ran, polystra


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """The folder of a run of three windows, and what the command said. Copy it to change it."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    return folder, polystra("demo", "--json", *QUICK, "--out", folder)
