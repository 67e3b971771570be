"""The inventory's text: read with every place kept, checked against `model`.

In: a path or a text. Out: a `Source`, or PortgenError(Exit.INVENTORY) with all the faults of the
earliest stage that fails: bytes, then a merge's conflict markers, then YAML and types together.
Never decides what a value means (that is `planner`), never makes a text to write (that is `edit`).
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from portgen import whole
from portgen.inventory import conflicts, key_paths, model, reader
from portgen.inventory.reader import Fault, Place, descend, shown
from portgen.problem import Exit, Location, PortgenError, Problem, Severity

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MOST_UNPRINTABLE = 100  # characters that one run names


class Source:
    """A loaded inventory: its text, its values, and the place of each."""

    __slots__ = ("_lines", "inventory", "path", "positions", "text")

    def __init__(self, path: str, text: str, inventory: model.Inventory, positions: Place) -> None:
        self.path = path
        self.text = text
        self.inventory = inventory
        self.positions = positions
        self._lines = _Lines(path, text)

    def place(self, key_path: Sequence[str | int]) -> Place:
        """The place of the value at `key_path`, or of the nearest entry around it that is
        written."""
        return descend(self.positions, key_path)

    def at(self, key_path: Sequence[str | int]) -> Location:
        """Where a person looks for `key_path`: at the value, or at the key of a value of several
        lines."""
        return self._lines.at(shown(self.place(key_path)))

    def line(self, offset: int) -> int:
        """The line, from 1, of a place's offset."""
        return self._lines.at(offset).line


class _Lines:
    """Offsets to lines. Only `\\n` ends a line, as in every editor; libyaml also counts NEL, U+2028
    and a lone CR."""

    __slots__ = ("_starts", "path", "text")

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._starts: list[int] | None = None

    def at(self, offset: int) -> Location:
        if self._starts is None:
            self._starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        line = bisect.bisect_right(self._starts, offset)
        return Location(self.path, line, offset - self._starts[line - 1] + 1)

    def problem(self, rule: str, fault: Fault) -> Problem:
        offset, message, hint = fault
        return Problem(rule, Severity.ERROR, message, self.at(offset), hint)


def load(path: Path, shown: str | None = None, looked: str = "") -> Source:
    """Read and check the inventory at `path`; `shown` is its name in messages (default: the path as
    given), `looked` where else it was looked for.

    Raises PortgenError: Exit.INVENTORY with every fault of the earliest stage that fails, or when
    it can't be read.
    """
    name = shown or str(path)
    try:
        data, _ = whole.read(path, whole.MOST_INVENTORY)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise PortgenError(f"{path.parent}: no such folder", Exit.INVENTORY) from None
        hint = "`portgen init` makes one; `-C DIR` names its folder, `-i FILE` its file"
        if looked:
            hint += f"; {looked}"
        raise PortgenError(f"{path}: no such inventory", Exit.INVENTORY, hint=hint) from None
    except OSError as error:
        raise PortgenError(f"{name}: can't be read: {error.strerror}", Exit.INVENTORY) from None
    return parse(data, name)


def parse(data: bytes, name: str) -> Source:
    """The same for bytes already in hand, as read from git or about to be written. Raises as `load`
    does."""
    text = _decode(data, name)
    faults = list(conflicts.problems(name, text))
    if faults:
        raise _refused(faults)
    lines = _Lines(name, text)
    value, positions, found = reader.read(text)
    faults = [lines.problem("yaml", fault) for fault in found]
    if faults and value is None:
        raise _refused(faults)
    _fill_empty(value)
    try:
        inventory = msgspec.convert(
            value, model.Inventory, strict=True, dec_hook=model.decode_value
        )
    except (msgspec.ValidationError, RecursionError) as error:
        from portgen.inventory.faults import faults as faults_of

        kind = msgspec.inspect.type_info(model.Inventory)
        faults += [
            lines.problem("inventory", fault)
            for fault in faults_of(kind, value, positions, positions.start)
        ]
        raise _refused(faults or [lines.problem("inventory", (0, str(error), None))]) from None
    if faults:
        raise _refused(faults)
    source = Source(name, text, inventory, positions)
    faults = list(_contradictions(source))
    if faults:
        raise _refused(faults)
    return source


def _fill_empty(value: Any) -> None:
    """`services:` with nothing below it is a project that has none yet, or whose last one was
    removed."""
    if not isinstance(value, dict) or not isinstance(value.get("projects"), dict):
        return
    for project in value["projects"].values():
        if isinstance(project, dict) and project.get("services", {}) is None:
            project["services"] = {}


def _refused(faults: list[Problem]) -> PortgenError:
    faults = list(dict.fromkeys(faults))  # what an anchor holds is read once more for each alias
    faults.sort(key=lambda problem: problem.location[1:])
    return PortgenError("the inventory can't be loaded", Exit.INVENTORY, tuple(faults))


def _decode(data: bytes, name: str) -> str:
    """UTF-8, without its byte-order mark. Decoded here, since libyaml would also take UTF-16."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix("\ufeff")
        place = _Lines(name, before).at(len(before))
        hint = "save the file as UTF-8"
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            hint = "this looks like UTF-16: save the file as UTF-8"
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        problem = Problem("encoding", Severity.ERROR, message, place, hint)
        raise _refused([problem]) from None
    text = text.removeprefix("\ufeff")
    lines = _Lines(name, text)
    bad = []
    for match in islice(_UNPRINTABLE.finditer(text), MOST_UNPRINTABLE):
        message = f"character U+{ord(match[0]):04X} is not allowed in YAML"
        place = lines.at(match.start())
        bad.append(Problem("encoding", Severity.ERROR, message, place))
    if bad:
        raise _refused(bad)
    return text


def _contradictions(source: Source) -> Iterator[Problem]:
    """What the types alone can't say: fields that exclude each other."""
    for project_name, project in source.inventory.projects.items():
        for name, service in project.services.items():
            path = key_paths.service(project_name, name)
            if service.port is not msgspec.UNSET and service.ports is not msgspec.UNSET:
                message = f"{name} has both `port` and `ports`"
                yield Problem(
                    "inventory",
                    Severity.ERROR,
                    message,
                    source.at((*path, "ports")),
                    "put all of them into `ports`, the primary first",
                )
