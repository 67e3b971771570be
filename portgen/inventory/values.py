"""The inventory's scalars, as people write them: which texts and numbers there are, and what each
may hold.

In: a value as YAML gave it. Out: a `Value`, or ValueError with what is wrong with it; and types
with a pattern, which msgspec checks. Pure. Every pattern here is a door: what does not pass it
never reaches a template.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from portgen.inventory import patterns, ranges
from portgen.inventory.patterns import END
from portgen.visible import HIDDEN, TAGS

Address4 = ipaddress.IPv4Address
Network4 = ipaddress.IPv4Network
AnyNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Ports that fit a TCP or UDP header. socat wraps larger ones silently (99999 listens on 34463).
Port = Annotated[int, Meta(ge=1, le=65535, description="A port, 1 to 65535")]

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


def _as_text(raw: object) -> str:
    """A number or a text, as text; nothing of what is neither. `true` is a number to Python
    only."""
    if isinstance(raw, bool) or not isinstance(raw, (int, str)):
        return ""
    return str(raw)


class Ports(Value):
    """Port ranges, each inclusive: `5000-5399`, `5432`, or a list of them. In `ranges` as written;
    none overlaps another."""

    __slots__ = ("_joined", "ranges")
    _one: ClassVar[dict[str, Any]] = {
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": 65535,
        "pattern": patterns.PORTS,
    }
    schema: ClassVar[dict[str, Any]] = {
        **_one,
        "description": "A port, a range such as 5000-5399, or a list of them",
        "type": ["integer", "string", "array"],
        "items": {"description": "A port, or a range such as 5000-5399", **_one},
        "minItems": 1,
        "uniqueItems": True,
    }

    def __init__(self, parts: tuple[range, ...]) -> None:
        self.ranges = parts
        self._joined = ranges.joined(parts)

    @classmethod
    def parse(cls, raw: object) -> Ports:
        if not isinstance(raw, list):
            return cls((cls._range(raw),))
        if not raw:
            raise ValueError("an empty list of ports")
        parts: list[range] = []
        for index, item in enumerate(raw):
            try:
                parts.append(cls._range(item))
            except ValueError as error:
                hint = error.hint if isinstance(error, Refused) else None
                raise Refused(str(error), hint, index) from None
        cls._refuse_twice(parts)
        return cls(tuple(parts))

    @staticmethod
    def _refuse_twice(parts: list[range]) -> None:
        """Refuse a port that stands twice in one list: nobody knows which of the two was meant."""
        owned = ranges.Owned((part, index) for index, part in enumerate(parts))
        pair = next(owned.clashes(), None)
        if pair is None:
            return
        earlier, later = sorted((index for _, index in pair))
        one, other = parts[earlier], parts[later]
        shared = ranges.overlap(one, other)
        where = f"in {spelled([one])} and in {spelled([other])}"
        message = f"{spelled([shared])} is in this list twice: {where}"
        raise Refused(message, "leave it out of one of them", later)

    @staticmethod
    def _range(raw: object) -> range:
        text = _as_text(raw)
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", text)
        if match is None:
            message = f"{raw!r} is not a port or a range such as 5000-5399"
            raise Refused(message, _range_hint(text))
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= 65535 or not 1 <= last <= 65535:
            raise ValueError(f"{text}: ports go from 1 to 65535")
        if last < first:
            raise ValueError(f"{text}: the range runs backwards; write {last}-{first}")
        return range(first, last + 1)

    def __contains__(self, port: int) -> bool:
        return ranges.has(self._joined, port)

    def __len__(self) -> int:
        return ranges.count(self._joined)

    def __str__(self) -> str:
        return spelled(self.ranges)

    @property
    def brief(self) -> str:
        """The ranges as a message names them."""
        return brief(self.ranges, MOST_NAMED)

    @property
    def joined(self) -> list[range]:
        """The same ports in as few ranges as they need, lowest first."""
        return self._joined

    @property
    def lowest(self) -> int:
        """The lowest port of all the ranges: a service's address is counted from it."""
        return self._joined[0].start


MOST_HINTED = 100  # characters of a text that a hint is made of


def _range_hint(text: str) -> str | None:
    """The range, or the list, that somebody wrote in another way."""
    if len(text) > MOST_HINTED:
        return None
    span = re.fullmatch(r"([0-9]{1,5})\s*(?:\.\.\.?|:|to|-|\u2013|/)\s*([0-9]{1,5})", text)
    if span:
        return f"write {span[1]}-{span[2]}"
    parts = re.split(r"[,;\s]+", text.strip())
    if len(parts) > 1 and all(re.fullmatch(r"[0-9]{1,5}(-[0-9]{1,5})?", part) for part in parts):
        return f"write [{', '.join(parts)}]"
    return None


MOST_NAMED = 8  # ranges in one message


def spelled(parts: Iterable[range]) -> str:
    """`5007, 5026-5030`."""
    texts = []
    for part in parts:
        text = str(part.start)
        if len(part) > 1:
            text += f"-{part.stop - 1}"
        texts.append(text)
    return ", ".join(texts)


def brief(parts: Sequence[range], most: int) -> str:
    """The first `most` ranges, and how many more there are."""
    text = spelled(parts[:most])
    more = len(parts) - most
    if more > 0:
        text += f" and {more} more ranges"
    return text


class _Network(Value):
    """A network in CIDR notation; its `str` is the canonical form."""

    __slots__ = ("network",)
    network: AnyNetwork

    def __init__(self, network: AnyNetwork) -> None:
        self.network = network

    def __str__(self) -> str:
        return _written(self.network)


@lru_cache(maxsize=4096)
def _written(network: AnyNetwork) -> str:
    return str(network)


class Subnet(_Network):
    """An IPv4 network of a Docker bridge: `172.30.0.0/22`. Host bits must be zero, or docker
    refuses it."""

    network: Network4
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": patterns.SUBNET,
        "description": "An IPv4 network from /8 to /29, such as 172.30.0.0/24",
    }

    @classmethod
    def parse(cls, raw: object) -> Subnet:
        if not isinstance(raw, str) or "/" not in raw:
            raise ValueError(f"{raw!r} is not a subnet such as 172.30.0.0/22")
        network = parse_cidr(raw)
        if not isinstance(network, ipaddress.IPv4Network):
            raise ValueError(f"{raw}: portgen's Docker networks are IPv4")
        if (
            network.is_loopback
            or network.is_multicast
            or network.is_reserved
            or network.network_address.packed[0] in (0, 255)
        ):
            private = "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16"
            raise ValueError(f"{raw}: a network can't have these addresses; take one of {private}")
        if not 8 <= network.prefixlen <= 29:
            raise ValueError(f"{raw}: a Docker network needs a prefix from /8 to /29")
        return cls(network)


class HostAddress(Value):
    """One IPv4 address, as a container gets it."""

    __slots__ = ("address",)
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": patterns.IPV4,
        "description": "An IPv4 address, such as 172.30.0.23",
    }

    def __init__(self, address: Address4) -> None:
        self.address = address

    @classmethod
    def parse(cls, raw: object) -> HostAddress:
        if not isinstance(raw, str):
            raise ValueError(f"{raw!r} is not an IPv4 address")
        try:
            return cls(ipaddress.IPv4Address(raw))
        except ValueError:
            hint = "leave the prefix length out" if "/" in raw else None
            raise Refused(f"{raw!r} is not an IPv4 address such as 172.30.0.20", hint) from None


class Cidr(_Network):
    """An IPv4 or IPv6 network or single address, host bits zero: what ufw takes as a source."""

    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": patterns.CIDR,
        "description": "An IPv4 or IPv6 network or address, such as 192.168.0.0/16",
    }

    @classmethod
    def parse(cls, raw: object) -> Cidr:
        if not isinstance(raw, str):
            raise ValueError(f"{raw!r} is not a CIDR such as 192.168.0.0/16")
        return cls(parse_cidr(raw))


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
        match = re.fullmatch(r"([0-9]{1,6})([smh]?)", _as_text(raw))
        seconds = 0
        if match is not None:
            seconds = int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]
        if not 1 <= seconds <= 604800:
            raise ValueError(f"{raw!r} is not a duration from 1s to 7 days, such as 90s, 5m or 1h")
        return cls(seconds)


@lru_cache(maxsize=4096)
def parse_cidr(text: str) -> AnyNetwork:
    """The network that `text` names. Raises ValueError where it is not one, or has host bits
    set."""
    # Python would take any text behind a `%`, as IPv6's scope.
    if not re.fullmatch(r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?", text):
        raise ValueError(f"{text!r} is not a CIDR such as 192.168.0.0/16")
    if "." in text and ":" not in text and re.search(r"(?:^|\.)0[0-9]", text):
        raise ValueError(f"{text}: an octet with a leading zero is ambiguous")
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            network = ipaddress.ip_network(text, strict=False)
            raise ValueError(f"{text} has host bits set; the network is {network}") from None
        raise
    if isinstance(network, ipaddress.IPv6Network) and _is_ipv4_within(network):
        raise ValueError(f"{text}: an IPv4 address in IPv6's form; write the IPv4 form")
    return network


def _is_ipv4_within(network: ipaddress.IPv6Network) -> bool:
    """`::ffff:10.0.0.0/104`, `::10.0.0.0/104`: ufw writes these otherwise than Python, and would
    not find its own rule again."""
    high = int(network.network_address) >> 32
    return 96 <= network.prefixlen < 128 and high in (0xFFFF, 0)
