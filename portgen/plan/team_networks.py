"""Where a team's own compose file and portgen's override contradict each other about a project's
network.

In: the plan of an override, and the team's file as read. Out: `Contradiction`s. Pure.

The override comes last. compose 1 takes a network's definition from the last file that has one,
whole: what the team's file says of it is dropped without a word. compose 2 merges key by key, the
override's over the team's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from portgen.formats.compose import TeamFile, joined
from portgen.inventory.networks import Address4, Address6, Network6
from portgen.plan.contradiction import Contradiction, is_unknown, shown
from portgen.plan.types import Container, KeyPath, Network, Override, Pool
from portgen.problem import Severity, listed

_MOST_NAMED = 5  # services, in one message


def contradictions(override: Override, network: Network, team: TeamFile) -> Iterator[Contradiction]:
    """All that is found about the override's `network`: its definition, addresses in it, and who
    joins it."""
    yield from _of_network(network, team)
    if network.pool is not None:
        yield from _of_addresses(override, network, network.pool, team)
    yield from _of_default_network(override, network, team)


# --- its definition -------------------------------------------------------------------------------


def _of_network(network: Network, team: TeamFile) -> Iterator[Contradiction]:
    for key, entry in team.networks.items():
        if key == network.name:
            yield from _of_definition(entry, network, team)
        elif _name_of(entry) == network.name:
            where = team.at("networks", key)
            yield Contradiction(
                network.key_path,
                f"{where} calls its network `{key}` by the name {network.name}, "
                "which is a network of the override",
                f"write `{network.name}` there instead of `{key}`, also in `networks:` of its services: "
                "joined twice, a container loses its address",
            )


def _name_of(entry: Mapping[str, Any]) -> object:
    """The name that docker knows a network by, where a definition gives it one; compose 1 also
    takes it from `external`."""
    if entry.get("name"):
        return entry["name"]
    if isinstance(entry.get("external"), dict):
        return entry["external"].get("name")
    return None


def _of_definition(
    entry: Mapping[str, Any], network: Network, team: TeamFile
) -> Iterator[Contradiction]:
    for keys, theirs, ours in _differences(entry, network):
        where = team.at("networks", network.name, *keys)
        yield Contradiction(
            network.key_path,
            f"{where} says `{keys[-1]}: {theirs}` of the network {network.name}, "
            f"and the override, which comes last, would replace that without a word; its own {ours}",
            _network_hint(keys[0], network),
        )


def _network_hint(key: str | int, network: Network) -> str:
    if key == "external":
        return (
            "portgen's network is made by compose: remove `external` there, "
            f"and the network once (`docker network rm {network.name}`); or say `external: true` here"
        )
    if network.external:
        return "remove it there: compose does not make this network; or leave `external` out here"
    if key == "ipam":
        return "remove it there: subnet, gateway and range are the inventory's"
    return (
        "remove it there; a network that needs it "
        f"can't be the inventory's `network: {{name: {network.name}}}`"
    )


def _differences(
    entry: Mapping[str, Any], network: Network
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """What a definition says that portgen's does not: where, what, and what portgen's has."""
    plain = {"name": network.name, "driver": "bridge"}
    families = {"enable_ipv4"}
    if network.external:
        plain = {"name": network.name}
    elif network.subnet6 is not None:
        families.add("enable_ipv6")
    for key, value in entry.items():
        if key.startswith("x-") or _says_nothing(value):
            continue
        if key == "ipam":
            yield from _ipam_differences(value, network)
        elif key in families and _is_true(value):
            continue
        elif key == "external" and network.external:
            if isinstance(value, dict) and _name_of(entry) not in (None, network.name):
                yield (key,), shown(value), _ours("true")
        elif value != plain.get(key) and not is_unknown(value):
            yield (key,), shown(value), _ours(plain.get(key))


def _ipam_differences(
    ipam: Any, network: Network
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    if not isinstance(ipam, dict):
        return
    for key, value in ipam.items():
        if _says_nothing(value) or key.startswith("x-") or (key == "driver" and value == "default"):
            continue
        if key == "config" and isinstance(value, list):
            for index, pool in enumerate(value):
                yield from _pool_differences(index, pool, network)
        else:
            yield ("ipam", key), shown(value), _ours({"driver": "default"}.get(str(key)))


def _pool_differences(
    index: int, pool: Any, network: Network
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """The same for one item of `ipam.config`: portgen's definition has IPv4's, then IPv6's, if it
    has that."""
    ours = {}
    pool_of_ours = None if network.external else network.pool
    if index == 0 and pool_of_ours is not None:
        ours = {
            "subnet": str(pool_of_ours.subnet),
            "gateway": str(pool_of_ours.gateway),
            "ip_range": str(pool_of_ours.ip_range),
        }
    elif index == 1 and not network.external and network.subnet6 is not None:
        ours = {"subnet": str(network.subnet6), "gateway": str(network.gateway6)}
    if not isinstance(pool, dict):
        return
    for field, value in pool.items():
        if _says_nothing(value) or is_unknown(value):
            continue
        wanted = ours.get(field)
        if wanted is None or not _same_network(value, wanted):
            yield ("ipam", "config", index, field), shown(value), _ours(wanted)


def _ours(value: str | None) -> str:
    if value is None:
        return "says nothing of it"
    return f"is `{value}`"


def _says_nothing(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in ("", "false", "no", "off", "n")
    return value in (None, False, [], {})


def _is_true(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in ("true", "yes", "on", "y")
    return value is True


def _same_network(value: Any, wanted: str) -> bool:
    try:
        return ipaddress.ip_network(str(value), strict=False) == ipaddress.ip_network(wanted)
    except ValueError:
        return False


# --- addresses ------------------------------------------------------------------------------------


def _of_addresses(
    override: Override, network: Network, pool: Pool, team: TeamFile
) -> Iterator[Contradiction]:
    ours = {container.compose_service: container for container in override.containers}
    holders = {}
    for container in override.containers:
        if container.address is not None:
            holders[container.address] = container
    for service, theirs in team.services.items():
        there = joined(theirs).get(network.name, {})
        for key in ("ipv4_address", "ipv6_address"):
            written = there.get(key)
            if not written or is_unknown(written):
                continue
            if key == "ipv6_address" and network.subnet6 is not None:
                trouble = _trouble6(str(written), network, network.subnet6)
            elif service in ours:
                trouble = _own_address_trouble(str(written), ours[service], network)
            else:
                trouble = _address_trouble(str(written), service, network, pool, holders)
            if trouble is not None:
                where = team.at("services", service, "networks", network.name, key)
                gives = f"{where} gives {service} the address {written} in {network.name}"
                yield Contradiction(trouble.key_path, f"{gives}, {trouble.which}", trouble.hint)


class _Trouble(NamedTuple):
    """What is wrong with a fixed address of the team's, what to do, and the inventory's place."""

    which: str
    hint: str
    key_path: KeyPath


def _parsed(written: str) -> Address4 | None:
    try:
        return Address4(written)
    except ValueError:
        return None


def _not_ipv4(network: Network) -> _Trouble:
    hint = f"remove it there: {network.name} has no IPv6"
    return _Trouble("which is IPv4 only", hint, network.key_path)


def _trouble6(written: str, network: Network, subnet6: Network6) -> _Trouble | None:
    """Of an address in IPv6: portgen gives none, so a team's own may be any of the network's."""
    try:
        inside = Address6(written) in subnet6
    except ValueError:
        inside = False
    if inside:
        return None
    hint = "write one of those, or leave `ipv6_address` out there"
    return _Trouble(
        f"which is outside of {subnet6}: docker would refuse it", hint, network.key_path
    )


def _own_address_trouble(written: str, container: Container, network: Network) -> _Trouble | None:
    """Of a container of the override: it has the inventory's address, or none."""
    address = _parsed(written)
    if address is None:
        return _not_ipv4(network)
    if container.address is None or address == container.address:
        return None
    return _Trouble(
        f"and the override would replace that by {container.address}",
        f"remove it there, or pin it here with `address: {address}`",
        container.key_path,
    )


def _address_trouble(
    written: str,
    service: str,
    network: Network,
    pool: Pool,
    holders: Mapping[Address4, Container],
) -> _Trouble | None:
    """Of a service that is not the inventory's."""
    address = _parsed(written)
    if address is None:
        return _not_ipv4(network)
    hint = (
        f"leave `ipv4_address` out there: {service} gets one of {pool.ip_range}; "
        "only the inventory gives fixed ones"
    )
    if address in holders:
        holder = holders[address]
        return _Trouble(f"which {holder.service} has", hint, holder.key_path)
    subnet = pool.subnet
    if address not in subnet:
        which = f"which is outside of {subnet}: docker would refuse it"
    elif address == pool.gateway:
        which = "which is its gateway's"
    elif address in (subnet.network_address, subnet.broadcast_address):
        which = "which is the network's own"
    elif address in pool.ip_range:
        which = f"which lies among those that docker gives away by itself ({pool.ip_range})"
    else:
        return None
    return _Trouble(which, hint, network.key_path)


def _of_default_network(
    override: Override, network: Network, team: TeamFile
) -> Iterator[Contradiction]:
    """A service without `networks:` is on the file's default network until the override names
    another. The services that stay on the default network then no longer find it."""
    ours = {container.compose_service: container for container in override.containers}
    leave = []
    stay = []
    for name, entry in team.services.items():
        if entry.get("networks") or entry.get("network_mode"):
            continue
        container = ours.get(name)
        if container is not None and container.network is not None:
            leave.append(name)
        elif container is None or not container.host_network:
            stay.append(name)
    if leave and stay:
        yield Contradiction(
            network.key_path,
            f"{team.name}: {listed(leave, _MOST_NAMED)} would leave the default network for "
            f"{network.name}, but {listed(stay, _MOST_NAMED)} would stay there: "
            "they no longer find each other by name",
            "where they need each other, write `networks: [default]` for the first there, "
            f"or `networks: [{network.name}]` for the others",
            Severity.WARNING,
        )
