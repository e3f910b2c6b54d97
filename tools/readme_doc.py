"""Puts the output of a real demo into README.md, between its two markers: `python -m tools.readme_doc`.

Shortened to the life of the first window, the table and the comparison with the exchange; nothing else is changed. A
test compares the README with what this would write.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- demo: written by python -m tools.readme_doc -->", "<!-- /demo -->"
SHOWN = "BTC 15m 09:00"
COMMAND = ("demo", "--windows", "3")


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The README with a new output in place of the old one."""
    before, marker, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not marker or not end:
        raise SystemExit(f"README.md: put the demo's output between {BEGIN} and {END}")
    block = "\n".join(["```", f"$ polystra {' '.join(COMMAND)}", *shortened(output().splitlines()), "```"])
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def output() -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POLYSTRA__")}
    done = subprocess.run(
        [sys.executable, "-m", "polystra", *COMMAND], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise SystemExit(f"polystra {' '.join(COMMAND)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def shortened(lines: list[str]) -> Iterator[str]:
    for section in sections(lines):
        if section[0][:1].isdigit():  # the progress, which begins with the time
            yield from (line for line in section if SHOWN in line)
        elif section[0].startswith(("Windows of", "Ledger and exchange")):
            yield ""
            yield from section
        elif section[0].startswith(" 3 windows"):  # the table's last row
            yield from section


def sections(lines: list[str]) -> Iterator[list[str]]:
    """The progress, then what stands under each heading of the result."""
    found: list[str] = []
    for line in lines:
        if line.strip():
            found.append(line.rstrip())
        elif found:
            yield found
            found = []
    yield found


if __name__ == "__main__":
    main()
