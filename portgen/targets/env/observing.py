"""Which files of variables are installed, those of projects that left too.

In: the answers of a live host. Out: `InstalledFile`s. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.live import Gap, Thing
from portgen.plan.types import Host
from portgen.targets import Ask, Files, Seen

SOURCE = "systemd"
FOLDER = "/etc/portgen"
PATTERN = "*.env"


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    yield Files(FOLDER, PATTERN)


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    for file in seen.files(FOLDER, PATTERN):
        if file.text is None:
            yield Gap(SOURCE, f"{file.path}: {file.why}", whole=False)
        yield file
