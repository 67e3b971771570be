"""Operations as the shell commands that do the same, for people.

In: `Operation`s, where the rendered files are. Out: lines of shell for root. Pure.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from portgen.install import operations
from portgen.install.operations import Operation
from portgen.targets.ufw.writing import SCRIPT

# Where the files are that are rendered in memory only, while the commands run.
MEANWHILE = "/run/portgen-uninstall"
_WIDE = 100  # letters of a line
_SYSTEMCTL: dict[type[Operation], str] = {
    operations.StopUnits: "stop",
    operations.DisableUnits: "disable",
    operations.EnableUnits: "enable",
    operations.StartUnits: "start",
    operations.RestartUnits: "restart",
}


def needed(some: Iterable[Operation], rendered: Mapping[str, str]) -> dict[str, str]:
    """Of the rendered files those that the commands read, by path: what is put in place, and the firewall
    script with what it reads beside itself."""
    found = {}
    for operation in some:
        if isinstance(operation, operations.PutFile):
            found[operation.source] = rendered[operation.source]
        elif isinstance(operation, operations.RunFirewall):
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
    for folder, together in groupby(some, _goes_to):
        puts = [one for one in together if isinstance(one, operations.PutFile)] if folder else []
        if len(puts) > 1:
            yield _put_together(puts, rendered)
            continue
        for operation in puts or together:
            yield from _lines(operation, rendered, compose)


def _goes_to(operation: Operation) -> tuple[str, ...]:
    """What files have in common that one command puts in their places; of other operations, nothing."""
    if not isinstance(operation, operations.PutFile):
        return ()
    place, name = posixpath.split(operation.path)
    source, rendered_name = posixpath.split(operation.source)
    if name != rendered_name:
        return ()
    return (source, place, f"{operation.mode:04o}", operation.owner)


def _put_together(puts: list[operations.PutFile], rendered: str) -> str:
    """Files of one folder that go to one folder."""
    source, place, _, _ = _goes_to(puts[0])
    names = [posixpath.basename(one.path) for one in puts]
    words = ("install", *_rights(puts[0]), "-t", place, "--", *names)
    return f"(cd {shlex.quote(posixpath.join(rendered, source))} &&\n    {_wrapped(words)})"


def _rights(put: operations.PutFile) -> tuple[str, ...]:
    user, _, group = put.owner.partition(":")
    return ("-D", "-m", f"{put.mode:04o}", "-o", user, "-g", group)


def _wrapped(words: Iterable[str]) -> str:
    """A command, in several lines where it is long."""
    done: list[str] = []
    line = ""
    for word in map(shlex.quote, words):
        if line and len(line) + len(word) > _WIDE:
            done.append(line)
            line = f"    {word}"
        else:
            line = f"{line} {word}" if line else word
    return " \\\n".join([*done, line])


def _lines(operation: Operation, rendered: str, compose: tuple[str, ...]) -> Iterator[str]:
    kind = type(operation)
    if kind in _SYSTEMCTL:
        yield _wrapped(("systemctl", _SYSTEMCTL[kind], *operation.units))  # type: ignore[union-attr]
        return
    match operation:
        case operations.ReloadSystemd():
            yield "systemctl daemon-reload"
        case operations.PutFile(path=path, source=source):
            yield shlex.join(("install", *_rights(operation), f"{rendered}/{source}", path))
        case operations.RemoveFile(path=path):
            yield shlex.join(("rm", "-f", path))
        case operations.StopContainers(project=project, services=services):
            ids = _ids(project, services)
            yield f"{ids} | xargs -r docker update --restart=no"
            yield f"{ids} | xargs -r docker stop"
        case operations.RemoveContainers(project=project, services=services):
            yield f"{_ids(project, services)} | xargs -r docker rm"
        case operations.RemoveNetwork(name=name):
            yield shlex.join(("docker", "network", "rm", name))
        case operations.ComposeUp(folder=folder, files=files, services=services):
            variable = f"COMPOSE_FILE={shlex.quote(files)}"
            up = _wrapped((*compose, *operation.verb, *services))
            yield f"(cd {shlex.quote(folder)} &&\n    {variable} {up})"
        case operations.RunFirewall():
            yield shlex.join(("sh", f"{rendered}/{SCRIPT}", *operation.options))
        case operations.CloseRoutes() | operations.OpenRoutes():
            yield _of_routes(operation)
        case operations.ReloadNginx():
            yield "nginx -t && systemctl reload-or-restart nginx"
        case operations.Wait(seconds=seconds):
            yield f"sleep {seconds:g}"


def _of_routes(operation: operations.OfRoutes) -> str:
    """The marks of one folder, by their names in it."""
    folder = posixpath.dirname(operation.marks[0])
    names = [posixpath.basename(mark) for mark in operation.marks]
    if isinstance(operation, operations.OpenRoutes):
        return f"(cd {folder} 2>/dev/null &&\n    {_wrapped(('rm', '-f', '--', *names))})"
    return (
        f"(install -d -m 0755 {folder} && cd {folder} &&\n    {_wrapped(('touch', '--', *names))})"
    )


def _ids(project: str, services: tuple[str, ...]) -> str:
    """What prints the ids of containers, by compose's names."""
    label = "label=com.docker.compose"
    words = ("docker", "ps", "-aq", "--filter", f"{label}.project={project}")
    if len(services) == 1:
        return shlex.join((*words, "--filter", f"{label}.service={services[0]}"))
    names = shlex.join(services)
    by_service = f'--filter {label}.service="$service"'
    return f"for service in {names}; do {shlex.join(words)} {by_service}; done"
