"""env: one file of variables a project, for its programs outside Docker: a systemd unit reads it as
EnvironmentFile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from portgen.plan.live import Gap, Thing
from portgen.plan.types import Host
from portgen.targets import Ask, Page, Seen, Statement

SOURCE = "systemd"


def pages(host: Host) -> Iterator[Page]:
    from portgen.targets.env import writing

    return writing.pages(host)


def read(files: Mapping[str, str]) -> Iterator[Statement]:
    from portgen.targets.env import reading

    return reading.read(files)


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    from portgen.targets.env import observing

    return observing.asks(host, seen)


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    from portgen.targets.env import observing

    return observing.observe(host, seen)
