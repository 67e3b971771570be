"""A certificate, a key or a password file that nginx needs is missing, or its workers may not read it.

Without a certificate, its key, or a CA nginx refuses all of its files: a reload keeps the old ones, and a
restart ends it. Without its password file, or with one that nginx's workers may not read, a route lets
nobody in. Only whether they are there, their owner and their mode are looked at, never what is in them.

Symptom:
    nginx does not start: `cannot load certificate`; or a route with a password says `403 Forbidden` or
    `500`.
Ends it:
    chgrp www-data /etc/nginx/wiki.htpasswd && chmod ug+r /etc/nginx/wiki.htpasswd
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan.types import NGINX, KeyPath
from portgen.problem import Severity
from portgen.targets.nginx.observing import absolute

SOURCES = ("nginx",)
SEVERITY = Severity.ERROR
_MASTER = "root"  # it reads certificates and keys before it becomes somebody else


class _Needed(NamedTuple):
    """A file that is declared. `by_workers`: whether nginx's workers read it, at each visit."""

    path: str
    what: str
    service: str
    key_path: KeyPath
    by_workers: bool = False


def check(host: Audited) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    for needed in _needed(host):
        file = host.files.get(needed.path)
        if (needed.path, needed.service) in seen or (file is not None and file.why):
            continue
        seen.add((needed.path, needed.service))
        if file is None:
            message, found, do = f"{needed.what} {needed.path} is missing", "no file", ""
        elif needed.by_workers and not _may_read(host, file.owner, file.mode):
            user, group = host.nginx.workers
            message = f"{needed.what} {needed.path} can't be read by nginx's workers"
            found = f"{file.owner}, {file.mode:04o}"
            do = ""
            if user:
                message += f", which run as {user}"
                do = _commands.readable_for(needed.path, group)
        else:
            continue
        yield Finding(
            message,
            needed.key_path,
            service=needed.service,
            declared=needed.path,
            found=found,
            do=do,
        )


def _needed(host: Audited) -> Iterator[_Needed]:
    server = host.host.server
    for site in server.sites if server is not None else ():
        if site.certificate is not None:
            yield _Needed(absolute(site.certificate), "the certificate", NGINX, site.key_path)
        if site.certificate is not None and site.certificate_key is not None:
            yield _Needed(absolute(site.certificate_key), "the key", NGINX, site.key_path)
    for route in host.host.routes:
        if route.auth_file is not None:
            what = f"the password file of {route.service}"
            path = absolute(route.auth_file)
            yield _Needed(path, what, route.service, route.place, by_workers=True)
        if route.verify is not None:
            what = f"the CA for {route.service}"
            yield _Needed(absolute(route.verify), what, route.service, route.place)


def _may_read(host: Audited, owner: str, mode: int) -> bool:
    """Whether the workers may read a file, as far as its mode says: they may be in further groups."""
    user, _ = host.nginx.workers
    if mode & 0o004 or user == _MASTER:
        return True
    own, _, of_group = owner.partition(":")
    if own == user:
        return bool(mode & 0o400)
    # A group other than root's may have the workers in it, whatever it is called.
    return bool(mode & 0o040) and of_group != _MASTER
