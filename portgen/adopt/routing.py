"""nginx's servers and locations, as the sites and routes of a draft.

In: a `Sighted`, a `Draft` with its services. Out: the same draft, with routes at its services and its
`nginx`. Pure. A route that leads to a port of nobody's makes a service of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from portgen.adopt import grouping, naming, nginx_ports
from portgen.adopt.directives import FIELDS, THIS_HOST
from portgen.adopt.draft import Conflict, Draft, Entry, Nginx, Port, Route, Site
from portgen.adopt.fitting import fits, is_in, is_port, network, why_not
from portgen.adopt.grouping import Named
from portgen.adopt.sighted import Left, Listen, Part, Place, Server, Sighted
from portgen.formats import ports
from portgen.inventory import model
from portgen.inventory.networks import bracketed
from portgen.inventory.values import FilePath, SiteName
from portgen.plan.ports import LOOPBACK, Endpoint
from portgen.plan.types import DEFAULT_TIMEOUT

_URI = re.compile(r"[a-z]+://[^/]+(?P<uri>/\S*)")
_NO_ROUTE = "no route is in this server: it stays your own"
_SIZE = re.compile(r"[0-9]{1,9}[kKmMgG]?")


def decide(found: Sighted, draft: Draft, existing: Collection[str] = ()) -> None:
    """Write down what nginx serves. `existing`: the names of the default site that an inventory has."""
    if found.servers:
        _Routing(found, draft, existing).decide()


class _Held(NamedTuple):
    """A route, the location that it is, and whose port it leads to."""

    route: Route
    place: Place
    entry: Entry
    port: Port


class _Routing:
    def __init__(self, found: Sighted, draft: Draft, existing: Collection[str]) -> None:
        self.existing = existing
        self.found = found
        self.draft = draft
        self.nginx = Nginx()
        self.named = grouping.named(found.servers)

    def decide(self) -> None:
        served = []
        for one in self.named:
            if one.kept:
                for server in one.servers:
                    self._left_over(server, one.kept)
            elif any(one.places):
                served.append(one)
        default = self._default(served)
        for one in served:
            if one is default:
                self._default_site(one)
            elif one.names:
                self._sites(one)
            else:
                one.kept = "the server has no name, and an inventory has one such server"
                for server in one.servers:
                    self._left_over(server, one.kept)
        for one in self.named:
            if one not in served and not one.kept:
                self._without_routes(one)
        self._upstream(served)
        self._proxies([one for one in served if not one.kept])
        self.draft.nginx = self.nginx
        nginx_ports.take(self.found, self.draft)
        nginx_ports.hold_own(self.found, self.draft)

    def _upstream(self, served: list[Named]) -> None:
        """Whether most routes lead to containers' own addresses."""
        backends = [place.fact.backend or "" for one in served for _, place in one.places]
        addressed = [backend for backend in backends if self._by_address(backend)]
        if addressed and len(addressed) * 2 >= len(backends):
            self.nginx.upstream = "address"

    def _proxies(self, served: list[Named]) -> None:
        """The proxies in front of all of nginx: those that each server with routes trusts."""
        servers = list({id(server): server for one in served for server, _ in one.places}.values())
        values = [{(part.about, part.value) for part in server.proxies} for server in servers]
        common = set.intersection(*values) if values else set()
        proxies = list(self.found.proxies)
        for server in self.found.servers:
            for part in server.proxies:
                if (part.about, part.value) in common:
                    proxies.append(part)
                else:
                    why = (
                        "not each server with routes trusts it, and `client_ip` is for all of them"
                    )
                    self.found.left.append(Left(part.said, why))
        for proxy in proxies:
            if proxy.about == "real_ip_header":
                self.nginx.header = proxy.value
            elif proxy.value != "unix:":
                self.nginx.proxies = list(dict.fromkeys([*self.nginx.proxies, proxy.value]))
        if self.nginx.proxies and not self.nginx.header:
            self.nginx.header = "X-Real-IP"  # nginx's own, where no file says one

    def _default(self, served: list[Named]) -> Named | None:
        """The servers of the default site: those that the inventory has already, or else those that have the
        paths. One that has no name is the default, too, as long as it is alone."""
        if self.existing:
            return next((one for one in served if set(one.names) & set(self.existing)), None)
        best: Named | None = None
        most = 0
        for one in served:
            paths = _paths(one)
            if paths > most or (not one.names and best is None):
                best, most = one, paths
        if best is None and len(served) == 1:
            is_plain = all(fits(name, SiteName) for name in served[0].names)
            return None if is_plain else served[0]
        return best

    # --- sites ------------------------------------------------------------------------------------

    def _default_site(self, one: Named) -> None:
        """The site that has the paths. Where its servers answer something besides, they go on, and portgen
        renders the locations alone, for them to include."""
        held = self._held(one)
        if not held:
            self._keep(one, [], _NO_ROUTE)
            return
        for server in one.servers:
            server.is_default = True
        self.nginx.default = self._site("", one)
        rest = one.rest(each.place for each in held.values())
        if rest:
            rest.sort(key=lambda said: not said.text.startswith("location"))
            more = f"{rest[0].text} ({rest[0].place})"
            self.nginx.comments.append(
                f"locations alone: your own server includes them, and has {more}"
            )
            _leave_to_servers(held, one)
        else:
            self.nginx.names = list(one.names)
        self._write(held, "")
        place = one.servers[0].said
        if not rest and not one.names and place.line:
            comment = "it answers to every name: portgen's own server needs a `server_name`"
            self.nginx.comments.append(f"{comment} ({place.place})")

    def _sites(self, one: Named) -> None:
        """A site for each name, where portgen's own servers can do all that the team's do."""
        held = self._held(one)
        places = [each.place for each in held.values()]
        rest = one.rest(places)
        unfit = [name for name in one.names if not fits(name, SiteName)]
        if not held:
            self._keep(one, places, _NO_ROUTE)
        elif rest:
            why = f"{rest[0].text} ({rest[0].place}) stays your own, and so does all of its server"
            self._keep(one, places, why)
        elif unfit:
            self._keep(one, places, f"a site has one plain name, and {unfit[0]} is none")
        else:
            for name in one.names:
                self.nginx.sites[name] = self._site(name, one)
                self._write(held, name)

    def _keep(self, one: Named, places: Iterable[Place], why: str) -> None:
        """All of a name stays the team's: also these locations, which would be routes."""
        one.kept = why
        for place in places:
            self._leave(place, why)
        for server in one.servers:
            self._rest_left(server, why)

    def _left_over(self, server: Server, why: str) -> None:
        for place in server.places:
            self.found.left += [Left(part.said, why) for part in place.parts]
        self._rest_left(server, why)

    def _rest_left(self, server: Server, why: str) -> None:
        """All of a server but its locations."""
        for part in server.settings:
            self.found.left.append(Left(part.said, why))
        for listen in server.listen:
            self.found.left.append(Left(listen.said, why))
        for where, _ in server.names:
            self.found.left.append(Left(where, why))
        for where in server.inherited:
            self.found.left.append(Left(where, why))
        for where, _ in server.slashes:
            self.found.left.append(Left(where, why))
        for where in server.redirects:
            self.found.left.append(Left(where, why))

    def _without_routes(self, one: Named) -> None:
        """A server that only sends visitors on, or serves files."""
        known = {*self.nginx.names, *self.nginx.sites}
        for server in one.servers:
            if server.redirects and set(one.names) <= known:
                self._add_redirect(server, one.names)
            else:
                self._left_over(server, _NO_ROUTE)

    def _add_redirect(self, server: Server, names: tuple[str, ...]) -> None:
        """A server for http that sends everything to https, of names that have a site."""
        for site in (self.nginx.default, *self.nginx.sites.values()):
            if site is None or (site.name or None) not in (*names, None):
                continue
            for one in server.listen:
                if "ssl" not in one.options:
                    site.listen = site.listen or one.endpoint.port
            for part in server.settings:
                if part.about == "acme":
                    site.acme = site.acme or part.value

    def _site(self, name: str, one: Named) -> Site:
        site = Site(name)
        for server in one.servers:
            certificate = server.setting("certificate")
            for listen in server.listen:
                _listen(site, listen, certificate is not None)
            _secure(site, certificate, server.setting("key"))
            site.http2 = site.http2 or server.setting("http2") == "on"
            site.acme = site.acme or _path(server.setting("acme"))
        if site.listen is None and site.listen_tls is None and one.servers[0].said.line:
            site.listen = 80
        return site

    # --- routes -----------------------------------------------------------------------------------

    def _write(self, held: dict[str, _Held], host: str) -> None:
        """Each route at the service that has its port, under a name."""
        for route, place, entry, port in held.values():
            known = {(other.host, other.path) for _, other in entry.routes}
            if (host, route.path) not in known:
                of_host = Route(host, route.path, route.fields)
                entry.routes.append((entry.ports.index(port), of_host))
            port.protocol = place.fact.route.protocol

    def _held(self, one: Named) -> dict[str, _Held]:
        """The routes by their paths, as the locations stand."""
        patterns = [pattern for server in one.servers for pattern in server.patterns]
        paths = [place.fact.route.path for _, place in one.places]
        held: dict[str, _Held] = {}
        for server, place in one.places:
            why = grouping.why_not_a_route(place, patterns, paths)
            route = None
            if why:
                self._leave(place, why)
            else:
                route = self._route(server, place)
            if route is None or route.path in held:
                continue  # the servers for http and for https have the same location
            found = self._holder(place, route.path, one)
            if found is not None:
                held[route.path] = _Held(route, place, *found)
        return held

    def _route(self, server: Server, place: Place) -> Route | None:
        """The route's fields; None where its path or what it leads to can't be said."""
        said = place.fact.route
        path = said.path if said.path.endswith("/") else f"{said.path}/"
        uri = self._uri(place)
        if not _is_kept_or_stripped(said.path, uri):
            kept = "a route keeps its path or strips it"
            self._leave(place, f"leads to {uri} inside the service: {kept}")
            return None
        fields: dict[str, object] = {}
        if path != "/" and not _strips(place, uri):
            fields["strip"] = False
        fields.update(_restrictions(place))
        if said.buffering and _is_written(server, place, "buffering"):
            fields["buffering"] = True
        if said.timeout != DEFAULT_TIMEOUT and _is_written(server, place, "timeout"):
            fields["timeout"] = said.timeout
        extra = _extra(server, place)
        if extra:
            fields["extra"] = extra
        why = why_not({"path": path, **fields}, model.Route)
        if said.closed:
            why = "nobody may come to it, and a route has visitors"
        for client in said.clients:
            if network(client) is None:
                why = f"{client} is neither a network nor an address"
        if why is not None:
            self._leave(place, f"an inventory can't have it: {why}")
            return None
        return Route("", path, fields)

    def _uri(self, place: Place) -> str | None:
        for part in place.parts:
            if part.about == "backend":
                match = _URI.fullmatch(part.value)
                return match["uri"] if match else None
        return None

    def _leave(self, place: Place, why: str) -> None:
        self.found.left += [Left(part.said, why) for part in place.parts]

    def _holder(self, place: Place, path: str, one: Named) -> tuple[Entry, Port] | None:
        """Whose port the route leads to. One that nobody holds is a service that nginx alone names."""
        backend = place.fact.backend
        if backend is None or ", " in backend:
            self._leave(place, "where it leads, nginx decides request by request")
            return None
        address, _, number = backend.partition(" ")[0].rpartition(":")
        port = ports.number(number)
        if backend.startswith("unix:") or port is None or not is_port(port):
            self._leave(place, "leads to no port: a route leads to one")
            return None
        by_address = self._by_address(backend)
        if by_address is not None:
            return by_address
        address = address.strip("[]")
        if address not in THIS_HOST:
            held = self.draft.at(Endpoint(port, "tcp", address=address), address)
            if held is not None and held[1].bind == address:
                return held
            self._elsewhere(place, address, port)
            return None
        held = self.draft.at(Endpoint(port, "tcp"), LOOPBACK)
        if held is not None:
            return held
        return self._of_nobody(place, path, one, port)

    def _by_address(self, backend: str) -> tuple[Entry, Port] | None:
        """The service in a container that has this address."""
        for joined in self.found.joined:
            if not joined.address:
                continue
            for entry in self.draft.of_box(joined.box):
                for port in entry.ports:
                    if backend == f"{bracketed(joined.address)}:{port.inside}":
                        return entry, port
        return None

    def _elsewhere(self, place: Place, address: str, port: int) -> None:
        whose = next((one for one in self.found.joined if one.address == address), None)
        is_lost = whose is None and any(is_in(address, net.subnet) for net in self.found.nets)
        if whose is not None:
            box = whose.box.service
            why = f"leads to the address of {box}: a route leads to a port of the host, so publish one"
        elif re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+", address):
            why = (
                f"leads to {address}: a route leads to a port of this host (`to` makes one of that)"
            )
        else:
            why = f"{address} is a name that containers know: portgen's nginx runs on the host"
            names = {box.service for box in self.found.boxes}
            is_lost = address not in names and not re.search(r"[.:]", address)
        self._leave(place, why)
        if is_lost:
            message = f"{place.said.text} leads to {address}:{port}, where no source knows anybody"
            self.draft.conflicts.append(
                Conflict("route-to-nobody", message, (_backend(place).said,))
            )

    def _of_nobody(self, place: Place, path: str, one: Named, port: int) -> tuple[Entry, Port]:
        host = one.names[0].split(".")[0] if one.names else ""
        name = naming.plain(host if path == "/" else path)
        if name == "unnamed":
            name = f"port-{port}"
        hosted = self._hosted(name)
        if hosted is None:
            taken = {entry.name for entry in self.draft.entries}
            name = name if name not in taken else f"port-{port}"
            hosted = Entry(naming.PROGRAMS, name, "process", program="")
            where = _backend(place).said
            hosted.comments.append(
                f"nginx alone names port {port} ({where.place}); who listens is not said"
            )
            self.draft.entries.append(hosted)
            if self.found.kinds & {"ss", "compose", "docker", "units"}:
                message = (
                    f"{place.said.text} leads to port {port}, of which no source names a holder"
                )
                self.draft.conflicts.append(Conflict("route-to-nobody", message, (where,)))
        endpoint = Endpoint(port, "tcp")
        self.draft.hold(hosted, Port(endpoint, port, "", [_backend(place).said]))
        return hosted, hosted.ports[-1]

    def _hosted(self, name: str) -> Entry | None:
        """A container on the host's network whose port no other source names, by the route's name."""
        for mode in self.found.modes:
            own = naming.plain(mode.box.service)
            named = name == own or name.endswith(f"-{own}")
            if mode.of is None and named and not any(self.draft.of_box(mode.box)):
                entry = Entry(self.draft.projects.of(mode.box.project), own, "host", box=mode.box)
                self.draft.entries.append(entry)
                return entry
        return None


def _paths(one: Named) -> int:
    """How many paths lead to services; none where all of it is one service's."""
    paths = [place.fact.route.path for _, place in one.places]
    backends = {place.fact.backend for _, place in one.places}
    return 0 if len(backends) == 1 and "/" in paths else sum(path != "/" for path in paths)


def _leave_to_servers(held: dict[str, _Held], one: Named) -> None:
    """Take out of routes what they have from the team's own servers anyway."""
    known = {part.text for server in one.servers for part in server.extra}
    for each in held.values():
        extra = each.route.fields.pop("extra", [])
        kept = [text for text in extra if text not in known]  # type: ignore[attr-defined]
        if kept:
            each.route.fields["extra"] = kept


def _extra(server: Server, place: Place) -> list[str]:
    """What a route has no field for. A location that says a directive itself has none of its server's."""
    extra = [part.text for part in place.parts if part.about == ""]
    headers = [part.text for part in place.parts if part.about.startswith("header:")]
    own = {text.split(" ")[0] for text in (*extra, *headers)}
    return [*extra, *(part.text for part in server.extra if part.about not in own)]


def _listen(site: Site, listen: Listen, has_certificate: bool) -> None:
    """A port of a site's: of several the first one counts."""
    port = listen.endpoint.port
    if "ssl" in listen.options or (has_certificate and port == 443):
        site.listen_tls = site.listen_tls or port
    else:
        site.listen = site.listen or port
    site.http2 = site.http2 or "http2" in listen.options


def _secure(site: Site, certificate: str | None, key: str | None) -> None:
    """A site's certificate, where both files are named."""
    if _path(certificate) and _path(key):
        site.certificate = site.certificate or _path(certificate)
        site.key = site.key or _path(key)


def _path(written: str | None) -> str:
    """A path of the host; "" for what is none, or has a variable in it."""
    if written is None or "$" in written or not fits(written, FilePath):
        return ""
    return written


def _backend(place: Place) -> Part:
    return next((part for part in place.parts if part.about == "backend"), place.parts[0])


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"/etc/nginx/{path}"


def _is_kept_or_stripped(path: str, uri: str | None) -> bool:
    """Whether a service sees the path as it is, or without the location's, as with a route. Of one without
    its last slash it would be another path inside the service."""
    return uri is None or (path.endswith("/") and uri in ("/", path))


def _strips(place: Place, uri: str | None) -> bool:
    """Whether the service sees the path without the location's: by its `proxy_pass`, or by a rewrite."""
    return uri == "/" or any(part.about == "strip" for part in place.parts)


def _restrictions(place: Place) -> dict[str, object]:
    """Who may come to a location, with what, and how much they may send."""
    said = place.fact.route
    fields: dict[str, object] = {}
    if said.clients:
        fields["allow"] = [network(client) or client for client in said.clients]
    if said.auth_file is not None:
        fields["auth_file"] = _absolute(said.auth_file)
    if said.max_body is not None and _SIZE.fullmatch(said.max_body):
        fields["max_body"] = said.max_body
    if said.verify is not None:
        fields["verify"] = said.verify
    return fields


def _is_written(server: Server, place: Place, about: str) -> bool:
    """Whether the location or its server says it: nginx's own value is not taken over."""
    if any(part.about == about for part in place.parts):
        return True
    return any(
        FIELDS.get(one.text.split(" ")[0]) == about for one in (*server.inherited, *server.general)
    )
