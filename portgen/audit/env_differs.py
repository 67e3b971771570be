"""A file of variables in /etc/portgen is not the one in output/, is missing, or is left over.

The programs outside Docker find there on which port they listen and where they find those that they use.
One that starts now gets old addresses, and may speak to another service; a unit that names a missing file
does not start at all. A left-over file is of a project that has no such programs any more.

Symptom:
    A program asks at an old address, where another service answers, or it does not start: systemd says
    that it can't load the environment files.
Ends it:
    portgen -C /srv/portgen install --yes --force
    systemctl restart api-server.service
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from portgen.audit import _commands, _installed
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan.live import InstalledFile
from portgen.plan.types import EnvFile, KeyPath
from portgen.problem import Severity, listed
from portgen.targets.env import observing, reading

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    there = {
        path: file for path, file in host.files.items() if path.startswith(f"{observing.FOLDER}/")
    }
    for env in host.host.env_files:
        text = host.rendered.get(f"env/{env.file}")
        path = f"{observing.FOLDER}/{env.file}"
        file = there.pop(path, None)
        if text is None:
            continue
        if file is None:
            message = f"{path} is not installed: the programs of {env.project} don't find it"
            yield Finding(
                message,
                _key_path(host, env),
                service=_only(env),
                declared="installed",
                found="missing",
                do=_commands.install_and_restart(host, _units_of(host, env)),
            )
        elif file.text is not None:
            yield from _compared(host, env, file, text)
    for path, file in sorted(there.items()):
        if observing.MARK in (file.text or ""):
            yield Finding(
                f"{path} is left over: the inventory has no such file of variables",
                host.host.key_path,
                declared="absent",
                found="installed",
                do=_commands.install(host, force=True),
            )


def _compared(host: Audited, env: EnvFile, file: InstalledFile, text: str) -> Iterator[Finding]:
    words: list[str] = []
    declared: dict[str, Any] = {}
    found: dict[str, Any] = {}
    deviations = _installed.deviations(file, text)
    do = _commands.reinstall(host, file, deviations)
    for one in deviations:
        declared[one.field], found[one.field] = one.declared, one.found
        if one.field != "text":
            words.append(str(one))
            continue
        old, new = _variables(one.declared), _variables(one.found)
        names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        words.append(listed(names) or "its comments")
        declared["text"] = {name: old.get(name) for name in names}
        # What somebody added may be a secret.
        found["text"] = {name: new.get(name) if name in old else "added" for name in names}
        do = _commands.install_and_restart(host, _units_of(host, env, names), force=True)
    if words:
        yield Finding(
            f"{file.path} differs from output/: {'; '.join(words)}",
            _key_path(host, env),
            service=_only(env),
            declared=declared,
            found=found,
            do=do,
        )


def _units_of(host: Audited, env: EnvFile, names: Collection[str] | None = None) -> list[str]:
    """The units that run programs of a file; with `names`, those that get one of these variables."""
    found = []
    for program in env.programs:
        service = host.services.get(program.service)
        unit = host.units.get(service.unit or "") if service is not None else None
        concerned = names is None or any(name in names for name, _ in program.environment)
        if unit is not None and unit.pid and concerned:
            found.append(unit.name)
    return found


def _variables(text: str) -> dict[str, str]:
    """Its variables by name."""
    found: dict[str, str] = {}
    for statement in reading.read({"x.env": text}):
        found.update(getattr(statement.fact, "values", {}))
    return found


def _only(env: EnvFile) -> str | None:
    """The service that it is about, if that is one alone."""
    return env.programs[0].service if len(env.programs) == 1 else None


def _key_path(host: Audited, env: EnvFile) -> KeyPath:
    service = _only(env)
    if service is not None:
        return host.key_path(service)
    for project in host.host.projects:
        if project.name == env.project:
            return project.key_path
    return host.host.key_path
