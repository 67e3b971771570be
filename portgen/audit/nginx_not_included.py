"""nginx.conf does not reach portgen's files.

They are installed, and nginx never reads them: no route leads anywhere, or those of the default site
don't. `conf.d/portgen.conf` has to be included within the http block. Where a team has its own server
block in place of the default site, that block has to include `snippets/portgen-locations.conf`: in which
one, only the team knows.

Symptom:
    Every route says `404 Not Found`, or shows nginx's welcome page.
Ends it:
    sed -i 's|^include /etc/nginx/sites-enabled|include /etc/nginx/conf.d/*.conf;\\n&|' /etc/nginx/nginx.conf
    nginx -t && systemctl reload-or-restart nginx
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._nginx import MAIN
from portgen.plan.types import NGINX
from portgen.problem import Severity
from portgen.targets.nginx.writing import SITE, SNIPPET

SOURCES = ("nginx",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    if host.host.server is None or not host.nginx.is_whole:
        return
    if MAIN not in host.files:
        yield _finding(host, f"there is no {MAIN}: nginx reads no file of ours", "")
        return
    site = host.nginx.ours(SITE)
    if site is not None and site.text and not host.nginx.has(SITE, host.nginx.http):
        message = f"nothing in the http block of {MAIN} includes conf.d/portgen.conf"
        yield _finding(host, message, _commands.include_ours(host))
    snippet = host.nginx.ours(SNIPPET)
    own = [route for route in host.host.routes if not route.host]
    if not own or host.host.server.names or snippet is None:
        return
    servers = [node for node in host.nginx.http if node.name == "server"]
    if not any(host.nginx.has(SNIPPET, node.block or ()) for node in servers):
        message = (
            "no server block includes snippets/portgen-locations.conf: its routes lead nowhere"
        )
        yield _finding(host, message, "")


def _finding(host: Audited, message: str, do: str) -> Finding:
    return Finding(message, host.key_path(NGINX), service=NGINX, do=do, everywhere="nginx")
