"""nginx as an inventory has it already: what an import into it has to fit.

In: the plan of a host. Out: `Existing`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from portgen.adopt.draft import Route, Site
from portgen.adopt.fitting import network
from portgen.plan import servers
from portgen.plan.facts import single
from portgen.plan.ports import Endpoint
from portgen.plan.routes import Route as PlannedRoute
from portgen.plan.servers import Server
from portgen.plan.types import Host


class Existing(NamedTuple):
    """`has_nginx`: whether it has any. `names`: of the default site; none where the team's own server
    includes portgen's locations. `general`: what a site has that says nothing itself. `holds`: whether a
    service has a port. `proxies`, `header`: whom nginx believes about a visitor's address."""

    has_nginx: bool
    names: frozenset[str]
    general: Site
    sites: Mapping[str, Site]
    routes: Mapping[str, PlannedRoute]
    holds: Callable[[Endpoint, str], bool]
    proxies: frozenset[str] = frozenset()
    header: str = ""

    @property
    def all_names(self) -> set[str]:
        """Those of all the servers that portgen renders."""
        return {*self.names, *self.sites}

    def site(self, name: str) -> Site:
        """What portgen's server of a name is; "" for the default one."""
        return self.sites.get(name, self.general)

    def believes(self, proxies: Iterable[str], header: str) -> bool:
        """Whether nginx believes these proxies, and no others."""
        same = {network(one) or one for one in proxies} == self.proxies
        return same and (not self.proxies or header.lower() == self.header.lower())

    def why_unknown(self, route: Route, endpoint: Endpoint, bind: str) -> str:
        """Why a location can't be a route of a service that the inventory has already; "" where it has the
        route, or lacks the service."""
        if route.host + route.path in self.routes or not self.holds(endpoint, bind):
            return ""
        written = f"{{host: {route.host}, path: {route.path}}}" if route.host else route.path
        return (
            f"the inventory has the service of port {endpoint.port}: write `route: {written}` there"
        )

    def why_otherwise(self, route: Route, protocol: str, endpoint: Endpoint, bind: str) -> str:
        """Why a location can't be this route of the inventory's; "" where the inventory has it, or gets it
        with its service."""
        name = route.host + route.path
        known = self.routes.get(name)
        if known is None:
            return self.why_unknown(route, endpoint, bind)
        if known.port.endpoint.everywhere != endpoint.everywhere:
            return f"the inventory has {name} for {known.service}"
        said = {network(str(one)) or str(one) for one in _listed(route.fields.get("allow"))}
        if said != set(map(single, known.clients)) and said != set(known.clients):
            return f"the inventory lets other visitors in to {name}"
        if known.closed:
            return f"the inventory lets nobody in to {name}"
        if route.fields.get("auth_file") != known.auth_file:
            return f"the inventory has other passwords for {name}"
        if protocol != known.protocol:
            return f"the inventory asks the service of {name} by {known.protocol}"
        if route.path != "/" and bool(route.fields.get("strip", True)) != known.strip:
            return f"the inventory has another path inside the service for {name}"
        return ""


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def of(host: Host, holds: Callable[[Endpoint, str], bool]) -> Existing:
    """What a host has of nginx."""
    routes = {route.name: route for route in host.routes}
    server = host.server
    if server is None:
        return Existing(False, frozenset(), Site(""), {}, routes, holds)
    sites = {site.name: _site(site) for site in server.sites if site.name}
    general = _general(server)
    proxies = frozenset(network(one) or one for one in server.proxies)
    names = frozenset(server.names)
    return Existing(True, names, general, sites, routes, holds, proxies, server.proxies_header)


def _site(site: servers.Site) -> Site:
    """Where a site listens, and where its challenges lie; HTTP/2 is not compared."""
    return Site(
        site.name,
        site.listen,
        site.listen_tls,
        site.certificate or "",
        site.certificate_key or "",
        acme=site.acme or "",
    )


def _general(server: Server) -> Site:
    """nginx's own values."""
    return Site(
        "",
        server.listen,
        server.listen_tls,
        server.certificate or "",
        server.certificate_key or "",
        http2=any(site.http2 for site in server.sites if not site.name),
        acme=next((site.acme or "" for site in server.sites if not site.name), ""),
    )
