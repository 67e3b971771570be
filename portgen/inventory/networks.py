"""Networks and addresses as people write them.

In: a value as YAML gave it, or a text. Out: a `Value` around Python's own types, or ValueError with
what is wrong with it. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from portgen.inventory import patterns
from portgen.inventory.patterns import END
from portgen.inventory.values import Refused, Value, named

Address4 = ipaddress.IPv4Address


Address6 = ipaddress.IPv6Address


AnyAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


Network4 = ipaddress.IPv4Network


Network6 = ipaddress.IPv6Network


AnyNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def bracketed(address: str) -> str:
    """An address as it stands before a port's number: one of IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


class _Network(Value):
    """A network in CIDR notation; its `str` is the canonical form."""

    __slots__ = ("network",)
    network: AnyNetwork

    def __init__(self, network: AnyNetwork) -> None:
        self.network = network

    def __str__(self) -> str:
        return _written(self.network)


@lru_cache(maxsize=4096)
def _written(network: AnyNetwork) -> str:
    return str(network)


# Where a port listens: a name of the host's `addresses`, or an address.
Bind = Annotated[
    str,
    Meta(
        pattern=rf"^([a-z0-9]+(-[a-z0-9]+)*|[0-9A-Fa-f:.]+){END}",
        max_length=255,
        description="An address of the host, or a name of its `addresses`",
    ),
]


class Subnet(_Network):
    """An IPv4 network of a Docker bridge: `172.30.0.0/22`. Host bits must be zero, or docker
    refuses it."""

    network: Network4
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": patterns.SUBNET,
        "description": "An IPv4 network from /8 to /29, such as 172.30.0.0/24",
    }

    @classmethod
    def parse(cls, raw: object) -> Subnet:
        if not isinstance(raw, str) or "/" not in raw:
            raise ValueError(f"{named(raw)} is not a subnet such as 172.30.0.0/22")
        network = parse_cidr(raw)
        if not isinstance(network, ipaddress.IPv4Network):
            raise ValueError(f"{raw}: portgen's Docker networks are IPv4")
        if (
            network.is_loopback
            or network.is_multicast
            or network.is_reserved
            or network.network_address.packed[0] in (0, 255)
        ):
            private = "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16"
            raise ValueError(f"{raw}: a network can't have these addresses; take one of {private}")
        if not 8 <= network.prefixlen <= 29:
            raise ValueError(f"{raw}: a Docker network needs a prefix from /8 to /29")
        return cls(network)


class Subnet6(_Network):
    """The IPv6 network of a Docker bridge: `fd00:1::/64`. docker 20.10 takes none above /64."""

    network: Network6
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": patterns.SUBNET6,
        "description": "An IPv6 network from /64 to /124, such as fd00:1::/64",
    }

    @classmethod
    def parse(cls, raw: object) -> Subnet6:
        if not isinstance(raw, str) or "/" not in raw:
            raise ValueError(f"{named(raw)} is not an IPv6 subnet such as fd00:1::/64")
        network = parse_cidr(raw)
        if not isinstance(network, ipaddress.IPv6Network):
            raise Refused(f"{raw} is an IPv4 network", "write it as `subnet`")
        is_odd = network.is_loopback or network.is_multicast or network.is_link_local
        if is_odd or network.subnet_of(_WITHOUT_PREFIX):
            raise ValueError(f"{raw}: a network can't have these addresses; take one of fd00::/8")
        if not 64 <= network.prefixlen <= 124:
            raise ValueError(f"{raw}: a Docker network needs a prefix from /64 to /124 in IPv6")
        return cls(network)


# Where `::`, `::1` and `::ffff:10.0.0.1` are.
_WITHOUT_PREFIX = ipaddress.IPv6Network("::/64")


class HostAddress(Value):
    """One IPv4 address, as a container gets it."""

    __slots__ = ("address",)
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": patterns.IPV4,
        "description": "An IPv4 address, such as 172.30.0.23",
    }

    def __init__(self, address: Address4) -> None:
        self.address = address

    @classmethod
    def parse(cls, raw: object) -> HostAddress:
        if not isinstance(raw, str):
            raise ValueError(f"{named(raw)} is not an IPv4 address")
        try:
            return cls(ipaddress.IPv4Address(raw))
        except ValueError:
            hint = "leave the prefix length out" if "/" in raw else None
            raise Refused(f"{raw!r} is not an IPv4 address such as 172.30.0.20", hint) from None


class BindAddress(Value):
    """One IPv4 or IPv6 address of a host."""

    __slots__ = ("address",)
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": patterns.ADDRESS,
        "description": "An IPv4 or IPv6 address, such as 192.168.1.5",
    }

    def __init__(self, address: AnyAddress) -> None:
        self.address = address

    @classmethod
    def parse(cls, raw: object) -> BindAddress:
        if not isinstance(raw, str):
            raise ValueError(f"{named(raw)} is not an address such as 192.168.1.5 or fd00::7")
        return cls(one_address(raw))

    def __str__(self) -> str:
        return str(self.address)


def one_address(
    written: str, instead_of_every: str = "write one address", port: str = ""
) -> AnyAddress:
    """The address of one machine, where a program can listen and to which a connection can be made. Raises
    Refused. `instead_of_every`: the hint where it stands for every address. `port`: what stands behind it,
    as `:80`, for the hints."""
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        hint = "leave the prefix length out" if "/" in written else None
        message = f"`{written}` is not an address such as 192.168.1.5 or fd00::7"
        raise Refused(message, hint) from None
    # To the kernel, and to docker, an IPv4 address in this form is that IPv4 address itself.
    plain = _ipv4_within(address)
    if address.is_unspecified or (plain is not None and plain.is_unspecified):
        raise Refused(f"`{written}` stands for every address", instead_of_every)
    if plain is not None:
        raise Refused(f"`{written}`: {_IN_IPV6_S_FORM}", f"write {plain}{port}")
    if "%" in written or (address.version == 6 and address.is_link_local):
        hint = "write an address that is valid without an interface"
        raise Refused(f"`{written}` is valid on one link only", hint)
    if address.is_multicast or address == _BROADCAST:
        raise Refused(f"`{written}` is the address of many", "write that of one machine")
    return address


_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_IN_IPV6_S_FORM = "an IPv4 address in IPv6's form"


def _ipv4_within(address: AnyAddress) -> Address4 | None:
    """The address that `::ffff:10.0.0.1` is another form of."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    return address.ipv4_mapped


class Cidr(_Network):
    """An IPv4 or IPv6 network or single address, host bits zero: what ufw takes as a source."""

    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": patterns.CIDR,
        "description": "An IPv4 or IPv6 network or address, such as 192.168.0.0/16",
    }

    @classmethod
    def parse(cls, raw: object) -> Cidr:
        if not isinstance(raw, str):
            raise ValueError(f"{named(raw)} is not a CIDR such as 192.168.0.0/16")
        if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", raw) and not raw.isdecimal():
            message = f"{named(raw)} is not a CIDR such as 192.168.0.0/16"
            raise Refused(message, "zones and projects do not count here: write the networks")
        return cls(parse_cidr(raw))


@lru_cache(maxsize=4096)
def parse_cidr(text: str) -> AnyNetwork:
    """The network that `text` names. Raises ValueError where it is not one; Refused, with what to paste,
    where it has host bits set or is one of IPv4 in IPv6's form."""
    # Python would take any text behind a `%`, as IPv6's scope.
    if not re.fullmatch(r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?", text):
        raise ValueError(f"{text!r} is not a CIDR such as 192.168.0.0/16")
    if "." in text and ":" not in text and re.search(r"(?:^|\.)0[0-9]", text):
        raise ValueError(f"{text}: an octet with a leading zero is ambiguous")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not a CIDR such as 192.168.0.0/16") from None
    if isinstance(network, ipaddress.IPv6Network):
        plain = _ipv4_network_within(network)
        if plain is not None:
            raise Refused(f"{text}: {_IN_IPV6_S_FORM}", f"write {_without_full_length(plain)}")
    if network.network_address != ipaddress.ip_address(text.partition("/")[0]):
        raise Refused(f"{text} has host bits set", f"the network is `{network}`")
    return network


def _ipv4_network_within(network: Network6) -> Network4 | None:
    """The IPv4 network of `::ffff:10.0.0.0/104`, whose visitors come by IPv4, and of `::10.0.0.0/104`: ufw
    writes these otherwise than Python, and would not find its own rule again."""
    if network.prefixlen < 96:
        return None
    high, low = divmod(int(network.network_address), 2**32)
    is_network = network.prefixlen < 128
    if high == 0xFFFF or (high == 0 and is_network):
        return ipaddress.IPv4Network((low, network.prefixlen - 96))
    return None


def _without_full_length(network: AnyNetwork) -> str:
    """A network as people write it: one address without its `/32`."""
    return str(network).removesuffix("/32")
