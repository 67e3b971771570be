"""Who may reach a port or a route, decided and in words.

In: nothing; the planner decides. Out: `Reach`, and the words for it that every page and command uses.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from portgen.inventory.zones import BY_INTERFACE

ANY = "any"
ALL_IPV4, ALL_IPV6 = "0.0.0.0/0", "::/0"  # both together are `any`; one alone is that family only
# Of a port that portgen neither binds nor opens nor closes.
UFW_DEFAULT = "whatever ufw's default says"


# Of a route behind another proxy.
THROUGH_PROXIES = "anyone through the proxies in `client_ip`"


class Reach(Struct, frozen=True):
    """Who may reach a port directly, or a route, as far as portgen decides it; `str` is how every
    page and command says it.

    `loopback`: bound to 127.0.0.1, and guarded where docker publishes it. `closed`: bound to an
    address of the host, and closed to all others. `sources`: whom `allow` names. `policy`:
    portgen neither opens nor closes it. `unguarded`: docker publishes a container whose address nobody
    fixed, so no guard covers it. `nobody`: an `allow` that names no source. `nothing`: retired, so
    nothing is rendered.
    """

    kind: Literal["loopback", "closed", "sources", "policy", "unguarded", "nobody", "nothing"]
    words: tuple[str, ...] = ()  # of `sources`, as `allow` has them
    anyone: bool = False  # all of a family, or nearly all
    by: str = ""  # of those, only who comes by `IPv4`, or by `IPv6`
    # Of a route: proxies in front of nginx may come, and name their own visitors, who may be anybody.
    proxied: bool = False
    through: tuple[str, ...] = ()  # forwarders that lead there

    def __str__(self) -> str:
        who = f"{self._who}, by {self.by} only" if self.by else self._who
        if not self.through:
            return who
        return f"{who}, and whoever reaches {', '.join(self.through)}"

    @property
    def _who(self) -> str:
        if ANY in self.words or {ALL_IPV4, ALL_IPV6} <= set(self.words):
            return "anyone"
        if self.proxied:
            return ", ".join([*map(in_words, self.words), THROUGH_PROXIES])
        return ", ".join(map(in_words, self.words)) or _REACHED[self.kind]


def in_words(source: str) -> str:
    """A source for people: all of a family has a name that says so, and an interface is called one."""
    if source.startswith(BY_INTERFACE):
        return f"interface {source.removeprefix(BY_INTERFACE)}"
    return _FAMILIES.get(source, source)


_FAMILIES = {ALL_IPV4: "anyone by IPv4", ALL_IPV6: "anyone by IPv6"}
_REACHED = {
    "loopback": "this host",
    "closed": "this host",
    "policy": UFW_DEFAULT,
    "unguarded": "not closed: its container has no guard",
    "nobody": "nobody",
    "nothing": "-",
}
