"""nginx's servers of one name as a site: where it listens, its certificate, its challenges.

In: the servers by their names. Out: a `Site`, and why portgen's server can't be like it. Pure. What answers
for the name at the site's port for http, in place of its own servers, is asked, too: one that sends visitors
to https, a wildcard, or nginx's default server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from portgen.adopt.draft import Site
from portgen.adopt.fitting import fits
from portgen.adopt.grouping import HTTPS, Named
from portgen.adopt.nginx_files import host_path
from portgen.adopt.sighted import Listen, Server
from portgen.formats import nginx
from portgen.inventory.values import FilePath

_HTTP = 80
_CHALLENGES = "answers a certificate authority for"


class Sites:
    """All servers by their names. Made once: a host may have thousands."""

    def __init__(self, groups: Sequence[Named]) -> None:
        self.by_name: dict[str, list[Named]] = {}
        for one in groups:
            for name in one.names:
                self.by_name.setdefault(name, []).append(one)
        self.wild = [
            one for one in groups if any("*" in name or name[0] == "." for name in one.names)
        ]
        self.servers = [server for one in groups for server in one.servers]
        self.made: dict[tuple[str, Named], Site] = {}

    def site(self, name: str, one: Named) -> Site:
        """The site of a name; "" for the default one, which has all names of its servers."""
        if (name, one) not in self.made:
            self.made[name, one] = self._site(name, one)
        return self.made[name, one]

    def _site(self, name: str, one: Named) -> Site:
        made = Site(name)
        for server in one.servers:
            for listen in server.listen:
                _listen(made, listen)
            _secure(made, server)
            made.http2 = made.http2 or server.setting("http2") == "on"
        for server in sorted(one.servers, key=_is_secure):  # portgen's answers challenges by http
            made.acme = made.acme or host_path(server, "acme")
        if made.listen is None and made.listen_tls is None and one.servers[0].said.line:
            made.listen = _HTTP
        names = [name] if name else one.names
        if made.listen is None:
            ports = [port for each in names for port in self._redirects_at(each, one)]
            made.listen = next(iter(sorted(ports, key=lambda port: port != _HTTP)), None)
        made.acme = made.acme or next(iter(self._folders(names, made, one)), "")
        return made

    def _redirects_at(self, name: str, one: Named) -> Iterator[int]:
        """The ports at which another server sends visitors of a name to https."""
        for other in self.by_name.get(name, ()):
            if other is not one and other.sends({name}):
                yield from (endpoint.port for endpoint in other.endpoints)

    def takes(self, redirect: Named, sites: Iterable[Site]) -> bool:
        """Whether portgen's servers listen at each port of servers that send visitors to https, and send them
        to the same port."""
        ports = {endpoint.port for endpoint in redirect.endpoints}
        return all(ports <= set(site.ports) and site.https_port == HTTPS for site in sites)

    def why_not(self, name: str, one: Named) -> str:
        """Why portgen's server can't be like those of a name; "" where it can."""
        site = self.site(name, one)
        for each in [name] if name else one.names:
            for server in self._answering(each, site.http_port, one):
                why = _why_otherwise(server, site, each)
                if why:
                    return f"the server at {server.said.place} {why}: it stays your own"
            why = self._why_split(each, site, one)
            if why:
                return why
        return ""

    def _why_split(self, name: str, site: Site, one: Named) -> str:
        """Why another server would lose a name at one of its ports, and would need it at another."""
        for other in self.by_name.get(name, ()):
            ports = {endpoint.port for endpoint in other.endpoints}
            if other is not one and ports & set(site.ports) and not ports <= set(site.ports):
                at = ", ".join(map(str, sorted(ports - set(site.ports))))
                place = other.servers[0].said.place
                return f"{name} has a server at {at}, too ({place}): it stays your own"
        return ""

    def _folders(self, names: Iterable[str], site: Site, one: Named) -> Iterator[str]:
        """The folders of the challenges that others answer."""
        for name in names:
            for server in self._answering(name, site.http_port, one):
                folder = _folder(server)
                if folder:
                    yield folder

    def _answering(self, name: str, port: int, one: Named) -> list[Server]:
        """Which other servers answer for a name at a port, where its own don't: more than one where that is
        not known."""
        if any(endpoint.port == port for endpoint in one.endpoints):
            return []
        exact = [other for other in self.by_name.get(name, ()) if other is not one]
        covering = [other for other in self.wild if _covers(other, name)]
        for groups in (exact, covering):
            there = list(_at(port, (server for other in groups for server in other.servers)))
            if there:
                return there
        there = list(_at(port, self.servers))
        default = [server for server in there if server.says_default(port)] or there[:1]
        patterns = [
            server for server in there if any(_is_pattern(word) for _, word in server.names)
        ]
        return [*patterns, *default]


def _why_otherwise(server: Server, site: Site, name: str) -> str:
    """What a server answers at a site's port for http that portgen's would not; "" where nothing."""
    if server.redirects and site.is_secure and site.https_port != HTTPS:
        return f"sends visitors of {name} to {HTTPS}, where it does not listen"
    folder = _folder(server)
    is_same = bool(folder) and folder == site.acme
    return "" if is_same or not _may_answer_challenges(server) else f"{_CHALLENGES} {name}"


def _folder(server: Server) -> str:
    """The folder out of which a server answers challenges; "" where nobody knows it, or some may not ask."""
    if any(part.about in ("clients", "auth_file") for part in server.inherited):
        return ""
    if server.answers_challenges:
        return host_path(server, "acme")
    is_plain = "$" not in server.root and fits(server.root, FilePath)
    return server.root.rstrip("/") if is_plain and _has_files(server) else ""


def _may_answer_challenges(server: Server) -> bool:
    return server.answers_challenges or _has_files(server)


def _has_files(server: Server) -> bool:
    """Whether a path without a location of its own is one of its files."""
    is_led_away = any(place.fact.route.path == "/" for place in server.places)
    return bool(server.root) and not server.redirects and not is_led_away


def _is_secure(server: Server) -> bool:
    return any("ssl" in listen.options for listen in server.listen)


def _at(port: int, servers: Iterable[Server]) -> Iterator[Server]:
    """Those that listen at a port."""
    for server in servers:
        ports = {listen.endpoint.port for listen in server.listen} or {_HTTP}
        if port in ports:
            yield server


def _is_pattern(name: str) -> bool:
    return name.startswith("~")


def _covers(one: Named, name: str) -> bool:
    wild = (known for known in one.names if "*" in known or known.startswith("."))
    return any(nginx.covers(known, name) for known in wild)


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
