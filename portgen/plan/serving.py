"""nginx's own share of a host as it is planned: its sites, its ports, and who may reach them.

In: nginx's entry, `Sources` of its host, and the host's routes. Out: a `Server`, its `Binding`s and
its `Opening`s. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from msgspec import UNSET

from portgen.inventory import key_paths, model
from portgen.plan.access import admits_ipv6
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, Endpoint, is_ipv6
from portgen.plan.reach import Reach
from portgen.plan.routes import Route
from portgen.plan.servers import Server, Site
from portgen.plan.sources import Sources
from portgen.plan.types import NGINX, Binding, KeyPath, Opening


def server_of(
    host: str, entry: model.Host, sources: Sources, routes: Iterable[Route]
) -> Server | None:
    """nginx of a host: what stands at `nginx:` itself is the default site, the others take from it
    what they don't say. A route's host that `nginx.sites` lacks is a site too."""
    nginx = entry.nginx
    if nginx is None:
        return None
    path = key_paths.nginx(host)
    written: dict[str, tuple[model.Site, KeyPath]] = {}
    for name, site in nginx.sites.items():
        written[name] = (site, (*path, "sites", name))
    for route in routes:
        if route.host and route.host not in written:
            written[route.host] = (model.Site(), route.key_path)
    default = _default(names_of(nginx, written), nginx, path)
    sites = [_site(name, *written[name], default) for name in sorted(written)]
    if default.names:
        sites.insert(0, default)
    # With no source named it is for ufw's default policy to say who may come.
    allowed = sources.of(nginx.allow)
    proxies = _proxies(nginx)
    return Server(
        names=default.names,
        upstream=nginx.upstream,
        allow=tuple(nginx.allow),
        reach=sources.nginx_reach or Reach("policy"),
        routes_reach=sources.routes_reach or Reach("policy"),
        listen=default.listen,
        listen_tls=default.listen_tls,
        certificate=default.certificate,
        certificate_key=default.certificate_key,
        sites=tuple(sites),
        ipv6=entry.ipv6 and (not allowed or admits_ipv6(allowed)),
        version=tuple(map(int, nginx.version.split("."))),
        proxies=tuple(proxy for proxy in proxies if entry.ipv6 or not is_ipv6(proxy)),
        written_proxies=proxies,
        proxies_header=nginx.client_ip.header if nginx.client_ip else "",
        key_path=path,
    )


def _proxies(nginx: model.Nginx) -> tuple[str, ...]:
    """Those in front of nginx, as they are written."""
    if nginx.client_ip is None:
        return ()
    return tuple(map(str, nginx.client_ip.sources))


def names_of(nginx: model.Nginx, sites: Collection[str] = ()) -> tuple[str, ...]:
    """The default site's names beside those of other sites, as nginx compares what a visitor asks for:
    in small letters, without a dot at the end. nginx refuses a name that is there twice, and
    `.example.com` stands for `example.com` and `*.example.com` too."""
    written = nginx.server_name or []
    if isinstance(written, str):
        written = [written]
    names = dict.fromkeys(_beside(name.lower().rstrip("."), sites) for name in written)
    return tuple(name for name in names if f".{name.removeprefix('*.')}" not in names)


def _beside(name: str, sites: Collection[str]) -> str:
    """`.example.com` without `example.com` where that is another site's name: nginx would take both
    for one name, and leave out the site's."""
    if name.startswith(".") and name[1:] in sites:
        return f"*{name}"
    return name


def _default(names: tuple[str, ...], nginx: model.Nginx, path: KeyPath) -> Site:
    listen_tls = nginx.listen_tls or None
    certificate = key = None
    if nginx.tls is not None:
        listen_tls = listen_tls or 443
        certificate, key = nginx.tls.certificate, nginx.tls.key
    return Site(
        name="",
        names=names,
        listen=nginx.listen,
        listen_tls=listen_tls,
        certificate=certificate,
        certificate_key=key,
        http2=nginx.http2,
        acme=nginx.acme,
        acme_path=(*path, "acme"),
        key_path=path,
    )


def _site(name: str, site: model.Site, path: KeyPath, default: Site) -> Site:
    """A site with what it takes from the default one. Without a certificate it has no use for the
    default one's port for https; a port of its own is kept for the rules."""
    certificate, key = default.certificate, default.certificate_key
    if site.tls is None:
        certificate = key = None
    elif site.tls:
        certificate, key = site.tls.certificate, site.tls.key
    listen_tls = site.listen_tls or None
    if certificate is not None:
        listen_tls = listen_tls or default.listen_tls or 443
    return Site(
        name=name,
        names=(name,),
        listen=site.listen or default.listen,
        listen_tls=listen_tls,
        certificate=certificate,
        certificate_key=key,
        http2=default.http2 if site.http2 is UNSET else site.http2,
        acme=default.acme if site.acme is UNSET else site.acme,
        acme_path=default.acme_path if site.acme is UNSET else (*path, "acme"),
        key_path=path,
    )


def _ports(server: Server) -> Iterator[tuple[int, KeyPath]]:
    """Each port of nginx's, once, and where it comes from."""
    seen: set[int] = set()
    own = (server.listen, server.listen_tls, server.key_path)
    for listen, listen_tls, path in (
        own,
        *((s.listen, s.listen_tls, s.key_path) for s in server.sites),
    ):
        for port, field in ((listen, "listen"), (listen_tls, "listen_tls")):
            if port is not None and port not in seen:
                seen.add(port)
                yield port, (*path, field)


def bindings(host: str, server: Server) -> Iterator[Binding]:
    """The ports that nginx holds."""
    address = EVERYWHERE6 if server.ipv6 else EVERYWHERE
    for port, place in _ports(server):
        yield Binding(host, Endpoint(port, "tcp"), address, NGINX, NGINX, None, place)


def openings(server: Server, sources: Sources) -> Iterator[Opening]:
    """Who may reach them."""
    for port, _ in _ports(server):
        for source in sources.of(server.allow):
            yield Opening(NGINX, Endpoint(port, "tcp"), source, (*server.key_path, "allow"))
