"""Reads the ids of the acceptance conditions out of docs/acceptance.md."""

from __future__ import annotations

import re
from pathlib import Path

CONDITION = re.compile(r"^- \*\*([A-Z]\d+\.A\d+)\*\* ", re.MULTILINE)


def acceptance_ids(root: Path) -> list[str]:
    """The ids of the project at `root`, in the order of the document; none when there is no document."""
    document = root / "docs" / "acceptance.md"
    return CONDITION.findall(document.read_text(encoding="utf-8")) if document.exists() else []
