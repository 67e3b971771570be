"""compose's check: `compose config` over each override, on top of the team's own file, or of a
stub where the inventory names none."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping

from portgen.formats import compose as composefile
from portgen.formats.compose import Fault, TeamFile
from portgen.plan import team_files
from portgen.plan.contradiction import Contradiction
from portgen.plan.types import Container, Host, KeyPath, Override
from portgen.targets import Check, Findings, Machine, Program, Rejection, Unchecked
from portgen.targets.compose.writing import path

COMPOSE = Program((("docker", "compose"), ("docker-compose",)), ("version", "--short"))
# A file of secrets or a variable that the team's compose file asks for, and that only the host has.
_ELSEWHERE = r"(?i)env(ironment)? file|Missing mandatory value|required variable"
_NOISE = r"level=warning|variable is not set|^Traceback|^  "
_BOTH = "'network_mode' and 'networks' cannot be combined"


def checks(
    host: Host, files: Mapping[str, str], machine: Machine
) -> Iterator[Check | Rejection | Unchecked]:
    """What `config` accepts and `up` would not, or would replace without a word, is read from
    the team's file itself."""
    for override in host.overrides:
        text = files.get(path(override))
        if text is None:
            continue
        team = _team_file(override, machine)
        if isinstance(team, Rejection):
            yield team
        else:
            yield _check(host, override, text, team, machine)
    overridden = {override.project for override in host.overrides}
    for project in host.projects:
        if project.base_file is not None and project.name not in overridden:
            theirs = _loaded(project.base_file, machine)
            if isinstance(theirs, TeamFile):
                for found in team_files.left_over(project, theirs):
                    yield _rejection(found)


def _loaded(name: str, machine: Machine) -> TeamFile | Fault | None:
    return composefile.load(name, lambda file: machine.read(posixpath.join(machine.folder, file)))


def _rejection(found: Contradiction) -> Rejection:
    rejection = Rejection(found.message, key_path=found.key_path, hint=found.hint)
    return rejection._replace(severity=found.severity)


def _team_file(override: Override, machine: Machine) -> TeamFile | Rejection | None:
    """The team's own compose file; None where the inventory names none."""
    name = override.base_file
    if name is None:
        return None
    found = _loaded(name, machine)
    if found is None:
        message = f"the compose file {name} can't be read"
        hint = "its path is relative to the inventory's folder"
        return Rejection(message, key_path=override.base_path, hint=hint)
    if isinstance(found, Fault):
        return Rejection(found.message, posixpath.join(machine.folder, name), found.line)
    return found


def _check(
    host: Host, override: Override, text: str, team: TeamFile | None, machine: Machine
) -> Check:
    staged = {"override.yml": text}
    chain: list[str] = []
    known: list[Rejection] = []
    project = "."
    if team is not None:
        base = posixpath.join(machine.folder, team.name)
        chain.append(base)
        project = posixpath.dirname(base)
        for found in team_files.contradictions(host, override, team):
            known.append(_rejection(found))
    lacking = _lacking(override, team)
    if lacking:
        staged["stub.yml"] = json.dumps({"services": lacking})
        chain.append("stub.yml")
    arguments = ["-p", "portgen-verify", "--project-directory", project]
    for file in (*chain, "override.yml"):
        arguments += ["-f", file]
    return Check(
        f"{host.name} {override.project}",
        COMPOSE,
        (*arguments, "config", "-q"),
        _reader(override, team),
        staged,
        known=tuple(known),
    )


def _lacking(override: Override, team: TeamFile | None) -> dict[str, dict[str, str]]:
    """A service that the team's file lacks is reported already; it gets an image here, so that
    the program checks the rest."""
    if team is not None and team.includes:
        return {}
    lacking = {}
    for container in override.containers:
        if team is None or container.compose_service not in team.services:
            lacking[container.compose_service] = {"image": "scratch"}
    return lacking


def _reader(override: Override, team: TeamFile | None) -> Callable[[int, str, str], Findings]:
    torn = any(_torn(container, team) for container in override.containers)

    def read(code: int, _out: str, said: str) -> Findings:
        if code == 0:
            return
        for message in _messages(said) or [f"exit code {code}"]:
            if _BOTH in message and torn:
                continue  # known, with the service's name
            if re.search(_ELSEWHERE, message):
                reason = f"compose can't read {override.base_file} on this machine: {message}"
                yield Unchecked(reason)
            else:
                yield Rejection(message, key_path=_named(message, override))

    return read


def _messages(said: str) -> list[str]:
    found = []
    for line in said.splitlines():
        message = line.strip()
        if not message or re.search(_NOISE, line) or message.endswith("is invalid because:"):
            continue
        found.append(message)
    return found


def _named(message: str, override: Override) -> KeyPath:
    """The entry of the first service that a message names; the override's where it names none."""
    containers = {container.compose_service: container for container in override.containers}
    for word in re.findall(r"[A-Za-z0-9._-]+", message):
        container = containers.get(word.removeprefix("services."))
        if container is not None:
            return container.key_path
    return override.key_path


def _torn(container: Container, team: TeamFile | None) -> bool:
    """Whether the team's file gives it the one of `networks` and `network_mode`, and the
    override the other."""
    if team is None:
        return False
    theirs = team.services.get(container.compose_service, {})
    if container.host_network:
        return bool(theirs.get("networks"))
    return bool(theirs.get("network_mode"))
