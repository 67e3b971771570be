"""A host under audit: what is declared of it, and what was seen, side by side.

In: a plan, the rendered files of a host, the answers of a live host (`Seen`). Out: `Audited`, which
every check gets. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from portgen import targets
from portgen.audit import _containers, _health, _sockets
from portgen.audit._containers import Expected
from portgen.audit._facts import declared, found
from portgen.audit._firewall import Firewall
from portgen.audit._listeners import Listening, listening
from portgen.audit._nginx import Installed
from portgen.formats.ss import Socket
from portgen.plan import facts
from portgen.plan.live import (
    SOURCES,
    Container,
    Gap,
    InstalledFile,
    Kernel,
    Process,
    Reply,
    Stopped,
    Thing,
    Ufw,
    Unit,
)
from portgen.plan.ports import PlannedPort
from portgen.plan.team_folders import Folders
from portgen.plan.types import NGINX, Host, KeyPath, Plan, Service
from portgen.targets import Ask, Observed, Seen, UnseenError


class Places(NamedTuple):
    """Where things are on the host, for the commands that a finding prints."""

    inventory: str  # the folder of the inventory
    rendered: str  # output/<host>
    compose: tuple[str, ...]
    file: str = "inventory.yaml"  # the inventory's name in its folder
    host: str = ""  # the host's name, where the audit was given it


def observers() -> dict[str, Observed]:
    """Who asks the host and reads its answers: the targets that can be looked at, and two that have no
    files."""
    found: dict[str, Observed] = {"sockets": _sockets, "health": _health}
    for name, target in targets.every().items():
        if isinstance(target, Observed):
            found[name] = target
    return found


def asks(host: Host, seen: Seen, sources: Iterable[str] = SOURCES) -> Iterator[Ask]:
    """What is still to be asked, by what is known. Nothing more: all is known."""
    wanted = set(sources)
    for name, observer in observers().items():
        if observer.SOURCE in wanted:
            with targets.blamed(name, observer):
                yield from (ask for ask in observer.asks(host, seen) if not seen.has(ask))


class Audited:
    """A host under audit. What of it was seen is in `sockets`, `units` and so on; what could not be seen
    in `gaps`."""

    def __init__(
        self,
        host: Host,
        seen: Seen,
        rendered: Mapping[str, str],
        places: Places,
        sources: Iterable[str] = SOURCES,
        plan: Plan | None = None,
    ) -> None:
        """`plan`: the whole inventory's, where its sentences of `expect` are to be checked, too."""
        self.host = host
        self.plan = Plan((host,), host.projects) if plan is None else plan
        self.seen = seen
        self.rendered = rendered  # the files of the host, by path below output/<host>/
        self.places = places
        self.sources = tuple(source for source in SOURCES if source in set(sources))
        self.gaps: list[Gap] = []
        self.sockets: list[Socket] = []
        self.processes: dict[int, Process] = {}
        self.files: dict[str, InstalledFile] = {}
        self._by_source: dict[str, list[InstalledFile]] = {}
        self.units: dict[str, Unit] = {}
        self.containers: list[Container] = []
        self.kernel: dict[int, Kernel] = {}
        self.ufw: dict[int, Ufw] = {}
        self.replies: list[Reply] = []
        self.stopped: set[str] = set()  # the sources whose daemon does not answer
        for source, thing in self._observed():
            self._add(source, thing)
        self.services: dict[str, Service] = {one.name: one for one in host.services}

    def _observed(self) -> Iterator[tuple[str, Thing | Gap]]:
        for name, observer in observers().items():
            if observer.SOURCE not in self.sources:
                continue
            try:
                with targets.blamed(name, observer):
                    for thing in observer.observe(self.host, self.seen):
                        yield observer.SOURCE, thing
            except UnseenError as why:
                yield observer.SOURCE, Gap(observer.SOURCE, str(why))

    def _add(self, source: str, thing: Thing | Gap) -> None:
        match thing:
            case Gap():
                why = thing.why.removeprefix(f"{source}: ")  # the program is often called like that
                self.gaps.append(thing._replace(source=source, why=why))
            case Stopped():
                self.stopped.add(thing.source)
            case Socket():
                self.sockets.append(thing)
            case Process():
                self.processes[thing.pid] = thing
            case InstalledFile():
                self.files[thing.path] = thing
                self._by_source.setdefault(source, []).append(thing)
            case Unit():
                self.units[thing.name] = thing
            case Container():
                self.containers.append(thing)
            case Kernel():
                self.kernel[thing.family] = thing
            case Ufw():
                self.ufw[thing.family] = thing
            case Reply():
                self.replies.append(thing)

    def has_seen(self, sources: Iterable[str]) -> bool:
        """Whether something of each of these sources was asked for and could be seen."""
        unseen = {gap.source for gap in self.gaps if gap.whole}
        return all(source in self.sources and source not in unseen for source in sources)

    @cached_property
    def declared(self) -> dict[str, facts.Service]:
        """The facts of each active service, by name."""
        return declared(self.host)

    @cached_property
    def found(self) -> dict[str, facts.Service]:
        """The same services with the containers and routes that the host has, as far as they were seen."""
        return found(self)

    def files_of(self, source: str) -> list[InstalledFile]:
        """The files that a source asked for."""
        return self._by_source.get(source, [])

    @cached_property
    def nginx(self) -> Installed:
        """What nginx finds in its folder."""
        return Installed(self)

    @cached_property
    def listening(self) -> Listening:
        """Who listens, beside who should."""
        return listening(self)

    @cached_property
    def firewall(self) -> Firewall:
        """Who may reach which port, as declared, as the kernel has it and as ufw's files say."""
        return Firewall(self.host, self.kernel, self.ufw, self.files)

    def answers(self) -> Iterator[tuple[PlannedPort, Reply]]:
        """The ports with a health check, each with what it was answered."""
        said = {reply.url: reply for reply in self.replies}
        for service in self.host.services:
            for port in service.ports:
                reply = said.get(_health.url(port)) if _health.is_checked(port) else None
                if reply is not None:
                    yield port, reply._replace(service=service.name)

    def owner(self, unit: str) -> str | None:
        """The service whose forwarder a unit is."""
        return self._by_unit.get(unit)

    @cached_property
    def _by_unit(self) -> dict[str, str]:
        return {forwarder.unit: forwarder.service for forwarder in self.host.forwarders}

    def key_path(self, service: str | None) -> KeyPath:
        """Where a finding about a service stands in the inventory; without one, about the host."""
        if service == NGINX and self.host.server is not None:
            return self.host.server.key_path
        if service in self.services:
            return self.services[service].key_path
        return self.host.key_path

    @cached_property
    def folders(self) -> Folders:
        """Where the teams' compose files are."""
        return Folders(self.host, self.containers, self.seen.folder)

    @cached_property
    def expected(self) -> tuple[Expected, ...]:
        """Each container that is declared, and what there is of it."""
        return tuple(_containers.expected(self.host, self.containers, self.folders))

    def expected_of(self, service: str) -> Expected | None:
        """The declared container that a service is in."""
        return self._by_service.get(service)

    def container_of(self, service: str) -> Container | None:
        """The container that compose made for a service, running or not."""
        return next(iter(self.containers_of(service)), None)

    def containers_of(self, service: str) -> tuple[Container, ...]:
        """All of them, those that run first: compose may have left one."""
        expected = self.expected_of(service)
        return () if expected is None else expected.there

    @property
    def running(self) -> Iterator[tuple[Expected, Container]]:
        """Each declared container that runs."""
        for expected in self.expected:
            container = expected.container
            if container is not None and container.runs:
                yield expected, container

    def container_facts(self, expected: Expected) -> tuple[facts.Container, facts.Container]:
        """What is declared of a container, and what there is of it: as the service that leads has it."""
        name = expected.planned.service
        declared, found = self.declared[name].container, self.found[name].container
        if declared is None or found is None:
            raise LookupError(f"{name} has no container")
        return declared, found

    def is_made_as_declared(self, expected: Expected) -> bool:
        """Whether a container is, or would be when it starts, what is declared of it."""
        for name in expected.services:
            if self.declared[name].container != self.found[name].container:
                return False
        return expected.container is not None and expected.container.ours is not None

    def is_in_network(self, expected: Expected, container: Container) -> bool:
        """Whether the network in which it runs has the addresses that the inventory has for it."""
        network = expected.network
        if network is None or network.name not in container.networks:
            return True
        return _containers.fits(network, container.networks[network.name])

    def is_ours(self, container: str) -> bool:
        """Whether portgen's compose files say something of a container, by its id, or once did."""
        return container in self._inside or container in self._labelled

    def is_left_over(self, container: str | None) -> bool:
        """Whether portgen's compose files once said something of a container, and do not any more."""
        return container in self._labelled and container not in self._inside

    def inside(self, container: str) -> str | None:
        """The service whose container that is, by its id; of several, the one that leads."""
        return self._inside.get(container)

    @cached_property
    def _labelled(self) -> frozenset[str]:
        return frozenset(one.id for one in self.containers if one.ours is not None)

    @cached_property
    def _inside(self) -> dict[str, str]:
        found = {}
        for expected in self.expected:
            found.update(
                dict.fromkeys((one.id for one in expected.there), expected.planned.service)
            )
        return found

    @cached_property
    def strangers(self) -> tuple[Container, ...]:
        """The containers that are neither a declared one, nor made with an override of portgen's."""
        return tuple(one for one in self.containers if not self.is_ours(one.id))

    @cached_property
    def _by_service(self) -> dict[str, Expected]:
        found = {}
        for expected in self.expected:
            found.update(dict.fromkeys(expected.services, expected))
        return found
