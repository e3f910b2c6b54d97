"""A small language for the shape of a JSON value, and what a value has otherwise.

A shape is a word of `FORMS`, several with `|` between, `=` and an exact text, or an exact number, bool or null. A dict
has exactly its keys: one that ends in `?` may be absent, one in `<>` stands for any number of keys of that form. A list
of one shape is one or more of it, an empty list is empty, and a tuple is an array of exactly these.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Shape: TypeAlias = Any


def _text(pattern: str) -> Callable[[object], bool]:
    compiled = re.compile(pattern, re.ASCII | re.DOTALL)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _whole(digits: int | None = None) -> Callable[[object], bool]:
    return lambda value: type(value) is int and value >= 0 and digits in (None, len(str(value)))


def _list_in_text(value: object) -> bool:
    """Gamma's lists: `["Up", "Down"]` as a text."""
    if not isinstance(value, str) or not value.startswith("["):
        return False
    inner = json.loads(value)
    return value == json.dumps(inner) and all(isinstance(one, str) for one in inner)


FORMS: dict[str, Callable[[object], bool]] = {
    # texts
    "price": _text(r"0\.\d{0,5}[1-9]"),
    "bound": _text(r"0|1|0\.\d{0,5}[1-9]"),
    "size": _text(r"(0|[1-9]\d*)(\.\d{0,5}[1-9])?"),
    "units": _text(r"0|[1-9]\d*"),
    "ms": _text(r"\d{13}"),
    "s": _text(r"\d{10}"),
    "id": _text(r"[1-9]\d*"),
    "hash": _text(r"0x[0-9a-f]{64}"),
    "address": _text(r"0x[0-9a-fA-F]{40}"),
    "sha1": _text(r"[0-9a-f]{40}"),
    "token": _text(r"\d{70,78}"),
    "uuid": _text(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "secret": _text(r"[A-Za-z0-9_-]{43}="),
    "hex": _text(r"[0-9a-f]+"),
    "time": _text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "day": _text(r"\d{4}-\d\d-\d\d"),
    "closed": _text(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00"),
    "accuracy": _text(r"\d+\.\d{8}"),
    "accuracy18": _text(r"\d{19,}"),
    "balance": _text(r"not enough balance / allowance.*"),
    "word": _text(r".+"),
    "text": _text(r".*"),
    "list": _list_in_text,
    # JSON's own
    "bool": lambda value: type(value) is bool,
    "count": _whole(),
    "unix": _whole(10),
    "unix_ms": _whole(13),
    "number": lambda value: type(value) in (int, float),
}


def differences(value: object, shape: Shape, where: str = "") -> Iterator[str]:
    """What is not as the shape has it, each with its place; nothing when all is."""
    if isinstance(shape, dict):
        yield from _of_object(value, shape, where)
    elif isinstance(shape, list | tuple):
        yield from _of_array(value, shape, where)
    elif isinstance(shape, str):
        if not any(_is(value, word) for word in shape.split("|")):
            yield f"{where or 'all'}: {value!r:.90} is no {shape}"
    elif type(value) is not type(shape) or value != shape:
        yield f"{where or 'all'}: {value!r:.90} is not {shape!r}"


def _is(value: object, word: str) -> bool:
    if word == "null":
        return value is None
    return value == word[1:] if word.startswith("=") else FORMS[word](value)


def _of_object(value: object, shape: dict[str, Shape], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where or 'all'}: {value!r:.90} is no object"
        return
    known = {key.removesuffix("?"): inner for key, inner in shape.items()}
    any_key = next((key[1:-1] for key in shape if key.startswith("<")), None)
    for key in shape:
        if not key.endswith("?") and not key.startswith("<") and key not in value:
            yield f"{where}.{key}: missing"
    for key, inner in value.items():
        if key in known:
            yield from differences(inner, known[key], f"{where}.{key}")
        elif any_key is not None and FORMS[any_key](key):
            yield from differences(inner, shape[f"<{any_key}>"], f"{where}.{key:.12}")
        else:
            yield f"{where}.{key}: not in the example"


def _of_array(value: object, shape: list[Shape] | tuple[Shape, ...], where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where or 'all'}: {value!r:.90} is no array"
        return
    many = isinstance(shape, list) and shape
    wanted = shape * len(value) if many else shape
    if len(value) != len(wanted) or (not value and many):
        yield f"{where or 'all'}: {len(value)} elements"
        return
    for number, (one, inner) in enumerate(zip(value, wanted, strict=True)):
        yield from differences(one, inner, f"{where}[{number}]")


def of(words: str, **more: Shape) -> dict[str, Shape]:
    """An object from `key:shape` words, of which `5`, `true` and `null` are JSON, and from what needs more room."""
    pairs = (word.split(":", 1) for word in words.split())
    return {key: _exact(shape) for key, shape in pairs} | more


def _exact(shape: str) -> Shape:
    try:
        return json.loads(shape)
    except ValueError:
        return shape
