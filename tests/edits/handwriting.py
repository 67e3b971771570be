"""Generated inventories as people might write them: every style of YAML, with comments everywhere.

`written()` draws a `Written`: the text, what it says (as PyYAML reads it), and where each service's entry
stands.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from hypothesis import strategies as st

RANGES = {"alpha": range(5000, 5100), "beta": range(5100, 5200)}
SUBNETS = {"alpha": "172.30.0.0/23", "beta": None}
TITLES = [
    "Hub",
    "Überblick",
    "監視",
    "A: b",
    "it's",
    'say "hi"',
    "a # b",
    "{x}",
    "yes",
    "5",
    "- a",
    "*a",
    "&a",
    "a, b",
    "🎛 desk",
    "back\\slash",
]
REMARKS = ["# plain", "#", "# {a: [b]}, 'c", "# ünï 監", '# port: 5 "', "#! *a &b", "# - x,"]
MERGE = "<<"
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*")


class Entry(NamedTuple):
    """Where a service's entry stands: from its key to the end of its value; whether it is in a block, and
    where its line begins."""

    project: str
    start: int
    end: int
    block: bool


class Written(NamedTuple):
    """A text, its values, its services' entries, and which of them share their lines with others by an
    anchor."""

    text: str
    values: dict[str, Any]
    entries: dict[str, Entry]
    sharing: frozenset[str]
    newline: str


class _Pen:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.text = ""
        self.newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
        self.entries: dict[str, Entry] = {}
        self.sharing: set[str] = set()
        self.chatty = draw(st.booleans())
        self.literal = 0  # where the last literal text ends: its line breaks are part of it

    def maybe(self, of: int = 2) -> bool:
        return self.draw(st.integers(0, of - 1)) == 0

    def put(self, text: str) -> None:
        self.text += text

    def end_line(self) -> None:
        """The end of a line, after a comment perhaps, and perhaps lines that say nothing."""
        if self.chatty and self.maybe(4):
            self.put(" " * self.draw(st.integers(1, 2)) + self.draw(st.sampled_from(REMARKS)))
        self.put(self.newline)
        while self.chatty and self.maybe(4):
            self.put(
                self.draw(
                    st.sampled_from(
                        [
                            "",
                            "   ",
                            *(
                                f"{' ' * indent}{self.draw(st.sampled_from(REMARKS))}"
                                for indent in (0, 2, 5, 9)
                            ),
                        ]
                    )
                )
            )
            self.put(self.newline)

    def key(self, name: str) -> str:
        quote = self.draw(st.sampled_from(["", "", "", "'", '"']))
        return quote + name + quote

    def scalar(self, value: object, flow: bool) -> str:
        if isinstance(value, list):
            return (
                "["
                + ", ".join(
                    self.pairs(item) if isinstance(item, dict) else str(item) for item in value
                )
                + "]"
            )
        if not isinstance(value, str) or re.fullmatch(r"[0-9./-]{6,}", value):
            return str(value)
        if PLAIN.fullmatch(value) and value != "yes" and self.maybe():
            return value
        if "\n" not in value and self.maybe():
            return "'" + value.replace("'", "''") + "'"
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    def pairs(self, fields: dict[str, Any]) -> str:
        """A flow mapping on one line."""
        pad = self.draw(st.sampled_from(["", " "]))
        comma = self.draw(st.sampled_from([", ", ",", " , "]))
        trailing = "," if self.maybe(5) else ""
        return (
            "{"
            + pad
            + comma.join(self.pair(name, value) for name, value in fields.items())
            + trailing
            + pad
            + "}"
        )

    def pair(self, name: str, value: object) -> str:
        return (
            f"{name}: {value}"
            if name == MERGE
            else f"{self.key(name)}: {self.scalar(value, flow=True)}"
        )

    def flow_value(self, fields: dict[str, Any], indent: int) -> None:
        """A flow mapping on one line or over several, where it may."""
        if not fields or self.maybe() or indent < 0:
            self.put(self.pairs(fields))
            return
        self.put("{")
        self.end_line()
        for name, value in fields.items():
            self.put(
                " " * (indent + 1 + self.draw(st.integers(0, 3))) + f"{self.pair(name, value)},"
            )
            self.end_line()
        self.put(" " * (indent + 1) + "}")


@st.composite
def written(draw: st.DrawFn, least: int = 0) -> Written:
    """An inventory of two projects with `least` to five services each."""
    pen = _Pen(draw)
    values: dict[str, Any] = {
        "version": 1,
        "hosts": {"box": {"zones": {"lan": ["192.168.0.0/16"]}}},
        "projects": {},
    }
    names = draw(
        st.permutations(
            ["a", "b-2", "cc", "d-e-f", "web", "x1", "yy", "zeta-9", "long-service-name", "q"]
        )
    )
    for project, ports in RANGES.items():
        count = draw(st.integers(least, 5))
        chosen, names = names[:count], names[count:]
        numbers = draw(
            st.lists(st.sampled_from(ports), min_size=2 * count, max_size=2 * count, unique=True)
        )
        services = {name: _service(draw, numbers.pop(), numbers.pop()) for name in chosen}
        values["projects"][project] = {"ports": f"{ports[0]}-{ports[-1]}"}
        if SUBNETS[project]:
            values["projects"][project]["network"] = {"name": project, "subnet": SUBNETS[project]}
        if draw(st.booleans()):
            values["projects"][project]["defaults"] = {"container_port": 8080, "allow": ["lan"]}
        if services or draw(st.booleans()):
            values["projects"][project]["services"] = services
        if draw(st.booleans()):
            values["projects"][project]["status"] = "active"
    if pen.maybe(8):
        _all_flow(pen, values)
    else:
        _block(pen, values)
    text = pen.text
    if pen.maybe(5) and pen.literal != len(text):
        text = text.rstrip("\r\n")
    return Written(text, values, pen.entries, frozenset(pen.sharing), pen.newline)


def _service(draw: st.DrawFn, port: int, other: int) -> dict[str, Any]:
    fields: dict[str, Any] = (
        {"port": port}
        if draw(st.integers(0, 3))
        else {"ports": [port, {"port": other, "protocol": "tcp"}]}
    )
    if draw(st.booleans()):
        fields["title"] = draw(st.sampled_from(TITLES))
    if draw(st.booleans()):
        fields["via"] = draw(st.sampled_from(["socat", "docker", "host", "process"]))
    if draw(st.booleans()) and fields.get("via") != "process":
        fields["container_port"] = 3000
    if draw(st.integers(0, 2)) == 0:
        fields["allow"] = ["lan"]
    if draw(st.integers(0, 3)) == 0:
        fields["notes"] = draw(
            st.sampled_from(["one line\n", "two\n# lines: x\n", "one\n\nafter a gap\n"])
        )
    order = draw(st.permutations(list(fields)))
    return {name: fields[name] for name in order}


def _all_flow(pen: _Pen, values: dict[str, Any]) -> None:
    """Everything within braces, as JSON would be, on lines or on one."""
    several = pen.maybe()

    def gap(indent: int) -> None:
        pen.put(pen.newline + " " * indent if several else "" if indent == 0 else " ")

    pen.put('{"version": 1, "hosts": {"box": {"zones": {"lan": ["192.168.0.0/16"]}}},')
    gap(1)
    pen.put('"projects": {')
    for number, (project, fields) in enumerate(values["projects"].items()):
        pen.put("," if number else "")
        gap(2)
        pen.put(f"{pen.key(project)}: {{")
        for index, (name, value) in enumerate(fields.items()):
            pen.put("," if index else "")
            gap(3)
            if name != "services":
                pen.put(
                    f"{pen.key(name)}: "
                    f"{pen.pairs(value) if isinstance(value, dict) else pen.scalar(value, flow=True)}"
                )
                continue
            pen.put(f"{pen.key(name)}: ")
            _flow_services(pen, project, value, 4 if several else -1)
        pen.put("}")
    gap(0)
    pen.put("}}")


def _flow_services(pen: _Pen, project: str, services: dict[str, Any], indent: int) -> None:
    pen.put("{")
    lines = indent >= 0 and pen.maybe()
    trailing = pen.maybe(4)
    for number, (name, fields) in enumerate(services.items()):
        if lines:
            if number == 0:
                pen.end_line()
            pen.put(" " * (indent + 2))
        start = len(pen.text)
        pen.put(f"{pen.key(name)}: ")
        pen.flow_value(fields, indent + 2 if lines else -1)
        pen.entries[name] = Entry(project, start, len(pen.text), block=False)
        last = number == len(services) - 1
        pen.put("," if not last or trailing else "")
        if lines:
            before = len(pen.text)
            pen.end_line()
            remark = re.match(r" +#[^\r\n]*", pen.text[before:])
            pen.entries[name] = pen.entries[name]._replace(
                end=before + remark.end() if remark else before
            )
        elif not last:
            pen.put(" ")
    if lines and services:
        pen.put(" " * (indent + 1))
    pen.put("}")


def _block(pen: _Pen, values: dict[str, Any]) -> None:
    outer, inner, deep, deepest = (pen.draw(st.sampled_from([1, 2, 2, 3, 4])) for _ in range(4))
    if pen.chatty:
        pen.put(pen.draw(st.sampled_from(["", "# yaml-language-server: x", "---"])))
        pen.put(pen.newline)
    pen.put("version: 1")
    pen.end_line()
    pen.put("hosts: {box: {zones: {lan: [192.168.0.0/16]}}}")
    pen.end_line()
    pen.put("projects:")
    pen.end_line()
    shared = {"lan": False}
    for project, fields in values["projects"].items():
        anchor = None
        pen.put(" " * outer + pen.key(project) + ":")
        pen.end_line()
        for name in pen.draw(st.permutations(list(fields))):
            pen.put(" " * (outer + inner) + pen.key(name) + ":")
            value = fields[name]
            if name == "defaults" and pen.maybe():
                anchor = f"*{project}"
                pen.put(f" &{project}")
            if name != "services":
                pen.put(
                    f" {pen.pairs(value) if isinstance(value, dict) else pen.scalar(value, flow=False)}"
                )
                pen.end_line()
            elif not value:
                pen.put(pen.draw(st.sampled_from(["", " {}", " ~", " null", " { }"])))
                pen.end_line()
            elif pen.maybe(3):
                pen.put(" ")
                _flow_services(pen, project, value, outer + inner)
                pen.end_line()
            else:
                pen.end_line()
                for service, entry in value.items():
                    spelled = entry
                    if anchor is not None and pen.maybe():
                        at = pen.draw(st.integers(0, len(entry)))
                        spelled = dict(
                            [*[*entry.items()][:at], (MERGE, anchor), *[*entry.items()][at:]]
                        )
                        value[service] = {**fields["defaults"], **entry}
                    _block_service(
                        pen, project, service, spelled, outer + inner + deep, deepest, shared
                    )


def _block_service(
    pen: _Pen,
    project: str,
    name: str,
    fields: dict[str, Any],
    column: int,
    step: int,
    shared: dict[str, bool],
) -> None:
    pen.put(" " * column)
    start = len(pen.text)
    if pen.maybe(3):
        if pen.maybe(6):
            pen.put(f"? {pen.key(name)}")
            pen.end_line()
            pen.put(" " * column + ": ")
            pen.put(pen.pairs(fields))
        else:
            pen.put(pen.key(name) + ":" + " " * pen.draw(st.integers(1, 12)))
            pen.flow_value(fields, column)
        end = len(pen.text)
        pen.end_line()
    else:
        pen.put(pen.key(name) + ":")
        pen.end_line()
        for field, value in fields.items():
            pen.put(" " * (column + step))
            if field == "notes":
                pen.put(pen.key(field) + ": |" + pen.newline)
                pen.put(
                    "".join(
                        f"{' ' * (column + step + 1)}{line}".rstrip() + pen.newline
                        for line in value[:-1].split("\n")
                    )
                )
                pen.literal = len(pen.text)
                end = len(pen.text) - len(pen.newline)
                continue
            if field == "allow" and pen.maybe():
                pen.put(f"{pen.key(field)}: " + ("*lan" if shared["lan"] else "&lan [lan]"))
                if not shared["lan"]:
                    pen.sharing.add(name)
                shared["lan"] = True
            elif field == "ports" and pen.maybe():
                pen.put(pen.key(field) + ":")
                for item in value:
                    pen.end_line()
                    pen.put(
                        " " * (column + step + pen.draw(st.sampled_from([0])))
                        + "- "
                        + (pen.pairs(item) if isinstance(item, dict) else str(item))
                    )
            elif field == MERGE:
                pen.put(f"{field}: {value}")
            else:
                pen.put(f"{pen.key(field)}: {pen.scalar(value, flow=False)}")
            end = len(pen.text)
            pen.end_line()
    pen.entries[name] = Entry(project, start, end, block=True)
