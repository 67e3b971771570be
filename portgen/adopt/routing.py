"""nginx's servers and locations, as the sites and routes of a draft.

In: a `Sighted`, a `Draft` with its services. Out: the same draft, with routes at its services and its
`nginx`; what becomes of each server. Pure. A route that leads to a port of nobody's makes a service of it.
"""

from __future__ import annotations

from typing import NamedTuple

from portgen.adopt import beside, grouping, nginx_ports, routes, shadowing, trust
from portgen.adopt.backends import Backends
from portgen.adopt.draft import Conflict, Draft, Entry, Nginx, Port, Route, Site
from portgen.adopt.existing import Existing
from portgen.adopt.fitting import fits
from portgen.adopt.grouping import Named
from portgen.adopt.shadowing import Shadowing
from portgen.adopt.sighted import Left, NotARoute, Place, Said, Server, Sighted
from portgen.adopt.sites import Sites
from portgen.inventory.values import SiteName
from portgen.plan.ports import Endpoint
from portgen.problem import listed

_INCLUDES = "it includes portgen's locations, too: it stays your own, and goes on including them"
_NO_ROUTE = "no route is in this server: it stays your own"
_NAMELESS = "the server has no name, and an inventory has one such server"
_NO_PORT = "the inventory's nginx does not listen at %s: write the site under `nginx: {sites: …}`"
_OTHER_TRUST = "the inventory's `client_ip` believes other proxies: it stays your own"
_OTHER_PORTS = "the inventory's server has other ports, or another certificate: it stays your own"


def decide(found: Sighted, draft: Draft, existing: Existing | None = None) -> None:
    """Write down what nginx serves. `existing`: what an inventory has of it already."""
    if found.servers:
        _Routing(found, draft, existing).decide()


class _Held(NamedTuple):
    """A location that can be a route, with its server, and whose port it leads to."""

    server: Server
    place: Place
    route: Route
    entry: Entry
    port: Port


class _Routing:
    def __init__(self, found: Sighted, draft: Draft, existing: Existing | None) -> None:
        self.existing = existing
        self.found = found
        self.draft = draft
        self.nginx = Nginx()
        if existing is not None and existing.has_nginx:
            self.nginx.base = existing.general
        self.named = grouping.named(found.servers)
        self.sites = Sites(self.named)
        self.backends = Backends(found, draft)
        self.shadowing = Shadowing(self.named)
        self.held: dict[Named, dict[str, _Held]] = {}
        self.default: Named | None = None
        self.goes_on = False  # its servers do, and include portgen's locations

    def decide(self) -> None:
        for one in self.named:
            if one.kept:
                self._left_over(one, one.kept)
            elif any(one.places):
                self.held[one] = self._held(one)
        self._drop_mixed()
        self.default = self._default(list(self.held))
        self._keep_including()
        self._drop_unknown()
        self._trust()
        self._drop_shared()
        for one in self.held:
            why = self._why_kept(one)
            if why:
                self._keep(one, why)
        self._keep_followers()
        self._write_all()
        self.draft.nginx = self.nginx
        at = self.found.portgens_at
        for server, listen in shadowing.displaced(self.nginx, self.found.servers, at):
            if listen not in server.displaced:
                server.displaced.append(listen)
        nginx_ports.take(self.found, self.draft)
        nginx_ports.hold_own(self.found, self.draft)

    def _drop(self, one: Named, path: str, why: str) -> None:
        """Take a location out of the routes."""
        del self.held[one][path]
        for _, place in one.places:
            if place.path == path:
                self.found.leave(place, why)

    def _drop_mixed(self) -> None:
        """Leave the locations of a port that nginx asks by several protocols: a port has one."""
        protocols: dict[int, set[str]] = {}
        for held in self.held.values():
            for each in held.values():
                said = each.place.fact.route.protocol
                protocols.setdefault(id(each.port), set()).add(said)
        for one, held in self.held.items():
            for path, each in list(held.items()):
                several = protocols[id(each.port)]
                if len(several) > 1:
                    why = f"nginx asks {each.port.endpoint} by {' and '.join(sorted(several))}"
                    self._drop(one, path, f"{why}: in an inventory a port speaks one")

    def _drop_shared(self) -> None:
        """Leave the locations of a file that another server includes, too, where the default one goes on:
        taken out of that file they would be missed there."""
        if self.default is None or not self.goes_on:
            return
        others: set[Said] = set()
        for server in self.found.servers:
            if server not in self.default.servers:
                others.update(place.said for place in server.places)
        for path, each in list(self.held[self.default].items()):
            if each.place.said in others and not each.place.is_portgens:
                self._drop(self.default, path, "another server includes its file, too")

    def _drop_unknown(self) -> None:
        """Leave the locations that lead to services of an inventory which has no such route, where the team's
        own server goes on anyway."""
        if self.default is None or self.existing is None or self.existing.names:
            return  # portgen renders the whole server, or nothing was there before
        for path, one in list(self.held[self.default].items()):
            why = self.existing.why_unknown(one.route, one.port.endpoint, one.port.bind)
            if why:
                self._drop(self.default, path, why)

    def _keep_including(self) -> None:
        """Keep each server that includes portgen's locations, and is not the default one: it has those that
        the default one has, and goes on having them."""
        others = [one for one in self.named if one is not self.default and _includes_portgens(one)]
        for one in others:
            if one in self.held:
                self._keep(one, _INCLUDES)
        if self.default is None or not others:
            return
        place = others[0].servers[0].said.place
        for path, each in list(self.held[self.default].items()):
            if not each.place.is_portgens:
                self._drop(self.default, path, f"the server at {place} would get it, too")

    def _keep_followers(self) -> None:
        """Keep the servers that stay since another one does, until no more do."""
        while True:
            replaced = self._replaced()
            by_server = {id(server): one for one in replaced for server in one.servers}
            staying = [one for one in self.found.servers if id(one) not in by_server]
            heirs = shadowing.heirs(staying, self.found.servers, self.found.portgens_at)
            following = {by_server[id(default)]: why for default, why in heirs}
            if not following:
                return
            for one, why in following.items():
                self._keep(one, why)

    def _replaced(self) -> list[Named]:
        """The servers whose place portgen's own take: those with routes, and those that send the visitors of
        the same names to https."""
        replaced = [one for one in self.held if not one.kept]
        if self.goes_on:
            replaced = [one for one in replaced if one is not self.default]
        known: dict[str, Site] = {}
        for one in replaced:
            for name in one.names:
                known[name] = self.sites.site("" if one is self.default else name, one)
        for one in self.named:
            if one in self.held or one.kept or not one.names or not known.keys() >= set(one.names):
                continue
            if one.sends(set(one.names)) and self.sites.takes(
                one, (known[name] for name in one.names)
            ):
                replaced.append(one)
        return replaced

    def _write_all(self) -> None:
        replaced = set(self._replaced())
        for one in replaced:
            for server in one.servers:
                server.is_replaced = True
        served = [one for one in self.held if not one.kept]
        for one in served:
            if one is self.default:
                self._default_site(one)
            else:
                self._sites(one)
        for one in self.named:
            if one not in self.held and one not in replaced and not one.kept:
                self._report_twice(one, _NO_ROUTE)
                self._left_over(one, _NO_ROUTE)
        self._upstream(served)

    def _upstream(self, served: list[Named]) -> None:
        """Whether most routes lead to containers' own addresses."""
        backends = [place.fact.backend or "" for one in served for _, place in one.places]
        addressed = [backend for backend in backends if self.backends.by_address(backend)]
        if addressed and len(addressed) * 2 >= len(backends):
            self.nginx.upstream = "address"

    def _trust(self) -> None:
        """Which proxies in front of nginx are believed."""
        going: list[Server] = []
        if self.default is not None and self._has_more(self.default):
            going = self.default.servers
        servers = {id(server): server for one in self.held for server, _ in one.places}
        trust.decide(self.found, self.nginx, list(servers.values()), going)
        # What is trusted in one server alone may be one thing more that stays in it.
        self.goes_on = self.default is not None and self._has_more(self.default)

    def _has_more(self, default: Named) -> bool:
        """Whether the servers of the default site have more than portgen's would, answer to every name, or
        include portgen's locations already."""
        existing = self.existing
        includes = existing is not None and existing.has_nginx and not existing.names
        return includes or not default.names or bool(self._rest(default))

    def _rest(self, one: Named) -> list[Said]:
        return one.rest(each.place for each in self.held[one].values())

    def _default(self, served: list[Named]) -> Named | None:
        """The servers of the default site: those that the inventory has already, or else those that have the
        paths. One that has no name is the default, too, as long as it is alone."""
        if self.existing is not None and self.existing.has_nginx:
            return self._known_default(served, self.existing)
        installed = _including(served)
        if installed is not None:
            return installed
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

    def _known_default(self, served: list[Named], existing: Existing) -> Named | None:
        """The servers of the default site of an inventory. Where that has no name, the team's own server
        includes its locations, or will: the one that has most of them."""
        if existing.names:
            known = [one for one in served if one.names and existing.names.issuperset(one.names)]
            return known[0] if known else None
        best = _including(served)
        most = 0
        for one in served if best is None else ():
            count = len(self.held[one].keys() & existing.routes.keys())
            if count > most:
                best, most = one, count
        return best

    # --- sites ------------------------------------------------------------------------------------

    def _why_kept(self, one: Named) -> str:
        """Why servers with routes stay the team's all the same; "" where portgen's can do all that they do,
        or may be included in them."""
        if not self.held[one]:
            return _NO_ROUTE
        rest = self._rest(one)
        if one is self.default:
            is_portgens = self.existing is not None and bool(self.existing.names)
            if rest and is_portgens:
                return _more(rest[0])
            why = self._why_otherwise(one, "")
            return why or ("" if self.goes_on else self._why_beside(one, ""))
        if not one.names:
            return _NAMELESS
        if rest:
            return _more(rest[0])
        for name in one.names:
            if not fits(name, SiteName):
                return f"a site needs a plain name, and {name} is a pattern"
            why = self._why_otherwise(one, name) or self._why_beside(one, name)
            if why:
                return why
        return ""

    def _why_beside(self, one: Named, name: str) -> str:
        """Why portgen's server would do otherwise than the others beside it; "" where it would not."""
        why = self.sites.why_not(name, one) or self._why_taken(self.sites.site(name, one))
        return why or self.shadowing.why_kept(one, self.sites.site(name, one))

    def _why_taken(self, site: Site) -> str:
        """Who has a port that nginx has not now; "" where nobody is known for it."""
        there = self.backends.wide_ports
        streams = {one.endpoint.port: one.said.place for one in self.found.streams}
        for port in site.ports:
            held = None if port in there else self.draft.at(Endpoint(port, "tcp"))
            if held is not None or (port not in there and port in streams):
                who = held[0].planned if held is not None else streams[port]
                return f"portgen's server would listen at {port}, too, and {who} does: it stays your own"
        return ""

    def _default_site(self, one: Named) -> None:
        """The site that has the paths. Where its servers answer something besides, they go on, and portgen
        renders the locations alone, for them to include."""
        for server in one.servers:
            server.is_default = True
            if self.goes_on:
                server.replaced_locations = self._locations(server, one)
        self.nginx.default = self.sites.site("", one)
        self.nginx.names = [] if self.goes_on else list(one.names)
        if self.goes_on:
            self._comment(one)
        self._write(one, "", beside_the_teams=self.goes_on)

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

    def _locations(self, server: Server, one: Named) -> list[Said]:
        """The locations of a server whose place portgen's take."""
        paths = self.held[one].keys()
        found = [
            place.said for place in server.places if place.path in paths and not place.is_portgens
        ]
        for slash in server.slashes:
            if slash.path in paths and not slash.is_portgens:
                found.append(slash.said)
        return found

    def _sites(self, one: Named) -> None:
        """A site for each name."""
        for name in one.names:
            self.nginx.sites[name] = self.sites.site(name, one)
            self._write(one, name)

    def _why_otherwise(self, one: Named, host: str) -> str:
        """What the inventory says otherwise than these servers; "" where nothing, or where there is none."""
        if self.existing is None:
            return ""
        is_portgens = self.existing.has_nginx and bool(host or self.existing.names)
        why = self._why_other_server(one, host, self.existing) if is_portgens else ""
        if why:
            return why
        for held in self.held[one].values():
            named = Route(host, held.route.path, held.route.fields)
            protocol = held.place.fact.route.protocol
            endpoint, bind = held.port.endpoint, held.port.bind
            why = self.existing.why_otherwise(named, protocol, endpoint, bind)
            if why:
                return f"{why}: it stays your own"
        return ""

    def _why_other_server(self, one: Named, host: str, existing: Existing) -> str:
        """What portgen's server would do otherwise. A site that the inventory lacks is added, at ports of its
        nginx: who may come there is said already."""
        if not existing.believes(self.nginx.proxies, self.nginx.header):
            return _OTHER_TRUST
        site = self.sites.site(host, one)
        if host in existing.sites or not host:
            return "" if existing.site(host).listens_like(site) else _OTHER_PORTS
        new = [port for port in site.ports if Endpoint(port, "tcp") not in self.draft.served]
        return _NO_PORT % listed([str(port) for port in new]) if new and self.draft.served else ""

    def _keep(self, one: Named, why: str) -> None:
        """All of a name stays the team's: also these locations, which would be routes."""
        one.kept = why
        self._report_twice(one, why)
        held = self.held.get(one, {})
        for _, place in one.places:
            if place.path in held and not place.is_portgens:
                self.found.leave(place, why)
        self._rest_left(one, why)

    def _report_twice(self, one: Named, why: str) -> None:
        """Report a server that stays, while the inventory has one of the same name."""
        if self.existing is None or any(server.is_portgens for server in one.servers):
            return
        if self.existing.all_names & set(one.names):
            names = ", ".join(one.names)
            message = f"the inventory has a server for {names}, and the one here stays: {why}"
            self.draft.conflicts.append(Conflict("two-servers", message, (one.servers[0].said,)))

    def _left_over(self, one: Named, why: str) -> None:
        for _, place in one.places:
            self.found.leave(place, why)
        self._rest_left(one, why)

    def _rest_left(self, one: Named, why: str) -> None:
        """The settings, names and redirects of servers that stay."""
        for server in one.servers:
            said = [part.said for part in (*server.settings, *server.inherited)]
            said += [where for where, _ in server.names]
            said += [redirect.said for redirect in server.redirects]
            for slash in server.slashes:
                said += (slash.said, *slash.inside)
            self.found.left += [Left(where, why) for where in said]

    # --- routes -----------------------------------------------------------------------------------

    def _write(self, one: Named, host: str, *, beside_the_teams: bool = False) -> None:
        """Each route at the service that has its port, under a name."""
        make = routes.beside_the_teams if beside_the_teams else routes.route
        for held in self.held[one].values():
            route = make(held.server, held.place)
            of_host = Route(host, route.path, route.fields)
            held.entry.routes.append((held.entry.ports.index(held.port), of_host))
            held.port.protocol = held.place.fact.route.protocol

    def _held(self, one: Named) -> dict[str, _Held]:
        """Which locations can be routes, by their paths, as they stand. The servers for http and for https
        have the same ones: what keeps one of them keeps the other."""
        whys: dict[str, str] = {}
        made: dict[str, Route] = {}
        for server, place in one.places:
            try:
                beside.check(place, server)
                made[place.path] = routes.route(server, place)
            except NotARoute as error:
                whys.setdefault(place.path, str(error))
        held: dict[str, _Held] = {}
        for server, place in one.places:
            if place.path in whys:
                self.found.leave(place, whys[place.path])
            elif place.path not in held:
                holder = self.backends.holder(place, place.path, one)
                why = "" if holder is None else _why_other_name(place, holder[0])
                if why:
                    self.found.leave(place, why)
                elif holder is not None:
                    held[place.path] = _Held(server, place, made[place.path], *holder)
        return held


def _including(served: list[Named]) -> Named | None:
    """Those whose servers include portgen's locations already, where it was installed before."""
    for one in served:
        if _includes_portgens(one):
            return one
    return None


def _includes_portgens(one: Named) -> bool:
    """Whether servers of the team's do."""
    return any(server.includes_portgen and not server.is_portgens for server in one.servers)


def _paths(one: Named) -> int:
    """How many paths besides `/` it has; 0 where one service has all of it."""
    paths = [place.fact.route.path for _, place in one.places]
    backends = {place.fact.backend for _, place in one.places}
    return 0 if len(backends) == 1 and "/" in paths else sum(path != "/" for path in paths)


def _why_other_name(place: Place, entry: Entry) -> str:
    """Why a service that speaks TLS would be asked for under another name: portgen's locations have that of
    the service; "" where it would not."""
    route = place.fact.route
    own = entry.box.service if entry.box is not None else entry.name
    if route.tls_name is None and route.verify is None:
        return ""
    name = route.tls_name or "its address"
    return "" if name == own else f"nginx asks it for {name}, and portgen's for {own}"


def _more(said: Said) -> str:
    return f"{said.text} ({said.place}) stays your own, and so does all of its server"
