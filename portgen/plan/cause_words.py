"""One of the things that decide who may come, in English, without its line.

In: the `Cause`s of `why` and of `deciding`. Out: clauses. Pure.
"""

from __future__ import annotations

from portgen.plan.reach import in_words
from portgen.plan.why import Cause
from portgen.problem import listed

MOST = 6  # words of an `allow`, or CIDRs of a name, in a clause

# Who closes a port that is bound to an address of the host, by `via`.
_CLOSED = {
    "socat": "systemd lets only the host itself connect to its forwarder",
    "docker": "the guard lets nobody else in",
}
_WHOSE = {"service": "", "route": "the route's own ", "nginx": "nginx's "}


def said(cause: Cause) -> str:
    """`nginx's `allow: [lan]``, `it listens on 127.0.0.1 only`."""
    if cause.kind in ("allow", "no-allow"):
        return _allow(cause)
    names = listed([in_words(name) for name in cause.names], MOST)
    words = {
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
        "refused": "ufw refuses what no rule allows",
        "proxies": f"{names} {'is a proxy' if len(cause.names) == 1 else 'are proxies'} in `client_ip`, "
        "which may name any visitor",
        "undecided": f"nginx's `{names}` decides, which portgen can't answer",
        "own-server": "nginx has a server of the team's own, which may be at the port of any program",
        "by-ufw": f"ufw's own rules let {names} in; whether it gets it, the program decides",
        "leads-here": f"the forwarder {cause.of} leads here",
        "may-lead-here": f"the forwarder {cause.of} may lead here, which is not sure",
    }
    return words[cause.kind]


def _allow(cause: Cause) -> str:
    whose = _WHOSE[cause.of]
    if cause.kind == "no-allow":
        return "nginx has no `allow`" if cause.of == "nginx" else "no `allow`"
    if not cause.names:
        return f"{whose}`allow` is empty"
    return f"{whose}`allow: [{listed(cause.names, MOST)}]`"
