"""A host on which nothing of portgen's is installed yet, as it would answer; and the first install there.

In: an inventory's folder with its rendered files. Out: the operations of the first install, as
`portgen install --dry-run --format sh` prints them. Asks no host anything.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from portgen.audit import Audited, Places, asks
from portgen.files.render import File
from portgen.install import found, planned, present, shell
from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.plan.live import InstalledFile, Reply
from portgen.plan.types import Host
from portgen.targets import Ask, Command, Files, Processes, Request, Said, Seen

AT = 1_800_000_000.0
FOLDER = "/srv/portgen"  # where the checkout is on the host
COMPOSE = ("docker-compose",)
UNKNOWN = """\
Names={name}
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
FragmentPath=
DropInPaths=
NeedDaemonReload=no
MainPID=0
"""


def first_install(folder: Path) -> list[str]:
    """The commands of the first install of an inventory's first host."""
    source = parse((folder / "inventory.yaml").read_bytes(), "inventory.yaml")
    plan = planner.make(source.inventory)
    host = plan.hosts[0]
    rendered = dict(_rendered(folder / "output" / host.name))
    seen = answers(host)
    audited = Audited(host, seen, rendered, Places(FOLDER, f"{FOLDER}/output/{host.name}", COMPOSE))
    if audited.gaps:
        raise SystemExit(f"an empty host does not answer: {audited.gaps}")
    there = present.Present(audited)
    files = [File(f"{host.name}/{path}", text, 0o644) for path, text in rendered.items()]
    difference = found.difference(audited, there, files, plan)
    decided = planned.planned(audited, there, difference)
    return list(shell.lines(decided.operations, audited.places.rendered, COMPOSE))


def _rendered(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")


def answers(host: Host) -> Seen:
    """What the host answers: programs are installed, the teams' compose files are there, ufw is enabled."""
    seen = Seen(host.name, AT)
    seen.root = True
    seen.folder, seen.out = FOLDER, f"{FOLDER}/output"
    asked: list[Ask] = [Processes(())]
    while asked:
        asked = [ask for ask in dict.fromkeys(asks(host, seen)) if not seen.has(ask)]
        for ask in asked:
            _answer(ask, host, seen)
    return seen


def _answer(ask: Ask, host: Host, seen: Seen) -> None:
    match ask:
        case Command():
            seen.commands[ask.words] = Said(0, _printed(ask.words))
        case Files():
            seen.folders[ask] = tuple(_files(ask, host))
        case Processes():
            seen.processes.update(dict.fromkeys(ask.pids))
        case Request():
            seen.replies[ask.url] = Reply(ask.service, ask.url, None)


def _printed(words: tuple[str, ...]) -> str:
    """systemd knows no unit by any of the names; the other programs list nothing."""
    if words[0] != "systemctl":
        return ""
    names = [word for word in words if word.endswith((".service", ".timer"))]
    return "\n".join(UNKNOWN.format(name=name) for name in names)


def _files(ask: Files, host: Host) -> Iterator[InstalledFile]:
    """The teams' compose files alone."""
    for override in host.overrides:
        path = f"/srv/{override.project}/docker-compose.yml"
        if ask.folder == posixpath.dirname(path) and fnmatchcase("docker-compose.yml", ask.pattern):
            yield InstalledFile(path, "" if ask.read else None)
