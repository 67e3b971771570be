"""From steps to operations: what is done on the host, one after the other, in one direction.

In: a `Side`: the steps that lead to a state, and the files and units of that state. Out: `Operation`s.
Pure. The order is that of the steps, and never depends on the direction: what releases something stops
first, then the firewall and nginx change, then the new holders start.

A worker of nginx that a reload replaces goes on answering the connections that it has, by its old files: a
route closes before its service leaves a place, and opens where the service has come to one.

While a service is stopped its visitors wait, so whatever can be done before or after is not done then: unit
files are placed before anything stops, rules open before a forwarder moves to their port, and close when it
has left. `_Firewall` decides where that is safe: nobody may get in who is allowed in neither state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from portgen.install import operations
from portgen.install.operations import Operation
from portgen.plan.ports import Endpoint
from portgen.review import steps
from portgen.review.firewall import Rule
from portgen.review.steps import Step
from portgen.review.turnover import Address

T = TypeVar("T", bound=Step)

# `proxy_connect_timeout`: how many seconds an old worker of nginx may still be trying to connect.
PATIENCE = 2.0


class File(NamedTuple):
    """A file of a state: where it goes, and its place in the tree."""

    path: str
    source: str
    mode: int = operations.MODE
    owner: str = operations.OWNER


class Folder(NamedTuple):
    """Where compose works for an override: what it calls the project, and what it reads. `own`: of this,
    the team's own files; `described`: the services that the override has, where it is one of them."""

    project: str
    folder: str
    files: str
    own: str = ""
    described: tuple[str, ...] = ()


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
    # Whether the guard differs, also in lines of no service.
    guards: bool = False
    # The marks of the places that services of routes leave, and of those to which they come.
    leaves: tuple[str, ...] = ()
    comes: tuple[str, ...] = ()
    # Units that are there, and do not start at a boot as the other state has it.
    boots_otherwise: frozenset[str] = frozenset()
    # Whether routes open at the very end. Whoever is at a place was not looked for where an install is put
    # back: a route stays closed where its service can't listen there.
    opens_last: bool = False


def towards(side: Side) -> Iterator[Operation]:
    """The operations that lead to the state."""
    firewall, units = _Firewall(side), _Units(side)
    yield from units.files()
    if firewall.is_early:
        yield from units.reads()
        yield from firewall.changes()
    if side.leaves:
        yield operations.CloseRoutes(side.leaves)
    yield from _stops(side, units)
    if side.keeps:
        yield from _kept(side)
    yield from _networks(side)
    if not firewall.is_early:
        yield from firewall.changes()
        yield from units.reads()
    yield from _nginx(side)
    if _has(side, steps.OpenFirewall):
        yield operations.RunFirewall(firewall.keeps)
    yield from _files(side, "env/")
    yield from _containers(side)
    yield from units.starts()
    if side.opens_last and side.comes:
        yield operations.OpenRoutes(side.comes)
    if firewall.keeps:
        yield operations.RunFirewall()
    yield from units.boots()


def settles(side: Side, networks: Iterable[str], *, made: bool = False) -> Iterator[Operation]:
    """What waits until the state is there to stay: the containers that have left it, and their networks.
    `made`: only those networks that this install has made."""
    for step in () if side.keeps else _of(side, steps.RemoveContainers):
        yield operations.RemoveContainers(side.folders[step.file].project, step.containers)
    for name in networks:
        yield operations.RemoveNetwork(name, made=made)


def _has(side: Side, kind: type[Step]) -> bool:
    return any(isinstance(step, kind) for step in side.steps)


def _of(side: Side, *kinds: type[T]) -> Iterator[T]:
    for step in side.steps:
        if isinstance(step, kinds):
            yield step


def _held(some: Iterable[Step], field: str) -> list[Endpoint]:
    """The ports that steps release, or take."""
    found: list[Endpoint] = []
    for step in some:
        found += [held for held in getattr(step, field) if isinstance(held, Endpoint)]
    return found


def _is_among(port: Endpoint, ports: Iterable[Endpoint]) -> bool:
    return any(port.overlaps(other) for other in ports)


class _Firewall:
    """When the firewall script runs. It runs at once where no port that opens or closes is about to have
    another holder: nobody is there yet, or whoever is there is let in by that state. Else it runs while
    nobody holds them. The rules of a port that a forwarder leaves, and nobody else takes, stay until it has
    left: until then the old state lets its visitors in."""

    def __init__(self, side: Side) -> None:
        self._steps = list(_of(side, steps.ChangeFirewall))
        self._released = _held(side.steps, "releases")
        taken = _held(side.steps, "takes")
        left = _held(_of(side, steps.RestartUnits), "releases")
        keeps = set()
        for rule in self._closes():
            if _is_among(rule.port, left) and not _is_among(rule.port, taken):
                keeps.add(rule.port)
        self.keeps = tuple(_as_ufw_has_it(port) for port in sorted(keeps))
        self._kept = keeps
        self._guards = side.guards

    def _closes(self) -> Iterator[Rule]:
        for step in self._steps:
            yield from step.closes

    @property
    def is_early(self) -> bool:
        """Whether it runs before anything stops. A guard changes while nobody holds what it guards."""
        if self._guards:
            return False
        concerned = [rule.port for rule in self._closes() if rule.port not in self._kept]
        for step in self._steps:
            if step.guards:
                return False
            concerned += [rule.port for rule in step.opens]
        return not any(_is_among(port, self._released) for port in concerned)

    def changes(self) -> Iterator[Operation]:
        if self._steps:
            yield operations.RunFirewall(self.keeps)


def _as_ufw_has_it(port: Endpoint) -> str:
    last = f":{port.last}" if port.last else ""
    return f"{port.port}{last}/{port.transport}"


def _stops(side: Side, units: _Units) -> Iterator[Operation]:
    stopped: set[tuple[str, str]] = set()
    for step in side.steps:
        if isinstance(step, (steps.RemoveUnits, steps.StopUnits)):
            yield operations.StopUnits(step.units)
        elif isinstance(step, steps.RemoveContainers) and side.keeps:
            continue
        elif isinstance(step, (steps.RemoveContainers, steps.StopContainers, steps.ComposeDown)):
            stopped.update((step.file, name) for name in step.containers)
    if units.newcomers:
        yield operations.StopUnits(units.newcomers)
    for step in _of(side, steps.ComposeUp):
        # What is made again releases what it has first: the firewall guards that until then.
        stopped.update((step.file, name) for name in step.recreate)
    for file in sorted({file for file, _ in stopped}):
        names = sorted(name for one, name in stopped if one == file)
        yield operations.StopContainers(side.folders[file].project, tuple(names))


def _kept(side: Side) -> Iterator[Operation]:
    """The containers that stay, as the team's own files have them, before their guard goes."""
    yield from _files(side, "compose/")
    for step in _of(side, steps.RemoveContainers):
        yield from _up(side, step.file, step.containers)


def _networks(side: Side) -> Iterator[Operation]:
    for step in _of(side, steps.RemoveNetwork):
        subnets = () if step.becomes is None else tuple(step.becomes.split(" and "))
        yield operations.RemoveNetwork(step.network, subnets)


def _nginx(side: Side) -> Iterator[Operation]:
    files = list(_files(side, "nginx/", operations.NGINX))
    yield from files
    if not files and not _has(side, steps.ReloadNginx):
        return
    if side.comes and not side.opens_last:
        # Whoever was at these places before has stopped.
        yield operations.OpenRoutes(side.comes)
    yield operations.ReloadNginx()
    if _addresses(side.steps, "releases") & _addresses(side.steps, "takes"):
        yield operations.Wait(PATIENCE)


def _addresses(some: Iterable[Step], field: str) -> set[Address]:
    found: set[Address] = set()
    for step in some:
        found.update(held for held in getattr(step, field) if isinstance(held, Address))
    return found


def _files(
    side: Side, prefix: str, thing: str = ""
) -> Iterator[operations.PutFile | operations.RemoveFile]:
    for path, place in sorted(side.removes.items()):
        if path.startswith(prefix):
            yield operations.RemoveFile(place, thing)
    for path, file in sorted(side.puts.items()):
        if path.startswith(prefix):
            yield operations.PutFile(*file, thing=thing)


def _containers(side: Side) -> Iterator[Operation]:
    if not side.keeps:
        yield from _files(side, "compose/")
    for step in _of(side, steps.ComposeUp):
        yield from _up(side, step.file, {*step.recreate, *step.start})


def _up(side: Side, file: str, names: Iterable[str]) -> Iterator[operations.ComposeUp]:
    """Some containers of an override, those that did not run without starting them."""
    at, networks = side.folders[file], side.makes.get(file, ())
    for start in (True, False):
        some = [name for name in sorted(names) if start is not _is_stopped(side, at, name)]
        if some:
            yield operations.ComposeUp(
                at.project,
                at.folder,
                at.files,
                tuple(some),
                start,
                networks,
                at.own,
                at.described,
            )


def _is_stopped(side: Side, at: Folder, service: str) -> bool:
    return operations.container(at.project, service) in side.stopped


class _Units:
    """systemd's part. Unit files lie in their places before anything stops, and say nothing until systemd
    reads them."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._gone = _below(side.removes)
        self._come = _below(side.puts)
        begin = [*_of(side, steps.EnableUnits, steps.StartUnits)]
        again = [*_of(side, steps.RestartUnits)]
        self._begin = {name for step in begin for name in step.units}
        self._again = {name for step in again for name in step.units}
        self._stopped = {
            name for step in _of(side, steps.RemoveUnits, steps.StopUnits) for name in step.units
        }
        others = [step for step in side.steps if not isinstance(step, steps.RestartUnits)]
        released = _held(others, "releases")
        # What moves to a port that another leaves stops with it: once systemd has read its new file, a
        # crash would start it there before anybody else knows.
        self.newcomers: tuple[str, ...] = ()
        if any(_is_among(port, released) for port in _held(again, "takes")):
            self.newcomers = tuple(sorted(self._again))

    @property
    def _concerned(self) -> set[str]:
        return {*self._gone, *self._come, *self._begin, *self._again, *self._stopped}

    def files(self) -> Iterator[Operation]:
        """The new files."""
        for name, path in sorted(self._come.items()):
            yield operations.PutFile(*self.side.puts[path], thing=operations.unit(name))

    def reads(self) -> Iterator[Operation]:
        """systemd knows the new files from here on."""
        new = self._concerned - set(self._gone)
        if new:
            yield operations.ReloadSystemd(tuple(sorted(new)))

    def starts(self) -> Iterator[Operation]:
        begin, again = self._begin, self._again
        if self.newcomers:
            begin, again = begin | again, set()
        first = tuple(sorted(begin & self.side.active))
        if first:
            yield operations.StartUnits(first)
        # A text that says the same in other words: the process has to be younger than its file all the same.
        again = again | (set(self._come) - begin)
        then = tuple(sorted(again & self.side.active))
        if then:
            yield operations.RestartUnits(then)

    def boots(self) -> Iterator[Operation]:
        """What starts at a boot, and the files of what is gone."""
        concerned = self._concerned | self.side.boots_otherwise
        disabled = tuple(sorted(concerned - self.side.enabled))
        if disabled:
            yield operations.DisableUnits(disabled)
        enabled = tuple(sorted(concerned & self.side.enabled))
        if enabled:
            yield operations.EnableUnits(enabled)
        for name, path in sorted(self._gone.items()):
            yield operations.RemoveFile(self.side.removes[path], operations.unit(name))
        if self._gone:
            yield operations.ReloadSystemd(tuple(sorted(self._gone)))


def _below(paths: Iterable[str]) -> dict[str, str]:
    """The units among paths in output/, by name."""
    prefix = "systemd/"
    return {path.removeprefix(prefix): path for path in paths if path.startswith(prefix)}
