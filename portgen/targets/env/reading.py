"""What files of variables say, as systemd reads an EnvironmentFile: `NAME=value` a line.

In: files below `env/`. Out: a `Statement` for each file, and for each paragraph of variables by the
first one's name. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from portgen.plan.facts import EnvFile, Variables
from portgen.targets import Statement

_VARIABLE = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def read(files: Mapping[str, str]) -> Iterator[Statement]:
    for path, text in files.items():
        file = path.rpartition("/")[2]
        yield Statement(path, 1, 1, file, EnvFile())
        found: dict[str, str] = {}
        first = last = 0
        for number, line in enumerate([*text.split("\n"), ""], 1):
            match = _VARIABLE.fullmatch(line)
            if match is not None:
                first, last = first or number, number
                found[match[1]] = _value(match[2])
            elif not line.strip() and found:
                yield Statement(path, first, last, next(iter(found)), Variables(file, found))
                found, first = {}, 0


def _value(written: str) -> str:
    """A value without the quotes and the blanks around it."""
    text = written.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text
