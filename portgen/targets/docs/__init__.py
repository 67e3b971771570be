"""docs: the port guide as Markdown (`PORTS.md`), and as one page with a map and a table
(`ports.html`); over several hosts an index (`index.html`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portgen.plan.types import Host, Plan
from portgen.targets import Page

documentation = True


def pages(host: Host) -> Iterator[Page]:
    from portgen.targets.docs import writing

    return writing.pages(host)


def pages_of_all(plan: Plan) -> Iterator[Page]:
    from portgen.targets.docs import writing

    return writing.pages_of_all(plan)


def audited_page(host: Host, lines: list[Any], audit: dict[str, Any]) -> Page:
    """The port page of a host with the state of each port, for `portgen audit --page`. `lines`: each port's,
    by position; `audit`: what the template says of the whole. It is not among `pages`: it is what was seen
    once, not what follows from the inventory."""
    from portgen.targets.docs import writing

    return writing.audited_page(host, lines, audit)
