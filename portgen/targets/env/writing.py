"""env's pages: one file a project, with the variables of its programs outside Docker."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Host
from portgen.targets import Page


def pages(host: Host) -> Iterator[Page]:
    for found in host.env_files:
        values = {"host": host, "env": found}
        yield Page(f"env/{found.file}", "env/project.env.j2", values)
