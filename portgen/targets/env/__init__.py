"""env: one file of variables a project, for its programs outside Docker: a systemd unit reads it as
EnvironmentFile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from portgen.plan.types import Host
from portgen.targets import Page, Statement


def pages(host: Host) -> Iterator[Page]:
    from portgen.targets.env import writing

    return writing.pages(host)


def read(files: Mapping[str, str]) -> Iterator[Statement]:
    from portgen.targets.env import reading

    return reading.read(files)
