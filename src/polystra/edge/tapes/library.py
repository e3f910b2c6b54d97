"""Finds the recordings in a folder by their files, and the sample that comes with the extra `polystra[recordings]`.

Listing reads indexes only; a window is read when its `TapeFile` is loaded.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path

from msgspec import Struct

from polystra.edge.tapes import arnav, cronos, resolvedkit, xx8
from polystra.edge.tapes.format import RecordingError, TapeFile
from polystra.edge.tapes.unpack import missing_package

_PACKAGE = "resolvedkit"


class Layout(Struct, frozen=True):
    """One known way to lay out a recording: the files it consists of, and how its windows are listed."""

    name: str
    files: tuple[str, ...]
    tape_files: Callable[[Path], list[TapeFile]]


LAYOUTS = (
    Layout("resolvedkit", (resolvedkit.BOOKS, resolvedkit.MARKETS), resolvedkit.tape_files),
    Layout("cronos", (cronos.INDEX, f"{cronos.WINDOWS}/*.tsv.zst"), cronos.tape_files),
    Layout("arnav", (arnav.WINDOWS,), arnav.tape_files),
    Layout("xx8", (xx8.FRAMES, xx8.MARKETS), xx8.tape_files),
)


class Library(Struct, frozen=True):
    """Windows that can be loaded, by their start; `unread` names the folders beside them in no known layout."""

    files: tuple[TapeFile, ...]
    unread: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[TapeFile]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def discover(path: Path | str) -> Library:
    """The windows of a recording's folder, or of a folder of such folders; raises `RecordingError`."""
    folder = Path(path)
    if not folder.exists():
        raise RecordingError(folder, "there is no such folder", "give the folder of a recording")
    if not folder.is_dir():
        raise RecordingError(folder, "this is a file", "give the folder in which it lies")
    found = _windows(folder)
    if found is not None:
        return _library(found)
    below = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    windows = {entry: _windows(entry) for entry in below}
    unread = tuple(entry.name for entry in below if windows[entry] is None)
    if len(unread) == len(below):
        known = "; ".join(f"{layout.name}: {' and '.join(layout.files)}" for layout in LAYOUTS)
        wrong = "no recording in it" if any(folder.iterdir()) else "the folder is empty"
        raise RecordingError(folder, wrong, f"known layouts are {known}")
    return _library((file for files in windows.values() for file in files or ()), unread)


def bundled() -> Library:
    """The 18 BTC 15m windows in the sample data of the package `resolvedkit`, whose code is not run.

    Raises `RecordingError` when that package, or what reads it, is not installed.
    """
    try:
        package = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError:
        raise missing_package(_PACKAGE) from None
    folder = Path(str(package.locate_file(_PACKAGE))) / "sample_data"
    return _library(resolvedkit.tape_files(folder, f"{_PACKAGE} {package.version}"))


def _library(files: Iterable[TapeFile], unread: tuple[str, ...] = ()) -> Library:
    ordered = sorted(files, key=lambda file: (file.market.start, file.market.slug, file.source))
    return Library(tuple(ordered), unread)


def _windows(folder: Path) -> list[TapeFile] | None:
    """The windows of one recording; None when no file of a known layout is there."""
    for layout in LAYOUTS:
        present = [pattern for pattern in layout.files if any(folder.glob(pattern))]
        if not present:
            continue
        for pattern in layout.files:
            if pattern not in present:
                raise RecordingError(folder, f"{present[0]} is here, {pattern} is missing", "restore it")
        return layout.tape_files(folder)
    return None
