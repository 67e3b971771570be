"""nginx: the http-level file with an upstream a service and a server block a site, and the snippet with the
default site's locations; checked by `nginx -t`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from portgen.plan.live import Gap, Thing
from portgen.plan.types import Host
from portgen.targets import Ask, Check, Machine, Page, Rejection, Seen, Statement, Unchecked

SOURCE = "nginx"


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


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    from portgen.targets.nginx import observing

    return observing.asks(host, seen)


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    from portgen.targets.nginx import observing

    return observing.observe(host, seen)
