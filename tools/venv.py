"""Makes .venv hold exactly what requirements.lock says, or does nothing when it already does.

Run by the Python that .venv is to have: `python3 tools/venv.py`. It needs no installed package, and it is written so
that a Python which is too old prints a sentence instead of a syntax error.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST, TOO_NEW = (3, 11), (3, 15)

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = str(VENV / "bin" / "python")
STAMP = VENV / "stamp.json"


def main() -> None:
    if not OLDEST <= sys.version_info[:2] < TOO_NEW:
        sys.exit(
            f"setup: Polystra needs Python 3.11 to 3.14; {sys.executable} is {platform.python_version()}.\n"
            "setup: name another one: make setup PYTHON=python3.12"
        )
    wanted, present = wanted_stamp(), present_stamp()
    if wanted != present:
        build(wanted, packages_too=wanted["packages"] != present.get("packages"))


def wanted_stamp() -> dict[str, str]:
    """What .venv depends on. Its own path is part of it: the scripts of a copied .venv still start the original."""
    lock = (ROOT / "requirements.lock").read_bytes()
    return {
        "packages": digest(sys.version.encode(), str(VENV).encode(), lock),
        "project": digest((ROOT / "pyproject.toml").read_bytes()),
    }


def present_stamp() -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def build(stamp: dict[str, str], *, packages_too: bool) -> None:
    """The stamp is written last: an interrupted set-up is done again."""
    began = time.monotonic()
    installer = "uv" if shutil.which("uv") else "pip"
    print(f"setup: making .venv with {installer} for Python {platform.python_version()} ...", flush=True)
    STAMP.unlink(missing_ok=True)
    commands = (fresh_venv(installer) + install_locked(installer)) if packages_too else []
    for command in [*commands, install_project(installer)]:
        run(command)
    STAMP.write_text(json.dumps(stamp))
    print(f"setup: .venv is ready after {time.monotonic() - began:.0f} s", flush=True)


def fresh_venv(installer: str) -> list[list[str]]:
    # The interpreter behind a running .venv, so that an activated .venv does not clear itself away.
    python = getattr(sys, "_base_executable", None) or sys.executable
    if installer == "uv":
        return [["uv", "venv", "--quiet", "--clear", "--python", python, str(VENV)]]
    return [[python, "-m", "venv", "--clear", str(VENV)]]


def install_locked(installer: str) -> list[list[str]]:
    """Wheels only: an archive of source would run its own code to be installed."""
    return [[*install(installer), "--require-hashes", "--only-binary", ":all:", "-r", "requirements.lock"]]


def install_project(installer: str) -> list[str]:
    """Its build backend is in the lock, so nothing is fetched that the lock does not name."""
    return [*install(installer), "--no-deps", "--no-build-isolation", "--editable", "."]


def install(installer: str) -> list[str]:
    if installer == "uv":
        return ["uv", "pip", "install", "--quiet", "--python", VENV_PYTHON]
    return [VENV_PYTHON, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]


def run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit("setup: this failed with {}: {}".format(done.returncode, " ".join(command)))


if __name__ == "__main__":
    main()
