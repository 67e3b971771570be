"""nginx's own share of a host: its ports, names and sites.

In: nothing; the planner makes them. Out: `Server` and its `Site`s. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from msgspec import Struct

from portgen.inventory import model
from portgen.inventory.key_paths import KeyPath
from portgen.plan.reach import Reach

# Below it lies what a certificate authority asks for.
CHALLENGES = "/.well-known/acme-challenge/"
_HTTP2_ON = (1, 25, 1)


class Site(Struct, frozen=True):
    """A server of nginx's, by its name; the default site has the name "" and may answer to several."""

    name: str
    names: tuple[str, ...]
    listen: int
    listen_tls: int | None
    certificate: str | None
    certificate_key: str | None
    http2: bool
    acme: str | None
    acme_path: KeyPath  # where it is written: of a site that leaves it out, at nginx itself
    key_path: KeyPath

    @property
    def is_written(self) -> bool:
        """Whether it has an entry of its own; otherwise a route names it."""
        return self.key_path[-2] == "sites"


class Server(Struct, frozen=True):
    """nginx's own share of a host. `names` empty: the team has its own server block in place of the
    default site. `sites`: all that are rendered, the default one first."""

    names: tuple[str, ...]
    upstream: model.Upstream
    allow: tuple[str, ...]  # as written
    reach: Reach  # of its ports
    routes_reach: Reach  # of each route without an `allow` of its own
    listen: int
    listen_tls: int | None
    certificate: str | None
    certificate_key: str | None
    sites: tuple[Site, ...]
    ipv6: bool  # whether it listens on IPv6 too
    version: tuple[int, ...]
    proxies: tuple[str, ...]  # in front of nginx, as CIDRs; on a host without IPv6 of IPv4 alone
    written_proxies: tuple[str, ...]
    proxies_header: str
    key_path: KeyPath

    @property
    def http2_by_site(self) -> bool:
        """Whether each site speaks HTTP/2 or not. In an older nginx that is so of a port: if one of its
        sites does, all do."""
        return writes_http2_on(self.version)

    @property
    def all_names(self) -> tuple[str, ...]:
        """What nginx answers to, on all its sites."""
        return tuple(name for site in self.sites for name in site.names)

    @property
    def addresses(self) -> set[str]:
        """Those of its names that are addresses, as one types them."""
        return {name for name in self.all_names if is_address(name)}

    def site(self, name: str) -> Site | None:
        """The site of that name."""
        return next((site for site in self.sites if site.name == name), None)


def is_address(name: str) -> bool:
    """Whether a server's name is an IPv4 address."""
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def plain_name(names: Iterable[str]) -> str | None:
    """The first of nginx's names that is not a pattern: one can type it. One with a dot before it is a
    name too."""
    for name in names:
        if not name.startswith(("*", "_")) and not name.endswith("*"):
            return name.removeprefix(".")
    return None


def writes_http2_on(version: tuple[int, ...]) -> bool:
    """Whether an nginx has `http2 on;` in place of an option of `listen`."""
    return version >= _HTTP2_ON
