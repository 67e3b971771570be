"""Which files of variables are installed, those of projects that left too.

In: the answers of a live host. Out: `InstalledFile`s. Pure. Of other people's files there only the line is
looked at that would make them portgen's: the rest is their secrets.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.live import Gap, Thing
from portgen.plan.types import Host
from portgen.targets import Ask, Files, Seen

SOURCE = "systemd"
FOLDER = "/etc/portgen"
MARK = "Rendered by portgen"  # what an install knows portgen's own files by
_EVERY = Files(FOLDER, "*.env", keep=f".*{MARK}")


def _own(host: Host) -> Iterator[Files]:
    for env in host.env_files:
        yield Files.one(f"{FOLDER}/{env.file}")


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    yield _EVERY
    yield from _own(host)


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    found = {file.path: file for file in seen.answer(_EVERY)}
    for ask in _own(host):
        found.update({file.path: file for file in seen.answer(ask)})
    for path in sorted(found):
        if found[path].text is None:
            yield Gap(SOURCE, f"{path}: {found[path].why}", whole=False)
        yield found[path]
