"""docs' pages: the port guide as Markdown (`PORTS.md`), and as one page with a map and a table
(`ports.html`); the commands that install the host's files (`INSTALL.md`); over several hosts an
index (`index.html`).

The pages and the index say what the plan says, of every project, planned and retired services
included. The commands are the same on every host but for its name.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.free import Space
from portgen.plan.types import Host, Plan, Service
from portgen.targets import Page
from portgen.targets.docs import BLOCKS, INSTALL, guide, index, page
from portgen.targets.docs.rows import Free, base_url, base_urls, known_service


def pages(host: Host) -> Iterator[Page]:
    yield Page(INSTALL, "docs/INSTALL.md.j2", {"host": host, "blocks": BLOCKS})
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
    values = guide.guide(host, url, known, free)
    yield Page("docs/PORTS.md", "docs/PORTS.md.j2", values)
    data = page.data(host, url, known, free)
    values = {"host": host, "data": data, "calls": page.calls(host)}
    yield Page("docs/ports.html", "docs/ports.html.j2", values)


def pages_of_all(plan: Plan) -> Iterator[Page]:
    if len(plan.hosts) > 1:
        yield Page("docs/index.html", "docs/index.html.j2", index.values(plan))


def _services(host: Host) -> Iterator[Service]:
    for project in host.projects:
        yield from project.services
