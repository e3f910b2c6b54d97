"""`python -m polystra`."""

from polystra.cli.main import app

app()
