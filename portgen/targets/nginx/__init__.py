"""nginx: the http-level file with an upstream a service and a server block a site, and the snippet with the
default site's locations; checked by `nginx -t`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from portgen.plan.types import Host
from portgen.targets import Check, Machine, Page, Rejection, Statement, Unchecked


def pages(host: Host) -> Iterator[Page]:
    from portgen.targets.nginx import writing

    return writing.pages(host)


def checks(
    host: Host, files: Mapping[str, str], machine: Machine
) -> Iterator[Check | Rejection | Unchecked]:
    from portgen.targets.nginx import checking

    return checking.checks(host, files, machine)


def read(files: Mapping[str, str]) -> Iterator[Statement]:
    from portgen.targets.nginx import reading

    return reading.read(files)
