"""What an inventory declares, read without portgen - a mistake of portgen's must not hide in what
the tests expect.

In: an inventory's path. Out: the services with their defaults filled in, and the compose files its
teams would have.
Never: derives an address, a unit or a rule; that is what is being tested.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Port:
    """One port of a service: on the host, inside its container, and what is spoken."""

    number: int
    container: int
    protocol: str

    @property
    def transport(self) -> str:
        """tcp or udp."""
        return "udp" if self.protocol == "udp" else "tcp"


@dataclass(frozen=True)
class Service:
    """One active service that listens somewhere."""

    name: str
    project: str
    via: str
    ports: tuple[Port, ...]
    allow: tuple[str, ...]
    route: str | None
    route_allow: tuple[str, ...] | None = None  # None: whoever reaches nginx
    address: str | None = None  # the container's, where it is pinned
    timeout: str = ""

    @property
    def port(self) -> int:
        """The primary port."""
        return self.ports[0].number


@dataclass(frozen=True)
class Declared:
    """An inventory of one host."""

    services: tuple[Service, ...]
    zones: dict[str, tuple[str, ...]]
    server_name: str
    nginx_ports: tuple[int, ...] = ()
    nginx_allow: tuple[str, ...] = ()
    # a project's: its name, its subnet
    networks: dict[str, tuple[str, str]] = field(default_factory=dict)

    def service(self, name: str) -> Service:
        """The service of this name."""
        return next(service for service in self.services if service.name == name)

    @property
    def routed(self) -> tuple[Service, ...]:
        """The services that nginx has a route to."""
        return tuple(service for service in self.services if service.route)

    @property
    def contained(self) -> tuple[Service, ...]:
        """The services that run in containers."""
        return tuple(
            service for service in self.services if service.via in ("socat", "docker", "host")
        )

    def allows(self, service: Service, source: str) -> bool:
        """Whether a visitor with this address may reach the service's host ports directly."""
        return self.among(service.allow, source)

    def among(self, allow: tuple[str, ...], source: str) -> bool:
        """Whether one of the words of an `allow` - any, a zone, a project, a network - means this address."""
        address = ipaddress.ip_address(source)
        for who in allow:
            nets = (
                ("0.0.0.0/0", "::/0")
                if who == "any"
                else self.zones.get(who, (who,) if "/" in who else ())
            )
            if any(address in ipaddress.ip_network(net) for net in nets):
                return True
        return False


def read(path: Path) -> Declared:
    """Reads the inventory of one host."""
    tree: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    (host,) = tree["hosts"].values()
    zones = {name: tuple(nets) for name, nets in host.get("zones", {}).items()}
    services = []
    networks: dict[str, tuple[str, str]] = {}
    for project_name, project in tree["projects"].items():
        if "network" in project:
            networks[project_name] = (project["network"]["name"], project["network"]["subnet"])
            zones[project_name] = (project["network"]["subnet"],)
        for name, given in project.get("services", {}).items():
            entry = {**project.get("defaults", {}), **given}
            status = {entry.get("status", "active"), project.get("status", "active")}
            if status != {"active"} or not ("port" in entry or "ports" in entry):
                continue
            inside = entry["via"] in ("socat", "docker")
            ports = tuple(
                Port(
                    one["port"],
                    one.get("container_port", entry.get("container_port", one["port"]))
                    if inside
                    else one["port"],
                    one.get("protocol", entry.get("protocol", "http")),
                )
                for one in entry.get("ports") or [{"port": entry["port"]}]
            )
            route = entry.get("route")
            route_allow = None
            if isinstance(route, dict):
                route_allow = tuple(route["allow"]) if "allow" in route else None
                route = route["path"]
            services.append(
                Service(
                    name=name,
                    project=project_name,
                    via=entry["via"],
                    ports=ports,
                    allow=tuple(entry.get("allow") or ()),
                    route=route.replace("{name}", name)
                    if route and ports[0].protocol == "http"
                    else None,
                    route_allow=route_allow,
                    address=entry.get("address"),
                    timeout=str(entry.get("timeout", "")),
                )
            )
    nginx = host.get("nginx", {})
    names = nginx.get("server_name", "localhost")
    server_name = names if isinstance(names, str) else names[0]
    listens = (nginx.get("listen", 80), nginx.get("listen_tls", 443)) if nginx else ()
    return Declared(
        tuple(services), zones, server_name, listens, tuple(nginx.get("allow", ())), networks
    )


def base_services(declared: Declared, project: str) -> dict[str, Any]:
    """What a team's own docker-compose.yml says of each of its services: what to run, and nothing of what
    the inventory decides."""
    return {
        service.name: {
            "image": "dashboard",
            "command": ["python3", "/app.py"],
            "environment": {
                "NAME": service.name,
                "PORTS": " ".join(f"{port.container}/{port.protocol}" for port in service.ports),
                # Not all apps stop at once, and an address that is let go late is what makes others fail.
                "LINGER": "0.8" if service.name == "veeam-usage" else "0",
            },
            "volumes": ["./app.py:/app.py:ro"],
            "restart": "unless-stopped",
            "stop_grace_period": "1s",
        }
        for service in declared.contained
        if service.project == project
    }


def base_compose(declared: Declared, project: str) -> str | None:
    """The team's own docker-compose.yml."""
    services = base_services(declared, project)
    return yaml.safe_dump({"services": services}, sort_keys=False) if services else None
