"""Where a team's own compose file and our override contradict each other.

In: the plan of an override, and the team's file as read. Out: `Contradiction`s, each at the inventory's entry and
with the file's line. Pure.

Our override comes last. compose 1 takes a network's definition from the last file that has one, whole: what
the team's file says of it is dropped without a word. compose 2 merges key by key, ours over theirs.
`network_mode` is replaced by both, `ports` are appended by both. So what differs is refused here, by name.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from portgen.formats.compose import TeamFile, joined
from portgen.inventory import reader
from portgen.plan.types import Binding, Container, Host, KeyPath, Network, Override, Service
from portgen.problem import Severity

# By this name a service ignores what is found here, in `lint` and in `verify`.
RULE = "compose-file"


class Contradiction(NamedTuple):
    """What the two files can't both say, at the inventory's entry."""

    key_path: KeyPath
    message: str
    hint: str
    severity: Severity = Severity.ERROR


def contradictions(host: Host, override: Override, team: TeamFile) -> Iterator[Contradiction]:
    """All that is found, except what a service ignores."""
    ignoring = {service.key_path for service in host.services if RULE in service.ignore}
    for finding in _found(host, override, team):
        if not any(finding.key_path[: len(key_path)] == key_path for key_path in ignoring):
            yield finding


def _found(host: Host, override: Override, team: TeamFile) -> Iterator[Contradiction]:
    yield from _unseen(override, team)
    ours = {container.compose_service: container.service for container in override.containers}
    for container in override.containers:
        theirs = team.services.get(container.compose_service)
        if theirs is None:
            if not team.includes:
                hint = f"add it to {team.name}, or name it with `compose_service:`"
                yield Contradiction(
                    container.key_path,
                    f"{team.name} has no service {container.compose_service}",
                    hint,
                )
            continue
        yield from _of_ports(container, theirs, team)
        yield from _of_network_mode(container, theirs, team, ours)
        yield from _of_copies(container, theirs, team)
        yield from _of_profiles(container, theirs, team)
    if override.network is not None:
        yield from _of_network(override.network, team)
        yield from _of_addresses(override, override.network, team)
        yield from _of_default_network(override, override.network, team)
    yield from _of_names(override, team)
    yield from _of_other_ports(host, override, team)


def _unseen(override: Override, team: TeamFile) -> Iterator[Contradiction]:
    place = (*override.key_path, "compose", "file")
    if team.includes:
        message = f"{team.at('include')} includes other files, which were not looked at"
        yield Contradiction(
            place, message, "what they publish or say of the network is not checked", Severity.NOTE
        )
    for service, path in dict.fromkeys(team.unread):
        message = f"{team.at('services', service, 'extends')} extends a service of {path}, which can't be read"
        yield Contradiction(
            place, message, "what it publishes or says of the network is not checked", Severity.NOTE
        )


def _of_ports(
    container: Container, theirs: Mapping[str, Any], team: TeamFile
) -> Iterator[Contradiction]:
    if not theirs.get("ports"):
        return
    written = (
        ", ".join(map(_shown, theirs["ports"]))
        if isinstance(theirs["ports"], list)
        else "not a list"
    )
    where = team.at("services", container.compose_service, "ports")
    if container.host_network:
        consequence = "a container on the host's network publishes nothing"
    elif container.published:
        consequence = "compose appends the inventory's to them, and docker binds both"
    else:
        consequence = "docker would bind them past its forwarder, and past ufw"
    yield Contradiction(
        container.key_path,
        f"{where} has `ports:` for {container.compose_service} ({written}): {consequence}",
        f"remove them there; {container.service}'s ports are the inventory's",
    )


def _of_network_mode(
    container: Container, theirs: Mapping[str, Any], team: TeamFile, holders: Mapping[str, str]
) -> Iterator[Contradiction]:
    """Ours would replace theirs, or compose refuses both together. `holders`: the inventory's services by
    compose's names."""
    name = container.compose_service
    mode = theirs.get("network_mode")
    if container.host_network and theirs.get("networks"):
        where = team.at("services", name, "networks")
        message = (
            f"{where} has `networks:` for {name}, which the inventory puts on the host's network"
        )
        yield Contradiction(container.key_path, message, "compose refuses both: remove them there")
    if not isinstance(mode, str) or not mode:
        return
    if container.host_network and mode == "host":
        return
    if mode == "bridge" and not container.host_network and container.address is None:
        return
    if container.host_network:
        ours = "which the inventory puts on the host's network: the override would replace it"
    elif container.address is not None:
        ours = "which the inventory gives an address in a network"
    elif container.published:
        ours = "whose ports the inventory publishes"
    else:
        return
    message = (
        f"{team.at('services', name, 'network_mode')} has `network_mode: {mode}` for {name}, {ours}"
    )
    yield Contradiction(container.key_path, message, _mode_hint(container, mode, holders))


def _mode_hint(container: Container, mode: str, holders: Mapping[str, str]) -> str:
    kind, _, other = mode.partition(":")
    if kind == "service" and other in holders:
        todo = f"move its port to `ports:` of {holders[other]}, and take {container.service} out of the inventory"
        return f"it listens in the network of {other}: {todo}"
    if kind == "service":
        todo = f"name `compose_service: {other}` here, and leave `network_mode` there"
        return f"it listens in the network of {other}, whose ports they are: {todo}"
    if kind == "container":
        todo = "give the inventory's entry to the service that runs that one"
        return f"it listens in the network of the container {other}: {todo}"
    if mode == "none":
        todo = f"remove it there, or take {container.service} out of the inventory"
        return f"a container without a network has no ports: {todo}"
    if mode == "host" and not container.host_network:
        return "compose refuses both: remove it there, or say `via: host` here"
    return "remove it there"


def _of_copies(
    container: Container, theirs: Mapping[str, Any], team: TeamFile
) -> Iterator[Contradiction]:
    deploy = theirs.get("deploy")
    wanted = {
        "scale": theirs.get("scale"),
        "deploy": deploy.get("replicas") if isinstance(deploy, dict) else None,
    }
    for key, value in wanted.items():
        copies = int(str(value)) if re.fullmatch("[0-9]{1,6}", str(value)) else 1
        if copies > 1:
            message = f"{team.at('services', container.compose_service, key)} runs {copies} copies of {container.compose_service}"
            hint = "only one can have its address and its ports: run one, or give each copy a service of its own"
            yield Contradiction(container.key_path, message, hint)
            return


def _of_profiles(
    container: Container, theirs: Mapping[str, Any], team: TeamFile
) -> Iterator[Contradiction]:
    written = theirs.get("profiles")
    profiles = [str(name) for name in written if name] if isinstance(written, list) else []
    if not profiles or team.profiles & {*profiles, "*"}:
        return
    where = team.at("services", container.compose_service, "profiles")
    named = f"{where} puts {container.compose_service} into the profile {' or '.join(profiles)}"
    message = f"{named}: a plain `up` does not start it"
    hint = (
        "remove `profiles:` there, or name one in COMPOSE_PROFILES of the `.env` beside that file"
    )
    yield Contradiction(container.key_path, message, hint, Severity.WARNING)


# --- the network -----------------------------------------------------------------------------------------------------


def _of_network(network: Network, team: TeamFile) -> Iterator[Contradiction]:
    for key, entry in team.networks.items():
        external = entry.get("external")
        name = entry.get("name") or (external.get("name") if isinstance(external, dict) else None)
        if key != network.name and name == network.name:
            where = team.at("networks", key)
            message = f"{where} calls its network `{key}` by the name {name}, which is a network of the override"
            hint = f"write `{network.name}` there instead of `{key}`, also in `networks:` of its services: joined twice, a container loses its address"
            yield Contradiction(network.key_path, message, hint)
        if key != network.name:
            continue
        for keys, shown, ours in _differences(entry, network):
            message = (
                f"{team.at('networks', key, *keys)} says `{keys[-1]}: {shown}` of the network {key}, "
                f"and the override, which comes last, would replace that without a word; its own {ours}"
            )
            yield Contradiction(network.key_path, message, _network_hint(keys[0], network))


def _network_hint(key: str | int, network: Network) -> str:
    if key == "external":
        once = f"`docker network rm {network.name}`"
        return f"portgen's network is made by compose: remove `external` there, and the network once ({once})"
    if key == "ipam":
        return "remove it there: subnet, gateway and range are the inventory's"
    return f"remove it there; a network that needs it can't be the inventory's `network: {{name: {network.name}}}`"


def _differences(
    entry: Mapping[str, Any], network: Network
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """What a definition says that portgen's does not: where, what, and what portgen's has."""
    plain = {"name": network.name, "driver": "bridge"}
    for key, value in entry.items():
        if key.startswith("x-") or _says_nothing(value):
            continue
        if key == "ipam":
            yield from _ipam_differences(value, network)
        elif key == "enable_ipv4" and _is_true(value):
            continue
        elif value != plain.get(key) and not _is_unknown(value):
            yield (key,), _shown(value), _ours(plain.get(key))


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
            yield ("ipam", key), _shown(value), _ours("default" if key == "driver" else None)


def _pool_differences(
    index: int, pool: Any, network: Network
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """The same for one item of `ipam.config`: portgen's definition has one, the first."""
    ours = {}
    if index == 0:
        ours = {
            "subnet": str(network.subnet),
            "gateway": str(network.gateway),
            "ip_range": str(network.ip_range),
        }
    if not isinstance(pool, dict):
        return
    for field, value in pool.items():
        if _says_nothing(value) or _is_unknown(value):
            continue
        wanted = ours.get(field)
        if wanted is None or not _same_network(value, wanted):
            yield ("ipam", "config", index, field), _shown(value), _ours(wanted)


def _ours(value: str | None) -> str:
    return "says nothing of it" if value is None else f"is `{value}`"


def _says_nothing(value: Any) -> bool:
    return value in (None, "", False, [], {}) or (
        isinstance(value, str) and value.lower() in ("false", "no", "off", "n")
    )


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in ("true", "yes", "on", "y"))


def _is_unknown(value: Any) -> bool:
    """A text with a variable that only the host knows."""
    return isinstance(value, str) and "$" in value


def _same_network(value: Any, wanted: str) -> bool:
    try:
        return ipaddress.ip_network(str(value), strict=False) == ipaddress.ip_network(wanted)
    except ValueError:
        return False


# --- addresses -------------------------------------------------------------------------------------------------------


def _of_addresses(override: Override, network: Network, team: TeamFile) -> Iterator[Contradiction]:
    ours = {container.compose_service: container for container in override.containers}
    holders = {
        container.address: container
        for container in override.containers
        if container.address is not None
    }
    for service, theirs in team.services.items():
        there = joined(theirs).get(network.name, {})
        container = ours.get(service)
        for key in ("ipv4_address", "ipv6_address"):
            written = there.get(key)
            if not written or _is_unknown(written):
                continue
            trouble = _address_trouble(str(written), service, container, network, holders)
            if trouble is not None:
                message, hint, key_path = trouble
                where = team.at("services", service, "networks", network.name, key)
                yield Contradiction(
                    key_path,
                    f"{where} gives {service} the address {written} in {network.name}, {message}",
                    hint,
                )


def _address_trouble(
    written: str,
    service: str,
    container: Container | None,
    network: Network,
    holders: Mapping[ipaddress.IPv4Address, Container],
) -> tuple[str, str, KeyPath] | None:
    """What is wrong with a fixed address of the team's: message, hint, and the inventory's place."""
    elsewhere = f"leave `ipv4_address` out there: {service} gets one of {network.ip_range}; only the inventory gives fixed ones"
    try:
        address = ipaddress.IPv4Address(written)
    except ValueError:
        return (
            "which is IPv4 only",
            f"remove it there: {network.name} has no IPv6",
            network.key_path,
        )
    if container is not None:
        if container.address is None or address == container.address:
            return None
        hint = f"remove it there, or pin it here with `address: {address}`"
        return (
            f"and the override would replace that by {container.address}",
            hint,
            container.key_path,
        )
    if address in holders:
        holder = holders[address]
        return f"which {holder.service} has", elsewhere, holder.key_path
    if address not in network.subnet:
        return (
            f"which is outside of {network.subnet}: docker would refuse it",
            elsewhere,
            network.key_path,
        )
    if address == network.gateway:
        return "which is its gateway's", elsewhere, network.key_path
    if address in (network.subnet.network_address, network.subnet.broadcast_address):
        return "which is the network's own", elsewhere, network.key_path
    if address in network.ip_range:
        return (
            f"which lies among those that docker gives away by itself ({network.ip_range})",
            elsewhere,
            network.key_path,
        )
    return None


def _of_default_network(
    override: Override, network: Network, team: TeamFile
) -> Iterator[Contradiction]:
    """A service without `networks:` is on the file's default network until the override names another. The
    services that stay on the default network then no longer find it."""

    def on_default(entry: Mapping[str, Any]) -> bool:
        return not entry.get("networks") and not entry.get("network_mode")

    ours = {
        container.compose_service
        for container in override.containers
        if container.address is not None
    }
    on_host = {
        container.compose_service for container in override.containers if container.host_network
    }
    plain = [name for name, entry in team.services.items() if on_default(entry)]
    leave = [name for name in plain if name in ours]
    stay = [name for name in plain if name not in ours and name not in on_host]
    if leave and stay:
        message = (
            f"{team.name}: {_some(leave)} would leave the default network for {network.name}, "
            f"and {_some(stay)} would stay there: they no longer find each other by name"
        )
        hint = f"where they need each other, write `networks: [default]` for the first there, or `networks: [{network.name}]` for the others"
        yield Contradiction(network.key_path, message, hint, Severity.WARNING)


def _some(names: list[str], most: int = 5) -> str:
    text = ", ".join(names[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text


def _of_names(override: Override, team: TeamFile) -> Iterator[Contradiction]:
    """Two containers of one name: `config` accepts them, and docker refuses the second."""
    ours = {container.compose_service: container.key_path for container in override.containers}
    first: dict[str, str] = {}
    for service, entry in team.services.items():
        name = entry.get("container_name")
        if not isinstance(name, str) or _is_unknown(name):
            continue
        other = first.setdefault(name, service)
        if other != service and (service in ours or other in ours):
            where = team.at("services", service, "container_name")
            message = f"{where} names the container of {service} {name}, as {other}'s is named: docker refuses the second"
            yield Contradiction(
                ours.get(service) or ours[other],
                message,
                "give each a `container_name` of its own there, or none",
            )


# --- ports of services that are not the inventory's ------------------------------------------------------------------


class _Published(NamedTuple):
    address: str
    ports: range
    transport: str


def _of_other_ports(host: Host, override: Override, team: TeamFile) -> Iterator[Contradiction]:
    ours = {container.compose_service for container in override.containers}
    names = {service.compose_service: service.name for service in _services(host, override)}
    for service, entry in team.services.items():
        if service in ours or not isinstance(entry.get("ports"), list):
            continue
        for index, mapping in enumerate(entry["ports"]):
            published = _published(mapping)
            for holder in host.bindings if published is not None else ():
                if holder.holder in (service, names.get(service)) or not _collide(
                    published, holder
                ):
                    continue
                # What comes from a service that this one extends has its line elsewhere.
                where = team.at(
                    "services", service, *(() if "extends" in entry else ("ports", index))
                )
                port = holder.endpoint
                message = f"{where} publishes {port} for {service} ({_shown(mapping)}), which {holder.holder} holds"
                hint = f"give {service} a port of its own, and an entry in the inventory"
                yield Contradiction(holder.key_path, message, hint)


def _services(host: Host, override: Override) -> Iterator[Service]:
    for project in host.projects:
        if project.name == override.project:
            yield from project.services


def _published(mapping: object) -> _Published | None:
    """The host's side of one entry of `ports:`, in compose's short or long form. What only compose can work
    out is left to it."""
    if isinstance(mapping, dict):
        ports, transport, address = (
            str(mapping.get(key) or "") for key in ("published", "protocol", "host_ip")
        )
    else:
        short, _, transport = str(mapping).partition("/")
        rest = short.rpartition(":")[0]
        address, _, ports = rest.rpartition(":")
    match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", ports)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return _Published(address.strip("[]"), range(first, min(last, 65535) + 1), transport or "tcp")


def _collide(published: _Published | None, holder: Binding) -> bool:
    """Two specific addresses are two holders; one that listens on every address collides with all."""
    if (
        published is None
        or holder.port not in published.ports
        or holder.transport != published.transport
    ):
        return False
    addresses = {published.address or "0.0.0.0", holder.address}  # noqa: S104 - compared, not bound
    return len(addresses) == 1 or bool(addresses & {"0.0.0.0", "::"})  # noqa: S104


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return reader.short(text, 60)
