"""The proof of an import, of nginx: its servers and locations beside the facts of what was written.

In: a `Sighted`, and the facts of the new inventory's plan. Out: more of the `Verdicts`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portgen.adopt.directives import SENT_HEADERS, THIS_HOST, is_alike
from portgen.adopt.nginx_files import absolute
from portgen.adopt.sighted import Listen, Part, Place, Said, Server, Sighted
from portgen.adopt.verdicts import Verdicts
from portgen.plan.facts import Facts, Location, Nginx, Site, single
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, LOOPBACK

_NO_ROUTE = "the route is not in the inventory"
_UNSERVED = "no route of this server is in the inventory"
_GOES_ON = "your own server goes on: it includes portgen's locations"
_NO_SETTING = "portgen's server has no such setting"
_CHALLENGES = "portgen's server answers challenges at its port for http only"
_UNUSED = "no route leads there"
_SECURED = "without a certificate portgen's nginx serves http"


def prove(found: Sighted, facts: Facts, host: str, verdicts: Verdicts) -> None:
    """Judge everything that nginx's files say."""
    proof = _Served(found.servers, facts, host, verdicts)
    for server in found.servers:
        proof.server(server)
    # What is said for all servers is taken over where it is for one.
    for server in sorted(found.servers, key=lambda one: not proof.is_served(one)):
        proof.inherited(server)
    is_served = any(map(proof.is_served, found.servers))
    for part in found.set_headers:
        verdicts.take_or_leave(part.said, _UNSERVED, is_there=is_served)
    for server in found.servers:
        for part in server.general_settings:
            verdicts.leave_rest(part.said, _NO_SETTING)
    for upstream in found.upstreams:
        is_there = upstream.backend in proof.backends
        verdicts.take_or_leave(upstream.said, _UNUSED, is_there=is_there)
        verdicts.take_or_leave(upstream.server, _UNUSED, is_there=is_there)
    proxies = {proxy.lower() for proxy in proof.nginx.proxies}
    for part in (*found.proxies, *(part for server in found.servers for part in server.proxies)):
        is_there = part.value.lower() in proxies
        if part.about == "real_ip_recursive":
            is_there = bool(proxies)  # portgen's servers say it beside them
        verdicts.take_or_leave(part.said, _NO_SETTING, is_there=is_there)


class _Served:
    def __init__(self, servers: list[Server], facts: Facts, host: str, verdicts: Verdicts) -> None:
        self.servers = servers
        self.by_name: dict[str, list[Server]] = {}
        for server in servers:
            for _, name in server.names:
                self.by_name.setdefault(name, []).append(server)
        self.nginx = facts.nginx.get(host, Nginx())
        self.verdicts = verdicts
        self.routes: dict[str, Location] = {}
        self.realms: dict[str, str] = {}
        self.backends: set[str] = set()  # of the locations that are taken over
        for key, service in facts.services.items():
            self.routes.update(service.routes)
            self.realms.update(dict.fromkeys(service.routes, service.title or key.name))
        self.directives = {text for one in self.routes.values() for text in one.route.directives}

    def server(self, server: Server) -> None:
        if server.goes_on:
            self._goes_on(server)
        names = [name for _, name in server.names]
        sites = list(self._sites(names)) if server.is_replaced else []
        known = {*self.nginx.names, *self.nginx.sites}
        for said, name in server.names:
            self.verdicts.take_or_leave(said, "no route is under this name", is_there=name in known)
        for listen in server.listen:
            self._listen(listen, server, sites)
        self._settings(server, sites)
        for place in server.places:
            self._place(server, names, place)
        for slash in server.slashes:
            is_there = any(f"{host}{slash.path}" in self.routes for host in ("", *names))
            for said in (slash.said, *slash.inside):
                self.verdicts.take_or_leave(said, _NO_ROUTE, is_there=is_there)
        is_secure = any(site.certificate for site in sites)
        for redirect in server.redirects:
            self.verdicts.take_or_leave(redirect.said, _SECURED, is_there=is_secure)
            if is_secure and "301" not in redirect.said.text.split():
                self.verdicts.differ(redirect.said, ["portgen's server sends 301"])

    def _settings(self, server: Server, sites: list[Site]) -> None:
        for part in server.settings:
            is_there = any(_has_setting(site, part) for site in sites)
            self.verdicts.take_or_leave(part.said, _NO_SETTING, is_there=is_there)
        for part in server.general_settings:
            if any(_has_setting(site, part) for site in sites):
                self.verdicts.take(part.said)

    def is_served(self, server: Server) -> bool:
        """Whether a route of it is in the inventory."""
        return any(
            self.verdicts.is_taken(part.said) for place in server.places for part in place.parts
        )

    def inherited(self, server: Server) -> None:
        """What locations have from their server, or from what is said for all."""
        is_served = self.is_served(server)
        for part in (*server.inherited, *server.general):
            self.verdicts.take_or_leave(part.said, _UNSERVED, is_there=is_served)
        for said in (*server.challenges, *server.noted):
            self.verdicts.take_or_leave(said, _UNSERVED, is_there=server.is_replaced)
        if any("ssl" in listen.options for listen in server.listen):
            for said in server.challenges:
                self.verdicts.differ(said, [_CHALLENGES])
        for part in server.set_headers:
            self.verdicts.take_or_leave(part.said, _UNSERVED, is_there=is_served)
        for part in (*server.extra, *server.more_headers):
            self.verdicts.take_or_leave(part.said, _UNSERVED, is_there=part.text in self.directives)

    def _goes_on(self, server: Server) -> None:
        """A server of the team's that includes portgen's locations."""
        names = [said for said, _ in server.names]
        listens = [listen.said for listen in server.listen]
        redirects = [redirect.said for redirect in server.redirects]
        slashes: list[Said] = []
        for one in server.slashes:
            slashes += () if one.said in server.replaced_locations else (one.said, *one.inside)
        settings = [part.said for part in (*server.settings, *server.extra)]
        moved = {part.said for part in server.extra if part.about in SENT_HEADERS}
        own = (*server.challenges, *server.noted)
        for said in (*names, *listens, *redirects, *slashes, *settings, *own):
            if said not in moved:
                self.verdicts.leave_rest(said, _GOES_ON)

    def _sites(self, names: list[str]) -> Iterator[Site]:
        """The planned sites that a server is."""
        for name in names:
            if name in self.nginx.sites:
                yield self.nginx.sites[name]
        if not names or set(names) & set(self.nginx.names):
            nginx = self.nginx
            yield Site(nginx.listen, nginx.certificate, nginx.http2, nginx.acme)

    def _listen(self, listen: Listen, server: Server, sites: list[Site]) -> None:
        said, port = listen.said, listen.endpoint.port
        if said in self.verdicts:
            return
        if not server.is_replaced:
            self.verdicts.leave(said, "its server stays your own")
            return
        known = {one.port for site in sites for one in site.listen}
        if port in known:
            self.verdicts.take(said, self._listen_differences(listen, server, known))
        else:
            self.verdicts.leave(said, "portgen's server does not listen there")

    def _listen_differences(self, listen: Listen, server: Server, known: set[int]) -> Iterator[str]:
        """What a server of portgen's does at its ports that the team's own did not."""
        same = [one for other in self._of_name(server) for one in other.listen]
        sockets = {one.socket for one in same if one.endpoint.port == listen.endpoint.port}
        for family, address in (("IPv4", EVERYWHERE), ("IPv6", EVERYWHERE6)):
            if sockets.isdisjoint((address, "")):
                yield f"portgen's server listens by {family}, too"
        more = ", ".join(map(str, sorted(known - {one.endpoint.port for one in same})))
        is_secure = "ssl" in listen.options
        if more and is_secure:
            yield f"portgen's server listens at {more}, too, and sends visitors here"
        if server.places and not is_secure and len(known) > 1:
            yield "http is sent to https"

    def _of_name(self, server: Server) -> list[Server]:
        """The servers that have a name of this one."""
        found: dict[int, Server] = {}
        for _, name in server.names:
            found.update((id(one), one) for one in self.by_name[name])
        return list(found.values()) if server.names else self.servers

    def _place(self, server: Server, names: list[str], place: Place) -> None:
        path = place.path
        hosts = [name for name in names if f"{name}{path}" in self.routes]
        if path in self.routes and (server.is_default or set(names) & set(self.nginx.names)):
            hosts.append("")
        headers = [part for part in place.parts if part.about.startswith("header:")]
        for part in (*place.set_headers, *headers) if hosts else ():
            planned = self.routes[f"{hosts[0]}{path}"]
            self.verdicts.take(part.said, _header_differences(part, server, planned, path))
        for part in place.parts:
            if not hosts:
                self.verdicts.leave_rest(part.said, _NO_ROUTE)
                continue
            planned = self.routes[f"{hosts[0]}{path}"]
            self.backends.add((place.fact.backend or "").partition(" ")[0])
            self.verdicts.take(part.said, _differences(part, place.fact, planned, path))
            if part.text.startswith("auth_basic ") and planned.route.auth_file is not None:
                realm = self.realms[f"{hosts[0]}{path}"]
                if part.value.strip("\"'") != realm:
                    self.verdicts.differ(part.said, [f"the realm becomes {realm}"])


def _has_setting(site: Site, part: Part) -> bool:
    match part.about:
        case "key":
            return site.certificate is not None
        case "certificate":
            return site.certificate == absolute(part.value)
        case "acme":
            return site.acme == part.value
    return part.value == ("on" if site.http2 else "off")


def _differences(part: Part, seen: Location, planned: Location, path: str) -> Iterator[str]:
    """What the plan says otherwise than one directive of a location."""
    one, other = seen.route, planned.route
    match part.about:
        case "path" if one.path != path:
            yield f"becomes {path}: {one.path} itself is sent there"
        case "backend":
            yield from _backend_differences(seen, planned)
        case "clients" if (_set(one.clients), one.closed) != (_set(other.clients), other.closed):
            yield f"lets in {', '.join(other.clients) or 'everybody'}"
        case "auth_file" if (one.auth_file is None) != (other.auth_file is None):
            yield f"the planned route asks for {'no' if other.auth_file is None else 'a'} password"
        case "max_body" | "buffering" | "timeout" | "verify" | "tls_name":
            if getattr(one, part.about) != getattr(other, part.about):
                yield f"becomes {getattr(other, part.about)}"
        case "set":
            yield f"portgen's location says `{part.value.rstrip(';')}`"
        case "sent" if part.value.removesuffix("s") != str(other.timeout):
            yield f"portgen's location waits {other.timeout} s"
        case "strip" if not other.strip:
            yield "the service sees the whole path"
        case "" if part.text not in other.directives:
            yield "portgen's location lacks it"


def _backend_differences(seen: Location, planned: Location) -> Iterator[str]:
    backend, _, options = (seen.backend or "").partition(" ")
    if _place_of(backend) != _place_of(planned.backend or ""):
        yield f"leads to {planned.backend}"
    elif options:
        yield f"a route has no `{options}`"
    if planned.route.tls_name is not None and seen.route.tls_name is None:
        yield f"asked for {planned.route.tls_name} by TLS, and nginx names nobody"


def _header_differences(part: Part, server: Server, planned: Location, path: str) -> Iterator[str]:
    name = part.about.removeprefix("header:")
    value = part.value.strip("\"'")
    is_secure = any("ssl" in listen.options for listen in server.listen)
    if name == "X-Forwarded-Proto" and value == "https" and is_secure:
        return
    if name == "X-Forwarded-Prefix":
        if value != (path.rstrip("/") if planned.route.strip else ""):
            yield f"portgen sets a different {name}"
        return
    if not is_alike(name, value):
        yield f"portgen sets a different {name}"


def _place_of(backend: str) -> tuple[str, str]:
    """Where a backend is; this host by one name."""
    address, _, port = backend.rpartition(":")
    return (LOOPBACK if address.strip("[]") in THIS_HOST else address), port


def _set(sources: Iterable[str]) -> set[str]:
    return {single(source) for source in sources}
