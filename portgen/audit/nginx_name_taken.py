"""Another server block of nginx has one of our names at the same port.

nginx takes the block that it reads first, and ignores the name in the other: "conflicting server name".
It reads `conf.d` before `sites-enabled`, each in the order of the files' names. Where theirs is first,
none of our routes is reached by that name. Where ours is first this is a warning: theirs is what nobody
reaches. A `default_server` elsewhere takes nothing away from a name.

Symptom:
    The name shows another page than it should: `404 Not Found`, or an old site.
Ends it:
    rm /etc/nginx/sites-enabled/old-site && nginx -t && systemctl reload-or-restart nginx
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._nginx import Server
from portgen.plan.types import NGINX, KeyPath
from portgen.problem import Severity, listed

SOURCES = ("nginx",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    servers = host.nginx.servers
    first: dict[tuple[str, str], Server] = {}
    found: dict[tuple[Server, bool], dict[str, None]] = {}
    for server in servers:
        for name in sorted(server.names):
            for listen in sorted(server.listen):
                before = first.setdefault((name, listen), server)
                if before.is_ours == server.is_ours:
                    continue
                other = server if before.is_ours else before
                found.setdefault((other, before.is_ours), {})[name] = None
    for (other, is_first), names in found.items():
        yield _finding(host, other, list(names), is_first=is_first)


def _finding(host: Audited, other: Server, names: list[str], *, is_first: bool) -> Finding:
    who = "nginx takes that one, and ignores ours"
    severity = Severity.ERROR
    if is_first:
        who = "nginx takes ours, and ignores that one"
        severity = Severity.WARNING
    where = f"{other.path}:{other.line}"
    return Finding(
        f"{where} has a server block for {listed(names)}, too: {who}",
        _place(host, names[0]),
        service=NGINX,
        declared=names,
        found=where,
        do=_remedy(host, other.path),
        severity=severity,
    )


def _place(host: Audited, name: str) -> KeyPath:
    server = host.host.server
    for site in server.sites if server is not None else ():
        if name in site.names:
            return site.key_path
    return host.key_path(NGINX)


def _remedy(host: Audited, path: str) -> str:
    """Take the file out of nginx's sight, where it has nothing but our names: what else it serves is not
    portgen's to stop."""
    server = host.host.server
    ours = set() if server is None else set(server.all_names)
    inside = [one for one in host.nginx.servers if one.path == path]
    file = host.files.get(path)
    if file is None or not all(one.names and one.names <= ours for one in inside):
        return ""
    return _commands.out_of_nginx(file)
