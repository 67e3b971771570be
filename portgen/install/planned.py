"""An install as it is planned: both directions as operations, and what was found on the host.

In: an `Audited` host, what differs. Out: `Planned`. Pure. `found` is everything that the plan rests on: a
plan that was saved holds as long as a host has the same.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from portgen import audit
from portgen.audit import Audited
from portgen.formats import compose
from portgen.install import carrying, operations
from portgen.install.carrying import File, Folder, Side
from portgen.install.found import Difference
from portgen.install.operations import Operation
from portgen.install.present import Present, wanted
from portgen.plan.live import InstalledFile
from portgen.plan.team_folders import COPY, compose_name
from portgen.plan.types import Override, override_file
from portgen.review.steps import BY_HAND, RemoveContainers, Step
from portgen.targets.ufw.writing import GUARD, GUARD6


class Planned(NamedTuple):
    """What an install does. `by_hand`: the steps that are other people's. `replaced`: the files that it
    replaces or removes, as they are. `goes_on`, `leaves`: as a journal has them, of an uninstall."""

    operations: tuple[Operation, ...]
    undo: tuple[Operation, ...]
    settles: tuple[Operation, ...]
    by_hand: tuple[Step, ...]
    replaced: tuple[InstalledFile, ...]
    goes_on: bool = False
    leaves: bool = False


def planned(
    host: Audited,
    present: Present,
    difference: Difference,
    declared: Audited | None = None,
    *,
    keeps: bool = False,
) -> Planned:
    """Both directions of an install. Of an uninstall: `declared` is the host with what goes, as far as an
    inventory says it; `keeps`: containers that go are made again without portgen's override."""
    places = [host] if declared is None else [declared, host]
    new, old = _new(host, present, difference, places), _old(host, present, difference, places)
    if declared is None:
        otherwise = _disabled(host)
        new = new._replace(boots_otherwise=otherwise)
        old = old._replace(boots_otherwise=otherwise)
    if keeps:
        new = new._replace(keeps=True, stopped=old.stopped)
    guards = {f"{host.host.name}/{path}" for path in (GUARD, GUARD6)}
    if any(change.path in guards for change in difference.changes):
        new, old = new._replace(guards=True), old._replace(guards=True)
    by_hand = [step for step in difference.steps if isinstance(step, BY_HAND)]
    replaced = [
        present.files[path] for path in {**new.removes, **new.puts} if path in present.files
    ]
    made = [name for names in difference.makes.values() for name in names]
    used = _used(host, new)
    networks = [name for name in difference.networks if name not in used]
    return Planned(
        tuple(carrying.towards(new)),
        (*carrying.towards(old), *carrying.settles(old, made, made=True)),
        tuple(carrying.settles(new, networks)),
        tuple(by_hand),
        tuple(replaced),
    )


def _disabled(host: Audited) -> frozenset[str]:
    """The forwarders that are there, and that somebody keeps from starting at a boot."""
    units = {forwarder.unit for forwarder in host.host.forwarders}
    found = [name for name in units if name in host.units]
    return frozenset(name for name in found if host.units[name].enabled == "disabled")


def _used(host: Audited, new: Side) -> set[str]:
    """The networks that containers are in which stay."""
    gone: set[tuple[str, str]] = set()
    for step in new.steps:
        if isinstance(step, RemoveContainers):
            project = new.folders[step.file].project
            gone.update((project, service) for service in step.containers)
    found: set[str] = set()
    for one in host.containers:
        if (one.project, one.service) not in gone:
            found.update(one.networks)
    return found


def _new(
    host: Audited, present: Present, difference: Difference, places: Sequence[Audited]
) -> Side:
    puts, removes = {}, {}
    files = wanted(host)
    for path, place in present.places.items():
        there = present.files.get(path)
        if path not in files:
            if there is not None:
                removes[path] = place
        elif there is None or not _is_placed(there, files[path]):
            puts[path] = File(place, path)
    units = frozenset(forwarder.unit for forwarder in host.host.forwarders)
    folders = dict(_folders(places, present, with_copy=lambda path: path in files))
    return Side(
        steps=difference.steps,
        puts=puts,
        removes=removes,
        folders=folders,
        enabled=units,
        active=units,
        makes=difference.makes,
        leaves=difference.leaves,
        comes=difference.comes,
    )


def _old(
    host: Audited, present: Present, difference: Difference, places: Sequence[Audited]
) -> Side:
    """What is there now."""
    puts, removes = {}, {}
    files = wanted(host)
    for path, place in present.places.items():
        there = present.files.get(path)
        if there is None:
            if path in files:
                removes[path] = place
        elif path not in files or not _is_placed(there, files[path]):
            puts[path] = File(place, path, there.mode, there.owner)
    enabled = {name for name, unit in host.units.items() if unit.enabled.startswith("enabled")}
    # What runs without a file can be stopped, and never started again.
    own = {posixpath.basename(path) for path in present.files if path.startswith("systemd/")}
    active = {name for name in own if name in host.units and host.units[name].runs}
    folders = dict(_folders(places, present, with_copy=lambda path: path in present.files))
    for file, folder in folders.items():
        text = present.texts.get(f"compose/{file}", "")
        if folder.own != folder.files:
            folders[file] = folder._replace(described=compose.services(text))
    stopped = {
        operations.container(one.project, one.service) for one in host.containers if not one.runs
    }
    return Side(
        steps=difference.back,
        puts=puts,
        removes=removes,
        folders=folders,
        enabled=frozenset(enabled),
        active=frozenset(active),
        stopped=frozenset(stopped),
        leaves=difference.comes,
        comes=difference.leaves,
        opens_last=True,
    )


def _is_placed(there: InstalledFile, text: str) -> bool:
    """Whether a file is as an install places it."""
    return (there.text, there.mode, there.owner) == (text, operations.MODE, operations.OWNER)


def _folders(
    hosts: Sequence[Audited], present: Present, with_copy: Callable[[str], bool]
) -> Iterator[tuple[str, Folder]]:
    """Where compose works for each override, and what it reads there in one state. `hosts`: those that may
    say it, the one that counts first."""
    ours = {override_file(one.ours): one for one in hosts[-1].containers if one.ours}
    declared: dict[str, tuple[Audited, Override]] = {}
    for host in reversed(hosts):
        declared.update({override.file: (host, override) for override in host.host.overrides})
    for path, place in present.places.items():
        if not path.startswith("compose/"):
            continue
        file, folder = posixpath.basename(path), posixpath.dirname(place)
        files: tuple[str, ...] = ()
        separator, project = ":", compose_name(folder)
        if file in ours:
            files, project = ours[file].files, ours[file].project or project
        if file in declared:
            reads = audit.reads(*declared[file])
            files = () if reads is None else reads.files
            separator = ":" if reads is None else reads.separator
        ours.pop(file, None)
        yield file, _folder(project, folder, files, separator, with_copy(path))
    for file, one in ours.items():
        # Its copy has gone, and nothing else says where it was.
        yield file, _folder(one.project, one.folder, one.files, ":", False)


def _folder(
    project: str, folder: str, files: Iterable[str], separator: str, with_copy: bool
) -> Folder:
    own = [one for one in files if posixpath.basename(one) != COPY]
    every = [*own, COPY] if with_copy else own
    return Folder(project, folder, separator.join(every), separator.join(own))


def found(host: Audited, present: Present) -> dict[str, Any]:
    """What the plan rests on, as plain values."""
    return {
        "files": {
            path: [file.text, f"{file.mode:04o}", file.owner]
            for path, file in present.files.items()
        },
        "firewall": {path: text for path, text in present.texts.items() if path.startswith("ufw/")},
        "units": {
            name: [unit.load, unit.enabled, unit.active, list(unit.arguments)]
            for name, unit in sorted(host.units.items())
        },
        "containers": sorted(
            [one.id, one.state, one.project, one.service, *one.published] for one in host.containers
        ),
        "kernel": {
            str(family): sorted(rule.text for rule in kernel.rules if "PORTGEN" in rule.text)
            for family, kernel in host.kernel.items()
        },
    }
