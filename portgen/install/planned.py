"""An install as it is planned: both directions as operations, and what was found on the host.

In: an `Audited` host, what differs. Out: `Planned`. Pure. `found` is everything that the plan rests on: a
plan that was saved holds as long as a host has the same.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any, NamedTuple

from portgen import audit
from portgen.audit import Audited
from portgen.install import carrying, operations
from portgen.install.carrying import File, Folder, Side
from portgen.install.found import Difference
from portgen.install.operations import Operation
from portgen.install.present import Present, wanted
from portgen.plan.live import InstalledFile
from portgen.plan.team_folders import COPY, compose_name
from portgen.plan.types import override_file
from portgen.review.steps import Program, RestartPrograms, Step

MODE, OWNER = 0o644, "root:root"
_RUNS = ("active", "activating", "reloading")


class Planned(NamedTuple):
    """What an install does. `by_hand`: the steps that are other people's. `replaced`: the files that it
    replaces or removes, as they are."""

    operations: tuple[Operation, ...]
    undo: tuple[Operation, ...]
    settles: tuple[Operation, ...]
    by_hand: tuple[Step, ...]
    replaced: tuple[InstalledFile, ...]


def planned(host: Audited, present: Present, difference: Difference) -> Planned:
    """Both directions of an install."""
    new, old = _new(host, present, difference), _old(host, present, difference)
    by_hand = [step for step in difference.steps if isinstance(step, (Program, RestartPrograms))]
    replaced = [
        present.files[path] for path in {**new.removes, **new.puts} if path in present.files
    ]
    made = [name for names in difference.makes.values() for name in names]
    return Planned(
        tuple(carrying.forth(new)),
        (*carrying.forth(old), *carrying.settles(old, made, made=True)),
        tuple(carrying.settles(new, difference.networks)),
        tuple(by_hand),
        tuple(replaced),
    )


def _new(host: Audited, present: Present, difference: Difference) -> Side:
    puts, removes = {}, {}
    files = wanted(host)
    for path, place in present.places.items():
        there = present.files.get(path)
        if path not in files:
            if there is not None:
                removes[path] = place
        elif there is None or (there.text, there.mode, there.owner) != (files[path], MODE, OWNER):
            puts[path] = File(place, path)
    units = frozenset(forwarder.unit for forwarder in host.host.forwarders)
    folders = dict(_folders(host, present, with_copy=lambda path: path in files))
    return Side(difference.steps, puts, removes, folders, units, units, makes=difference.makes)


def _old(host: Audited, present: Present, difference: Difference) -> Side:
    """What is there now."""
    puts, removes = {}, {}
    files = wanted(host)
    for path, place in present.places.items():
        there = present.files.get(path)
        if there is None:
            if path in files:
                removes[path] = place
        elif path not in files or (there.text, there.mode, there.owner) != (
            files[path],
            MODE,
            OWNER,
        ):
            puts[path] = File(place, path, there.mode, there.owner)
    enabled = {name for name, unit in host.units.items() if unit.enabled.startswith("enabled")}
    # What runs without a file can be stopped, and never started again.
    own = {posixpath.basename(path) for path in present.files if path.startswith("systemd/")}
    active = {name for name in own if name in host.units and host.units[name].active in _RUNS}
    folders = dict(_folders(host, present, with_copy=lambda path: path in present.files))
    stopped = {
        operations.container(one.project, one.service) for one in host.containers if not one.runs
    }
    return Side(
        difference.back,
        puts,
        removes,
        folders,
        frozenset(enabled),
        frozenset(active),
        frozenset(stopped),
    )


def _folders(host: Audited, present: Present, with_copy: Any) -> Iterator[tuple[str, Folder]]:
    """Where compose works for each override, and what it reads there in one state."""
    names = {one.ours: one.project for one in host.containers if one.ours and one.project}
    rendered = {override.file: override for override in host.host.overrides}
    for path, place in present.places.items():
        if not path.startswith("compose/"):
            continue
        file, folder = posixpath.basename(path), posixpath.dirname(place)
        if file in rendered:
            override = rendered[file]
            reads = audit.reads(host, override)
            files = () if reads is None else reads.files
            separator = ":" if reads is None else reads.separator
            project = names.get(override.project) or compose_name(folder)
        else:
            ours = next(
                (one for one in host.containers if one.ours and override_file(one.ours) == file),
                None,
            )
            files, separator = ((), ":") if ours is None else (ours.files, ":")
            project = compose_name(folder) if ours is None else ours.project
        own = [one for one in files if posixpath.basename(one) != COPY]
        if with_copy(path):
            own.append(COPY)
        yield file, Folder(project, folder, separator.join(own))


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
