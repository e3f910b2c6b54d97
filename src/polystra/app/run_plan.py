"""What a run is made of, kept beside its ledger so that it can be gone on with: what plays, at what speed, which seed
and settings."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from polystra.app.scenarios import scenario_files
from polystra.app.settings import Settings, stored_settings
from polystra.core.errors import PolystraError
from polystra.core.units import Instant, seconds
from polystra.edge.tapes.format import TapeFile
from polystra.edge.tapes.library import bundled, discover

RUN = "run.json"
SETTINGS = "settings.json"
LOCK_STEP_SPEED = "max"

GENERATED_WINDOWS = 12
GENERATED_START = Instant(seconds(1_790_812_800))
"""2026-10-01 00:00 UTC: where generated windows begin."""


class NoRun(PolystraError):
    """There is no run in a folder that could be gone on with."""


class Plan(Struct, frozen=True, kw_only=True):
    """`data` is a folder of recordings, None for the bundled ones; `windows` how many of them play, None for all; with
    a `scenario` generated windows play instead. `speed` is `max` in lock step. `in_process` has no wire at all."""

    seed: int
    settings: str
    data: str | None = None
    windows: int | None = None
    scenario: str | None = None
    speed: str = LOCK_STEP_SPEED
    in_process: bool = False

    @property
    def files(self) -> Sequence[TapeFile]:
        """What plays, in the order in which it is found. Raises `RecordingError`."""
        if self.scenario is not None:
            count = GENERATED_WINDOWS if self.windows is None else self.windows
            return scenario_files(self.scenario, seed=self.seed, windows=count, start=GENERATED_START)
        library = bundled() if self.data is None else discover(Path(self.data))
        return list(library)[: self.windows]

    @property
    def chosen_settings(self) -> Settings:
        return stored_settings(self.settings)

    @property
    def market_options(self) -> list[str]:
        """The same choice as options of `polystra exchange`."""
        options: list[str] = []
        if self.scenario is not None:
            options += ["--scenario", self.scenario]
        if self.data is not None:
            options += ["--data", self.data]
        if self.windows is not None:
            options += ["--windows", str(self.windows)]
        return options


def plan_of(settings: Settings, *, seed: int, **choices: object) -> Plan:
    return msgspec.convert({"seed": seed, "settings": settings.model_dump_json(), **choices}, Plan)


def keep_plan(folder: Path, plan: Plan) -> None:
    """Beside it the settings alone, as a file that the exchange reads."""
    (folder / SETTINGS).write_text(plan.settings, encoding="utf-8")
    (folder / RUN).write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n")


def kept_plan(folder: Path) -> Plan:
    """Raises `NoRun`."""
    path = folder / RUN
    try:
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    except FileNotFoundError:
        raise NoRun(f"{folder} holds no run to go on with: name its folder with --out, or begin one") from None
    except (OSError, msgspec.DecodeError) as error:
        raise NoRun(f"{path}: {error}: restore it, or begin a new run in another folder") from None
