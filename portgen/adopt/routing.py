"""nginx's servers and locations, as the sites and routes of a draft.

In: a `Sighted`, a `Draft` with its services. Out: the same draft, with routes at its services and its
`nginx`; what becomes of each server. Pure. A route that leads to a port of nobody's makes a service of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from portgen.adopt import beside, grouping, naming, nginx_ports, routes, shadowing, trust
from portgen.adopt.directives import THIS_HOST
from portgen.adopt.draft import Conflict, Draft, Entry, Nginx, Port, Route, Site
from portgen.adopt.existing import Existing
from portgen.adopt.fitting import fits, is_in, is_port
from portgen.adopt.grouping import Named
from portgen.adopt.listening import host_path
from portgen.adopt.routes import Unsaid
from portgen.adopt.sighted import Left, Listen, Place, Said, Server, Sighted
from portgen.formats import ports
from portgen.inventory.networks import bracketed
from portgen.inventory.values import SiteName
from portgen.plan.ports import LOOPBACK, LOOPBACK6, Endpoint

_NO_ROUTE = "no route is in this server: it stays your own"
_NAMELESS = "the server has no name, and an inventory has one such server"
_UNKNOWN_SITE = (
    "the inventory's nginx has no such site: write it under `nginx: {sites: …}`, and import again"
)


def decide(found: Sighted, draft: Draft, existing: Existing | None = None) -> None:
    """Write down what nginx serves. `existing`: what an inventory has of it already."""
    if found.servers:
        _Routing(found, draft, existing).decide()


class _Held(NamedTuple):
    """A location that can be a route, with its server, and whose port it leads to."""

    server: Server
    place: Place
    entry: Entry
    port: Port


class _Routing:
    def __init__(self, found: Sighted, draft: Draft, existing: Existing | None) -> None:
        self.existing = existing
        self.found = found
        self.draft = draft
        self.nginx = Nginx()
        self.named = grouping.named(found.servers)
        self.own_ports = {one.endpoint.port for server in found.servers for one in server.listen}
        self.own_ports.update(one.port for one in draft.served)
        self.held: dict[Named, dict[str, _Held]] = {}

    def decide(self) -> None:
        for one in self.named:
            if one.kept:
                for server in one.servers:
                    self._left_over(server, one.kept)
            elif any(one.places):
                self.held[one] = self._held(one)
        default = self._default(list(self.held))
        self._trust(default)
        self._keep_all(default)
        served = [one for one in self.held if not one.kept]
        for one in served:
            if one is default:
                self._default_site(one)
            else:
                self._sites(one)
        self._without_routes([one for one in self.named if not one.kept and one not in served])
        self._upstream(served)
        self.draft.nginx = self.nginx
        nginx_ports.take(self.found, self.draft)
        nginx_ports.hold_own(self.found, self.draft)

    def _keep_all(self, default: Named | None) -> None:
        """Decide which servers with routes stay the team's: some of them since others do."""
        for why_kept in (self._why_kept, self._why_of_others):
            for one in self.held:
                why = "" if one.kept else why_kept(one, default)
                if why:
                    self._keep(one, why)

    def _upstream(self, served: list[Named]) -> None:
        """Whether most routes lead to containers' own addresses."""
        backends = [place.fact.backend or "" for one in served for _, place in one.places]
        addressed = [backend for backend in backends if self._by_address(backend)]
        if addressed and len(addressed) * 2 >= len(backends):
            self.nginx.upstream = "address"

    def _trust(self, default: Named | None) -> None:
        """Which proxies in front of nginx are believed."""
        going = default.servers if default is not None and self._goes_on(default) else []
        servers = {id(server): server for one in self.held for server, _ in one.places}
        trust.decide(self.found, self.nginx, list(servers.values()), going)

    def _goes_on(self, default: Named) -> bool:
        """Whether the servers of the default site include portgen's locations, and have all the rest."""
        return not default.names or bool(self._rest(default))

    def _rest(self, one: Named) -> list[Said]:
        return one.rest(each.place for each in self.held[one].values())

    def _default(self, served: list[Named]) -> Named | None:
        """The servers of the default site: those that the inventory has already, or else those that have the
        paths. One that has no name is the default, too, as long as it is alone."""
        if self.existing is not None:
            return next((one for one in served if self._is_known_default(one, self.existing)), None)
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

    def _is_known_default(self, one: Named, existing: Existing) -> bool:
        """Whether servers are the default site of the inventory. Where it has no name, the team's own
        server includes its locations, or will: then all of them are known."""
        if existing.names:
            return bool(one.names) and existing.names.issuperset(one.names)
        if any(server.includes_portgen for server in one.servers):
            return True
        return bool(self.held[one]) and existing.routes.keys() >= self.held[one].keys()

    # --- sites ------------------------------------------------------------------------------------

    def _why_kept(self, one: Named, default: Named | None) -> str:
        """Why servers with routes stay the team's all the same; "" where portgen's can do all that they do,
        or may be included in them."""
        if not self.held[one]:
            return _NO_ROUTE
        rest = self._rest(one)
        if one is default:
            is_portgens = self.existing is not None and bool(self.existing.names)
            why = self._why_otherwise(one, "")
            if not why and rest and is_portgens:
                return _more(rest[0])
            return why or ("" if self._goes_on(one) else self._why_shadowing(one, ""))
        if not one.names:
            return _NAMELESS
        if rest:
            return _more(rest[0])
        for name in one.names:
            if not fits(name, SiteName):
                return f"a site has one plain name, and {name} is none"
            why = self._why_otherwise(one, name) or self._why_shadowing(one, name)
            if why:
                return why
        return ""

    def _why_shadowing(self, one: Named, name: str) -> str:
        return shadowing.why_kept(one, self._site(name, one), self.named)

    def _why_of_others(self, one: Named, default: Named | None) -> str:
        """Why servers stay since others do."""
        if one is default and self._goes_on(one):
            return ""
        staying = [
            server
            for other in self.named
            if other is not one and (other.kept or other not in self.held or other is default)
            for server in other.servers
        ]
        return shadowing.why_default(one, staying, self.found.servers)

    def _default_site(self, one: Named) -> None:
        """The site that has the paths. Where its servers answer something besides, they go on, and portgen
        renders the locations alone, for them to include."""
        goes_on = self._goes_on(one)
        for server in one.servers:
            server.is_default = True
            server.goes_on = goes_on
            server.is_replaced = not goes_on
            server.replaced = self._replaced(server, one)
        self.nginx.default = self._site("", one)
        self.nginx.names = [] if goes_on else list(one.names)
        if goes_on:
            self._comment(one)
        self._write(one, "", beside_the_teams=goes_on)

    def _comment(self, one: Named) -> None:
        """Say in the inventory why the servers of the default site go on."""
        rest = self._rest(one)
        rest.sort(key=lambda said: not said.text.startswith("location"))
        place = one.servers[0].said
        if rest:
            more = f"{rest[0].text} ({rest[0].place})"
            self.nginx.comments.append(
                f"locations alone: your own server includes them, and has {more}"
            )
        elif place.line:
            comment = "it answers to every name: portgen's own server needs a `server_name`"
            self.nginx.comments.append(f"{comment} ({place.place})")

    def _replaced(self, server: Server, one: Named) -> list[Said]:
        """The locations of a server whose place portgen's take."""
        paths = self.held[one].keys()
        places = [place.said for place in server.places if routes.path_of(place) in paths]
        return [*places, *(slash.said for slash in server.slashes if slash.path in paths)]

    def _sites(self, one: Named) -> None:
        """A site for each name."""
        for server in one.servers:
            server.is_replaced = True
        for name in one.names:
            self.nginx.sites[name] = self._site(name, one)
            self._write(one, name)

    def _why_otherwise(self, one: Named, host: str) -> str:
        """What the inventory says otherwise than these servers; "" where nothing, or where there is none."""
        if self.existing is None:
            return ""
        is_portgens = bool(host or self.existing.names)
        if is_portgens and not self.existing.site(host).listens_like(self._site(host, one)):
            return _UNKNOWN_SITE if host else "the inventory's server listens otherwise"
        for held in self.held[one].values():
            route = routes.route(held.server, held.place)
            named = Route(host, route.path, route.fields)
            why = self.existing.why_otherwise(named, held.port.endpoint, held.port.bind)
            if why:
                return f"{why}: it stays your own"
        return ""

    def _keep(self, one: Named, why: str) -> None:
        """All of a name stays the team's: also these locations, which would be routes."""
        one.kept = why
        if self.existing is not None and set(one.names) & self.existing.all_names:
            names = ", ".join(one.names)
            message = f"the inventory has a server for {names}, and the one here stays: {why}"
            self.draft.conflicts.append(Conflict("two-servers", message, (one.servers[0].said,)))
        for held in self.held[one].values():
            for _, place in one.places:
                if place.fact.route.path == held.place.fact.route.path:
                    self._leave(place, why)
        for server in one.servers:
            self._rest_left(server, why)

    def _left_over(self, server: Server, why: str) -> None:
        for place in server.places:
            self._leave(place, why)
        self._rest_left(server, why)

    def _rest_left(self, server: Server, why: str) -> None:
        """All of a server but its locations."""
        self.found.left += [Left(part.said, why) for part in server.settings]
        self.found.left += [Left(said, why) for said, _ in server.names]
        self.found.left += [Left(said, why) for said in server.inherited]
        for slash in server.slashes:
            self.found.left += [Left(said, why) for said in (slash.said, *slash.inside)]
        self.found.left += [Left(redirect.said, why) for redirect in server.redirects]

    def _without_routes(self, groups: list[Named]) -> None:
        """Servers that only send visitors on, or serve files."""
        known = {*self.nginx.names, *self.nginx.sites}
        for one in groups:
            for server in one.servers:
                is_sent = server.is_redirect and set(one.names) <= known & server.sent
                if one.names and is_sent and not self._why_of_others(one, None):
                    server.is_replaced = True
                    self._add_redirect(server, one.names)
                else:
                    self._left_over(server, _NO_ROUTE)

    def _add_redirect(self, server: Server, names: tuple[str, ...]) -> None:
        """A server for http that sends everything to https, of names that have a site."""
        default = self.nginx.default
        sites = [site for site in self.nginx.sites.values() if site.name in names]
        if default is not None and set(self.nginx.names) & set(names):
            sites.append(default)
        for site in sites:
            for one in server.listen:
                if "ssl" not in one.options:
                    site.listen = site.listen or one.endpoint.port
            for part in server.settings:
                if part.about == "acme":
                    site.acme = site.acme or part.value

    def _site(self, name: str, one: Named) -> Site:
        site = Site(name)
        for server in one.servers:
            for listen in server.listen:
                _listen(site, listen)
            _secure(site, server)
            site.http2 = site.http2 or server.setting("http2") == "on"
            site.acme = site.acme or host_path(server, "acme")
        if site.listen is None and site.listen_tls is None and one.servers[0].said.line:
            site.listen = 80
        return site

    # --- routes -----------------------------------------------------------------------------------

    def _write(self, one: Named, host: str, *, beside_the_teams: bool = False) -> None:
        """Each route at the service that has its port, under a name."""
        make = routes.beside_the_teams if beside_the_teams else routes.route
        for held in self.held[one].values():
            route = make(held.server, held.place)
            known = {(other.host, other.path) for _, other in held.entry.routes}
            if (host, route.path) not in known:
                of_host = Route(host, route.path, route.fields)
                held.entry.routes.append((held.entry.ports.index(held.port), of_host))
            held.port.protocol = held.place.fact.route.protocol

    def _held(self, one: Named) -> dict[str, _Held]:
        """Which locations can be routes, by their paths, as they stand. The servers for http and for https
        have the same ones: what keeps one of them keeps the other."""
        unsaid: dict[str, str] = {}
        for server, place in one.places:
            why = _why_unsaid(server, place)
            if why:
                unsaid.setdefault(place.fact.route.path, why)
        held: dict[str, _Held] = {}
        for server, place in one.places:
            path = place.fact.route.path
            if path in unsaid:
                self._leave(place, unsaid[path])
            elif routes.path_of(place) not in held:
                holder = self._holder(place, routes.path_of(place), one)
                if holder is not None:
                    held[routes.path_of(place)] = _Held(server, place, *holder)
        return held

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
        if port in self.own_ports:
            self._leave(place, f"leads to port {port}, which is nginx's own")
            return None
        held = self.draft.at(Endpoint(port, "tcp"), LOOPBACK)
        if address == LOOPBACK6 and self.draft.at(Endpoint(port, "tcp"), LOOPBACK6) != held:
            self._leave(
                place, f"leads to [{LOOPBACK6}]:{port}, and somebody else has {LOOPBACK}:{port}"
            )
            return None
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
                Conflict("route-to-nobody", message, (routes.backend(place).said,))
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
            where = routes.backend(place).said
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
        self.draft.hold(hosted, Port(endpoint, port, "", [routes.backend(place).said]))
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


def _why_unsaid(server: Server, place: Place) -> str:
    """Why a location is no route; "" where it can be one."""
    why = beside.why_not_a_route(place, server)
    if why:
        return why
    try:
        routes.route(server, place)
    except Unsaid as error:
        return str(error)
    return ""


def _more(said: Said) -> str:
    return f"{said.text} ({said.place}) stays your own, and so does all of its server"


def _listen(site: Site, listen: Listen) -> None:
    """A port of a site's: of several the first one counts."""
    port = listen.endpoint.port
    if "ssl" in listen.options:
        site.listen_tls = site.listen_tls or port
    else:
        site.listen = site.listen or port
    site.http2 = site.http2 or "http2" in listen.options


def _secure(site: Site, server: Server) -> None:
    """A site's certificate, where both files are named, and it speaks TLS at all."""
    if not any("ssl" in listen.options for listen in server.listen):
        return
    certificate, key = host_path(server, "certificate"), host_path(server, "key")
    if certificate and key:
        site.certificate = site.certificate or certificate
        site.key = site.key or key
