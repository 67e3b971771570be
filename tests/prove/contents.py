"""What stands on the copy of a host: its networks, its containers, what answers where, what docker publishes.

In: a planned `Host`. Out: `Contents`, as data. Pure.

Each thing that answers says its label, so that a visitor knows whom it met. A container's label names the
container and its own port: several ports of the host may lead there.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator
from typing import NamedTuple

from portgen.formats.compose import published_ports
from portgen.plan.addresses import collide
from portgen.plan.ports import GRPC, WITH_TLS, PlannedPort
from portgen.plan.types import Container, Host, Network, Service
from tests.prove.docker_chains import Bridge, Published

HOST = "h"  # the namespace of the host itself
UNKNOWN = "172.29.{}.0/24"  # of a network whose subnet the inventory does not say
NGINX = "nginx"  # the label of its ports


class Net(NamedTuple):
    """A Docker network of the copy. `pool`: the addresses of containers without a fixed one."""

    name: str
    link: str
    subnet: ipaddress.IPv4Network
    gateway: str
    pool: ipaddress.IPv4Network
    subnet6: ipaddress.IPv6Network | None
    gateway6: str

    @property
    def bridge(self) -> Bridge:
        return Bridge(self.link, str(self.subnet), str(self.subnet6 or ""))


class Box(NamedTuple):
    """A container in a network: the namespace of that name."""

    name: str
    project: str
    service: str  # compose's
    network: str
    address: str
    address6: str


class Answers(NamedTuple):
    """A program that answers with its label: in a namespace, at an address, or at a socket (`path`)."""

    where: str
    at: str
    port: int
    transport: str
    label: str
    path: str = ""


class Proxy(NamedTuple):
    """A docker-proxy: what comes to a port of the host and was not rewritten, it carries on."""

    at: str
    port: int
    transport: str
    to: str
    inside: int


class Contents(NamedTuple):
    """All of it. `labels`: who answers behind each port of each service."""

    nets: tuple[Net, ...]
    boxes: tuple[Box, ...]
    answers: tuple[Answers, ...]
    published: tuple[Published, ...]
    proxies: tuple[Proxy, ...]
    labels: dict[tuple[str, str, int], str]  # service, transport, port
    names: tuple[str, ...]  # of services with TLS of their own: what their certificates have to say
    elsewhere: tuple[str, ...]  # addresses of other machines, to which forwarders lead

    def net(self, name: str) -> Net:
        return next(net for net in self.nets if net.name == name)

    def box(self, project: str, service: str) -> Box | None:
        """A project's container, by its name in compose; None of one on the host's network."""
        for box in self.boxes:
            if (box.project, box.service) == (project, service):
                return box
        return None


def contents(host: Host) -> Contents:
    """What a host has to have, were the inventory carried out."""
    nets = tuple(_nets(host))
    boxes = tuple(_boxes(host, nets))
    made = Contents(nets, boxes, (), (), (), {}, (), ())
    answers: dict[tuple[str, str, str, int, str], Answers] = {}
    labels = {}
    names: dict[str, None] = {}
    elsewhere: dict[str, None] = {}
    for service in host.services:
        for port in service.ports:
            if port.protocol in WITH_TLS:
                names[service.compose_service] = None
            for number in port.endpoint.ports:
                one = _answer(host, made, service, port, number)
                key = one.where, one.at, one.path, one.port, one.transport
                one = answers.setdefault(key, one)
                labels[service.name, port.transport, number] = one.label
        to = service.to
        if to is None or to.is_local or not service.ports:
            continue
        if _behind(host, made, service, service.ports[0]) is None:
            elsewhere[to.host] = None
    published = tuple(_published(host, made))
    proxies = [Proxy(one.at, one.port, one.transport, one.to, one.inside) for one in published]
    return made._replace(
        answers=tuple(answers.values()),
        published=published,
        proxies=tuple(proxies),
        labels=labels,
        names=tuple(names),
        elsewhere=tuple(elsewhere),
    )


def link_of(name: str) -> str:
    """How docker calls the link of a network: by its id, which here follows from its name."""
    return f"br-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _nets(host: Host) -> Iterator[Net]:
    """Each network once, in the projects' order; then the own ones of projects without."""
    known: dict[str, Network] = {}
    for project in host.projects:
        if project.network is not None:
            known.setdefault(project.network.name, project.network)
    number = 0
    for name, network in known.items():
        pool = network.pool
        if pool is not None:
            subnet, gateway, dynamic = pool.subnet, str(pool.gateway), pool.ip_range
            subnet = ipaddress.IPv4Network(str(subnet))
            dynamic = ipaddress.IPv4Network(str(dynamic))
        else:
            subnet = ipaddress.IPv4Network(UNKNOWN.format(number))
            gateway, dynamic = str(subnet[1]), subnet
            number += 1
        subnet6 = None
        if network.subnet6 is not None:
            subnet6 = ipaddress.IPv6Network(str(network.subnet6))
        yield Net(
            name, link_of(name), subnet, gateway, dynamic, subnet6, str(network.gateway6 or "")
        )
    for override in host.overrides:
        for container in override.containers:
            if container.network is None and not container.host_network:
                name = f"{override.project}_default"
                subnet = ipaddress.IPv4Network(UNKNOWN.format(number))
                number += 1
                yield Net(name, link_of(name), subnet, str(subnet[1]), subnet, None, "")
                break


def _boxes(host: Host, nets: tuple[Net, ...]) -> Iterator[Box]:
    """The containers that have a network of docker's. Those without a fixed address get the first of the
    pool that are free, as docker gives them."""
    by_name = {net.name: net for net in nets}
    given: dict[str, int] = {}
    given6: dict[str, int] = {}
    for override in host.overrides:
        for container in override.containers:
            if container.host_network:
                continue
            net = by_name[container.network or f"{override.project}_default"]
            address = str(container.address or "")
            if not address:
                given[net.name] = given.get(net.name, 1) + 1
                address = str(net.pool[given[net.name]])
            address6 = ""
            if net.subnet6 is not None:
                given6[net.name] = given6.get(net.name, 1) + 1
                address6 = str(net.subnet6[given6[net.name]])
            name = f"{override.project}/{container.compose_service}"
            yield Box(
                name, override.project, container.compose_service, net.name, address, address6
            )


def _answer(
    host: Host, made: Contents, service: Service, port: PlannedPort, number: int
) -> Answers:
    """What answers at the end of the way that begins at a port of the host."""
    to = service.to
    if to is not None:
        behind = _behind(host, made, service, port)
        if behind is not None:
            return behind
        label = f"to {to}"
        if to.path:
            return Answers(HOST, "", 0, "tcp", label, to.path)
        where = HOST if to.is_local else f"to {to.host}"
        return Answers(where, to.host, to.port, port.transport, label)
    if service.has_mapping:
        box = made.box(service.project, service.compose_service)
        inside = port.container_port + number - port.port
        if box is None:
            raise AssertionError(f"{service.name} has no container")
        at = "::" if box.address6 else "0.0.0.0"
        return Answers(
            box.name, at, inside, port.transport, f"{box.name}:{inside}/{port.transport}"
        )
    return Answers(
        HOST, port.bind, number, port.transport, f"{service.name}:{number}/{port.transport}"
    )


def _behind(host: Host, made: Contents, service: Service, port: PlannedPort) -> Answers | None:
    """Another service to which a forwarder leads: at a port of the host, or in a container."""
    to = service.to
    if to is None or to.path:
        return None
    for other in host.services:
        for its in other.ports:
            if other is service or its.transport != port.transport:
                continue
            if str(other.address) == to.host and to.port in its.container_ports:
                return _answer(host, made, other, its, its.port + to.port - its.container_port)
            own = to.is_local or to.host in host.known_addresses
            if own and to.port in its.endpoint.ports and collide(its.bind, to.host):
                return _answer(host, made, other, its, to.port)
    return None


def _published(host: Host, made: Contents) -> Iterator[Published]:
    """What docker publishes, container by container; of one container the last port first, as dockerd does
    it."""
    for override in host.overrides:
        for container in override.containers:
            box = made.box(override.project, container.compose_service)
            if box is None:
                continue
            net = made.net(box.network)
            for one in sorted(_ports(container), reverse=True):
                to = box.address
                if ":" in one[1] and box.address6:
                    to = box.address6
                yield Published(one[2], one[1], one[3], net.link, to, one[0])


def _ports(container: Container) -> Iterator[tuple[int, str, str, int]]:
    for one in published_ports(container.published):
        yield one.inside, one.address, one.transport, one.port


def speaks(host: Host, labels: dict[tuple[str, str, int], str]) -> dict[str, str]:
    """What each label's program speaks: http, https, grpc or grpcs; of several the one with TLS."""
    found: dict[str, str] = {}
    for service in host.services:
        for port in service.ports:
            for number in port.endpoint.ports:
                label = labels[service.name, port.transport, number]
                if port.protocol in (*WITH_TLS, *GRPC) or label not in found:
                    found[label] = port.protocol
    return found
