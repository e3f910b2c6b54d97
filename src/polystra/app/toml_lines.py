"""Finds where a name stands in the text of a TOML file, for messages that a person can follow."""


def line_of(text: str, path: list[str]) -> str:
    """Where a name stands in the text, or else the table that it stands in."""
    places: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.split("#")[0].strip()
        if stripped.startswith("["):
            table = stripped.strip("[] ")
            parents = table.split(".")
            names = [".".join(parents[:length]) for length in range(1, len(parents) + 1)]
        else:
            names = [f"{table}.{stripped.split('=')[0].strip()}".strip(".")]
        for name in names:
            places.setdefault(name, number)
    for length in range(len(path), 0, -1):
        found = places.get(".".join(path[:length]))
        if found is not None:
            return f" line {found}"
    return ""
