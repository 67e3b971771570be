"""What the services of a project have alike, as the project's `defaults`.

In: the fields of services. Out: defaults; the services without what they say. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

# What `defaults` may have.
_SHARED = ("via", "container_port", "protocol", "allow", "route", "timeout")
# What a service says to have none of a default.
CANCELLED: dict[str, Any] = {
    "protocol": "http",
    "bind": None,
    "allow": [],
    "route": None,
    "timeout": None,
    "env": False,
}
_FEWEST = 2  # services that a default has to spare a line


def factored(services: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What most services have alike, taken out of them. A service without it cancels it."""
    defaults: dict[str, Any] = {}
    for field in _SHARED:
        having = [fields for fields in services.values() if field in fields]
        lacking = [fields for fields in services.values() if field not in fields]
        if not having or not _may_lack(field, lacking) or _holds_several(services, field):
            continue
        values = [fields[field] for fields in having]
        keys = [msgspec.json.encode(value, order="deterministic") for value in values]
        key, number = Counter(keys).most_common(1)[0]
        value = values[keys.index(key)]
        cancelling = [fields for fields in lacking if _has_none(field, fields)]
        if number < max(_FEWEST, len(cancelling) + 2):
            continue
        defaults[field] = value
        for fields in having:
            if fields[field] == value:
                del fields[field]
        for fields in cancelling:
            fields[field] = CANCELLED[field]
    return defaults


def without_same_port(fields: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """A container's port goes without saying where it is the host's."""
    if fields.get("container_port") == fields.get("port") and "container_port" not in defaults:
        fields.pop("container_port", None)
    for one in fields.get("ports", ()):
        if (
            isinstance(one, dict)
            and str(one.get("container_port")) == str(one["port"]).partition("-")[0]
        ):
            del one["container_port"]
    if "ports" in fields:
        ports = [
            one["port"] if isinstance(one, dict) and _is_plain(one) else one
            for one in fields["ports"]
        ]
        fields["ports"] = ports


def _is_plain(port: Mapping[str, Any]) -> bool:
    return port.keys() == {"port"} and isinstance(port["port"], int)


def _may_lack(field: str, lacking: list[dict[str, Any]]) -> bool:
    """Whether services without a field can do with a default of it."""
    if field in ("allow", "route", "timeout") or not lacking:
        return True
    # What portgen takes by itself stands for the field: it has to be written where a default differs.
    return field == "container_port" and all(
        one.get("via") in ("host", "process") for one in lacking
    )


def _has_none(field: str, fields: dict[str, Any]) -> bool:
    """Whether a service without a field has to say so beside a default of it."""
    return field != "container_port" and is_concerned(field, fields)


def is_concerned(field: str, fields: Mapping[str, Any]) -> bool:
    """Whether a service without a field would get a default of it: a route is for http alone."""
    return field != "route" or fields.get("protocol", "http") in ("http", "https")


def _holds_several(services: dict[str, dict[str, Any]], field: str) -> bool:
    """A default container port counts for the first of several ports only, which reads badly."""
    return field == "container_port" and any("ports" in fields for fields in services.values())
