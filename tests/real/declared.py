"""What an inventory declares, read without portgen - a mistake of portgen's must not hide in what the tests expect.

In: an inventory's path. Out: the services with their defaults filled in, and the compose files its teams would have.
Never: derives an address, a unit or a rule; that is what is being tested.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
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
        return tuple(service for service in self.services if service.via in ("socat", "docker", "host"))

    def allows(self, service: Service, source: str) -> bool:
        """Whether a visitor with this address may reach the service's host ports directly."""
        address = ipaddress.ip_address(source)
        for who in service.allow:
            nets = ("0.0.0.0/0", "::/0") if who == "any" else self.zones.get(who, (who,) if "/" in who else ())
            if any(address in ipaddress.ip_network(net) for net in nets):
                return True
        return False


def read(path: Path) -> Declared:
    """Reads the inventory of one host."""
    tree: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    (host,) = tree["hosts"].values()
    zones = {name: tuple(nets) for name, nets in host.get("zones", {}).items()}
    services = []
    for project_name, project in tree["projects"].items():
        if subnet := project.get("network", {}).get("subnet"):
            zones[project_name] = (subnet,)
        for name, given in project.get("services", {}).items():
            entry = {**project.get("defaults", {}), **given}
            if entry.get("status", "active") != "active" or not ("port" in entry or "ports" in entry):
                continue
            inside = entry["via"] in ("socat", "docker")
            ports = tuple(
                Port(
                    one["port"],
                    one.get("container_port", entry.get("container_port", one["port"])) if inside else one["port"],
                    one.get("protocol", entry.get("protocol", "http")),
                )
                for one in entry.get("ports") or [{"port": entry["port"]}]
            )
            route = entry.get("route")
            if isinstance(route, dict):
                route = route["path"]
            services.append(
                Service(
                    name=name,
                    project=project_name,
                    via=entry["via"],
                    ports=ports,
                    allow=tuple(entry.get("allow") or ()),
                    route=route.replace("{name}", name) if route and ports[0].protocol == "http" else None,
                )
            )
    nginx = host.get("nginx", {})
    names = nginx.get("server_name", "localhost")
    server_name = names if isinstance(names, str) else names[0]
    return Declared(tuple(services), zones, server_name)


def base_compose(declared: Declared, project: str) -> str | None:
    """The team's own docker-compose.yml: what to run, and nothing of what the inventory decides."""
    services = {
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
    return yaml.safe_dump({"services": services}, sort_keys=False) if services else None
