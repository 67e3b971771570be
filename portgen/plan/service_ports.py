"""The ports of a service: each entry with what it leaves out taken from the service and from the
project's defaults.

In: an entry of the inventory, and what its host's addresses and sources are. Out: `PlannedPort`s.
Pure. Never asks what another service has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from msgspec import UNSET, UnsetType

from portgen.inventory import key_paths, model
from portgen.inventory.networks import one_address
from portgen.inventory.values import Refused
from portgen.plan.access import Accesses, PortRequest
from portgen.plan.ports import LOOPBACK, PlannedPort
from portgen.plan.types import KeyPath, has_mapping

T = TypeVar("T")


class BarePort(NamedTuple):
    """The numbers of a port, and where they are written; `entry` is its own in `ports:`."""

    port: int
    container_port: int
    protocol: model.Protocol
    key_path: KeyPath
    container_path: KeyPath
    entry: model.PortEntry | None = None
    last: int = 0  # of a range, its last port; 0 for one port

    @property
    def leads_as_service_says(self) -> bool:
        """Whether its entry leaves to the service where it leads in the container. A range leads to the
        same numbers, not to many from one on."""
        return not self.last and (self.entry is None or self.entry.container_port is UNSET)


class ServicePorts:
    """Plans the ports of one project's services; holds what they share."""

    def __init__(
        self,
        project: str,
        defaults: model.Defaults,
        addresses: Mapping[str, str],
        accesses: Accesses,
    ) -> None:
        self._defaults = defaults
        self._defaults_path = key_paths.defaults(project)
        self._addresses = addresses
        self._accesses = accesses

    def bare(self, service: model.Service, via: model.Via, path: KeyPath) -> tuple[BarePort, ...]:
        """Their numbers. A service's `container_port` counts for every entry that has none; the
        project's for the first only, since two ports of one service seldom lead to one."""
        protocol = service.protocol or self._defaults.protocol or "http"
        own = service.container_port
        first, first_path = own, (*path, "container_port")
        if own is UNSET and has_mapping(via) and service.to is None:
            first = self._defaults.container_port
            first_path = (*self._defaults_path, "container_port")
        if service.port is not UNSET:
            inside = first or service.port
            return (BarePort(service.port, inside, protocol, (*path, "port"), first_path),)
        if service.ports is UNSET:
            return ()
        ports = []
        for index, entry in enumerate(service.ports):
            port = _bare(entry, protocol, (*path, "ports", index))
            if port.leads_as_service_says and index == 0:
                port = port._replace(container_port=first or port.port, container_path=first_path)
            elif port.leads_as_service_says and own is not UNSET:
                inside_path = (*path, "container_port")
                port = port._replace(container_port=own, container_path=inside_path)
            ports.append(port)
        return tuple(ports)

    def plan(
        self,
        bare: tuple[BarePort, ...],
        service: model.Service,
        via: model.Via,
        status: model.Status,
        path: KeyPath,
        *,
        is_fixed: bool,
    ) -> tuple[PlannedPort, ...]:
        """The ports with who may come. `is_fixed`: whether the address of their container is."""
        ports = []
        for index, port in enumerate(bare):
            at = port.key_path[:-1]
            allow, allow_path = self._allow(service, port.entry, path, at)
            word, bind_path = self._bind(service, port.entry, path, at)
            bind, is_bound = self._address(word)
            access = self._accesses.of(PortRequest(status, via, allow, bind, is_fixed))
            name = None
            if port.entry is not None:
                name = port.entry.name
            ports.append(
                PlannedPort(
                    port=port.port,
                    container_port=port.container_port,
                    protocol=port.protocol,
                    key_path=port.key_path,
                    container_path=port.container_path,
                    name=name,
                    health=self._health(service, port, is_first=index == 0),
                    allow=allow,
                    allow_path=allow_path,
                    sources=access.sources,
                    left_out=access.left_out,
                    bind=access.bind,
                    written_bind=word,
                    bind_path=bind_path,
                    is_bound=is_bound,
                    needs_guard=access.needs_guard,
                    needs_guard6=access.needs_guard6,
                    reach=access.reach,
                    last=port.last,
                )
            )
        return tuple(ports)

    def written_allow(
        self, service: model.Service, path: KeyPath
    ) -> tuple[tuple[str, ...], KeyPath]:
        """What the service itself, or the project's defaults, say of all its ports; and where."""
        if service.allow is not UNSET:
            return tuple(service.allow or ()), (*path, "allow")
        return tuple(self._defaults.allow or ()), (*self._defaults_path, "allow")

    def _allow(
        self, service: model.Service, entry: model.PortEntry | None, path: KeyPath, at: KeyPath
    ) -> tuple[tuple[str, ...], KeyPath]:
        if entry is not None and entry.allow is not UNSET:
            return tuple(entry.allow or ()), (*at, "allow")
        return self.written_allow(service, path)

    def _bind(
        self, service: model.Service, entry: model.PortEntry | None, path: KeyPath, at: KeyPath
    ) -> tuple[str, KeyPath | None]:
        """The word of `bind`, and where it is written; "" and None without one."""
        written: list[tuple[str | UnsetType | None, KeyPath]] = []
        if entry is not None:
            written.append((entry.bind, (*at, "bind")))
        written.append((service.bind, (*path, "bind")))
        written.append((self._defaults.bind, (*self._defaults_path, "bind")))
        for word, place in written:
            if word is None:
                break
            if word is not UNSET:
                return word, place
        return "", None

    def _address(self, word: str) -> tuple[str | None, bool]:
        """The address that a word stands for, and whether it does stand for one: where it does not,
        that is 127.0.0.1. None where there is no word."""
        if not word:
            return None, False
        try:
            return str(one_address(self._addresses.get(word, word))), True
        except Refused:
            return LOOPBACK, False

    def _health(self, service: model.Service, port: BarePort, *, is_first: bool) -> str | None:
        """What is meant for the service is not for a range behind its first port."""
        own: str | UnsetType | None = UNSET
        if port.entry is not None:
            own = port.entry.health
        if port.last and not is_first:
            return own or None
        return own_or(own_or(own, service.health), self._defaults.health) or None


def own_or(own: T | UnsetType, default: T | UnsetType) -> T | UnsetType:
    """What the entry itself has, `null` too; otherwise the default."""
    if own is UNSET:
        return default
    return own


def _bare(entry: int | model.PortEntry, protocol: model.Protocol, at: KeyPath) -> BarePort:
    """One of several ports, by itself: it leads to the same number in the container, unless its
    entry says otherwise."""
    if isinstance(entry, int):
        return BarePort(entry, entry, protocol, at, at)
    first, last = entry.port.first, 0
    if entry.port.last > first:
        last = entry.port.last
    own_protocol = entry.protocol or protocol
    place = (*at, "port")
    if entry.container_port is UNSET:
        return BarePort(first, first, own_protocol, place, place, entry, last)
    inside = (*at, "container_port")
    return BarePort(first, entry.container_port, own_protocol, place, inside, entry, last)
