"""docs' pages: the port guide as Markdown (`PORTS.md`), and as one page with a map and a table
(`ports.html`); over several hosts an index (`index.html`).

The pages and the index say what the plan says, of every project, planned and retired services
included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portgen.plan.free import Space
from portgen.plan.types import Host, Plan, Service
from portgen.targets import Page
from portgen.targets.docs import guide, index, page
from portgen.targets.docs.rows import Free, ShownService, base_url, base_urls, known_service


def pages(host: Host) -> Iterator[Page]:
    url, known, free = _shown(host)
    values = guide.guide(host, url, known, free)
    yield Page("docs/PORTS.md", "docs/PORTS.md.j2", values)
    yield _page(host, page.data(host, url, known, free), None)


def audited_page(host: Host, lines: list[Any], audit: dict[str, Any]) -> Page:
    """The same page with what was seen of each port."""
    seen = {**audit, "data": page.encoded(lines)}
    return _page(host, page.data(host, *_shown(host)), seen)


def _page(host: Host, data: str, audit: dict[str, Any] | None) -> Page:
    values = {"host": host, "data": data, "calls": page.calls(host), "audit": audit}
    return Page("docs/ports.html", "docs/ports.html.j2", values)


def _shown(host: Host) -> tuple[str | None, list[ShownService], Free]:
    """Where a visitor finds the host, its services, and what is free."""
    url = None
    if host.server is not None:
        url = base_url(host.server)
    bases = base_urls(host)
    known = [known_service(service, bases) for service in _services(host)]
    space = Space(host)
    free: Free = {}
    for project in host.projects:
        for group in (None, *(group.name for group in project.groups)):
            free[project.name, group] = space.free(project, group)
    return url, known, free


def pages_of_all(plan: Plan) -> Iterator[Page]:
    if len(plan.hosts) > 1:
        yield Page("docs/index.html", "docs/index.html.j2", index.values(plan))


def _services(host: Host) -> Iterator[Service]:
    for project in host.projects:
        yield from project.services
