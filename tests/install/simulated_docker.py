"""docker and compose of a host that is not there.

In: the words behind `docker` and `docker-compose`. Out: as they answer, and what they do: compose makes a
container anew where what its files say differs, and fails where another one holds its address or port.
"""

from __future__ import annotations

import copy
import posixpath
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from portgen.formats import compose
from portgen.machine.programs import Finished
from portgen.plan.team_folders import compose_name
from tests.audit import numbers
from tests.install import simulated

if TYPE_CHECKING:
    from tests.install.simulated import SimulatedHost

ALWAYS = ("always", "unless-stopped")
_LABEL = "label=com.docker.compose."
_POLICY = (
    "{{.ID}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"
)
_LABELLED = '{{index .Config.Labels "com.docker.compose.%s"}}'
_SETUP = f"{_LABELLED % 'service'} {{{{.HostConfig.NetworkMode}}}} {_LABELLED % 'config-hash'}"
_SUBNETS = "{{range .IPAM.Config}}{{.Subnet}} {{end}}"
_STARTED = "2027-01-15T07:00:00.076688766Z"


@dataclass
class Container:
    """A container. `config`: what compose made it of."""

    id: str
    project: str
    service: str
    folder: str
    files: str
    config: dict[str, Any]
    state: str = "created"
    policy: str = "no"
    by_hand: bool = False  # stopped by somebody: `unless-stopped` leaves it so

    @property
    def runs(self) -> bool:
        return self.state == "running"

    @property
    def addresses(self) -> dict[str, str]:
        """Its fixed addresses, by network."""
        found: dict[str, str] = self.config["networks"]
        return found


@dataclass
class Network:
    subnets: tuple[str, ...]
    project: str
    others: dict[str, str] = field(default_factory=dict)


@cache
def parsed(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text) or {}
    return found


class Docker:
    """What docker has."""

    def __init__(self, host: SimulatedHost) -> None:
        self.host = host
        self.containers: dict[str, Container] = {}
        self.networks: dict[str, Network] = {"bridge": Network(("172.17.0.0/16",), "")}
        self.made = 0
        self.reads_base = True
        # How often docker says that a network is in use when its last container has just been removed.
        self.lingers = 0

    # --- docker ---

    def run(self, words: list[str]) -> Finished:
        match words:
            case ["ps", "--all", "--quiet", *filters]:
                return self._ps([word for word in filters if word != "--no-trunc"])
            case ["inspect", form, *ids] if form == f"--format={_POLICY}":
                return self._inspect_policies(ids)
            case ["inspect", form, *ids] if form == f"--format={_SETUP}":
                return self._inspect_setups(ids)
            case ["update", policy, *ids] if policy.startswith("--restart="):
                return self._update(policy.removeprefix("--restart="), ids)
            case ["stop", *ids]:
                return self._stop(ids)
            case ["start", *ids]:
                return self._start(ids)
            case ["rm", *ids]:
                return self._rm(ids)
            case ["network", "inspect", "--format={{.Name}}", name]:
                self.host.step(f"docker network inspect {name}")
                if name not in self.networks:
                    return Finished(1, "\n", f"Error: No such network: {name}\n")
                return Finished(0, f"{name}\n", "")
            case ["network", "inspect", form, name] if form == f"--format={_SUBNETS}":
                self.host.step(f"docker network inspect {name}")
                if name not in self.networks:
                    return Finished(1, "\n", f"Error: No such network: {name}\n")
                return Finished(0, f"{' '.join(self.networks[name].subnets)} \n", "")
            case ["network", "rm", name]:
                return self._network_rm(name)
        raise AssertionError(f"the simulated host does not know docker {' '.join(words)}")

    def _ps(self, words: list[str]) -> Finished:
        self.host.step(f"docker ps {' '.join(words)}")
        assert words[::2] == ["--filter"] * (len(words) // 2), words
        found = list(self.containers.values())
        states = [word.removeprefix("status=") for word in words if word.startswith("status=")]
        if states:
            found = [one for one in found if one.state in states]
        for text in words[1::2]:
            name, _, value = text.rpartition("=")
            match name:
                case "label=com.docker.compose.project":
                    found = [one for one in found if one.project == value]
                case "label=com.docker.compose.service":
                    found = [one for one in found if one.service == value]
                case "network":
                    found = [one for one in found if value in one.config["networks"]]
                case "label" if value == "portgen":
                    found = [one for one in found if "portgen" in one.config["labels"]]
                case "status":
                    pass
                case _:
                    raise AssertionError(text)
        return Finished(0, "".join(f"{one.id}\n" for one in found), "")

    def _missing(self, ids: list[str]) -> Finished | None:
        for one in ids:
            if one not in self.containers:
                return Finished(1, "", f"Error: No such container: {one}\n")
        return None

    def _inspect_policies(self, ids: list[str]) -> Finished:
        self.host.step(f"docker inspect {' '.join(self._names(ids))}")
        said = []
        for one in ids:
            if one in self.containers:
                policy, _, count = self.containers[one].policy.partition(":")
                said.append(f"{one} {policy} {count or 0}\n")
        return self._missing(ids) or Finished(0, "".join(said), "")

    def _inspect_setups(self, ids: list[str]) -> Finished:
        self.host.step(f"docker inspect {' '.join(self._names(ids))}")
        said = []
        for one in ids:
            if one in self.containers:
                config = self.containers[one].config
                mode = config["network_mode"] or "bridge"
                service = self.containers[one].service
                said.append(f"{service} {mode} {zlib.crc32(repr(config).encode()):x}\n")
        return self._missing(ids) or Finished(0, "".join(said), "")

    def _names(self, ids: list[str]) -> list[str]:
        return [self.containers[one].service if one in self.containers else one for one in ids]

    def _update(self, policy: str, ids: list[str]) -> Finished:
        def change(one: str) -> None:
            self.containers[one].policy = policy

        missing = self._missing(ids)
        for one in ids:
            if one in self.containers:
                label = f"docker update --restart={policy} {self.containers[one].service}"
                self.host.step(label, lambda one=one: change(one))  # type: ignore[misc]
        return missing or Finished(0, "".join(f"{one}\n" for one in ids), "")

    def _stop(self, ids: list[str]) -> Finished:
        missing = self._missing(ids)
        for one in ids:
            if one in self.containers and self.containers[one].state != "created":
                label = f"docker stop {self.containers[one].service}"
                self.host.step(label, lambda one=one: self._end(one))  # type: ignore[misc]
        return missing or Finished(0, "".join(f"{one}\n" for one in ids), "")

    def _end(self, one: str) -> None:
        self.containers[one].state = "exited"
        self.containers[one].by_hand = True

    def _start(self, ids: list[str]) -> Finished:
        missing = self._missing(ids)
        for one in ids:
            container = self.containers.get(one)
            if container is None or container.runs:
                continue
            why = self.obstacle(container)
            if why:
                return Finished(1, "", f"Error response from daemon: {why}\n")
            label = f"docker start {container.service}"
            self.host.step(label, lambda one=container: self._begin(one))  # type: ignore[misc]
        return missing or Finished(0, "", "")

    def _begin(self, container: Container) -> None:
        container.state, container.by_hand = "running", False

    def obstacle(self, container: Container) -> str:
        """Why a container can't start now."""
        for name, address in container.config["networks"].items():
            if name not in self.networks:
                return f"network {name} not found"
            for other in self.containers.values():
                taken = other.config["networks"].get(name)
                if address and other is not container and other.runs and taken == address:
                    return "Address already in use"
        own = published_by(container)
        others: set[tuple[str, str, int]] = set()
        for other in self.containers.values():
            if other.runs and other is not container:
                others |= published_by(other)
        others |= self.host.systemd.bound() | self.host.nginx.bound()
        from tests.install.simulated_systemd import collide

        for one in own:
            if any(collide(one, other) for other in others):
                return f"Bind for {one[1]}:{one[2]} failed: port is already allocated"
        return ""

    def _rm(self, ids: list[str]) -> Finished:
        missing = self._missing(ids)
        for one in ids:
            if one in self.containers:
                container = self.containers[one]
                if container.runs:
                    return Finished(1, "", "You cannot remove a running container\n")
                label = f"docker rm {container.service}"
                self.host.step(label, lambda one=one: self.containers.pop(one))  # type: ignore[misc]
        return missing or Finished(0, "", "")

    def _network_rm(self, name: str) -> Finished:
        self.host.step(f"look at the network {name}")
        if name not in self.networks:
            return Finished(1, "", f"Error: No such network: {name}\n")
        for one in self.containers.values():
            if one.runs and name in one.config["networks"]:
                return Finished(1, "", f"error: network {name} has active endpoints\n")
        if self.lingers:
            self.lingers -= 1
            return Finished(1, "", f"error: network {name} has active endpoints\n")
        self.host.step(f"docker network rm {name}", lambda: self.networks.pop(name))
        return Finished(0, f"{name}\n", "")

    # --- compose ---

    def compose(  # noqa: PLR0912 - compose refuses much
        self, words: list[str], folder: str, environment: dict[str, str]
    ) -> Finished:
        match words:
            case ["up", "-d", *services]:
                starts = True
            case ["up", "--no-start", *services]:
                starts = False
            case ["config", "--services"]:
                return self._services(folder, environment["COMPOSE_FILE"].split(":"))
            case _:
                raise AssertionError(f"the simulated host does not know compose {' '.join(words)}")
        assert environment.keys() == {"COMPOSE_FILE", "COMPOSE_HTTP_TIMEOUT"}, environment
        if float(environment["COMPOSE_HTTP_TIMEOUT"]) < simulated.BUSY:
            return Finished(1, "", "ERROR: An HTTP request took too long to complete.\n")
        self.host.step(f"compose reads {environment['COMPOSE_FILE']} in {folder}")
        files = environment["COMPOSE_FILE"].split(":")
        project = compose_name(folder)
        content: dict[str, Any] = {"services": {}, "networks": {}}
        for name in files:
            text = self.host.text(posixpath.join(folder, name))
            if text is None:
                return Finished(1, "", f"ERROR: .FileNotFoundError: {folder}/{name}\n")
            _merge(content, parsed(text))
        for service in services:
            if service not in content["services"]:
                return Finished(1, "", f"ERROR: No such service: {service}\n")
        for entry in content["services"].values():
            for name in entry.get("networks", ()):
                if name not in content["networks"] and name != "default":
                    return Finished(1, "", f"ERROR: undefined network {name}\n")
            if not entry.get("image"):
                return Finished(
                    1, "", "ERROR: a service has neither an image nor a build context\n"
                )
        wrong = self._make_networks(project, content, services)
        for service in services:
            if wrong is None:
                config = _config(project, service, content)
                wrong = self._up(
                    project, service, folder, environment["COMPOSE_FILE"], config, starts
                )
        return wrong or Finished(0, "", "")

    def _services(self, folder: str, files: list[str]) -> Finished:
        self.host.step("compose names the services")
        content: dict[str, Any] = {"services": {}, "networks": {}}
        for name in files:
            _merge(content, parsed(self.host.text(posixpath.join(folder, name)) or ""))
        return Finished(0, "".join(f"{name}\n" for name in content["services"]), "")

    def _make_networks(
        self, project: str, content: dict[str, Any], services: list[str]
    ) -> Finished | None:
        # compose makes those of the services that it is asked for, and looks at those only.
        used: set[str] = set()
        for service in services:
            used.update(_networks_of(content["services"][service]))
        for key in sorted(used):
            said = content["networks"].get(key) or {}
            name = said.get("name") or f"{project}_{key}"
            ipam = (said.get("ipam") or {}).get("config") or ()
            subnets = tuple(one["subnet"] for one in ipam)
            there = self.networks.get(name)
            if said.get("external"):
                if there is None:
                    return Finished(
                        1, "", f"ERROR: Network {name} declared as external, not found\n"
                    )
                continue
            if there is None:
                for other in self.networks.values():
                    if _overlap(other.subnets, subnets):
                        return Finished(1, "", "ERROR: Pool overlaps with other one\n")
                new = Network(subnets, project)
                self.host.step(
                    f"make the network {name}",
                    lambda name=name, new=new: self.networks.update({name: new}),  # type: ignore[misc]
                )
            elif subnets and there.subnets != subnets:
                return Finished(1, "", f'ERROR: Network "{name}" needs to be recreated\n')
        return None

    def _up(
        self,
        project: str,
        service: str,
        folder: str,
        files: str,
        config: dict[str, Any],
        starts: bool,
    ) -> Finished | None:
        there = [
            one
            for one in self.containers.values()
            if (one.project, one.service) == (project, service)
        ]
        container = there.pop() if there else None
        for one in there:
            if one.runs:
                self._stop([one.id])
            self._rm([one.id])
        if container is not None and container.config == config:
            if starts and not container.runs:
                return self._started(container)
            return None
        if container is not None and container.runs:
            self._stop([container.id])
        self.made += 1
        number = numbers.container_id(project, f"{service}-{self.made}")
        new = Container(number, project, service, folder, files, config, policy=config["restart"])
        self.host.step(f"make {service}", lambda: self.containers.update({number: new}))
        if starts:
            wrong = self._started(new)
            if wrong is not None:
                return wrong
        if container is not None:
            self._rm([container.id])
        return None

    def _started(self, container: Container) -> Finished | None:
        why = self.obstacle(container)
        if why:
            return Finished(1, "", f"ERROR: for {container.service}  Cannot start service: {why}\n")
        self.host.step(f"start {container.service}", lambda: self._begin(container))
        return None

    # --- boot ---

    def shut_down(self) -> set[str]:
        """Returns which ran."""
        running = {one.id for one in self.containers.values() if one.runs}
        for one in self.containers.values():
            if one.runs:
                one.state = "exited"
        return running

    def boot(self, running: set[str]) -> None:
        """docker starts what it is to start by itself."""
        for one in list(self.containers.values()):
            starts = one.policy == "always" or (
                one.policy == "unless-stopped" and one.id in running and not one.by_hand
            )
            if starts and one.state != "created" and not self.obstacle(one):
                self.host.step(f"docker starts {one.service}", lambda one=one: self._begin(one))  # type: ignore[misc]

    # --- what is asked ---

    def published_at(self) -> set[tuple[str, str, int]]:
        found: set[tuple[str, str, int]] = set()
        for one in self.containers.values():
            if one.runs:
                found |= published_by(one)
        return found

    def inspected(self) -> Iterator[dict[str, Any]]:
        """As `docker inspect` prints them, as far as the firewall script reads it."""
        for one in self.containers.values():
            ports = _ports(one)
            networks = {}
            for name, address in one.config["networks"].items():
                networks[name] = {
                    "IPAddress": address if one.runs else "",
                    "IPAMConfig": {"IPv4Address": address},
                    "GlobalIPv6Address": "",
                    "GlobalIPv6PrefixLen": 0,
                }
                subnet6 = self._subnet6(name)
                if subnet6 and one.runs:
                    networks[name] |= {
                        "GlobalIPv6Address": subnet6.replace("::/", "::2/").partition("/")[0],
                        "GlobalIPv6PrefixLen": int(subnet6.partition("/")[2]),
                    }
            yield {
                "Id": one.id,
                "Name": f"/{one.project}_{one.service}_1",
                "State": {"Status": one.state},
                "Config": {
                    "Labels": {
                        "com.docker.compose.project": one.project,
                        "com.docker.compose.service": one.service,
                    }
                },
                "HostConfig": {"PortBindings": ports, "RestartPolicy": {"Name": one.policy}},
                "NetworkSettings": {"Ports": ports if one.runs else {}, "Networks": networks},
            }

    def has_ipv6(self, container: Container) -> bool:
        """Whether a container has an address of IPv6."""
        return any(self._subnet6(name) for name in container.config["networks"])

    def _subnet6(self, name: str) -> str:
        network = self.networks.get(name)
        return next((one for one in network.subnets if ":" in one), "") if network else ""

    def entries(self) -> Iterator[dict[str, Any]]:
        """As the audit's template prints them."""
        for one in self.containers.values():
            ports = _ports(one)
            mode = one.config["network_mode"] or next(iter(one.config["networks"]), "default")
            networks: list[dict[str, Any] | None] = []
            for name, address in one.config["networks"].items():
                networks.append(self._attachment(name, address, one.runs))
            if one.config["network_mode"] == "host":
                networks = [self._attachment("host", "", False)]
            yield {
                "id": one.id,
                "name": f"/{one.project}_{one.service}_1",
                "state": one.state,
                "exit": 0,
                "pid": numbers.pid(one.id) if one.runs else 0,
                "started": _STARTED if one.state != "created" else "0001-01-01T00:00:00Z",
                "health": "",
                "restarts": 0,
                "policy": one.policy.partition(":")[0],
                "mode": mode,
                "asked": ports,
                "ports": ports if one.runs else {},
                "networks": [*networks, None],
                "labels": {
                    "project": one.project,
                    "service": one.service,
                    "folder": one.folder,
                    "files": one.files.replace(":", ","),
                    "one_off": "False",
                    "ours": one.config["labels"].get("portgen"),
                },
                "environment": [
                    *(f"{name}={value}" for name, value in one.config["environment"].items()),
                    None,
                ],
            }

    def _attachment(self, name: str, address: str, runs: bool) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "name": name,
            "fixed": address,
            "address": "",
            "prefix": 0,
            "gateway": "",
            "address6": "",
            "prefix6": 0,
        }
        network = self.networks.get(name)
        if network is None or not runs:
            return entry
        for subnet in network.subnets:
            first, _, prefix = subnet.partition("/")
            if ":" in subnet:
                entry |= {"address6": f"{first}2", "prefix6": int(prefix)}
            else:
                own = address or f"{first.rpartition('.')[0]}.250"
                gateway = network.others.get("gateway") or f"{first.rpartition('.')[0]}.1"
                entry |= {"address": own, "prefix": int(prefix), "gateway": gateway}
        return entry

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in self.containers.values():
            name = f"container {one.project}/{one.service}"
            if name in found:
                name += " again"
            runs = "runs" if one.runs else "does not run"
            found[name] = (copy.deepcopy(one.config), runs, one.policy)
        for name, network in self.networks.items():
            found[f"network {name}"] = network.subnets
        return found


def _merge(content: dict[str, Any], more: dict[str, Any]) -> None:
    """A further file: compose appends ports, merges mappings, and replaces the rest."""
    for name, entry in (more.get("services") or {}).items():
        known = content["services"].setdefault(name, {})
        for key, value in (entry or {}).items():
            if key == "ports":
                known["ports"] = [*known.get("ports", ()), *value]
            elif key in ("networks", "labels", "environment") and isinstance(known.get(key), dict):
                known[key] = {**known[key], **value}
            else:
                known[key] = value
    for name, entry in (more.get("networks") or {}).items():
        content["networks"][name] = {**content["networks"].get(name, {}), **(entry or {})}


def _networks_of(entry: dict[str, Any]) -> dict[str, str]:
    """The networks of a service by their keys, with its addresses."""
    if entry.get("network_mode"):
        return {}
    found = {}
    for name, at in (entry.get("networks") or {"default": {}}).items():
        found[name] = str((at or {}).get("ipv4_address", ""))
    return found


def _config(project: str, service: str, content: dict[str, Any]) -> dict[str, Any]:
    """What a container is made of."""
    entry = content["services"][service]
    networks = {}
    for key, address in _networks_of(entry).items():
        name = (content["networks"].get(key) or {}).get("name") or f"{project}_{key}"
        networks[name] = address
    environment = entry.get("environment") or {}
    return {
        "image": entry["image"],
        "ports": sorted(map(str, entry.get("ports") or ())),
        "networks": networks,
        "network_mode": entry.get("network_mode", ""),
        "labels": dict(entry.get("labels") or {}),
        "environment": {name: str(value) for name, value in environment.items()},
        "restart": entry.get("restart", "no"),
    }


def published_by(container: Container) -> set[tuple[str, str, int]]:
    """Where docker listens for a container: transport, address, port."""
    found = set()
    for one in compose.published_ports(container.config["ports"]):
        found.add((one.transport, one.address, one.port))
    return found


def _ports(container: Container) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for one in sorted(compose.published_ports(container.config["ports"])):
        places = found.setdefault(f"{one.inside}/{one.transport}", [])
        places.append({"HostIp": one.address, "HostPort": str(one.port)})
    return found


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    import ipaddress

    for first in map(ipaddress.ip_network, one):
        for second in map(ipaddress.ip_network, other):
            if first.version == second.version and first.overlaps(second):
                return True
    return False
