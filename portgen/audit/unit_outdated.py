"""A forwarder runs with an older definition than its installed file has.

The file was replaced, but systemd has not read it (`systemctl daemon-reload`), or the process was not
restarted since. So the process may lead to the container that had the address before, and to whoever has
it now. A restart before the daemon-reload starts the old definition once more: therefore the arguments
of the process are compared too.

Symptom:
    The files are right, and a dashboard shows another one's pages all the same, or clients that were let
    in by the last change are refused; `systemctl status` may warn that the file changed on disk.
Ends it:
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import structs

from portgen.audit import _commands, _installed, _units
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan import live
from portgen.plan.live import InstalledFile
from portgen.problem import Severity
from portgen.targets.systemd import reading

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR
UNLESS = ("unit-differs",)


class _Age(NamedTuple):
    """Why a unit is out of date, and both sides of it."""

    why: str
    declared: Any
    found: Any


def check(host: Audited) -> Iterator[Finding]:
    for forwarder, unit, file in _units.forwarders(host):
        age = (
            _by_load(unit)
            or _by_arguments(host, unit)
            or _by_reload(host, unit, file)
            or _by_time(host, unit, file)
        )
        if age is None:
            continue
        does = "runs" if unit.pid else "would start"
        yield Finding(
            f"{unit.name} {does} with an old definition: {age.why}",
            forwarder.key_path,
            service=forwarder.service,
            port=forwarder.endpoint,
            declared=age.declared,
            found=age.found,
            do=_commands.install(host),
        )


def _by_load(unit: live.Unit) -> _Age | None:
    """By whether systemd has loaded its file, which is there."""
    if unit.load == "loaded":
        return None
    return _Age(f"systemd has not loaded its file ({unit.load})", "loaded", unit.load)


def _by_arguments(host: Audited, unit: live.Unit) -> _Age | None:
    """By the arguments of its process. Only a plain socat is sure to keep those that it was given."""
    process = host.processes.get(unit.pid)
    if process is None or not process.arguments or unit.forwards is None:
        return None
    loaded, running = " ".join(unit.arguments), " ".join(process.arguments)
    if loaded == running:
        return None
    leads = _units.of_process(process)
    why = "its process has other arguments"
    if leads is not None and leads.to != unit.forwards.to:
        why = f"its process leads to {leads.to}, not to {unit.forwards.to}"
    elif leads is not None and leads.listen != unit.forwards.listen:
        why = f"its process listens on {leads.listen}, not on {unit.forwards.listen}"
    return _Age(why, loaded, running)


def _by_reload(host: Audited, unit: live.Unit, file: InstalledFile) -> _Age | None:
    """By what systemd says itself; also where it is stopped: it would start with the old definition."""
    if not unit.needs_reload:
        return _by_loaded(host, unit)
    why = "systemd has not read its file since that changed"
    written = reading.unit(file.text or "")
    if unit.forwards is not None and written.listen is not None:
        fields = _units.differing(structs.replace(written, settings=""), unit.forwards)
        if fields:
            return _Age(f"{why}: {_units.words(fields)}", *_units.sides(fields))
    return _Age(why, "loaded", "changed on disk")


def _by_loaded(host: Audited, unit: live.Unit) -> _Age | None:
    """By what systemd has loaded: of a file with an older date than the one that it read, as `cp -p` and
    `git checkout` of a backup leave it, it does not say that it changed."""
    fields = _units.loaded_otherwise(unit, _units.rendered(host, unit.name) or "")
    if not fields:
        return None
    why = f"systemd has another file loaded: {_units.words(fields)}"
    return _Age(why, *_units.sides(fields))


def _by_time(host: Audited, unit: live.Unit, file: InstalledFile) -> _Age | None:
    """By when its process started."""
    if unit.started is None or not _installed.is_newer(file, unit.started, host.seen.at):
        return None
    started, changed = _installed.moment(unit.started), _installed.moment(file.modified)
    return _Age(
        f"it was started at {started}, before its file changed at {changed}",
        f"started after {changed}",
        f"started at {started}",
    )
