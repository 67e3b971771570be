"""ufw: the script that adds and removes portgen's rules, and the guard for ports that docker
publishes past ufw; checked by `sh -n`, `ufw --dry-run` and `iptables-restore --test`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from portgen.plan.live import Gap, Thing
from portgen.plan.types import Host
from portgen.targets import Ask, Check, Machine, Page, Rejection, Seen, Statement, Unchecked

SOURCE = "ufw"


def pages(host: Host) -> Iterator[Page]:
    from portgen.targets.ufw import writing

    return writing.pages(host)


def checks(
    host: Host, files: Mapping[str, str], machine: Machine
) -> Iterator[Check | Rejection | Unchecked]:
    from portgen.targets.ufw import checking

    return checking.checks(host, files, machine)


def read(files: Mapping[str, str]) -> Iterator[Statement]:
    from portgen.targets.ufw import reading

    return reading.read(files)


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    from portgen.targets.ufw import observing

    return observing.asks(host, seen)


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    from portgen.targets.ufw import observing

    return observing.observe(host, seen)
