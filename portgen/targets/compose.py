"""compose: one override a project, with fixed addresses, published ports and host networking; judged by `compose config`."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping

from portgen.formats import compose as composefile
from portgen.formats.compose import Fault, TeamFile
from portgen.plan import team_files
from portgen.plan.types import Container, Host, KeyPath, Override
from portgen.targets import Check, Findings, Machine, Page, Program, Rejection, Unchecked

COMPOSE = Program((("docker", "compose"), ("docker-compose",)), ("version", "--short"))
# A file of secrets or a variable that the team's compose file asks for, and that only the host has.
_ELSEWHERE = r"(?i)env(ironment)? file|Missing mandatory value|required variable"


def pages(host: Host) -> Iterator[Page]:
    for override in host.overrides:
        yield Page(
            _path(override), "compose/docker-compose.yml.j2", {"host": host, "override": override}
        )


def _path(override: Override) -> str:
    return f"compose/docker-compose.{override.project}.yml"


# --- the check: each override on top of the team's own file, or of a stub where the inventory names none -----------------


def checks(
    host: Host, files: Mapping[str, str], machine: Machine
) -> Iterator[Check | Rejection | Unchecked]:
    """What `config` accepts and `up` would not, or would replace without a word, is read from the team's file
    itself."""

    def read(path: str) -> str | None:
        return machine.read(posixpath.join(machine.folder, path))

    for override in host.overrides:
        text = files.get(_path(override))
        if text is None:
            continue
        team: TeamFile | None = None
        if override.base_file is not None:
            found = composefile.load(override.base_file, read)
            if found is None:
                place: KeyPath = (*override.key_path, "compose", "file")
                message = f"the compose file {override.base_file} can't be read"
                yield Rejection(
                    message, key_path=place, hint="its path is relative to the inventory's folder"
                )
                continue
            if isinstance(found, Fault):
                yield Rejection(
                    found.message, posixpath.join(machine.folder, override.base_file), found.line
                )
                continue
            team = found
        yield _check(host, override, text, team, machine)


def _check(
    host: Host, override: Override, text: str, team: TeamFile | None, machine: Machine
) -> Check:
    staged = {"override.yml": text}
    chain = []
    known: tuple[Rejection, ...] = ()
    project = "."
    if team is not None:
        path = posixpath.join(machine.folder, team.name)
        chain.append(path)
        project = posixpath.dirname(path)
        known = tuple(
            Rejection(
                found.message, key_path=found.key_path, hint=found.hint, severity=found.severity
            )
            for found in team_files.contradictions(host, override, team)
        )
    # A service that the team's file lacks is reported already; it gets an image here, so that the program
    # judges the rest.
    there = team.services if team is not None else {}
    if team is None or not team.includes:
        lacking = {
            c.compose_service: {"image": "scratch"}
            for c in override.containers
            if c.compose_service not in there
        }
        if lacking:
            staged["stub.yml"] = json.dumps({"services": lacking})
            chain.append("stub.yml")
    names = (word for file in (*chain, "override.yml") for word in ("-f", file))
    arguments = ("-p", "portgen-verify", "--project-directory", project, *names, "config", "-q")
    return Check(
        f"{host.name} {override.project}",
        COMPOSE,
        arguments,
        _reader(override, team),
        staged,
        known=known,
    )


def _reader(override: Override, team: TeamFile | None) -> Callable[[int, str, str], Findings]:
    containers = {container.compose_service: container for container in override.containers}

    def read(code: int, _out: str, said: str) -> Findings:
        if code == 0:
            return
        lines = [
            line.strip()
            for line in said.splitlines()
            if not re.search(r"level=warning|variable is not set|^Traceback|^  ", line)
        ]
        messages = [
            line for line in lines if line and not line.endswith("is invalid because:")
        ] or [f"exit code {code}"]
        for message in messages:
            if "'network_mode' and 'networks' cannot be combined" in message and any(
                _torn(c, team) for c in override.containers
            ):
                continue  # known, with the service's name
            if re.search(_ELSEWHERE, message):
                yield Unchecked(
                    f"compose can't read {override.base_file} on this machine: {message}"
                )
                continue
            named = next(
                (
                    c
                    for word in re.findall(r"[A-Za-z0-9._-]+", message)
                    if (c := containers.get(word.removeprefix("services.")))
                ),
                None,
            )
            yield Rejection(message, key_path=named.key_path if named else override.key_path)

    return read


def _torn(container: Container, team: TeamFile | None) -> bool:
    theirs = team.services.get(container.compose_service, {}) if team is not None else {}
    return bool(theirs.get("networks") if container.host_network else theirs.get("network_mode"))
