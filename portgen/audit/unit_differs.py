"""The installed unit of a forwarder is not the one in output/: its text, its mode or its owner; or a
drop-in overrides what it says.

It may lead to another service's container, or let other clients in, than the inventory says. Either the
last change was not installed, or somebody edited the file on the host. A drop-in is a file in a folder
beside it, `portgen-x.service.d/`, as `systemctl edit` and `systemctl set-property` make them; only those
count that set in [Service] what portgen's unit sets too. What should stay is changed in the inventory, or
in a template of the project's own.

Symptom:
    A dashboard shows another one's pages, or who may come by the inventory is refused; `systemctl cat`
    shows another text than output/.
Ends it:
    portgen -C /srv/portgen install --yes --force
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portgen.audit import _commands, _installed, _units
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.formats import systemd
from portgen.plan import live
from portgen.plan.live import InstalledFile
from portgen.plan.types import Forwarder
from portgen.problem import Severity, listed
from portgen.targets.systemd import reading

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR
_FACTS = ("ExecStart", "IPAddressAllow", "IPAddressDeny")


def check(host: Audited) -> Iterator[Finding]:
    for forwarder, unit, file in _units.forwarders(host):
        text = _units.rendered(host, forwarder.unit)
        if text is None:
            continue
        deviations = _installed.deviations(file, text)
        if deviations:
            yield _of_file(host, forwarder, file, deviations)
            continue
        finding = _of_drop_ins(host, forwarder, unit, text)
        if finding is not None:
            yield finding


def _of_file(
    host: Audited,
    forwarder: Forwarder,
    file: InstalledFile,
    deviations: list[_installed.Deviation],
) -> Finding:
    words: list[str] = []
    declared: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for one in deviations:
        if one.field != "text":
            words.append(str(one))
            declared[one.field], found[one.field] = one.declared, one.found
            continue
        fields = _units.differing(reading.unit(one.declared), reading.unit(one.found))
        words.append(_units.words(fields) or "its comments or title")
        declared, found = _units.sides(fields)
    return Finding(
        f"the installed {forwarder.unit} differs from output/: {'; '.join(words)}",
        forwarder.key_path,
        service=forwarder.service,
        port=forwarder.endpoint,
        declared=declared,
        found=found,
        do=_commands.reinstall(host, file, deviations),
    )


def _of_drop_ins(host: Audited, forwarder: Forwarder, unit: live.Unit, text: str) -> Finding | None:
    """What systemd has loaded, where a drop-in makes it another definition than the file's."""
    overriding = {path: _overrides(host, path, text) for path in unit.drop_ins}
    said = [one for settings in overriding.values() for one in settings]
    if not said:
        return None  # what is loaded otherwise without a drop-in is of an older file: unit-outdated
    fields = [] if unit.needs_reload else _units.loaded_otherwise(unit, text)
    paths = [path for path, settings in overriding.items() if settings]
    by = listed(paths)
    declared, found = _units.sides(fields)
    return Finding(
        f"{by} overrides what output/ says of {unit.name}: {_units.words(fields) or listed(said)}",
        forwarder.key_path,
        service=forwarder.service,
        port=forwarder.endpoint,
        declared=declared,
        found=found or said,
        do=_remedy(host, unit, paths),
    )


def _remedy(host: Audited, unit: live.Unit, paths: list[str]) -> str:
    """A drop-in for several units is not removed for one of them."""
    if paths and all(path.split("/")[-2] == f"{unit.name}.d" for path in paths):
        return _commands.without_drop_ins(host, paths)
    return ""


def _overrides(host: Audited, path: str, text: str) -> list[str]:
    """The settings of a drop-in that the unit has too, with another value, or that say what it
    forwards to whom."""
    file = host.files.get(path)
    if file is None or file.text is None:
        return []
    own = {(one.section, one.name): one.value for one in systemd.read(text)}
    found = []
    for one in systemd.read(file.text):
        usual = None if one.name in _FACTS else one.value
        if one.section == "Service" and own.get((one.section, one.name), usual) != one.value:
            found.append(f"{one.name}={one.value}")
    return found
