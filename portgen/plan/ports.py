"""Ports of a host, and the addresses that stand for all or none of its neighbours.

In: nothing; the planner makes them. Out: `Endpoint` and `PlannedPort`. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from portgen.formats.ports import span
from portgen.inventory import key_paths, model
from portgen.inventory import ports as written
from portgen.inventory.key_paths import KeyPath
from portgen.inventory.networks import bracketed
from portgen.inventory.ranges import overlap
from portgen.inventory.zones import BY_INTERFACE
from portgen.plan.reach import Reach

Transport = written.Transport
TRANSPORTS = written.TRANSPORTS

LOOPBACK = "127.0.0.1"


LOOPBACK6 = "::1"


EVERYWHERE = "0.0.0.0"  # noqa: S104 - this is what `allow` asks for; ufw then says who


EVERYWHERE6 = "::"


PRIVILEGED = range(1, 1024)


GRPC = ("grpc", "grpcs")


WITH_TLS = ("https", "grpcs")


EPHEMERAL = range(32768, 61000)  # net.ipv4.ip_local_port_range, the kernel's default


class Endpoint(NamedTuple):
    """A port of a host, or a range of ports, with its transport. `last`: of a range, its last port; 0
    for one port. `address`: the host's address where it listens on that one only. Endpoints sort by
    number; `str` writes one as `5007/tcp`, `30000-30019/udp` or `192.168.1.5:53/udp`."""

    port: int
    transport: Transport
    last: int = 0
    address: str = ""

    def __str__(self) -> str:
        return f"{self.numbers}/{self.transport}"

    @property
    def short(self) -> str:
        """`5007`, or `5007/udp`: tcp goes without saying."""
        return self.numbers if self.transport == "tcp" else str(self)

    @property
    def numbers(self) -> str:
        """The port or the range, behind its address where it has one: `[fd00::7]:53`."""
        text = str(self.port)
        if self.last:
            text += f"-{self.last}"
        if not self.address:
            return text
        return f"{bracketed(self.address)}:{text}"

    @property
    def everywhere(self) -> Endpoint:
        """The same port without the address that it listens on."""
        return self._replace(address="")

    @property
    def ports(self) -> range:
        """Its port numbers."""
        return range(self.port, (self.last or self.port) + 1)

    def overlaps(self, other: Endpoint) -> bool:
        """Whether the two have a port in common."""
        return self.transport == other.transport and bool(overlap(self.ports, other.ports))

    def inside(self, first: int) -> str:
        """The container's ports that it leads to, of which that is the first: `5000`, `9000-9019`."""
        if not self.last:
            return str(first)
        return f"{first}-{first + self.last - self.port}"

    @classmethod
    def of(cls, text: str, transport: Transport, between: str = "-") -> Endpoint | None:
        """A port or a range as a file has it: `5007`, `30000-30019`; None for what is neither."""
        ports = span(text, between)
        if ports is None:
            return None
        return cls.over(ports, transport)

    @classmethod
    def over(cls, ports: range, transport: Transport) -> Endpoint:
        """A port, or a range."""
        return cls(ports.start, transport, ports.stop - 1 if len(ports) > 1 else 0)


class PlannedPort(Struct, frozen=True):
    """One port of a service, or a range that it holds as one, its defaults resolved, and who may reach
    it. `container_port`: of a range, the first of as many; `container_path`: where that is written."""

    port: int
    container_port: int
    protocol: model.Protocol
    key_path: KeyPath
    container_path: KeyPath
    name: str | None
    health: str | None
    allow: tuple[str, ...]  # as written
    allow_path: KeyPath
    sources: tuple[str, ...]  # as CIDRs, or ("any",): those that can come to where it listens
    left_out: tuple[str, ...]  # those of `allow` that can't, since they are of the other family
    bind: str  # the address that it listens on
    written_bind: str  # the word of `bind`; "" where who may come decides it
    bind_path: KeyPath | None  # where that is written
    is_bound: bool  # whether that word stands for an address; if not, it is bound to 127.0.0.1
    needs_guard: bool  # docker publishes it by IPv4, past ufw, and not everybody may come
    needs_guard6: bool  # docker publishes it by IPv6, and not everybody may come
    reach: Reach
    last: int = 0  # of a range, its last port; 0 for one port

    @property
    def transport(self) -> Transport:
        return transport_of(self.protocol)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.port, self.transport, self.last, self.address)

    @property
    def speaks_http(self) -> bool:
        """Whether nginx can hand requests to it: which of a range's ports it would be, nobody says."""
        return self.protocol not in ("tcp", "udp") and not self.last

    @property
    def in_browser(self) -> bool:
        """Whether a browser understands it, and at which of its ports it would ask is known."""
        return self.protocol in ("http", "https") and not self.last

    @property
    def container_ports(self) -> range:
        """Where it leads in the container: as many ports as it has itself."""
        return range(self.container_port, self.container_port + len(self.endpoint.ports))

    @property
    def address(self) -> str:
        """The address of the host that it is bound to; "" without one."""
        return specific(self.bind)

    @property
    def address_in_name(self) -> str:
        """The same at the end of a name: `-192.168.1.5`, `-fd00..7`; "" without one."""
        if not self.address:
            return ""
        return f"-{self.address.replace(':', '.')}"

    @property
    def beyond_host(self) -> bool:
        """Whether it listens on more than loopback."""
        return not is_loopback(self.bind)

    @property
    def ipv4_sources(self) -> tuple[str, ...]:
        """Those of its sources that may come by IPv4."""
        return tuple(source for source in self.sources if not is_ipv6(source))

    @property
    def ipv6_sources(self) -> tuple[str, ...]:
        """Those of its sources that may come by IPv6."""
        return tuple(source for source in self.sources if "/" not in source or is_ipv6(source))

    @property
    def published_at(self) -> tuple[str, ...]:
        """The addresses on which docker publishes it. Where nobody comes by IPv4 it is there on
        127.0.0.1: nginx and health checks ask there."""
        if self.bind != EVERYWHERE6:
            return (self.bind,)
        return (EVERYWHERE if self.ipv4_sources else LOOPBACK), EVERYWHERE6

    @property
    def passes_ufw(self) -> bool:
        """Whether visitors come to it past ufw's rules where docker publishes it."""
        address = self.published_at[0]
        return not is_ipv6(address) and not is_loopback(address)

    @property
    def passes_ufw6(self) -> bool:
        """Whether they may do so by IPv6: in a network with IPv6. Elsewhere they come to a program of
        docker's, as to any other of the host."""
        address = self.published_at[-1]
        return is_ipv6(address) and not is_loopback(address)

    @property
    def is_guarded(self) -> bool:
        """Whether docker publishes it, by any family, to fewer than everybody."""
        return self.needs_guard or self.needs_guard6

    @property
    def allow_is_default(self) -> bool:
        """Whether the project's defaults say who may come, not the service's own entry."""
        return key_paths.is_default(self.allow_path)


def transport_of(protocol: str) -> Transport:
    """What a protocol is carried by."""
    return "udp" if protocol == "udp" else "tcp"


def specific(bind: str) -> str:
    """The address of the host that somebody listens on, as an `Endpoint` has it: "" for every address
    of a family, and for 127.0.0.1, where a port listens that nobody may reach."""
    if bind in (LOOPBACK, EVERYWHERE, EVERYWHERE6):
        return ""
    return bind


def interface_of(source: str) -> str | None:
    """The interface by which the visitors of a source come; None of a network, which says who they
    are."""
    if not source.startswith(BY_INTERFACE):
        return None
    return source.removeprefix(BY_INTERFACE)


def is_loopback(address: str) -> bool:
    """Whether only the host itself can come to an address."""
    return address == LOOPBACK6 or address.startswith("127.")


def is_ipv6(address: str) -> bool:
    """Whether an address, or a network, is one of IPv6."""
    return ":" in address
