"""Ways to cut the same bytes into writes."""

from table import Script

BORDERS = b"\r\n:;"
# Longer ones are sent byte by byte only at both ends, unless everything is asked for.
LONG = 2_048
ENDS = 256


def borders(data: bytes) -> list[int]:
    """Offsets before and after every CR, LF, colon and semicolon: these include every border of a chunk."""
    found = set()
    for index, byte in enumerate(data):
        if byte in BORDERS:
            found |= {index, index + 1}
    return sorted(found - {0, len(data)})


def single_cuts(data: bytes, limit: int) -> list[int]:
    """Offsets for one cut each. More than `limit` are thinned evenly, the same each time."""
    every = borders(data)
    if len(every) <= limit:
        return every
    return [every[index * len(every) // limit] for index in range(limit)]


def offsets(data: bytes, mode: str, everything: bool) -> list[int]:
    if mode == "bytes":
        if len(data) <= LONG or everything:
            return list(range(1, len(data)))
        middle = range(ENDS, len(data) - ENDS, 1_021)
        return [*range(1, ENDS), *middle, *range(len(data) - ENDS, len(data))]
    if mode == "borders":
        every = borders(data)
        return every if len(every) <= 1_000 or everything else every[:200] + every[-200:]
    if mode.startswith("at "):
        return [int(mode[3:])]
    return []


def steps(script: Script, mode: str, everything: bool = False) -> list[bytes | str]:
    """Pieces of bytes, and the names of actions between them."""
    actions = dict[int, list[str]]()
    for offset, name in script.actions:
        actions.setdefault(offset, []).append(name)
    points = sorted({0, len(script.data), *offsets(script.data, mode, everything), *actions})
    made: list[bytes | str] = []
    for index, point in enumerate(points):
        made += actions.get(point, [])
        if index + 1 < len(points) and points[index + 1] > point:
            made.append(script.data[point : points[index + 1]])
    return made
