"""Which files the real programs are asked about before an install: those that change, and their company.

In: the rendered files of a host, the operations. Out: the files by target; those that go. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from portgen.install.operations import (
    NGINX,
    Operation,
    PutFile,
    ReloadNginx,
    RemoveFile,
    RunFirewall,
)
from portgen.targets.nginx.observing import FOLDER
from portgen.targets.ufw.writing import GUARD, GUARD6


class Files(NamedTuple):
    """What is asked about: `targets` by name, `texts` by path below output/<host>/, and the files of nginx
    that go, by path below its folder."""

    targets: frozenset[str]
    texts: dict[str, str]
    gone: frozenset[str]


def files(rendered: Mapping[str, str], some: Iterable[Operation]) -> Files:
    """nginx reads all of its files together; of systemd's units only those that change are asked about. The
    firewall's rules are the script's own business; the guard is tested here."""
    targets: set[str] = set()
    gone: set[str] = set()
    texts: dict[str, str] = {}
    for one in some:
        match one:
            case ReloadNginx():
                targets.add("nginx")
            case RunFirewall():
                targets.add("ufw")
            case RemoveFile(path=path, thing=thing) if thing == NGINX:
                gone.add(path.removeprefix(f"{FOLDER}/"))
            case PutFile(source=source) if source.startswith("systemd/"):
                targets.add("systemd")
                texts[source] = rendered[source]
    for path, text in rendered.items():
        if path.startswith("nginx/") or path in (GUARD, GUARD6):
            texts[path] = text
    return Files(frozenset(targets), texts, frozenset(gone))


def without(there: Mapping[str, str], gone: Collection[str]) -> dict[str, str]:
    """The files that stay."""
    return {path: text for path, text in there.items() if path not in gone}
