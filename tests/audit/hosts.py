"""Hosts under audit that are not there: a plan, and the answers that a host as declared would give.

In: an inventory's text. Out: `Seen` of a clean host, which a test then changes; and what an audit of it
finds. Each kind of answer is made in a module of its own, `tests/audit/answers_<source>.py`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from portgen import audit, targets
from portgen.audit import Audited, Found, Places, asks
from portgen.files import memory, render
from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.plan.live import SOURCES, InstalledFile
from portgen.plan.types import Host
from portgen.targets import Ask, Command, Files, Processes, Request, Said, Seen
from tests.audit import (
    answers_docker,
    answers_health,
    answers_nginx,
    answers_sockets,
    answers_systemd,
    answers_ufw,
)
from tests.estates import REPOSITORY

# The four inventories that come with portgen.
FOLDERS = (
    REPOSITORY,
    *sorted(path.parent for path in REPOSITORY.glob("examples/*/inventory.yaml")),
)
TEMPLATES = REPOSITORY / "templates"
AT = 1_800_000_000.0
FOLDER = "/srv/portgen"


class Declared(NamedTuple):
    """A host as it is declared, and its rendered files by path below output/<host>/."""

    host: Host
    rendered: dict[str, str]


def declared(text: str) -> Declared:
    """The first host of an inventory."""
    plan = planner.make(parse(text.encode(), "inventory.yaml").inventory)
    files = render.files(plan, targets.every(), [TEMPLATES], memory.Folder)
    host = plan.hosts[0]
    prefix = f"{host.name}/"
    rendered = {}
    for file in files:
        if file.path.startswith(prefix):
            rendered[file.path.removeprefix(prefix)] = file.text
    return Declared(host, rendered)


@cache
def of_folder(folder: Path) -> Declared:
    """The host of one of `FOLDERS`."""
    return declared((folder / "inventory.yaml").read_text(encoding="utf-8"))


def clean(host: Host, rendered: dict[str, str]) -> Seen:
    """What a host as declared answers. `rendered`: its files, by path below output/<host>/."""
    seen = Seen(host.name, AT)
    seen.folder, seen.out = FOLDER, f"{FOLDER}/output"
    for _ in range(10):
        asked = list(dict.fromkeys(asks(host, seen)))
        if not asked:
            return seen
        for ask in asked:
            answer(ask, host, rendered, seen)
    raise AssertionError("the targets ask without end")


def answer(ask: Ask, host: Host, rendered: dict[str, str], seen: Seen) -> None:
    """Puts the answer to one question into `seen`."""
    match ask:
        case Command():
            seen.commands[ask.words] = _said(ask, host, rendered)
        case Files():
            seen.folders[ask] = _files(ask, host, rendered)
        case Processes():
            there = {**answers_sockets.processes(host), **answers_systemd.processes(rendered)}
            seen.processes.update({pid: there.get(pid) for pid in ask.pids})
        case Request():
            seen.replies[ask.url] = answers_health.reply(ask)


def _said(ask: Command, host: Host, rendered: dict[str, str]) -> Said:
    """What a command prints: each program has its own module."""
    match ask.words[0]:
        case "ss":
            return answers_sockets.said(host)
        case "iptables-save" | "ip6tables-save":
            return answers_ufw.said(ask.words, host)
        case "systemctl":
            return answers_systemd.said(ask.words, host, rendered)
        case "docker":
            return answers_docker.said(ask, host)
    return Said(0, "")


def _files(ask: Files, host: Host, rendered: dict[str, str]) -> tuple[InstalledFile, ...]:
    """The files of a folder: each target's are made in its own module."""
    if ask.folder in answers_ufw.FOLDERS:
        return answers_ufw.files(ask, host)
    if answers_docker.is_asked(ask):
        return answers_docker.files(ask, host, rendered)
    if not ask.read or ask.folder.startswith("/etc/nginx"):
        return answers_nginx.files(ask, host, rendered)
    return answers_systemd.files(ask, rendered)


def found(host: Host, seen: Seen, rendered: dict[str, str], *sources: str) -> list[Found]:
    """What an audit of these answers finds."""
    places = Places(seen.folder, f"{seen.out}/{host.name}", seen.compose)
    return audit.check(Audited(host, seen, rendered, places, sources or SOURCES))
