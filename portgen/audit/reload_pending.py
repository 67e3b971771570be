"""nginx runs with older files than those that are there.

Whoever changed a file did not reload nginx, or the reload failed: nginx then goes on with what it had.
The next reload, by whomever, or the next boot brings the change. So a route may lead where it led before,
and a file that nginx refuses is noticed only then. It is seen by the workers: each file that nginx.conf
includes is older than the youngest of them, and so is each certificate; and each declared port is listened
on.

Symptom:
    A change was installed, and nothing changes: nginx serves the old routes, or an old certificate.
Ends it:
    nginx -t && systemctl reload-or-restart nginx
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _installed
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._listeners import in_words
from portgen.audit._nginx import FOLDER, place
from portgen.plan.types import NGINX
from portgen.problem import Severity, listed
from portgen.targets.nginx.writing import SITE, SNIPPET

SOURCES = ("nginx", "sockets")
SEVERITY = Severity.ERROR
UNLESS = ("nginx-stopped", "port-stranger")


def check(host: Audited) -> Iterator[Finding]:
    if host.host.server is None or not host.nginx.listeners:
        return
    yield from _younger(host)
    # A file of ours that differs, or that nothing includes, is another finding.
    if not host.nginx.differs(SITE) and host.nginx.has(SITE, host.nginx.http):
        yield from _not_listening(host)


def _younger(host: Audited) -> Iterator[Finding]:
    loaded = host.nginx.loaded
    if loaded is None:
        return
    # A file of ours that differs is another finding: what ends it reloads nginx, too.
    others = {place(path) for path in (SITE, SNIPPET) if host.nginx.differs(path)}
    younger = []
    for file in (*host.nginx.reached, *host.nginx.certificates):
        if _installed.is_newer(file, loaded, host.seen.at) and file.path not in others:
            younger.append(file.path)
    if younger:
        shown = listed([path.removeprefix(FOLDER) for path in younger], 5)
        yield Finding(
            f"nginx runs with older files than those in {FOLDER}: it has not read {shown}",
            host.key_path(NGINX),
            service=NGINX,
            declared="loaded",
            found=younger,
            do=_commands.reload_nginx(),
            everywhere="nginx",
        )


def _not_listening(host: Audited) -> Iterator[Finding]:
    for holding in host.listening.holdings:
        if holding.binding.kind != NGINX:
            continue
        found = {place for listener in holding.own for place in listener.at}
        missing = holding.missing
        if missing:
            yield Finding(
                f"nginx does not listen on port {holding.port.short} at {in_words(missing)}, as its files "
                "say: it has not read them",
                holding.binding.key_path,
                service=NGINX,
                port=holding.port,
                declared=in_words(holding.declared),
                found=in_words(found),
                do=_commands.reload_nginx(),
            )
