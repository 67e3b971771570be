"""Why a port or a route may be reached, in English.

In: the causes that `plan.why` finds, and where the inventory has them. Out: clauses. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from portgen.plan.reach import in_words
from portgen.plan.types import KeyPath
from portgen.plan.why import Cause, Way
from portgen.problem import Location, listed

At = Callable[[KeyPath], Location]

MOST = 6  # words of an `allow`, or CIDRs of a name, in a clause

# Who closes a port that is bound to an address of the host, by `via`.
_CLOSED = {
    "socat": "systemd lets only the host itself connect to its forwarder",
    "docker": "the guard lets nobody else in",
}
_WHOSE = {"service": "", "route": "the route's own ", "nginx": "nginx's "}


def clauses(way: Way, at: At) -> Iterator[str]:
    """Who may come, and each cause; of a planned service, who will."""
    before = f"{way.who}: " if way.who else ""
    for cause in way.causes:
        if cause.kind == "status":
            yield clause(cause, at)
            before = f"later {before}"
        else:
            yield before + clause(cause, at)
            before = ""


def clause(cause: Cause, at: At) -> str:
    """One cause, with the line of the inventory that says so."""
    return _said(cause) + _place(cause, at)


def _place(cause: Cause, at: At) -> str:
    if cause.key_path is None:
        return ""
    found = at(cause.key_path)
    place = f"{found.file}:{found.line}"
    if cause.is_default:
        place += ", the project's default"
    return f" ({place})"


def _said(cause: Cause) -> str:
    if cause.kind in ("allow", "no-allow"):
        return _allow(cause)
    names = listed([in_words(name) for name in cause.names], MOST)
    said = {
        "zone": f"{cause.of} is {names}",
        "project": f"{cause.of}'s containers are {names}",
        "on-the-host": f"{cause.of} has no network: it is on the host itself and needs no rule",
        "unknown": f"`{cause.of}` stands for nobody here",
        "ipv4-only": f"nobody comes from {names}: `ipv6: false`",
        "bind": f"it listens on {names}",
        "closed": _CLOSED.get(names, ""),
        "loopback": "it listens on 127.0.0.1 only",
        "policy": "portgen neither opens nor closes it",
        "guard": f"docker publishes it past ufw, and the guard at {names} lets nobody else in",
        "unguarded": "docker publishes it past ufw; portgen knows no fixed address of its container, "
        "so no guard covers it",
        "by-ipv6": "by IPv6 docker's own program listens, and ufw's rules decide",
        "status": f"`status: {names}`, so nothing is rendered",
        "password": f"`auth_file: {names}`",
        "past-allow": "nginx asks from this host: the port's own `allow` does not count here",
        "no-nginx": f"{cause.of} has no `nginx`: who includes the snippet decides",
        "route": "`route`",
    }
    return said[cause.kind]


def _allow(cause: Cause) -> str:
    whose = _WHOSE[cause.of]
    if cause.kind == "no-allow":
        return "nginx has no `allow`" if cause.of == "nginx" else "no `allow`"
    if not cause.names:
        return f"{whose}`allow` is empty"
    return f"{whose}`allow: [{listed(cause.names, MOST)}]`"
