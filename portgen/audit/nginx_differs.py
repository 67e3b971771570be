"""A file of ours in /etc/nginx is not the rendered one.

It was edited by hand, or is of another render: an installation stopped half-way, or never took place.
Then routes lead elsewhere than the inventory says, let others in, or are not there; the next installation
takes the edit away. Where it has another owner or mode, somebody else than root may write it. What portgen
does not render any more is left over: nginx still serves it. Whoever needs the edit says it in the
inventory, or in a template of their own.

Symptom:
    A route of the service leads to another service than the port page says, or to `404 Not Found`.
Ends it:
    portgen -C /srv/portgen install --yes --force
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portgen import targets
from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._installed import deviations
from portgen.audit._nginx import place
from portgen.plan.live import InstalledFile
from portgen.plan.types import NGINX
from portgen.problem import Severity, listed
from portgen.review import compare
from portgen.targets.nginx.writing import SITE, SNIPPET

SOURCES = ("nginx",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    differing: set[str] = set()
    for path in (SITE, SNIPPET):
        file = host.nginx.ours(path)
        if file is not None and file.text is None:
            continue  # it can't be read
        rendered = host.rendered.get(path)
        there = None if file is None else file.text
        if there == rendered:
            yield from _of_rights(host, path, file)
            continue
        if there is None or rendered is None:
            yield _of_file(host, path, is_there=there is not None)
            continue
        names = _differing(path, there, rendered)
        differing |= names
        if not names:
            yield _of_lines(host, path)
    for name in sorted(differing):
        yield _of_service(host, name)


def _of_rights(host: Audited, path: str, file: InstalledFile | None) -> Iterator[Finding]:
    """Its mode and its owner: who may change it without being root."""
    found = [] if file is None else deviations(file, file.text or "")
    if found:
        yield Finding(
            f"{place(path)}: {listed([str(one) for one in found])}",
            host.key_path(NGINX),
            service=NGINX,
            declared=[one.declared for one in found],
            found=[one.found for one in found],
            do=_commands.install(host),
        )


def _of_file(host: Audited, path: str, *, is_there: bool) -> Finding:
    message = f"{place(path)} is missing: nginx has no route of ours"
    if path == SNIPPET and not is_there:
        message = f"{place(path)} is missing: the routes of the default site lead nowhere"
    if is_there:
        message = f"{place(path)} is left over: portgen renders none for this host"
    return Finding(
        message,
        host.key_path(NGINX),
        service=NGINX,
        declared="no file" if is_there else place(path),
        found=place(path) if is_there else "no file",
        do=_commands.install(host, force=is_there),
        everywhere="" if is_there else "nginx",
    )


def _differing(path: str, there: str, rendered: str) -> set[str]:
    """The services whose lines differ; nginx for lines of no service."""
    sides = []
    for text in (there, rendered):
        blocks = list(targets.blocks(path, text))
        own = {(block.service, block.text.rstrip()) for block in blocks}
        lines = text.split("\n")
        for block in blocks:
            lines[block.first - 1 : block.last] = [""] * (block.last - block.first + 1)
        own.add((NGINX, "\n".join(line for line in lines if line.strip())))
        sides.append(own)
    return {service for service, _ in sides[0] ^ sides[1]}


def _of_lines(host: Audited, path: str) -> Finding:
    """Blank lines, or the order of blocks."""
    return Finding(
        f"{place(path)} is not the rendered one",
        host.key_path(NGINX),
        service=NGINX,
        do=_commands.install(host, force=True),
    )


def _of_service(host: Audited, name: str) -> Finding:
    declared, found = _facts(host, name)
    what = ""
    if declared or found:
        shown = [_shown(field, found.get(field)) for field in {**declared, **found}]
        what = f": {'; '.join(shown[:3])}"
    if name == NGINX:
        message = (
            f"nginx's own lines in {place(SITE)} or {place(SNIPPET)} are not the rendered ones"
        )
    elif name not in host.services:
        message = f"nginx's files still have a route of {name}, which is not an active service"
    else:
        message = f"the routes of {name} in nginx's files are not the rendered ones{what}"
    return Finding(
        message,
        host.key_path(name),
        service=name if name == NGINX or name in host.services else None,
        declared=declared or None,
        found=found or None,
        do=_commands.install(host, force=True),
        everywhere="nginx" if name == NGINX else "",
    )


def _facts(host: Audited, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What differs of a service's routes, on both sides."""
    declared: dict[str, Any] = {}
    found: dict[str, Any] = {}
    if name not in host.declared:
        return declared, found
    for difference in compare.differences(host.declared[name], host.found[name]):
        if difference.field.startswith("routes"):
            declared[difference.field] = difference.before
            found[difference.field] = difference.after
    return declared, found


def _shown(field: str, value: Any) -> str:
    """`/wiki/ leads to 127.0.0.1:5009`, of the field `routes./wiki/.backend`."""
    route, _, what = field.removeprefix("routes.").rpartition("/")
    route, what = f"{route}/", what.lstrip(".").removeprefix("route.")
    if value is None and not what:
        return f"{route} is missing"
    if what == "backend":
        return f"{route} leads to {value or 'nowhere'}"
    if not what:
        return f"{route} is there, too"
    return f"{route} has another `{what}`"
