"""What must hold at every moment of an install: never open, never wrong.

In: the hosts of the old and the new plan, a simulated host after each of its steps. Out: an AssertionError
where a visitor gets in whom neither plan lets in, where a forwarder or a route leads to the container of
another service, or where two want one port.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from portgen.plan.ports import interface_of
from portgen.plan.types import Host
from tests.install.simulated_docker import published_by
from tests.install.simulated_firewall import EVERYWHERE
from tests.install.simulated_systemd import bound_by

if TYPE_CHECKING:
    from tests.install.simulated import SimulatedHost

ANYBODY = "any"
_STRANGERS = ("198.18.7.9", "2001:db8:ffff::9")
_TARGET = re.compile(r" (?:TCP|UDP)[46]:(\S+?):(\d+)(?:,|$)", re.MULTILINE)
_SERVICE = re.compile(r"(?m)^# portgen:(\S+)")


class Probe(NamedTuple):
    """A visitor: an address, and the interface by which it comes."""

    address: str
    interface: str = "eth0"

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4


@cache
def _comes(source: str, probe: Probe) -> bool:
    """Whether a source means a visitor."""
    interface = interface_of(source)
    if interface is not None:
        return interface == probe.interface
    if source in (ANYBODY, *EVERYWHERE.values()):
        return source == ANYBODY or EVERYWHERE[probe.family] == source
    network = ipaddress.ip_network(source, strict=False)
    return network.version == probe.family and ipaddress.ip_address(probe.address) in network


class Watch:
    """Looks at a host after each step."""

    def __init__(self, *hosts: Host) -> None:
        self.allowed: dict[tuple[str, str, int], set[str]] = {}
        self.services: dict[tuple[str, str], set[str]] = {}
        self.led_elsewhere: set[str] = set()
        self.closed: dict[
            tuple[str, str], bool
        ] = {}  # whether each plan closes an address of a service's
        for host in hosts:
            self._know(host)
        sources = {source for some in self.allowed.values() for source in some}
        self.probes = sorted({*(Probe(one) for one in _STRANGERS), *_probes(sources)})
        self.looks = 0

    def _know(self, host: Host) -> None:
        for opening in host.openings:
            for number in opening.endpoint.ports:
                key = (opening.service, opening.transport, number)
                self.allowed.setdefault(key, set()).add(opening.source)
        self._know_guards(host)
        for override in host.overrides:
            for container in override.containers:
                names = {part.service for part in container.parts} | {container.service}
                place = (override.project, container.compose_service)
                self.services.setdefault(place, set()).update(names)
        self.led_elsewhere |= {one.unit for one in host.forwarders if one.is_elsewhere}

    def _know_guards(self, host: Host) -> None:
        """Who may reach what docker publishes: where nobody guards it, everybody."""
        guarded: dict[tuple[str, str, int], set[str]] = {}
        closed = set()
        for guard in host.guards:
            for port in (*guard.ports, *guard.ports6):
                for number in port.endpoint.ports:
                    key = (guard.service, port.transport, number)
                    guarded.setdefault(key, set()).update(port.sources)
            if guard.address is not None:
                closed.add(guard.service)
                self.closed.setdefault((str(guard.address), guard.service), True)
        for service in host.services:
            if service.address is not None and service.name not in closed:
                self.closed[str(service.address), service.name] = False
            published = [one for one in service.ports if one.passes_ufw or one.passes_ufw6]
            for port in published if service.via == "docker" else ():
                for number in port.endpoint.ports:
                    key = (service.name, port.transport, number)
                    self.allowed.setdefault(key, set()).update(guarded.get(key, {ANYBODY}))

    def __call__(self, host: SimulatedHost, label: str) -> None:
        self.looks += 1
        wrong = [*self._listeners(host), *self._leads(host)]
        wrong += [f"{unit} can't listen" for unit in host.systemd.failed]
        if wrong:
            raise AssertionError(f"after `{label}`: {'; '.join(wrong)}")

    # --- who gets in ---

    def _listeners(self, host: SimulatedHost) -> Iterator[str]:
        rules = {family: _Rules(host, family) for family in (4, 6)}
        for text in host.systemd.running.values():
            service, lets_in = _of_unit(text)
            for transport, address, port in bound_by(text):
                for probe in self.probes:
                    if not _hears(address, probe) or not lets_in(probe):
                        continue
                    if rules[probe.family].pass_ufw(transport, address, port, probe):
                        yield from self._may(service, transport, port, probe)
        for container in host.docker.containers.values():
            if container.runs:
                has_ipv6 = host.docker.has_ipv6(container)
                yield from self._container(container, rules, has_ipv6)
        for port in host.nginx.loaded.ports if host.nginx.master else ():
            for probe in self.probes:
                if rules[probe.family].pass_ufw("tcp", "::", port, probe):
                    yield from self._may("nginx", "tcp", port, probe)

    def _container(self, container: Any, rules: dict[int, _Rules], has_ipv6: bool) -> Iterator[str]:
        names = self._names(container)
        for transport, address, port in published_by(container):
            if address == "::1" or address.startswith("127."):
                continue
            for probe in self.probes:
                if not _hears(address, probe):
                    continue
                # Without an address of IPv6 docker's own program listens, which ufw's rules are for.
                by_proxy = probe.family == 6 and not has_ipv6
                filtered = rules[probe.family]
                passes = filtered.pass_ufw if by_proxy else filtered.pass_guard
                allowed = any(self._is_allowed(one, transport, port, probe) for one in names)
                if not allowed and passes(transport, address, port, probe):
                    yield f"{probe} reaches {container.service} at {port}/{transport}"
        for address in container.addresses.values():
            closed = [self.closed.get((address, name), False) for name in names]
            if closed and all(closed) and not rules[4].closes(address):
                yield f"the address {address} of {container.service} is open"

    def _names(self, container: Any) -> set[str]:
        project = container.config["labels"].get("portgen", container.project)
        return self.services.get((project, container.service), {container.service})

    def _is_allowed(self, service: str, transport: str, port: int, probe: Probe) -> bool:
        sources = self.allowed.get((service, transport, port), ())
        return any(_comes(source, probe) for source in sources)

    def _may(self, service: str, transport: str, port: int, probe: Probe) -> Iterator[str]:
        if not self._is_allowed(service, transport, port, probe):
            yield f"{probe} reaches {service} at {port}/{transport}"

    # --- where things lead ---

    def _leads(self, host: SimulatedHost) -> Iterator[str]:
        held: dict[str, Any] = {}
        for container in host.docker.containers.values():
            if container.runs:
                for address in container.addresses.values():
                    if address:
                        if address in held:
                            yield f"two containers have {address}"
                        held[address] = container
        for unit, text in host.systemd.running.items():
            service = _of_unit(text)[0]
            found = _TARGET.search(text)
            other = held.get(found[1]) if found is not None else None
            if other is None or unit in self.led_elsewhere:
                continue
            if service not in self._names(other):
                yield f"{unit} leads to the container of {other.service}"
        for service, server in host.nginx.leads():
            address, _, port = server.rpartition(":")
            if address in held:
                if service not in self._names(held[address]):
                    yield f"nginx leads {service} to the container of {held[address].service}"
            elif address == "127.0.0.1":
                yield from self._by_port(host, service, int(port))

    def _by_port(self, host: SimulatedHost, service: str, port: int) -> Iterator[str]:
        for unit, text in host.systemd.running.items():
            is_there = any(one[0] == "tcp" and one[2] == port for one in bound_by(text))
            if is_there and _of_unit(text)[0] != service:
                yield f"nginx leads {service} to {unit}"
        for container in host.docker.containers.values():
            if not container.runs or service in self._names(container):
                continue
            listens = any(one[0] == "tcp" and one[2] == port for one in published_by(container))
            if listens or container.config["environment"].get("PORT") == str(port):
                yield f"nginx leads {service} to the port of {container.service}"


def _probes(sources: Iterable[str]) -> Iterator[Probe]:
    for source in sources:
        interface = interface_of(source)
        if interface is not None:
            yield Probe(_STRANGERS[0], interface)
        elif source != ANYBODY:
            network = ipaddress.ip_network(source, strict=False)
            yield Probe(str(network[1] if network.num_addresses > 2 else network[0]))


@cache
def _of_unit(text: str) -> tuple[str, Any]:
    """The service of a forwarder, and whom it lets in."""
    found = _SERVICE.search(text)
    assert found is not None, text
    denied = re.search(r"(?m)^IPAddressDeny=(.*)$", text)
    allowed = re.search(r"(?m)^IPAddressAllow=(.*)$", text)
    if denied is None:
        return found[1], lambda probe: True
    sources = [] if allowed is None else [one for one in allowed[1].split() if one != "localhost"]
    return found[1], lambda probe: any(_comes(source, probe) for source in sources)


@cache
def _hears(address: str, probe: Probe) -> bool:
    """Whether a visitor's family comes to an address."""
    return address == "::" or (":" in address) == (probe.family == 6)


class _Rules:
    """The packet filter of one family."""

    def __init__(self, host: SimulatedHost, family: int) -> None:
        self.by_port: dict[tuple[str, int], list[Any]] = {}
        self.ranges: list[Any] = []
        for rule in _parsed(
            host.text("/etc/ufw/user6.rules" if family == 6 else "/etc/ufw/user.rules") or "",
            family,
        ):
            if rule.port.isdecimal():
                self.by_port.setdefault((rule.protocol, int(rule.port)), []).append(rule)
            else:
                self.ranges.append(rule)
        self.family = family
        chain = host.firewall.chain[family]
        self.chain = _chain(tuple(chain)) if chain and host.firewall.jumps[family] else ()

    def pass_ufw(self, transport: str, address: str, port: int, probe: Probe) -> bool:
        for rule in (*self.by_port.get((transport, port), ()), *self.ranges):
            if not rule.covers(transport, str(port)) or not _comes(rule.source, probe):
                continue
            if rule.destination not in (EVERYWHERE[self.family], address) and address not in (
                "0.0.0.0",
                "::",
            ):
                continue
            return bool(rule.action == "allow")
        return False

    def pass_guard(self, transport: str, address: str, port: int, probe: Probe) -> bool:
        for rule in self.chain:
            if rule.transport != transport or not rule.first <= port <= rule.last:
                continue
            if rule.address and rule.address != address and address not in ("0.0.0.0", "::"):
                continue
            if _comes(rule.source, probe):
                return rule.passes
        return True

    def closes(self, address: str) -> bool:
        return any(rule.to == address for rule in self.chain)


class _Guarding(NamedTuple):
    """A rule of the guard's."""

    transport: str
    first: int
    last: int
    address: str
    source: str
    passes: bool
    to: str


@cache
def _parsed(text: str, family: int) -> tuple[Any, ...]:
    from tests.install.simulated_firewall import apply

    return tuple(apply.rules_in(text, family))


@cache
def _chain(lines: tuple[str, ...]) -> tuple[_Guarding, ...]:
    found = []
    for line in lines:
        said = dict(re.findall(r"(?:(?<= )|^)(-{1,2}[a-z]+) (?!-)(\S+)", line.replace("! ", "")))
        ports = said.get("--ctorigdstport", "")
        first, _, last = ports.partition(":")
        source = said.get("-s", ANYBODY)
        if "-i" in said:
            source = f"%{said['-i']}"
        to = said.get("-d", "").removesuffix("/32")
        found.append(
            _Guarding(
                said.get("-p", ""),
                int(first or 0),
                int(last or first or 0),
                said.get("--ctorigdst", ""),
                source if not to else "",
                said["-j"] == "RETURN",
                to,
            )
        )
    return tuple(found)
