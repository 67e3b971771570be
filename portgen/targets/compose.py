"""compose: one override a project, with fixed addresses, published ports and host networking."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import Host
from portgen.targets import Page


def pages(host: Host) -> Iterator[Page]:
    for override in host.overrides:
        yield Page(f"compose/docker-compose.{override.project}.yml", "compose/docker-compose.yml.j2", {"host": host, "override": override})
