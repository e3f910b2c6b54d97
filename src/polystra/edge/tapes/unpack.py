"""Opens what recordings are packed in, and turns each way a file can be broken into one clear error."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from polystra.edge.tapes.format import RecordingError

FETCH_AGAIN = "fetch the file again"

_EXTRA = "install it with: pip install 'polystra[recordings]'"
_WINDOW_LIMIT = 2**27
_SIZE_LIMIT = 2**30
_CHUNK = 1 << 16


def needed(module: str, path: Path | str) -> ModuleType:
    """A module of the extra `polystra[recordings]`; raises `RecordingError` for `path` when it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise RecordingError(path, f"reading it needs the package {module.partition('.')[0]}", _EXTRA) from None


def missing_package(package: str) -> RecordingError:
    return RecordingError(package, "this package is not installed", _EXTRA)


def unpacked(path: Path) -> bytes:
    """The content of a `.zst` file; raises `RecordingError` when it is damaged, cut off or larger than 1 GiB."""
    parts: list[bytes] = []
    size = 0
    for part in _parts(path):
        size += len(part)
        if size > _SIZE_LIMIT:
            raise RecordingError(path, f"more than {_SIZE_LIMIT} bytes unpacked", "split the recording by window")
        parts.append(part)
    return b"".join(parts)


def beginning(path: Path) -> bytes:
    """The first bytes of a `.zst` file, at least its first block, for an index that must not cost the whole file."""
    return next(_parts(path), b"")


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number, counted from 1, and text of each line of a `.zst` file that is not blank."""
    for number, line in enumerate(unpacked(path).split(b"\n"), start=1):
        if line.strip():
            yield number, line


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordingError(path, f"it cannot be read ({error.strerror})", "restore the file") from None


def _parts(path: Path) -> Iterator[bytes]:
    zstandard = needed("zstandard", path)
    packed = read_bytes(path)
    if not packed:
        raise RecordingError(path, "the file is empty", FETCH_AGAIN)
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_LIMIT)
    at = 0
    while at < len(packed):
        frame = decompressor.decompressobj()
        while at < len(packed) and not frame.eof:
            chunk = packed[at : at + _CHUNK]
            try:
                part = frame.decompress(chunk)
            except zstandard.ZstdError as error:
                raise RecordingError(path, f"damaged zstd data ({error})", FETCH_AGAIN) from None
            at += len(chunk) - len(frame.unused_data)
            if part:
                yield part
        if not frame.eof:
            raise RecordingError(path, f"the zstd data ends early, after {len(packed)} bytes", FETCH_AGAIN)
