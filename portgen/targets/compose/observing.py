"""What docker says of the containers, and what of portgen's lies in the teams' folders.

In: the answers of a live host. Out: `live.Container`s, running or not, and the installed copies of the
overrides, with what says whether a plain `docker-compose up` reads them. Pure.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from fnmatch import fnmatchcase
from ipaddress import ip_interface
from typing import Any

from msgspec import ValidationError, convert, to_builtins

from portgen.formats import compose
from portgen.formats.compose import PublishedPort
from portgen.plan.live import Attachment, Container, Gap, InstalledFile, Stopped, Thing
from portgen.plan.team_folders import COPY, Folders, compose_name, written
from portgen.plan.types import Host
from portgen.targets import Ask, Command, Files, Said, Seen, UnseenError, escaped

LIST = ("docker", "ps", "-a", "-q", "--no-trunc")
# Of a team's .env only what says which files compose reads: the rest may be secrets.
SETTINGS = r"\s*(export\s+)?COMPOSE_(FILE|PATH_SEPARATOR|PROJECT_NAME)\s*="
COMPOSE_FILES = "*compose*.y*ml"  # as they are called, unless the inventory names one
MOST_SHOWN = 100  # characters of a line that can't be read
# What docker says, and docker 28 says, where nobody answers at its socket.
_NO_ANSWER = (
    "Cannot connect to the Docker daemon at unix://",
    "failed to connect to the docker API at unix://",
)
LABEL = "com.docker.compose."
_OPTIONS = 4  # words of `docker inspect --format …` before the ids
_IDS_AT_ONCE = 10_000  # 65 bytes each: a command line has room for 2 MB
_LONGEST = 60_000  # characters of variables' names in one argument, which may have 128 KB


# --- what is asked --------------------------------------------------------------------------------


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    yield Command(LIST)
    yield copies(host)
    if LIST not in seen.commands:
        return
    try:
        commands = _inspects(host, seen)
    except UnseenError:
        commands = []
    yield from map(Command, commands)
    if all(command in seen.commands for command in commands):
        yield from _files(host, seen)


def copies(host: Host) -> Files:
    """portgen's files in the folders of all teams: also of projects that have left."""
    return Files(f"{escaped(host.teams.rstrip('/'))}/*", COPY)


def compose_files(folder: str) -> Files:
    """Which compose files there are in a team's folder."""
    return Files(escaped(folder), COMPOSE_FILES, read=False)


def settings(folder: str) -> Files:
    """Which of them compose reads by itself."""
    return Files.one(f"{folder}/.env", keep=SETTINGS)


def _files(host: Host, seen: Seen) -> Iterator[Files]:
    """What is looked at in the teams' folders, as soon as the containers say where those are."""
    known = _known(host, seen)
    folders = Folders(host, known, seen.folder)
    wanted = set()
    for override in host.overrides:
        folder = folders.of(override)
        wanted.add(folder)
        yield compose_files(folder)
        base = posixpath.basename(override.base_file or "")
        if base and not fnmatchcase(base, COMPOSE_FILES):
            yield Files(escaped(folder), escaped(base), read=False)
        yield settings(folder)
        yield Files.one(f"{folder}/{COPY}")
    # Of a project that has left, its containers say where it is.
    left = {one.folder for one in known if one.ours is not None and one.folder}
    for folder in sorted(left - wanted):
        yield Files.one(f"{folder}/{COPY}")


def _known(host: Host, seen: Seen) -> list[Container]:
    """The containers, as far as they could be seen."""
    try:
        return list(_containers(host, seen))
    except UnseenError:
        return []


def _inspects(host: Host, seen: Seen) -> list[tuple[str, ...]]:
    """One question about all containers; more only where one command line has no room for it."""
    ids = seen.said(*LIST).split()
    found = []
    for names in _chunks(_variables(host)):
        words = ("docker", "inspect", "--format", _template(host, names, seen.folder))
        for start in range(0, len(ids), _IDS_AT_ONCE):
            found.append((*words, *ids[start : start + _IDS_AT_ONCE]))
    return found


def _variables(host: Host) -> list[str]:
    """The names of the variables that the inventory sets in containers."""
    names: set[str] = set()
    for override in host.overrides:
        for container in override.containers:
            names.update(name for name, _ in container.environment)
    return sorted(names)


def _chunks(names: list[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    length = 0
    for name in names:
        if length + len(name) > _LONGEST:
            yield chunk
            chunk, length = [], 0
        chunk.append(name)
        length += len(name) + 3
    yield chunk


# One JSON object a container. Lists end with null, which spares the question where a comma goes.
_FIELDS = """{"id":{{json .ID}},"name":{{json .Name}},"state":{{json .State.Status}},\
"exit":{{json .State.ExitCode}},"pid":{{json .State.Pid}},"started":{{json .State.StartedAt}},\
"health":{{with .State.Health}}{{json .Status}}{{else}}""{{end}},"restarts":{{json .RestartCount}},\
"policy":{{json .HostConfig.RestartPolicy.Name}},"mode":{{json .HostConfig.NetworkMode}},\
"asked":{{json .HostConfig.PortBindings}},"ports":{{json .NetworkSettings.Ports}},\
"networks":[{{range $name, $at := .NetworkSettings.Networks}}{"name":{{json $name}},\
"fixed":{{with $at.IPAMConfig}}{{json .IPv4Address}}{{else}}""{{end}},"address":{{json $at.IPAddress}},\
"prefix":{{json $at.IPPrefixLen}},"gateway":{{json $at.Gateway}},\
"address6":{{json $at.GlobalIPv6Address}},"prefix6":{{json $at.GlobalIPv6PrefixLen}}},{{end}}null],\
"labels":{LABELS},"environment":[ENVIRONMENTnull]}""".replace("\\\n", "")
_LABELS = {
    "project": f"{LABEL}project",
    "service": f"{LABEL}service",
    "folder": f"{LABEL}project.working_dir",
    "files": f"{LABEL}project.config_files",
    "one_off": f"{LABEL}oneoff",
}


def _template(host: Host, names: list[str], inventory: str) -> str:
    """What docker prints of a container. Variables only of the projects' own, and only those that the
    inventory sets: the others may be secrets."""
    labels = [
        f'"{key}":{{{{json (index .Config.Labels "{label}")}}}}' for key, label in _LABELS.items()
    ]
    labels.append('"ours":{{with index .Config.Labels "portgen"}}{{json .}}{{else}}null{{end}}')
    environment = ""
    if names:
        projects = " ".join(f'"{name}"' for name in _compose_projects(host, inventory))
        wanted = " ".join(f'"{name}"' for name in names)
        environment = (
            '{{if or (index .Config.Labels "portgen") '
            f'(eq (index .Config.Labels "{LABEL}project") {projects})}}}}'
            '{{range .Config.Env}}{{if eq (index (split . "=") 0) '
            f"{wanted}}}}}{{{{json .}}}},{{{{end}}}}{{{{end}}}}{{{{end}}}}"
        )
    return _FIELDS.replace("LABELS", ",".join(labels)).replace("ENVIRONMENT", environment)


def _compose_projects(host: Host, inventory: str) -> list[str]:
    return sorted({compose_name(written(host, one, inventory)) for one in host.overrides})


# --- what is answered -----------------------------------------------------------------------------


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    yield from _installed(host, seen)
    if _needs_none(host, seen.commands.get(LIST)):
        return
    if _is_stopped(seen):
        yield Stopped("docker")
    yield from _containers(host, seen)


def _is_stopped(seen: Seen) -> bool:
    """Whether docker does not run on this host. It must have been root who asked: from others it may only be
    hidden. One on another host, by DOCKER_HOST, is not this host's."""
    said = seen.commands.get(LIST)
    if said is None or said.code == 0 or not seen.root:
        return False
    return any(words in said.complaint for words in _NO_ANSWER)


def _needs_none(host: Host, said: Said | None) -> bool:
    """Whether there is no docker, and nothing in the inventory that would need it."""
    return not host.overrides and said is not None and "is not installed" in said.why


def _installed(host: Host, seen: Seen) -> Iterator[InstalledFile | Gap]:
    """Files by path; of those that were asked for twice, what was looked at whole comes last."""
    asked = [*_files(host, seen), copies(host)]
    unread: dict[str, str] = {}
    for ask in sorted(asked, key=lambda one: one.read):
        try:
            files = seen.answer(ask)
        except UnseenError as why:
            yield Gap("docker", str(why), whole=False)
            continue
        for file in files:
            if ask.read and file.text is None:
                unread[file.path] = file.why
            if ask.read or not file.path.endswith(f"/{COPY}"):
                yield file
    for path, reason in unread.items():
        yield Gap("docker", f"{path}: {reason}", whole=False)


def _containers(host: Host, seen: Seen) -> Iterator[Container]:
    """The containers. One that went away between the two questions is not there."""
    found: dict[str, dict[str, Any]] = {}
    for command in _inspects(host, seen):
        said = seen.commands.get(command)
        is_gone = said is not None and said.code != 0 and _only_gone(said)
        text = said.text if said is not None and is_gone else seen.said(*command)
        for line in text.split("\n"):
            if line.strip():
                with _readable(line):
                    entry = _entry(line)
                    first = found.setdefault(entry["id"], entry)
                    if first is not entry:
                        first["environment"] += entry["environment"]
        missing = set() if is_gone else set(command[_OPTIONS:]) - found.keys()
        if missing:
            raise UnseenError(f"`docker inspect` says nothing of {min(missing)[:12]}")
    for entry in found.values():
        with _readable(json.dumps(entry)):
            container = _container(entry)
        yield container


@contextmanager
def _readable(line: str) -> Iterator[None]:
    """Around what reads a line: one that has something else than the template asks for is not seen."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, ValidationError):
        short = line.strip()[:MOST_SHOWN]
        raise UnseenError(f"can't parse this line from `docker inspect`: {short}") from None


def _only_gone(said: Said) -> bool:
    lines = said.complaint.strip().splitlines()
    return bool(lines) and all(re.search(r"(?i)no such (object|container)", line) for line in lines)


def _entry(line: str) -> dict[str, Any]:
    entry = json.loads(line)
    if not isinstance(entry, dict):
        raise TypeError
    return entry


def _container(entry: dict[str, Any]) -> Container:
    labels = entry["labels"]
    holds = entry["state"] in ("running", "paused")
    found = Container(
        id=entry["id"],
        name=entry["name"].removeprefix("/"),
        state=entry["state"],
        project=labels["project"] or "",
        service=labels["service"] or "",
        folder=labels["folder"] or "",
        files=tuple(filter(None, (labels["files"] or "").split(","))),
        ours=labels["ours"],
        exit_code=entry["exit"],
        health="" if entry["health"] == "none" else entry["health"],
        restarts=entry["restarts"],
        network_mode=entry["mode"],
        networks={one["name"]: _attachment(one) for one in entry["networks"] if one},
        published=_published(entry["ports"] if holds else entry["asked"]),
        environment=dict(one.split("=", 1) for one in entry["environment"] if one and "=" in one),
        restart_policy=entry["policy"],
        pid=entry["pid"],
        started=_seconds(entry["started"]),
        one_off=(labels["one_off"] or "").lower() == "true",
    )
    return convert(
        to_builtins(found), Container
    )  # each field is what it should be, or ValidationError


def _attachment(entry: dict[str, Any]) -> Attachment:
    """One that does not run has no address, but may have a fixed one that it would take."""
    for address, prefix in (("address", "prefix"), ("address6", "prefix6")):
        if entry[address]:
            ip_interface(f"{entry[address]}/{entry[prefix]}")
    return Attachment(
        entry["address"] or entry["fixed"],
        entry["prefix"],
        entry["gateway"],
        entry["address6"],
        entry["prefix6"],
    )


def _published(said: dict[str, list[dict[str, str]] | None] | None) -> tuple[str, ...]:
    """In compose's short form. docker lists each port alone; a port that it would choose is not known
    before it does."""
    single: set[PublishedPort] = set()
    ranges = []
    for inside, places in (said or {}).items():
        port, _, transport = inside.partition("/")
        for place in places or ():
            address, number = place.get("HostIp", ""), place.get("HostPort", "")
            if "-" in number:
                where = f"[{address}]" if ":" in address else address
                ranges.append(f"{where}:{number}:{inside.removesuffix('/tcp')}".removeprefix(":"))
            elif number not in ("", "0"):
                both = (address,) if address else ("0.0.0.0", "::")  # noqa: S104 - what docker does
                for one in both:
                    single.add(PublishedPort(one, transport, int(number), int(port)))
    return (*compose.short_forms(single), *ranges)


def _seconds(said: str) -> float | None:
    """`2026-11-26T17:07:57.621017588Z` in seconds since 1970; None of what never ran."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[-+]\d\d:\d\d)", said)
    if match is None or match[1].startswith("0001"):
        return None
    whole = datetime.fromisoformat(match[1] + ("+00:00" if match[3] == "Z" else match[3]))
    return whole.timestamp() + float(match[2] or 0)
