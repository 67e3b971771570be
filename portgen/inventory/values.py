"""The inventory's scalars, as people write them: which texts and numbers there are, and what each
may hold.

In: a value as YAML gave it. Out: a `Value`, or ValueError with what is wrong with it; and types
with a pattern, which msgspec checks. Pure. Every pattern here is a door: what does not pass it
never reaches a template.
"""

from __future__ import annotations

import datetime as dt
import re
from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from portgen.inventory import patterns
from portgen.inventory.patterns import END
from portgen.visible import HIDDEN, TAGS

# What no single-line value may hold: C0 and C1 controls, the Unicode line separators, the
# byte-order mark. And what is not seen, or turns the direction of what follows: `visible` says
# which and why.
CONTROLS = rf"\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff{HIDDEN}{TAGS}"

# DNS-like labels: valid as a unit name, an nginx upstream, a compose service and a ufw comment
# without escaping.
Name = Annotated[
    str,
    Meta(
        pattern=rf"^[a-z0-9]+(-[a-z0-9]+)*{END}",
        max_length=255,
        description="Lower-case letters, digits and single hyphens",
    ),
]
# Beside a port's number, in the name of an upstream and in an anchor of the pages, it must not read as
# another port's.
PortName = Annotated[
    str,
    Meta(
        pattern=rf"^(?![0-9]+{END})[a-z0-9]+(-[a-z0-9]+)*{END}",
        max_length=255,
        description="Lower-case letters, digits and single hyphens, not digits alone",
    ),
]
# A project's name is a part of a file's: docker-compose.<name>.yml fits into 255 bytes.
ProjectName = Annotated[
    str,
    Meta(
        pattern=rf"^[a-z0-9]+(-[a-z0-9]+)*{END}",
        max_length=200,
        description="Lower-case letters, digits and single hyphens, 200 at most",
    ),
]

# One printable line. LF and CR would start a new directive in a systemd unit, a trailing backslash
# would join the next line to it, and outer blanks would be stripped; all three are refused rather
# than silently changed.
Text = Annotated[
    str,
    Meta(
        pattern=rf"^(?!\s)(?![\s\S]*[\s\\]$)[^{CONTROLS}]+{END}",
        max_length=400,
        description="One printable line, without blanks around it or a backslash at its end",
    ),
]
Notes = Annotated[
    str,
    Meta(
        pattern=rf"^[^\x00-\x08\x0b-\x1f\x7f-\x9f{HIDDEN}{TAGS}]*{END}",
        max_length=10000,
        description="Free text, also of several lines",
    ),
]
FilePath = Annotated[
    str,
    Meta(
        pattern=rf"^/[^{CONTROLS}]*{END}",
        max_length=1024,
        description="An absolute path on the host; secrets are named, never written",
    ),
]
BaseFile = Annotated[
    str,
    Meta(
        pattern=rf"^[^{CONTROLS}]+{END}",
        max_length=1024,
        description="A path, relative to the inventory's folder",
    ),
]
HealthPath = Annotated[
    str,
    Meta(
        pattern=rf"^/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*{END}",
        max_length=1024,
        description="An absolute URL path",
    ),
]
UnitName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\@-]+)?"
        rf"\.(service|timer|socket|path|target|mount|automount|swap|slice|scope|device){END}",
        max_length=255,
        description="A systemd unit with its suffix, such as backup.timer",
    ),
]
# Only what would break a line is refused here; what nginx would misread is the rule route-unsafe's,
# with better words.
RoutePath = Annotated[
    str,
    Meta(
        pattern=rf"^[^{CONTROLS}]+{END}",
        max_length=1024,
        description="A URL prefix that begins and ends with `/`; `{name}` is the service's name",
    ),
]
ComposeName = Annotated[
    str,
    Meta(
        pattern=rf"^[a-zA-Z0-9._-]+{END}",
        max_length=255,
        description="A service of the compose file",
    ),
]
NetworkName = Annotated[
    str,
    Meta(
        pattern=rf"^(?!(?:host|bridge|none|default){END})[a-zA-Z0-9][a-zA-Z0-9_.-]*{END}",
        max_length=128,
        description="A Docker network's name; host, bridge, none and default are Docker's own",
    ),
]
ServerName = Annotated[
    str,
    Meta(
        pattern=rf"^(\*?\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*|\.)?{END}",
        max_length=253,
        description="A host name or address that visitors type; "
        "`*.` or `.*` as its first or last part",
    ),
]
SiteName = Annotated[
    str,
    Meta(
        pattern=rf"^[a-z0-9_-]+(\.[a-z0-9_-]+)*{END}",
        max_length=253,
        description="A host name or address that visitors type, in small letters: `grafana.example.com`",
    ),
]
NginxVersion = Annotated[
    str,
    Meta(
        pattern=rf"^1\.[0-9]{{1,3}}(\.[0-9]{{1,3}})?{END}",
        description='nginx\'s version, in quotes: `"1.22"`',
    ),
]
HeaderName = Annotated[
    str,
    Meta(
        pattern=rf"^[A-Za-z][A-Za-z0-9-]*{END}",
        max_length=100,
        description="A header's name: letters, digits and hyphens",
    ),
]
Size = (
    Annotated[
        str,
        Meta(
            pattern=rf"^[0-9]{{1,9}}[kKmMgG]?{END}",
            description="nginx's size: bytes, or with k, m, g",
        ),
    ]
    | Annotated[int, Meta(ge=0, le=10**12)]
)
Allowed = Annotated[
    str,
    Meta(
        pattern=rf"^([a-z0-9]+(-[a-z0-9]+)*|[0-9A-Fa-f:.]+(/[0-9]{{1,3}})?){END}",
        max_length=255,
        description="`any`, a zone, a project, or a CIDR",
    ),
]
# One who asks, or what is asked for, in a sentence of `expect`.
Visited = Annotated[
    str,
    Meta(
        pattern=rf"^[A-Za-z0-9:]([A-Za-z0-9:./ -]*[A-Za-z0-9:])?{END}",
        max_length=511,
        description="One or more words: `lan`, `neighbour of shop`, `project shop`, `box/web:5000`",
    ),
]
Used = Annotated[
    str,
    Meta(
        pattern=rf"^([a-z0-9]+(-[a-z0-9]+)*/)?[a-z0-9]+(-[a-z0-9]+)*{END}",
        max_length=511,
        description="A service of the same host, or HOST/SERVICE",
    ),
]
Directive = Annotated[
    str,
    Meta(
        pattern=rf"^[^\x00-\x08\x0b-\x1f\x7f-\x9f{HIDDEN}{TAGS}]+{END}",
        max_length=4096,
        description="A raw nginx directive, copied as it is",
    ),
]


class Value(ABC):
    """A scalar with rules of its own: `parse` turns what YAML gave into the value or raises
    ValueError."""

    __slots__: tuple[str, ...] = ()
    schema: ClassVar[dict[str, Any]]

    @classmethod
    @abstractmethod
    def parse(cls, raw: object) -> Value:
        """The value that `raw` writes. Raises ValueError with what is wrong with it."""

    def __eq__(self, other: object) -> bool:
        """By value, so that two inventories can be compared."""
        return type(other) is type(self) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(tuple(self._fields()))

    def _fields(self) -> list[object]:
        return [getattr(self, name) for name in self.__slots__]


class Refused(ValueError):  # noqa: N818 - it reads as a result
    """What is wrong with a value, what to do about it, and with which item of a list."""

    def __init__(self, message: str, hint: str | None = None, index: int | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.index = index


def as_text(raw: object) -> str:
    """A number or a text, as text; nothing of what is neither. `true` is a number to Python
    only."""
    if isinstance(raw, bool) or not isinstance(raw, (int, str)):
        return ""
    return str(raw)


def named(value: Any) -> str:
    """A value as a message names it: one short printable line."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return f"`{short(str(value), 60)}`"


def short(text: str, most: int) -> str:
    """A foreign text within a message: on one line, of bearable length, and nothing that a terminal
    would obey."""
    if len(text) > most:
        text = text[: most - 3] + "..."
    if text.isprintable():
        return text
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()


class Date(Value):
    """A calendar day, `2025-09-22`."""

    __slots__ = ("day",)
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "format": "date",
        "pattern": patterns.DATE,
        "description": "A day, such as 2025-09-22",
    }

    def __init__(self, day: dt.date) -> None:
        self.day = day

    @classmethod
    def parse(cls, raw: object) -> Date:
        if not isinstance(raw, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", raw):
            raise ValueError(f"{raw!r} is not a date such as 2025-09-22")
        return cls(dt.date.fromisoformat(raw))

    def __str__(self) -> str:
        return self.day.isoformat()


class Duration(Value):
    """A time span: seconds as a number, or `90s`, `5m`, `1h`."""

    __slots__ = ("seconds",)
    schema: ClassVar[dict[str, Any]] = {
        "description": "Seconds, or with a unit: 90s, 5m, 1h; 7 days at most",
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": 604800,
        "pattern": patterns.DURATION,
    }

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    @classmethod
    def parse(cls, raw: object) -> Duration:
        match = re.fullmatch(r"([0-9]{1,6})([smh]?)", as_text(raw))
        seconds = 0
        if match is not None:
            seconds = int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]
        if not 1 <= seconds <= 604800:
            raise ValueError(f"{raw!r} is not a duration from 1s to 7 days, such as 90s, 5m or 1h")
        return cls(seconds)
