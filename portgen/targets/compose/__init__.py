"""compose: one override a project, with fixed addresses, published ports and host networking;
checked by `compose config`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from portgen.plan.types import Host
from portgen.targets import Check, Machine, Page, Rejection, Statement, Unchecked


def pages(host: Host) -> Iterator[Page]:
    from portgen.targets.compose import writing

    return writing.pages(host)


def checks(
    host: Host, files: Mapping[str, str], machine: Machine
) -> Iterator[Check | Rejection | Unchecked]:
    from portgen.targets.compose import checking

    return checking.checks(host, files, machine)


def read(files: Mapping[str, str]) -> Iterator[Statement]:
    from portgen.targets.compose import reading

    return reading.read(files)
