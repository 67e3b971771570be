"""docs: the port guide as Markdown (`PORTS.md`), and as one page with a map and a table
(`ports.html`)."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Host
from portgen.targets import Page

documentation = True


def pages(host: Host) -> Iterator[Page]:
    from portgen.targets.docs import writing

    return writing.pages(host)
