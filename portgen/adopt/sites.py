"""nginx's servers of one name as a site: where it listens, its certificate, its challenges.

In: a `Named`. Out: a `Site`. Pure.
"""

from __future__ import annotations

from portgen.adopt.draft import Site
from portgen.adopt.grouping import Named
from portgen.adopt.nginx_files import host_path
from portgen.adopt.sighted import Listen, Server


def site(name: str, one: Named) -> Site:
    """The site of a name."""
    made = Site(name)
    for server in one.servers:
        for listen in server.listen:
            _listen(made, listen)
        _secure(made, server)
        made.http2 = made.http2 or server.setting("http2") == "on"
        made.acme = made.acme or host_path(server, "acme")
    if made.listen is None and made.listen_tls is None and one.servers[0].said.line:
        made.listen = 80
    return made


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
