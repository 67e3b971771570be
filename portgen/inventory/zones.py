"""What a zone is made of: networks and addresses, and interfaces of the host.

In: a value as YAML gave it. Out: a `ZoneMember`, or ValueError with what is wrong with it. Pure.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from portgen.inventory import patterns
from portgen.inventory.networks import parse_cidr
from portgen.inventory.values import Refused, Value, named

# Before an interface's name, where it stands among networks: no network begins with it.
BY_INTERFACE = "%"
_FIELD = "interface"


class ZoneMember(Value):
    """A network, or `{interface: tailscale0}`: whoever comes in by it. In `source` as `allow`'s
    sources are written: `100.64.0.0/10`, `%tailscale0`."""

    __slots__ = ("source",)
    schema: ClassVar[dict[str, Any]] = {
        "type": ["string", "object"],
        "pattern": patterns.CIDR,
        "properties": {
            _FIELD: {
                "description": "An interface of the host, as `ip link` calls it: tailscale0",
                "type": "string",
                "pattern": patterns.INTERFACE,
            }
        },
        "required": [_FIELD],
        "additionalProperties": False,
        "description": "An IPv4 or IPv6 network or address, such as 192.168.0.0/16; or an interface, "
        "such as {interface: tailscale0}",
    }

    def __init__(self, source: str) -> None:
        self.source = source

    @classmethod
    def parse(cls, raw: object) -> ZoneMember:
        if isinstance(raw, dict):
            return cls(BY_INTERFACE + _interface(raw))
        if not isinstance(raw, str):
            raise ValueError(f"{named(raw)} is neither a CIDR nor an interface")
        try:
            return cls(str(parse_cidr(raw)))
        except ValueError:
            if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*[0-9][A-Za-z0-9_.-]*", raw) and len(raw) < 16:
                message = f"{raw!r} is not a CIDR such as 192.168.0.0/16"
                raise Refused(message, f"of an interface write {{interface: {raw}}}") from None
            raise

    def __str__(self) -> str:
        return self.source


def _interface(raw: dict[Any, Any]) -> str:
    """The name in `{interface: tailscale0}`. Raises ValueError."""
    unknown = sorted(str(key) for key in raw if key != _FIELD)
    if unknown or _FIELD not in raw:
        found = f"unknown field {unknown[0]!r}" if unknown else f"the field `{_FIELD}` is missing"
        raise Refused(found, "such as `{interface: tailscale0}`")
    name = raw[_FIELD]
    if not isinstance(name, str):
        raise Refused(f"{name!r} is not the name of an interface", "such as tailscale0")
    if name == "lo":
        raise Refused("lo is the host itself, which may always come", "leave it out")
    if re.match(patterns.DOCKERS, name):
        hint = "name the project whose containers are meant, where `allow` takes it"
        raise Refused(f"{name} is a link of docker's: whoever comes by it is a container", hint)
    if name in patterns.UFW_WORDS:
        hint = f"rename the interface, such as to {name}0, or write the networks behind it"
        raise Refused(f"`{name}` is a word of ufw's, which has no rule for such an interface", hint)
    if name.endswith(("+", "*")):
        hint = "name each one: `+` would be every interface whose name begins so"
        raise Refused(f"{name!r} is not one interface", hint)
    plain = name.partition("@")[0]
    if plain != name and re.search(patterns.INTERFACE, plain):
        raise Refused(f"{name!r} is how `ip` shows two names", f"write {plain}")
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{15,}", name):
        raise ValueError(f"{name!r}: Linux allows 15 characters for an interface's name")
    if not re.search(patterns.INTERFACE, name):
        raise ValueError(f"{name!r} is not an interface's name: letters, digits and . _ - only")
    return name
