"""A service's routes as they are planned: what an entry or a default asks for, with the defaults
applied, and where nginx sends the requests.

In: an entry of the inventory, what is planned of the service, and `Sources` of its host. Out:
`WrittenRoute`s, and `Route`s where nginx can serve them. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import UNSET, UnsetType, structs

from portgen.inventory import key_paths, model
from portgen.inventory.networks import Address4, bracketed
from portgen.plan.ports import GRPC, LOOPBACK, WITH_TLS, PlannedPort
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY, Reach
from portgen.plan.routes import Route, WrittenRoute
from portgen.plan.sources import Sources, is_everybody
from portgen.plan.types import KeyPath

# A route in one of the forms that people write, and several.
Written = str | model.Route
WrittenRoutes = Written | list[Written] | UnsetType | None
_FAMILIES = {(ALL_IPV4,): "IPv4", (ALL_IPV6,): "IPv6"}


class ServiceBasis(NamedTuple):
    """What a service's routes depend on."""

    name: str
    title: str
    project: str
    ports: tuple[PlannedPort, ...]
    address: Address4 | None
    timeout: int
    compose_service: str
    path: KeyPath


class Routing:
    """Plans the routes of one project's services; holds what they share."""

    def __init__(self, default: WrittenRoutes, sources: Sources) -> None:
        self.default = default
        self.sources = sources
        self.by_address = sources.nginx is not None and sources.nginx.upstream == "address"

    def of(self, service: model.Service, known: ServiceBasis) -> Iterator[WrittenRoute]:
        """The service's routes, those to its first port first."""
        if not known.ports:
            yield from self._routes(service.route, (*known.path, "route"), None, known)
        for index, (port, upstream) in enumerate(zip(known.ports, _upstreams(known), strict=True)):
            written, at = self._written(service, index, port, known)
            yield from self._routes(written, at, port, known, upstream)

    def _written(
        self, service: model.Service, index: int, port: PlannedPort, known: ServiceBasis
    ) -> tuple[WrittenRoutes, KeyPath]:
        """What is written of the routes to a port, and where: in its own entry; of the first port,
        in the service or, where it speaks http or https, in the project's defaults."""
        entry = None if service.ports is UNSET else service.ports[index]
        if isinstance(entry, model.PortEntry) and entry.route is not UNSET:
            return entry.route, (*known.path, "ports", index, "route")
        if index > 0:
            return None, known.path
        if service.route is UNSET and port.in_browser:
            return self.default, (*key_paths.defaults(known.project), "route")
        return service.route, (*known.path, "route")

    def _routes(
        self,
        written: WrittenRoutes,
        at: KeyPath,
        port: PlannedPort | None,
        known: ServiceBasis,
        upstream: str = "",
    ) -> Iterator[WrittenRoute]:
        for each, place in _each(written, at):
            yield self._route(each, place, port, known, upstream)

    def _route(
        self,
        written: Written,
        at: KeyPath,
        port: PlannedPort | None,
        known: ServiceBasis,
        upstream: str,
    ) -> WrittenRoute:
        """A `Route` where nginx can hand requests to its port."""
        route = model.Route(path=written) if isinstance(written, str) else written
        allow = tuple(route.allow)
        clients = self.sources.visitors(allow)
        reach = self._reach(allow, clients)
        path = _path(route, known.name)
        settings: dict[str, Any] = {
            "service": known.name,
            "title": known.title,
            "host": route.host or "",
            "path": path,
            "strip": _strips(route, path, port),
            "strip_is_true": route.strip is True,
            "rewrite": route.rewrite,
            "verify": route.verify if isinstance(route.verify, str) else None,
            "verify_is_true": route.verify is True,
            "allow": allow,
            "clients": () if self.sources.is_all(clients) else clients,
            "closed": bool(allow) and not clients,
            "reach": reach,
            "has_own_allow": reach is not self.sources.routes_reach,
            "auth_file": route.auth_file,
            "max_body": None if route.max_body is None else str(route.max_body),
            "buffering": route.buffering,
            "timeout": route.timeout.seconds if route.timeout else known.timeout,
            "extra": tuple(route.extra),
            "key_path": at,
        }
        if port is None or not port.speaks_http:
            return WrittenRoute(**settings, port=port)
        return Route(
            **settings,
            port=port,
            upstream=upstream,
            tls_name=known.compose_service if port.protocol in WITH_TLS else None,
            backend=self._backend(port, known),
        )

    def _reach(self, allow: tuple[str, ...], clients: tuple[str, ...]) -> Reach | None:
        """nginx asks no more of a visitor where the route's own `allow` leaves nobody out. One that
        names a whole family leaves out the other one, where nginx has it."""
        nginx = self.sources.routes_reach
        if allow and not clients:
            return Reach("nobody")
        if not clients or self.sources.is_all(clients):
            return nginx
        words = tuple(word for word in allow if self.sources.visitors((word,)))
        if not is_everybody(clients):
            return Reach("sources", words)
        if nginx is None:
            return None
        # A proxy's own visitors may be of either family.
        if not nginx.proxied and self.sources.nginx_is_within(clients):
            return nginx
        if ANY not in nginx.words and clients in _FAMILIES:
            return structs.replace(nginx, by=_FAMILIES[clients])
        return Reach("sources", words, nginx.anyone)

    def _backend(self, port: PlannedPort, known: ServiceBasis) -> str:
        """Where nginx sends requests: the host's port, or, where the host's nginx says so, the
        container's own address."""
        if self.by_address and known.address is not None:
            return f"{known.address}:{port.container_port}"
        return f"{_found_at(port)}:{port.port}"


def _each(written: WrittenRoutes, at: KeyPath) -> Iterator[tuple[Written, KeyPath]]:
    """One route or several, each with its place."""
    if isinstance(written, list):
        for index, each in enumerate(written):
            yield each, (*at, index)
    elif written:
        yield written, at


def _found_at(port: PlannedPort) -> str:
    """The address at which the host itself finds a port."""
    return bracketed(port.address or LOOPBACK)


def _path(route: model.Route, service: str) -> str:
    """Beside a host the path is `/` where it is left out; without either it is "", and a rule says
    so."""
    if route.path is UNSET:
        return "/" if route.host else ""
    return route.path.replace("{name}", service)


def _strips(route: model.Route, path: str, port: PlannedPort | None) -> bool:
    """The path of a grpc call is its method, of which nothing can be stripped. Of `/` there is nothing to
    strip: nginx then passes a path on as it was sent, with `%2F` as it is, and does not decode it."""
    if port is not None and port.protocol in GRPC:
        return False
    return route.strip is not False and path not in ("", "/")


def _upstreams(known: ServiceBasis) -> Iterator[str]:
    """The name of each port's upstream, which no other port has: the first port's is the service's name
    alone, so that a moved port keeps it. A further port's has its own name behind it, which is never a
    number; or its number, and its address where the service has that number on several."""
    name = f"portgen_{known.name}"
    numbers = Counter(port.port for port in known.ports[1:] if _goes_by_number(port))
    for index, port in enumerate(known.ports):
        if index == 0:
            yield name
        elif port.name is not None:
            yield f"{name}.{port.name}"
        elif numbers[port.port] > 1:
            yield f"{name}.{port.port}{port.address_in_name}"
        else:
            yield f"{name}.{port.port}"


def _goes_by_number(port: PlannedPort) -> bool:
    return port.name is None and port.speaks_http
