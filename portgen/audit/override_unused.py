r"""A plain `docker-compose up` in a team's folder leaves portgen's file out, or a container was made
that way.

Without that file a container gets an address that docker chooses, and none of its ports: every route of
the project is down, until `portgen install` has run again. COMPOSE_FILE in the folder's .env prevents
it: compose then reads portgen's file without being asked. That the line is missing is a warning. A
container that was made without the file is an error; what else is wrong with it follows from that.

Symptom:
    It worked until somebody ran `docker-compose up`; then each of the project's routes says `502 Bad
    Gateway`.
Ends it:
    printf '\n%s\n' COMPOSE_FILE=docker-compose.yml:docker-compose.portgen.yml >>/srv/dashboard/.env
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from portgen.audit import _commands, _teams
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan.live import Container
from portgen.plan.team_folders import COPY
from portgen.plan.types import Override
from portgen.problem import Severity

SOURCES = ("docker",)
SEVERITY = Severity.WARNING


def check(host: Audited) -> Iterator[Finding]:
    for expected in host.expected:
        container = expected.container
        if container is None or not _was_left_out(container, expected.override):
            continue
        read = ", ".join(map(posixpath.basename, container.files))
        yield Finding(
            f"{container.name}, the container of {expected.words}, was made without {COPY}: "
            f"compose read {read}",
            expected.planned.key_path,
            service=expected.planned.service,
            declared=COPY,
            found=list(container.files),
            do=_commands.install(host),
            severity=Severity.ERROR,
            also=expected.others,
        )
    for override in host.host.overrides:
        yield from _in_folder(host, override)


def _was_left_out(container: Container, override: Override) -> bool:
    """Whether compose says that it did not read the override. Its label says that it did, whatever the
    file was called."""
    if container.ours is not None or not container.files:
        return False
    names = set(map(posixpath.basename, container.files))
    return not names & {COPY, override.file}


def _in_folder(host: Audited, override: Override) -> Iterator[Finding]:
    reads = _teams.reads(host, override)
    if reads is None or reads.has_copy or not reads.files:
        return
    do = _commands.with_line(reads.env, f"COMPOSE_FILE={reads.with_copy}")
    if reads.written:
        do = _commands.set_variable(reads.env, "COMPOSE_FILE", reads.with_copy)
    yield Finding(
        f"a plain `docker-compose up` in {reads.folder} leaves {COPY} out: COMPOSE_FILE in its .env "
        "does not name it",
        override.key_path,
        declared=f"COMPOSE_FILE={reads.with_copy}",
        found=f"COMPOSE_FILE={reads.written}" if reads.written else None,
        do=do,
    )
