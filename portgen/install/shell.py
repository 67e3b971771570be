"""Operations as the shell commands that do the same, for people.

In: `Operation`s, where the rendered files are. Out: lines of shell for root. Pure.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable, Iterator, Mapping

from portgen.install.operations import (
    ComposeUp,
    DisableUnits,
    EnableUnits,
    Operation,
    PutFile,
    ReloadNginx,
    ReloadSystemd,
    RemoveContainers,
    RemoveFile,
    RemoveNetwork,
    RestartUnits,
    RunFirewall,
    StartUnits,
    StopContainers,
    StopUnits,
    Wait,
)

# Where the files are that are rendered in memory only, while the commands run.
MEANWHILE = "/run/portgen-uninstall"


def needed(some: Iterable[Operation], rendered: Mapping[str, str]) -> dict[str, str]:
    """Of the rendered files those that the commands read, by path: what is put in place, and the firewall
    script with what it reads beside itself."""
    found = {}
    for operation in some:
        if isinstance(operation, PutFile):
            found[operation.source] = rendered[operation.source]
        elif isinstance(operation, RunFirewall):
            beside = ("ufw/", "nginx/conf.d/")
            found.update((path, text) for path, text in rendered.items() if path.startswith(beside))
    return found


def written(files: Mapping[str, str]) -> Iterator[str]:
    """The commands that write files which are in no folder yet, below `MEANWHILE`."""
    for path, text in sorted(files.items()):
        place = f"{MEANWHILE}/{path}"
        yield shlex.join(("install", "-d", "-m", "0700", posixpath.dirname(place)))
        end = "PORTGEN_FILE"
        while end in text.split("\n"):
            end += "_"
        yield f"cat >{shlex.quote(place)} <<'{end}'\n{text.removesuffix(chr(10))}\n{end}"


def lines(some: Iterable[Operation], rendered: str, compose: tuple[str, ...]) -> Iterator[str]:
    """The commands. `rendered`: the folder with the host's files; `compose`: what compose is called."""
    for operation in some:
        yield from _lines(operation, rendered, compose)


def _lines(operation: Operation, rendered: str, compose: tuple[str, ...]) -> Iterator[str]:
    match operation:
        case StopUnits(units=units):
            yield shlex.join(("systemctl", "stop", *units))
        case DisableUnits(units=units):
            yield shlex.join(("systemctl", "disable", *units))
        case EnableUnits(units=units):
            yield shlex.join(("systemctl", "enable", *units))
        case StartUnits(units=units):
            yield shlex.join(("systemctl", "start", *units))
        case RestartUnits(units=units):
            yield shlex.join(("systemctl", "restart", *units))
        case ReloadSystemd():
            yield "systemctl daemon-reload"
        case PutFile(path=path, source=source, mode=mode, owner=owner):
            user, _, group = owner.partition(":")
            options = ("-D", "-m", f"{mode:04o}", "-o", user, "-g", group)
            yield shlex.join(("install", *options, f"{rendered}/{source}", path))
        case RemoveFile(path=path):
            yield shlex.join(("rm", "-f", path))
        case StopContainers(project=project, services=services):
            ids = _ids(project, services)
            yield f"{ids} | xargs -r docker update --restart=no"
            yield f"{ids} | xargs -r docker stop"
        case RemoveContainers(project=project, services=services):
            yield f"{_ids(project, services)} | xargs -r docker rm"
        case RemoveNetwork(name=name):
            yield shlex.join(("docker", "network", "rm", name))
        case ComposeUp(folder=folder, files=files, services=services, start=start):
            verb = ("up", "-d") if start else ("up", "--no-start")
            variable = f"COMPOSE_FILE={shlex.quote(files)}"
            yield f"cd {shlex.quote(folder)} && {variable} {shlex.join((*compose, *verb, *services))}"
        case RunFirewall():
            yield shlex.join(("sh", f"{rendered}/ufw/portgen-ufw.sh"))
        case ReloadNginx():
            yield "nginx -t && systemctl reload-or-restart nginx"
        case Wait(seconds=seconds):
            yield f"sleep {seconds:g}"


def _ids(project: str, services: tuple[str, ...]) -> str:
    """What prints the ids of containers, by compose's names."""
    label = "label=com.docker.compose"
    words = ("docker", "ps", "-aq", "--filter", f"{label}.project={project}")
    if len(services) == 1:
        return shlex.join((*words, "--filter", f"{label}.service={services[0]}"))
    names = shlex.join(services)
    by_service = f'--filter {label}.service="$service"'
    return f"for service in {names}; do {shlex.join(words)} {by_service}; done"
