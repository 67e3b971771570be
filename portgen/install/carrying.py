"""From steps to operations: what is done on the host, one after the other, in one direction.

In: a `Side`: the steps that lead to a state, and the files and units of that state. Out: `Operation`s.
Pure. The order is that of the steps, and never depends on the direction: what releases something stops
first, then the firewall and nginx change, then the new holders start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from portgen.install import operations
from portgen.install.operations import (
    ComposeUp,
    DisableUnits,
    EnableUnits,
    Operation,
    PutFile,
    ReloadNginx,
    ReloadSystemd,
    RemoveContainers,
    RemoveFile,
    RemoveNetwork,
    RestartUnits,
    RunFirewall,
    StartUnits,
    StopContainers,
    StopUnits,
    Wait,
)
from portgen.review import steps
from portgen.review.steps import Step
from portgen.review.turnover import Address

T = TypeVar("T", bound=Step)

# `proxy_connect_timeout`, and a little more: how long an old worker of nginx may still be trying to connect.
PATIENCE = 2.0


class File(NamedTuple):
    """A file of a state: where it goes, and its place in the tree."""

    path: str
    source: str
    mode: int = 0o644
    owner: str = "root:root"


class Folder(NamedTuple):
    """Where compose works for an override: what it calls the project, and what it reads."""

    project: str
    folder: str
    files: str


class Side(NamedTuple):
    """What leads to a state. `puts` and `removes`: the files that differ, by path in output/. `folders`: by
    the override's name, as they are in that state. `enabled` and `active`: units that are so in that state.
    `reloads`: whether nginx has to read its files in any case."""

    steps: tuple[Step, ...]
    puts: Mapping[str, File]
    removes: Mapping[str, str]
    folders: Mapping[str, Folder]
    enabled: frozenset[str]
    active: frozenset[str]
    # Containers that were there in that state and did not run.
    stopped: frozenset[str] = frozenset()
    # The networks that the other state does not have, by the override that makes them.
    makes: Mapping[str, tuple[str, ...]] = {}
    # Whether containers that leave it are made again without portgen's override, and not removed.
    keeps: bool = False


def forth(side: Side) -> Iterator[Operation]:
    """The operations that lead to the state."""
    yield from _stops(side)
    if side.keeps:
        yield from _kept(side)
    yield from _networks(side)
    if _has(side, steps.ChangeFirewall):
        yield RunFirewall()
    yield from _nginx(side)
    if _has(side, steps.OpenFirewall):
        yield RunFirewall()
    yield from _files(side, "env/")
    yield from _containers(side)
    yield from _units(side)


def settles(side: Side, networks: Iterable[str], *, made: bool = False) -> Iterator[Operation]:
    """What waits until the state is there to stay: the containers that have left it, and their networks.
    `made`: only those networks that this install has made."""
    for step in () if side.keeps else _of(side, steps.RemoveContainers):
        yield RemoveContainers(side.folders[step.file].project, step.containers)
    for name in networks:
        yield RemoveNetwork(name, made=made)


def _has(side: Side, kind: type[Step]) -> bool:
    return any(isinstance(step, kind) for step in side.steps)


def _of(side: Side, *kinds: type[T]) -> Iterator[T]:
    for step in side.steps:
        if isinstance(step, kinds):
            yield step


def _stops(side: Side) -> Iterator[Operation]:
    stopped: set[tuple[str, str]] = set()
    for step in side.steps:
        if isinstance(step, (steps.RemoveUnits, steps.StopUnits)):
            yield StopUnits(step.units)
        elif isinstance(step, steps.RemoveContainers) and side.keeps:
            continue
        elif isinstance(step, (steps.RemoveContainers, steps.StopContainers, steps.ComposeDown)):
            stopped.update((step.file, name) for name in step.containers)
    for step in _of(side, steps.ComposeUp):
        # What is made again releases what it has first: the firewall guards that until then.
        stopped.update((step.file, name) for name in step.recreate)
    for file in sorted({file for file, _ in stopped}):
        names = sorted(name for one, name in stopped if one == file)
        yield StopContainers(side.folders[file].project, tuple(names))


def _kept(side: Side) -> Iterator[Operation]:
    """The containers that stay, as the team's own files have them, before their guard goes."""
    yield from _files(side, "compose/")
    for step in _of(side, steps.RemoveContainers):
        yield from _up(side, step.file, step.containers)


def _networks(side: Side) -> Iterator[Operation]:
    for step in _of(side, steps.RemoveNetwork):
        subnets = () if step.becomes is None else tuple(step.becomes.split(" and "))
        yield RemoveNetwork(step.network, subnets)


def _nginx(side: Side) -> Iterator[Operation]:
    files = list(_files(side, "nginx/", operations.NGINX))
    yield from files
    if not files and not _has(side, steps.ReloadNginx):
        return
    yield ReloadNginx()
    if _addresses(side.steps, "releases") & _addresses(side.steps, "takes"):
        yield Wait(PATIENCE)


def _addresses(some: Iterable[Step], field: str) -> set[Address]:
    found: set[Address] = set()
    for step in some:
        found.update(held for held in getattr(step, field) if isinstance(held, Address))
    return found


def _files(side: Side, prefix: str, thing: str = "") -> Iterator[PutFile | RemoveFile]:
    for path, place in sorted(side.removes.items()):
        if path.startswith(prefix):
            yield RemoveFile(place, thing)
    for path, file in sorted(side.puts.items()):
        if path.startswith(prefix):
            yield PutFile(*file, thing=thing)


def _containers(side: Side) -> Iterator[Operation]:
    if not side.keeps:
        yield from _files(side, "compose/")
    for step in _of(side, steps.ComposeUp):
        yield from _up(side, step.file, {*step.recreate, *step.start})


def _up(side: Side, file: str, names: Iterable[str]) -> Iterator[ComposeUp]:
    """Some containers of an override, those that did not run without starting them."""
    at, networks = side.folders[file], side.makes.get(file, ())
    for start in (True, False):
        some = [name for name in sorted(names) if start is not _is_stopped(side, at, name)]
        if some:
            yield ComposeUp(at.project, at.folder, at.files, tuple(some), start, networks)


def _is_stopped(side: Side, at: Folder, service: str) -> bool:
    return operations.container(at.project, service) in side.stopped


def _units(side: Side) -> Iterator[Operation]:
    prefix = "systemd/"
    gone = {path.removeprefix(prefix) for path in side.removes if path.startswith(prefix)}
    come = {path.removeprefix(prefix) for path in side.puts if path.startswith(prefix)}
    starts = [*_of(side, steps.EnableUnits, steps.StartUnits, steps.RestartUnits)]
    concerned = {*gone, *come, *(name for step in starts for name in step.units)}
    for step in _of(side, steps.RemoveUnits, steps.StopUnits):
        concerned.update(step.units)
    disabled = sorted(concerned - side.enabled)
    if disabled:
        yield DisableUnits(tuple(disabled))
    for path, place in sorted(side.removes.items()):
        if path.startswith(prefix):
            yield RemoveFile(place, operations.unit(path.removeprefix(prefix)))
    for path, file in sorted(side.puts.items()):
        if path.startswith(prefix):
            yield PutFile(*file, thing=operations.unit(path.removeprefix(prefix)))
    if concerned:
        yield ReloadSystemd(tuple(sorted(concerned)))
    enabled = tuple(sorted(concerned & side.enabled))
    if enabled:
        yield EnableUnits(enabled)
    started = {name for step in starts for name in step.units}
    for step in starts:
        units = tuple(name for name in step.units if name in side.active)
        if units:
            yield RestartUnits(units) if isinstance(step, steps.RestartUnits) else StartUnits(units)
    # A text that says the same in other words: the process has to be younger than its file all the same.
    rest = tuple(sorted((come & side.active) - started))
    if rest:
        yield RestartUnits(rest)
