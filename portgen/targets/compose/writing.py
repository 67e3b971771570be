"""compose's pages: one override a project, with fixed addresses, published ports and host
networking."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Host, Override
from portgen.targets import Page


def pages(host: Host) -> Iterator[Page]:
    for override in host.overrides:
        values = {"host": host, "override": override}
        yield Page(path(override), "compose/docker-compose.yml.j2", values)


def path(override: Override) -> str:
    """Where a project's override lies, below `output/<host>/`."""
    return f"compose/{override.file}"
