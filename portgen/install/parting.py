"""What a person should know before an uninstall, and what is in its way.

In: the host as it is declared, what goes. Out: sentences; a PortgenError where nginx would not start any
more. Pure.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from portgen import audit
from portgen.audit import Audited, Reads
from portgen.formats import nginx
from portgen.install.found import Difference
from portgen.install.operations import RemoveFile, RemoveNetwork
from portgen.install.planned import Planned
from portgen.plan.facts import Published
from portgen.plan.team_folders import COPY
from portgen.problem import Exit, PortgenError
from portgen.review.steps import BY_HAND, ComposeUp, RemoveContainers, Step
from portgen.targets import compose
from portgen.targets.nginx import observing


def require_not_included(declared: Audited) -> None:
    """Raises PortgenError(Exit.MACHINE) where a file of nginx's that is not portgen's includes one that is:
    nginx would not start any more without it."""
    ours = set(observing.OURS.values())
    there = ours & declared.files.keys()
    for path, file in declared.files.items():
        if not path.startswith(f"{observing.FOLDER}/") or path in ours:
            continue
        for include in nginx.includes(file.text or ""):
            if observing.absolute(include) in there:
                message = f"{path} includes {observing.absolute(include)}"
                hint = "remove that line first: without the file nginx would not start any more"
                raise PortgenError(message, Exit.MACHINE, hint=hint)


def notes(
    declared: Audited, difference: Difference, decided: Planned, *, keeps: bool
) -> Iterator[str]:
    """What becomes of containers, networks and the teams' settings."""
    gone = [step for step in difference.steps if isinstance(step, RemoveContainers)]
    if gone and keeps:
        yield (
            "the containers are made again by the team's own files: without a fixed address, and with no "
            "other ports than those files publish"
        )
    elif gone:
        yield "the containers are stopped, and removed in the end; their volumes stay"
    removed = {one.name for one in decided.settles if isinstance(one, RemoveNetwork)}
    for network in difference.networks:
        if network not in removed:
            yield f"the network {network} stays: other containers are in it"
    files = {one.path for one in decided.operations if isinstance(one, RemoveFile)}
    for reads in _reads(declared):
        if f"{reads.folder}/{COPY}" in files and COPY in reads.written:
            yield f"{reads.env} names {COPY}, which is removed: take it out, or compose fails there"


def steps(difference: Difference, *, keeps: bool) -> Iterator[Step]:
    """The steps as they are done. A program outside Docker is not portgen's: it goes on, and nobody has to
    stop it."""
    for step in difference.steps:
        if isinstance(step, BY_HAND):
            continue
        if isinstance(step, RemoveContainers) and keeps:
            yield ComposeUp(host=step.host, file=step.file, recreate=step.containers, start=())
        else:
            yield step


def kept(declared: Audited, difference: Difference) -> Iterator[str]:
    """The teams' own compose files by which containers are made again."""
    files = {step.file for step in difference.steps if isinstance(step, RemoveContainers)}
    for override in declared.host.overrides:
        reads = audit.reads(declared, override)
        if reads is None or override.file not in files:
            continue
        for name in reads.files:
            if posixpath.basename(name) != COPY:
                yield posixpath.join(reads.folder, name)


def published(texts: Mapping[str, str]) -> Iterator[str]:
    """The ports that these compose files publish. `texts`: by their paths."""
    for path, text in texts.items():
        for statement in compose.read({path: text}):
            if isinstance(statement.fact, Published):
                yield (
                    f"{path}:{statement.first}: docker publishes {statement.fact.mapping} past ufw; "
                    "what is guarded now stays guarded"
                )


def _reads(declared: Audited) -> Iterator[Reads]:
    for override in declared.host.overrides:
        reads = audit.reads(declared, override)
        if reads is not None:
            yield reads
